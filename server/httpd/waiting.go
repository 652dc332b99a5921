package httpd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// waiting is what waits for one person, as the home page lists it and every
// header counts it: servers in trouble first, then those that are silent or not
// as they were, then waves to approve.
func (s *server) waiting(ctx context.Context, v viewer) ([]page.Waiting, error) {
	all, err := s.decisions(ctx, v, 0)
	if err != nil {
		return nil, err
	}
	var mine []page.Waiting
	for _, w := range all {
		if w.Act != "" {
			mine = append(mine, w)
		}
	}
	return mine, nil
}

// decisions is what one rollout waits for or, with 0, all of them, whoever it is
// that may decide; only what is the viewer's has an act.
func (s *server) decisions(ctx context.Context, v viewer, rollout int64) ([]page.Waiting, error) {
	decide, err := s.toDecide(ctx, v, rollout)
	if err != nil {
		return nil, err
	}
	silent, err := s.toLookAt(ctx, v, rollout)
	if err != nil {
		return nil, err
	}
	bring, err := s.toBring(ctx, v, rollout)
	if err != nil {
		return nil, err
	}
	approve, err := s.toApprove(ctx, v, rollout)
	if err != nil || rollout != 0 {
		return slices.Concat(decide, bring, silent, approve), err
	}
	access, err := s.toLetIn(ctx, v)
	if err != nil {
		return nil, err
	}
	accept, err := s.toAccept(ctx, v)
	if err != nil {
		return nil, err
	}
	confirm, err := s.toConfirm(ctx, v)
	return slices.Concat(decide, bring, silent, access, approve, accept, confirm), err
}

// toConfirm lists facts of the organization that a second person confirms, for
// they would release servers.
func (s *server) toConfirm(ctx context.Context, v viewer) ([]page.Waiting, error) {
	wishes, err := s.Store.OrganizationWishes(ctx)
	if err != nil {
		return nil, err
	}
	clock := v.clock(s.Now())
	var list []page.Waiting
	for _, w := range wishes {
		one := page.Waiting{
			State: ui.State{Key: "waiting"}, Title: "Confirm a fact of the organization: " + brief(wishWords(w)),
			Detail: clean(fmt.Sprintf("it would release servers that are held · asked for by %s: %s", w.AskedBy, brief(w.Reason))), Href: "/organization#wishes", Since: clock.Moment(w.AskedAt),
		}
		if v.may(auth.Approve) && w.AskedByID != v.ID {
			one.Act = "Look and decide"
		}
		list = append(list, one)
	}
	return list, nil
}

// toDecide lists upgrades in trouble, and those on whose hosts something is not
// as it was, of one rollout or, with 0, of all.
func (s *server) toDecide(ctx context.Context, v viewer, only int64) ([]page.Waiting, error) {
	upgrades, err := s.Store.UpgradesToDecide(ctx)
	if err != nil {
		return nil, err
	}
	deviations, err := s.Store.Deviations(ctx)
	if err != nil {
		return nil, err
	}
	open := map[int64][]store.Deviation{}
	var order []int64
	for _, d := range deviations {
		if !d.Open {
			continue
		}
		if len(open[d.Upgrade]) == 0 {
			order = append(order, d.Upgrade)
		}
		open[d.Upgrade] = append(open[d.Upgrade], d)
	}
	clock := v.clock(s.Now())
	var list []page.Waiting
	for _, u := range upgrades {
		left := open[u.Upgrade]
		delete(open, u.Upgrade)
		if only != 0 && u.Rollout != only {
			continue
		}
		list = append(list, s.troubleWaits(v, u, left, clock))
	}
	for _, id := range order {
		left := open[id]
		if len(left) == 0 || only != 0 && left[0].Rollout != only {
			continue
		}
		d := left[0]
		w := page.Waiting{
			State: ui.State{Key: "warning"}, Title: d.Server + ": " + ui.Count(len(left), "thing is", "things are") + " not put back", Detail: clean(d.PlanName + " · " + deviationNames(left)),
			Href: upgradeHref(d.Rollout, d.Server) + "#ledger", Since: clock.Moment(d.Since),
		}
		if v.may(auth.Decide) {
			w.Act = "Look at it"
		}
		list = append(list, w)
	}
	return list, nil
}

