package store_test

import (
	"errors"
	"strings"
	"testing"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestAPersonStopsWaitingForWhatIsOutOfSight: it is unknown at once and no tick
// comes; the server stays this upgrade's; who worked on it has lost it.
func TestAPersonStopsWaitingForWhatIsOutOfSight(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.OutOfSight)
	before := d.tick(t, id)
	if err := d.Store.DoubtUpgrade(t.Context(), d.operator, id, " "); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
	if err := d.Store.DoubtUpgrade(t.Context(), person(t, d.Store, "planner", "planner"), id, "it is dead"); err == nil {
		t.Error("a planner decided it")
	}
	if err := d.Store.DoubtUpgrade(t.Context(), d.operator, id, "it is dead"); err != nil {
		t.Fatal(err)
	}
	u := d.upgrade(t, id)
	if u.State != rollout.Unknown || d.stepOf(t, id, "setup").State != rollout.Unknown || !strings.Contains(u.Message, "it is dead") || u.Remedy == "" {
		t.Errorf("it is %s at %s: %q, %q", u.State, u.Step, u.Message, u.Remedy)
	}
	if d.open(t, id) != 1 {
		t.Error("what is to be put back is not on record any more")
	}
	if _, live, err := d.Store.LoadWork(t.Context(), id, before.Generation); err != nil || live {
		t.Errorf("the tick before is live %t, %v", live, err)
	}
	if n := d.lastAudit(t, "upgrade.doubt"); n != 1 {
		t.Errorf("%d decisions on record, want 1", n)
	}
	var said int
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM event WHERE rollout_id = $1 AND (kind = 'decide' AND text LIKE '%it is dead' OR kind = 'upgrade' AND data ->> 'state' = 'unknown')", d.rollout).Scan(&said); err != nil || said != 2 {
		t.Errorf("%d events, %v, want the decision and the state", said, err)
	}
	if err := d.Store.DoubtUpgrade(t.Context(), d.operator, id, "again"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("a second time: %v, want a conflict", err)
	}
	if err := d.Store.RetryUpgrade(t.Context(), d.operator, id, "a new mainboard", book); err != nil {
		t.Errorf("run again: %v", err)
	}
}

// TestWhatWaitsToBeRunAgainKeepsItsServer: while a Setup may run, or something is
// not put back, the host stays where it is; the upgrade itself may begin.
func TestWhatWaitsToBeRunAgainKeepsItsServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		memory string
		open   bool
		want   bool
	}{
		{"nothing is left", "{}", false, false},
		{"something is not put back", "{}", true, true},
		{"a Setup may run", `{"created": "yes"}`, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, id := broken(t, rollout.Unknown)
			d.exec(t, "UPDATE step SET memory = $2 WHERE upgrade_id = $1 AND name = 'setup'", id, c.memory)
			if !c.open {
				d.exec(t, "UPDATE ledger SET restored_at = now() WHERE upgrade_id = $1", id)
			}
			if err := d.Store.RetryUpgrade(t.Context(), d.operator, id, "again", book); err != nil {
				t.Fatal(err)
			}
			result, err := d.Store.ImportInventory(t.Context(), erika, read(t, "server,roles,address\nCAS1,CAS,127.0.77.9\n"), nil, store.ImportOptions{DryRun: true})
			if err != nil {
				t.Fatal(err)
			}
			if refused := len(result.Faults) == 1 && strings.Contains(result.Faults[0].Want, "while the server is being upgraded"); refused != c.want {
				t.Errorf("another address: %+v, want refused %t", result, c.want)
			}
			on := ""
			if err := d.Store.Pool().QueryRow(t.Context(), "SELECT state FROM upgrade WHERE id = $1", id).Scan(&on); err != nil || on != "waiting" {
				t.Fatal(on, err)
			}
			d.advance(t)
			if u := d.upgrade(t, id); u.State != rollout.Running {
				t.Errorf("it is %s (%v), want it to begin: its own rest keeps it from nothing", u.State, u.Reasons)
			}
		})
	}
}

// TestWhatWaitsInAStoppedRolloutIsListed when something of it may be on the host.
func TestWhatWaitsInAStoppedRolloutIsListed(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Interrupted)
	listed := func() int {
		t.Helper()
		waits, err := d.Store.UpgradesToDecide(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(waits)
	}
	if err := d.Store.RetryUpgrade(t.Context(), d.operator, id, "again", book); err != nil {
		t.Fatal(err)
	}
	if n := listed(); n != 0 {
		t.Errorf("%d wait for a person while it waits for its turn", n)
	}
	if err := d.Store.StopRollout(t.Context(), d.operator, d.rollout, "enough"); err != nil {
		t.Fatal(err)
	}
	if n := listed(); n != 1 {
		t.Errorf("with an open ledger %d wait for a person, want 1", n)
	}
	d.exec(t, "UPDATE ledger SET restored_at = now() WHERE upgrade_id = $1", id)
	if n := listed(); n != 0 {
		t.Errorf("with nothing left %d wait for a person", n)
	}
	d.exec(t, `UPDATE step SET memory = '{"created": "yes"}' WHERE upgrade_id = $1 AND name = 'setup'`, id)
	if n := listed(); n != 1 {
		t.Errorf("with a Setup that may run %d wait for a person, want 1", n)
	}
	if err := d.Store.SkipUpgrade(t.Context(), d.operator, id, store.Skip{Reason: "no"}, book); err != nil {
		t.Errorf("skip: %v", err)
	}
}
