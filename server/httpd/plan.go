package httpd

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// reportCache keeps what planning says of a revision without regard to servers
// outside of it: that depends on nothing but the content, which never changes.
type reportCache struct {
	mu      sync.Mutex
	reports map[string]rollout.Report
}

func (c *reportCache) of(hash string, plan rollout.Plan) (rollout.Report, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.reports[hash]; ok {
		return r, nil
	}
	report, err := rollout.ReportOf(plan, nil)
	if err != nil {
		return report, fmt.Errorf("explain a plan: %w", err)
	}
	if c.reports == nil || len(c.reports) > 200 {
		c.reports = map[string]rollout.Report{}
	}
	c.reports[hash] = report
	return report, nil
}

// explain is what planning says of a plan among all servers of the organization,
// as they are now: what others in a site leave in service, and who holds whom.
func (s *server) explain(ctx context.Context, p rollout.Plan) (rollout.Report, error) {
	all, err := s.serversAsRead(ctx)
	if err != nil {
		return rollout.Report{}, err
	}
	inPlan := map[string]bool{}
	for _, one := range p.Servers {
		inPlan[one.Name] = true
	}
	outside := slices.DeleteFunc(exchangeServers(all), func(one exchange.Server) bool { return inPlan[one.Name] })
	report, err := rollout.ReportOf(p, outside)
	if err != nil {
		return report, fmt.Errorf("explain a plan: %w", err)
	}
	return report, nil
}

func (s *server) plan(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	plan, err := s.planOf(r)
	if err != nil {
		return err
	}
	revision := plan.Revisions[0]
	if n := part(r, "number"); n != "" {
		i := slices.IndexFunc(plan.Revisions, func(one store.Revision) bool { return strconv.Itoa(one.Number) == n })
		if i < 0 {
			return rollout.NotFound("The plan has no revision %s.", n)
		}
		revision = plan.Revisions[i]
	}
	view, err := s.planView(r, v, plan, revision)
	if err != nil {
		return err
	}
	view.Frame = s.frame(r, v, plan.Name, "plans")
	return s.render(w, r, http.StatusOK, page.PlanPage(view))
}

func (s *server) planView(r *http.Request, v viewer, plan store.Plan, revision store.Revision) (page.Plan, error) {
	content, err := rollout.ReadPlan(revision.Content)
	if err != nil {
		return page.Plan{}, err
	}
	report, err := s.explain(r.Context(), content)
	if err != nil {
		return page.Plan{}, err
	}
	preparations, err := s.Store.Preparations(r.Context())
	if err != nil {
		return page.Plan{}, err
	}
	clock := v.clock(s.Now())
	view := page.Plan{
		Name: plan.Name, Package: goalWords(content), Target: content.Target().Target.String(),
		State: stateOf(revision.State), Revision: "Revision " + ui.Digits(revision.Number), Hash: revision.Hash, Author: revision.Author,
		Created: clock.Moment(revision.CreatedAt), Policy: policySentences(content.Policy), Waves: planWaves(content, report),
	}
	view.Policy = append(view.Policy, scopeSentence(content))
	for _, f := range report.Findings {
		if f.Severity != rollout.Info {
			view.Findings = append(view.Findings, page.Finding{Severity: string(f.Severity), Rule: f.Rule, Text: f.Text, Servers: unnamed(f.Text, f.Servers)})
		}
	}
	for _, t := range report.Tensions {
		view.Tensions = append(view.Tensions, page.Tension{Strength: string(t.Strength), Text: t.Text, Servers: unnamed(t.Text, t.Servers)})
	}
	view.Left = inNoWave(content, report)
	view.Verdict = verdict(content, report)
	view.Prepared = prepared(v, plan.ID, content.Package, preparations, clock)
	if content.Kind == rollout.OfOrganization {
		organizationPlan(&view, content)
		if view.Changes, err = s.organizationNow(r.Context(), content, clock); err != nil {
			return page.Plan{}, err
		}
	}
	if content.Kind == rollout.OfServers && len(content.Waves) > 0 {
		if view.Checks, err = s.checksOf(r.Context(), content, planUnits(content), clock); err != nil {
			return page.Plan{}, err
		}
	}
	latest := revision.ID == plan.Revisions[0].ID
	view.Submit = submitAct(v, plan.ID, revision, content, latest)
	view.Points = points(revision, content, view.Submit)
	if content.Kind == rollout.OfServers {
		view.Know = mustKnow(content)
	}
	if latest && v.may(auth.Plan) && content.Kind == rollout.OfServers {
		view.Acts = append(view.Acts, ui.Act{Href: planHref(plan.ID) + "/edit", Text: "Change"})
	}
	if content.Kind == rollout.OfOrganization && revision.RolloutID != 0 {
		if view.Know, view.Confirmed, err = s.confirmedPoints(r.Context(), revision.RolloutID, clock); err != nil {
			return page.Plan{}, err
		}
	}
	if revision.RolloutID != 0 {
		if err := s.planOutcome(r.Context(), v, revision, &view); err != nil {
			return page.Plan{}, err
		}
		view.Rollout = ui.Link{Href: rolloutHref(revision.RolloutID), Text: "Go to its rollout"}
	}
	for i, one := range plan.Revisions {
		href := planHref(plan.ID)
		if i > 0 {
			href += "/revisions/" + ui.Digits(one.Number)
		}
		view.Revisions = append(view.Revisions, page.RevisionLine{
			Href: href, Text: "Revision " + ui.Digits(one.Number), State: stateOf(one.State), Author: one.Author, At: clock.Moment(one.CreatedAt), Here: one.ID == revision.ID,
		})
	}
	return view, nil
}

