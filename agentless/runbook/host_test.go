package runbook_test

import (
	"context"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// The inventory names a service before those that need it.
func TestServicesStopAndStartInTheOrderOfTheirNeeds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.server.Services = []string{"MSExchangeSA", "MSExchangeIS", "MSExchangeSearch"}
	before := f.services(t)
	for _, name := range []string{"record", "stop-services"} {
		s, _ := runbook.Standalone().Step(name)
		if out := f.step(t, s); out.Kind != runbook.Done {
			t.Fatalf("%s: %+v", name, out)
		}
	}
	if got, want := f.services(t), "MSExchangeSA Stopped Disabled, MSExchangeIS Stopped Disabled, MSExchangeSearch Stopped Disabled"; got != want {
		t.Errorf("stopped: %s, want %s", got, want)
	}
	s, _ := runbook.Standalone().Step(runbook.PutBack)
	if out := f.step(t, s); out.Kind != runbook.Done {
		t.Fatalf("put back: %+v", out)
	}
	if got := f.services(t); got != before {
		t.Errorf("put back: %s, want %s", got, before)
	}
	if len(f.book.deviations) > 0 {
		t.Errorf("deviations: %v", f.book.deviations)
	}
}

func TestAServiceThatOthersNeedIsSaid(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.server.Services = []string{"MSExchangeSA"} // the information store needs it and stays
	s, _ := runbook.Standalone().Step("stop-services")
	out, err := s.Tick(context.Background(), f.work("stop-services"))
	if err != nil || out.Kind != runbook.Again || out.Remedy == "" || !strings.Contains(out.Message, "other running services need it") {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestSetupThatOutlivesItsTaskIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.Speed = 100 })
	ctx := context.Background()
	other := windows.TaskName("test", 17, "other", 1)
	body, err := windows.SetupBody(windows.TaskFolder(other), `C:\Wavekeeper\media\sp1-en-US-x64\setup.com`, "/mode:Upgrade")
	if err != nil {
		t.Fatal(err)
	}
	running := windows.Task{Name: other, Body: body, Account: runas, Password: runasPass}
	name := windows.TaskName("test", 17, "setup", 1)
	for _, do := range []func() error{
		func() error { return f.host.PrepareTask(ctx, running) },
		func() error { return f.host.CreateTask(ctx, running) },
		func() error { return f.host.RunTask(ctx, other) },
		func() error { return f.host.MakeTaskFolder(ctx, name) },
		func() error { return f.host.MakeFolder(ctx, windows.TaskFolder(name)+`\started`) },
		func() error { return f.host.WriteFile(ctx, windows.TaskFolder(name)+`\rc`, []byte("0\r\n")) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := runbook.Standalone().Step("setup")
	out, err := s.Tick(ctx, f.work("setup"))
	if err != nil || out.Kind != runbook.Again || !strings.Contains(out.Message, "runs as process") {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestATaskWhoseFilesAreOthersIsNotStarted: a power loss left the body in its
// length and empty of content.
func TestATaskWhoseFilesAreOthersIsNotStarted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.until(t, "a task is registered", func() bool {
		f.tick(t, "preflight")
		return f.journal.count(t, "task-created") == 1
	})
	names, err := f.host.TaskFolders(t.Context())
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	path := windows.TaskFolder(names[0]) + `\body.cmd`
	was, err := f.host.ReadFile(t.Context(), path, 0, 48<<10)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.host.WriteFile(t.Context(), path, make([]byte, was.Length)); err != nil {
		t.Fatal(err)
	}
	var out runbook.Outcome
	f.until(t, "preflight ends", func() bool {
		out = f.tick(t, "preflight")
		return out.Kind != runbook.Again
	})
	if out.Kind != runbook.Failed || !strings.Contains(out.Message, "body.cmd in its folder is not what was sent") {
		t.Errorf("%+v", out)
	}
	if look, err := f.host.LookTask(t.Context(), names[0]); err != nil || look.Has("started") || look.Has("go") {
		t.Errorf("the task was told to run: %+v, %v", look, err)
	}
}
