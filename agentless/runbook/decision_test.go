package runbook_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
)

// decide runs one decision step to its end, as the engine does: nothing of an
// earlier one is remembered.
func (f *fixture) decide(t *testing.T, name string) runbook.Outcome {
	t.Helper()
	s, ok := runbook.Standalone().Decision(name)
	if !ok {
		t.Fatalf("no decision %s", name)
	}
	delete(f.memory, name)
	return f.step(t, s)
}

// marks are the Action and Watermark values on the host.
func (f *fixture) marks(t *testing.T) string {
	t.Helper()
	found, err := f.host.Markers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range found {
		out = append(out, fmt.Sprintf("%s %s %s %q", m.Key, m.Name, m.Kind, m.Value))
	}
	return strings.Join(out, "\n")
}

func kinds(evidence []runbook.Evidence) string {
	var out []string
	seen := map[string]bool{}
	for _, e := range evidence {
		if !seen[e.Kind] {
			seen[e.Kind] = true
			out = append(out, e.Kind)
		}
	}
	return strings.Join(out, " ")
}

func TestAnInterruptionKeepsItsEvidence(t *testing.T) {
	t.Parallel()
	f := interrupted(t)
	out := f.out["setup"]
	for _, kind := range []string{"roles", "registry", "processes", "sessions", "tasks", "folder", "log-tail"} {
		if !strings.Contains(kinds(out.Evidence), kind) {
			t.Errorf("no evidence of kind %s, only %s", kind, kinds(out.Evidence))
		}
	}
	for _, e := range out.Evidence {
		if strings.HasPrefix(string(e.Data), "not read") {
			t.Errorf("%s %s: %s", e.Kind, e.Name, e.Data)
		}
		if e.Kind == "log-tail" && !strings.Contains(string(e.Data), "Starting Microsoft Exchange Server 2007 Setup") {
			t.Errorf("the end of the log: %q", e.Data)
		}
		if strings.Contains(string(e.Data), runasPass) {
			t.Errorf("%s %s holds the password", e.Kind, e.Name)
		}
	}
	if !strings.Contains(out.Message, "started anew") {
		t.Errorf("the restart is not named: %s", out.Message)
	}
	if f.memory["setup"][runbook.RestartedNote] != "yes" {
		t.Error("the step does not remember that Windows was started anew")
	}
}

// TestEvidenceKeepsNoCommandLinesOfOthers: they may hold other people's passwords.
func TestEvidenceKeepsNoCommandLinesOfOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.Speed = 1 })
	ctx, cancel := context.WithCancel(context.Background())
	theirs, err := winrm.New(winrm.Config{Address: f.server.Address, Port: f.server.Port, Account: winrm.Basic(user, password)})
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = windows.New(theirs).Run(ctx, "ping.exe -n 900 127.0.0.1 & rem somebodys-Secret3") // ended by cancel
	}()
	defer func() { cancel(); <-ended }()
	f.until(t, "the other program runs", func() bool {
		all, err := f.host.Processes(ctx)
		return err == nil && slices.ContainsFunc(all, func(p windows.Process) bool { return strings.Contains(p.CommandLine, "somebodys-Secret3") })
	})
	for _, e := range runbook.Collect(ctx, f.work("setup")) {
		if strings.Contains(string(e.Data), "somebodys-Secret3") {
			t.Errorf("%s keeps the command line of a program that is not Setup's", e.Name)
		}
		if e.Kind == "processes" && (!strings.Contains(string(e.Data), "cmd.exe") || !strings.Contains(string(e.Data), "(not kept)")) {
			t.Errorf("processes: %s", e.Data)
		}
	}
}

