package httpd

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/preflight"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func foundOn(rule, text string, hosts int) []page.FoundRow {
	var rows []page.FoundRow
	for n := range hosts {
		rows = append(rows, page.FoundRow{Host: fmt.Sprintf("H%03d", n), State: ui.State{Key: "blocker"}, Rule: ui.Link{Text: rule}, Text: text, Remedy: "cure it"})
	}
	return rows
}

func TestOneFindingOfManyHostsIsOneGroup(t *testing.T) {
	t.Parallel()
	rows := append(foundOn("msdtc", "MSDTC does not run", 20), foundOn("organization-versions", "The schema is behind", 20)...)
	own := foundOn("disk", "3 GB are free", 2)
	own[1].Text = "2 GB are free"
	var view page.FleetFindings
	pageOfFindings(&view, len(rows)+len(own), url.Values{})
	view.Groups = foundGroups(append(own, rows...))
	got := ""
	for _, g := range view.Groups {
		got += fmt.Sprintf("%s %q %q %d+%d %s|", g.Rule.Text, g.Text, g.Rows[0].Text, len(g.Rows), len(g.Rest), g.Words)
	}
	want := `disk "" "3 GB are free" 2+0 2 hosts|msdtc "MSDTC does not run" "" 8+12 20 hosts|organization-versions "The schema is behind" "" 1+19 about the organization, seen from 20 hosts|`
	if got != want {
		t.Errorf("groups are %s, want %s", got, want)
	}
	if view.More != "" {
		t.Errorf("one page says %q", view.More)
	}
}

func TestFindingsBeyondOnePageHavePages(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]string{
		"":  "Findings 1 to 500 of 1,100. | /findings?page=2&rule=disk",
		"2": "Findings 501 to 1,000 of 1,100. /findings?page=1&rule=disk| /findings?page=3&rule=disk",
		"9": "Findings 1,001 to 1,100 of 1,100. /findings?page=2&rule=disk| ",
	} {
		var view page.FleetFindings
		pageOfFindings(&view, 1100, url.Values{"page": {asked}, "rule": {"disk"}})
		if got := view.More + " " + view.Before + "| " + view.After; got != want {
			t.Errorf("page %q is %q, want %q", asked, got, want)
		}
	}
}

func TestWhatWasFoundBeforeTheOrganizationWasPreparedIsSaid(t *testing.T) {
	t.Parallel()
	at := time.Date(2008, 5, 2, 12, 0, 0, 0, time.UTC)
	clock := ui.Clock{Now: at, Zone: time.UTC}
	f := preflight.Finding{Rule: "organization-versions", Severity: preflight.Blocker}
	if got := foundBefore(f, at.Add(-time.Hour), at, clock); !strings.Contains(got, "check again") {
		t.Errorf("found before: %q", got)
	}
	for name, got := range map[string]string{
		"found after": foundBefore(f, at.Add(time.Hour), at, clock), "never prepared": foundBefore(f, at, time.Time{}, clock),
		"another rule": foundBefore(preflight.Finding{Rule: "disk", Severity: preflight.Blocker}, at.Add(-time.Hour), at, clock),
	} {
		if got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
