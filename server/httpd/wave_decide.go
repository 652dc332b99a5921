package httpd

import (
	"fmt"
	"net/http"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func (s *server) waveApprove(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Approve)
	if err != nil {
		return err
	}
	o, wave, err := s.waveOf(r)
	if err != nil {
		return err
	}
	if err := s.Store.ApproveWave(r.Context(), v.actor(r), wave.ID, r.PostFormValue("seen"), reason(r), s.Runbooks); err != nil {
		return err
	}
	return s.done(w, r, rolloutHref(o.ID), fmt.Sprintf("Wave %d is approved: %s.", wave.Number, ui.Count(len(wave.Upgrades), "server", "servers")))
}

func (s *server) waveWithdraw(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Approve)
	if err != nil {
		return err
	}
	_, wave, err := s.waveOf(r)
	if err != nil {
		return err
	}
	if err := s.Store.WithdrawApproval(r.Context(), v.actor(r), wave.ID, reason(r)); err != nil {
		return err
	}
	return s.done(w, r, strings.TrimSuffix(r.URL.Path, "/withdraw"), "The approval is taken back.")
}

func (s *server) waveResumeAsk(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	o, wave, err := s.waveOf(r)
	if err != nil {
		return err
	}
	view := page.Confirm{
		Crumbs: rolloutCrumbs(o.ID, o.PlanName), Title: fmt.Sprintf("Resume wave %d", wave.Number), Action: waveHref(o.ID, wave.Number) + "/resume",
		Lead:   "Servers of the wave that have not started may start again. What failed stays failed until a person retries or skips it.",
		Reason: "Reason, kept on record", Kind: "primary", Back: ui.Link{Href: rolloutHref(o.ID), Text: "Back, change nothing"}, Why: v.why(auth.Resume),
	}
	open := 0
	for _, u := range wave.Upgrades {
		then := "stays as it is"
		if u.State == rollout.Waiting || u.State == rollout.Held {
			then = "may start"
			open++
		}
		if !u.State.Decided() {
			view.Rows = append(view.Rows, page.ConfirmRow{Server: u.Server, State: upgradeState(u), Then: then})
		}
	}
	view.Button = fmt.Sprintf("Resume wave %d: %s may start", wave.Number, ui.Count(open, "server", "servers"))
	view.Frame = s.frame(r, v, view.Title, "rollouts")
	return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
}

func (s *server) waveResume(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Resume)
	if err != nil {
		return err
	}
	o, wave, err := s.waveOf(r)
	if err != nil {
		return err
	}
	if err := s.Store.ResumeWave(r.Context(), v.actor(r), wave.ID, reason(r)); err != nil {
		return err
	}
	return s.done(w, r, rolloutHref(o.ID), fmt.Sprintf("Wave %d goes on.", wave.Number))
}
