package runbook_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

const keyNET20 = `SOFTWARE\Microsoft\NET Framework Setup\NDP\v2.0.50727`

func blockers(out runbook.Outcome) string {
	var names []string
	for _, f := range out.Findings {
		if f.Severity == runbook.Blocker {
			names = append(names, f.Rule)
		}
	}
	return strings.Join(names, " ")
}

func TestPreflightNamesWhatBlocks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options func(*twin.Options)
		work    func(*runbook.Work)
		want    string
		host    func(context.Context, *windows.Host) error
	}{
		"wrong run-as password":          {nil, func(w *runbook.Work) { w.RunAs.Password = "wrong" }, "canary", nil},
		"run-as account without AD":      {nil, func(w *runbook.Work) { w.RunAs = runbook.Account{Name: user, Password: password} }, "canary", nil},
		"other media":                    {nil, func(w *runbook.Work) { w.Media.SetupSHA256 = strings.Repeat("0", 64) }, "media", nil},
		"no media":                       {nil, func(w *runbook.Work) { w.Media.Folder = `C:\Wavekeeper\media\sp9-en-US-x64` }, "media", nil},
		"organization not prepared":      {nil, func(w *runbook.Work) { w.Prepared = false }, "organization-prepared", nil},
		"a host of another architecture": {nil, func(w *runbook.Work) { w.Server.Arch, w.Package.Arch = "x86", "x86" }, "architecture", nil},
		"package of another language":    {nil, func(w *runbook.Work) { w.Package.Language = "de-DE" }, "language", nil},
		"package older than the server": {func(o *twin.Options) {
			o.Servers[0].Build = exchange.Build{Major: 8, Minor: 2, Build: 176, Revision: 2}
		}, nil, "build", nil},
		"a service that is not there": {nil, func(w *runbook.Work) { w.Server.Services = []string{"NoSuch"} }, "services", nil},
		"a role the inventory lacks":  {nil, func(w *runbook.Work) { w.Server.Roles = w.Server.Roles[1:] }, "roles", nil},
		".NET without service pack": {nil, nil, "dotnet20-sp1", func(ctx context.Context, h *windows.Host) error {
			return h.SetDWORD(ctx, windows.LocalMachine, keyNET20, "SP", 0)
		}},
		"an update that waits for a restart": {nil, nil, "pending-restart", func(ctx context.Context, h *windows.Host) error {
			return h.SetDWORD(ctx, windows.LocalMachine, `SOFTWARE\Microsoft\Updates`, "UpdateExeVolatile", 2)
		}},
		"an earlier Setup that broke": {nil, nil, "interrupted-setup", func(ctx context.Context, h *windows.Host) error {
			return h.SetString(ctx, windows.LocalMachine, `SOFTWARE\Microsoft\Exchange\v8.0\MailboxRole`, "Action", "Install")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, c.options)
			f.change = c.work
			if c.host != nil {
				if err := c.host(context.Background(), f.host); err != nil {
					t.Fatal(err)
				}
			}
			step, out := f.walk(t, "facts")
			if step != "preflight" || out.Kind != runbook.Failed || blockers(out) != c.want {
				t.Errorf("%s ended %s, blockers %q, want %q: %s", step, out.Kind, blockers(out), c.want, out.Message)
			}
			if got := f.journal.count(t, "setup-started") + f.journal.count(t, "service-stopped"); got != 0 {
				t.Errorf("%d things were done to the host", got)
			}
			f.clean(t)
		})
	}
}

func TestPowerLossDuringSetupIsAnInterruption(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.lost = func(step string, _ int) bool {
		if step == "setup" && f.memory["setup"]["power"] == "" && f.journal.count(t, "service-stopped") > 4 {
			f.memory["setup"]["power"] = "gone"
			if err := f.fleet.PowerLoss("MBX1"); err != nil {
				t.Error(err)
			}
			return true
		}
		return false
	}
	step, out := f.walk(t, "facts")
	if step != "setup" || out.Kind != runbook.Interrupted {
		t.Fatalf("%s ended %s: %s", step, out.Kind, out.Message)
	}
	f.noPassword(t, "while a person decides")
	// A person decides to skip the server: what was changed is put back.
	f.lost = nil
	for _, s := range runbook.Standalone().Steps {
		if s.PutBack {
			if out := f.step(t, s); out.Kind != runbook.Done {
				t.Fatalf("%s ended %s: %s", s.Name, out.Kind, out.Message)
			}
			f.noPassword(t, "after "+s.Name)
		}
	}
	if got := f.switches(t); got != asFound || len(f.book.deviations) > 0 {
		t.Errorf("revocation switch %s, want %s; deviations: %v", got, asFound, f.book.deviations)
	}
	if got := f.journal.count(t, "setup-started"); got != 1 {
		t.Errorf("Setup started %d times, want once", got)
	}
	f.clean(t)
}

