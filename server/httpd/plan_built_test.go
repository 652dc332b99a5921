package httpd_test

import (
	"net/url"
	"strings"
	"testing"

	"wavekeeper/server/store"
)

// After a service pack the inventory still says the build that was imported; a plan
// goes by what the hosts showed, or no rollup would ever fit.
func TestAPlanGoesByTheBuildsThatHostsShowed(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	submitted(t, lead)
	form := url.Values{
		"name": {"rollup"}, "package": {"sp1-ru4"}, "scope": {"organization"}, "ruleset": {"standard"}, "at_once": {"10"}, "at_once_per_site": {"0"},
		"floor": {"1"}, "stop_after_failures": {"1"}, "server": {"MBX01"},
	}
	const refused = "these servers are at another"
	if _, page := lead.post("/plans", form); !strings.Contains(page, refused) {
		t.Fatalf("at RTM the rollup of SP1 does not fit: %s", words(page))
	}
	one, err := c.store.ServerByName(t.Context(), "MBX01")
	if err != nil {
		t.Fatal(err)
	}
	roles := `{"Mailbox":{"configured":"8.1.240.6","unpacked":"8.1.240.6","action":"","watermark":""}}`
	if err := c.store.SaveProbe(t.Context(), one.Hosts[0].Asked(), "done", "", []store.Fact{{Name: "roles", Value: []byte(roles), Source: "probed"}}); err != nil {
		t.Fatal(err)
	}
	if _, page := lead.post("/plans", form); strings.Contains(page, refused) {
		t.Errorf("at SP1 the rollup of SP1 is still refused: %s", words(page))
	}
}

// A plan is explained among all servers of the organization, not as if those in it
// were all there are.
func TestAPlanIsExplainedAmongTheServersOutsideOfIt(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	submitted(t, lead)
	_, page := lead.post("/plans", url.Values{
		"name": {"mailboxes"}, "package": {"sp1"}, "scope": {"organization"}, "ruleset": {"standard"}, "at_once": {"10"}, "at_once_per_site": {"0"},
		"floor": {"1"}, "stop_after_failures": {"1"}, "server": {"MBX01"},
	})
	for _, want := range []string{"MBX01 will be held until CAS01, HT01, HUM11 reached the target", "nothing in this plan comes before it"} {
		if !strings.Contains(words(page), want) {
			t.Errorf("no %q: %s", want, words(page))
		}
	}
	if strings.Contains(words(page), "The only servers of a role") {
		t.Errorf("MBX02 stays in service: %s", words(page))
	}
	for name, role := range map[string]string{"CAS01": "ClientAccess", "HT01": "HubTransport", "HUM11": "HubTransport"} {
		one, err := c.store.ServerByName(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		roles := `{"` + role + `":{"configured":"8.1.240.6","unpacked":"8.1.240.6","action":"","watermark":""}}`
		if err := c.store.SaveProbe(t.Context(), one.Hosts[0].Asked(), "done", "", []store.Fact{{Name: "roles", Value: []byte(roles), Source: "probed"}}); err != nil {
			t.Fatal(err)
		}
	}
	if page := lead.page("/plans/2"); strings.Contains(words(page), "will be held until") {
		t.Errorf("who comes before it is at SP1: %s", words(page))
	}
}
