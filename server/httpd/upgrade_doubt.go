package httpd

import (
	"net/http"

	"wavekeeper/server/rollout"
	"wavekeeper/web/page"
)

// stopWaiting is the decision's name on all pages.
const stopWaiting = "Stop waiting: it is not known"

// doubtThen says what follows when what is out of sight is waited for no more.
func doubtThen(t trouble) string {
	return "Nothing is done on the host, and what may run there goes on. " + t.Server + " counts as unknown and stays in work: nobody else takes its host. Then the decision is yours."
}

func (s *server) upgradeDoubtAsk(w http.ResponseWriter, r *http.Request) error {
	return s.upgradeAsk(w, r, func(t trouble, view *page.Confirm) {
		view.Title, view.Kind, view.Button = stopWaiting+": "+t.Server, "danger", "Count "+t.Server+" as unknown"
		view.Reason = "Why it is not waited for, kept on record"
		view.Lead = "For a host of which you know more than can be asked from here, as one that is dead. " + doubtThen(t)
		decideAsk(t, view, "doubt", "is unknown at the step "+shortStep(t.Step)+"; nothing is done on the host")
		view.Parts = []page.ConfirmPart{{Title: "What follows", Lines: []string{
			"The host stays with this upgrade: no other server is started on it, and its address stays as it is.",
			"It is not asked by itself any more. You can have it looked at again, mark it as repaired, run it again or skip it.",
			"It counts for its wave's number of failures, as an outcome that the limit made unknown does.",
		}}}
		view.Why = refusedBy(view.Why, t.UpgradeView, rollout.State.MayDoubt)
	})
}

func (s *server) upgradeDoubt(w http.ResponseWriter, r *http.Request) error {
	v, u, err := s.deciding(r)
	if err != nil {
		return err
	}
	if err := s.Store.DoubtUpgrade(r.Context(), v.actor(r), u.ID, reason(r)); err != nil {
		return err
	}
	return s.done(w, r, upgradeHref(u.Rollout, u.Server), u.Server+" is not waited for any more: it counts as unknown. Nothing was done on the host.")
}