func TestNothingHappensThatTheBookRefuses(t *testing.T) {
	t.Parallel()
	for what, forbidden := range map[string]string{
		"create host task wk-test-u17-setup": "setup-started", "run host task wk-test-u17-setup": "setup-started",
		"delete host task wk-test-u17-canary": "service-stopped", "disable service": "service-stopped",
		"stop service": "service-stopped",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.book.refuse = what
			for _, s := range runbook.Standalone().Steps {
				if !f.refused(t, s) {
					continue
				}
				if got := f.journal.count(t, forbidden); got != 0 {
					t.Errorf("%s happened %d times", forbidden, got)
				}
				return
			}
			t.Error("the book was never asked")
		})
	}
}

// refused repeats a step until it ends or the book refuses.
func (f *fixture) refused(t *testing.T, s runbook.Step) bool {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		w := f.work(s.Name)
		out, err := s.Tick(context.Background(), w)
		if errors.Is(err, errRefused) {
			return true
		}
		if err != nil {
			t.Fatal(err)
		}
		f.memory[s.Name] = w.Memory
		if out.Kind != runbook.Again {
			return false
		}
	}
	t.Fatalf("step %s does not end", s.Name)
	return false
}

func TestSetupThatIsDoneAlreadyIsNotRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.Servers[0].Build = sp1 })
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	if got := f.journal.count(t, "setup-started"); got != 0 {
		t.Errorf("Setup started %d times", got)
	}
	f.clean(t)
}

func TestAHostThatForgotTheTaskIsNotRunAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.memory["setup"] = map[string]string{"attempt": "1", "created": "yes"}
	s, _ := runbook.Standalone().Step("setup")
	if out := f.step(t, s); out.Kind != runbook.Unknown {
		t.Errorf("ended %s: %s", out.Kind, out.Message)
	}
	if got := f.journal.count(t, "task-created"); got != 0 {
		t.Errorf("%d tasks created", got)
	}
}

func TestAHostOutOfReachDuringSetupIsOutOfSight(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	if err := f.fleet.Close(); err != nil {
		t.Fatal(err)
	}
	for created, want := range map[string]runbook.Kind{"": runbook.Again, "yes": runbook.OutOfSight} {
		w := f.work("setup")
		w.Memory["attempt"], w.Memory["created"] = "1", created
		s, _ := runbook.Standalone().Step("setup")
		out, err := s.Tick(context.Background(), w)
		if err != nil || out.Kind != want {
			t.Errorf("created %q: %s, %v, want %s: %s", created, out.Kind, err, want, out.Message)
		}
	}
}