// TestClearedValuesCanBePutBack has the coordinator die between any two commands.
func TestClearedValuesCanBePutBack(t *testing.T) {
	t.Parallel()
	f := interrupted(t)
	before := f.marks(t)
	if before == "" {
		t.Fatal("Setup left no marks")
	}
	f.kill.on = true
	if out := f.decide(t, runbook.ClearMarkers); out.Kind != runbook.Done || f.marks(t) != "" {
		t.Fatalf("clear: %+v, left %q", out, f.marks(t))
	}
	if got, want := len(f.book.markers), len(strings.Split(before, "\n")); got != want {
		t.Errorf("%d values on record, want %d", got, want)
	}
	if out := f.decide(t, runbook.RestoreMarkers); out.Kind != runbook.Done || f.marks(t) != before || len(f.book.markers) > 0 {
		t.Fatalf("restore: %+v\ngot  %s\nwant %s\non record %v", out, f.marks(t), before, f.book.markers)
	}
	f.kill.on = false
	if out := f.decide(t, runbook.ClearMarkers); out.Kind != runbook.Done {
		t.Fatalf("clear again: %+v", out)
	}
	f.retry("facts")
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	if got := f.journal.count(t, "setup-started"); got != 2 {
		t.Errorf("Setup started %d times, want once an attempt", got)
	}
	f.clean(t)
}

func TestEvidenceComesBeforeTheFirstValueGoes(t *testing.T) {
	t.Parallel()
	f := interrupted(t)
	before := f.marks(t)
	s, _ := runbook.Standalone().Decision(runbook.ClearMarkers)
	w := f.work(s.Name)
	out, err := s.Tick(context.Background(), w)
	if err != nil || out.Kind != runbook.Again || !strings.Contains(kinds(out.Evidence), "registry") || f.marks(t) != before {
		t.Fatalf("first tick: %+v, %v, marks %s", out, err, f.marks(t))
	}
	f.memory[s.Name] = w.Memory
	f.book.refuse = "clear "
	if _, err := s.Tick(context.Background(), f.work(s.Name)); err == nil || f.marks(t) != before {
		t.Errorf("a value went that is not on record: %v", err)
	}
}

func TestNothingIsClearedUnderASetup(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.Speed = 300 })
	f.beginSetup(t, "setup-started")
	for !f.marked(t) {
		pause(context.Background(), 20*time.Millisecond)
	}
	for _, name := range []string{runbook.ClearMarkers, runbook.RestoreMarkers} {
		out := f.decide(t, name)
		if out.Kind != runbook.Failed || !strings.Contains(out.Message, "runs as process") || out.Remedy == "" {
			t.Errorf("%s under a Setup that runs: %+v", name, out)
		}
	}
	if !f.marked(t) || len(f.book.markers) > 0 {
		t.Error("something was cleared")
	}
	if out := f.decide(t, runbook.Look); out.Kind != runbook.Done || !strings.Contains(out.Message, "Setup is at work") {
		t.Errorf("look: %+v", out)
	}
}

func TestARewrittenValueIsNotOverwritten(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := interrupted(t)
	if out := f.decide(t, runbook.ClearMarkers); out.Kind != runbook.Done {
		t.Fatalf("%+v", out)
	}
	newer := windows.Marker{Key: "MailboxRole", Name: "Action", Kind: "REG_SZ", Value: "Install"}
	if err := f.host.PutMarker(ctx, newer); err != nil {
		t.Fatal(err)
	}
	out := f.decide(t, runbook.RestoreMarkers)
	if out.Kind != runbook.Failed || !strings.Contains(out.Message, `MailboxRole\Action is "Install" now`) {
		t.Errorf("%+v", out)
	}
	if got := f.marks(t); !strings.Contains(got, `MailboxRole Action REG_SZ "Install"`) || !strings.Contains(got, "HubTransportRole Action") {
		t.Errorf("marks: %s, want the newer kept and the others back", got)
	}
	if len(f.book.markers) != 1 {
		t.Errorf("on record: %v, want the one that was not put back", f.book.markers)
	}
}

func TestClearingWhatIsNotThereDoesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	if out := f.decide(t, runbook.ClearMarkers); out.Kind != runbook.Done || !strings.Contains(out.Message, "Nothing was cleared") {
		t.Errorf("%+v", out)
	}
	if out := f.decide(t, runbook.RestoreMarkers); out.Kind != runbook.Done || !strings.Contains(out.Message, "Nothing was put back") {
		t.Errorf("%+v", out)
	}
	if len(f.book.intended) > 0 {
		t.Errorf("intended: %v", f.book.intended)
	}
}
