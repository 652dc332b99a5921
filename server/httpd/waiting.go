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
	return s.waitingIn(ctx, v, 0)
}

// waitingIn is what waits for one person in one rollout; 0 = in all.
func (s *server) waitingIn(ctx context.Context, v viewer, rollout int64) ([]page.Waiting, error) {
	var list []page.Waiting
	clock := v.clock(s.Now())
	if v.may(auth.Decide) {
		upgrades, err := s.Store.UpgradesToDecide(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range upgrades {
			if rollout != 0 && u.Rollout != rollout {
				continue
			}
			list = append(list, page.Waiting{
				State: ui.State{Key: u.State}, Title: "Decide about " + u.Server, Detail: u.PlanName + " · " + u.Message,
				Href: upgradeHref(u.Rollout, u.Server), Act: "Look and decide", Since: clock.Moment(u.Since),
			})
		}
	}
	if v.may(auth.Approve) {
		waves, err := s.Store.WavesToApprove(ctx)
		if err != nil {
			return nil, err
		}
		for _, w := range waves {
			if rollout != 0 && w.Rollout != rollout || v.authorOf(w) {
				continue
			}
			list = append(list, page.Waiting{
				State: ui.State{Key: "waiting"}, Title: fmt.Sprintf("Approve wave %d: %s", w.Wave, ui.Count(w.Servers, "server", "servers")),
				Detail: w.PlanName + " · " + packageWords(w.Package) + " · planned by " + w.By, Href: waveHref(w.Rollout, w.Wave), Act: "Look and approve", Since: clock.Moment(w.Since),
			})
		}
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
