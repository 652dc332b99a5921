package httpd

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// waveMedia is how the media of a wave stand on its hosts.
func (s *server) waveMedia(r *http.Request, v viewer, o store.RolloutView, wave store.WaveView, clock ui.Clock) (page.WaveMedia, error) {
	hosts, err := s.Store.WaveStagings(r.Context(), o.ID, wave.ID)
	if err != nil {
		return page.WaveMedia{}, err
	}
	var view page.WaveMedia
	moves := 0
	lacks := map[string]bool{} // by host: a package is not there
	for _, h := range hosts {
		lacks[h.Host.Name] = lacks[h.Host.Name] || h.Staging.ID == 0 || h.Staging.State != rollout.Done
	}
	there, two := 0, len(hosts) > len(lacks)
	for _, lack := range lacks {
		if !lack {
			there++
		}
	}
	for _, h := range hosts {
		row := page.StagedHost{Server: ui.Link{Href: serverHref(h.Server), Text: h.Server}, Host: h.Host.Name, Words: "nobody asked for it yet"}
		if h.Staging.ID != 0 {
			row = stagedHost(h.Staging, h.Server, clock)
			if h.Staging.Open() && h.Staging.State != rollout.Waiting && h.Staging.State != rollout.Held {
				moves++ // what waits can be asked for again, for another time
			}
			if h.Staging.Upgrade == 0 && (h.Staging.Open() || h.Staging.State == rollout.Failed) && v.may(auth.Stage) && !ended(o.State) {
				row.Staging, view.Cancel = strconv.FormatInt(h.Staging.ID, 10), waveHref(o.ID, wave.Number)+"/unstage"
			}
		}
		if two {
			row.Words = strings.TrimSuffix(h.Package+": "+row.Words, ": ")
		}
		view.Rows = append(view.Rows, row)
	}
	view.Lead = fmt.Sprintf("on %d of %s", there, ui.Count(len(lacks), "host", "hosts"))
	switch {
	case ended(o.State) || wave.State == rollout.WaveDone || moves == len(hosts):
	case !v.may(auth.Stage):
		view.Why = v.why(auth.Stage)
	default:
		view.Action = waveHref(o.ID, wave.Number) + "/stage"
	}
	return view, nil
}

// waveStage asks for the media of a wave ahead of its window.
func (s *server) waveStage(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Stage)
	if err != nil {
		return err
	}
	_, wave, err := s.waveOf(r)
	if err != nil {
		return err
	}
	ask := store.StagingAsk{Wave: wave.ID, Reason: reason(r)}
	if text := r.PostFormValue("not_before"); text != "" {
		if ask.NotBefore, err = time.Parse("2006-01-02T15:04", text); err != nil {
			return rollout.Invalid("%q is no time such as 2026-05-02T22:00.", text)
		}
	}
	asked, err := s.Store.AskStaging(r.Context(), v.actor(r), ask)
	if err != nil {
		return err
	}
	return s.done(w, r, strings.TrimSuffix(r.URL.Path, "/stage"), askedWords(asked))
}

// askedWords says what came of asking for media.
func askedWords(asked store.StagingAsked) string {
	var said []string
	if n := asked.Hosts; n > 0 {
		said = append(said, fmt.Sprintf("The media are asked for on %s.", ui.Count(n, "host", "hosts")))
	}
	if len(asked.Moved) > 0 {
		said = append(said, "Another time for "+strings.Join(asked.Moved, ", ")+".")
	}
	if len(said) == 0 {
		said = append(said, "Nothing was asked for.")
	}
	if len(asked.Open) > 0 {
		said = append(said, "On their way already, or waiting for that time: "+strings.Join(asked.Open, ", ")+".")
	}
	if len(asked.NoMedia) > 0 {
		said = append(said, "Without media: "+strings.Join(asked.NoMedia, ", ")+".")
	}
	return strings.Join(said, " ")
}

// waveUnstage cancels the media of a wave on one host.
func (s *server) waveUnstage(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Stage)
	if err != nil {
		return err
	}
	o, wave, err := s.waveOf(r)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(r.PostFormValue("staging"), 10, 64)
	if err != nil {
		return rollout.Invalid("Say on which host: the button is beside it.")
	}
	hosts, err := s.Store.WaveStagings(r.Context(), o.ID, wave.ID)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.Staging.ID != id {
			continue
		}
		if err := s.Store.CancelStaging(r.Context(), v.actor(r), id, reason(r)); err != nil {
			return err
		}
		return s.done(w, r, strings.TrimSuffix(r.URL.Path, "/unstage"), fmt.Sprintf("Cancelled on %s: nothing waits for the media there.", h.Host.Name))
	}
	return rollout.NotFound("The media were asked for anew on that host, or are not this wave's. Nothing was cancelled.")
}
