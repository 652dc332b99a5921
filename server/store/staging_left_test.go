package store_test

import (
	"testing"

	"wavekeeper/server/rollout"
)

// TestAStagingThatItsUpgradeLeftIsEnded: it would else be on its way for ever,
// and nobody could ask for the medium again.
func TestAStagingThatItsUpgradeLeftIsEnded(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	upgrade := d.view(t).Waves[0].Upgrades[0].ID
	if _, err := d.Store.StagingForUpgrade(t.Context(), lease, upgrade, g.Host.ID, g.Media, g.Folder); err != nil {
		t.Fatal(err)
	}
	d.exec(t, "UPDATE staging SET saved_at = now() - interval '1 hour'")
	state := func() rollout.State {
		t.Helper()
		if _, err := d.Store.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		left, err := d.Store.StagingByID(t.Context(), g.ID)
		if err != nil {
			t.Fatal(err)
		}
		return left.State
	}
	d.exec(t, "UPDATE upgrade SET state = 'running', started_at = now(), due_at = now() WHERE id = $1", upgrade)
	if got := state(); got != rollout.Running {
		t.Errorf("while its upgrade runs it is %s", got)
	}
	d.exec(t, "UPDATE upgrade SET state = 'failed', ended_at = now() WHERE id = $1", upgrade)
	if got := state(); got != rollout.Failed {
		t.Errorf("after its upgrade failed it is %s", got)
	}
}
