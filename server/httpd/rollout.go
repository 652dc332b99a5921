package httpd

import (
	"context"
	"net/http"
	"strconv"

	"wavekeeper/server/auth"
	"wavekeeper/server/live"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func (s *server) rollouts(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	list, err := s.Store.Rollouts(r.Context(), 200)
	if err != nil {
		return err
	}
	clock := v.clock(s.Now())
	view := page.Rollouts{
		Frame: s.frame(r, v, "Rollouts", "rollouts"),
		Empty: ui.Empty{Title: "No rollout yet", Text: "A rollout is one execution of a plan. It exists as soon as a plan is submitted.", Action: ui.Link{Href: "/plans", Text: "Go to the plans"}},
	}
	for _, o := range list {
		row := page.RolloutRow{Name: o.PlanName, Href: rolloutHref(o.ID), Package: packageWords(o.Package), State: stateOf(o.State), Started: clock.MomentOf(o.StartedAt), Took: took(o.StartedAt, o.EndedAt, clock.Now)}
		for _, p := range []ui.Part{{Key: "done", Count: o.Done}, {Key: "running", Count: o.Running}, {Key: "failed", Count: o.Failed}, {Key: "waiting", Count: o.Servers - o.Done - o.Running - o.Failed}} {
			if p.Count > 0 {
				row.Parts = append(row.Parts, p)
			}
		}
		view.Rows = append(view.Rows, row)
	}
	return s.render(w, r, http.StatusOK, page.RolloutsPage(view))
}

func (s *server) rollout(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	id, err := number(r, "rollout")
	if err != nil {
		return err
	}
	after := afterRow(r)
	view, _, err := s.rolloutView(r.Context(), v, id, after)
	if err != nil {
		return err
	}
	view.Frame = s.frame(r, v, view.Head.Name, "rollouts")
	view.Frame.Stream = rolloutHref(id) + "/stream"
	if after > 0 {
		view.Frame.Stream += "?after=" + strconv.FormatInt(after, 10)
	}
	return s.render(w, r, http.StatusOK, page.RolloutPage(view))
}

// afterRow is the last row of the page before, 0 on the first.
func afterRow(r *http.Request) int64 {
	n, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (s *server) rolloutStream(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	id, err := number(r, "rollout")
	if err != nil {
		return err
	}
	after := afterRow(r)
	topic := "rollout:" + strconv.FormatInt(id, 10)
	return s.Live.Serve(w, r, s.streamPage(r, v, topic+"?"+strconv.FormatInt(after, 10), []string{topic}, func(ctx context.Context, v viewer) (live.Update, error) {
		var u live.Update
		view, o, err := s.rolloutView(ctx, v, id, after)
		if err != nil {
			return u, err
		}
		u.ID = strconv.FormatInt(o.LastEvent, 10)
		return u, rolloutFragments(ctx, &u, view)
	}))
}

// rolloutFragments renders the parts of a rollout's page that move, with the
// components of the first paint.
func rolloutFragments(ctx context.Context, u *live.Update, view page.Rollout) error {
	if err := fragment(ctx, u, "#rollout-top", page.RolloutTop(view.Head)); err != nil {
		return err
	}
	if err := fragment(ctx, u, "#lanes", page.RolloutLanes(view.Lanes)); err != nil {
		return err
	}
	if err := fragment(ctx, u, "#decisions", page.RolloutDecisions(view.Decisions)); err != nil {
		return err
	}
	if err := fragment(ctx, u, "#events", page.RolloutEvents(view.Events, view.History)); err != nil {
		return err
	}
	for _, g := range view.Groups {
		if err := fragment(ctx, u, "#"+g.ID+"-head", page.MatrixGroupHead(g)); err != nil {
			return err
		}
		for _, row := range g.Rows {
			if err := fragment(ctx, u, "#upgrade-"+row.ID, page.Row(row)); err != nil {
				return err
			}
		}
	}
	return nil
}
