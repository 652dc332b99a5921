package runbook_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// retry is a person's decision to try again from a step on, as the store does
// it: nothing was unwound, and what the steps remember stays.
func (f *fixture) retry(from string) {
	next, begun := 0, false
	for _, n := range f.attempt {
		next = max(next, n)
	}
	for _, s := range runbook.Standalone().Steps {
		if begun = begun || s.Name == from; begun {
			f.attempt[s.Name] = next + 1
		}
	}
}

// beginSetup walks to Setup of the first attempt and ticks on until the journal
// holds what; its outcome then is lost with all contact.
func (f *fixture) beginSetup(t *testing.T, what string) {
	t.Helper()
	for _, name := range []string{"record", "stop-services"} {
		s, _ := runbook.Standalone().Step(name)
		if out := f.step(t, s); out.Kind != runbook.Done {
			t.Fatalf("%s: %+v", name, out)
		}
	}
	s, _ := runbook.Standalone().Step("setup")
	for range 500 {
		w := f.work("setup")
		out, err := s.Tick(context.Background(), w)
		if err != nil || out.Kind != runbook.Again {
			t.Fatalf("setup: %+v, %v", out, err)
		}
		f.memory["setup"] = w.Memory
		if f.journal.count(t, what) > 0 && (what != "task-created" || w.Memory["created"] != "") {
			return
		}
	}
	t.Fatalf("no %s", what)
}

// late is what a coordinator, or a person, that stalled long ago still sends.
func (f *fixture) late(t *testing.T) {
	t.Helper()
	name, ctx := windows.TaskName("test", 17, "setup", 1), context.Background()
	body, err := windows.SetupBody(windows.TaskFolder(name), `C:\Wavekeeper\media\sp1-en-US-x64\setup.com`, "/mode:Upgrade")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.host.CreateTask(ctx, windows.Task{Name: name, Body: body, Account: runas, Password: runasPass}); err != nil {
		t.Fatal(err)
	}
	if err := f.host.RunTask(ctx, name); err != nil {
		t.Fatal(err)
	}
}

// switches are the two values of the revocation switch as the journal left them.
func (f *fixture) switches(t *testing.T) string {
	t.Helper()
	last := map[string]string{}
	for _, e := range f.journal.entries(t) {
		if key := fmt.Sprint(e.Detail["key"]); e.What == "registry-changed" && strings.Contains(key, "Software Publishing") {
			last[key] = fmt.Sprint(e.Detail["new"])
		}
	}
	var out []string
	for _, v := range last {
		out = append(out, v)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

const asFound = "146432 146432"

// TestALateStartOfAnEarlierAttemptRunsNothing has the coordinator die between
// any two commands of the retry, too.
func TestALateStartOfAnEarlierAttemptRunsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	before := f.services(t)
	f.beginSetup(t, "task-created")
	f.retry("facts")
	f.kill.on = true
	sent := false
	f.lost = func(step string, _ int) bool {
		if step == "setup" && !sent && f.journal.count(t, "setup-started") == 1 {
			sent = true
			f.late(t)
		}
		return false
	}
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	f.kill.on = false
	if got := f.journal.count(t, "setup-started"); got != 1 || !sent {
		t.Errorf("Setup started %d times, want once; the late start was sent: %t", got, sent)
	}
	if after := f.services(t); after != before {
		t.Errorf("services after: %s, before: %s", after, before)
	}
	if got := f.switches(t); got != asFound || len(f.book.deviations) > 0 {
		t.Errorf("revocation switch %s, want %s; deviations: %v", got, asFound, f.book.deviations)
	}
	f.clean(t)
}

func TestASetupOfAnEarlierAttemptIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.Speed = 1000 })
	before := f.services(t)
	f.beginSetup(t, "setup-started")
	stopped := f.services(t)
	f.retry("facts")
	for _, c := range []struct {
		step string
		want runbook.Kind
	}{{"preflight", runbook.OutOfSight}, {"setup", runbook.Again}, {runbook.PutBack, runbook.OutOfSight}} {
		s, _ := runbook.Standalone().Step(c.step)
		out, err := s.Tick(context.Background(), f.work(c.step))
		if err != nil || out.Kind != c.want || !strings.Contains(out.Message, "Setup still runs") {
			t.Errorf("%s under a Setup that runs: %+v, %v", c.step, out, err)
		}
	}
	if got := f.services(t); got != stopped {
		t.Errorf("services under Setup: %s, want %s", got, stopped)
	}
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	if got := f.journal.count(t, "setup-started"); got != 1 {
		t.Errorf("Setup started %d times, want once", got)
	}
	if after := f.services(t); after != before || f.switches(t) != asFound || len(f.book.deviations) > 0 {
		t.Errorf("services after: %s, before: %s; switch %s; deviations: %v", after, before, f.switches(t), f.book.deviations)
	}
	f.clean(t)
}

