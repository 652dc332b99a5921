package windows_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
)

const user, password = "wkadmin", "winrm-Secret1"

// host is one simulated host, over TCP.
func host(t *testing.T) *windows.Host {
	t.Helper()
	return hostWith(t, func(*twin.Options) {})
}

func hostWith(t *testing.T, change func(*twin.Options)) *windows.Host {
	t.Helper()
	return dialled(t, startTwin(t, change))
}

// startTwin gives the port of a simulated host.
func startTwin(t *testing.T, change func(*twin.Options)) int {
	t.Helper()
	port, _ := startFleet(t, change)
	return port
}

// startFleet is startTwin for a test that changes the host while it runs.
func startFleet(t *testing.T, change func(*twin.Options)) (int, *twin.Fleet) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o := twin.Options{
		User: user, Password: password, RunAs: `LAB\svc`, RunAsPassword: "x", Speed: 1000,
		Servers: []exchange.Server{{
			Name: "MBX1", FQDN: "mbx1.lab.test", Roles: []exchange.Role{exchange.Mailbox}, Language: "en-US", Arch: "x64",
			Address: "127.0.0.1", Port: port, Services: []string{"ScanMail_Master"},
		}},
	}
	change(&o)
	fleet, err := twin.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fleet.Close() })
	return port, fleet
}

func dialled(t *testing.T, port int) *windows.Host {
	t.Helper()
	return dialledWithin(t, port, 0)
}

