package httpd

import (
	"fmt"
	"net/http"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/ui"
)

var rejectQuestion = question{
	permission: auth.Approve, verb: "reject", title: "Reject the plan", kind: "danger", button: "Reject the plan",
	lead: "The plan goes back to its author with your reason, and its rollout is stopped for ever. A changed plan is a new revision with new approvals.",
	then: func(s rollout.State) string {
		if s.InWork() || s.Broken() {
			return "has begun: it cannot be sent back any more"
		}
		return "is not upgraded by this revision"
	},
	possible: func(s rollout.RolloutState) bool { return !ended(s) },
	forbids: func(o store.RolloutView) string {
		if n := begun(o); n > 0 {
			return fmt.Sprintf("The rollout has begun on %s: it can be stopped, but its plan cannot be rejected any more.", ui.Count(n, "server", "servers"))
		}
		return ""
	},
}

// rolloutReject sends the plan of a rollout in which nothing started back to
// its author.
func (s *server) rolloutReject(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Approve)
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
	if err := s.Store.RejectRevision(r.Context(), v.actor(r), o.RevisionID, reason(r)); err != nil {
		return err
	}
	return s.done(w, r, fmt.Sprintf("%s/revisions/%d", planHref(o.Plan), o.Revision), "The plan is rejected. Its author finds the reason here.")
}

func ended(s rollout.RolloutState) bool {
	return s == rollout.RolloutStopped || s == rollout.RolloutDone
}

// begun is how many servers of a rollout were ever started in it.
func begun(o store.RolloutView) int {
	n := 0
	for _, wave := range o.Waves {
		for _, u := range wave.Upgrades {
			if u.StartedAt != nil {
				n++
			}
		}
	}
	return n
}