// marked reports whether Setup has put its mark on a role.
func (f *fixture) marked(t *testing.T) bool {
	t.Helper()
	roles, err := f.host.Roles(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range roles {
		if r.Watermark != "" {
			return true
		}
	}
	return false
}

// interrupted is a host whose power went while Setup of the first attempt ran.
func interrupted(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, nil)
	f.lost = func(step string, _ int) bool {
		if step == "setup" && f.marked(t) {
			f.lost = nil
			if err := f.fleet.PowerLoss("MBX1"); err != nil {
				t.Error(err)
			}
			return true
		}
		return false
	}
	if step, out := f.walk(t, "record"); step != "setup" || out.Kind != runbook.Interrupted {
		t.Fatalf("%s ended %s: %s", step, out.Kind, out.Message)
	}
	return f
}

func TestWhatCannotBePutBackKeepsNothingElseFromIt(t *testing.T) {
	t.Parallel()
	f := interrupted(t)
	f.retry("stop-services")
	expired := false
	f.change = func(w *runbook.Work) {
		if expired {
			w.RunAs.Password = "expired"
		}
	}
	f.lost = func(step string, _ int) bool {
		expired = expired || step == "undrain"
		return false
	}
	if step, out := f.walk(t, "stop-services"); step != "tidy" || out.Kind != runbook.Failed {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	if got := f.out[runbook.PutBack]; got.Kind != runbook.Failed || got.Remedy == "" {
		t.Errorf("put-back: %+v", got)
	}
	if got, want := f.services(t), "ScanMail_Master Running Auto, BackupExecAgentAccelerator Running Auto"; got != want {
		t.Errorf("services %s, want %s", got, want)
	}
	kept, err := f.host.TaskFolders(context.Background())
	if want := windows.TaskName("test", 17, "setup", 1); err != nil || len(kept) != 1 || kept[0] != want {
		t.Errorf("folders kept: %v, %v, want %s", kept, err, want)
	}
	if jobs, err := f.host.RegisteredTasks(context.Background(), `C:\WINDOWS`); err != nil || len(jobs) > 0 {
		t.Errorf("tasks left: %v, %v", jobs, err)
	}
	if open := f.book.open(); len(open) != 2 || len(f.book.deviations) > 0 {
		t.Errorf("open entries %+v, deviations %v, want the revocation switch open", open, f.book.deviations)
	}

	f.change, f.lost = nil, nil
	f.retry("facts")
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("retry ended in %s: %+v", step, out)
	}
	if got := f.switches(t); got != asFound || len(f.book.deviations) > 0 {
		t.Errorf("revocation switch %s, want %s; deviations: %v", got, asFound, f.book.deviations)
	}
	f.clean(t)
}

func TestAnOldValueThatIsNotKnownIsADeviation(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(context.Context, *windows.Host, string) error{
		"the folder is gone": func(context.Context, *windows.Host, string) error { return nil },
		"the task left no value": func(ctx context.Context, h *windows.Host, task string) error {
			if err := h.MakeTaskFolder(ctx, task); err != nil {
				return err
			}
			_, err := h.Run(ctx, `md "`+windows.TaskFolder(task)+`\started"`)
			return err
		},
		"the value is damaged": func(ctx context.Context, h *windows.Host, task string) error {
			if err := h.MakeTaskFolder(ctx, task); err != nil {
				return err
			}
			if _, err := h.Run(ctx, `md "`+windows.TaskFolder(task)+`\started"`); err != nil {
				return err
			}
			for _, file := range []string{"revocation-user.txt", "revocation-system.txt"} {
				if err := h.WriteFile(ctx, windows.TaskFolder(task)+`\`+file, make([]byte, 9)); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, nil), context.Background()
			task := windows.TaskName("test", 17, "setup", 1)
			if err := begin(ctx, f.host, task); err != nil {
				t.Fatal(err)
			}
			for value, file := range map[string]string{"run-as": "revocation-user", "S-1-5-18": "revocation-system"} {
				e := runbook.Entry{Kind: runbook.RevocationEntry, Name: value, Before: map[string]string{"task": task, "file": file}}
				if _, err := f.book.Change(ctx, e); err != nil {
					t.Fatal(err)
				}
			}
			s, _ := runbook.Standalone().Step(runbook.PutBack)
			if out := f.step(t, s); out.Kind != runbook.Done {
				t.Fatalf("put-back: %+v", out)
			}
			if len(f.book.deviations) != 2 || len(f.book.open()) > 0 {
				t.Errorf("deviations %v, open %+v, want two deviations", f.book.deviations, f.book.open())
			}
		})
	}
}

func TestAForeignUnfinishedSetupBlocksEveryAttempt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	if err := f.host.SetString(context.Background(), windows.LocalMachine, `SOFTWARE\Microsoft\Exchange\v8.0\MailboxRole`, "Action", "Install"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if step, out := f.walk(t, "preflight"); step != "preflight" || blockers(out) != "interrupted-setup" {
			t.Errorf("%s ended %s, blockers %q", step, out.Kind, blockers(out))
		}
		f.retry("preflight")
	}
}
