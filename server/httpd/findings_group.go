package httpd

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/server/preflight"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// hostsShown is how many hosts of one finding the fleet's page shows unfolded.
const hostsShown = 8

// ofOrganization names the rules that look at the organization alone: every host
// has their findings, and they are one.
var ofOrganization = func() map[string]bool {
	all := map[string]bool{}
	for _, one := range preflight.Rules() {
		all[one.Name] = len(one.Needs) > 0 && !slices.ContainsFunc(one.Needs, func(need string) bool { return !strings.HasPrefix(need, preflight.OfOrganization) })
	}
	return all
}()

// foundBefore says that the organization was prepared after something about it
// was found, so that it may be so no more.
func foundBefore(f preflight.Finding, judged, prepared time.Time, clock ui.Clock) string {
	if prepared.IsZero() || judged.After(prepared) || f.Severity == preflight.Info || !strings.HasPrefix(f.Rule, "organization-") && !ofOrganization[f.Rule] {
		return ""
	}
	return "Found before the organization was recorded as prepared, " + clock.Moment(prepared).Text + ": check again."
}

// pageOfFindings says which of so many findings the page is about, with the ways to
// the others, and returns how many come before them.
func pageOfFindings(view *page.FleetFindings, total int, q url.Values) int {
	pages := max(1, (total+findingsShown-1)/findingsShown)
	here, _ := strconv.Atoi(q.Get("page")) // no number = the first
	here = min(max(here, 1), pages)
	first := (here - 1) * findingsShown
	if pages == 1 {
		return first
	}
	at := func(n int) string {
		other := maps.Clone(q)
		other["page"] = []string{strconv.Itoa(n)}
		return address("/findings", other)
	}
	view.More = fmt.Sprintf("Findings %s to %s of %s.", ui.Number(first+1), ui.Number(min(first+findingsShown, total)), ui.Number(total))
	if here > 1 {
		view.Before = at(here - 1)
	}
	if here < pages {
		view.After = at(here + 1)
	}
	return first
}

// foundGroups puts rows that say the same of several hosts together: by severity
// and rule, in the order of the rows.
func foundGroups(rows []page.FoundRow) []page.FoundGroup {
	var groups []page.FoundGroup
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].State == rows[0].State && rows[n].Rule == rows[0].Rule {
			n++
		}
		groups = append(groups, foundGroup(slices.Clone(rows[:n])))
		rows = rows[n:]
	}
	return groups
}

// foundGroup says once what all its rows say.
func foundGroup(rows []page.FoundRow) page.FoundGroup {
	g := page.FoundGroup{State: rows[0].State, Rule: rows[0].Rule, Text: rows[0].Text, Remedy: rows[0].Remedy, Words: ui.Count(len(rows), "host", "hosts")}
	for _, r := range rows {
		if r.Text != g.Text {
			g.Text = ""
		}
		if r.Remedy != g.Remedy {
			g.Remedy = ""
		}
	}
	for i := range rows {
		if g.Text != "" {
			rows[i].Text = ""
		}
		if g.Remedy != "" {
			rows[i].Remedy = ""
		}
	}
	most := hostsShown
	if ofOrganization[g.Rule.Text] {
		g.Words, most = "about the organization, seen from "+g.Words, 1
	}
	if len(rows) > most {
		rows, g.Rest = rows[:most], rows[most:]
	}
	g.Rows = rows
	return g
}
