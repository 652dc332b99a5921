package httpd

import (
	"fmt"
	"net/http"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func (s *server) upgradeAsk(w http.ResponseWriter, r *http.Request, fill func(store.UpgradeView, *page.Confirm)) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	u, err := s.upgradeOf(r)
	if err != nil {
		return err
	}
	back := upgradeHref(u.Rollout, u.Server)
	view := page.Confirm{
		Crumbs: append(rolloutCrumbs(u.Rollout, u.PlanName), ui.Link{Href: back, Text: u.Server}), Reason: "Reason, kept on record",
		Back: ui.Link{Href: back, Text: "Back, change nothing"}, Why: v.why(auth.Decide),
	}
	fill(u, &view)
	view.Frame = s.frame(r, v, view.Title, "rollouts")
	return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
}

func (s *server) upgradeRetryAsk(w http.ResponseWriter, r *http.Request) error {
	return s.upgradeAsk(w, r, func(u store.UpgradeView, view *page.Confirm) {
		from := rollout.RetryFrom(s.Runbook, u.Step)
		view.Title, view.Kind = "Retry "+u.Server, "primary"
		view.Lead = "The server is tried again from the step “" + shortStep(from) + "”, when limits, order, floor and approval allow its start. Each step looks at the host first and does only what is not done yet."
		view.Rows = []page.ConfirmRow{{Server: u.Server, State: upgradeState(u.UpgradeRow), Then: "waits for its turn, then goes on at " + shortStep(from)}}
		view.Action, view.Button = upgradeHref(u.Rollout, u.Server)+"/retry", "Retry "+u.Server+" from "+shortStep(from)
		view.Why = refusedBy(view.Why, u, rollout.Retry)
	})
}

func (s *server) upgradeSkipAsk(w http.ResponseWriter, r *http.Request) error {
	return s.upgradeAsk(w, r, func(u store.UpgradeView, view *page.Confirm) {
		view.Title, view.Kind = "Skip "+u.Server, "danger"
		view.Lead = "The server is not upgraded in this rollout. It never counts as upgraded: servers that wait for it stay held."
		view.Rows = []page.ConfirmRow{{Server: u.Server, State: upgradeState(u.UpgradeRow), Then: "stays as it is now, out of this rollout"}}
		view.Action, view.Button = upgradeHref(u.Rollout, u.Server)+"/skip", "Skip 1 server: "+u.Server
		view.Why = refusedBy(view.Why, u, rollout.Skip)
	})
}

// refusedBy adds why the state does not allow it.
func refusedBy(why string, u store.UpgradeView, event rollout.Event) string {
	if why != "" {
		return why
	}
	if _, err := rollout.UpgradeTable.After(u.State, event); err != nil {
		return fmt.Sprintf("%s is %s.", u.Server, stateOf(u.State).Word())
	}
	return ""
}

func (s *server) upgradeRetry(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Decide)
	if err != nil {
		return err
	}
	u, err := s.upgradeOf(r)
	if err != nil {
		return err
	}
	if err := s.Store.RetryUpgrade(r.Context(), v.actor(r), u.ID, reason(r), s.Runbook); err != nil {
		return err
	}
	return s.done(w, r, upgradeHref(u.Rollout, u.Server), u.Server+" is tried again when its turn comes.")
}

func (s *server) upgradeSkip(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Decide)
	if err != nil {
		return err
	}
	u, err := s.upgradeOf(r)
	if err != nil {
		return err
	}
	if err := s.Store.SkipUpgrade(r.Context(), v.actor(r), u.ID, reason(r)); err != nil {
		return err
	}
	return s.done(w, r, upgradeHref(u.Rollout, u.Server), u.Server+" is skipped.")
}
