package httpd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// organization is the page of what is known of the organization.
func (s *server) organization(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	facts, err := s.Store.OrganizationFacts(r.Context())
	if err != nil {
		return err
	}
	servers, err := s.Store.Servers(r.Context())
	if err != nil {
		return err
	}
	last, err := s.Store.LastOrganization(r.Context())
	if err != nil {
		return err
	}
	clock := v.clock(s.Now())
	view := page.Organization{Why: v.why(auth.Prepare), Lead: "nothing is known yet"}
	known := map[string]preflight.Fact{}
	for _, f := range facts {
		known[f.Name] = f.Fact()
		view.Facts = append(view.Facts, page.OrganizationFact{
			Name: factName(f.Name), Value: organizationWords(f.Name, f.Value), Source: f.Fact().Source, By: f.EnteredBy, Reason: clean(f.Reason), At: clock.Moment(f.At),
			Old: clock.Now.Sub(f.At) > oldFacts,
		})
	}
	if len(facts) > 0 {
		view.Lead = ui.Count(len(facts), "fact", "facts")
	}
	for _, one := range servers {
		view.Servers = append(view.Servers, page.Choice{Value: one.Name, Text: one.Name, On: last != nil && last.Server == one.Name})
	}
	wishes, err := s.Store.OrganizationWishes(r.Context())
	if err != nil {
		return err
	}
	for _, one := range wishes {
		row := page.OrganizationWish{ID: one.ID, Words: wishWords(one), By: one.AskedBy, Reason: clean(one.Reason), At: clock.Moment(one.AskedAt), Why: v.why(auth.Approve)}
		if row.Own = one.AskedByID == v.actor(r).PersonID && v.may(auth.Prepare); row.Own {
			row.WhyNot = "You asked for this: somebody else has to confirm it."
		}
		view.Wishes = append(view.Wishes, row)
	}
	for _, name := range preflight.OrganizationNames() {
		view.Names = append(view.Names, page.Choice{Value: name, Text: factName(name)})
		view.Shapes = append(view.Shapes, page.Shape{Name: factName(name), Words: preflight.OrganizationShape(name)})
	}
	if last != nil {
		switch {
		case last.Open():
			view.Look = fmt.Sprintf("%s has it read on %s: %s", last.AskedBy, last.Host.Name, orDash(clean(last.Message)))
		case last.State == rollout.Failed:
			view.LookBad, view.Look = true, fmt.Sprintf("It could not be read on %s, %s: %s %s", last.Host.Name, clock.Ago(*last.EndedAt), clean(last.Message), clean(last.Remedy))
		}
	}
	read, _ := preflight.ReadOrganization(known) // what is not of its shape is not known, and its rule says so
	view.Versions = versionRows(read)
	view.Frame = s.frame(r, v, "Organization", "servers")
	return s.render(w, r, http.StatusOK, page.OrganizationPage(view))
}

// versionRows compares the organization with what each service pack needs.
func versionRows(o preflight.Organization) []page.VersionRow {
	d := exchange.Directory{Schema: o.Schema.Value, Organization: o.Version.Value, Legacy: len(o.Exchange2003.Value)+len(o.Exchange2000.Value) > 0}
	for _, one := range o.Domains.Value {
		d.Domains = append(d.Domains, exchange.DirectoryDomain{Name: one.Name, Version: one.Version, Prepared2003: one.Prepared2003})
	}
	var rows []page.VersionRow
	for _, p := range exchange.Packages() {
		if _, ok := exchange.LevelFor(p); !ok || p.Kind != exchange.ServicePack {
			continue
		}
		row := page.VersionRow{Package: p.Words, State: ui.State{Key: "pass"}, Words: "Schema, organization and domains are at what it needs."}
		switch needs := exchange.PreparedFor(p, d); {
		case !o.Schema.Known || !o.Version.Known || !o.Domains.Known:
			row.State, row.Words = ui.State{Key: "unknown"}, "Not known: the versions of schema, organization and domains were not read."
		case len(needs) > 0:
			var words []string
			for _, n := range needs {
				words = append(words, n.Text+" ("+string(n.What)+")")
			}
			row.State, row.Words = ui.State{Key: "warning", Note: "to be prepared"}, strings.Join(words, "; ")
		}
		rows = append(rows, row)
	}
	return rows
}

