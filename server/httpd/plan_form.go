package httpd

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// planInput is what the plan form says.
type planInput struct {
	Name, Package, Then, Scope, RuleSet string
	Policy                              rollout.Policy
	Servers                             map[string]bool // nil = every server that is to do
	Errors                              []string
}

func newPlanInput() planInput {
	return planInput{Package: "sp1", Scope: rollout.ScopeOrganization, RuleSet: "standard", Policy: rollout.DefaultPolicy()}
}

func readPlanInput(q url.Values) planInput {
	in := planInput{
		Name: strings.TrimSpace(q.Get("name")), Package: q.Get("package"), Then: q.Get("then"), Scope: q.Get("scope"), RuleSet: q.Get("ruleset"),
		Policy: rollout.DefaultPolicy(), Servers: map[string]bool{},
	}
	in.Policy.Overlap = q.Get("overlap") != ""
	in.Policy.AtOnce = in.whole(q, "at_once")
	in.Policy.AtOncePerSite = in.whole(q, "at_once_per_site")
	in.Policy.Floor = rollout.Floor{Count: in.whole(q, "floor")}
	in.Policy.StopAfterFailures = in.whole(q, "stop_after_failures")
	for _, name := range q["server"] {
		in.Servers[name] = true
	}
	if in.Name == "" {
		in.Errors = append(in.Errors, "Give the plan a name.")
	}
	if len(in.Servers) == 0 {
		in.Errors = append(in.Errors, "Choose at least one server.")
	}
	return in
}

func (in *planInput) whole(q url.Values, name string) int {
	n, err := strconv.Atoi(strings.TrimSpace(q.Get(name)))
	if err != nil || n < 0 || n > 100000 {
		in.Errors = append(in.Errors, fmt.Sprintf("%s: %q is no whole number from 0 to 100,000.", strings.ReplaceAll(name, "_", " "), q.Get(name)))
		return 0
	}
	return n
}

// serversAsRead is the inventory with the builds that hosts showed, where they did:
// what was imported is of before the last service pack.
func (s *server) serversAsRead(ctx context.Context) ([]store.Server, error) {
	all, err := s.Store.Servers(ctx)
	if err != nil {
		return nil, err
	}
	lines, err := s.Store.ServerLines(ctx)
	if err != nil {
		return nil, err
	}
	read := map[string]exchange.Build{}
	for _, l := range lines {
		if l.Read {
			read[l.Name] = l.Build
		}
	}
	for i, one := range all {
		if build, ok := read[one.Name]; ok {
			all[i].Build = build
		}
	}
	return all, nil
}

// make works the plan out over the inventory as it is now.
func (in *planInput) make(all []store.Server) (rollout.Plan, error) {
	pkg, err := exchange.PackageByName(in.Package)
	if err != nil {
		return rollout.Plan{}, rollout.Invalid("%s.", err)
	}
	var then *exchange.Package
	if in.Then != "" {
		second, err := exchange.PackageByName(in.Then)
		if err != nil {
			return rollout.Plan{}, rollout.Invalid("%s.", err)
		}
		then = &second
	}
	inside, outside := withMates(all, in.Servers)
	plan, _, err := rollout.Make(inside, pkg, rollout.Options{Scope: in.Scope, RuleSet: in.RuleSet, Policy: &in.Policy, Outside: outside, Then: then})
	return plan, err
}

// withMates parts the inventory into the chosen servers and the others. Whoever
// shares its nodes with a chosen clustered mailbox server is chosen, too: the
// nodes are upgraded once, with all on them.
func withMates(all []store.Server, chosen map[string]bool) (inside, outside []exchange.Server) {
	servers := exchangeServers(all)
	in := maps.Clone(chosen)
	for _, one := range servers {
		if chosen[one.Name] && one.Cluster != exchange.Standalone {
			for _, mate := range rollout.UnitOf(servers, one.Name) {
				in[mate.Name] = true
			}
		}
	}
	for _, one := range servers {
		if in[one.Name] {
			inside = append(inside, one)
		} else {
			outside = append(outside, one)
		}
	}
	return inside, outside
}

