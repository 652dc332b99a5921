package httpd_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/net/html"

	"wavekeeper/server/httpd"
	"wavekeeper/server/live"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

const password = "correct horse battery"

const fleet = `server,roles,site,build,os,mailboxes,address,internet_facing
CAS01,CAS,Berlin,8.0.685.25,2003,,127.0.0.11,yes
HT01,HT,Berlin,8.0.685.25,2003,,127.0.0.12,
MBX01,MBX,Berlin,8.0.685.25,2003,1200,127.0.0.13,
MBX02,MBX,Berlin,8.0.685.25,2003,800,127.0.0.14,
HUM11,HT+UM,Hamburg,8.0.685.25,2003,,127.0.0.15,
`

var runbook = rollout.Runbook{Name: "standalone-service-pack", Version: 1, Decisions: []rollout.Step{
	{Name: rollout.DecideLook, Words: "The host is asked how it stands", Repeatable: true},
	{Name: rollout.DecideClear, Words: "Action and Watermark are deleted", Repeatable: true},
	{Name: rollout.DecideUndo, Words: "Action and Watermark are put back", Repeatable: true},
}, Steps: []rollout.Step{
	{Name: "facts", Words: "The host is asked what it is", Expected: time.Minute, Repeatable: true},
	{Name: "setup", Words: "Exchange Setup runs as a host task", Expected: time.Hour, Soft: 2 * time.Hour, Hard: 6 * time.Hour, Silence: 40 * time.Minute, NoReturn: true},
	{Name: "verify", Words: "Builds and services are verified", Expected: time.Minute, Repeatable: true},
	{Name: "tidy", Words: "Tasks and folders are removed", Expected: time.Minute, Hard: 2 * time.Hour, PutBack: true, Repeatable: true},
}}

// console is a console over a database of its own.
type console struct {
	store *store.Store
	db    storetest.DB
	url   string
}

func start(t *testing.T) console {
	t.Helper()
	return startPatient(t, 0)
}

// startPatient starts a console whose pages may take so long.
func startPatient(t *testing.T, patience time.Duration) console {
	t.Helper()
	return startWith(t, func(o *httpd.Options) { o.Patience = patience })
}

// startWith starts a console that is made otherwise.
func startWith(t *testing.T, change func(*httpd.Options)) console {
	t.Helper()
	db := storetest.New(t)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	hub := live.New(db.URL, log)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	options := httpd.Options{Store: db.Store, Live: hub, Runbooks: runbook, Insecure: true, Demo: true, Log: log}
	change(&options)
	server := httptest.NewServer(httpd.New(options))
	t.Cleanup(func() {
		stop()
		<-ended
		server.Close()
	})
	// The least that the way of hashing allows: what it costs is not tested here.
	hash, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]string{"admin": "admin", "lead": "planner", "operator": "operator", "auditor": "auditor"} {
		if _, err := db.Store.AddPerson(t.Context(), store.Actor{Name: "test"}, store.NewPerson{Name: name, Hash: hash, Roles: []string{role}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Store.SaveProfile(t.Context(), store.Actor{Name: "test"}, store.Profile{Name: "default", Auth: "basic", HTTPS: true}); err != nil {
		t.Logf("profile: %v", err)
	}
	if err := db.Store.SavePackage(t.Context(), store.Actor{Name: "test"}, store.Package{Name: "sp1", SetupSHA256: strings.Repeat("cd", 32)}); err != nil {
		t.Fatal(err)
	}
	return console{store: db.Store, db: db, url: server.URL}
}

// browser is one person's browser.
type browser struct {
	t      *testing.T
	url    string
	client *http.Client
}

func (c console) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, url: c.url, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

func (c console) signedIn(t *testing.T, name string) *browser {
	t.Helper()
	b := c.browser(t)
	if status, page := b.post("/signin", url.Values{"name": {name}, "password": {password}}); status != http.StatusOK || !strings.Contains(page, "Signed in as <strong>"+name) {
		t.Fatalf("sign in as %s: status %d", name, status)
	}
	return b
}

func (b *browser) do(method, path, kind string, body io.Reader) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, string(page)
}

func (b *browser) get(path string) (int, string) {
	b.t.Helper()
	return b.do(http.MethodGet, path, "", nil)
}

func (b *browser) post(path string, form url.Values) (int, string) {
	b.t.Helper()
	return b.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// page loads a page that has to be there and hold the texts.
func (b *browser) page(path string, texts ...string) string {
	b.t.Helper()
	status, page := b.get(path)
	if status != http.StatusOK {
		b.t.Fatalf("GET %s: status %d: %s", path, status, words(page))
	}
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.t.Errorf("GET %s: %q is not on the page", path, text)
		}
	}
	return page
}

