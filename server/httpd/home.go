package httpd

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/live"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func (s *server) home(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	view, err := s.homeView(r.Context(), v)
	if err != nil {
		return err
	}
	view.Frame = s.frame(r, v, "Home", "home")
	view.Frame.Stream = "/stream"
	return s.render(w, r, http.StatusOK, page.HomePage(view))
}

func (s *server) homeStream(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	return s.Live.Serve(w, r, s.streamPage(r, v, "home", []string{"rollout:*", "host:*", "inventory:*", "credential:*", "waiver:*", "fix:*", "organization:*"}, func(ctx context.Context, v viewer) (live.Update, error) {
		var u live.Update
		view, err := s.homeView(ctx, v)
		if err != nil {
			return u, err
		}
		for _, f := range []func() error{
			func() error { return fragment(ctx, &u, "#access", page.AccessNotices(view.Access)) },
			func() error { return fragment(ctx, &u, "#waiting", page.HomeWaiting(view.Waiting)) },
			func() error { return fragment(ctx, &u, "#running", page.HomeRunning(view.Running)) },
			func() error { return fragment(ctx, &u, "#fleet", page.HomeFleet(view.Fleet)) },
			func() error { return fragment(ctx, &u, "#events", page.HomeEvents(view.Events)) },
		} {
			if err := f(); err != nil {
				return u, err
			}
		}
		return u, nil
	}))
}

func (s *server) homeView(ctx context.Context, v viewer) (page.Home, error) {
	var view page.Home
	var err error
	if view.Access, err = s.accessNotices(ctx); err != nil {
		return view, err
	}
	if view.Waiting, err = s.waiting(ctx, v); err != nil {
		return view, err
	}
	rollouts, err := s.Store.Rollouts(ctx, 50)
	if err != nil {
		return view, err
	}
	for _, o := range rollouts {
		if o.State == rollout.RolloutDone || o.State == rollout.RolloutStopped {
			continue
		}
		one, err := s.Store.Rollout(ctx, o.ID)
		if err != nil {
			return view, err
		}
		view.Running = append(view.Running, s.running(one, v))
	}
	servers, err := s.Store.ServerLines(ctx)
	if err != nil {
		return view, err
	}
	view.Fleet = fleet(servers)
	if len(rollouts) == 0 {
		view.Start = firstSteps(v, len(servers))
	}
	events, err := s.Store.LastEvents(ctx, 9)
	if err != nil {
		return view, err
	}
	for _, e := range events {
		view.Events = append(view.Events, homeEvent(e, v.clock(s.Now())))
	}
	return view, nil
}

func homeEvent(e store.HistoryEntry, clock ui.Clock) page.Event {
	out := page.Event{At: clock.Moment(e.At), State: eventState(e.Kind, e.Text, dataOf(e.Detail)), Where: fmt.Sprintf("Rollout %d", e.Rollout), Href: rolloutHref(e.Rollout), Text: e.Text}
	switch {
	case e.Server != "":
		out.Where, out.Href = e.Server, upgradeHref(e.Rollout, e.Server)
	case e.Wave > 0:
		out.Where, out.Href = fmt.Sprintf("Wave %d", e.Wave), waveHref(e.Rollout, e.Wave)
	}
	out.Text = afterName(out.Where, out.Text)
	return out
}

func (s *server) running(o store.RolloutView, v viewer) page.Running {
	now := s.Now()
	out := page.Running{
		Href: rolloutHref(o.ID), Name: o.PlanName, Package: packageWords(o.Package), State: ui.State{Key: string(o.State)},
		Parts: parts(o.Waves), Words: fmt.Sprintf("%d of %s done", o.Done, ui.Count(o.Servers, "server", "servers")), Left: s.left(o),
	}
	if out.Left != "" {
		out.Left += " left"
	}
	for _, w := range o.Waves {
		if w.State != rollout.WaveDone {
			out.Wave = fmt.Sprintf("wave %d of %d", w.Number, len(o.Waves))
			if w.State == rollout.WaveStopped || w.State == rollout.WavePaused {
				out.Wave += ", " + strings.ToLower(stateOf(w.State).Word())
			}
			break
		}
	}
	if o.StartedAt != nil {
		out.Elapsed = ui.Duration(now.Sub(*o.StartedAt))
		if o.Running == 0 {
			out.Left = "nothing runs now"
		}
	} else {
		out.Left = "starts when wave 1 is approved"
	}
	return out
}

// stateOrder is the order in which states stand in bars.
var stateOrder = []rollout.State{
	rollout.Done, rollout.Running, rollout.OutOfSight, rollout.Paused, rollout.Held, rollout.Interrupted, rollout.Unknown, rollout.Failed, rollout.Skipped, rollout.Waiting,
}

// parts counts the upgrades of waves by state.
func parts(waves []store.WaveView) []ui.Part {
	counts := map[rollout.State]int{}
	for _, w := range waves {
		for _, u := range w.Upgrades {
			counts[u.State]++
		}
	}
	var out []ui.Part
	for _, state := range stateOrder {
		if n := counts[state]; n > 0 {
			out = append(out, ui.Part{Key: string(state), Count: n})
		}
	}
	return out
}

// fleet counts servers by role and build.
func fleet(servers []store.ServerLine) page.Fleet {
	if len(servers) == 0 {
		return page.Fleet{}
	}
	counts := map[exchange.Role]map[string]int{}
	first := map[string]exchange.Build{}
	sites := map[string]bool{}
	for _, line := range servers {
		sites[strings.ToLower(line.Site)] = true
		words := buildWords(line.Build)
		if have, ok := first[words]; !ok || line.Build.Compare(have) < 0 {
			first[words] = line.Build
		}
		for _, role := range line.Roles {
			if counts[role] == nil {
				counts[role] = map[string]int{}
			}
			counts[role][words]++
		}
	}
	out := page.Fleet{Total: ui.Count(len(servers), "server", "servers") + " in " + ui.Count(len(sites), "site", "sites")}
	for words := range first {
		out.Builds = append(out.Builds, words)
	}
	slices.SortFunc(out.Builds, func(a, b string) int { return first[a].Compare(first[b]) })
	for _, role := range exchange.Roles() {
		total := 0
		for _, n := range counts[role] {
			total += n
		}
		if total == 0 {
			continue
		}
		row := page.FleetRow{Role: string(role)}
		for _, words := range out.Builds {
			n := counts[role][words]
			row.Cells = append(row.Cells, page.FleetCell{
				Count: n, Percent: 100 * n / total, Href: serversHref(serverFilter{Role: string(role), Build: words}),
				Words: fmt.Sprintf("%s with %s at %s", ui.Count(n, "server", "servers"), role, words),
			})
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func buildWords(b exchange.Build) string {
	if b.IsZero() {
		return "not known"
	}
	return b.Words()
}

// firstSteps leads an empty installation to its first rollout.
func firstSteps(v viewer, servers int) []page.FirstStep {
	steps := []page.FirstStep{
		{Done: servers > 0, Text: "Import the servers", Detail: "A CSV file; a preview comes first."},
		{Text: "Make a plan", Detail: "Choose servers and a package; the order is worked out and proven."},
		{Text: "Submit it and approve its first wave", Detail: "An operator who did not write the plan approves."},
	}
	if v.may(auth.Inventory) {
		steps[0].Link = ui.Link{Href: "/servers/import", Text: "Import servers"}
	}
	if v.may(auth.Plan) && servers > 0 {
		steps[1].Link = ui.Link{Href: "/plans/new", Text: "New plan"}
	}
	return steps
}