func exchangeServers(all []store.Server) []exchange.Server {
	out := make([]exchange.Server, len(all))
	for i, one := range all {
		out[i] = one.Server
	}
	return out
}

func (s *server) planNew(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	return s.planForm(w, r, v, http.StatusOK, newPlanInput(), page.PlanForm{Title: "New plan", Action: "/plans", Back: ui.Link{Href: "/plans", Text: "Cancel"}})
}

func (s *server) planForm(w http.ResponseWriter, r *http.Request, v viewer, status int, in planInput, view page.PlanForm) error {
	lines, err := s.Store.ServerLines(r.Context())
	if err != nil {
		return err
	}
	view.Frame = s.frame(r, v, view.Title, "plans")
	view.Button, view.Name, view.Why, view.Errors = "Work out the order", in.Name, v.why(auth.Plan), in.Errors
	for _, p := range packagesOffered() {
		if p.Withdrawn {
			continue
		}
		text := p.Words + " (" + p.Target.String() + ")"
		view.Packages = append(view.Packages, page.Choice{Value: p.Name, Text: text, On: p.Name == in.Package})
		if p.Kind == exchange.Rollup {
			view.Then = append(view.Then, page.Choice{Value: p.Name, Text: text, On: p.Name == in.Then})
		}
	}
	view.Then = slices.Insert(view.Then, 0, page.Choice{Text: "nothing", On: in.Then == ""})
	view.Scopes = []page.Choice{
		{Value: rollout.ScopeOrganization, Text: "the whole organization", Hint: "strict: every ClientAccess server comes before any Mailbox server", On: in.Scope != rollout.ScopeSite},
		{Value: rollout.ScopeSite, Text: "each AD site", Hint: "sites do not wait for each other; internet-facing sites come first", On: in.Scope == rollout.ScopeSite},
	}
	ruleset, _, _ := strings.Cut(in.RuleSet, "@")
	view.Rulesets = []page.Choice{
		{Value: "standard", Text: "standard: CAS, HT, MBX, UM; ET after HT", On: ruleset != "microsoft-2007"},
		{Value: "microsoft-2007", Text: "microsoft-2007: CAS, UM, HT, ET, MBX", On: ruleset == "microsoft-2007"},
	}
	view.Policy = []page.PolicyField{
		{Name: "at_once", Before: "At most", Value: ui.Digits(in.Policy.AtOnce), After: "servers at once"},
		{Name: "at_once_per_site", Before: "of them per AD site", Value: ui.Digits(in.Policy.AtOncePerSite), After: "0 = no limit"},
		{Name: "floor", Before: "Keep in service", Value: ui.Digits(in.Policy.Floor.Count), After: "per role and site"},
		{Name: "stop_after_failures", Before: "Stop a wave after", Value: ui.Digits(in.Policy.StopAfterFailures), After: "failed servers"},
	}
	view.Overlap = in.Policy.Overlap
	view.Groups, view.Chosen = serverGroups(lines, in)
	return s.render(w, r, status, page.PlanFormPage(view))
}

// serverGroups are the servers to choose from, by AD site.
func serverGroups(lines []store.ServerLine, in planInput) ([]page.ServerGroup, string) {
	pkg, err := exchange.PackageByName(in.Package)
	if err != nil {
		pkg, _ = exchange.PackageByName("sp1") // it is in the list
	}
	groups := map[string]*page.ServerGroup{}
	var order []string
	chosen := 0
	for _, l := range lines {
		key := strings.ToLower(l.Site)
		if groups[key] == nil {
			groups[key] = &page.ServerGroup{Site: siteWords(l.Site)}
			order = append(order, key)
		}
		if then, err := exchange.PackageByName(in.Then); err == nil {
			pkg = then
		}
		c := page.ServerChoice{Name: l.Name, Roles: short(l.Roles), Build: buildWords(l.Build), On: true}
		switch {
		case l.Build.AtLeast(pkg.Target):
			c.Note, c.On = "at "+pkg.Words+" already", false
		case l.Arch == "x86":
			c.Note, c.On = "32-bit: in no wave", false
		case l.Cluster != "":
			c.Note = l.Cluster + " cluster: upgraded with all on its nodes"
		}
		if in.Servers != nil {
			c.On = in.Servers[l.Name]
		}
		if c.On {
			chosen++
		}
		groups[key].Servers = append(groups[key].Servers, c)
	}
	slices.Sort(order)
	var out []page.ServerGroup
	for _, key := range order {
		out = append(out, *groups[key])
	}
	return out, fmt.Sprintf("%d of %d chosen", chosen, len(lines))
}

