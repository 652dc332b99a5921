package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// planWords names what a plan is about.
func planWords(p rollout.Plan) string {
	words := p.Package.Words
	switch {
	case p.Kind == rollout.OfOrganization:
		return "Organization prepared for " + words
	case p.Then != nil:
		return words + " and then " + p.Then.Words
	}
	return words
}

// planLineWords is planWords of a line of a list.
func planLineWords(kind rollout.PlanKind, pkg, then string) string {
	switch {
	case kind == rollout.OfOrganization:
		return "Organization for " + packageWords(pkg)
	case then != "":
		return packageWords(pkg) + " and then " + packageWords(then)
	}
	return packageWords(pkg)
}

// goalWords is planWords with the build that its servers are at afterwards; a
// preparation brings no server to a build.
func goalWords(p rollout.Plan) string {
	if p.Kind == rollout.OfOrganization {
		return planWords(p)
	}
	return planWords(p) + ", to " + p.Target().Target.String()
}

// levelWords are the versions that a preparation for a package leaves.
func levelWords(p exchange.Package) string {
	want, ok := exchange.LevelFor(p)
	if !ok {
		return "–"
	}
	return fmt.Sprintf("schema %d, organization %d, every domain %d, or newer", want.Schema, want.Organization, want.Domain)
}

// directoryWords are the versions of schema, organization and domains that are
// known now; empty when none is.
func (s *server) directoryWords(ctx context.Context) (string, error) {
	facts, err := s.Store.OrganizationFacts(ctx)
	if err != nil {
		return "", err
	}
	known := map[string]json.RawMessage{}
	for _, f := range facts {
		known[f.Name] = f.Value
	}
	var words []string
	for _, name := range []string{"schema", "organization"} {
		if value, ok := known[name]; ok {
			words = append(words, name+" "+string(value))
		}
	}
	return strings.Join(append(words, domainWords(known["domains"])...), ", ") + byHandWords(facts), nil
}

// organizationNow is what is known now, with its age, beside what a preparation
// leaves; and where the schema master is, with the site of the host it runs on.
func (s *server) organizationNow(ctx context.Context, p rollout.Plan, clock ui.Clock) ([]page.Item, error) {
	before, err := s.directoryWords(ctx)
	if err != nil {
		return nil, err
	}
	facts, err := s.Store.OrganizationFacts(ctx)
	if err != nil {
		return nil, err
	}
	now := page.Item{Name: "Now", Value: before}
	if before == "" {
		now.Value = "not read yet; the step before reads it"
	}
	host := p.Waves[0][0]
	master := page.Item{Name: "Schema master", Value: "not read yet", Note: "Setup runs on " + host}
	if unit := p.Unit(host); len(unit) > 0 {
		master.Note += ", " + siteWords(unit[0].Site)
	}
	var oldest time.Time
	for _, f := range facts {
		switch f.Name {
		case "schema", "organization", "domains":
			if oldest.IsZero() || f.At.Before(oldest) {
				oldest = f.At
			}
		case "schema_master":
			master.Value = organizationWords(f.Name, f.Value)
			master.Note = "read " + clock.Ago(f.At) + "; " + master.Note
		}
	}
	if !oldest.IsZero() {
		now.Note = "as last known " + clock.Ago(oldest) + ", " + clock.Moment(oldest).Text
	}
	return []page.Item{now, {Name: "Afterwards", Value: levelWords(p.Package)}, master}, nil
}

// domainWords are the domains with their versions.
func domainWords(value json.RawMessage) []string {
	var domains []preflight.PreparedDomain
	if json.Unmarshal(value, &domains) != nil {
		return nil
	}
	words := make([]string, 0, len(domains))
	for _, d := range domains {
		words = append(words, fmt.Sprintf("%s %d", d.Name, d.Version))
	}
	return words
}

// directoryBefore are the versions that a preparation found, as its step before
// kept them; empty until that is done.
func directoryBefore(u store.UpgradeRow) string { return directoryKept(u, rollout.OrganizationBefore) }

