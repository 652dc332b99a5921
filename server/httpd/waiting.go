package httpd

import (
	"context"
	"fmt"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// waiting is what waits for one person, as the home page lists it and every
// header counts it: servers to decide about first, then waves to approve.
func (s *server) waiting(ctx context.Context, v viewer) ([]page.Waiting, error) {
	var mine []page.Waiting
	decide, err := s.toDecide(ctx, v, 0)
	if err != nil {
		return nil, err
	}
	approve, err := s.toApprove(ctx, v, 0)
	if err != nil {
		return nil, err
	}
	for _, w := range append(decide, approve...) {
		if w.Act != "" {
			mine = append(mine, w)
		}
	}
	return mine, nil
}

// decisions is what one rollout waits for, whoever it is that may decide; only
// what is the viewer's has an act.
func (s *server) decisions(ctx context.Context, v viewer, rollout int64) ([]page.Waiting, error) {
	decide, err := s.toDecide(ctx, v, rollout)
	if err != nil {
		return nil, err
	}
	approve, err := s.toApprove(ctx, v, rollout)
	return append(decide, approve...), err
}

// toDecide lists upgrades that only a person can move on, of one rollout or,
// with 0, of all.
func (s *server) toDecide(ctx context.Context, v viewer, rollout int64) ([]page.Waiting, error) {
	upgrades, err := s.Store.UpgradesToDecide(ctx)
	if err != nil {
		return nil, err
	}
	clock := v.clock(s.Now())
	var list []page.Waiting
	for _, u := range upgrades {
		if rollout != 0 && u.Rollout != rollout {
			continue
		}
		w := page.Waiting{
			State: ui.State{Key: u.State}, Title: "Decide about " + u.Server, Detail: clean(u.PlanName + " · " + u.Message),
			Href: upgradeHref(u.Rollout, u.Server), Since: clock.Moment(u.Since),
		}
		if v.may(auth.Decide) {
			w.Act = "Look and decide"
		}
		list = append(list, w)
	}
	return list, nil
}

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
