package runbook_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// tick does one tick of a step and keeps what it remembers.
func (f *fixture) tick(t *testing.T, name string) runbook.Outcome {
	t.Helper()
	s, ok := runbook.Standalone().Step(name)
	if !ok {
		t.Fatalf("no step %s", name)
	}
	w := f.work(name)
	out, err := s.Tick(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	f.memory[name] = w.Memory
	return out
}

// TestATaskOfAnEarlierApprovalNeverRuns: the wave is approved again with other
// media after the Setup task was registered.
func TestATaskOfAnEarlierApprovalNeverRuns(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*runbook.Work){
		"another folder":                  func(w *runbook.Work) { w.Media.Folder = `C:\Wavekeeper\media\sp1-de-DE-x64` },
		"other content in the same place": func(w *runbook.Work) { w.Media.SetupSHA256 = strings.Repeat("0", 64) },
		"another account":                 func(w *runbook.Work) { w.RunAs = runbook.Account{Name: `DEMO\another`, Password: "x"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.beginSetup(t, "task-created")
			f.change = change
			out := f.tick(t, "setup")
			if out.Kind != runbook.Failed || !strings.Contains(out.Message, "not what was approved") && !strings.Contains(out.Message, "Setup was not begun") || out.Remedy == "" {
				t.Fatalf("%+v", out)
			}
			if again := f.tick(t, "setup"); again.Kind != runbook.Failed || !strings.Contains(again.Message, "did not run") {
				t.Errorf("a tick that was killed before its save: %+v", again)
			}
			f.late(t)
			f.unwinding = true
			for _, step := range []string{runbook.PutBack, runbook.Tidy} {
				s, _ := runbook.Standalone().Step(step)
				if out := f.step(t, s); out.Kind != runbook.Done {
					t.Fatalf("%s: %+v", step, out)
				}
			}
			if n := f.journal.count(t, "setup-started"); n != 0 {
				t.Errorf("Setup started %d times", n)
			}
			f.clean(t)
		})
	}
}

// TestAForeignSetupThatBrokeIsAnInterruption: its marks are there when ours is
// about to begin, and nothing of ours began.
func TestAForeignSetupThatBrokeIsAnInterruption(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for _, name := range []string{"record", "stop-services"} {
		s, _ := runbook.Standalone().Step(name)
		f.step(t, s)
	}
	if err := f.host.PutMarker(context.Background(), windows.Marker{Key: "MailboxRole", Name: "Action", Kind: "REG_SZ", Value: "Install"}); err != nil {
		t.Fatal(err)
	}
	s, _ := runbook.Standalone().Step("setup")
	out := f.step(t, s)
	if out.Kind != runbook.Interrupted || !strings.Contains(out.Message, "not ours") || !strings.Contains(kinds(out.Evidence), "registry") || !strings.Contains(out.Remedy, "clear") {
		t.Errorf("%+v", out)
	}
	if n := f.journal.count(t, "setup-started"); n != 0 {
		t.Errorf("Setup started %d times", n)
	}
}