// troubleWaits is one upgrade in trouble, with the pages on which it is decided.
func (s *server) troubleWaits(v viewer, u store.UpgradeToDecide, left []store.Deviation, clock ui.Clock) page.Waiting {
	href := upgradeHref(u.Rollout, u.Server)
	w := page.Waiting{
		State: ui.State{Key: u.State}, Title: "Decide about " + u.Server, Detail: clean(u.PlanName + " · " + brief(u.Message)), Href: href + "#trouble", Since: clock.Moment(u.Since),
	}
	if len(left) > 0 {
		w.Detail += " · not put back: " + deviationNames(left)
	}
	if u.Decision != "" {
		w.State.Note = "decision under way"
		w.Title = u.Server + " is asked by a decision of " + orDash(u.DecidedBy)
		return w // nothing to decide before that has ended
	}
	state := rollout.State(u.State)
	if state == rollout.OutOfSight {
		w.Title = u.Server + " is out of sight"
	}
	if u.InVain {
		w.State.Note = "host silent"
		w.Title = u.Server + " does not answer: what was changed on it is not put back"
	}
	if state == rollout.Waiting || state == rollout.Held {
		w.Detail = clean(u.PlanName) + " · the rollout ended before it was run again, and what was begun may still be on the host: skip it, and what was changed is put back"
		if len(left) > 0 {
			w.Detail += " · not put back: " + deviationNames(left)
		}
	}
	if !v.may(auth.Decide) {
		return w
	}
	w.Act = "Look and decide"
	link := func(allowed bool, verb, text string) {
		if allowed {
			w.Links = append(w.Links, ui.Link{Href: href + "/" + verb, Text: text})
		}
	}
	link(s.has(u.Runbook, rollout.DecideLook) && state.MayDecide(rollout.DecideLook), "look", "Look again")
	link(state.MayDoubt(), "doubt", stopWaiting)
	link(!u.Ended && rollout.UpgradeTable.Allows(state, rollout.Retry), "retry", "Run again")
	link(s.verifies(u.Runbook) && state.MayVerify() && (state.Broken() || !u.Ended), "verify", "Mark repaired and verify")
	link(state.MaySkip(), "skip", "Skip")
	link(u.InVain, "skip?leave=yes", "Skip and leave as it is")
	return w
}

// brief is the beginning of a text, for a list; its whole is on the page behind.
func brief(text string) string {
	const most = 160
	if runes := []rune(text); len(runes) > most {
		return strings.TrimRight(string(runes[:most]), " ,;:") + " …"
	}
	return text
}

func deviationNames(left []store.Deviation) string {
	var names []string
	for _, d := range left {
		names = append(names, store.LedgerThing(d.Kind, d.Name))
	}
	return ui.List(names, 3)
}

// toLookAt lists upgrades that give no sign of getting on. Nothing has to be
// decided about them; a person may want to look.
func (s *server) toLookAt(ctx context.Context, v viewer, rollout int64) ([]page.Waiting, error) {
	silent, err := s.Store.SilentUpgrades(ctx)
	if err != nil {
		return nil, err
	}
	clock := v.clock(s.Now())
	var list []page.Waiting
	for _, u := range silent {
		if rollout != 0 && u.Rollout != rollout {
			continue
		}
		since := u.Silent
		if u.Output != nil {
			since = *u.Output
		}
		w := page.Waiting{
			State: ui.State{Key: "running", Note: "silent"}, Title: u.Server + " has been silent for " + ui.Duration(clock.Now.Sub(since)),
			Detail: clean(u.PlanName + " · " + s.stepWords(u.Runbook, u.Step) + " · nothing is interrupted by that"), Href: upgradeHref(u.Rollout, u.Server), Since: clock.Moment(since),
		}
		if v.may(auth.Decide) {
			w.Act = "Look at it"
		}
		list = append(list, w)
	}
	return list, nil
}