func (s *server) planCreate(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Plan)
	if err != nil {
		return err
	}
	if err := wholeForm(r); err != nil {
		return err
	}
	in := readPlanInput(r.PostForm)
	form := page.PlanForm{Title: "New plan", Action: "/plans", Back: ui.Link{Href: "/plans", Text: "Cancel"}}
	if len(in.Errors) > 0 {
		return s.planForm(w, r, v, http.StatusUnprocessableEntity, in, form)
	}
	all, err := s.serversAsRead(r.Context())
	if err != nil {
		return err
	}
	plan, err := in.make(all)
	if err != nil {
		return err
	}
	id, _, err := s.Store.CreatePlan(r.Context(), v.actor(r), in.Name, plan)
	if err != nil {
		return err
	}
	return s.done(w, r, planHref(id), "The order is worked out. Nothing starts before the plan is submitted and its waves are approved.")
}

func (s *server) planEdit(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	plan, err := s.planOf(r)
	if err != nil {
		return err
	}
	latest := plan.Revisions[0]
	content, err := rollout.ReadPlan(latest.Content)
	if err != nil {
		return err
	}
	in := planInput{Name: plan.Name, Package: content.Package.Name, Then: plan.Then, Scope: content.Scope, RuleSet: content.RuleSet, Policy: content.Policy, Servers: map[string]bool{}}
	for _, one := range content.Servers {
		in.Servers[one.Name] = true
	}
	return s.planForm(w, r, v, http.StatusOK, in, reviseForm(plan, latest.ID))
}

func reviseForm(plan store.Plan, basedOn int64) page.PlanForm {
	return page.PlanForm{
		Title: "Change " + plan.Name, Action: fmt.Sprintf("%s/revisions?based_on=%d", planHref(plan.ID), basedOn), NameKept: true,
		Back: ui.Link{Href: planHref(plan.ID), Text: "Cancel"},
	}
}

func (s *server) planOf(r *http.Request) (store.Plan, error) {
	id, err := number(r, "plan")
	if err != nil {
		return store.Plan{}, err
	}
	plan, err := s.Store.PlanByID(r.Context(), id)
	if err == nil && len(plan.Revisions) == 0 {
		err = rollout.NotFound("The plan has no revision.")
	}
	return plan, err
}

func (s *server) planRevise(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Plan)
	if err != nil {
		return err
	}
	plan, err := s.planOf(r)
	if err != nil {
		return err
	}
	basedOn, err := strconv.ParseInt(r.URL.Query().Get("based_on"), 10, 64)
	if err != nil {
		return rollout.Invalid("The form does not say which revision it changes.")
	}
	if err := wholeForm(r); err != nil {
		return err
	}
	in := readPlanInput(r.PostForm)
	if len(in.Errors) > 0 {
		return s.planForm(w, r, v, http.StatusUnprocessableEntity, in, reviseForm(plan, basedOn))
	}
	all, err := s.serversAsRead(r.Context())
	if err != nil {
		return err
	}
	content, err := in.make(all)
	if err != nil {
		return err
	}
	if _, err := s.Store.AddRevision(r.Context(), v.actor(r), plan.ID, basedOn, content); err != nil {
		return err
	}
	return s.done(w, r, planHref(plan.ID), "A new revision is made. What was submitted stays as it is until the new one is submitted.")
}
