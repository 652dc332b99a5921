package twin_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
)

// host is a row's host as the product sees it.
func host(tb testing.TB, s exchange.Server) *windows.Host {
	tb.Helper()
	conn, err := winrm.New(winrm.Config{Address: s.Address, Port: s.Port, Account: winrm.Basic(winrmUser, password), OperationTimeout: 5 * time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	return windows.New(conn)
}

func TestTheProductUpgradesAHost(t *testing.T) {
	t.Parallel()
	s := server(t, "multi1", "CAS+HT")
	_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 3000})
	h := host(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	facts, err := h.Facts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		t.Logf("%+v", f)
	}
	if len(facts) < 8 {
		t.Errorf("%d facts", len(facts))
	}
	const name = "wk-test-u1-setup-a1"
	body, err := windows.SetupBody(windows.TaskFolder(name), `C:\Wavekeeper\media\sp1-en-US-x64\setup.com`, "/mode:Upgrade")
	if err != nil {
		t.Fatal(err)
	}
	task := windows.Task{Name: name, Body: body, Account: runAs, Password: runAsPass}
	steps := []func() error{
		func() error { return h.PrepareTask(ctx, task) },
		func() error { return h.CreateTask(ctx, task) },
		func() error { return h.RunTask(ctx, name) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	var look windows.TaskLook
	within(t, 20*time.Second, "Setup has ended", func() bool {
		if look, err = h.LookTask(ctx, name); err != nil {
			t.Fatal(err)
		}
		return look.State == windows.TaskEnded
	})
	if look.Exit != 0 || !look.Has("revocation-restored") {
		t.Errorf("task: %+v", look)
	}
	roles, err := h.Roles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for key, r := range roles {
		if r.Configured != "8.1.240.6" {
			t.Errorf("%s: %+v", key, r)
		}
	}
	var states []float64 // the run-as account's switch: off, then back
	for _, e := range truth.entries(t, "registry-changed") {
		if e.Detail["value"] == "State" && !strings.Contains(e.Detail["key"].(string), "S-1-5-18") {
			states = append(states, e.Detail["new"].(float64))
		}
	}
	if len(states) != 2 || states[0] != 146944 || states[1] != 146432 {
		t.Errorf("revocation switch: %v", states)
	}
	if err := h.DeleteTask(ctx, name); err != nil {
		t.Error(err)
	}
	if err := h.RemoveFolder(ctx, windows.TaskFolder(name)); err != nil {
		t.Error(err)
	}
	if look, err = h.LookTask(ctx, name); err != nil || look.State != windows.TaskAbsent {
		t.Errorf("after tidying: %+v %v", look, err)
	}
}

// TestTheProductUpgradesEveryPlatform drives Setup on hosts of each kind with
// nothing but the product's own nouns.
func TestTheProductUpgradesEveryPlatform(t *testing.T) {
	t.Parallel()
	for words, version := range map[string]string{
		"2003 1.1 de-DE": "2003 de-DE 1.1 x64", "2003 2.0 en-US": "2003 en-US 2.0 x64", "2008 1.1 en-US": "2008 en-US 1.1 x64",
		"2008 2.0 ja-JP": "2008 ja-JP 2.0 x64", "2003 1.1 ja-JP": "2003 ja-JP 1.1 x64", "2008 2.0 de-DE": "2008 de-DE 2.0 x64",
		"2008R2 2.0 ja-JP": "2008R2 ja-JP 2.0 x64",
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			s := kind(t, "cas1", words)
			start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 3000, LocalizedSetup: true})
			h := host(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			facts, err := h.Facts(ctx)
			if err != nil {
				t.Fatal(err)
			}
			told := map[string]any{}
			for _, f := range facts {
				told[f.Name] = f.Value
				if f.Value == nil {
					t.Errorf("no fact %s", f.Name)
				}
			}
			if got := strings.Join([]string{text(told["os"]), text(told["language"]), text(told["winrm"]), text(told["arch"])}, " "); got != version {
				t.Errorf("facts: %s, want %s; %v", got, version, told)
			}
			if offset, ok := told["clock_offset_seconds"].(int); ok && (offset > 2 || offset < -2) {
				t.Errorf("clock offset %v", offset)
			}
			const name = "wk-test-u1-setup-a1"
			body, err := windows.SetupBody(windows.TaskFolder(name), `C:\Wavekeeper\media\sp1-`+s.Language+`-x64\setup.com`, "/mode:Upgrade")
			if err != nil {
				t.Fatal(err)
			}
			task := windows.Task{Name: name, Body: body, Account: runAs, Password: runAsPass}
			for i, step := range []func() error{
				func() error { return h.PrepareTask(ctx, task) },
				func() error { return h.CreateTask(ctx, task) },
				func() error { return h.RunTask(ctx, name) },
			} {
				if err := step(); err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
			}
			within(t, 20*time.Second, "Setup has ended", func() bool {
				look, err := h.LookTask(ctx, name)
				if err != nil {
					t.Fatal(err)
				}
				if look.State == windows.TaskEnded && look.Exit != 0 {
					t.Fatalf("Setup: %+v", look)
				}
				return look.State == windows.TaskEnded
			})
			roles, err := h.Roles(ctx)
			if err != nil || roles["ClientAccess"].Configured != "8.1.240.6" {
				t.Errorf("roles: %+v %v", roles, err)
			}
			if err := h.DeleteTask(ctx, name); err != nil {
				t.Error(err)
			}
			if err := h.RemoveFolder(ctx, windows.TaskFolder(name)); err != nil {
				t.Error(err)
			}
		})
	}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// The product doubles each of PowerShell's five single quotes; the host reads
// what is in them as PowerShell does.
func TestTypographicQuotesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	s := server(t, "mbx1", "HT")
	fleet, _ := start(t, twin.Options{Servers: []exchange.Server{s}})
	for _, path := range []string{`C:\it's`, "C:\\a\u2018\u2018b", "C:\\\u2019\u201A\u201B'c"} {
		if err := host(t, s).MakeFolder(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		in, err := fleet.Inspect("MBX1")
		if err != nil || !slices.Contains(in.Files, strings.ToLower(path)) {
			t.Errorf("%q is not there: %v", path, err)
		}
	}
}
