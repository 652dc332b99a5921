package httpd

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// Fix is a safe and reversible repair that a person may have done.
type Fix struct {
	Name   string
	Words  string // what it does
	Undo   string // what undoing it does
	Before string // what to know before
}

func (s *server) fixNamed(name string) (Fix, bool) {
	for _, f := range s.Fixes {
		if f.Name == name && name != "" {
			return f, true
		}
	}
	return Fix{}, false
}

// hostOf is the host of that name of a server.
func hostOf(one store.Server, name string) (store.Host, error) {
	for _, h := range one.Hosts {
		if strings.EqualFold(h.Name, name) {
			return h, nil
		}
	}
	return store.Host{}, rollout.NotFound("%s has no host %q.", one.Name, name)
}

// askedFor is what people asked for or decided about findings.
type askedFor struct {
	waivers []store.Waiver
	fixes   []store.Fix // newest first
}

// askedFor loads it; server 0 = of all, and then without fixes that are over. A
// fix of a host that several servers share is each server's.
func (s *server) askedFor(ctx context.Context, server int64) (askedFor, error) {
	var out askedFor
	var err error
	if out.waivers, err = s.Store.Waivers(ctx, server, false); err != nil {
		return out, err
	}
	if out.fixes, err = s.Store.Fixes(ctx, 0, false); err != nil || server == 0 {
		return out, err
	}
	past, err := s.Store.Fixes(ctx, server, true)
	out.fixes = append(out.fixes, past...)
	return out, err
}

// fixOf says that a finding's fix was asked for and is not over, or was done
// since the finding was made; nil when neither is so.
func (a askedFor) fixOf(r store.Run, f preflight.Finding, clock ui.Clock) *ui.Link {
	if f.Fix == "" {
		return nil
	}
	for _, one := range a.fixes {
		if one.Name != f.Fix || !strings.EqualFold(one.Host, r.Host.Name) {
			continue
		}
		link := &ui.Link{Href: fixHref(one.ID)}
		words := fmt.Sprintf("%s asked to have it fixed, %s: %s", one.AskedBy, clock.Moment(one.AskedAt).Text, one.Reason)
		switch one.State {
		case store.FixAsked:
			words += " (it waits for an operator)"
		case store.FixApproved:
			words += fmt.Sprintf(" (approved by %s, not done yet)", one.DecidedBy)
		case store.FixUndoing:
			words += " (it is being undone)"
		case store.FixDone:
			if r.JudgedAt == nil || one.EndedAt == nil || !one.EndedAt.After(*r.JudgedAt) {
				return nil
			}
			words += fmt.Sprintf(" (done %s, since this was found: check again)", clock.Moment(*one.EndedAt).Text)
		default:
			return nil
		}
		link.Text = clean(words)
		return link
	}
	return nil
}

// fixAsk shows what a fix does before it is asked for.
func (s *server) fixAsk(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	one, err := s.Store.ServerByName(r.Context(), part(r, "server"))
	if err != nil {
		return err
	}
	q := r.URL.Query()
	fix, ok := s.fixNamed(q.Get("name"))
	if !ok {
		return rollout.NotFound("There is no fix %q.", q.Get("name"))
	}
	h, err := hostOf(one, q.Get("host"))
	if err != nil {
		return err
	}
	pkg, err := s.judgedFor(r.Context(), q.Get("package"))
	if err != nil {
		return err
	}
	open, err := s.Store.Fixes(r.Context(), 0, false)
	if err != nil {
		return err
	}
	for _, f := range open {
		if f.Name == fix.Name && f.HostID == h.ID {
			http.Redirect(w, r, fixHref(f.ID), http.StatusSeeOther)
			return nil
		}
	}
	view := page.Confirm{
		Crumbs: []ui.Link{{Href: "/servers", Text: "Servers"}, {Href: serverHref(one.Name), Text: one.Name}, {Href: findingsHref(one.Name, pkg.Name), Text: "Findings"}},
		Title:  "Have it fixed: " + fix.Name, Lead: "Nothing is done before an operator who did not ask for it approves. What it changes is put on record with the state before, and can be undone.",
		Action: serverHref(one.Name) + "/fix", Reason: "Why, kept on record", Kind: "primary", Button: "Ask for it",
		Back: ui.Link{Href: findingsHref(one.Name, pkg.Name), Text: "Back, change nothing"}, Why: v.why(auth.Probe),
		Hidden: []page.Hidden{{Name: "name", Value: fix.Name}, {Name: "host", Value: h.Name}, {Name: "rule", Value: q.Get("rule")}, {Name: "package", Value: pkg.Name}},
		Rows:   []page.ConfirmRow{{Server: h.Name, Then: fix.Words}},
		Parts:  []page.ConfirmPart{{Title: "What to know", Lines: []string{fix.Before, "Undone: " + fix.Undo + "."}}},
	}
	view.Frame = s.frame(r, v, view.Title, "servers")
	return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
}