// directoryAfter are the versions that a preparation left.
func directoryAfter(u store.UpgradeRow) string { return directoryKept(u, rollout.OrganizationAfter) }

func directoryKept(u store.UpgradeRow, step string) string {
	for _, st := range u.Steps {
		if st.Name == step && st.State == rollout.Done {
			return clean(st.Memory[rollout.OrganizationVersions])
		}
	}
	return ""
}

// doneWords say what an upgrade that is done was verified by.
func doneWords(kind rollout.PlanKind, u store.UpgradeRow) string {
	if kind != rollout.OfOrganization {
		return "verified at " + orDash(u.Build)
	}
	if after := directoryAfter(u); after != "" {
		return "the organization is prepared: " + after
	}
	return "the organization is prepared, and that is on record"
}

// approveOrganization says what approving a preparation means where the page of
// servers would say something else.
func (s *server) approveOrganization(ctx context.Context, view *page.Approve, o store.RolloutView, known bool, clock ui.Clock) error {
	now, err := s.organizationNow(ctx, o.Content, clock)
	if err != nil {
		return err
	}
	view.Button = fmt.Sprintf("Approve the preparation for %s", o.Content.Package.Words)
	view.Changes = now
	for i := range view.Servers {
		view.Servers[i].Organizes = true
	}
	view.Blast = []page.Item{
		{Name: "Active Directory", Value: "the whole forest", Note: "schema, organization and every domain"},
		{Name: "Servers out of service", Value: "none", Note: "Setup runs on " + o.Content.Waves[0][0] + ", whose Exchange stays as it is"},
	}
	view.Floor = "no server goes out of service"
	if !known {
		view.Prepared = "It is recorded as prepared when this is done, with the versions read then."
	}
	for i := range view.Bound {
		view.Bound[i].Build, view.Bound[i].Services = "its build does not change", "stops no service"
	}
	return nil
}

// organizationPlan says of a preparation what differs from a plan of servers.
func organizationPlan(view *page.Plan, p rollout.Plan) {
	host := p.Waves[0][0]
	view.Verdict.Servers = "schema, organization and every domain, from " + host
	view.Verdict.Right = "Setup changes Active Directory for the whole forest. Nothing of that can be taken back, and no server is taken out of service by it."
	view.Verdict.Key = "warning"
	view.Policy = []string{"It has an approval of its own, by an operator who did not write it.", "Servers of other plans for " + p.Package.Words + " start once it is done."}
	if !view.Prepared.Known {
		view.Prepared.Text = "This plan records it when it is done, with the versions read then. What others did can be recorded instead."
	}
}

// mustKnow are the points of a plan's packages, which whoever submits a plan of
// servers reads and does not have to confirm one by one.
func mustKnow(p rollout.Plan) []page.PlanPoint {
	var out []page.PlanPoint
	add := func(pkg exchange.Package) {
		for _, one := range pkg.MustKnow {
			out = append(out, page.PlanPoint{Text: one.Text, Source: one.Source})
		}
	}
	add(p.Package)
	if p.Then != nil {
		add(*p.Then)
	}
	return out
}

// points are what whoever submits confirms; none when it cannot be submitted.
func points(revision store.Revision, p rollout.Plan, submit ui.Act) []page.PlanPoint {
	if p.Kind != rollout.OfOrganization || revision.State != rollout.Draft || submit.Why != "" {
		return nil
	}
	var out []page.PlanPoint
	for _, one := range p.Package.MustKnow {
		out = append(out, page.PlanPoint{Text: one.Text, Source: one.Source})
	}
	return out
}