// dialledWithin is dialled with a limit for one request.
func dialledWithin(t *testing.T, port int, limit time.Duration) *windows.Host {
	t.Helper()
	conn, err := winrm.New(winrm.Config{Address: "127.0.0.1", Port: port, Account: winrm.Basic(user, password), OperationTimeout: limit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return windows.New(conn)
}

func TestFilesArriveAsTheyWere(t *testing.T) {
	t.Parallel()
	h, ctx := host(t), context.Background()
	folder := windows.TaskFolder("wk-test-u1-files-a1")
	if err := h.MakeTaskFolder(ctx, "wk-test-u1-files-a1"); err != nil {
		t.Fatal(err)
	}
	if err := h.MakeFolder(ctx, folder); err != nil {
		t.Errorf("a folder of ours is not known again: %v", err)
	}
	for name, data := range map[string][]byte{
		"empty": {}, "one chunk": []byte("a\r\n\x00b"), "it's quoted": []byte("x"), "three chunks": bytes.Repeat([]byte{0, 1, 254, 255, '\n'}, 3000),
	} {
		path := folder + `\` + name
		for range 2 { // a repeated write starts again
			if err := h.WriteFile(ctx, path, data); err != nil {
				t.Fatal(err)
			}
		}
		var got []byte
		for {
			chunk, err := h.ReadFile(ctx, path, int64(len(got)), 4096)
			if err != nil || !chunk.Exists {
				t.Fatalf("read %s: %+v, %v", name, chunk, err)
			}
			got = append(got, chunk.Data...)
			if int64(len(got)) >= chunk.Length {
				break
			}
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes came back, want %d", name, len(got), len(data))
		}
	}
	entries, exists, err := h.List(ctx, folder)
	if err != nil || !exists || len(entries) != 4 {
		t.Errorf("list: %v, %t, %v", entries, exists, err)
	}
	if _, exists, err := h.List(ctx, `C:\nowhere`); exists || err != nil {
		t.Errorf("a folder that does not exist: %t, %v", exists, err)
	}
	if chunk, err := h.ReadFile(ctx, `C:\nowhere`, 0, 10); chunk.Exists || err != nil {
		t.Errorf("a file that does not exist: %+v, %v", chunk, err)
	}
	if err := h.RemoveFolder(ctx, folder); err != nil {
		t.Fatal(err)
	}
	if _, exists, err := h.List(ctx, folder); exists || err != nil {
		t.Errorf("removed folder: %t, %v", exists, err)
	}
}

func TestAFolderOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	h, ctx := host(t), context.Background()
	if _, err := h.Run(ctx, `md C:\Theirs`); err != nil {
		t.Fatal(err)
	}
	var foreign *windows.ForeignFolderError
	if err := h.MakeFolder(ctx, `C:\Theirs`); !errors.As(err, &foreign) || foreign.Path != `C:\Theirs` {
		t.Errorf("MakeFolder of a folder that anybody could have made: %v", err)
	}
}

func TestServicesObeyByExitCode(t *testing.T) {
	t.Parallel()
	h, ctx := host(t), context.Background()
	const name = "ScanMail_Master"
	until := func(state, mode string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			all, err := h.Services(ctx)
			if err != nil {
				t.Fatal(err)
			}
			s, ok := windows.FindService(all, strings.ToLower(name))
			if ok && s.State == state && s.StartMode == mode {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("service is %+v, want %s and %s", s, state, mode)
			}
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	until(windows.Running, windows.StartAuto)
	do(h.StartService(ctx, name)) // runs already
	do(h.SetStartMode(ctx, name, windows.StartDisabled))
	do(h.StopService(ctx, name))
	until(windows.Stopped, windows.StartDisabled)
	do(h.StopService(ctx, name)) // stopped already
	if err := h.StartService(ctx, name); !errors.Is(err, windows.ErrServiceDisabled) {
		t.Errorf("start of a disabled service: %v", err)
	}
	do(h.SetStartMode(ctx, name, windows.StartManual))
	do(h.StartService(ctx, name))
	until(windows.Running, windows.StartManual)
	if err := h.StopService(ctx, "NoSuch"); !errors.Is(err, windows.ErrNoService) {
		t.Errorf("a service that does not exist: %v", err)
	}
	if err := h.StopService(ctx, `a" & calc`); err == nil {
		t.Error("a name that is none was sent")
	}
}

// TestPowerShellIsFoundWhereThePathDoesNotLeadToIt: it was installed after the
// services began.
func TestPowerShellIsFoundWhereThePathDoesNotLeadToIt(t *testing.T) {
	t.Parallel()
	for _, os := range []string{"2003", "2008"} {
		h, ctx := hostWith(t, func(o *twin.Options) {
			o.Servers[0].OS = os
			o.Platforms = map[string]twin.Platform{"MBX1": {OS: os, OldPath: true}}
		}), context.Background()
		if r, err := h.Run(ctx, "powershell.exe -NoProfile -NonInteractive -EncodedCommand AA=="); err != nil || r.Exit != 9009 && r.Exit != 1 {
			t.Fatalf("%s: the path leads to PowerShell: %+v, %v", os, r, err)
		}
		task, err := windows.ScriptTask("wk-test-u1-canary-a1", "canary", "", "")
		if err != nil {
			t.Fatal(err)
		}
		if !registered(t, h, task) {
			continue
		}
		if err := h.RunTask(ctx, task.Name); err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "the task ends", func() bool {
			look, err := h.LookTask(ctx, task.Name)
			return err == nil && look.State == windows.TaskEnded && look.Exit == 0
		})
	}
}

func TestATaskIsRegisteredInEitherFormOfTime(t *testing.T) {
	t.Parallel()
	for _, without := range []bool{false, true} {
		h, ctx := hostWith(t, func(o *twin.Options) { o.StartTimeWithoutSeconds = without }), context.Background()
		task, err := windows.ScriptTask("wk-test-u1-canary-a1", "canary", "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.PrepareTask(ctx, task); err != nil {
			t.Fatal(err)
		}
		if err := h.CreateTask(ctx, task); errors.As(err, new(*windows.MidnightError)) {
			continue // the test's own clock
		} else if err != nil {
			t.Errorf("without seconds %t: %v", without, err)
		}
		if look, err := h.LookTask(ctx, task.Name); err != nil || look.State != windows.TaskCreated {
			t.Errorf("without seconds %t: task is %s, %v", without, look.State, err)
		}
	}
}

func TestABodyWaitsForLeaveAndRunsOnce(t *testing.T) {
	t.Parallel()
	h, ctx := host(t), context.Background()
	task, err := windows.ScriptTask("wk-test-u1-canary-a1", "canary", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.PrepareTask(ctx, task); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line string
		want windows.TaskState
	}{
		{`"` + task.Folder() + `\body.cmd"`, windows.TaskPrepared}, // a trigger that fired
		{`echo go>"` + task.Folder() + `\go"&&"` + task.Folder() + `\body.cmd"`, windows.TaskEnded},
		{`del "` + task.Folder() + `\rc"&"` + task.Folder() + `\body.cmd"`, windows.TaskStarted}, // it did nothing again
	} {
		if _, err := h.Run(ctx, c.line); err != nil {
			t.Fatal(err)
		}
		if look, err := h.LookTask(ctx, task.Name); err != nil || look.State != c.want {
			t.Errorf("after %s the task is %s, %v, want %s", c.line, look.State, err, c.want)
		}
	}
}

func TestRegistryIsTyped(t *testing.T) {
	t.Parallel()
	h, ctx := host(t), context.Background()
	const key = `SOFTWARE\Microsoft\Exchange\v8.0\MailboxRole`
	if err := h.SetString(ctx, windows.LocalMachine, key, "Watermark", "a<&>b"); err != nil {
		t.Fatal(err)
	}
	if err := h.SetDWORD(ctx, windows.LocalMachine, key, "Action", 4294967295); err != nil {
		t.Fatal(err)
	}
	roles, err := h.Roles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := roles["Mailbox"], (windows.Role{Configured: "8.0.685.25", Unpacked: "8.0.685.25", Action: "4294967295", Watermark: "a<&>b"}); got != want {
		t.Errorf("role %+v, want %+v", got, want)
	}
	if err := h.DeleteValue(ctx, windows.LocalMachine, key, "Action"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DWORDValue(ctx, windows.LocalMachine, key, "Action"); !errors.Is(err, windows.ErrNoKey) {
		t.Errorf("a deleted value: %v", err)
	}
	if _, err := h.DWORDValue(ctx, windows.LocalMachine, key+`\Nowhere`, "Action"); !errors.Is(err, windows.ErrNoKey) {
		t.Errorf("a value of a key that does not exist: %v", err)
	}
	for name, missing := range map[string]bool{"nothing": true, "configuredversion": false} { // "could not be read" is no "is not there"
		if err := windows.Unread(h, ctx, windows.LocalMachine, key, []winrm.Param{winrm.In("sValueName", name)}); errors.Is(err, windows.ErrNoKey) != missing || err == nil {
			t.Errorf("value %s that was not read: %v", name, err)
		}
	}
	if _, err := h.Keys(ctx, windows.LocalMachine, key+`\Nowhere`); !errors.Is(err, windows.ErrNoKey) {
		t.Errorf("a key that does not exist: %v", err)
	}
}

func TestARestartShowsInTheBootTime(t *testing.T) {
	t.Parallel()
	h, ctx := host(t), context.Background()
	before, err := h.BootTime(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		after, err := h.BootTime(ctx)
		if err == nil && after.After(before) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("boot time %s, %v, before %s", after, err, before)
		}
	}
}