// planOutcome adds what became of a submitted revision: who rejected it and
// why, or the way to reject it while nothing has started.
func (s *server) planOutcome(ctx context.Context, v viewer, revision store.Revision, view *page.Plan) error {
	o, err := s.Store.Rollout(ctx, revision.RolloutID)
	if err != nil {
		return err
	}
	switch {
	case revision.State == rollout.Rejected:
		view.Verdict.Key, view.Verdict.Right = "rejected", sentenceOf(o.StopReason)
	case revision.State == rollout.Submitted && !ended(o.State) && begun(o) == 0 && v.may(auth.Approve):
		view.Acts = append(view.Acts, ui.Act{Href: rolloutHref(o.ID) + "/reject", Text: "Reject", Kind: "danger"})
	}
	return nil
}

// unnamed lists servers that a text does not name itself.
func unnamed(text string, servers []string) string {
	if len(servers) == 0 || strings.Contains(text, servers[0]) {
		return "" // it names them, or as many as there is room for
	}
	return ui.List(servers, 12)
}

func scopeSentence(p rollout.Plan) string {
	if p.Scope == rollout.ScopeSite {
		return "The order holds within each AD site, by the rule set " + p.RuleSet + "."
	}
	return "The order holds over the whole organization, by the rule set " + p.RuleSet + "."
}

func submitAct(v viewer, plan int64, revision store.Revision, content rollout.Plan, latest bool) ui.Act {
	act := ui.Act{Href: fmt.Sprintf("%s/submit?revision=%d&hash=%s", planHref(plan), revision.ID, revision.Hash), Text: "Submit for approval", Kind: "primary", Post: true, Why: v.why(auth.Submit)}
	switch {
	case revision.State != rollout.Draft:
		act.Why = "This revision is " + strings.ToLower(stateOf(revision.State).Word()) + "."
	case !latest:
		act.Why = "A newer revision exists."
	case len(content.Waves) == 0:
		act.Why = "There is nothing to do in it."
	}
	return act
}

// verdict answers the page's question: is it right, and when is it over?
func verdict(p rollout.Plan, report rollout.Report) page.Verdict {
	servers := 0
	for _, w := range p.Waves {
		servers += len(w)
	}
	blockers, warnings := 0, 0
	for _, f := range report.Findings {
		switch f.Severity {
		case rollout.Blocker:
			blockers++
		case rollout.Warning:
			warnings++
		case rollout.Info:
		}
	}
	for _, t := range report.Tensions {
		if t.Strength == rollout.Breaks {
			blockers++
		} else {
			warnings++
		}
	}
	out := page.Verdict{
		Key: "done", Right: "The order is proven by the rule set " + p.RuleSet + "; nothing speaks against it.",
		Servers: ui.Count(servers, "server", "servers") + " in " + ui.Count(len(p.Waves), "wave", "waves"),
		Over:    "about " + minutes(report.Forecast.P50Minutes) + " of work, " + minutes(report.Forecast.P90Minutes) + " if it goes slowly",
	}
	switch {
	case servers == 0:
		out.Key, out.Right, out.Over = "warning", "There is nothing to do.", "–"
	case blockers > 0:
		out.Key, out.Right = "blocker", "Some servers are blocked or users would notice: "+ui.Count(blockers, "thing", "things")+" to read before you submit."
	case warnings > 0:
		out.Key, out.Right = "warning", "The order is proven by the rule set "+p.RuleSet+"; "+ui.Count(warnings, "warning", "warnings")+" to read."
	}
	return out
}

