package store_test

import (
	"net/netip"
	"testing"
	"time"

	"wavekeeper/server/rollout"
)

// TestAStagingThatItsUpgradeLeftIsEnded: it would else be on its way for ever,
// and nobody could ask for the medium again. What its host may fetch ends with it.
func TestAStagingThatItsUpgradeLeftIsEnded(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	upgrade := d.view(t).Waves[0].Upgrades[0].ID
	if _, err := d.Store.StagingForUpgrade(t.Context(), lease, upgrade, g.Host.ID, g.Media, g.Folder); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.Grant(t.Context(), lease, g.ID, sum("a"), []netip.Addr{netip.MustParseAddr("127.0.77.1")}, time.Hour); err != nil {
		t.Fatal(err)
	}
	d.exec(t, "UPDATE staging SET saved_at = now() - interval '1 hour'")
	after := func() (rollout.State, int) {
		t.Helper()
		if _, err := d.Store.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		left, err := d.Store.StagingByID(t.Context(), g.ID)
		if err != nil {
			t.Fatal(err)
		}
		return left.State, grants(t, d)
	}
	d.exec(t, "UPDATE upgrade SET state = 'running', started_at = now(), due_at = now() WHERE id = $1", upgrade)
	if state, kept := after(); state != rollout.Running || kept != 1 {
		t.Errorf("while its upgrade runs it is %s with %d grants", state, kept)
	}
	d.exec(t, "UPDATE upgrade SET state = 'failed', ended_at = now() WHERE id = $1", upgrade)
	if state, kept := after(); state != rollout.Failed || kept != 0 {
		t.Errorf("after its upgrade failed it is %s with %d grants", state, kept)
	}
}

// TestGrantsThatAreOverAreSwept: a token is not kept when it is good for nothing.
func TestGrantsThatAreOverAreSwept(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	if err := d.Store.Grant(t.Context(), lease, g.ID, sum("a"), []netip.Addr{netip.MustParseAddr("127.0.77.1")}, -time.Second); err != nil {
		t.Fatal(err)
	}
	if kept := grants(t, d); kept != 1 {
		t.Fatalf("%d grants", kept)
	}
	if _, err := d.Store.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept := grants(t, d); kept != 0 {
		t.Errorf("%d grants after the sweep", kept)
	}
}

func grants(t *testing.T, d submitted) (kept int) {
	t.Helper()
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM media_grant").Scan(&kept); err != nil {
		t.Fatal(err)
	}
	return kept
}
