package httpd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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

const (
	findingsShown = 500            // rows of the fleet's page
	goneShown     = 100            // of what is gone
	oldFacts      = 24 * time.Hour // facts older than this are said to be old
)

func findingsHref(server, pkg string) string {
	return serverHref(server) + "/findings?" + url.Values{"package": {pkg}}.Encode()
}

func ruleHref(rule string) string { return "/rules/" + url.PathEscape(rule) }

// severityOrder is how grave findings are, the gravest first.
var severityOrder = []preflight.Severity{preflight.Blocker, preflight.Warning, preflight.Info, preflight.Pass}

// judgedFor is the package that a page is about: the one that was asked for,
// else that of the last checks, else the first service pack.
func (s *server) judgedFor(ctx context.Context, asked string) (exchange.Package, error) {
	if asked != "" {
		p, err := exchange.PackageByName(asked)
		if err != nil {
			return p, rollout.Invalid("%s", err)
		}
		return p, nil
	}
	last, err := s.Store.Batches(ctx, 1)
	if err != nil {
		return exchange.Package{}, err
	}
	if len(last) > 0 {
		if p, err := exchange.PackageByName(last[0].Package); err == nil {
			return p, nil
		}
	}
	return exchange.PackageByName("sp1")
}

// packagesOffered is the packages in the order in which people look for them:
// the service packs, then the rollups, the newest first.
func packagesOffered() []exchange.Package {
	all := exchange.Packages()
	slices.SortStableFunc(all, func(a, b exchange.Package) int {
		if byKind := boolFirst(a.Kind == exchange.ServicePack, b.Kind == exchange.ServicePack); byKind != 0 || a.Kind == exchange.ServicePack {
			return byKind
		}
		return b.Target.Compare(a.Target)
	})
	return all
}

func packageChoices(chosen string) []page.Choice {
	var all []page.Choice
	for _, p := range packagesOffered() {
		all = append(all, page.Choice{Value: p.Name, Text: p.Words, On: p.Name == chosen})
	}
	return all
}

// nodesOf lists the hosts of the server of that name, none where there is none.
func (s *server) nodesOf(ctx context.Context, name string) ([]string, error) {
	if name == "" {
		return nil, nil
	}
	one, err := s.Store.ServerByName(ctx, name)
	if errors.Is(err, rollout.ErrNotFound) {
		return nil, nil // part of a name
	}
	var nodes []string
	for _, n := range one.Nodes {
		nodes = append(nodes, n.Name)
	}
	return nodes, err
}

func (s *server) findings(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	view, err := s.findingsView(r.Context(), v, r.URL.Query())
	if err != nil {
		return err
	}
	view.Frame = s.frame(r, v, "Findings", "servers")
	view.Frame.Stream = address("/findings/stream", r.URL.Query())
	return s.render(w, r, http.StatusOK, page.FindingsPage(view))
}

