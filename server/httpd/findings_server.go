package httpd

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"wavekeeper/server/auth"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func waiverHref(id int64) string { return fmt.Sprintf("/waivers/%d", id) }

func fixHref(id int64) string { return fmt.Sprintf("/fixes/%d", id) }

// serverFindings is the page of what was found on one server.
func (s *server) serverFindings(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	ctx := r.Context()
	one, err := s.Store.ServerByName(ctx, part(r, "server"))
	if err != nil {
		return err
	}
	pkg, err := s.judgedFor(ctx, r.URL.Query().Get("package"))
	if err != nil {
		return err
	}
	clock := v.clock(s.Now())
	view := page.ServerFindings{Name: one.Name, Package: pkg.Name, Packages: packageChoices(pkg.Name), Why: v.why(auth.Probe)}
	here := findingsHref(one.Name, pkg.Name)
	view.Asked = &ui.Link{Href: here + "&stored=1", Text: "Judge stored facts by today's rules"}
	if r.URL.Query().Get("stored") != "" {
		view.Stored, view.Asked = true, &ui.Link{Href: here, Text: "The last check"}
		view.Hosts, err = s.storedFindings(ctx, v, one, pkg.Name, clock)
	} else {
		view.Hosts, err = s.checkedFindings(ctx, v, one, pkg.Name, clock)
	}
	if err != nil {
		return err
	}
	if view.Overwritten, err = s.overwritten(ctx, one); err != nil {
		return err
	}
	if view.Waivers, err = s.waiverRows(ctx, one, clock); err != nil {
		return err
	}
	if view.Fixes, err = s.fixRows(ctx, one, clock); err != nil {
		return err
	}
	for _, h := range one.Hosts {
		runs, err := s.Store.LastRuns(ctx, h.ID, 5)
		if err != nil {
			return err
		}
		for _, run := range runs {
			view.Runs = append(view.Runs, runRow(run, clock))
		}
	}
	view.Frame = s.frame(r, v, "Findings of "+one.Name, "servers")
	return s.render(w, r, http.StatusOK, page.ServerFindingsPage(view))
}

// checkedFindings is what the last check of each host found.
func (s *server) checkedFindings(ctx context.Context, v viewer, one store.Server, pkg string, clock ui.Clock) ([]page.HostFindings, error) {
	asked, err := s.askedFor(ctx, one.ID)
	if err != nil {
		return nil, err
	}
	accepted, err := s.Store.WaiversFor(ctx, one.ID, pkg)
	if err != nil {
		return nil, err
	}
	var hosts []page.HostFindings
	for _, h := range one.Hosts {
		last, err := s.Store.LastChecks(ctx, h.ID, pkg, true, 2)
		if err != nil {
			return nil, err
		}
		out := page.HostFindings{Host: h.Name}
		if len(last) == 0 {
			out.Nothing = "Nobody checked this host for " + packageWords(pkg) + " yet."
			hosts = append(hosts, out)
			continue
		}
		run := last[0]
		run.ServerID, run.Server = one.ID, one.Name // of a node that several servers share, this page's
		var before *store.Run
		if len(last) > 1 {
			before = &last[1]
		}
		rows, gone := s.foundRows(v, run, before, asked, clock)
		out.Rows, out.Passed = apart(rows)
		out.Gone = gone
		out.Words = fmt.Sprintf("%s; checked %s by %s", countWords(store.Accepted(run.Findings, accepted)), clock.Ago(*run.JudgedAt), run.AskedBy)
		out.Old = clock.Now.Sub(*run.JudgedAt) > oldFacts
		hosts = append(hosts, out)
	}
	return hosts, nil
}

