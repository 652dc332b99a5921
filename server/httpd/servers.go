package httpd

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/live"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

const serversPerPage = 100

// serverFilter is what the address says about the table of servers.
type serverFilter struct {
	Query, Role, Site, Build string
	Sort                     string // "name", "site", "build", "facts"; "-" in front for descending
	After                    string // the last server of the page before
}

func readServerFilter(q url.Values) serverFilter {
	return serverFilter{Query: strings.TrimSpace(q.Get("q")), Role: q.Get("role"), Site: q.Get("site"), Build: q.Get("build"), Sort: q.Get("sort"), After: q.Get("after")}
}

func serversHref(f serverFilter) string {
	q := url.Values{}
	for _, p := range [][2]string{{"q", f.Query}, {"role", f.Role}, {"site", f.Site}, {"build", f.Build}, {"sort", f.Sort}, {"after", f.After}} {
		if p[1] != "" {
			q.Set(p[0], p[1])
		}
	}
	if len(q) == 0 {
		return "/servers"
	}
	return "/servers?" + q.Encode()
}

// noSite is how the address names the site without a name.
const noSite = "(none)"

func siteWords(site string) string {
	if site == "" {
		return noSite
	}
	return site
}

func (f serverFilter) holds(l store.ServerLine) bool {
	switch {
	case f.Role != "" && !slices.ContainsFunc(l.Roles, func(r exchange.Role) bool { return strings.EqualFold(string(r), f.Role) }):
		return false
	case f.Site != "" && !strings.EqualFold(siteWords(l.Site), f.Site):
		return false
	case f.Build != "" && buildWords(l.Build) != f.Build:
		return false
	case f.Query == "":
		return true
	}
	query := strings.ToLower(f.Query)
	return slices.ContainsFunc(append([]string{l.Name, l.Site}, l.Tags...), func(text string) bool { return strings.Contains(strings.ToLower(text), query) })
}

// sorted orders the lines as the filter asks; equal ones by name.
func (f serverFilter) sorted(lines []store.ServerLine) {
	column, down := strings.CutPrefix(f.Sort, "-")
	slices.SortStableFunc(lines, func(a, b store.ServerLine) int {
		n := 0
		switch column {
		case "site":
			n = strings.Compare(strings.ToLower(a.Site), strings.ToLower(b.Site))
		case "build":
			n = a.Build.Compare(b.Build)
		case "facts":
			n = compareTimes(a.FactsAt, b.FactsAt)
		default:
			n = strings.Compare(a.Name, b.Name)
		}
		if down {
			n = -n
		}
		return cmp.Or(n, strings.Compare(a.Name, b.Name))
	})
}

func compareTimes(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	default:
		return a.Compare(*b)
	}
}

func (s *server) servers(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	all, err := s.Store.ServerLines(r.Context())
	if err != nil {
		return err
	}
	f := readServerFilter(r.URL.Query())
	if len(all) > 0 && f.Query != "" {
		// A whole name goes straight to its server.
		for _, l := range all {
			if strings.EqualFold(l.Name, f.Query) {
				http.Redirect(w, r, serverHref(l.Name), http.StatusSeeOther)
				return nil
			}
		}
	}
	view := serversView(all, f, v, v.clock(s.Now()))
	view.Frame = s.frame(r, v, "Servers", "servers")
	view.Frame.Stream = address("/servers/stream", r.URL.Query())
	return s.render(w, r, http.StatusOK, page.ServersPage(view))
}

func (s *server) serversStream(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	f := readServerFilter(r.URL.Query())
	return s.Live.Serve(w, r, s.streamPage(r, v, serversHref(f), []string{"host:*", "inventory:*", "rollout:*"}, func(ctx context.Context, v viewer) (live.Update, error) {
		var u live.Update
		all, err := s.Store.ServerLines(ctx)
		if err != nil {
			return u, err
		}
		return u, fragment(ctx, &u, "#servers-table", page.ServersTable(serversView(all, f, v, v.clock(s.Now()))))
	}))
}

func serversView(all []store.ServerLine, f serverFilter, v viewer, clock ui.Clock) page.Servers {
	var hits []store.ServerLine
	for _, l := range all {
		if f.holds(l) {
			hits = append(hits, l)
		}
	}
	f.sorted(hits)
	view := page.Servers{Query: f.Query, Words: ui.Count(len(all), "server", "servers"), Facets: serverFacets(all, f), Columns: serverColumns(f)}
	if len(hits) != len(all) {
		view.Words = ui.Number(len(hits)) + " of " + view.Words
	}
	view.Keep = []page.Hidden{{Name: "role", Value: f.Role}, {Name: "site", Value: f.Site}, {Name: "build", Value: f.Build}, {Name: "sort", Value: f.Sort}}
	if f.After != "" {
		first := f
		first.After = ""
		view.First = serversHref(first)
		if i := slices.IndexFunc(hits, func(l store.ServerLine) bool { return l.Name == f.After }); i >= 0 {
			hits = hits[i+1:]
		}
	}
	if len(hits) > serversPerPage {
		hits = hits[:serversPerPage]
		next := f
		next.After = hits[len(hits)-1].Name
		view.Next = serversHref(next)
	}
	for _, l := range hits {
		view.Rows = append(view.Rows, serverRow(l, clock))
	}
	view.Acts = append(view.Acts, ui.Act{Href: "/profiles", Text: "Profiles"}) // they come before the first server
	if len(all) > 0 {
		view.Acts = append(view.Acts, ui.Act{Href: "/findings", Text: "Findings"}, ui.Act{Href: "/organization", Text: "Organization"}, ui.Act{Href: "/media", Text: "Media"}, ui.Act{Href: "/constants", Text: "Constants"})
		view.Acts = append(view.Acts, ui.Act{Href: "/servers/probe", Text: "Probe all " + ui.Number(len(all)), Post: true, Why: v.why(auth.Probe)})
	}
	if v.may(auth.Inventory) {
		view.Acts = append(view.Acts, ui.Act{Href: "/servers/import", Text: "Import", Kind: "primary"})
	}
	view.Empty = ui.Empty{Title: "No servers yet", Text: "Import the inventory as a CSV file. A preview shows what would change before anything does.", Action: ui.Link{Href: "/servers/import", Text: "Import servers"}}
	if len(all) > 0 {
		view.Empty = ui.Empty{Title: "No server fits", Text: "None of the servers has all that is asked for.", Action: ui.Link{Href: "/servers", Text: "Show all"}}
	}
	return view
}