// wishWords say what a second person is asked to confirm.
func wishWords(w store.OrganizationWish) string {
	if w.Value == nil {
		return factName(w.Name) + " is to be taken back"
	}
	return factName(w.Name) + " is to be " + organizationWords(w.Name, w.Value)
}

// organizationWords shows a fact's value in words, cut.
func organizationWords(name string, value json.RawMessage) string {
	words := clean(preflight.OrganizationWords(name, value))
	if len(words) > 600 {
		words = strings.ToValidUTF8(words[:600], "") + " …"
	}
	return words
}

// organizationEnter keeps a fact that a person knows.
func (s *server) organizationEnter(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Prepare)
	if err != nil {
		return err
	}
	name, value := r.PostFormValue("name"), json.RawMessage(strings.TrimSpace(r.PostFormValue("value")))
	waits, err := s.Store.EnterOrganizationFact(r.Context(), v.actor(r), name, value, reason(r))
	if err != nil {
		return err
	}
	if waits {
		return s.done(w, r, "/organization", secondPerson)
	}
	return s.done(w, r, "/organization", factName(name)+" is entered.")
}

const secondPerson = "It would release servers that are held: it waits for another operator, who confirms it here."

// organizationDrop takes a fact back.
func (s *server) organizationDrop(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Prepare)
	if err != nil {
		return err
	}
	name := r.PostFormValue("name")
	waits, err := s.Store.DropOrganizationFact(r.Context(), v.actor(r), name, reason(r))
	if err != nil {
		return err
	}
	if waits {
		return s.done(w, r, "/organization", secondPerson)
	}
	return s.done(w, r, "/organization", factName(name)+" is not known any more.")
}

// organizationDecide confirms or refuses what waits for a second person.
func (s *server) organizationDecide(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Approve)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(r.PostFormValue("wish"), 10, 64)
	if err != nil {
		return rollout.Invalid("The form does not say what is confirmed.")
	}
	confirm, words := false, "It is refused."
	switch r.PostFormValue("ruling") {
	case "confirm":
		confirm, words = true, "It is confirmed."
	case "refuse":
	default:
		return rollout.Invalid("The form does not say whether it is confirmed.")
	}
	if err := s.Store.DecideOrganization(r.Context(), v.actor(r), id, confirm, reason(r)); err != nil {
		return err
	}
	return s.done(w, r, "/organization", words)
}

// organizationWithdraw takes back what waits, by who asked for it.
func (s *server) organizationWithdraw(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Prepare)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(r.PostFormValue("wish"), 10, 64)
	if err != nil {
		return rollout.Invalid("The form does not say what is taken back.")
	}
	if err := s.Store.WithdrawOrganization(r.Context(), v.actor(r), id, reason(r)); err != nil {
		return err
	}
	return s.done(w, r, "/organization", "It is taken back; what was known stays.")
}

// byHandWords says which facts of the organization nobody read; "" = none.
func byHandWords(facts []store.OrganizationFact) string {
	var words []string
	for _, f := range facts {
		if f.Source == store.SourceByHand {
			words = append(words, factName(f.Name)+" "+f.Fact().Source)
		}
	}
	if len(words) == 0 {
		return ""
	}
	return ". Not read from Active Directory: " + strings.Join(words, "; ")
}

// organizationLook has the organization read on a host.
func (s *server) organizationLook(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Prepare)
	if err != nil {
		return err
	}
	one, err := s.Store.ServerByName(r.Context(), r.PostFormValue("server"))
	if err != nil {
		return err
	}
	if _, err := s.Store.AskOrganization(r.Context(), v.actor(r), one.ID, reason(r)); err != nil {
		return err
	}
	return s.done(w, r, "/organization", "The organization is read on "+one.Name+".")
}