// words is a page's text, for messages of failed tests.
func words(page string) string {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return page
	}
	var out []string
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && strings.TrimSpace(n.Data) != "" {
			out = append(out, strings.TrimSpace(n.Data))
		}
	}
	return strings.Join(out, " | ")
}

// action finds the first address of a form that ends in a text.
// seen is what the page of a wave lets its form carry back.
func seen(t *testing.T, page string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Data == "input" && slices.Contains(n.Attr, html.Attribute{Key: "name", Val: "seen"}) {
			for _, a := range n.Attr {
				if a.Key == "value" {
					return a.Val
				}
			}
		}
	}
	t.Fatalf("the page carries nothing back: %s", words(page))
	return ""
}

func action(t *testing.T, page, holds string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			if n.Data == "form" && a.Key == "action" && strings.Contains(a.Val, holds) {
				return a.Val
			}
		}
	}
	t.Fatalf("no form leads to %q: %s", holds, words(page))
	return ""
}

func (b *browser) upload(path, csv string) string {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "fleet.csv")
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := file.Write([]byte(csv)); err != nil {
		b.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		b.t.Fatal(err)
	}
	status, page := b.do(http.MethodPost, path, form.FormDataContentType(), &body)
	if status != http.StatusOK {
		b.t.Fatalf("POST %s: status %d: %s", path, status, words(page))
	}
	return page
}

// submitted takes the fleet to a submitted plan and returns its rollout's address.
func submitted(t *testing.T, lead *browser) string {
	t.Helper()
	return submittedThen(t, lead, "")
}

// submittedThen is submitted of a plan with a second package.
func submittedThen(t *testing.T, lead *browser, then string) string {
	t.Helper()
	page := lead.upload("/servers/import", fleet)
	if !strings.Contains(page, "Import 5 servers") {
		t.Fatalf("preview: %s", words(page))
	}
	if status, page := lead.post("/servers/import/apply", url.Values{"text": {fleet}}); status != http.StatusOK || !strings.Contains(page, "Imported: 5 servers new") {
		t.Fatalf("import: status %d: %s", status, words(page))
	}
	_, page = lead.post("/plans", url.Values{
		"name": {"Spring"}, "package": {"sp1"}, "scope": {"organization"}, "ruleset": {"standard"}, "at_once": {"10"}, "at_once_per_site": {"0"},
		"floor": {"1"}, "stop_after_failures": {"1"}, "server": {"CAS01", "HT01", "MBX01", "MBX02", "HUM11"}, "then": {then},
	})
	status, page := lead.post(action(t, page, "/prepared"), url.Values{"reason": {"Change 4711"}})
	if status != http.StatusOK || !strings.Contains(page, "Change 4711") {
		t.Fatalf("record preparation: status %d: %s", status, words(page))
	}
	status, page = lead.post(action(t, page, "/submit?"), nil)
	if status != http.StatusOK || !strings.Contains(page, "Wave 1") {
		t.Fatalf("submit: status %d: %s", status, words(page))
	}
	return "/rollouts/1"
}

