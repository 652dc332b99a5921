package httpd

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// question is what is asked before something is done to a whole rollout.
type question struct {
	permission auth.Permission
	verb       string // in the address
	title      string
	lead       string
	kind       string
	button     string
	then       func(rollout.State) string // what happens to a server
	possible   func(rollout.RolloutState) bool
	forbids    func(store.RolloutView) string // why it is refused though the state allows it; nil = nothing does
}

func goesOn() string {
	return "goes on to its end, is verified, and everything that was changed for a while is put back"
}

var pauseQuestion = question{
	permission: auth.Pause, verb: "pause", title: "Pause the rollout", kind: "primary", button: "Pause",
	lead: "Nothing new starts until a person resumes it. Servers in work come to their end; Setup is never cut short.",
	then: func(s rollout.State) string {
		switch {
		case s.InWork():
			return goesOn()
		case s == rollout.Failed:
			return "stays as it is; a decision about it starts nothing while the rollout is paused"
		default:
			return "does not start until the rollout is resumed"
		}
	},
	possible: func(s rollout.RolloutState) bool { return s == rollout.RolloutRunning },
}

var resumeQuestion = question{
	permission: auth.Resume, verb: "resume", title: "Resume the rollout", kind: "primary", button: "Resume",
	lead: "Servers of approved waves start again as limits allow, by the same rules as before.",
	then: func(s rollout.State) string {
		if s.InWork() {
			return "goes on as it does"
		}
		return "starts when its wave is approved, what it waits for is verified, and limits allow"
	},
	possible: func(s rollout.RolloutState) bool { return s == rollout.RolloutPaused },
}

var stopQuestion = question{
	permission: auth.Stop, verb: "stop", title: "Stop the rollout", kind: "danger", button: "Stop for ever",
	lead: "Nothing starts in this rollout ever again. What is left needs a new revision with new approvals. Servers in work come to their end; Setup is never cut short.",
	then: func(s rollout.State) string {
		if s.InWork() {
			return goesOn()
		}
		return "is not upgraded in this rollout any more"
	},
	possible: func(s rollout.RolloutState) bool {
		return s == rollout.RolloutRunning || s == rollout.RolloutWaiting || s == rollout.RolloutPaused
	},
}

// rolloutAsk shows what would happen to each server before it is confirmed.
func (s *server) rolloutAsk(q question) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := s.allowed(r, auth.Read)
		if err != nil {
			return err
		}
		id, err := number(r, "rollout")
		if err != nil {
			return err
		}
		o, err := s.Store.Rollout(r.Context(), id)
		if err != nil {
			return err
		}
		view := page.Confirm{
			Crumbs: rolloutCrumbs(o.ID, o.PlanName), Title: q.title + " " + o.PlanName, Lead: q.lead, Action: rolloutHref(id) + "/" + q.verb,
			Reason: "Reason, kept on record", Kind: q.kind, Back: ui.Link{Href: rolloutHref(id), Text: "Back, change nothing"}, Why: v.why(q.permission),
			Hidden: []page.Hidden{{Name: "seen", Value: string(o.State)}},
		}
		if !q.possible(o.State) {
			view.Why = "The rollout is " + strings.ToLower(stateOf(o.State).Word()) + "."
		} else if q.forbids != nil && view.Why == "" {
			view.Why = q.forbids(o)
		}
		busy, open := 0, 0
		for _, wave := range o.Waves {
			for _, u := range wave.Upgrades {
				if u.State.Decided() {
					continue
				}
				if u.State.InWork() {
					busy++
				} else {
					open++
				}
				view.Rows = append(view.Rows, page.ConfirmRow{Server: u.Server, State: upgradeState(u), Then: q.then(u.State)})
			}
		}
		view.Button = q.button + ": " + ui.Count(open, "server", "servers") + " not started"
		if busy > 0 {
			view.Button = fmt.Sprintf("%s: %d in work, %d not started", q.button, busy, open)
		}
		view.Frame = s.frame(r, v, view.Title, "rollouts")
		return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
	}
}

func rolloutCrumbs(id int64, name string) []ui.Link {
	return []ui.Link{{Href: "/rollouts", Text: "Rollouts"}, {Href: rolloutHref(id), Text: name}}
}

// rolloutDo does what was confirmed.
func (s *server) rolloutDo(p auth.Permission, do func(context.Context, store.Actor, int64, string) error, text string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := s.allowed(r, p)
		if err != nil {
			return err
		}
		id, err := number(r, "rollout")
		if err != nil {
			return err
		}
		if err := s.rolloutAsSeen(r, id); err != nil {
			return err
		}
		if err := do(r.Context(), v.actor(r), id, reason(r)); err != nil {
			return err
		}
		return s.done(w, r, rolloutHref(id), text)
	}
}

// rolloutAsSeen refuses a form whose page was made before the rollout was moved,
// in words. A form that carries nothing is checked by the store alone.
func (s *server) rolloutAsSeen(r *http.Request, id int64) error {
	seen := r.PostFormValue("seen")
	if seen == "" {
		return nil
	}
	o, err := s.Store.Rollout(r.Context(), id)
	if err != nil {
		return err
	}
	if string(o.State) != seen {
		return rollout.Conflict("The rollout was %s when you opened the page; now it is %s. Nothing was done.", lower(seen), lower(string(o.State)))
	}
	return nil
}

func reason(r *http.Request) string { return strings.TrimSpace(r.PostFormValue("reason")) }