func (s *server) findingsView(ctx context.Context, v viewer, q url.Values) (page.FleetFindings, error) {
	var view page.FleetFindings
	pkg, err := s.judgedFor(ctx, q.Get("package"))
	if err != nil {
		return view, err
	}
	f := store.FleetFilter{Severity: q.Get("severity"), Rule: q.Get("rule"), Text: strings.TrimSpace(q.Get("server"))}
	if f.Nodes, err = s.nodesOf(ctx, f.Text); err != nil {
		return view, err
	}
	asked, err := s.askedFor(ctx, 0)
	if err != nil {
		return view, err
	}
	preparations, err := s.Store.Preparations(ctx)
	if err != nil {
		return view, err
	}
	prepared := preparations[pkg.Name].At
	clock := v.clock(s.Now())
	size, err := s.Store.FleetChecked(ctx, pkg.Name, clock.Now.Add(-oldFacts))
	if err != nil {
		return view, err
	}
	view = page.FleetFindings{
		Package: pkg.Name, Packages: packageChoices(pkg.Name), Server: f.Text, Set: f.Severity+f.Rule+f.Text != "", Why: v.why(auth.Probe),
		Scope: "Check all " + ui.Count(size.Servers, "server", "servers"),
	}
	for _, one := range severityOrder[:3] {
		view.Severities = append(view.Severities, page.Choice{Value: string(one), Text: ui.State{Key: string(one)}.Word(), On: string(one) == f.Severity})
	}
	found, err := s.Store.FleetCounts(ctx, pkg.Name, f)
	if err != nil {
		return view, err
	}
	rules := map[string]bool{}
	counts := map[preflight.Severity]int{}
	waived, shown := 0, 0
	for _, c := range found {
		rules[c.Rule] = true
		if c.Waived {
			waived += c.Found
		} else {
			counts[c.Severity] += c.Found
		}
		if (f.Severity == "" || string(c.Severity) == f.Severity) && (f.Rule == "" || c.Rule == f.Rule) {
			shown += c.Shown
		}
	}
	all, err := s.Store.FleetFindings(ctx, pkg.Name, f, pageOfFindings(&view, shown, q), findingsShown)
	if err != nil {
		return view, err
	}
	rows := make([]page.FoundRow, 0, len(all))
	for _, one := range all {
		row := s.foundRow(v, one.Run, one.Finding, sinceBefore(one), asked, clock)
		row.Before = foundBefore(one.Finding, *one.Run.JudgedAt, prepared, clock)
		rows = append(rows, row)
	}
	view.Groups = foundGroups(rows)
	if view.Gone, err = s.gone(ctx, pkg.Name); err != nil {
		return view, err
	}
	for _, one := range preflight.Rules() {
		if rules[one.Name] {
			view.Rules = append(view.Rules, page.Choice{Value: one.Name, Text: one.Name, On: one.Name == f.Rule})
		}
	}
	view.Words = fmt.Sprintf("%s checked for %s: %s, %s", ui.Count(size.Hosts, "host", "hosts"), pkg.Words, ui.Count(counts[preflight.Blocker], "blocker", "blockers"), ui.Count(counts[preflight.Warning], "warning", "warnings"))
	if waived > 0 {
		view.Words += fmt.Sprintf(", %d waived", waived)
	}
	if size.Old > 0 {
		view.Notes = append(view.Notes, fmt.Sprintf("%s not checked within the last 24 hours.", ui.Count(size.Old, "host was", "hosts were")))
	}
	if err := s.unchecked(ctx, pkg.Name, &view); err != nil {
		return view, err
	}
	view.Empty = ui.Empty{Title: "Nothing found", Text: "No check of this package found anything that this filter shows."}
	if size.Hosts == 0 {
		view.Words = "no host was checked for " + pkg.Words + " yet"
		view.Empty = ui.Empty{Title: "Nobody checked yet", Text: "A check asks the hosts, changes nothing there but the program's own folder, and may run at any time."}
	}
	return view, nil
}

// sinceBefore says what changed of a finding since the check before.
func sinceBefore(one store.FleetFinding) string {
	if !one.Again {
		return ""
	}
	var before []preflight.Finding
	if one.Before != nil {
		before = append(before, *one.Before)
	}
	since, _ := sinceWords(preflight.Compare(before, []preflight.Finding{one.Finding}))
	return since[one.Finding.Rule]
}

// gone lists what the check before found and the last one did not, cut.
func (s *server) gone(ctx context.Context, pkg string) ([]string, error) {
	all, err := s.Store.FleetGone(ctx, pkg, goneShown+1)
	if err != nil {
		return nil, err
	}
	var words []string
	for _, one := range all[:min(len(all), goneShown)] {
		words = append(words, one.Run.Host.Name+": "+one.Finding.Rule+": "+clean(one.Finding.Text))
	}
	if len(all) > goneShown {
		words = append(words, "and more; each server's page of findings has its own")
	}
	return words, nil
}