func TestFromAnInventoryFileToAnApprovedWave(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead, operator, auditor := c.signedIn(t, "lead"), c.signedIn(t, "operator"), c.signedIn(t, "auditor")
	lead.page("/", "From an empty console")
	rollout := submitted(t, lead)
	operator.page("/", "Approve wave 1: 1 server", "waits for you")
	lead.page(rollout+"/waves/1", "You wrote this plan; a second person approves it.")
	auditor.page(rollout+"/waves/1", "Only an operator can do this.")
	page := operator.page(rollout+"/waves/1", "Approve wave 1: 1 server", "What cannot be undone")
	approve := url.Values{"seen": {seen(t, page)}, "reason": {"Change 4712"}}
	if status, page := lead.post(rollout+"/waves/1/approve", approve); status != http.StatusForbidden {
		t.Errorf("the author approves: status %d: %s", status, words(page))
	}
	if status, page := operator.post(action(t, page, "/approve"), approve); status != http.StatusOK || !strings.Contains(page, "Wave 1 is approved") {
		t.Fatalf("approve: status %d: %s", status, words(page))
	}
	if status, page := operator.post(rollout+"/waves/1/approve", approve); status != http.StatusConflict || !strings.Contains(page, "operator approved this wave already") {
		t.Errorf("approve twice: status %d: %s", status, words(page))
	}
	auditor.page("/history", "Wave approved", "Change 4712", "Verified to entry", "Refused")
	auditor.page("/history?kind=decision&who=operator", "Wave approved")
	if page := auditor.page("/history?server=HUM11&kind=event"); strings.Contains(page, `title="wave.approve"`) {
		t.Errorf("the filter of one server's events shows decisions: %s", words(page))
	}
	if page := auditor.page("/history.csv?kind=wave.approve"); strings.Count(page, "\r\n") != 2 {
		t.Errorf("export of one entry = %q", page)
	}
	auditor.page("/history.ndjson", `"kind":"wave.approve"`)
}

func TestRejectedPlanIsExplainedToItsAuthor(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead, operator := c.signedIn(t, "lead"), c.signedIn(t, "operator")
	rollout := submitted(t, lead)
	if page := lead.page("/plans/1"); strings.Contains(page, rollout+"/reject") {
		t.Error("a planner is offered to reject a plan")
	}
	operator.page(rollout+"/waves/1", rollout+"/reject")
	page := operator.page(rollout+"/reject", "Reject the plan: 5 servers not started")
	if status, page := operator.post(action(t, page, "/reject"), url.Values{"reason": {"no change window before May"}}); status != http.StatusOK || !strings.Contains(page, "The plan is rejected.") {
		t.Fatalf("reject: status %d: %s", status, words(page))
	}
	lead.page("/plans/1", "Rejected by operator: no change window before May.")
	lead.page(rollout, "no change window before May")
	operator.page(rollout+"/reject", "The rollout is stopped.")
	lead.page("/history", "Plan rejected", "no change window before May")
}

func TestImportPageSaysWhyThereIsNothingToDo(t *testing.T) {
	t.Parallel()
	lead := start(t).signedIn(t, "lead")
	for csv, want := range map[string]string{
		"server,rolez\nA,CAS\n":  "No good line in it would change anything.",
		"server,roles\n":         "There is no server in it",
		"server,roles\nA,CAS\n":  "Import 1 server",
		"server,roles\nA,Cafe\n": "Correct the file and give it again.",
	} {
		if page := lead.upload("/servers/import", csv); !strings.Contains(page, want) {
			t.Errorf("%q: %q is not on the page: %s", csv, want, words(page))
		}
	}
}