// confirmedPoints are the points that whoever submitted a preparation confirmed,
// as the record has them, and who did so and when.
func (s *server) confirmedPoints(ctx context.Context, id int64, clock ui.Clock) ([]page.PlanPoint, string, error) {
	found, err := s.Store.History(ctx, store.HistoryFilter{Rollout: id, Kind: "plan.submit", Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, "", err
	}
	var detail struct {
		Confirmed []page.PlanPoint `json:"confirmed"`
	}
	if err := json.Unmarshal([]byte(found[0].Detail), &detail); err != nil {
		return nil, "", fmt.Errorf("read the record of rollout %d: %w", id, err)
	}
	return detail.Confirmed, clean(fmt.Sprintf("confirmed by %s, %s", found[0].Who, clock.Moment(found[0].At).Text)), nil
}

// versionWords lists the versions that were known when a preparation was recorded.
func versionWords(versions json.RawMessage) string {
	var known map[string]struct {
		Value  json.RawMessage `json:"value"`
		Source string          `json:"source"`
	}
	if json.Unmarshal(versions, &known) != nil {
		return ""
	}
	var words []string
	for _, name := range []string{"schema", "organization"} {
		if one, ok := known[name]; ok {
			words = append(words, name+" "+string(one.Value)+" ("+one.Source+")")
		}
	}
	words = append(words, domainWords(known["domains"].Value)...)
	if source := known["domains"].Source; strings.HasPrefix(source, store.SourceByHand) {
		words = append(words, "domains "+source)
	}
	return strings.Join(words, ", ")
}

func (s *server) planOrganization(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	return s.organizationForm(w, r, v, http.StatusOK, page.PlanOrganization{})
}

// organizationForm shows the form in which a person names the package and the
// host on which the organization is prepared.
func (s *server) organizationForm(w http.ResponseWriter, r *http.Request, v viewer, status int, view page.PlanOrganization) error {
	lines, err := s.Store.ServerLines(r.Context())
	if err != nil {
		return err
	}
	preparations, err := s.Store.Preparations(r.Context())
	if err != nil {
		return err
	}
	chosen := r.PostFormValue("package")
	for _, p := range exchange.Packages() {
		if p.Kind != exchange.ServicePack {
			continue
		}
		text := p.Words + " (" + p.Target.String() + ")"
		if _, done := preparations[p.Name]; done {
			text += ", recorded as prepared"
		}
		view.Packages = append(view.Packages, page.Choice{Value: p.Name, Text: text, On: p.Name == chosen})
	}
	for _, l := range lines {
		if l.Arch == "x86" || l.Cluster != "" { // MakeOrganization says why
			continue
		}
		view.Servers = append(view.Servers, page.Choice{Value: l.Name, Text: l.Name + ", " + siteWords(l.Site), On: l.Name == r.PostFormValue("server")})
	}
	view.Frame = s.frame(r, v, "Prepare the organization", "plans")
	view.Name, view.Why = r.PostFormValue("name"), v.why(auth.Plan)
	return s.render(w, r, status, page.PlanOrganizationPage(view))
}

func (s *server) planOrganizationCreate(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Plan)
	if err != nil {
		return err
	}
	if err := wholeForm(r); err != nil {
		return err
	}
	name := strings.TrimSpace(r.PostFormValue("name"))
	all, err := s.Store.Servers(r.Context())
	if err != nil {
		return err
	}
	servers := make([]exchange.Server, 0, len(all))
	for _, one := range all {
		servers = append(servers, one.Server)
	}
	view := page.PlanOrganization{}
	if name == "" {
		view.Errors = append(view.Errors, "Give the plan a name.")
	}
	if !slices.ContainsFunc(servers, func(one exchange.Server) bool { return one.Name == r.PostFormValue("server") }) {
		view.Errors = append(view.Errors, "Choose the server on which Setup prepares the organization.")
	}
	if len(view.Errors) > 0 {
		return s.organizationForm(w, r, v, http.StatusUnprocessableEntity, view)
	}
	pkg, err := exchange.PackageByName(r.PostFormValue("package"))
	if err != nil {
		return rollout.Invalid("%s.", err)
	}
	plan, err := rollout.MakeOrganization(rollout.UnitOf(servers, r.PostFormValue("server")), pkg)
	if err != nil {
		return err
	}
	id, _, err := s.Store.CreatePlan(r.Context(), v.actor(r), name, plan)
	if err != nil {
		return err
	}
	return s.done(w, r, planHref(id), "Read what must be known and confirm it when you submit. Nothing starts before an operator approves.")
}