// storedFindings is what the rules of now say of stored facts.
func (s *server) storedFindings(ctx context.Context, v viewer, one store.Server, pkg string, clock ui.Clock) ([]page.HostFindings, error) {
	judged, err := s.Store.JudgeStored(ctx, one.Name, pkg)
	if err != nil {
		return nil, err
	}
	asked, err := s.askedFor(ctx, one.ID)
	if err != nil {
		return nil, err
	}
	var hosts []page.HostFindings
	for _, j := range judged {
		out := page.HostFindings{Host: j.Host}
		if j.Oldest == nil {
			out.Nothing = "No facts of this host are stored. Probe it, or check it now."
		} else {
			out.Words = fmt.Sprintf("%s; by facts of which the oldest was read %s", countWords(j.Findings), clock.Ago(*j.Oldest))
			out.Old = clock.Now.Sub(*j.Oldest) > oldFacts
			run := store.Run{Host: store.HostAddress{ID: j.HostID, Name: j.Host}, ServerID: one.ID, Server: one.Name, Package: pkg, Findings: j.Findings}
			rows, _ := s.foundRows(v, run, nil, asked, clock)
			out.Rows, out.Passed = apart(rows)
		}
		hosts = append(hosts, out)
	}
	return hosts, nil
}

// apart takes what passed out of rows, and puts the gravest first.
func apart(rows []page.FoundRow) (found []page.FoundRow, passed []string) {
	for _, row := range rows {
		if row.State.Key == string(preflight.Pass) {
			passed = append(passed, row.Rule.Text+": "+row.Text)
			continue
		}
		found = append(found, row)
	}
	slices.SortStableFunc(found, func(a, b page.FoundRow) int { return severityPlace(a.State.Key) - severityPlace(b.State.Key) })
	return found, passed
}

// countWords counts findings; those that somebody accepted are counted apart, as
// on the fleet's page.
func countWords(all []preflight.Finding) string {
	counts := map[preflight.Severity]int{}
	waived := 0
	for _, f := range all {
		if f.Waived {
			waived++
			continue
		}
		counts[f.Severity]++
	}
	words := fmt.Sprintf("%s, %s", ui.Count(counts[preflight.Blocker], "blocker", "blockers"), ui.Count(counts[preflight.Warning], "warning", "warnings"))
	if waived > 0 {
		words += fmt.Sprintf(", %d waived", waived)
	}
	return words + " of " + ui.Count(len(all), "rule", "rules")
}

