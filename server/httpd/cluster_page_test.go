package httpd_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/httpd"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// clustered are two servers on three nodes, and one that stays out of the plan.
const clustered = `server,fqdn,roles,site,build,os,cluster,nodes,address
CMS1,cms1.corp.example,MBX,Berlin,8.0.685.25,2003,SCC,NODEA=127.0.0.21:5985;NODEB=127.0.0.22:5985;NODEC=127.0.0.23:5985,
CMS2,cms2.corp.example,MBX,Berlin,8.0.685.25,2003,SCC,NODEA=127.0.0.21:5985;NODEB=127.0.0.22:5985;NODEC=127.0.0.23:5985,
MBX09,,MBX,Berlin,8.0.685.25,2003,,,127.0.0.24
`

// TestTimesOfAClusterOutliveItsAttempt: what was measured in attempt 1 is shown
// when attempt 2 has taken its steps' rows, and what has not ended goes on. The page
// of the server that goes along is that of the upgrade which takes it.
func TestTimesOfAClusterOutliveItsAttempt(t *testing.T) {
	t.Parallel()
	book := runbook
	book.Name = "scc-3-2-service-pack"
	book.Steps = []rollout.Step{
		{Name: "facts", Words: "The nodes are asked", Expected: time.Minute, Repeatable: true},
		{Name: "setup-1", Words: "Setup runs", Expected: time.Hour, NoReturn: true, Clock: rollout.ExposedBegins},
		{Name: "stop-cms-1", Words: "The server is stopped", Expected: 2 * time.Minute, Repeatable: true, Clock: rollout.DowntimeBegins},
		{Name: "upgrade-cms-1", Words: "The server is upgraded", Expected: 10 * time.Minute, NoReturn: true},
		{Name: "online-1", Words: "The server is online", Expected: 3 * time.Minute, Repeatable: true, Clock: rollout.DowntimeEnds},
		{Name: "ready-2", Words: "The node is ready", Expected: 5 * time.Minute, Repeatable: true, Clock: rollout.ExposedEnds},
		{Name: "tidy", Words: "Tasks and folders are removed", Expected: time.Minute, PutBack: true, Repeatable: true},
	}
	c := startWith(t, func(o *httpd.Options) { o.Runbooks = book })
	lead := c.signedIn(t, "lead")
	if status, page := lead.post("/servers/import/apply", url.Values{"text": {clustered}}); status != http.StatusOK || !strings.Contains(page, "Imported: 3 servers new") {
		t.Fatalf("import: status %d: %s", status, words(page))
	}
	_, page := lead.post("/plans", url.Values{
		"name": {"Cluster"}, "package": {"sp1"}, "scope": {"organization"}, "ruleset": {"standard"}, "at_once": {"10"}, "at_once_per_site": {"0"},
		"floor": {"0"}, "stop_after_failures": {"1"}, "server": {"CMS1", "CMS2"},
	})
	_, page = lead.post(action(t, page, "/prepared"), url.Values{"reason": {"Change 4711"}})
	if status, page := lead.post(action(t, page, "/submit?"), nil); status != http.StatusOK || !strings.Contains(page, "Wave 1") {
		t.Fatalf("submit: status %d: %s", status, words(page))
	}
	const one = "/rollouts/1/upgrades/CMS1"
	lead.page(one, "usually 15 min", "usually 1 h 20 min", `href="/servers/CMS2"`)
	if status, header := lead.status(http.MethodGet, "/rollouts/1/upgrades/cms2"); status != http.StatusSeeOther || header.Get("Location") != one {
		t.Errorf("the page of CMS2: status %d, %q", status, header.Get("Location"))
	}
	if status, _ := lead.get("/rollouts/1/upgrades/MBX09"); status != http.StatusNotFound {
		t.Errorf("a server outside of the rollout: status %d", status)
	}

	const id = "(SELECT id FROM upgrade)"
	stopped := func(from, to string) string {
		return "INSERT INTO ledger (upgrade_id, host_id, kind, name, before, meant, changed_at, restored_at) SELECT " + id + ", (SELECT min(id) FROM host WHERE name LIKE 'NODE_'), 'cms', 'CMS1', '{}', '{}', " + from + ", " + to
	}
	c.db.Admin(t,
		"UPDATE rollout SET state = 'running', started_at = now() - interval '5 hours'",
		"UPDATE upgrade SET state = 'failed', step = 'stop-cms-1', started_at = now() - interval '5 hours', ended_at = now() - interval '3 hours'",
		`UPDATE step SET state = 'done', started_at = now() - interval '260 minutes', ended_at = now() - interval '250 minutes', memory = '{"created": "yes"}' WHERE name = 'setup-1'`,
		"UPDATE step SET state = 'failed', started_at = now() - interval '240 minutes', ended_at = now() - interval '180 minutes' WHERE name = 'stop-cms-1'",
		stopped("now() - interval '240 minutes'", "now() - interval '229 minutes'"),
	)
	shown := func(when string, texts ...string) {
		t.Helper()
		for _, path := range []string{one, "/rollouts/1"} {
			page := words(lead.page(path))
			for _, text := range texts {
				if !strings.Contains(page, text) {
					t.Errorf("%s %s has no %q: %s", when, path, text, page)
				}
			}
		}
	}
	shown("after attempt 1", "11 min, usually 15 min", "4 h 20 min so far, usually 1 h 20 min")
	upgrade, err := c.store.UpgradeID(t.Context(), 1, "CMS1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.store.PersonByName(t.Context(), "operator")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.store.RetryUpgrade(t.Context(), store.Actor{PersonID: p.ID, Name: p.Name, Roles: []string{"operator"}}, upgrade, "again", book); err != nil {
		t.Fatal(err)
	}
	shown("before attempt 2", "11 min, usually 15 min", "4 h 20 min so far, usually 1 h 20 min")
	c.db.Admin(t,
		"UPDATE upgrade SET state = 'running', due_at = now(), ended_at = NULL, step = 'ready-2'",
		"UPDATE step SET state = 'done', started_at = now() - interval '30 minutes', ended_at = now() - interval '29 minutes', memory = '{}' WHERE name = 'setup-1'",
		stopped("now() - interval '20 minutes'", "NULL"),
	)
	shown("in attempt 2", "31 min so far (2 times), usually 15 min", "4 h 20 min so far, usually 1 h 20 min")
	c.db.Admin(t,
		"UPDATE ledger SET restored_at = now() - interval '10 minutes' WHERE restored_at IS NULL",
		"UPDATE step SET state = 'done', started_at = now() - interval '10 minutes', ended_at = now() - interval '8 minutes' WHERE name = 'ready-2'",
	)
	shown("after attempt 2", "21 min (2 times), usually 15 min", "4 h 12 min, usually 1 h 20 min")
}
