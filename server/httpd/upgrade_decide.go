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

// upgradeAsk shows a page that asks before something is decided about an
// upgrade. What is refused by the state says why.
func (s *server) upgradeAsk(w http.ResponseWriter, r *http.Request, fill func(trouble, *page.Confirm)) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	u, err := s.upgradeOf(r)
	if err != nil {
		return err
	}
	t, err := s.troubleOf(r.Context(), u)
	if err != nil {
		return err
	}
	back := upgradeHref(u.Rollout, u.Server)
	view := page.Confirm{
		Crumbs: append(rolloutCrumbs(u.Rollout, u.PlanName), ui.Link{Href: back, Text: u.Server}), Reason: "Reason, kept on record",
		Back: ui.Link{Href: back, Text: "Back, change nothing"}, Why: v.why(auth.Decide), Hidden: []page.Hidden{{Name: "seen", Value: seenAs(u)}},
	}
	fill(t, &view)
	view.Frame = s.frame(r, v, view.Title, "rollouts")
	return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
}

func (s *server) upgradeRetryAsk(w http.ResponseWriter, r *http.Request) error {
	return s.upgradeAsk(w, r, func(t trouble, view *page.Confirm) {
		from := rollout.RetryFrom(s.book(t.Runbook), t.Step)
		view.Title, view.Kind = "Run "+t.Server+" again", "primary"
		view.Lead = "The server is tried again from the step “" + shortStep(from) + "”, when limits, order, floor and approval allow its start. Each step looks at the host first and does only what is not done yet."
		view.Rows = []page.ConfirmRow{{Server: t.Server, State: upgradeState(t.UpgradeRow), Then: "waits for its turn, then goes on at " + shortStep(from)}}
		view.Action, view.Button = upgradeHref(t.Rollout, t.Server)+"/retry", "Run "+t.Server+" again from "+shortStep(from)
		if t.RolloutState == rollout.RolloutPaused {
			view.Rows[0].Then = "waits until the rollout is resumed, then goes on at " + shortStep(from)
		}
		view.Why = refusedBy(view.Why, t.UpgradeView, func(state rollout.State) bool { return rollout.UpgradeTable.Allows(state, rollout.Retry) })
		if view.Why == "" && ended(t.RolloutState) {
			view.Why = "The rollout has ended: nothing starts in it any more."
		}
	})
}

func (s *server) upgradeSkipAsk(w http.ResponseWriter, r *http.Request) error {
	return s.upgradeAsk(w, r, func(t trouble, view *page.Confirm) {
		view.Title, view.Kind = "Skip "+t.Server, "danger"
		view.Lead = "The server is not upgraded in this rollout. It never counts as upgraded: servers that wait for it stay held."
		then := "stays as it is now, out of this rollout"
		if t.StartedAt != nil {
			then = "what was changed on it is put back first, then it is out of this rollout"
		}
		view.Rows = []page.ConfirmRow{{Server: t.Server, State: upgradeState(t.UpgradeRow), Then: then}}
		view.Action, view.Button = upgradeHref(t.Rollout, t.Server)+"/skip", "Skip 1 server: "+t.Server
		if r.URL.Query().Has("leave") {
			leaveAsIs(t.UpgradeView, view)
		}
		possible := rollout.State.MaySkip
		if t.inVain && r.URL.Query().Has("leave") {
			view.Parts = []page.ConfirmPart{{Title: "What stays on the host", Lines: staysLines(t)}}
			possible = func(rollout.State) bool { return true }
		}
		view.Why = refusedBy(view.Why, t.UpgradeView, possible)
	})
}

// leaveAsIs asks to skip a server on which not everything could be put back.
func leaveAsIs(u store.UpgradeView, view *page.Confirm) {
	view.Lead += " What could not be put back is not tried again: it stays on the host as it is, and your name stands with it."
	view.Rows[0].Then = "stays as it is now, out of this rollout"
	for _, l := range u.Ledger {
		if l.RestoredAt == nil {
			view.Rows[0].Then += "; " + clean(l.Kind+" "+l.Name) + " stays changed"
		}
	}
	view.Action += "?leave=yes"
	view.Button = "Skip 1 server and leave it as it is: " + u.Server
}

// refusedBy adds why the state does not allow it.
func refusedBy(why string, u store.UpgradeView, possible func(rollout.State) bool) string {
	if why != "" {
		return why
	}
	if u.Decision != "" {
		return fmt.Sprintf("A decision of %s is carried out on %s now.", orDash(u.DecidedBy), u.Server)
	}
	if !possible(u.State) {
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
	if err := asSeen(r.PostFormValue("seen"), u); err != nil {
		return err
	}
	if err := s.Store.RetryUpgrade(r.Context(), v.actor(r), u.ID, reason(r), s.Runbooks); err != nil {
		return err
	}
	said := u.Server + " is tried again when its turn comes."
	if u.RolloutState == rollout.RolloutPaused {
		said = u.Server + " is tried again when the rollout is resumed: it is paused."
	}
	return s.done(w, r, upgradeHref(u.Rollout, u.Server), said)
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
	if err := asSeen(r.PostFormValue("seen"), u); err != nil {
		return err
	}
	skip := store.Skip{Reason: reason(r), LeaveAsIs: r.URL.Query().Has("leave")}
	if err := s.Store.SkipUpgrade(r.Context(), v.actor(r), u.ID, skip, s.Runbooks); err != nil {
		return err
	}
	said := u.Server + " is skipped."
	if u.StartedAt != nil && !skip.LeaveAsIs {
		said = u.Server + " is skipped once what was changed on it is put back."
	}
	return s.done(w, r, upgradeHref(u.Rollout, u.Server), said)
}