// unchecked adds how far batches are, and which hosts came to nothing.
func (s *server) unchecked(ctx context.Context, pkg string, view *page.FleetFindings) error {
	batches, err := s.Store.Batches(ctx, 5)
	if err != nil {
		return err
	}
	clock := ui.Clock{Now: s.Now(), Zone: time.UTC}
	for i, b := range batches {
		if !b.Open() && i > 0 {
			continue
		}
		row := page.BatchRow{
			ID: strconv.FormatInt(b.ID, 10), Package: packageWords(b.Package), Words: fmt.Sprintf("%d of %s over", b.Over, ui.Count(b.Runs, "host", "hosts")),
			Open: b.Open(), By: b.AskedBy, At: clock.Moment(b.AskedAt), Cancel: view.Why == "" && b.CancelledAt == nil,
		}
		if b.Runs > 0 {
			row.Percent = 100 * b.Over / b.Runs
		}
		if b.CancelledAt != nil {
			row.Words = fmt.Sprintf("cancelled after %d of %s", b.Over-b.Skipped, ui.Count(b.Runs, "host", "hosts"))
			row.Ended = "by " + b.CancelledBy
		}
		if b.InWork > 0 {
			row.Words += fmt.Sprintf(", %d in work", b.InWork)
		}
		if b.Failed > 0 {
			row.Words += fmt.Sprintf(", %d came to nothing", b.Failed)
		}
		view.Batches = append(view.Batches, row)
		if b.Failed == 0 || b.Package != pkg {
			continue
		}
		runs, err := s.Store.RunsOfBatch(ctx, b.ID)
		if err != nil {
			return err
		}
		for _, r := range runs {
			if r.State == rollout.Failed && len(view.Notes) < 20 {
				view.Notes = append(view.Notes, clean(r.Host.Name+" was not checked: "+r.Message))
			}
		}
	}
	return nil
}

func severityPlace(key string) int { return slices.Index(severityOrder, preflight.Severity(key)) }

// foundRows are a check's findings as rows, in their order, and what the check
// before found that is gone.
func (s *server) foundRows(v viewer, r store.Run, before *store.Run, asked askedFor, clock ui.Clock) (rows []page.FoundRow, gone []string) {
	since := map[string]string{}
	if before != nil {
		since, gone = sinceWords(preflight.Compare(before.Findings, r.Findings))
	}
	for _, f := range r.Findings {
		rows = append(rows, s.foundRow(v, r, f, since[f.Rule], asked, clock))
	}
	return rows, gone
}

// sinceWords says what changed, by rule, and what is gone.
func sinceWords(changes []preflight.Change) (since map[string]string, gone []string) {
	since = map[string]string{}
	for _, c := range changes {
		switch {
		case c.After == nil || c.After.Severity == preflight.Pass:
			if c.Before != nil && c.Before.Severity != preflight.Pass {
				gone = append(gone, c.Rule+": "+clean(c.Before.Text))
			}
		case c.Before == nil || c.Before.Severity == preflight.Pass:
			since[c.Rule] = "new"
		case c.Before.Severity != c.After.Severity:
			since[c.Rule] = "was " + strings.ToLower(ui.State{Key: string(c.Before.Severity)}.Word())
		default:
			since[c.Rule] = "changed"
		}
	}
	return since, gone
}