// fix asks for a fix.
func (s *server) fix(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Probe)
	if err != nil {
		return err
	}
	one, err := s.Store.ServerByName(r.Context(), part(r, "server"))
	if err != nil {
		return err
	}
	fix, ok := s.fixNamed(r.PostFormValue("name"))
	if !ok {
		return rollout.NotFound("There is no fix %q.", r.PostFormValue("name"))
	}
	h, err := hostOf(one, r.PostFormValue("host"))
	if err != nil {
		return err
	}
	pkg, err := s.judgedFor(r.Context(), r.PostFormValue("package"))
	if err != nil {
		return err
	}
	if _, err := s.Store.AskFix(r.Context(), v.actor(r), store.FixAsk{
		Name: fix.Name, Server: one.ID, Host: h.ID, Rule: r.PostFormValue("rule"), Reason: reason(r),
	}); err != nil {
		return err
	}
	return s.done(w, r, findingsHref(one.Name, pkg.Name), "Asked for. An operator who did not ask for it approves it before anything is done.")
}

// fixShow shows one fix with what it changed and what can be done about it.
func (s *server) fixShow(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	id, err := number(r, "fix")
	if err != nil {
		return err
	}
	f, err := s.Store.FixByID(r.Context(), id)
	if err != nil {
		return err
	}
	known, _ := s.fixNamed(f.Name)
	back := serverHref(f.Server) + "/findings"
	view := page.Confirm{
		Crumbs: []ui.Link{{Href: "/servers", Text: "Servers"}, {Href: serverHref(f.Server), Text: f.Server}, {Href: back, Text: "Findings"}},
		Title:  fmt.Sprintf("Fix %d: %s on %s", f.ID, f.Name, f.Host), Action: fixHref(id), Reason: "Reason, kept on record", Field: "ruling",
		Back: ui.Link{Href: back, Text: "Back, change nothing"}, Rows: []page.ConfirmRow{{Server: f.Host, State: fixState(f), Then: known.Words}},
		Parts: []page.ConfirmPart{{Title: "Why", Lines: []string{clean(fmt.Sprintf("%s, %s: %s", f.AskedBy, v.clock(s.Now()).Moment(f.AskedAt).Text, f.Reason))}}},
	}
	if f.DecidedBy != "" {
		view.Parts[0].Lines = append(view.Parts[0].Lines, clean(f.DecidedBy+": "+f.Decision))
	}
	if f.Message != "" {
		view.Parts = append(view.Parts, page.ConfirmPart{Title: "What came of it", Lines: []string{clean(f.Message)}})
	}
	if len(f.Changes) > 0 {
		view.Parts = append(view.Parts, page.ConfirmPart{Title: "What it changed", Lines: changeLines(f.Changes)})
	}
	switch {
	case f.State == store.FixAsked:
		view.Lead = "It waits for an operator who did not ask for it. " + known.Before
		view.Rulings = []page.Ruling{
			{Value: "approve", Text: "Have it done", Kind: "primary", Hint: "it runs as soon as nothing else is in work on the host"},
			{Value: "refuse", Text: "Refuse", Kind: "danger", Hint: "nothing is done"},
		}
		view.Why = v.why(auth.Approve)
		if view.Why == "" && f.AskedByID == v.ID {
			view.Why = "You asked for it: somebody else approves it."
		}
	case f.Undoable():
		view.Lead = "It can be undone: " + known.Undo + "."
		view.Rulings = []page.Ruling{{Value: "undo", Text: "Undo it", Kind: "danger", Hint: "the state before comes back"}}
		view.Why = v.why(auth.Approve)
	default:
		view.Lead, view.Reason, view.Button, view.Why = fixState(f).Word()+".", "", "Undo it", "There is nothing to decide or to undo."
	}
	view.Frame = s.frame(r, v, view.Title, "servers")
	return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
}

// changeLines says what a fix changed, with the state before.
func changeLines(changes []store.FixChange) []string {
	var lines []string
	for _, c := range changes {
		var before []string
		for _, key := range slices.Sorted(maps.Keys(c.Before)) {
			if key == "data" {
				before = append(before, "its content is on record")
				continue
			}
			before = append(before, key+" "+c.Before[key])
		}
		line := fmt.Sprintf("%s; before: %s", store.LedgerThing(c.Kind, c.Name), strings.Join(before, ", "))
		switch {
		case c.RestoredAt != nil && c.Deviation != "":
			line += "; put back, but " + c.Deviation
		case c.RestoredAt != nil:
			line += "; put back exactly"
		}
		lines = append(lines, clean(line))
	}
	return lines
}

// fixDecide approves, refuses or undoes a fix.
func (s *server) fixDecide(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Approve)
	if err != nil {
		return err
	}
	id, err := number(r, "fix")
	if err != nil {
		return err
	}
	words := "It is done as soon as nothing else is in work on the host."
	switch r.PostFormValue("ruling") {
	case "approve":
		err = s.Store.DecideFix(r.Context(), v.actor(r), id, true, reason(r))
	case "refuse":
		words, err = "It is refused.", s.Store.DecideFix(r.Context(), v.actor(r), id, false, reason(r))
	case "undo":
		words, err = "It is undone as soon as nothing else is in work on the host.", s.Store.UndoFix(r.Context(), v.actor(r), id, reason(r))
	default:
		return rollout.Invalid("Say what is to be done: approve, refuse or undo.")
	}
	if err != nil {
		return err
	}
	return s.done(w, r, fixHref(id), words)
}
