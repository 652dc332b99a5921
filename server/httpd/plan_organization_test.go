package httpd_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/httpd"
	"wavekeeper/server/rollout"
)

var rolloutAddress = regexp.MustCompile(`/rollouts/[2-9][0-9]*`)

var pointValue = regexp.MustCompile(`name="point" value="([^"]*)"`)

// preparing has the runbook of the organization, too.
type preparing struct{}

func (preparing) Book(name string) (rollout.Runbook, bool) {
	if name == runbook.Name {
		return runbook, true
	}
	organizer := rollout.Runbook{Name: rollout.OrganizationRunbook, Version: 1, Steps: []rollout.Step{
		{Name: rollout.OrganizationBefore, Words: "Read", Expected: time.Minute, Repeatable: true},
		{Name: "prepare-schema", Words: "Prepared", Expected: time.Minute, NoReturn: true},
		{Name: "tidy", Words: "Tasks and folders are removed", Expected: time.Minute, Hard: time.Hour, PutBack: true, Repeatable: true},
	}}
	return organizer, name == rollout.OrganizationRunbook
}

// What a preparation does is said of the organization: its versions, no server's
// build, no service of a third party, and no cluster as the place for Setup.
func TestAPreparationSaysWhatItDoes(t *testing.T) {
	t.Parallel()
	c := startWith(t, func(o *httpd.Options) { o.Runbooks = preparing{} })
	lead, operator := c.signedIn(t, "lead"), c.signedIn(t, "operator")
	submitted(t, lead)
	for name, value := range map[string]string{"schema": "10637", "organization": "10666", "domains": `[{"name":"corp.example","version":10628,"prepared_2003":false}]`, "schema_master": `{"host":"DC01","site":"Munich","domain":"corp.example"}`} {
		if _, err := c.store.Pool().Exec(t.Context(), "INSERT INTO organization_fact (name, value, source, at, entered_by, reason) VALUES ($1, $2::jsonb, 'read on MBX01', now(), 'test', 'test')", name, value); err != nil {
			t.Fatal(err)
		}
	}
	form := lead.page("/plans/organization", "MBX01")
	_, page := lead.post("/plans/organization", url.Values{"name": {"forest"}, "package": {"sp2"}, "server": {"MBX01"}})
	points := url.Values{}
	for _, m := range pointValue.FindAllStringSubmatch(page, -1) {
		points.Add("point", html.UnescapeString(m[1]))
	}
	if strings.Contains(words(page), "to 8.2.176.2") || len(points["point"]) == 0 || strings.Contains(form, `value="CMS`) {
		t.Errorf("the plan, with %d points: %s", len(points["point"]), words(page))
	}
	status, page := lead.post(action(t, page, "/submit?"), points)
	at := rolloutAddress.FindString(page)
	if status != http.StatusOK || at == "" || strings.Contains(words(page), "to 8.2.176.2") {
		t.Fatalf("the rollout: status %d: %s", status, words(page))
	}
	if text := words(lead.page("/plans/2", "as last known")); !strings.Contains(text, "DC01 in site Munich") || !strings.Contains(text, "confirmed by lead") || !strings.Contains(text, "Read the release notes of the package") {
		t.Errorf("the plan after it was submitted: %s", text)
	}
	approve := operator.page(at+"/waves/1", "DC01 in site Munich", "as last known", "confirmed by lead", "schema 10637, organization 10666, corp.example 10628", "schema 14622", "stops no service", "no server goes out of service")
	upgrade := operator.page(at+"/upgrades/MBX01", "Organization", "schema 14622")
	for name, text := range map[string]string{"approval": words(approve), "upgrade": words(upgrade)} {
		for _, untrue := range []string{"8.2.176.2", "no server starts before this is recorded", "stops no service of a third party"} {
			if strings.Contains(text, untrue) {
				t.Errorf("the page of the %s says %q: %s", name, untrue, text)
			}
		}
	}
}

// A rollup asks for no preparation, and what must be known of a package stands on
// the plan of its servers.
func TestAPlanOfServersSaysWhatMustBeKnown(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	fleet := "server,roles,site,build,os,mailboxes,address\nMBX01,MBX,Berlin,8.1.240.6,2003,12,127.0.0.13\n"
	if status, page := lead.post("/servers/import/apply", url.Values{"text": {fleet}}); status != http.StatusOK {
		t.Fatalf("import: status %d: %s", status, words(page))
	}
	for name, texts := range map[string][2]string{
		"sp1-ru4": {"Nothing is to be prepared for SP1 RU4", "What must be known"},
		"sp2":     {"Nobody recorded yet", "Read the release notes of the package"},
	} {
		_, page := lead.post("/plans", url.Values{
			"name": {name}, "package": {name}, "scope": {"organization"}, "ruleset": {"standard"}, "at_once": {"10"}, "at_once_per_site": {"0"},
			"floor": {"1"}, "stop_after_failures": {"1"}, "server": {"MBX01"},
		})
		for _, text := range texts {
			if !strings.Contains(words(page), text) {
				t.Errorf("%s: %q is not on %s", name, text, words(page))
			}
		}
	}
}