func (s *server) foundRow(v viewer, r store.Run, f preflight.Finding, since string, asked askedFor, clock ui.Clock) page.FoundRow {
	row := page.FoundRow{
		Server: ui.Link{Href: findingsHref(r.Server, r.Package), Text: r.Server}, Host: r.Host.Name, State: ui.State{Key: string(f.Severity)},
		Rule: ui.Link{Href: ruleHref(f.Rule), Text: f.Rule}, Text: clean(f.Text), Evidence: clean(f.Evidence), Remedy: clean(f.Remedy), Since: since,
	}
	if !f.At.IsZero() {
		row.Facts = clock.Moment(f.At)
	}
	waits := false
	for _, w := range asked.waivers {
		if !w.Of(r.Server) || w.Package != r.Package || w.Rule != f.Rule || w.Over {
			continue
		}
		link := &ui.Link{Href: waiverHref(w.ID)}
		switch {
		case w.Holds(string(f.Severity)) && f.Waivable:
			row.State.Note = "waived"
			link.Text = clean(fmt.Sprintf("Waived until %s by %s; %s asked: %s", clock.Moment(w.Until).Text, w.DecidedBy, w.AskedBy, w.Reason))
		case w.State == store.WaiverAsked:
			waits = true
			link.Text = clean(fmt.Sprintf("%s asks that it be accepted until %s: %s", w.AskedBy, clock.Moment(w.Until).Text, w.Reason))
		case w.Stands():
			link.Text = "A waiver of what was less grave does not hold for this"
		default:
			continue
		}
		row.Waiver = link
	}
	grave := f.Severity == preflight.Blocker || f.Severity == preflight.Warning
	if f.Waivable && f.Severity == preflight.Blocker && row.State.Note == "" && !waits && v.may(auth.Probe) {
		row.Acts = append(row.Acts, ui.Link{
			Href: serverHref(r.Server) + "/waive?" + url.Values{"package": {r.Package}, "rule": {f.Rule}}.Encode(), Text: "Accept for a while",
		})
	}
	row.Fixed = asked.fixOf(r, f, clock)
	if _, known := s.fixNamed(f.Fix); known && grave && row.Fixed == nil && v.may(auth.Probe) {
		row.Acts = append(row.Acts, ui.Link{
			Href: serverHref(r.Server) + "/fix?" + url.Values{"name": {f.Fix}, "host": {r.Host.Name}, "rule": {f.Rule}, "package": {r.Package}}.Encode(), Text: "Have it fixed",
		})
	}
	if trouble, known := exchange.RecoveryByName(f.Rule); known && grave {
		row.Acts = append(row.Acts, ui.Link{Href: recoveryHref(trouble.Name), Text: "What to do: " + trouble.Title})
	}
	return row
}

// checkServers asks for checks of one server or of all.
func (s *server) checkServers(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Probe)
	if err != nil {
		return err
	}
	pkg, err := s.judgedFor(r.Context(), r.PostFormValue("package"))
	if err != nil {
		return err
	}
	ask := store.CheckAsk{Package: pkg.Name}
	to := "/findings?" + url.Values{"package": {pkg.Name}}.Encode()
	if name := r.PostFormValue("server"); name != "" {
		one, err := s.Store.ServerByName(r.Context(), name)
		if err != nil {
			return err
		}
		ask.Servers, to = []int64{one.ID}, findingsHref(one.Name, pkg.Name)
	} else {
		all, err := s.Store.Servers(r.Context())
		if err != nil {
			return err
		}
		for _, one := range all {
			ask.Servers = append(ask.Servers, one.ID)
		}
	}
	asked, err := s.Store.AskChecks(r.Context(), v.actor(r), ask)
	if err != nil {
		return err
	}
	words := fmt.Sprintf("Checks are asked for on %s.", ui.Count(asked.Hosts, "host", "hosts"))
	if len(asked.Open) > 0 {
		words += " Being checked already: " + ui.List(asked.Open, 5) + "."
	}
	return s.done(w, r, to, words)
}

// checksCancel ends a batch of checks.
func (s *server) checksCancel(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Probe)
	if err != nil {
		return err
	}
	batch, err := strconv.ParseInt(r.PostFormValue("batch"), 10, 64)
	if err != nil {
		return rollout.Invalid("Say which checks: the button is beside them.")
	}
	if err := s.Store.CancelChecks(r.Context(), v.actor(r), batch, reason(r)); err != nil {
		return err
	}
	return s.done(w, r, "/findings?"+url.Values{"package": {r.PostFormValue("package")}}.Encode(), fmt.Sprintf("Checks %d are cancelled; what they left on hosts is removed.", batch))
}
