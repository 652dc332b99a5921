package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// broken is an upgrade whose Setup began, with a service that it stopped in the
// ledger, in the state; its steps that put back have not run.
func broken(t *testing.T, state rollout.State) (submitted, int64) {
	t.Helper()
	d, tick := started(t)
	lease, page := d.hold(t, tick)
	entry := store.LedgerEntry{Kind: "service", Name: "Backup", Before: map[string]string{"state": "running"}, Meant: map[string]string{"state": "stopped"}}
	if _, err := d.Store.OpenLedger(t.Context(), page, entry); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.ReleaseLease(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	d.exec(t, "UPDATE step SET state = 'done' WHERE upgrade_id = $1 AND position < 3", tick.Upgrade)
	d.exec(t, "UPDATE step SET state = $2 WHERE upgrade_id = $1 AND position = 3", tick.Upgrade, string(state))
	d.exec(t, "UPDATE upgrade SET state = $2, step = 'setup', due_at = CASE WHEN $2 IN ('running', 'out-of-sight') THEN clock_timestamp() END WHERE id = $1", tick.Upgrade, string(state))
	return d, tick.Upgrade
}

func (d submitted) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := d.Store.Pool().Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// hold takes the upgrade's lease for the present tick.
func (d submitted) hold(t *testing.T, tick store.Tick) (store.Lease, store.Page) {
	t.Helper()
	lease, taken, err := d.Store.AcquireLeases(t.Context(), "worker", tick.Upgrade)
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	w, live, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
	if err != nil || !live {
		t.Fatal(live, err)
	}
	return lease, store.Page{Lease: lease, Upgrade: w.ID, Rollout: w.Rollout, Generation: w.Generation, Host: w.Hosts[0].ID, Wave: w.Wave, Server: w.Server.Name, Step: w.Step}
}

func (d submitted) upgrade(t *testing.T, id int64) store.UpgradeView {
	t.Helper()
	u, err := d.Store.Upgrade(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (d submitted) open(t *testing.T, id int64) int {
	t.Helper()
	n := 0
	for _, l := range d.upgrade(t, id).Ledger {
		if l.RestoredAt == nil {
			n++
		}
	}
	return n
}

func TestSkippingWhatHasBegunPutsBackFirst(t *testing.T) {
	t.Parallel()
	for _, state := range []rollout.State{rollout.Interrupted, rollout.Unknown, rollout.Failed} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			d, id := broken(t, state)
			if err := d.Store.StopRollout(t.Context(), d.operator, d.rollout, "enough"); err != nil {
				t.Fatal(err)
			}
			if waiting, err := d.Store.UpgradesToDecide(t.Context()); err != nil || len(waiting) != 1 || waiting[0].Server != "CAS1" {
				t.Errorf("what waits for a decision: %+v, %v, want CAS1 in the stopped rollout", waiting, err)
			}
			if err := d.Store.RetryUpgrade(t.Context(), d.operator, id, "again", book); !errors.Is(err, rollout.ErrConflict) {
				t.Errorf("retry in a stopped rollout: %v, want a conflict", err)
			}
			never := d.view(t).Waves[1].Upgrades[0].ID
			if err := d.Store.SkipUpgrade(t.Context(), d.operator, never, store.Skip{Reason: "not now"}, book); !errors.Is(err, rollout.ErrConflict) {
				t.Errorf("skip what never began in a stopped rollout: %v, want a conflict", err)
			}
			if err := d.Store.SkipUpgrade(t.Context(), d.operator, id, store.Skip{Reason: "the host is scrapped"}, book); err != nil {
				t.Fatal(err)
			}
			if u := d.upgrade(t, id); u.State != rollout.Running || u.Step != "put-back" || !u.Unwinding || u.Attempt != 2 {
				t.Fatalf("after skip: %s at %s, attempt %d, unwinding %v, want put-back to run", u.State, u.Step, u.Attempt, u.Unwinding)
			}

			tick := d.tick(t, id)
			lease, page := d.hold(t, tick)
			w, _, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
			if err != nil || !w.Skipping || len(w.Ledger) != 1 {
				t.Fatalf("work %+v, %v, want it to end as skipped, with one open entry", w, err)
			}
			save := store.TickSave{
				Upgrade: id, Rollout: d.rollout, Generation: tick.Generation, Wave: 1, Server: "CAS1", ServerID: w.ServerID, Host: page.Host,
				From: rollout.Running, To: rollout.Skipped, Unwinding: true, Message: w.Message, Step: "put-back", StepFrom: rollout.Running, StepTo: rollout.Done, Show: "setup",
			}
			if err := d.Store.SaveTick(t.Context(), lease, save); !errors.Is(err, rollout.ErrConflict) {
				t.Errorf("skipped with an open ledger: %v, want it refused", err)
			}
			if err := d.Store.CloseLedger(t.Context(), page, w.Ledger[0].ID, ""); err != nil {
				t.Fatal(err)
			}
			if err := d.Store.SaveTick(t.Context(), lease, save); err != nil {
				t.Fatal(err)
			}
			if u := d.upgrade(t, id); u.State != rollout.Skipped || u.EndedAt == nil || d.open(t, id) != 0 || u.Message != "Skipped: the host is scrapped" {
				t.Errorf("%s %q, ended %v, %d open entries, want skipped and nothing open", u.State, u.Message, u.EndedAt, d.open(t, id))
			}
			if got := d.jobs(t, "host-sweep"); got != 1 {
				t.Errorf("%d looks at the host are asked for, want one", got)
			}
		})
	}
}

