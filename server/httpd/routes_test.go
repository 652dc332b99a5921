package httpd_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"wavekeeper/server/httpd"
	"wavekeeper/server/live"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

const (
	public   = "public"
	everyone = "auditor planner operator admin"
)

// decisions says for every address who may. An address that is not here fails
// the test: decide first.
var decisions = map[string]string{
	"GET /healthz":      public,
	"GET /static/*":     public,
	"GET /signin":       public,
	"POST /signin":      public,
	"POST /signout":     public,
	"GET /first-admin":  public,
	"POST /first-admin": public,
	"POST /theme":       public,

	"GET /":                          everyone,
	"GET /stream":                    everyone,
	"GET /servers/stream":            everyone,
	"GET /rollouts/{rollout}/stream": everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/stream": everyone,
	"GET /servers":                                                      everyone,
	"GET /servers/import":                                               everyone,
	"GET /servers/{server}":                                             everyone,
	"GET /servers/{server}/certificates/{pin}":                          everyone,
	"POST /servers/{server}/certificates/{pin}":                         "admin",
	"GET /profiles":                                                     everyone,
	"GET /profiles/{profile}":                                           everyone,
	"GET /recovery":                                                     everyone,
	"GET /recovery/{name}":                                              everyone,
	"GET /profiles/{profile}/retry":                                     everyone,
	"POST /profiles/{profile}/retry":                                    "admin",
	"GET /plans":                                                        everyone,
	"GET /plans/new":                                                    everyone,
	"GET /plans/organization":                                           everyone,
	"GET /plans/{plan}":                                                 everyone,
	"GET /plans/{plan}/revisions/{number}":                              everyone,
	"GET /plans/{plan}/edit":                                            everyone,
	"GET /rollouts":                                                     everyone,
	"GET /rollouts/{rollout}":                                           everyone,
	"GET /rollouts/{rollout}/pause":                                     everyone,
	"GET /rollouts/{rollout}/resume":                                    everyone,
	"GET /rollouts/{rollout}/stop":                                      everyone,
	"GET /rollouts/{rollout}/reject":                                    everyone,
	"GET /rollouts/{rollout}/waves/{wave}":                              everyone,
	"GET /rollouts/{rollout}/waves/{wave}/resume":                       everyone,
	"GET /rollouts/{rollout}/upgrades/{server}":                         everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/log":                     everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/retry":                   everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/skip":                    everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/verify":                  everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/look":                    everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/doubt":                   everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/clear":                   everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/undo":                    everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/evidence.zip":            everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/evidence/{evidence}":     everyone,
	"GET /rollouts/{rollout}/upgrades/{server}/evidence/{evidence}/raw": everyone,
	"POST /rollouts/{rollout}/upgrades/{server}/verify":                 "operator",
	"POST /rollouts/{rollout}/upgrades/{server}/look":                   "operator",
	"POST /rollouts/{rollout}/upgrades/{server}/doubt":                  "operator",
	"POST /rollouts/{rollout}/upgrades/{server}/clear":                  "operator",
	"POST /rollouts/{rollout}/upgrades/{server}/undo":                   "operator",
	"GET /history":                                                      everyone,
	"GET /history.csv":                                                  everyone,
	"GET /history.ndjson":                                               everyone,
	"GET /findings":                                                     everyone,
	"GET /findings/stream":                                              everyone,
	"POST /findings/check":                                              "planner operator",
	"POST /findings/cancel":                                             "planner operator",
	"GET /servers/{server}/findings":                                    everyone,
	"GET /servers/{server}/waive":                                       everyone,
	"POST /servers/{server}/waive":                                      "planner operator",
	"GET /servers/{server}/fix":                                         everyone,
	"POST /servers/{server}/fix":                                        "planner operator",
	"GET /servers/{server}/reapply":                                     everyone,
	"POST /servers/{server}/reapply":                                    "planner operator",
	"GET /waivers/{waiver}":                                             everyone,
	"POST /waivers/{waiver}":                                            "operator",
	"GET /fixes/{fix}":                                                  everyone,
	"POST /fixes/{fix}":                                                 "operator",
	"GET /rules":                                                        everyone,
	"GET /rules/{rule}":                                                 everyone,
	"GET /organization":                                                 everyone,
	"POST /organization":                                                "planner operator",
	"POST /organization/drop":                                           "planner operator",
	"POST /organization/decide":                                         "operator",
	"POST /organization/withdraw":                                       "planner operator",
	"POST /organization/look":                                           "planner operator",
	"GET /media":                                                        everyone,
	"GET /media/{media}":                                                everyone,
	"GET /constants":                                                    everyone,
	"POST /servers/contact":                                             "planner operator",
	"POST /servers/{server}/contact":                                    "planner operator",
	"POST /servers/probe":                                               "planner operator",
	"POST /servers/{server}/probe":                                      "planner operator",
	"POST /servers/import":                                              "planner",
	"POST /servers/import/apply":                                        "planner",
	"POST /plans":                                                       "planner",
	"POST /plans/organization":                                          "planner",
	"POST /plans/{plan}/revisions":                                      "planner",
	"POST /plans/{plan}/submit":                                         "planner",
	"POST /plans/{plan}/prepared":                                       "planner operator",
	"POST /rollouts/{rollout}/pause":                                    "planner operator",
	"POST /rollouts/{rollout}/resume":                                   "operator",
	"POST /rollouts/{rollout}/stop":                                     "planner operator",
	"POST /rollouts/{rollout}/reject":                                   "operator",
	"POST /rollouts/{rollout}/waves/{wave}/approve":                     "operator",
	"POST /rollouts/{rollout}/waves/{wave}/withdraw":                    "operator",
	"POST /rollouts/{rollout}/waves/{wave}/stage":                       "planner operator",
	"POST /rollouts/{rollout}/waves/{wave}/unstage":                     "planner operator",
	"POST /rollouts/{rollout}/waves/{wave}/resume":                      "operator",
	"POST /rollouts/{rollout}/upgrades/{server}/retry":                  "operator",
	"POST /rollouts/{rollout}/upgrades/{server}/skip":                   "operator",
}

