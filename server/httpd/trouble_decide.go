package httpd

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// decideAsk fills what the pages of decisions share.
func decideAsk(t trouble, view *page.Confirm, verb, then string) {
	view.Action = upgradeHref(t.Rollout, t.Server) + "/" + verb
	row := page.ConfirmRow{Server: t.Server, State: upgradeState(t.UpgradeRow), Then: then}
	if node := t.node(); node != "" {
		row.Server, row.Then = node+" of "+t.Server, "host "+node+": "+then
	}
	view.Rows = []page.ConfirmRow{row}
}

func (s *server) upgradeLookAsk(w http.ResponseWriter, r *http.Request) error {
	return s.upgradeAsk(w, r, func(t trouble, view *page.Confirm) {
		view.Title, view.Kind, view.Free, view.Button = "Look at "+t.Server+" again", "primary", true, "Look at "+t.Server+" now"
		view.Reason = "Reason, kept on record; may stay empty"
		view.Lead = s.lookThen(t)
		decideAsk(t, view, "look", "is asked now; nothing on it is changed")
		view.Why = refusedBy(view.Why, t.UpgradeView, func(state rollout.State) bool { return state.MayDecide(rollout.DecideLook) })
	})
}

func (s *server) upgradeVerifyAsk(w http.ResponseWriter, r *http.Request) error {
	return s.upgradeAsk(w, r, func(t trouble, view *page.Confirm) {
		view.Title, view.Kind, view.Button = "Mark "+t.Server+" repaired and verify", "primary", "Verify "+t.Server+" now"
		view.Reason = "What was repaired, kept on record"
		view.Lead = s.verifyThen(t)
		decideAsk(t, view, "verify", "is verified now, by its own registry and services; steps before that are passed over")
		view.Parts = []page.ConfirmPart{{Title: "What your word is worth", Lines: []string{
			"It counts as upgraded only if verification passes: your word alone lets no server start that waits for this one.",
			"Verification starts no Setup and installs nothing.",
			"It starts services of Exchange: one that has to run and does not within 3 minutes is asked to start, also on a server on which nothing began.",
		}}}
		view.Why = refusedBy(view.Why, t.UpgradeView, rollout.State.MayVerify)
		if view.Why == "" && !t.state.Broken() && t.RolloutState != rollout.RolloutRunning && t.RolloutState != rollout.RolloutWaiting {
			view.Why = "The rollout is " + lower(string(t.RolloutState)) + ": nothing begins in it."
		}
	})
}

func (s *server) upgradeClearAsk(w http.ResponseWriter, r *http.Request) error {
	return s.upgradeAsk(w, r, func(t trouble, view *page.Confirm) {
		n := len(t.marks.list)
		view.Title, view.Kind = "Clear Action and Watermark on "+t.where(), "danger"
		view.Lead = "This is a break-glass action: Setup forgets that it was interrupted. It is refused on the host while anything of Setup is alive, and never done without a person."
		view.Button = "Clear " + ui.Count(n, "value", "values") + " on " + t.where()
		if n == 0 {
			view.Button = "Clear what is there on " + t.where()
		}
		decideAsk(t, view, "clear", "has the values below deleted, each kept on record first; then it is "+lower(string(t.state))+" again and the decision is yours")
		view.Parts = []page.ConfirmPart{deleted(t), disagreement(t)}
		view.Typed = t.where()
		view.Hidden = append(view.Hidden, page.Hidden{Name: "values", Value: t.marks.digest()})
		view.Why = refusedBy(view.Why, t.UpgradeView, func(state rollout.State) bool { return state.MayDecide(rollout.DecideClear) })
		if view.Why == "" && !s.mayClear(t) {
			view.Why = "No role of " + t.where() + " carries Action or Watermark."
		}
	})
}

// deleted is the exact values that would be deleted.
func deleted(t trouble) page.ConfirmPart {
	part := page.ConfirmPart{Title: "What is deleted", Markers: t.marks.rows()}
	switch {
	case t.marks.at.IsZero():
		part.Lines = []string{"Action and Watermark were not read yet. Every value that is there is read, kept on record and then deleted."}
	case t.marks.fault != "":
		part.Lines = []string{"Action and Watermark could not be read (" + clean(t.marks.fault) + "). Every value that is there by then is kept on record and then deleted."}
	default:
		part.Lines = []string{
			"Read from the host at " + t.marks.at.UTC().Format("2006-01-02 15:04:05 UTC") + ". The host is read again before anything goes.",
			"The whole state of the host is kept as evidence first, and each value before it is deleted: it can be put back exactly.",
		}
	}
	return part
}

