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