func planWaves(p rollout.Plan, report rollout.Report) []page.PlanWave {
	by := map[string]exchange.Server{}
	for _, one := range p.Servers {
		by[one.Name] = one
	}
	var waves []page.PlanWave
	for i, w := range report.Waves {
		lane := page.PlanWave{Number: w.Number, Title: "Wave " + ui.Digits(w.Number), Why: w.Name}
		longest := 0
		for _, one := range w.Servers {
			longest = max(longest, one.P50Minutes)
			reasons := afterWords(one.After)
			row := page.PlanServer{
				Name: one.Server, Href: serverHref(one.Server), Roles: short(by[one.Server].Roles), Site: siteWords(by[one.Server].Site),
				Build: buildWords(by[one.Server].Build), Minutes: minutes(one.P50Minutes), Reason: "nothing in this plan comes before it", After: reasons,
			}
			if len(reasons) > 0 {
				row.Reason = reasons[0]
			}
			lane.Servers = append(lane.Servers, row)
		}
		lane.Words = ui.Count(len(w.Servers), "server", "servers") + " · the longest about " + minutes(longest)
		if i > 0 {
			lane.Why += ", when wave " + ui.Digits(i) + " is done"
		}
		waves = append(waves, lane)
	}
	return waves
}

// afterWords says, strongest first, what comes before a server.
func afterWords(after []rollout.After) []string {
	list := slices.Clone(after)
	slices.SortStableFunc(list, func(a, b rollout.After) int {
		return boolFirst(a.Strength == rollout.Breaks, b.Strength == rollout.Breaks)
	})
	var out []string
	for _, a := range list {
		text := "after " + ui.Count(a.Count, a.Role+" server", a.Role+" servers") + " (" + ui.List(a.Servers, 3) + ")"
		if a.Strength == rollout.Breaks {
			text += ": mail access breaks otherwise"
		}
		out = append(out, text)
	}
	return out
}

func boolFirst(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	default:
		return 0
	}
}

// inNoWave lists the servers of a plan that are in no wave, with why.
func inNoWave(p rollout.Plan, report rollout.Report) []page.Item {
	var out []page.Item
	for _, one := range p.Servers {
		if p.WaveOf(one.Name) != 0 {
			continue
		}
		why := "nothing is to be done on it"
		for _, mate := range rollout.UnitOf(p.Servers, one.Name) {
			if n := p.WaveOf(mate.Name); n != 0 && mate.Name != one.Name {
				why = fmt.Sprintf("done with %s in wave %d: they are on the same nodes", mate.Name, n)
			}
		}
		for _, f := range report.Findings {
			if slices.Contains(f.Servers, one.Name) && (f.Severity == rollout.Blocker || f.Rule == "already-at-the-target") {
				why = strings.ReplaceAll(f.Rule, "-", " ")
			}
		}
		out = append(out, page.Item{Name: one.Name, Value: why})
	}
	return out
}

func prepared(v viewer, plan int64, pkg exchange.Package, all map[string]store.Preparation, clock ui.Clock) page.Prepared {
	if pkg.Kind == exchange.Rollup {
		return page.Prepared{Known: true, Text: "Nothing is to be prepared for " + pkg.Words + ": a rollup changes neither schema nor organization nor domains, as far as pages say (the TechNet wiki's list of Exchange schema versions has RTM and the service packs, and no rollup)."}
	}
	if p, ok := all[pkg.Name]; ok {
		text := fmt.Sprintf("Recorded for %s by %s, %s: %s", pkg.Words, p.By, clock.Moment(p.At).Text, p.Reason)
		if p.DoneBy != "" {
			text += ". Prepared by " + p.DoneBy
		}
		return page.Prepared{Known: true, Text: text, Versions: versionWords(p.Versions)}
	}
	out := page.Prepared{
		Text: "Nobody recorded yet that schema and configuration are prepared for " + pkg.Words + ". The first Setup would extend the schema unasked, so no server starts before this is recorded.",
		Why:  v.why(auth.Prepare),
	}
	if out.Why == "" {
		out.Action = planHref(plan) + "/prepared"
	}
	return out
}

func (s *server) planSubmit(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Submit)
	if err != nil {
		return err
	}
	revision, err := strconv.ParseInt(r.URL.Query().Get("revision"), 10, 64)
	if err != nil {
		return rollout.Invalid("The form does not say which revision to submit.")
	}
	if err := wholeForm(r); err != nil {
		return err
	}
	id, err := s.Store.SubmitConfirmed(r.Context(), v.actor(r), revision, r.URL.Query().Get("hash"), r.PostForm["point"], s.Runbooks)
	if err != nil {
		return err
	}
	return s.done(w, r, rolloutHref(id), "Submitted. An operator who did not write the plan approves its waves here.")
}

func (s *server) planPrepared(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Prepare)
	if err != nil {
		return err
	}
	plan, err := s.planOf(r)
	if err != nil {
		return err
	}
	if err := s.Store.RecordPreparation(r.Context(), v.actor(r), plan.Package, r.PostFormValue("done_by"), strings.TrimSpace(r.PostFormValue("reason"))); err != nil {
		return err
	}
	return s.done(w, r, planHref(plan.ID)+"#prepared", "Recorded in your name.")
}
