package httpd

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"wavekeeper/server/auth"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// Constant is what the program takes for granted about Windows or Exchange, in
// words: the console shows it with what hosts said.
type Constant struct {
	Name     string
	Value    string
	What     string
	Standing string // one of Standings' words
	Source   string
	Windows  string // versions that have it, or "all"
	How      string // how a host is asked
}

// verdictWords are the verdicts as they read before a number of hosts.
var verdictWords = map[string]string{"holds": "holds on", "differs": "differs on", "moot": "not for", "unasked": "could not be asked on"}

func (s *server) constants(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	counts, err := s.Store.ConstantCounts(r.Context())
	if err != nil {
		return err
	}
	against, err := s.Store.Contradictions(r.Context())
	if err != nil {
		return err
	}
	view := constantsView(s.Constants, counts, against, r.URL.Query().Get("standing"), s.Demo)
	if s.Demo {
		view.Note = "The hosts of this demo are simulated and were built from the same documents: what they say proves nothing about Windows."
	}
	view.Acts = []ui.Act{{Href: "/servers/contact", Text: "First contact with all hosts", Post: true, Why: v.why(auth.Probe)}}
	view.Frame = s.frame(r, v, "Constants", "servers")
	return s.render(w, r, http.StatusOK, page.ConstantsPage(view))
}

func constantsView(all []Constant, counts map[string][]store.ConstantCount, against map[string][]store.Contradiction, standing string, demo bool) page.Constants {
	var view page.Constants
	facet := page.Facet{Title: "Standing"}
	number := map[string]int{}
	contradicted := 0
	for _, c := range all {
		if !demo && proven(counts[c.Name]) {
			c.Source = c.Standing + " before: " + c.Source
			c.Standing = "proven"
		}
		number[c.Standing]++
		if len(against[c.Name]) > 0 {
			contradicted++
		}
		if standing == "" || c.Standing == standing {
			view.Rows = append(view.Rows, constantRow(c, counts[c.Name], against[c.Name]))
		}
	}
	facet.Choices = append(facet.Choices, page.FacetChoice{Text: "all", Count: len(all), Href: "/constants", On: standing == ""})
	for _, word := range []string{"proven", "recorded", "documented", "remembered"} {
		facet.Choices = append(facet.Choices, page.FacetChoice{
			Text: word, Count: number[word], Href: "/constants?" + url.Values{"standing": {word}}.Encode(), On: standing == word,
		})
	}
	view.Facets = []page.Facet{facet}
	view.Lead = fmt.Sprintf("%s, %d contradicted by a host", ui.Count(len(all), "constant", "constants"), contradicted)
	return view
}

// proven reports whether a host said so and none said otherwise.
func proven(counts []store.ConstantCount) bool {
	holds := false
	for _, n := range counts {
		if n.Verdict == "differs" {
			return false
		}
		holds = holds || n.Verdict == "holds"
	}
	return holds
}

func constantRow(c Constant, counts []store.ConstantCount, against []store.Contradiction) page.ConstantRow {
	row := page.ConstantRow{Name: c.Name, Value: c.Value, What: c.What, Standing: c.Standing, Source: c.Source, Windows: c.Windows, How: c.How}
	for _, n := range counts {
		if n.Verdict == "moot" {
			continue // says nothing about the constant
		}
		row.Hosts = append(row.Hosts, page.ConstantHosts{
			Text: fmt.Sprintf("%s: %s %s", windowsWords(n.Windows), verdictWords[n.Verdict], ui.Count(n.Hosts, "host", "hosts")),
			Bad:  n.Verdict == "differs",
		})
	}
	for i, a := range against {
		if i == 5 {
			row.Against = append(row.Against, ui.Link{Href: "/constants#constant-" + c.Name, Text: fmt.Sprintf("and %d more", len(against)-i)})
			break
		}
		row.Against = append(row.Against, ui.Link{Href: serverHref(a.Server), Text: a.Host + " says " + clean(a.Found)})
	}
	return row
}

// contactServers asks for a first contact with every host.
func (s *server) contactServers(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Probe)
	if err != nil {
		return err
	}
	all, err := s.Store.ServerLines(r.Context())
	if err != nil {
		return err
	}
	var ids []int64
	for _, l := range all {
		ids = append(ids, l.ID)
	}
	n, err := s.Store.RequestContacts(r.Context(), v.actor(r), ids)
	if err != nil {
		return err
	}
	return s.done(w, r, "/constants", "Asked for a first contact with "+ui.Count(n, "host", "hosts")+". What they say appears here as they answer.")
}

// contactServer asks for a first contact with one server's hosts.
func (s *server) contactServer(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Probe)
	if err != nil {
		return err
	}
	one, err := s.Store.ServerByName(r.Context(), part(r, "server"))
	if err != nil {
		return err
	}
	n, err := s.Store.RequestContacts(r.Context(), v.actor(r), []int64{one.ID})
	if err != nil {
		return err
	}
	return s.done(w, r, serverHref(one.Name), "Asked for a first contact with "+ui.Count(n, "host", "hosts")+".")
}

// contactView is a host's last first contact; nil when there was none.
func (s *server) contactView(r *http.Request, host int64, clock ui.Clock) (*page.FirstContact, error) {
	c, there, err := s.Store.ContactOf(r.Context(), host)
	if err != nil || !there {
		return nil, err
	}
	out := &page.FirstContact{Words: fmt.Sprintf("Asked for by %s, %s: %s", c.By, clock.Ago(c.At), c.Outcome), Bad: c.Outcome != "done", At: clock.Moment(c.At)}
	for _, step := range c.Steps {
		out.Steps = append(out.Steps, page.ContactStep{Name: step.Name, State: step.State, Words: clean(step.Words), Remedy: clean(step.Remedy)})
	}
	if c.Error != "" && !slices.ContainsFunc(c.Steps, func(step store.ContactStep) bool { return step.State == "failed" }) {
		out.Words += ". " + clean(c.Error)
	}
	counts := map[string]int{}
	for _, k := range c.Checks {
		counts[k.Verdict]++
		if k.Verdict == "differs" {
			out.Differ = append(out.Differ, page.ConstantRow{Name: k.Name, Value: k.Expected, What: clean(k.Found)})
		}
	}
	if len(c.Checks) > 0 {
		out.Counts = fmt.Sprintf("%d hold here, %d differ, %d are not for this host, %d could not be asked", counts["holds"], counts["differs"], counts["moot"], counts["unasked"])
	}
	return out, nil
}