func (s *server) waiverRows(ctx context.Context, one store.Server, clock ui.Clock) ([]page.WaiverRow, error) {
	all, err := s.Store.Waivers(ctx, one.ID, true)
	if err != nil {
		return nil, err
	}
	var rows []page.WaiverRow
	for _, w := range all[:min(len(all), 20)] {
		row := page.WaiverRow{
			Link: ui.Link{Href: waiverHref(w.ID)}, Rule: w.Rule + ", " + packageWords(w.Package), State: waiverState(w), Until: clock.Moment(w.Until),
			Reason: clean(w.Reason), By: w.AskedBy,
		}
		if w.DecidedBy != "" {
			row.By += ", decided by " + w.DecidedBy
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func waiverState(w store.Waiver) ui.State {
	switch {
	case w.State == store.WaiverRefused:
		return ui.State{Key: "rejected"}
	case w.State == store.WaiverWithdrawn:
		return ui.State{Key: "stopped", Note: "withdrawn"}
	case w.Over:
		return ui.State{Key: "stopped", Note: "its end has come"}
	case w.State == store.WaiverGranted:
		return ui.State{Key: "approved"}
	default:
		return ui.State{Key: "waiting", Note: "for an operator"}
	}
}

func (s *server) fixRows(ctx context.Context, one store.Server, clock ui.Clock) ([]page.FixRow, error) {
	all, err := s.Store.Fixes(ctx, one.ID, true)
	if err != nil {
		return nil, err
	}
	var rows []page.FixRow
	for _, f := range all[:min(len(all), 20)] {
		rows = append(rows, page.FixRow{
			Link: ui.Link{Href: fixHref(f.ID), Text: f.Name}, State: fixState(f), At: clock.Moment(f.AskedAt), Reason: clean(f.AskedBy + ": " + f.Reason), Message: clean(f.Message),
		})
	}
	return rows, nil
}

func fixState(f store.Fix) ui.State {
	switch f.State {
	case store.FixAsked:
		return ui.State{Key: "waiting", Note: "for an operator"}
	case store.FixRefused:
		return ui.State{Key: "rejected"}
	case store.FixApproved:
		return ui.State{Key: "running"}
	case store.FixUndoing:
		return ui.State{Key: "running", Note: "it is undone"}
	case store.FixUndone:
		return ui.State{Key: "stopped", Note: "undone"}
	case store.FixFailed:
		return ui.State{Key: "failed"}
	default:
		return ui.State{Key: "done"}
	}
}

func runRow(r store.Run, clock ui.Clock) page.RunRow {
	row := page.RunRow{Host: r.Host.Name, What: "check for " + packageWords(r.Package), State: ui.State{Key: string(r.State)}, At: clock.Moment(r.AskedAt), By: r.AskedBy, Message: clean(r.Message)}
	switch r.Kind {
	case store.RunOrganization:
		row.What = "look at the organization"
	case store.RunFix:
		row.What = fmt.Sprintf("fix %d", r.Fix)
	case store.RunUndo:
		row.What = fmt.Sprintf("fix %d undone", r.Fix)
	}
	if r.EndedAt != nil {
		row.At = clock.Moment(*r.EndedAt)
	}
	if r.State == rollout.Waiting && row.Message == "" {
		row.Message = "begins when nothing else is in work on the host"
	}
	return row
}

// findingsPart is the part of a server's page: what its last checks found, for
// the package of the newest of them.
func (s *server) findingsPart(ctx context.Context, one store.Server, clock ui.Clock) (page.FindingsPanel, error) {
	part := page.FindingsPanel{Href: serverHref(one.Name) + "/findings", Words: "Nobody checked this server yet."}
	var all []preflight.Finding
	var newest *store.Run
	for _, h := range one.Hosts {
		last, err := s.Store.LastChecks(ctx, h.ID, "", true, 1)
		if err != nil {
			return part, err
		}
		for i, r := range last {
			if newest == nil || r.JudgedAt.After(*newest.JudgedAt) {
				newest = &last[i]
			}
		}
	}
	if newest == nil {
		return part, nil
	}
	waivers, err := s.Store.WaiversFor(ctx, one.ID, newest.Package)
	if err != nil {
		return part, err
	}
	for _, h := range one.Hosts {
		last, err := s.Store.LastChecks(ctx, h.ID, newest.Package, true, 1)
		if err != nil {
			return part, err
		}
		for _, r := range last {
			all = append(all, store.Accepted(r.Findings, waivers)...)
		}
	}
	part.Href = findingsHref(one.Name, newest.Package)
	part.Words = fmt.Sprintf("For %s: %s, checked %s.", packageWords(newest.Package), countWords(all), clock.Ago(*newest.JudgedAt))
	for _, severity := range severityOrder {
		if slices.ContainsFunc(all, func(f preflight.Finding) bool { return f.Severity == severity && !f.Waived }) {
			part.State = ui.State{Key: string(severity)}
			break
		}
	}
	return part, nil
}

// toAccept lists waivers and fixes that wait for a person.
func (s *server) toAccept(ctx context.Context, v viewer) ([]page.Waiting, error) {
	clock := v.clock(s.Now())
	waivers, err := s.Store.Waivers(ctx, 0, false)
	if err != nil {
		return nil, err
	}
	var list []page.Waiting
	for _, w := range waivers {
		if w.State != store.WaiverAsked || w.Over {
			continue
		}
		one := page.Waiting{
			State: ui.State{Key: "waiting"}, Title: fmt.Sprintf("Accept a finding on %s: %s", w.Server, w.Rule),
			Detail: clean(fmt.Sprintf("%s · asked for by %s: %s", packageWords(w.Package), w.AskedBy, brief(w.Reason))), Href: waiverHref(w.ID), Since: clock.Moment(w.AskedAt),
		}
		if v.may(auth.Approve) && w.AskedByID != v.ID {
			one.Act = "Look and decide"
		}
		list = append(list, one)
	}
	fixes, err := s.Store.Fixes(ctx, 0, false)
	if err != nil {
		return nil, err
	}
	for _, f := range fixes {
		if f.State != store.FixAsked {
			continue
		}
		one := page.Waiting{
			State: ui.State{Key: "waiting"}, Title: fmt.Sprintf("Approve a fix on %s: %s", f.Host, f.Name),
			Detail: clean(fmt.Sprintf("asked for by %s: %s", f.AskedBy, brief(f.Reason))), Href: fixHref(f.ID), Since: clock.Moment(f.AskedAt),
		}
		if v.may(auth.Approve) && f.AskedByID != v.ID {
			one.Act = "Look and decide"
		}
		list = append(list, one)
	}
	return list, nil
}
