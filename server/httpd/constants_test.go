package httpd_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"wavekeeper/server/httpd"
	"wavekeeper/server/store"
)

var someConstants = []httpd.Constant{
	{Name: "registry.exchange", Value: `HKLM\SOFTWARE\Microsoft\Exchange\v8.0`, What: "roles", Standing: "documented", Source: "a page", Windows: "all", How: "StdRegProv"},
	{Name: "service.MSExchangeFDS", Value: "MSExchangeFDS", What: "a service", Standing: "remembered", Source: "general knowledge", Windows: "all", How: "WQL"},
}

func TestConstantsPageShowsWhatHostsSaid(t *testing.T) {
	t.Parallel()
	c := startWith(t, func(o *httpd.Options) { o.Constants = someConstants })
	lead := c.signedIn(t, "lead")
	if status, page := lead.post("/servers/import/apply", url.Values{"text": {fleet}}); status != http.StatusOK {
		t.Fatalf("import: status %d: %s", status, words(page))
	}
	hosts, err := c.store.HostsOfProfile(t.Context(), "default")
	if err != nil || len(hosts) < 2 {
		t.Fatal(hosts, err)
	}
	for i, found := range []string{"there", "<script>not there"} {
		verdict := []string{"holds", "differs"}[i]
		err := c.store.NoteContact(t.Context(), store.Actor{Name: "wavekeeper"}, hosts[i], store.Contact{
			By: "lead", Outcome: "done", Windows: "2003",
			Steps:  []store.ContactStep{{Name: "port", State: "ok", Words: "takes a TCP connection"}, {Name: "clock", State: "warning", Words: "20m0s ahead", Remedy: "w32tm /resync"}},
			Checks: []store.ConstantCheck{{Name: "service.MSExchangeFDS", Expected: "MSExchangeFDS", Found: found, Verdict: verdict}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, page := lead.get("/constants")
	for _, want := range []string{
		"2 constants, 1 contradicted by a host", "nobody was asked", "Windows Server 2003: holds on 1 host", "Windows Server 2003: differs on 1 host",
		hosts[1].Name + " says &lt;script&gt;not there", "First contact with all hosts", "are simulated",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on /constants", want)
		}
	}
	if _, page := lead.get("/constants?standing=remembered"); strings.Contains(page, "constant-registry.exchange") || !strings.Contains(page, "constant-service.MSExchangeFDS") {
		t.Error("the filter shows another standing")
	}
	server := strings.ToUpper(hosts[1].Name)
	_, page = lead.get("/servers/" + server)
	for _, want := range []string{"First contact", "Asked for by lead", "takes a TCP connection", "w32tm /resync", "0 hold here, 1 differ", "&lt;script&gt;not there"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page of %s", want, server)
		}
	}
	if status, page := lead.post("/servers/"+server+"/contact", nil); status != http.StatusOK || !strings.Contains(page, "Asked for a first contact with 1 host.") {
		t.Errorf("status %d", status)
	}
	if status, page := lead.post("/servers/contact", nil); status != http.StatusOK || !strings.Contains(page, "Asked for a first contact with 5 hosts") {
		t.Errorf("status %d", status)
	}
	if _, page := lead.get("/history"); !strings.Contains(page, "First contact asked for") || !strings.Contains(page, "First contact made") {
		t.Error("first contacts are not on record in words")
	}
}

func TestConstantThatHoldsOnRealHostsIsProven(t *testing.T) {
	t.Parallel()
	c := startWith(t, func(o *httpd.Options) { o.Constants, o.Demo = someConstants, false })
	lead := c.signedIn(t, "lead")
	if status, page := lead.post("/servers/import/apply", url.Values{"text": {fleet}}); status != http.StatusOK {
		t.Fatalf("import: status %d: %s", status, words(page))
	}
	hosts, err := c.store.HostsOfProfile(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if page := lead.page("/constants?standing=proven"); strings.Contains(page, "constant-service.MSExchangeFDS") {
		t.Error("proven before a host was asked")
	}
	for i, verdict := range []string{"holds", "differs"} {
		err := c.store.NoteContact(t.Context(), store.Actor{Name: "wavekeeper"}, hosts[i], store.Contact{
			Outcome: "done", Windows: "2003", Checks: []store.ConstantCheck{{Name: "service.MSExchangeFDS", Expected: "MSExchangeFDS", Found: "x", Verdict: verdict}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if verdict == "holds" {
			lead.page("/constants?standing=proven", "constant-service.MSExchangeFDS", "remembered before: general knowledge")
		}
	}
	if page := lead.page("/constants?standing=proven"); strings.Contains(page, "constant-service.MSExchangeFDS") {
		t.Error("still proven where a host says otherwise")
	}
}