func TestEveryPageOpensForEveryRole(t *testing.T) {
	t.Parallel()
	c := start(t)
	rollout := submitted(t, c.signedIn(t, "lead"))
	for _, name := range []string{"admin", "lead", "operator", "auditor"} {
		b := c.signedIn(t, name)
		for _, path := range []string{
			"/", "/servers", "/servers?role=Mailbox&site=Berlin&sort=-build", "/servers?q=zzz", "/servers/import", "/servers/mbx01", "/plans", "/plans/new", "/plans/1", "/plans/1/revisions/1", "/plans/1/edit",
			"/rollouts", rollout, rollout + "/pause", rollout + "/resume", rollout + "/stop", rollout + "/reject", rollout + "/waves/2", rollout + "/waves/2/resume",
			rollout + "/upgrades/MBX01", rollout + "/upgrades/mbx01?log=error", rollout + "/upgrades/MBX01/retry", rollout + "/upgrades/MBX01/skip", rollout + "/upgrades/MBX01/log", "/history", "/history?from=2020-01-01&to=2030-01-01&server=MBX01&rollout=1",
		} {
			b.page(path)
		}
		if status, page := b.get("/nowhere"); status != http.StatusNotFound || !strings.Contains(page, "There is no page at this address.") {
			t.Errorf("GET /nowhere as %s: status %d: %s", name, status, words(page))
		}
		if status, _ := b.get("/rollouts/99"); status != http.StatusNotFound {
			t.Errorf("GET /rollouts/99: status %d, want 404", status)
		}
	}
}

func TestEveryButtonIsCheckedOnTheServer(t *testing.T) {
	t.Parallel()
	c := start(t)
	rollout := submitted(t, c.signedIn(t, "lead"))
	refused := map[string][]string{
		"auditor":  {"/servers/probe", "/servers/MBX01/probe", "/servers/import/apply", "/plans", "/plans/1/revisions", "/plans/1/submit", "/plans/1/prepared", rollout + "/pause", rollout + "/resume", rollout + "/stop", rollout + "/reject", rollout + "/waves/1/approve", rollout + "/waves/1/withdraw", rollout + "/waves/1/resume", rollout + "/upgrades/MBX01/retry", rollout + "/upgrades/MBX01/skip"},
		"lead":     {rollout + "/resume", rollout + "/reject", rollout + "/waves/1/approve", rollout + "/upgrades/MBX01/retry"},
		"operator": {"/servers/import/apply", "/plans", "/plans/1/submit"},
		"admin":    {"/plans", rollout + "/pause", rollout + "/stop", rollout + "/waves/1/approve", rollout + "/upgrades/MBX01/skip"},
	}
	for name, paths := range refused {
		b := c.signedIn(t, name)
		for _, path := range paths {
			if status, page := b.post(path, url.Values{"reason": {"because"}}); status != http.StatusForbidden {
				t.Errorf("POST %s as %s: status %d, want 403: %s", path, name, status, words(page))
			}
		}
	}
	nobody := c.browser(t)
	for _, paths := range refused {
		for _, path := range paths {
			if status, _ := nobody.post(path, nil); status != http.StatusUnauthorized {
				t.Errorf("POST %s without signing in: status %d, want 401", path, status)
			}
		}
	}
}

func TestDisabledPersonIsOutAtOnce(t *testing.T) {
	t.Parallel()
	c := start(t)
	b := c.signedIn(t, "operator")
	p, err := c.store.PersonByName(t.Context(), "operator")
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if err := c.store.SetDisabled(t.Context(), store.Actor{Name: "test"}, p.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(stream.Body); err != nil {
		t.Errorf("the stream did not end by itself: %v", err)
	}
	if _, page := b.get("/servers"); !strings.Contains(page, "<h1>Sign in</h1>") {
		t.Errorf("a disabled person still sees pages: %s", words(page))
	}
}

func TestStreamShowsWhatHappens(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	rollout := submitted(t, lead)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+rollout+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := lead.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if got := stream.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("stream's type = %q", got)
	}
	if status, page := lead.post(rollout+"/stop", url.Values{"reason": {"wrong fleet"}}); status != http.StatusOK {
		t.Fatalf("stop: status %d: %s", status, words(page))
	}
	var seen strings.Builder
	piece := make([]byte, 64<<10)
	for !strings.Contains(seen.String(), "Stopped: nothing starts in it any more: wrong fleet") {
		n, err := stream.Body.Read(piece)
		if err != nil {
			t.Fatalf("the stream ended before the change: %v", err)
		}
		seen.Write(piece[:n])
	}
	if !strings.Contains(seen.String(), `<hx-partial hx-target="#rollout-top" hx-swap="outerMorph">`) || !strings.Contains(seen.String(), "\nid: ") {
		t.Errorf("the stream has no partials with numbers")
	}
}