// disagreement is what the sources say about it: they do not agree (domain.md 3.3).
func disagreement(t trouble) page.ConfirmPart {
	part := page.ConfirmPart{Title: "What is known of it: the sources disagree", Lines: []string{
		"Microsoft's readiness rule InstallWatermark says: run Setup again for just this role, or remove the role. Setup is meant to go on from its Watermark, so run it again first.",
		"From the field: where Setup refused because it believed another Setup to be active, deleting all Action and Watermark values let it go on; back the key up first.",
		"Deleting tells Setup that nothing was interrupted. What was half configured is then not resumed: verification afterwards shows what is missing.",
	}}
	for _, m := range t.marks.list {
		if strings.EqualFold(m.Role, "ClusteredMailboxServer") {
			part.Lines = append(part.Lines, "ClusteredMailboxServer carries a value: the clustered part failed or is at work on this node, and may look normal on the others. Look at every node first.")
			break
		}
	}
	return part
}

// digest is what a form carries back of the values that its page showed.
func (m marks) digest() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", m.fault, m.list))
	return fmt.Sprintf("%x", sum[:12])
}

func (s *server) upgradeUndoAsk(w http.ResponseWriter, r *http.Request) error {
	return s.upgradeAsk(w, r, func(t trouble, view *page.Confirm) {
		back := t.toPutBack()
		view.Title, view.Kind = "Put the cleared values back on "+t.where(), "primary"
		view.Button = "Put " + ui.Count(len(back), "value", "values") + " back on " + t.where()
		view.Lead = "Action and Watermark are written again exactly as they were. A value that exists anew by then is somebody's newer doing: it stays, and that is said."
		decideAsk(t, view, "undo", "has the values below written again; then it is "+lower(string(t.state))+" as before")
		part := page.ConfirmPart{Title: "What is written"}
		for _, m := range back {
			part.Markers = append(part.Markers, markerRow(m.Marker))
		}
		view.Parts = []page.ConfirmPart{part}
		view.Why = refusedBy(view.Why, t.UpgradeView, func(state rollout.State) bool { return state.MayDecide(rollout.DecideUndo) })
		if view.Why == "" && len(back) == 0 {
			view.Why = "Nothing was cleared on " + t.where() + " that is not put back."
		}
	})
}

func (s *server) upgradeVerify(w http.ResponseWriter, r *http.Request) error {
	v, u, err := s.deciding(r)
	if err != nil {
		return err
	}
	if err := s.Store.VerifyUpgrade(r.Context(), v.actor(r), u.ID, reason(r), s.Runbooks); err != nil {
		return err
	}
	return s.done(w, r, upgradeHref(u.Rollout, u.Server), u.Server+" is verified now. It counts as upgraded only if that passes.")
}

func (s *server) upgradeLook(w http.ResponseWriter, r *http.Request) error {
	return s.decide(w, r, rollout.DecideLook, "%s is asked now. What it answers appears here.")
}

func (s *server) upgradeUndo(w http.ResponseWriter, r *http.Request) error {
	return s.decide(w, r, rollout.DecideUndo, "The cleared values of %s are put back now.")
}

func (s *server) upgradeClear(w http.ResponseWriter, r *http.Request) error {
	v, u, err := s.deciding(r)
	if err != nil {
		return err
	}
	t, err := s.troubleOf(r.Context(), u)
	if err != nil {
		return err
	}
	if !typedName(r.PostForm, t.where()) {
		return rollout.Invalid("Type the name, %s, to clear Action and Watermark on it. Nothing was done.", t.where())
	}
	if seen := r.PostFormValue("values"); seen == "" || seen != t.marks.digest() {
		return rollout.Conflict("The values on %s were read anew since you opened the page. Look at what would be deleted now. Nothing was done.", t.where())
	}
	if err := s.Store.DecideUpgrade(r.Context(), v.actor(r), u.ID, store.Decision{Step: rollout.DecideClear, Reason: reason(r)}, s.Runbooks); err != nil {
		return err
	}
	return s.done(w, r, upgradeHref(u.Rollout, u.Server), "Action and Watermark of "+t.where()+" are kept on record and cleared now.")
}

// deciding is who decides about which upgrade; it is as the form's page showed it.
func (s *server) deciding(r *http.Request) (viewer, store.UpgradeView, error) {
	v, err := s.allowed(r, auth.Decide)
	if err != nil {
		return v, store.UpgradeView{}, err
	}
	u, err := s.upgradeOf(r)
	if err != nil {
		return v, u, err
	}
	if err := wholeForm(r); err != nil {
		return v, u, err
	}
	return v, u, asSeen(r.PostFormValue("seen"), u)
}

func (s *server) decide(w http.ResponseWriter, r *http.Request, step, said string) error {
	v, u, err := s.deciding(r)
	if err != nil {
		return err
	}
	if err := s.Store.DecideUpgrade(r.Context(), v.actor(r), u.ID, store.Decision{Step: step, Reason: reason(r)}, s.Runbooks); err != nil {
		return err
	}
	return s.done(w, r, upgradeHref(u.Rollout, u.Server), fmt.Sprintf(said, u.Server))
}
