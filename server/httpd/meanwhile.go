package httpd

import (
	"net/http"
	"strings"

	"wavekeeper/server/store"
	"wavekeeper/web/page"
)

// mostMeanwhile is how many decisions a refused form is answered with.
const mostMeanwhile = 3

// meanwhile is what was decided last about what a refused form was about: who
// was quicker, and when. It is empty where that cannot be read.
func (s *server) meanwhile(r *http.Request) []page.Event {
	v, err := s.viewer(r)
	if err != nil {
		return nil
	}
	id, err := number(r, "rollout")
	if err != nil {
		return nil
	}
	events, err := s.Store.LatestEvents(r.Context(), id, 200)
	if err != nil {
		s.Log.Warn("read what happened meanwhile", "request", idOf(r), "err", err)
		return nil
	}
	server := part(r, "server")
	var last []page.Event
	for _, e := range milestones(events, len(events)) {
		other := e.Server != "" && server != "" && !strings.EqualFold(e.Server, server)
		if e.Kind == store.EventHeld || other {
			continue
		}
		if last = append(last, rolloutEvent(e, v.clock(s.Now()))); len(last) == mostMeanwhile {
			break
		}
	}
	return last
}
