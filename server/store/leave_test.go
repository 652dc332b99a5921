package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestWhatIsPutBackInVainMayBeLeft: nobody waits two hours for a host that is
// dead, and a tick that comes late changes nothing.
func TestWhatIsPutBackInVainMayBeLeft(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Interrupted)
	if err := d.Store.SkipUpgrade(t.Context(), d.operator, id, store.Skip{Reason: "the host burnt"}, book); err != nil {
		t.Fatal(err)
	}
	leave := store.Skip{Reason: "the host burnt", LeaveAsIs: true}
	stands := func(heard, away, asked string) {
		t.Helper()
		d.exec(t, "UPDATE step SET started_at = clock_timestamp() - interval '30 minutes', memory = jsonb_build_object('jobs.away', $2::text) WHERE upgrade_id = $1 AND name = 'put-back'", id, away)
		d.exec(t, "UPDATE upgrade SET last_heard_at = clock_timestamp() - $2::text::interval, saved_at = clock_timestamp() - $3::text::interval WHERE id = $1", id, heard, asked)
	}
	refused := func(why string) {
		t.Helper()
		if err := d.Store.SkipUpgrade(t.Context(), d.operator, id, leave, book); !errors.Is(err, rollout.ErrConflict) {
			t.Errorf("%s: %v, want a conflict", why, err)
		}
		if silent, err := d.Store.UnwindsInVain(t.Context(), id); err != nil || silent {
			t.Errorf("%s: in vain %t, %v", why, silent, err)
		}
		if waits, err := d.Store.UpgradesToDecide(t.Context()); err != nil || len(waits) != 0 {
			t.Errorf("%s: what waits for a decision is %+v, %v", why, waits, err)
		}
	}
	refused("it was just begun")
	stands("9 minutes", "0", "5 seconds")
	refused("heard nine minutes ago")
	stands("20 minutes", "1000", "5 seconds")
	refused("nobody asked for most of the time")
	stands("20 minutes", "0", "10 minutes")
	refused("nobody asks")
	stands("20 minutes", "0", "5 seconds")
	d.exec(t, "UPDATE upgrade SET unwinding = false, skipping = false WHERE id = $1", id)
	refused("it is not unwound")
	d.exec(t, "UPDATE upgrade SET unwinding = true, skipping = true WHERE id = $1", id)

	tick := d.tick(t, id)
	lease, page := d.hold(t, tick)
	w, _, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
	if err != nil {
		t.Fatal(err)
	}
	waits, err := d.Store.UpgradesToDecide(t.Context())
	if err != nil || len(waits) != 1 || !waits[0].InVain || waits[0].State != "running" {
		t.Errorf("what waits for a decision is %+v, %v", waits, err)
	}
	sweeps := d.jobs(t, "host-sweep")
	if err := d.Store.SkipUpgrade(t.Context(), d.operator, id, leave, book); err != nil {
		t.Fatal(err)
	}
	u := d.upgrade(t, id)
	if u.State != rollout.Skipped || u.EndedAt == nil || u.Ledger[0].RestoredAt == nil || !strings.Contains(u.Ledger[0].Deviation, "left as it is by operator: the host burnt") {
		t.Errorf("%s, ended %v, ledger %+v, want skipped with a deviation by name", u.State, u.EndedAt, u.Ledger)
	}
	if n := d.lastAudit(t, "upgrade.leave"); n != 1 {
		t.Errorf("%d entries say that it was left as it is, want 1", n)
	}
	for _, st := range u.Steps {
		if st.Name == "put-back" && (st.State != rollout.Failed || st.EndedAt == nil) {
			t.Errorf("put-back is %s, want it ended", st.State)
		}
	}
	if n := d.jobs(t, "host-sweep"); n != sweeps+1 {
		t.Errorf("%d looks at its host were asked for, want 1", n-sweeps)
	}

	if err := d.Store.Intend(t.Context(), page, "start service Backup"); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("a late tick intends something: %v, want overtaken", err)
	}
	if err := d.Store.CloseLedger(t.Context(), page, w.Ledger[0].ID, ""); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("a late tick closes the entry: %v, want overtaken", err)
	}
	late := store.TickSave{
		Upgrade: id, Rollout: d.rollout, Generation: tick.Generation, Wave: 1, Server: "CAS1", ServerID: w.ServerID, Host: page.Host,
		From: rollout.Running, To: rollout.Running, Unwinding: true, Step: "put-back", StepFrom: rollout.Running, StepTo: rollout.Running, Show: "put-back", DueAt: time.Now(),
	}
	if err := d.Store.SaveTick(t.Context(), lease, late); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("a late tick is saved: %v, want overtaken", err)
	}
	if err := d.Store.SkipUpgrade(t.Context(), d.operator, id, leave, book); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("left twice: %v, want a conflict", err)
	}
}
