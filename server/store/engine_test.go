package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

func TestAuthorCannotApprove(t *testing.T) {
	t.Parallel()
	d := submit(t)
	wave := d.view(t).Waves[0].ID
	err := d.Store.ApproveWave(t.Context(), d.lead, wave, d.seen(t, wave), "mine", book)
	if !errors.Is(err, rollout.ErrConflict) || !strings.Contains(err.Error(), "You wrote this plan") {
		t.Errorf("the author approves: %v, want a refusal that says so", err)
	}
	err = d.Store.ApproveWave(t.Context(), d.operator, wave, strings.Repeat("0", 64), "other", book)
	if !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("approve what was not shown: %v, want a conflict", err)
	}
	if state := d.view(t).Waves[0].State; state != rollout.WaveWaiting {
		t.Errorf("wave is %s, want waiting", state)
	}
}

func TestOfTwoApprovalsOneWins(t *testing.T) {
	t.Parallel()
	d := submit(t)
	wave := d.view(t).Waves[0].ID
	seen := d.seen(t, wave)
	errs := make(chan error, 2)
	for _, actor := range []store.Actor{d.operator, d.second} {
		go func() { errs <- d.Store.ApproveWave(t.Context(), actor, wave, seen, "go", book) }()
	}
	won, told := 0, 0
	for range 2 {
		switch err := <-errs; {
		case err == nil:
			won++
		case errors.Is(err, rollout.ErrConflict) && strings.Contains(err.Error(), "approved this wave already"):
			told++
		default:
			t.Error(err)
		}
	}
	if won != 1 || told != 1 {
		t.Errorf("%d won and %d were told, want one of each", won, told)
	}
}

func TestChangedContentVoidsTheApproval(t *testing.T) {
	t.Parallel()
	d := submit(t)
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	importCSV(t, d.Store, strings.Replace(twoServers, "127.0.77.1", "127.0.77.9", 1))
	s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range s.Upgrades {
		if u.Server == "CAS1" && (u.Approval != rollout.ApprovalStale || len(u.Changed) == 0) {
			t.Errorf("CAS1's approval is %s (%v), want stale with what changed", u.Approval, u.Changed)
		}
	}
	d.advance(t)
	up := d.view(t).Waves[0].Upgrades[0]
	if up.State != rollout.Held || len(up.Reasons) == 0 {
		t.Errorf("CAS1 is %s (%v), want held", up.State, up.Reasons)
	}
}

func TestChangedRunbookVoidsTheApproval(t *testing.T) {
	t.Parallel()
	d := submit(t)
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	other := book
	other.Version = 2
	s, err := d.Store.Snapshot(t.Context(), d.rollout, other)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Upgrades[0].Approval; got != rollout.ApprovalStale {
		t.Errorf("approval is %s, want stale", got)
	}
}

