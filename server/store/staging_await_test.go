package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/exchange"
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

// TestAnotherTimeReplacesTheOne: what waits for its time can be asked for again,
// sooner or later, and an approval lets it begin at once.
func TestAnotherTimeReplacesTheOne(t *testing.T) {
	t.Parallel()
	d := submit(t)
	addMedium(t, d.Store, "sp1")
	wave := d.view(t).Waves[0].ID
	ask := func(at time.Time) store.StagingAsked {
		t.Helper()
		asked, err := d.Store.AskStaging(t.Context(), d.operator, store.StagingAsk{Wave: wave, Reason: "x", NotBefore: at})
		if err != nil {
			t.Fatal(err)
		}
		return asked
	}
	far := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	first := ask(far)
	if len(first.Stagings) != 1 {
		t.Fatalf("asked %+v", first)
	}
	awaited := func() string {
		t.Helper()
		s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
		if err != nil {
			t.Fatal(err)
		}
		return s.Upgrades[0].MediaAwaited
	}
	if got := awaited(); !strings.Contains(got, "not before "+far.Format("2006-01-02 15:04 UTC")) {
		t.Errorf("it is held by %q, want the time", got)
	}
	records := func() int { return d.count(t, "SELECT count(*) FROM audit WHERE what = 'media.stage'") }
	had := records()
	if again := ask(far); len(again.Open) != 1 || len(again.Moved) != 0 || records() != had {
		t.Errorf("the same again: %+v, and %d records, want none", again, records()-had)
	}
	near := far.Add(-24 * time.Hour)
	moved := ask(near)
	g, err := d.Store.StagingByID(t.Context(), first.Stagings[0])
	if err != nil || len(moved.Moved) != 1 || len(moved.Stagings) != 0 || !g.NotBefore.Equal(near) || records() != had+1 {
		t.Errorf("sooner: %+v, %+v, %v", moved, g, err)
	}
	if now := ask(time.Time{}); len(now.Moved) != 1 {
		t.Errorf("at once: %+v", now)
	}
	if got := awaited(); got != "The media is asked for on CAS1 and not there yet." {
		t.Errorf("at once it is held by %q", got)
	}
	if now := ask(time.Time{}); len(now.Moved) != 0 || len(now.Open) != 1 {
		t.Errorf("at once, again: %+v", now)
	}
	_, err = d.Store.AskStaging(t.Context(), d.operator, store.StagingAsk{Wave: wave, Reason: "x", NotBefore: time.Now().Add(-time.Hour)})
	if !errors.Is(err, rollout.ErrInvalid) || !strings.Contains(err.Error(), "is over already") {
		t.Errorf("a time that is over: %v", err)
	}
}

func TestWhatAHoldSaysOfMediaIsNotAgainstItself(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	for phase, want := range map[string]string{
		store.PhaseFetch:  "The media is on its way to CAS1: all is right.",
		store.PhaseUnpack: "The media came to CAS1: it is unpacked, and every file of it compared.",
		store.PhaseCheck:  "It is looked whether the media is on CAS1 already.",
	} {
		save := g.Save()
		save.Phase, save.Message = phase, "all is right"
		if err := d.Store.SaveStaging(t.Context(), lease, save); err != nil {
			t.Fatal(err)
		}
		s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
		if err != nil || s.Upgrades[0].MediaAwaited != want {
			t.Errorf("%s: held by %q, %v, want %q", phase, s.Upgrades[0].MediaAwaited, err, want)
		}
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

// TestBothPackagesOfAPlanAreBroughtAhead: an approval brings the second package
// too, and its servers wait for both.
func TestBothPackagesOfAPlanAreBroughtAhead(t *testing.T) {
	t.Parallel()
	d := submit(t)
	both := book
	both.Name = "standalone-service-pack-and-rollup"
	v := d.view(t)
	then, err := exchange.PackageByName("sp1-ru9")
	if err != nil {
		t.Fatal(err)
	}
	plan, _, err := rollout.Make(v.Content.Servers, v.Content.Package, rollout.Options{Then: &then})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := plan.Hash()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.StopRollout(t.Context(), d.operator, d.rollout, "both at once"); err != nil {
		t.Fatal(err)
	}
	_, revision, err := d.Store.CreatePlan(t.Context(), d.lead, "both", plan)
	if err != nil {
		t.Fatal(err)
	}
	if d.rollout, err = d.Store.SubmitRevision(t.Context(), d.lead, revision, hash, both); err != nil {
		t.Fatal(err)
	}
	addMedium(t, d.Store, "sp1")
	second, manifest := medium("ru9")
	second.Package, second.Build = then.Name, then.Target.String()
	if _, err := d.Store.AddMedia(t.Context(), erika, second, manifest, ""); err != nil {
		t.Fatal(err)
	}
	wave := d.view(t).Waves[0]
	asked, err := d.Store.AskStaging(t.Context(), d.operator, store.StagingAsk{Wave: wave.ID, Reason: "x"})
	if err != nil || len(asked.Stagings) != 2 || asked.Hosts != 1 || len(asked.NoMedia) != 0 {
		t.Fatalf("asked %+v, %v: want both packages on one host", asked, err)
	}
	hosts, err := d.Store.WaveStagings(t.Context(), d.rollout, wave.ID)
	if err != nil || len(hosts) != 2 || hosts[0].Package != "sp1" || hosts[1].Package != then.Name {
		t.Fatalf("stand %+v, %v", hosts, err)
	}
	if err := d.Store.CancelStaging(t.Context(), d.operator, hosts[0].Staging.ID, "x"); err != nil {
		t.Fatal(err)
	}
	s, err := d.Store.Snapshot(t.Context(), d.rollout, both)
	if err != nil || s.Upgrades[0].MediaAwaited == "" {
		t.Errorf("its second package is on its way, and nothing is waited for: %v", err)
	}
}