func (d submitted) jobs(t *testing.T, kind string) int {
	t.Helper()
	var n int
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE kind = $1", kind).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOnlyASkipEndsAsSkipped(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, page := d.hold(t, tick)
	save := store.TickSave{
		Upgrade: tick.Upgrade, Rollout: d.rollout, Generation: tick.Generation, Wave: 1, Server: "CAS1", Host: page.Host,
		From: rollout.Running, To: rollout.Skipped, Unwinding: true, Step: page.Step, StepFrom: rollout.Running, StepTo: rollout.Done, Show: page.Step,
	}
	if err := d.Store.SaveTick(t.Context(), lease, save); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("a tick skips what nobody skipped: %v, want it refused", err)
	}
	if u := d.upgrade(t, tick.Upgrade); u.State != rollout.Running {
		t.Errorf("the upgrade is %s, want running", u.State)
	}
}

func TestWhatWasPutBackIsSkippedAtOnce(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	d.exec(t, "UPDATE step SET state = CASE name WHEN 'facts' THEN 'failed' WHEN 'put-back' THEN 'done' ELSE state END WHERE upgrade_id = $1", tick.Upgrade)
	d.exec(t, "UPDATE upgrade SET state = 'failed', unwinding = true, due_at = NULL WHERE id = $1", tick.Upgrade)
	if err := d.Store.SkipUpgrade(t.Context(), d.operator, tick.Upgrade, store.Skip{Reason: "later"}, book); err != nil {
		t.Fatal(err)
	}
	if u := d.upgrade(t, tick.Upgrade); u.State != rollout.Skipped {
		t.Errorf("the upgrade is %s, want skipped", u.State)
	}
	never := d.view(t).Waves[1].Upgrades[0].ID
	if err := d.Store.SkipUpgrade(t.Context(), d.operator, never, store.Skip{Reason: "later"}, book); err != nil {
		t.Fatal(err)
	}
	if u := d.upgrade(t, never); u.State != rollout.Skipped {
		t.Errorf("what never began is %s, want skipped", u.State)
	}
}

func TestWhatCannotBePutBackIsTakenOnByName(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Failed)
	leave := store.Skip{Reason: "the host burnt", LeaveAsIs: true}
	if err := d.Store.SkipUpgrade(t.Context(), d.operator, id, leave, book); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("left as it is before putting back was tried: %v, want a conflict", err)
	}
	d.exec(t, "UPDATE step SET state = 'failed' WHERE upgrade_id = $1 AND name = 'put-back'", id)
	if err := d.Store.SkipUpgrade(t.Context(), d.operator, id, leave, book); err != nil {
		t.Fatal(err)
	}
	u := d.upgrade(t, id)
	if u.State != rollout.Skipped || len(u.Ledger) != 1 || u.Ledger[0].RestoredAt == nil || !strings.Contains(u.Ledger[0].Deviation, "operator: the host burnt") {
		t.Errorf("%s, ledger %+v, want skipped with a deviation that names who took it on", u.State, u.Ledger)
	}
	if left, skipped := d.lastAudit(t, "upgrade.leave"), d.lastAudit(t, "upgrade.skip"); left != 1 || skipped != 0 {
		t.Errorf("%d entries of leaving, %d of skipping, want one that it was left as it is", left, skipped)
	}
}