func TestStaleOwnerCannotWrite(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, taken, err := d.Store.AcquireLeases(t.Context(), "first", tick.Upgrade)
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	if _, taken, err := d.Store.AcquireLeases(t.Context(), "second", tick.Upgrade); err != nil || taken {
		t.Fatalf("a second worker takes a live lease: %v, %v", taken, err)
	}
	w, live, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
	if err != nil || !live {
		t.Fatal(live, err)
	}
	if _, err := d.Store.Pool().Exec(t.Context(), "UPDATE host_lease SET expires_at = clock_timestamp() - interval '1 second'"); err != nil {
		t.Fatal(err)
	}
	next, taken, err := d.Store.AcquireLeases(t.Context(), "second", tick.Upgrade)
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	page := store.Page{Lease: lease, Upgrade: w.ID, Rollout: w.Rollout, Generation: w.Generation, Host: w.Hosts[0].ID, Wave: w.Wave, Server: "CAS1", Step: w.Step, Runbook: book}
	save := store.TickSave{
		Upgrade: w.ID, Rollout: w.Rollout, Generation: w.Generation, Wave: w.Wave, Server: "CAS1", Host: w.Hosts[0].ID,
		From: rollout.Running, To: rollout.Running, Step: w.Step, StepFrom: rollout.Running, StepTo: rollout.Running, Show: w.Step, DueAt: time.Now(),
	}
	if err := d.Store.Intend(t.Context(), page, "start something"); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("the stale owner records an intent: %v, want the lease lost", err)
	}
	if _, err := d.Store.OpenLedger(t.Context(), page, store.LedgerEntry{Kind: "service", Name: "X"}); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("the stale owner opens the ledger: %v, want the lease lost", err)
	}
	if err := d.Store.SaveTick(t.Context(), lease, save); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("the stale owner saves a tick: %v, want the lease lost", err)
	}
	if err := d.Store.RenewLease(t.Context(), lease); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("the stale owner renews: %v, want the lease lost", err)
	}
	if err := d.Store.SaveTick(t.Context(), next, save); err != nil {
		t.Errorf("the new owner saves a tick: %v", err)
	}
	save.Generation--
	if err := d.Store.SaveTick(t.Context(), next, save); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("a tick of an older generation saves: %v, want a conflict", err)
	}
}

func TestSweepPicksUpWhatIsLeftOnce(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Upgrades != 0 {
		t.Fatalf("Sweep = %+v, %v, want nothing: the tick is not late", swept, err)
	}
	if _, err := d.Store.Pool().Exec(t.Context(), "UPDATE upgrade SET due_at = clock_timestamp() - interval '1 minute' WHERE id = $1", tick.Upgrade); err != nil {
		t.Fatal(err)
	}
	lease, _, err := d.Store.AcquireLeases(t.Context(), "worker", tick.Upgrade)
	if err != nil {
		t.Fatal(err)
	}
	if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Upgrades != 0 {
		t.Fatalf("Sweep = %+v, %v, want nothing: somebody works on it", swept, err)
	}
	if err := d.Store.ReleaseLease(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Upgrades != 1 {
		t.Fatalf("Sweep = %+v, %v, want one upgrade", swept, err)
	}
	if now := d.tick(t, tick.Upgrade); now.Generation != tick.Generation+1 {
		t.Errorf("generation %d, want %d", now.Generation, tick.Generation+1)
	}
	if _, live, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation); err != nil || live {
		t.Errorf("the old generation is live: %v, %v", live, err)
	}
}