// TestNothingIsPutBackUnderAForeignSetup: only services are in the ledger, and
// another person's Setup runs.
func TestNothingIsPutBackUnderAForeignSetup(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.Speed = 300 })
	for _, name := range []string{"record", "stop-services"} {
		s, _ := runbook.Standalone().Step(name)
		f.step(t, s)
	}
	stopped := f.services(t)
	if err := f.fleet.Inject(twin.Fault{Host: "MBX1", Name: "foreign-setup", Lasts: 20 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	f.unwinding = true
	out := f.tick(t, runbook.PutBack)
	if out.Kind != runbook.OutOfSight || !strings.Contains(out.Message, "runs as process") || !strings.Contains(out.Message, `\`) || !strings.Contains(out.Message, "in session") || f.services(t) != stopped {
		t.Errorf("under a foreign Setup: %+v; services %s, want %s", out, f.services(t), stopped)
	}
	if out := f.tick(t, "setup"); out.Kind != runbook.Failed || !strings.Contains(out.Message, "in session") {
		t.Errorf("setup beside a foreign Setup: %+v", out)
	}
	if out := f.decide(t, runbook.Look); out.Kind != runbook.Done || !strings.Contains(out.Message, "in session") {
		t.Errorf("look: %+v", out)
	}
	s, _ := runbook.Standalone().Step(runbook.PutBack)
	if out := f.step(t, s); out.Kind != runbook.Done {
		t.Errorf("after its end: %+v", out)
	}
	if got := f.services(t); strings.Contains(got, "Disabled") || strings.Contains(got, "Stopped") {
		t.Errorf("services: %s", got)
	}
}

// TestASetupThatCameFirstIsNotJoined: another person's Setup began after ours was
// registered and before it was told to run.
func TestASetupThatCameFirstIsNotJoined(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.Speed = 300 })
	f.beginSetup(t, "task-created")
	if err := f.fleet.Inject(twin.Fault{Host: "MBX1", Name: "foreign-setup", Lasts: 20 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	out := f.tick(t, "setup")
	if out.Kind != runbook.Failed || !strings.Contains(out.Message, "not ours") || !strings.Contains(out.Message, "in session") || out.Remedy == "" {
		t.Fatalf("%+v", out)
	}
	f.late(t)
	if again := f.tick(t, "setup"); again.Kind != runbook.Failed || !strings.Contains(again.Message, "did not run") {
		t.Errorf("after a late start: %+v", again)
	}
	f.unwinding = true
	for _, step := range []string{runbook.PutBack, runbook.Tidy} {
		s, _ := runbook.Standalone().Step(step)
		if out := f.step(t, s); out.Kind != runbook.Done {
			t.Fatalf("%s: %+v", step, out)
		}
	}
	for _, e := range f.journal.entries(t) {
		if e.What == "setup-started" && strings.Contains(fmt.Sprint(e.Detail), `Wavekeeper\media`) {
			t.Errorf("ours started: %v", e.Detail)
		}
	}
	f.clean(t)
}

// TestMarkersAreClearedWithoutWMI, too: an aborted Setup leaves it disabled.
func TestMarkersAreClearedWithoutWMI(t *testing.T) {
	t.Parallel()
	f := interrupted(t)
	before := f.marks(t)
	if err := f.fleet.Inject(twin.Fault{Host: "MBX1", Name: "wmi-stopped"}); err != nil {
		t.Fatal(err)
	}
	if got := f.marks(t); got != before {
		t.Fatalf("the marks without WMI: %s\nwant %s", got, before)
	}
	if out := f.decide(t, runbook.ClearMarkers); out.Kind != runbook.Done || f.marks(t) != "" {
		t.Fatalf("%+v, left %q", out, f.marks(t))
	}
	if out := f.decide(t, runbook.RestoreMarkers); out.Kind != runbook.Done || f.marks(t) != before {
		t.Fatalf("%+v\ngot  %s\nwant %s", out, f.marks(t), before)
	}
	if out := f.decide(t, runbook.Look); out.Kind != runbook.Done || !strings.Contains(kinds(out.Evidence), "sessions") {
		t.Errorf("look: %+v", out)
	}
}

// configured gives every role on the host the build in its key.
func (f *fixture) configured(t *testing.T, build exchange.Build) {
	t.Helper()
	ctx := context.Background()
	roles, err := f.host.Keys(ctx, windows.LocalMachine, `SOFTWARE\Microsoft\Exchange\v8.0`)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range roles {
		if key != "AdminTools" && !strings.HasSuffix(key, "Role") {
			continue
		}
		if err := f.host.SetString(ctx, windows.LocalMachine, `SOFTWARE\Microsoft\Exchange\v8.0\`+key, "ConfiguredVersion", build.String()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVerifyAsksTheProgramsToo: keys at the target and an older ExSetup.exe are no
// server at the target.
func TestVerifyAsksTheProgramsToo(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.configured(t, sp1)
	if out := f.tick(t, "verify"); out.Kind != runbook.Failed || !strings.Contains(out.Message, "ExSetup.exe is still 8.0.685.25") || out.Remedy == "" {
		t.Errorf("%s: %s", out.Kind, out.Message)
	}
}

// TestVerifyNeedsNoRecord: a server that was upgraded by hand is verified by its
// builds, its marks and the services that start by themselves.
func TestVerifyNeedsNoRecord(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newFixture(t, func(o *twin.Options) { o.Servers[0].Build = sp1 })
	f.configured(t, exchange.Build{Major: 8, Build: 685, Revision: 25})
	if out := f.tick(t, "verify"); out.Kind != runbook.Failed || !strings.Contains(out.Message, "not at the target") || out.Remedy == "" || len(out.Evidence) == 0 {
		t.Errorf("before: %+v", out)
	}
	f.configured(t, sp1)
	if err := f.host.StopService(ctx, "MSExchangeMailSubmission"); err != nil {
		t.Fatal(err)
	}
	f.until(t, "the service is stopped", func() bool { return strings.HasPrefix(f.allServices(t)["MSExchangeMailSubmission"], "Stopped") })
	if out := f.tick(t, "verify"); out.Kind != runbook.Again || !strings.Contains(out.Message, "MSExchangeMailSubmission") {
		t.Errorf("with a service stopped: %+v", out)
	}
	s, _ := runbook.Standalone().Step("verify")
	if out := f.step(t, s); out.Kind != runbook.Done || out.Build != sp1.String() {
		t.Errorf("at the end: %+v", out)
	}
	if err := f.host.PutMarker(ctx, windows.Marker{Key: "MailboxRole", Name: "Watermark", Kind: "REG_SZ", Value: "x"}); err != nil {
		t.Fatal(err)
	}
	delete(f.memory, "verify")
	if out := f.tick(t, "verify"); out.Kind != runbook.Failed || !strings.Contains(out.Message, "Watermark") {
		t.Errorf("with a mark: %+v", out)
	}
}

func (f *fixture) until(t *testing.T, what string, claim func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !claim(); pause(context.Background(), 20*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not: %s", what)
		}
	}
}

// allServices are all services with their states and start types.
func (f *fixture) allServices(t *testing.T) map[string]string {
	t.Helper()
	all, err := f.host.Services(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, s := range all {
		out[s.Name] = s.State + " " + s.StartMode
	}
	return out
}