func serverRow(l store.ServerLine, clock ui.Clock) page.ServerRow {
	row := page.ServerRow{
		Name: l.Name, Href: serverHref(l.Name), Roles: short(l.Roles), Site: siteWords(l.Site), Facing: l.InternetFacing,
		Build: buildWords(l.Build), Digits: l.Build.String(), OS: l.OS, Cluster: l.Cluster, Facts: clock.MomentOf(l.FactsAt),
		Stale: l.FactsAt != nil && clock.Now.Sub(*l.FactsAt) > 24*time.Hour,
	}
	if l.Outcome != "" && l.ProbedAt != nil {
		row.Probe = l.Outcome + " " + clock.Ago(*l.ProbedAt)
	}
	if l.State != "" {
		row.Result = ui.State{Key: l.State}
		row.ResultA = ui.Link{Href: upgradeHref(l.Rollout, l.Upgraded), Text: l.PlanName}
	}
	return row
}

func short(roles []exchange.Role) []string {
	out := make([]string, 0, len(roles))
	for _, r := range roles {
		out = append(out, r.Short())
	}
	return out
}

func serverColumns(f serverFilter) []page.Column {
	column := func(text, key string) page.Column {
		c := page.Column{Text: text}
		if key == "" {
			return c
		}
		to := f
		to.Sort, to.After = key, ""
		switch {
		case f.Sort == key, f.Sort == "" && key == "name":
			c.Sorted, to.Sort = "ascending", "-"+key
		case f.Sort == "-"+key:
			c.Sorted = "descending"
		}
		c.Href = serversHref(to)
		return c
	}
	return []page.Column{column("Server", "name"), column("Roles", ""), column("Site", "site"), column("Build", "build"), column("Windows", ""), column("Cluster", ""), column("Facts read", "facts"), column("Last upgrade", "")}
}

// serverFacets counts, for each facet, the servers that fit the others.
func serverFacets(all []store.ServerLine, f serverFilter) []page.Facet {
	facet := func(title, value string, without serverFilter, values func(store.ServerLine) []string, set func(*serverFilter, string)) page.Facet {
		counts := map[string]int{}
		var order []string
		for _, l := range all {
			for _, one := range values(l) {
				if _, ok := counts[one]; !ok {
					counts[one] = 0
					order = append(order, one)
				}
				if without.holds(l) {
					counts[one]++
				}
			}
		}
		slices.Sort(order)
		out := page.Facet{Title: title}
		for _, one := range order {
			to := without
			on := strings.EqualFold(one, value)
			if !on {
				set(&to, one)
			}
			out.Choices = append(out.Choices, page.FacetChoice{Text: one, Count: counts[one], Href: serversHref(to), On: on})
		}
		return out
	}
	f.After = ""
	role, site, build := f, f, f
	role.Role, site.Site, build.Build = "", "", ""
	return []page.Facet{
		facet("Role", f.Role, role, func(l store.ServerLine) []string {
			var names []string
			for _, r := range l.Roles {
				names = append(names, string(r))
			}
			return names
		}, func(to *serverFilter, one string) { to.Role = one }),
		facet("Site", f.Site, site, func(l store.ServerLine) []string { return []string{siteWords(l.Site)} }, func(to *serverFilter, one string) { to.Site = one }),
		facet("Build", f.Build, build, func(l store.ServerLine) []string { return []string{buildWords(l.Build)} }, func(to *serverFilter, one string) { to.Build = one }),
	}
}

func (s *server) probeServers(w http.ResponseWriter, r *http.Request) error {
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
	n, err := s.Store.RequestProbes(r.Context(), v.actor(r), ids)
	if err != nil {
		return err
	}
	return s.done(w, r, "/servers", "Asked "+ui.Count(n, "host", "hosts")+" for facts. They appear here as the hosts answer.")
}

func (s *server) probeServer(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Probe)
	if err != nil {
		return err
	}
	one, err := s.Store.ServerByName(r.Context(), part(r, "server"))
	if err != nil {
		return err
	}
	n, err := s.Store.RequestProbes(r.Context(), v.actor(r), []int64{one.ID})
	if err != nil {
		return err
	}
	return s.done(w, r, serverHref(one.Name), "Asked "+ui.Count(n, "host", "hosts")+" for facts.")
}