var sample = strings.NewReplacer("{rollout}", "1", "{server}", "MBX01", "{wave}", "1", "{plan}", "1", "{number}", "1", "{evidence}", "1", "{pin}", "1", "{media}", "1", "{waiver}", "1", "{fix}", "1", "{rule}", "msdtc", "{profile}", "default", "*", "nothing.css")

// routes lists every address of the router.
func routes(t *testing.T) []string {
	t.Helper()
	db := storetest.New(t)
	log := slog.New(slog.DiscardHandler)
	router, ok := httpd.New(httpd.Options{Store: db.Store, Live: live.New(db.URL, log), Runbooks: runbook, Log: log}).(chi.Routes)
	if !ok {
		t.Fatal("the console's handler does not list its addresses")
	}
	var all []string
	if err := chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		all = append(all, method+" "+route)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// status asks for an address and lets go of the answer after its header.
func (b *browser) status(method, path string) (int, http.Header) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	client := *b.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode, response.Header
}

func TestEveryAddressIsForThoseWhoMay(t *testing.T) {
	t.Parallel()
	c := start(t)
	submitted(t, c.signedIn(t, "lead"))
	who := map[string]*browser{"": c.browser(t)}
	for name, role := range map[string]string{"admin": "admin", "lead": "planner", "operator": "operator", "auditor": "auditor"} {
		who[role] = c.signedIn(t, name)
	}
	all := routes(t)
	for _, route := range all {
		may, decided := decisions[route]
		if !decided {
			t.Errorf("%s: nobody decided who may; add it to decisions", route)
			continue
		}
		method, path, _ := strings.Cut(sample.Replace(route), " ")
		for role, b := range who {
			if route == "POST /signout" && role != "" {
				continue // it would end the session that is needed
			}
			status, header := b.status(method, path)
			if header.Get("Content-Security-Policy") == "" || header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s as %q: an answer (%d) without its security headers", route, role, status)
			}
			toSignIn := status == http.StatusSeeOther && strings.HasPrefix(header.Get("Location"), "/signin")
			denied := status == http.StatusUnauthorized || status == http.StatusForbidden || toSignIn
			switch {
			case may == public:
				// What it does for whom is tried elsewhere.
			case role == "" && !denied:
				t.Errorf("%s without signing in: status %d, want 401 or the sign-in page", route, status)
			case role != "" && denied == slices.Contains(strings.Fields(may), role):
				t.Errorf("%s as %s: status %d, but it is for %s", route, role, status, may)
			case role != "" && !denied && status >= http.StatusInternalServerError:
				t.Errorf("%s as %s: status %d", route, role, status)
			}
		}
	}
	for route := range decisions {
		if !slices.Contains(all, route) {
			t.Errorf("%s is decided about and does not exist", route)
		}
	}
}

func TestAnswersOfEveryKindCarryTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	c := start(t)
	b := c.signedIn(t, "lead")
	for _, path := range []string{"GET /nowhere", "GET /static/", "GET /static/../httpd.go", "PUT /plans", "DELETE /servers/X", "GET /rollouts/99", "GET /rollouts/abc", "POST /healthz", "GET /servers?q=%00", "GET /servers/%ff", "GET //evil.example/"} {
		method, path, _ := strings.Cut(path, " ")
		status, header := b.status(method, path)
		if status < 400 || status >= 500 {
			t.Errorf("%s %s: status %d, want a refusal", method, path, status)
		}
		policy := header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: an answer (%d) without its security headers", method, path, status)
		}
	}
}

func TestDownloadsAreAttachments(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	submitted(t, lead)
	if _, err := c.store.AddPerson(t.Context(), store.Actor{Name: "=cmd|' /C calc'!A0"}, store.NewPerson{Name: "eve", Hash: "hash", Roles: []string{"auditor"}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/history.csv", "/history.ndjson", "/rollouts/1/upgrades/MBX01/log"} {
		status, header := lead.status(http.MethodGet, path)
		if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Disposition"), "attachment") || header.Get("X-Content-Type-Options") != "nosniff" || strings.Contains(header.Get("Content-Type"), "html") {
			t.Errorf("GET %s: status %d, %v", path, status, header)
		}
	}
	if page := lead.page("/history.csv"); strings.Contains(page, ",=cmd") || !strings.Contains(page, ",'=cmd") {
		t.Error("a formula is exported as one")
	}
}

func TestNobodyDecidesAboutHisOwnPlan(t *testing.T) {
	t.Parallel()
	c := start(t)
	p, err := c.store.PersonByName(t.Context(), "lead")
	if err != nil {
		t.Fatal(err)
	}
	lead := c.signedIn(t, "lead")
	base := submitted(t, lead)
	if err := c.store.SetRoles(t.Context(), store.Actor{Name: "test"}, p.ID, []string{"admin", "planner", "operator", "auditor"}); err != nil {
		t.Fatal(err)
	}
	status, page := lead.post(base+"/waves/1/approve", url.Values{"seen": {"anything"}, "reason": {"it is good"}})
	if status != http.StatusForbidden || !strings.Contains(page, "You wrote this plan: somebody else has to approve it.") {
		t.Errorf("the author, with every role, approves: status %d: %s", status, words(page))
	}
	c.signedIn(t, "auditor").page("/history?kind=refused", "four eyes", base+"/waves/1/approve")
	if n, err := c.store.VerifyAudit(t.Context()); n == 0 || err != nil {
		t.Errorf("the record: %d, %v", n, err)
	}
}

// cookie is the session's cookie as the browser has it.
func (b *browser) cookie() string {
	u, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "wavekeeper") {
			return c.Value
		}
	}
	return ""
}

func TestSignInGivesASessionOfItsOwn(t *testing.T) {
	t.Parallel()
	c := start(t)
	b := c.browser(t)
	u, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "wavekeeper", Value: "planted"}})
	if status, _ := b.post("/signin", url.Values{"name": {"lead"}, "password": {password}}); status != http.StatusOK {
		t.Fatalf("sign in: status %d", status)
	}
	first := b.cookie()
	if first == "" || first == "planted" {
		t.Fatalf("the session after signing in is %q", first)
	}
	if status, _ := b.post("/signin", url.Values{"name": {"auditor"}, "password": {password}}); status != http.StatusOK || b.cookie() == first {
		t.Error("signing in as somebody else keeps the session")
	}
	other := c.browser(t)
	other.client.Jar.SetCookies(u, []*http.Cookie{{Name: "wavekeeper", Value: first}})
	if _, page := other.get("/servers"); !strings.Contains(page, "<h1>Sign in</h1>") {
		t.Error("the session before still opens pages")
	}
	last := b.cookie()
	b.post("/signout", nil)
	other.client.Jar.SetCookies(u, []*http.Cookie{{Name: "wavekeeper", Value: last}})
	if _, page := other.get("/servers"); !strings.Contains(page, "<h1>Sign in</h1>") {
		t.Error("the session outlived signing out")
	}
}

func TestCookieIsSecureWhereTheConsoleIs(t *testing.T) {
	t.Parallel()
	c := start(t)
	log := slog.New(slog.DiscardHandler)
	handler := httpd.New(httpd.Options{Store: c.store, Live: live.New("", log), Runbooks: runbook, Log: log})
	for _, next := range []string{"/\t/evil.example", "//evil.example", "https://evil.example", `/\evil.example`} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/signin", strings.NewReader(url.Values{"name": {"lead"}, "password": {password}, "next": {next}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
			t.Errorf("signing in with next %q leads to %d %q", next, w.Code, w.Header().Get("Location"))
		}
		cookie := w.Header().Get("Set-Cookie")
		for _, flag := range []string{"__Host-wavekeeper=", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Path=/"} {
			if !strings.Contains(cookie, flag) {
				t.Errorf("the cookie %q has no %q", cookie, flag)
			}
		}
		if !strings.HasPrefix(w.Header().Get("Strict-Transport-Security"), "max-age=") {
			t.Error("a console behind https does not say so to browsers")
		}
	}
}

