package httpd_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// admin runs a statement as the superuser, in the console's database or in the
// one beside it that is always there.
func (c console) admin(t *testing.T, beside bool, statements ...string) {
	t.Helper()
	address, err := url.Parse(c.db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	if beside {
		address.Path = "/postgres"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func (c console) database(t *testing.T) string {
	t.Helper()
	address, err := url.Parse(c.db.URL)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(address.Path, "/")
}

// leaves takes the database away, as a restart does; the function brings it back.
func (c console) leaves(t *testing.T) (comes func()) {
	t.Helper()
	name := c.database(t)
	c.admin(t, true, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
	return func() { c.admin(t, true, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true") }
}

func TestEveryPageAndFormSaysThatTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	c := start(t)
	base := submitted(t, c.signedIn(t, "lead"))
	operator := c.signedIn(t, "operator")
	comes := c.leaves(t)
	for _, path := range []string{"/", "/servers", "/servers/MBX01", "/plans", "/plans/1", "/rollouts", base, base + "/waves/1", base + "/upgrades/MBX01", base + "/upgrades/MBX01/skip", base + "/stop", "/history", "/history.csv", "/stream", base + "/stream", "/signin"} {
		status, page := operator.get(path)
		if status != http.StatusServiceUnavailable || !strings.Contains(page, "The database is away") || !strings.Contains(page, "goes on there") {
			t.Errorf("GET %s: status %d: %s", path, status, words(page))
		}
		_, header := operator.status(http.MethodGet, path)
		if header.Get("Retry-After") == "" || header.Get("Refresh") == "" || header.Get("Content-Security-Policy") == "" {
			t.Errorf("GET %s: header %v", path, header)
		}
	}
	for _, path := range []string{base + "/stop", base + "/waves/1/approve", base + "/upgrades/MBX01/skip", "/signout", "/theme"} {
		status, page := operator.post(path, url.Values{"reason": {"because"}})
		if status != http.StatusServiceUnavailable || !strings.Contains(page, "Nothing of what you asked was carried out.") {
			t.Errorf("POST %s: status %d: %s", path, status, words(page))
		}
		if _, header := operator.status(http.MethodPost, path); header.Get("Refresh") != "" {
			t.Errorf("POST %s repeats itself", path)
		}
	}
	if status, _ := operator.get("/healthz"); status != http.StatusOK {
		t.Errorf("GET /healthz: status %d", status)
	}
	comes()
	if page := operator.page(base); strings.Contains(page, "Stopped") {
		t.Errorf("something was carried out: %s", words(page))
	}
}

// trap makes a table's writes fail with the SQLSTATE.
func (c console) trap(t *testing.T, table, body, when string) {
	t.Helper()
	c.admin(t, false,
		"CREATE FUNCTION trap_"+table+"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "+body+" RETURN NULL; END $$",
		"CREATE CONSTRAINT TRIGGER trap_"+table+" AFTER INSERT OR UPDATE ON "+table+" "+when+" FOR EACH ROW EXECUTE FUNCTION trap_"+table+"()",
	)
}

const (
	atOnce   = "NOT DEFERRABLE"
	atCommit = "DEFERRABLE INITIALLY DEFERRED"
	full     = "RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100';"
	cut      = "PERFORM pg_terminate_backend(pg_backend_pid());"
)

func TestFormSaysThatNothingWasDoneWhenTheDiskIsFull(t *testing.T) {
	t.Parallel()
	c := start(t)
	base := submitted(t, c.signedIn(t, "lead"))
	operator := c.signedIn(t, "operator")
	c.trap(t, "event", full, atOnce)
	status, page := operator.post(base+"/stop", url.Values{"reason": {"wrong fleet"}})
	if status != http.StatusServiceUnavailable || !strings.Contains(page, "Nothing of what you asked was carried out.") {
		t.Errorf("stop with a full disk: status %d: %s", status, words(page))
	}
	if page := operator.page(base); strings.Contains(page, "wrong fleet") {
		t.Errorf("the page shows what was not carried out: %s", words(page))
	}
}

func TestFormSaysThatItsOutcomeIsNotKnown(t *testing.T) {
	t.Parallel()
	c := start(t)
	base := submitted(t, c.signedIn(t, "lead"))
	operator := c.signedIn(t, "operator")
	c.trap(t, "event", cut, atCommit)
	status, page := operator.post(base+"/stop", url.Values{"reason": {"wrong fleet"}})
	if status != http.StatusServiceUnavailable || !strings.Contains(page, "It is not known whether it was carried out") || !strings.Contains(page, "Look before you do it again") {
		t.Errorf("stop, cut at its commit: status %d: %s", status, words(page))
	}
}

func TestFormSaysThatItWasCarriedOutThoughTheNextPageFails(t *testing.T) {
	t.Parallel()
	c := start(t)
	base := submitted(t, c.signedIn(t, "lead"))
	operator := c.signedIn(t, "operator")
	c.trap(t, "session", full, atOnce)
	status, page := operator.post(base+"/stop", url.Values{"reason": {"wrong fleet"}})
	if status != http.StatusServiceUnavailable || !strings.Contains(page, "It was carried out") || !strings.Contains(page, "The rollout is stopped") || !strings.Contains(page, `href="`+base+`"`) {
		t.Errorf("stop, with a session that cannot be kept: status %d: %s", status, words(page))
	}
	if strings.Count(page, "</html>") != 1 {
		t.Errorf("two answers in one: %s", words(page))
	}
	operator.page(base, "wrong fleet")
}

func TestPageOfADatabaseThatDoesNotAnswerEnds(t *testing.T) {
	t.Parallel()
	c := startPatient(t, 3*time.Second)
	operator := c.signedIn(t, "operator")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "BEGIN; LOCK TABLE rollout"); err != nil {
		t.Fatal(err)
	}
	status, page := operator.get("/rollouts")
	if status != http.StatusServiceUnavailable || !strings.Contains(page, "It took too long") {
		t.Errorf("a page that hangs: status %d: %s", status, words(page))
	}
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	operator.page("/rollouts")
}

func TestDownloadThatBreaksOffIsNotTakenForAWhole(t *testing.T) {
	t.Parallel()
	c := start(t)
	base := submitted(t, c.signedIn(t, "lead"))
	operator := c.signedIn(t, "operator")
	// More lines than one reading takes, the second of which fails.
	c.admin(t, false,
		"INSERT INTO setup_log (upgrade_id, line, text, at) SELECT u.id, n, 'line ' || n, now() FROM upgrade u JOIN server s ON s.id = u.server_id, generate_series(1, 30000) n WHERE s.name = 'MBX01'",
		"CREATE FUNCTION broken(bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF $1 > 5000 THEN RAISE EXCEPTION 'gone' USING ERRCODE = '57P01'; END IF; RETURN true; END $$",
		"ANALYZE setup_log",
		"ALTER TABLE setup_log ENABLE ROW LEVEL SECURITY",
		"CREATE POLICY reads ON setup_log FOR SELECT USING (broken(line))",
	)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+base+"/upgrades/MBX01/log", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := operator.client.Do(r)
	if err != nil {
		return // broken off before its header: no file at all
	}
	defer response.Body.Close()
	var b strings.Builder
	piece := make([]byte, 32<<10)
	for {
		n, err := response.Body.Read(piece)
		b.Write(piece[:n])
		if err != nil && err.Error() == "EOF" {
			t.Fatalf("the part is taken for the whole: %d lines, the last bytes %q", strings.Count(b.String(), "\n"), b.String()[max(0, b.Len()-80):])
		}
		if err != nil {
			return
		}
	}
}
