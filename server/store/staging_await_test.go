package store_test

import (
	"strings"
	"testing"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestWhatAFailedStagingTellsToDoIsPossible: a hold that only tells what nobody
// can do keeps its server for ever.
func TestWhatAFailedStagingTellsToDoIsPossible(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	awaited := func() string {
		t.Helper()
		s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
		if err != nil {
			t.Fatal(err)
		}
		return s.Upgrades[0].MediaAwaited
	}
	if got := awaited(); !strings.HasPrefix(got, "The media is on its way to CAS1") {
		t.Errorf("while it is fetched: %q", got)
	}
	failed := g.Save()
	failed.To, failed.Message = rollout.Failed, "no room"
	if err := d.Store.SaveStaging(t.Context(), lease, failed); err != nil {
		t.Fatal(err)
	}
	if got, want := awaited(), "The media did not come to CAS1: no room. Cure that and ask for it again: it goes on from what came. Or cancel it (on the wave's page, or wavekeeper media cancel): then the upgrade brings it as its own step."; got != want {
		t.Errorf("after it failed: %q, want %q", got, want)
	}
	asked, err := d.Store.AskStaging(t.Context(), d.operator, store.StagingAsk{Wave: d.view(t).Waves[0].ID, Reason: "there is room now"})
	if err != nil || len(asked.Stagings) != 1 {
		t.Fatalf("asked again: %+v, %v", asked, err)
	}
	if err := d.Store.CancelStaging(t.Context(), d.operator, g.ID, "x"); err == nil {
		t.Error("a failure of the past was cancelled")
	}
	if got := awaited(); got != "The media is asked for on CAS1 and not there yet." {
		t.Errorf("asked for again: %q", got)
	}
	if err := d.Store.CancelStaging(t.Context(), d.operator, asked.Stagings[0], "the upgrade fetches it"); err != nil {
		t.Fatal(err)
	}
	if got := awaited(); got != "" {
		t.Errorf("cancelled: %q, want the upgrade's own step to bring it", got)
	}
}

func TestAFailedStagingIsCancelled(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	failed := g.Save()
	failed.To, failed.Message = rollout.Failed, "no room"
	if err := d.Store.SaveStaging(t.Context(), lease, failed); err != nil {
		t.Fatal(err)
	}
	var before, after int64
	generation := func(to *int64) {
		t.Helper()
		if err := d.Store.Pool().QueryRow(t.Context(), "SELECT generation FROM rollout WHERE id = $1", d.rollout).Scan(to); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Store.Pool().Exec(t.Context(), "UPDATE rollout SET state = 'running', due_at = now() + interval '1 hour' WHERE id = $1", d.rollout); err != nil {
		t.Fatal(err)
	}
	generation(&before)
	if err := d.Store.CancelStaging(t.Context(), d.operator, g.ID, "the upgrade fetches it"); err != nil {
		t.Fatal(err)
	}
	s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
	if err != nil || s.Upgrades[0].MediaAwaited != "" {
		t.Errorf("cancelled: %q, %v, want the upgrade's own step to bring it", s.Upgrades[0].MediaAwaited, err)
	}
	if generation(&after); after == before {
		t.Error("the rollout that waited was not asked to go on")
	}
	if err := d.Store.CancelStaging(t.Context(), d.operator, g.ID, "x"); err == nil {
		t.Error("it was cancelled twice")
	}
}