// toBring lists waves that wait for media which did not come, of one rollout or,
// with 0, of all: on a wave's page they are asked for again, or cancelled.
func (s *server) toBring(ctx context.Context, v viewer, only int64) ([]page.Waiting, error) {
	failed, err := s.Store.MediaFailed(ctx)
	if err != nil {
		return nil, err
	}
	clock := v.clock(s.Now())
	var list []page.Waiting
	for len(failed) > 0 {
		first, n := failed[0], 1
		hosts := []string{first.Host}
		for ; n < len(failed) && failed[n].Rollout == first.Rollout && failed[n].Wave == first.Wave; n++ {
			hosts = append(hosts, failed[n].Host)
		}
		failed = failed[n:]
		if only != 0 && first.Rollout != only {
			continue
		}
		w := page.Waiting{
			State: ui.State{Key: "failed"}, Title: "The media did not come to " + ui.List(slices.Compact(hosts), 3),
			Detail: clean(fmt.Sprintf("%s · wave %d · %s", first.PlanName, first.Wave, brief(first.Message))), Href: mediaOfWave(first.Rollout, first.Wave), Since: clock.Moment(first.Since),
		}
		if v.may(auth.Stage) {
			w.Act = "Look and ask again"
		}
		list = append(list, w)
	}
	return list, nil
}

// mediaOfWave is where media of a wave are asked for and cancelled.
func mediaOfWave(rollout int64, wave int) string { return waveHref(rollout, wave) + "#wave-media" }

// toApprove lists the next wave without an approval, of one rollout or, with 0,
// of each that has not ended.
func (s *server) toApprove(ctx context.Context, v viewer, rollout int64) ([]page.Waiting, error) {
	waves, err := s.Store.WavesToApprove(ctx)
	if err != nil {
		return nil, err
	}
	clock := v.clock(s.Now())
	var list []page.Waiting
	for _, w := range waves {
		if rollout != 0 && w.Rollout != rollout {
			continue
		}
		one := page.Waiting{
			State: ui.State{Key: "waiting"}, Title: fmt.Sprintf("Approve wave %d: %s", w.Wave, ui.Count(w.Servers, "server", "servers")),
			Detail: w.PlanName + " · " + packageWords(w.Package) + " · planned by " + w.By, Href: waveHref(w.Rollout, w.Wave), Since: clock.Moment(w.Since),
		}
		if w.Again {
			one.State = ui.State{Key: "warning"}
			one.Title = fmt.Sprintf("Approve wave %d again: what was approved changed", w.Wave)
		}
		if v.may(auth.Approve) && !v.authorOf(w) {
			one.Act = "Look and approve"
		}
		list = append(list, one)
	}
	return list, nil
}

// authorOf reports whether somebody else has to approve.
func (v viewer) authorOf(w store.WaveToApprove) bool {
	return v.ID == w.Author || v.ID == w.Submitter || v.ID == w.Editor
}

func packageWords(name string) string {
	if p, err := exchange.PackageByName(name); err == nil {
		return p.Words
	}
	return name
}

func rolloutHref(id int64) string { return fmt.Sprintf("/rollouts/%d", id) }

func waveHref(rollout int64, wave int) string {
	return fmt.Sprintf("/rollouts/%d/waves/%d", rollout, wave)
}

func upgradeHref(rollout int64, server string) string {
	return fmt.Sprintf("/rollouts/%d/upgrades/%s", rollout, server)
}

func serverHref(name string) string { return "/servers/" + name }

func planHref(id int64) string { return fmt.Sprintf("/plans/%d", id) }
