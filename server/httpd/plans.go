package httpd

import (
	"net/http"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func (s *server) plans(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	lines, err := s.Store.Plans(r.Context())
	if err != nil {
		return err
	}
	sizes, err := s.Store.PlanSizes(r.Context())
	if err != nil {
		return err
	}
	rollouts, err := s.Store.Rollouts(r.Context(), 1000)
	if err != nil {
		return err
	}
	states := map[int64]rollout.RolloutState{}
	for _, o := range rollouts {
		states[o.ID] = o.State
	}
	clock := v.clock(s.Now())
	view := page.Plans{
		Frame: s.frame(r, v, "Plans", "plans"),
		Acts:  []ui.Act{{Href: "/plans/organization", Text: "Prepare the organization", Why: v.why(auth.Plan)}, {Href: "/plans/new", Text: "New plan", Kind: "primary", Why: v.why(auth.Plan)}},
		Empty: ui.Empty{Title: "No plan yet", Text: "A plan says which servers get which package, in which order and within which limits. The order is worked out and proven from rules."},
	}
	if v.may(auth.Plan) {
		view.Empty.Action = ui.Link{Href: "/plans/new", Text: "Make the first plan"}
	}
	for _, l := range lines {
		size := sizes[l.ID]
		row := page.PlanRow{
			Name: l.Name, Href: planHref(l.ID), Package: planLineWords(l.Kind, l.Package, l.Then), Revision: "revision " + ui.Digits(l.Number), State: stateOf(l.State),
			Servers: ui.Count(size.Servers, "server", "servers") + " in " + ui.Count(size.Waves, "wave", "waves"), Author: l.Author, Changed: clock.Moment(l.RevisedAt),
		}
		if l.RolloutID != 0 {
			row.Rollout = ui.Link{Href: rolloutHref(l.RolloutID), Text: "Rollout " + ui.Digits(int(l.RolloutID))}
			row.Result = stateOf(states[l.RolloutID])
		}
		view.Rows = append(view.Rows, row)
	}
	return s.render(w, r, http.StatusOK, page.PlansPage(view))
}

// policySentences says a policy in words.
func policySentences(p rollout.Policy) []string {
	var out []string
	if p.AtOnce > 0 {
		out = append(out, "At most "+ui.Count(p.AtOnce, "server", "servers")+" at once.")
	} else {
		out = append(out, "No limit on how many servers are in work at once.")
	}
	if p.AtOncePerSite > 0 {
		out = append(out, "At most "+ui.Count(p.AtOncePerSite, "server", "servers")+" at once in one AD site.")
	}
	if p.Floor.Count > 0 || p.Floor.Percent > 0 {
		text := p.Floor.String()
		out = append(out, strings.ToUpper(text[:1])+text[1:]+" that has two or more.")
	} else {
		out = append(out, "No floor: all servers of a role in a site may be out of service together.")
	}
	out = append(out, stopSentence(p))
	if p.Overlap {
		out = append(out, "Waves may overlap: an approved wave starts a server as soon as what it waits for is verified.")
	} else {
		out = append(out, "Waves do not overlap: the next starts when every server of the one before is done or decided.")
	}
	if p.PilotMinutes > 0 {
		out = append(out, "The first server of each role and site is healthy for "+ui.Count(p.PilotMinutes, "minute", "minutes")+" before its siblings start.")
	}
	return out
}

func stopSentence(p rollout.Policy) string {
	if p.StopAfterFailures == 0 {
		return "A wave never stops by itself, however many servers fail."
	}
	return "A wave stops after " + ui.Count(p.StopAfterFailures, "failed server", "failed servers") + ": no further server of it starts, those in work come to their end."
}