func TestResumedWaveIsNotStoppedByWhatFailedBefore(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Failed)
	d.advance(t)
	if state := d.view(t).Waves[0].State; state != rollout.WaveStopped {
		t.Fatalf("the wave is %s, want stopped by its threshold", state)
	}
	if err := d.Store.ResumeWave(t.Context(), d.operator, d.view(t).Waves[0].ID, "the others are sound"); err != nil {
		t.Fatal(err)
	}
	d.advance(t)
	if state := d.view(t).Waves[0].State; state != rollout.WaveRunning {
		t.Errorf("the wave is %s, want running", state)
	}
	if err := d.Store.RetryUpgrade(t.Context(), d.operator, id, "again", book); err != nil {
		t.Fatal(err)
	}
	d.exec(t, "UPDATE upgrade SET state = 'failed' WHERE id = $1", id)
	d.advance(t)
	if state := d.view(t).Waves[0].State; state != rollout.WaveStopped {
		t.Errorf("after it failed again the wave is %s, want stopped", state)
	}
}

// TestTicksAskTheStateTables: a move that only a person may make is an error
// that does not pass for a tick that was overtaken.
func TestTicksAskTheStateTables(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, page := d.hold(t, tick)
	save := store.TickSave{
		Upgrade: tick.Upgrade, Rollout: d.rollout, Generation: tick.Generation, Wave: 1, Server: "CAS1", Host: page.Host,
		From: rollout.Running, To: rollout.Running, Step: page.Step, StepFrom: rollout.Running, StepTo: rollout.Running, Show: page.Step, DueAt: time.Now(),
	}
	for _, c := range []struct{ upgrade, step rollout.State }{{rollout.Waiting, rollout.Running}, {rollout.Paused, rollout.Running}, {rollout.Running, rollout.Waiting}} {
		wrong := save
		wrong.To, wrong.StepTo = c.upgrade, c.step
		if err := d.Store.SaveTick(t.Context(), lease, wrong); err == nil || errors.Is(err, store.ErrOvertaken) {
			t.Errorf("a tick saves %s, step %s: %v, want an error", c.upgrade, c.step, err)
		}
	}
	old := save
	old.Generation--
	if err := d.Store.SaveTick(t.Context(), lease, old); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("a tick of an older generation: %v, want overtaken", err)
	}
	if err := d.Store.SaveTick(t.Context(), lease, save); err != nil {
		t.Error(err)
	}
}

// TestLeaseIsOverBeforeItRunsOut: who was frozen is told before it acts, by
// either clock.
func TestLeaseIsOverBeforeItRunsOut(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, _ := d.hold(t, tick)
	now := time.Now()
	for _, c := range []struct {
		name  string
		at    time.Time
		lasts bool
	}{
		{"at once", now, true},
		{"in the middle", now.Add(store.LeaseTTL / 2), true},
		{"too late for a request to arrive in time", now.Add(store.LeaseTTL - time.Second), false},
		{"after its end", now.Add(store.LeaseTTL), false},
		{"by the clock on the wall", now.Round(0).Add(store.LeaseTTL), false},
	} {
		if err := lease.Lasts(c.at); (err == nil) != c.lasts || err != nil && !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("%s: %v, want it good: %v", c.name, err, c.lasts)
		}
	}
	if err := (store.Lease{}).Lasts(now); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("no lease: %v, want lost", err)
	}
	if err := d.Store.RenewLease(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if err := lease.Lasts(now.Add(store.LeaseTTL - 3*time.Second)); err != nil {
		t.Errorf("after it was renewed: %v", err)
	}
}

// TestTickAndImportLockInOneOrder: the end of an upgrade writes the server and
// its host as an import does, the server first.
func TestTickAndImportLockInOneOrder(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, page := d.hold(t, tick)
	w, _, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
	if err != nil {
		t.Fatal(err)
	}
	save := store.TickSave{
		Upgrade: w.ID, Rollout: w.Rollout, Generation: w.Generation, Wave: 1, Server: "CAS1", ServerID: w.ServerID, Host: page.Host,
		From: rollout.Running, To: rollout.Done, Build: "8.1.240.6", Step: w.Step, StepFrom: rollout.Running, StepTo: rollout.Done, Show: w.Step,
		Facts: []store.Fact{{Name: "roles", Value: []byte(`{}`), Source: "test", At: time.Now()}},
	}
	importing, err := d.Store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = importing.Rollback(t.Context()) }() // after a commit there is nothing to roll back
	if _, err := importing.Exec(t.Context(), "SELECT 1 FROM server WHERE id = $1 FOR UPDATE", w.ServerID); err != nil {
		t.Fatal(err)
	}
	saved := make(chan error, 1)
	go func() { saved <- d.Store.SaveTick(t.Context(), lease, save) }()
	for waits := false; !waits; {
		if err := d.Store.Pool().QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')").Scan(&waits); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-saved:
			t.Fatalf("the tick did not wait for the import: %v", err)
		default:
		}
	}
	if _, err := importing.Exec(t.Context(), "UPDATE host SET port = port WHERE id = $1", page.Host); err != nil {
		t.Fatalf("the import: %v", err)
	}
	if err := importing.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-saved; err != nil {
		t.Errorf("the tick: %v", err)
	}
}

