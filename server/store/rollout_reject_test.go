package store_test

import (
	"errors"
	"strings"
	"testing"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestRejectedPlanGoesBackWithItsReason: revision and rollout end, decision and
// event name who and why, and a newer revision can be submitted.
func TestRejectedPlanGoesBackWithItsReason(t *testing.T) {
	t.Parallel()
	d := submit(t)
	v := d.view(t)
	if err := d.Store.RejectRevision(t.Context(), d.operator, v.RevisionID, "  "); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("rejecting without a reason: %v, want invalid", err)
	}
	// An approved wave in which nothing started does not stand in the way.
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.RejectRevision(t.Context(), d.operator, v.RevisionID, "no change window"); err != nil {
		t.Fatal(err)
	}
	if got := d.view(t); got.State != rollout.RolloutStopped || !strings.Contains(got.StopReason, "no change window") {
		t.Errorf("rollout is %s (%s), want stopped with the reason", got.State, got.StopReason)
	}
	revision, err := d.Store.RevisionByID(t.Context(), v.RevisionID)
	if err != nil {
		t.Fatal(err)
	}
	if revision.State != rollout.Rejected {
		t.Errorf("revision is %s, want rejected", revision.State)
	}
	lines, err := d.Store.ServerLines(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	upgrades, err := d.Store.UpgradesOfServer(t.Context(), lines[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if lines[0].State != "stopped" || len(upgrades) != 1 || upgrades[0].State != "stopped" || !upgrades[0].Over {
		t.Errorf("%s is shown as %q (%v), want stopped", lines[0].Name, lines[0].State, upgrades)
	}
	entries, err := d.Store.History(t.Context(), store.HistoryFilter{Rollout: d.rollout, Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, e := range entries {
		if e.Kind == "plan.reject" && e.Who == "operator" && e.Reason == "no change window" || e.Kind == store.EventRejected && strings.Contains(e.Text, "operator") {
			found[e.Source] = true
		}
	}
	if !found["a"] || !found["e"] {
		t.Errorf("on the record: %v, want a decision and an event", found)
	}
	if err := d.Store.RejectRevision(t.Context(), d.second, v.RevisionID, "again"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("rejecting twice: %v, want a conflict", err)
	}
	content, err := rollout.ReadPlan(revision.Content)
	if err != nil {
		t.Fatal(err)
	}
	next, err := d.Store.AddRevision(t.Context(), d.lead, revision.PlanID, revision.ID, content)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Store.SubmitRevision(t.Context(), d.lead, next, d.hash, book); err != nil {
		t.Errorf("submitting a newer revision: %v", err)
	}
}

// TestStartedRolloutCannotBeRejected: from the first start on, stopping is what
// is left; nothing is half done by the refusal.
func TestStartedRolloutCannotBeRejected(t *testing.T) {
	t.Parallel()
	d, _ := started(t)
	err := d.Store.RejectRevision(t.Context(), d.second, d.view(t).RevisionID, "too late")
	if !errors.Is(err, rollout.ErrConflict) || !strings.Contains(err.Error(), "begun on 1") {
		t.Errorf("rejecting after the start: %v, want a conflict in words", err)
	}
	if got := d.view(t).State; got != rollout.RolloutRunning {
		t.Errorf("rollout is %s, want running", got)
	}
}