func TestSweepTakesWhatOneInstallationLeft(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	ctx := context.Background()
	for _, name := range []string{"wk-test-u1-setup-a1", "wk-test-u2-canary-a3", "wk-other-u1-setup-a1"} {
		task, err := windows.ScriptTask(name, "file-hash", "", "", `C:\boot.ini`)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.host.PrepareTask(ctx, task); err != nil {
			t.Fatal(err)
		}
		if err := f.host.CreateTask(ctx, task); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := runbook.Sweep(ctx, f.host, "test", func(task string) bool { return strings.Contains(task, "-u2-") })
	if err != nil || len(removed) != 1 || removed[0] != "wk-test-u1-setup-a1" {
		t.Errorf("removed %v, %v", removed, err)
	}
	left, err := f.host.RegisteredTasks(ctx, `C:\WINDOWS`)
	if err != nil || len(left) != 2 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestAFailedSetupIsUnwoundAndCanBeRetried(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	before := f.services(t)
	pack := func(sp uint32) {
		if err := f.host.SetDWORD(context.Background(), windows.LocalMachine, keyNET20, "SP", sp); err != nil {
			t.Error(err)
		}
	}
	f.lost = func(step string, tick int) bool { // what preflight saw is no longer so
		if step == "setup" && tick == 0 {
			pack(0)
		}
		return false
	}
	step, out := f.walk(t, "facts")
	if step != "setup" || out.Kind != runbook.Failed || !strings.Contains(out.Message, "exit code is 1") || out.Remedy == "" {
		t.Fatalf("%s ended %s: %s", step, out.Kind, out.Message)
	}
	if after := f.services(t); after != before {
		t.Errorf("services after the failure: %s, before: %s", after, before)
	}
	if len(f.book.deviations) > 0 {
		t.Errorf("deviations: %v", f.book.deviations)
	}
	f.clean(t)

	pack(1)
	f.lost = nil
	f.retry("facts")
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("retry ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	if after := f.services(t); after != before {
		t.Errorf("services after the retry: %s, before: %s", after, before)
	}
	if got := f.journal.count(t, "setup-started"); got != 2 {
		t.Errorf("Setup started %d times, want once an attempt", got)
	}
	f.clean(t)
}

// TestOnlyWhatSetupDisablesOrStopsIsPutBack: a start type that a Setup which came
// to nothing gave a service to keep is not taken away again.
func TestOnlyWhatSetupDisablesOrStopsIsPutBack(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t, nil), context.Background()
	before := f.allServices(t)
	f.lost = func(step string, tick int) bool {
		if step == "setup" && tick == 0 {
			for _, err := range []error{
				f.host.SetDWORD(ctx, windows.LocalMachine, keyNET20, "SP", 0), // so that Setup fails
				f.host.SetStartMode(ctx, "MSExchangeMailSubmission", windows.StartManual),
				f.host.SetStartMode(ctx, "RemoteRegistry", windows.StartDisabled),
			} {
				if err != nil {
					t.Error(err)
				}
			}
		}
		return false
	}
	if step, out := f.walk(t, "facts"); step != "setup" || out.Kind != runbook.Failed {
		t.Fatalf("%s ended %s: %s", step, out.Kind, out.Message)
	}
	after := f.allServices(t)
	if got := after["MSExchangeMailSubmission"]; got != "Running Manual" {
		t.Errorf("MSExchangeMailSubmission is %s, want Running Manual as Setup left it", got)
	}
	if got := after["RemoteRegistry"]; got != before["RemoteRegistry"] {
		t.Errorf("RemoteRegistry is %s, want %s", got, before["RemoteRegistry"])
	}
}

// TestAStartTypeThatALaterSetupGaveIsKept: what a broken Setup left waits in the
// ledger; a later one that went well may have given the service another start type.
func TestAStartTypeThatALaterSetupGaveIsKept(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t, nil), context.Background()
	for name, mode := range map[string]string{"MSExchangeMailSubmission": windows.StartManual, "RemoteRegistry": windows.StartDisabled} {
		e := runbook.Entry{
			Kind: runbook.ServiceEntry, Name: name, Before: map[string]string{"state": windows.Running, "start": windows.StartAuto},
			Meant: map[string]string{"state": windows.Stopped, "start": windows.StartDisabled, "by": "setup"},
		}
		if _, err := f.book.Change(ctx, e); err != nil {
			t.Fatal(err)
		}
		if err := f.host.SetStartMode(ctx, name, mode); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := runbook.Standalone().Step(runbook.PutBack)
	if out := f.step(t, s); out.Kind != runbook.Done {
		t.Fatalf("put-back: %+v", out)
	}
	after := f.allServices(t)
	if after["MSExchangeMailSubmission"] != "Running Manual" || after["RemoteRegistry"] != "Running Auto" {
		t.Errorf("MSExchangeMailSubmission %s, want Running Manual; RemoteRegistry %s, want Running Auto", after["MSExchangeMailSubmission"], after["RemoteRegistry"])
	}
	if len(f.book.deviations) == 0 || len(f.book.open()) > 0 {
		t.Errorf("deviations %v, open %+v, want the kept start type said", f.book.deviations, f.book.open())
	}
}
