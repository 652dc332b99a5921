package jobs_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/jobs"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// host is the simulated host at the address, seen without the product's engine.
func (w *world) host(t *testing.T, address string) *windows.Host {
	t.Helper()
	conn, err := winrm.New(winrm.Config{Address: address, Port: 5985, Account: winrm.Basic("wk", winrmPassword)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return windows.New(conn)
}

// intents counts what was about to be done.
func (w *world) intents(t *testing.T, what string) int {
	t.Helper()
	return w.said(t, func(e store.Event) bool { return e.Kind == store.EventIntent && strings.HasPrefix(e.Text, what) })
}

func (w *world) said(t *testing.T, is func(store.Event) bool) int {
	t.Helper()
	events, err := w.Store.Events(t.Context(), w.rollout, 0, 10000)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range events {
		if is(e) {
			n++
		}
	}
	return n
}

// frozen is the clock of a process that sleeps once, right after something was
// recorded and before it is done.
type frozen struct {
	mu   sync.Mutex
	when func() bool
	over bool
}

func (f *frozen) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.when != nil && !f.over && f.when() {
		f.over = true
		return time.Now().Add(store.LeaseTTL)
	}
	return time.Now()
}

// TestFrozenProcessDoesNotAct: between the record of an intent and its effect
// the process sleeps for as long as a lease lasts. It does not act any more; the
// intent is recorded again, and then it is done.
func TestFrozenProcessDoesNotAct(t *testing.T) {
	t.Parallel()
	const intent = "disable service BackupAgent"
	clock := &frozen{}
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.3,5985,BackupAgent
`, func(o *jobs.Options) { o.Now = clock.now })
	clock.mu.Lock()
	clock.when = func() bool {
		events, err := w.Store.LatestEvents(context.Background(), w.rollout, 5)
		return err == nil && slices.ContainsFunc(events, func(e store.Event) bool { return e.Kind == store.EventIntent && e.Text == intent })
	}
	clock.mu.Unlock()
	v := w.await(t, "the rollout is done", 90*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	if u := v.Waves[0].Upgrades[0]; u.State != rollout.Done {
		t.Errorf("%s is %s, want done", u.Server, u.State)
	}
	if !clock.over {
		t.Fatal("the process did not sleep")
	}
	if n := w.intents(t, intent); n != 2 {
		t.Errorf("the service was to be disabled %d times, want twice: the first time nothing was sent", n)
	}
}

// TestRefusalWhileSetupRuns: an admin narrows the profile while Setup runs, and
// widens it again. Setup is not taken for failed.
func TestRefusalWhileSetupRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.4,5985,BackupAgent
`)
	ranges := func(ranges ...string) {
		t.Helper()
		if _, err := w.Store.SaveProfile(t.Context(), admin, store.Profile{Name: "default", PlainBasic: true, Ranges: ranges}); err != nil {
			t.Fatal(err)
		}
	}
	w.await(t, "Setup runs", 60*time.Second, func(store.RolloutView) bool { return w.journal.count("CAS1", "setup-started") == 1 })
	ranges("10.0.0.0/8")
	v := w.await(t, "the server is out of sight", 30*time.Second, func(v store.RolloutView) bool {
		return v.Waves[0].Upgrades[0].State == rollout.OutOfSight
	})
	if u := v.Waves[0].Upgrades[0]; u.Unwinding || u.Step != "setup" || !strings.Contains(u.Message, "10.0.0.0/8") || u.Remedy == "" {
		t.Errorf("at %s, unwinding %v: %q, %q; want setup out of sight, with cause and remedy", u.Step, u.Unwinding, u.Message, u.Remedy)
	}
	ranges("127.0.0.0/8")
	v = w.await(t, "the rollout is done", 90*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	if u := v.Waves[0].Upgrades[0]; u.State != rollout.Done || w.journal.count("CAS1", "setup-started") != 1 {
		t.Errorf("%s is %s after %d Setups, want done after one", u.Server, u.State, w.journal.count("CAS1", "setup-started"))
	}
}

// TestInterruptedServerIsSkippedInAStoppedRollout: what Setup and the steps
// before it left is put back and tidied up first.
func TestInterruptedServerIsSkippedInAStoppedRollout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.5,5985,BackupAgent
`)
	w.await(t, "Setup runs", 60*time.Second, func(store.RolloutView) bool { return w.journal.count("CAS1", "setup-started") == 1 })
	if err := w.fleet.PowerLoss("CAS1"); err != nil {
		t.Fatal(err)
	}
	v := w.await(t, "the server is interrupted", 90*time.Second, func(v store.RolloutView) bool {
		return v.Waves[0].Upgrades[0].State == rollout.Interrupted
	})
	id := v.Waves[0].Upgrades[0].ID
	if err := w.Store.StopRollout(t.Context(), w.operator, w.rollout, "enough"); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.SkipUpgrade(t.Context(), w.operator, id, store.Skip{Reason: "its disk is bad"}, w.book); err != nil {
		t.Fatal(err)
	}
	w.await(t, "the server is skipped", 90*time.Second, func(v store.RolloutView) bool { return v.Waves[0].Upgrades[0].State == rollout.Skipped })
	u, err := w.Store.Upgrade(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Ledger) == 0 {
		t.Error("the ledger is empty")
	}
	for _, l := range u.Ledger {
		if l.RestoredAt == nil {
			t.Errorf("%s %s is not put back", l.Kind, l.Name)
		}
	}
	host := w.host(t, "127.0.81.5")
	if folders, err := host.TaskFolders(t.Context()); err != nil || len(folders) != 0 {
		t.Errorf("task folders %v, %v, want none", folders, err)
	}
	services, err := host.Services(t.Context())
	if s, ok := windows.FindService(services, "BackupAgent"); err != nil || !ok || s.StartMode != windows.StartAuto {
		t.Errorf("BackupAgent is %+v, %v, want it to start by itself again", s, err)
	}
	w.noSecrets(t)
}

// TestStartLooksForWhatWasLeft: a program that starts removes what ended
// upgrades left on their hosts, and nothing else.
func TestStartLooksForWhatWasLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.6,5985,BackupAgent
`)
	v, err := w.Store.Rollout(t.Context(), w.rollout)
	if err != nil {
		t.Fatal(err)
	}
	id := v.Waves[0].Upgrades[0].ID
	if _, err := w.Store.Pool().Exec(t.Context(), "UPDATE upgrade SET state = 'failed', started_at = now() WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	installation, err := w.Store.InstallationID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	host := w.host(t, "127.0.81.6")
	left := windows.TaskName(installation, id, "setup", 1)
	unknown := windows.TaskName(installation, id+1000, "setup", 1)
	foreign := windows.TaskName("0badcafe", id, "setup", 1)
	for _, name := range []string{left, unknown, foreign} {
		if err := host.MakeTaskFolder(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	w.coordinate(t)
	var folders []string
	w.await(t, "what was left is gone", 60*time.Second, func(store.RolloutView) bool {
		folders, err = host.TaskFolders(t.Context())
		return err == nil && !slices.Contains(folders, left)
	})
	if !slices.Contains(folders, unknown) || !slices.Contains(folders, foreign) {
		t.Errorf("folders %v, want those of others and of unknown upgrades kept", folders)
	}
	if n := w.intents(t, "remove host task "+left); n != 1 {
		t.Errorf("the removal is on record %d times, want once", n)
	}
}

// TestInterruptedServerIsRetried: the second attempt asks and proves everything
// anew, takes the mark of its own unfinished Setup for no obstacle, and ends.
func TestInterruptedServerIsRetried(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.7,5985,BackupAgent
`)
	w.await(t, "Setup runs", 60*time.Second, func(store.RolloutView) bool { return w.journal.count("CAS1", "setup-started") == 1 })
	if err := w.fleet.PowerLoss("CAS1"); err != nil {
		t.Fatal(err)
	}
	v := w.await(t, "the server is interrupted", 90*time.Second, func(v store.RolloutView) bool {
		return v.Waves[0].Upgrades[0].State == rollout.Interrupted
	})
	if err := w.Store.RetryUpgrade(t.Context(), w.operator, v.Waves[0].Upgrades[0].ID, "power is back", w.book); err != nil {
		t.Fatal(err)
	}
	v = w.await(t, "the rollout is done", 120*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	u := v.Waves[0].Upgrades[0]
	if u.State != rollout.Done || w.journal.count("CAS1", "setup-started") != 2 {
		t.Errorf("%s is %s after %d Setups, want done after one in each attempt", u.Server, u.State, w.journal.count("CAS1", "setup-started"))
	}
	for _, st := range u.Steps {
		if st.Attempt != 2 || st.State != rollout.Done {
			t.Errorf("step %s is %s in attempt %d, want done in the second", st.Name, st.State, st.Attempt)
		}
	}
}