// TestTasksOfEndedUpgradesMayGo: what is in work, waits or is to be put back
// keeps its tasks; removing one is on record before.
func TestTasksOfEndedUpgradesMayGo(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Failed)
	if n, err := d.Store.AskHostSweeps(t.Context()); err != nil || n != 1 || d.jobs(t, "host-sweep") != 1 {
		t.Errorf("AskHostSweeps = %d, %v, want the one host where an upgrade began", n, err)
	}
	var host int64
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT h.id FROM host h WHERE h.name = 'CAS1'").Scan(&host); err != nil {
		t.Fatal(err)
	}
	lease, taken, err := d.Store.AcquireHost(t.Context(), "sweeper", host)
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	if _, taken, err := d.Store.AcquireLeases(t.Context(), "worker", id); err != nil || taken {
		t.Errorf("a tick takes a host that is swept: %v, %v", taken, err)
	}
	may := func(upgrade int64) bool {
		t.Helper()
		may, err := d.Store.IntendRemoval(t.Context(), lease, upgrade, "wk-x-u1-setup-a1")
		if err != nil {
			t.Fatal(err)
		}
		return may
	}
	if may(id) {
		t.Error("an upgrade with an open ledger loses its task")
	}
	d.exec(t, "UPDATE ledger SET restored_at = now()")
	for _, state := range []string{"waiting", "held", "running", "paused", "out-of-sight", "interrupted", "unknown"} {
		d.exec(t, "UPDATE upgrade SET state = $2, due_at = now() WHERE id = $1", id, state)
		if may(id) {
			t.Errorf("an upgrade that is %s loses its task", state)
		}
	}
	if may(id + 1000) {
		t.Error("an upgrade that is not known loses its task")
	}
	before := d.view(t).LastEvent
	for i, state := range []string{"failed", "skipped"} {
		d.exec(t, "UPDATE upgrade SET state = $2, due_at = now() WHERE id = $1", id, state)
		if !may(id) || d.view(t).LastEvent != before+int64(i)+1 {
			t.Errorf("an upgrade that is %s keeps its task, or its removal is not on record", state)
		}
	}
}

// TestTicksGoByTheDatabasesClock: processes with clocks of their own take turns.
func TestTicksGoByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	var before, after time.Time
	ask := func(at *time.Time) {
		t.Helper()
		if err := d.Store.Pool().QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(at); err != nil {
			t.Fatal(err)
		}
	}
	ask(&before)
	w, live, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
	if err != nil || !live {
		t.Fatal(live, err)
	}
	ask(&after)
	if w.Now.Before(before) || w.Now.After(after) {
		t.Errorf("the work is of %s, want between %s and %s", w.Now, before, after)
	}
}

// TestOnlyWhatTheTableAllowsIsSuperseded: a revision that was superseded already
// is not moved once more by the submission of a newer one.
func TestOnlyWhatTheTableAllowsIsSuperseded(t *testing.T) {
	t.Parallel()
	d := submit(t)
	var plan, first int64
	var content []byte
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT plan_id, id, content FROM revision").Scan(&plan, &first, &content); err != nil {
		t.Fatal(err)
	}
	next, err := rollout.ReadPlan(content)
	if err != nil {
		t.Fatal(err)
	}
	next.Policy.AtOnce = 1
	hash, err := next.Hash()
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.Store.AddRevision(t.Context(), d.lead, plan, first, next)
	if err != nil {
		t.Fatal(err)
	}
	d.exec(t, "UPDATE revision SET state = 'superseded' WHERE id = $1", first)
	if _, err := d.Store.SubmitRevision(t.Context(), d.lead, second, hash, book); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("submit: %v, want a conflict", err)
	}
	if state := d.view(t).State; state != rollout.RolloutWaiting {
		t.Errorf("the rollout is %s, want nothing of it done", state)
	}
}