// stream opens the home page's event stream.
func (b *browser) stream() io.ReadCloser {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+"/stream", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	if response.Header.Get("Content-Type") != "text/event-stream" {
		b.t.Fatalf("no stream: %d", response.StatusCode)
	}
	return response.Body
}

func TestSessionAndStreamEndWithThePassword(t *testing.T) {
	t.Parallel()
	c := start(t)
	p, err := c.store.PersonByName(t.Context(), "operator")
	if err != nil {
		t.Fatal(err)
	}
	b := c.signedIn(t, "operator")
	stream := b.stream()
	defer stream.Close()
	db := c.store.Pool()
	var token string
	var data []byte
	if err := db.QueryRow(t.Context(), "SELECT token, data FROM session WHERE person_id = $1", p.ID).Scan(&token, &data); err != nil {
		t.Fatal(err)
	}
	if err := c.store.SetPassword(t.Context(), store.Actor{Name: "test"}, p.ID, "another hash"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(stream); err != nil {
		t.Errorf("the stream did not end by itself: %v", err)
	}
	// A request that was under way writes the session once more.
	if _, err := db.Exec(t.Context(), "INSERT INTO session (token, data, expiry, person_id) VALUES ($1, $2, now() + interval '1 hour', $3)", token, data, p.ID); err != nil {
		t.Fatal(err)
	}
	if _, page := b.get("/servers"); !strings.Contains(page, "<h1>Sign in</h1>") {
		t.Errorf("a session from before the change of the password still opens pages: %s", words(page))
	}
}

func TestStreamEndsWithItsOwnSession(t *testing.T) {
	t.Parallel()
	c := start(t)
	one, other := c.signedIn(t, "operator"), c.signedIn(t, "operator")
	stream, kept := one.stream(), other.stream()
	defer stream.Close()
	defer kept.Close()
	one.post("/signout", nil)
	if _, err := io.ReadAll(stream); err != nil {
		t.Errorf("the stream outlived signing out: %v", err)
	}
	if n, err := kept.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("another browser's stream ended, too: %v", err)
	}
}

func TestStreamsOfOnePersonAreCounted(t *testing.T) {
	t.Parallel()
	c := start(t)
	b := c.signedIn(t, "auditor")
	for range 60 {
		defer b.stream().Close()
	}
	if status, _ := b.status(http.MethodGet, "/servers/stream"); status != http.StatusTooManyRequests {
		t.Errorf("the 61st stream: status %d, want 429", status)
	}
	if status, _ := c.signedIn(t, "lead").status(http.MethodGet, "/stream"); status != http.StatusOK {
		t.Errorf("somebody else's first stream: status %d", status)
	}
}

func TestFirstAdminsAddressIsShutBehindHim(t *testing.T) {
	t.Parallel()
	c := start(t)
	b := c.browser(t)
	status, page := b.post("/first-admin", url.Values{"token": {"guess"}, "name": {"mallory"}, "password": {password}, "again": {password}})
	if status != http.StatusConflict || !strings.Contains(page, "There is an admin already.") {
		t.Errorf("first admin beside an admin: status %d: %s", status, words(page))
	}
}

func TestHostileTextIsMarkedOnPages(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	submitted(t, lead)
	server, err := c.store.ServerByName(t.Context(), "MBX01")
	if err != nil {
		t.Fatal(err)
	}
	nasty := "<script>alert(1)</script>\u202eexe.txt\x1b[2J" + strings.Repeat("x", 10<<10)
	value := fmt.Sprintf("%q", "\"><img src=x onerror=alert(1)>\u2066")
	if err := c.store.SaveProbe(t.Context(), server.Hosts[0].Asked(), "fault", nasty, []store.Fact{{Name: "os", Value: []byte(value), Source: "probed"}}); err != nil {
		t.Fatal(err)
	}
	page := lead.page("/servers/MBX01", "&lt;script&gt;", "[U+202E]exe.txt", "[U+2066]", "\u241b[2J")
	for _, bad := range []string{"<script>alert", "<img src=x", "\u202e", "\u2066", "\x1b"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	b := c.browser(t)
	b.post("/signin", url.Values{"name": {"operator\u202e<b>"}, "password": {"wrong"}})
	lead.page("/history?kind=sign-in.failed", "(no name)")
}