func TestAStoppedRolloutHasNoWaveThatWaits(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	rollout := submitted(t, lead)
	wave := regexp.MustCompile(`class="lane-card[^"]*" data-state="([^"]*)"`)
	state := func() string {
		t.Helper()
		_, page := lead.get(rollout)
		if m := wave.FindStringSubmatch(page); m != nil {
			return m[1]
		}
		t.Fatalf("no wave on %s", words(page))
		return ""
	}
	if got := state(); got != "waiting" {
		t.Errorf("wave 1 is %q before anybody approved it", got)
	}
	if status, page := lead.post(rollout+"/stop", url.Values{"reason": {"wrong fleet"}}); status != http.StatusOK {
		t.Fatalf("stop: status %d: %s", status, words(page))
	}
	if got := state(); got != "stopped" {
		t.Errorf("wave 1 of a stopped rollout is %q", got)
	}
}

func TestForeignSiteCannotPost(t *testing.T) {
	t.Parallel()
	c := start(t)
	b := c.signedIn(t, "lead")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/signout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("cross-site POST: status %d, want 403", response.StatusCode)
	}
	policy := response.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("content security policy = %q", policy)
	}
}

func TestChangedContentAsksForTheApprovalAgain(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead, operator := c.signedIn(t, "lead"), c.signedIn(t, "operator")
	base := submitted(t, lead)
	page := operator.page(base+"/waves/1", "127.0.0.11", strings.Repeat("cd", 4), `C:\Wavekeeper\media\sp1-en-US-x64`)
	approve := url.Values{"seen": {seen(t, page)}, "reason": {"Change 4712"}}
	if status, page := operator.post(base+"/waves/1/approve", approve); status != http.StatusOK {
		t.Fatalf("approve: status %d: %s", status, words(page))
	}
	moved := strings.ReplaceAll(fleet, "127.0.0.11", "127.0.0.99")
	if status, page := lead.post("/servers/import/apply", url.Values{"text": {moved}}); status != http.StatusOK {
		t.Fatalf("import: status %d: %s", status, words(page))
	}
	// What the engine would do next, since no job runs in this test.
	var generation int64
	if err := c.store.Pool().QueryRow(t.Context(), "SELECT generation FROM rollout WHERE id = 1").Scan(&generation); err != nil {
		t.Fatal(err)
	}
	if err := c.store.Advance(t.Context(), store.Advance{Rollout: 1, Generation: generation}, rollout.Next, runbook); err != nil {
		t.Fatal(err)
	}
	operator.page("/", "Approve wave 1 again")
	page = operator.page(base+"/waves/1", "Approve wave 1 again", "no longer matches", "127.0.0.99")
	if status, page := operator.post(base+"/waves/1/approve", approve); status != http.StatusConflict || !strings.Contains(page, "It is not as you saw it: hosts changed (CAS01)") {
		t.Errorf("approve what was shown before: status %d: %s", status, words(page))
	}
	approve.Set("seen", seen(t, page))
	if status, page := operator.post(base+"/waves/1/approve", approve); status != http.StatusOK {
		t.Errorf("approve again: status %d: %s", status, words(page))
	}
}

func TestWaveWithoutMediaCannotBeApproved(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead, operator := c.signedIn(t, "lead"), c.signedIn(t, "operator")
	base := submitted(t, lead)
	german := strings.Replace(strings.ReplaceAll(fleet, "\n", ",de-DE\n"), "internet_facing,de-DE", "internet_facing,language", 1)
	if status, page := lead.post("/servers/import/apply", url.Values{"text": {german}}); status != http.StatusOK {
		t.Fatalf("import: status %d: %s", status, words(page))
	}
	page := operator.page(base+"/waves/1", "its setup.com is not known", "No media of SP1 is registered for CAS01 (de-DE, x64).")
	if strings.Contains(page, `name="seen"`) {
		t.Error("the page lets the wave be approved")
	}
}