func TestEventsHaveNoGapUnderConcurrentWriters(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, _, err := d.Store.AcquireLeases(t.Context(), "worker", tick.Upgrade)
	if err != nil {
		t.Fatal(err)
	}
	page := store.Page{Lease: lease, Upgrade: tick.Upgrade, Rollout: d.rollout, Generation: tick.Generation, Wave: 1, Server: "CAS1", Step: "facts", Runbook: book}
	errs := make(chan error, 20)
	for i := range 20 {
		go func() {
			if i%4 == 0 { // one that is refused after its number was taken
				p := page
				p.Generation--
				_ = d.Store.Intend(t.Context(), p, "never")
				errs <- nil
				return
			}
			errs <- d.Store.Intend(t.Context(), page, "something")
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	events, err := d.Store.Events(t.Context(), d.rollout, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Number != int64(i)+1 {
			t.Fatalf("event %d has number %d, want no gap", i+1, e.Number)
		}
	}
	if last := d.view(t).LastEvent; last != int64(len(events)) {
		t.Errorf("last event %d of %d", last, len(events))
	}
}

func TestLedgerKeepsTheStateFoundFirst(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, _, err := d.Store.AcquireLeases(t.Context(), "worker", tick.Upgrade)
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
	if err != nil {
		t.Fatal(err)
	}
	page := store.Page{Lease: lease, Upgrade: w.ID, Rollout: d.rollout, Generation: w.Generation, Host: w.Hosts[0].ID, Wave: 1, Server: "CAS1", Step: "stop-services", Runbook: book}
	entry := store.LedgerEntry{Kind: "service", Name: "Backup", Before: map[string]string{"state": "running"}, Meant: map[string]string{"state": "stopped"}}
	first, err := d.Store.OpenLedger(t.Context(), page, entry)
	if err != nil {
		t.Fatal(err)
	}
	entry.Before = map[string]string{"state": "stopped"} // what a repeated tick finds
	again, err := d.Store.OpenLedger(t.Context(), page, entry)
	if err != nil || again != first {
		t.Fatalf("OpenLedger again = %d, %v, want %d", again, err, first)
	}
	w, _, err = d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
	if err != nil || len(w.Ledger) != 1 || w.Ledger[0].Before["state"] != "running" {
		t.Fatalf("ledger %+v, %v, want one entry found running", w.Ledger, err)
	}
	for range 2 {
		if err := d.Store.CloseLedger(t.Context(), page, first, ""); err != nil {
			t.Fatal(err)
		}
	}
	up, err := d.Store.Upgrade(t.Context(), tick.Upgrade)
	if err != nil || len(up.Ledger) != 1 || up.Ledger[0].RestoredAt == nil {
		t.Errorf("ledger %+v, %v, want it closed", up.Ledger, err)
	}
}

func TestRetryBeginsANewAttempt(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	if err := d.Store.RetryUpgrade(t.Context(), d.operator, tick.Upgrade, "again", book); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("retry while it runs: %v, want a conflict", err)
	}
	for _, statement := range []string{
		"UPDATE step SET state = 'done' WHERE upgrade_id = $1 AND position < 3",
		"UPDATE step SET state = 'failed', memory = '{\"a\":\"b\"}' WHERE upgrade_id = $1 AND position = 3",
		"UPDATE upgrade SET state = 'failed', step = 'setup', unwinding = true WHERE id = $1",
	} {
		if _, err := d.Store.Pool().Exec(t.Context(), statement, tick.Upgrade); err != nil {
			t.Fatal(err)
		}
	}
	d.advance(t)
	if state := d.view(t).Waves[0].State; state != rollout.WaveStopped {
		t.Fatalf("the wave is %s, want stopped by its threshold", state)
	}
	if err := d.Store.RetryUpgrade(t.Context(), d.operator, tick.Upgrade, "disk is free again", book); err != nil {
		t.Fatal(err)
	}
	d.advance(t)
	up, err := d.Store.Upgrade(t.Context(), tick.Upgrade)
	if err != nil {
		t.Fatal(err)
	}
	if up.State != rollout.Running || up.Step != "facts" || up.Attempt != 2 || up.Unwinding {
		t.Errorf("after retry: %s at %s attempt %d (%v), want running at facts attempt 2", up.State, up.Step, up.Attempt, up.Reasons)
	}
	if up.Steps[2].State != rollout.Waiting || up.Steps[2].Attempt != 2 || up.Steps[2].Memory["a"] != "b" {
		t.Errorf("steps %+v, want setup to wait and to remember that it began before", up.Steps)
	}
}

func TestStoppedRolloutStartsNothing(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	if err := d.Store.PauseRollout(t.Context(), d.operator, d.rollout, ""); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("pause without a reason: %v, want it refused", err)
	}
	if err := d.Store.PauseRollout(t.Context(), d.operator, d.rollout, "storm"); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.ResumeRollout(t.Context(), d.operator, d.rollout, ""); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.StopRollout(t.Context(), d.operator, d.rollout, "enough"); err != nil {
		t.Fatal(err)
	}
	if err := d.approve(t, 1); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("approve in a stopped rollout: %v, want a conflict", err)
	}
	if _, live, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation); err != nil || !live {
		t.Errorf("what runs does not come to its end: %v, %v", live, err)
	}
	if n, err := d.Store.VerifyAudit(t.Context()); err != nil || n == 0 {
		t.Errorf("VerifyAudit = %d, %v", n, err)
	}
}
