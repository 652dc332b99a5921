package httpd_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestEveryPageAndFormSaysThatTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	c := start(t)
	base := submitted(t, c.signedIn(t, "lead"))
	operator := c.signedIn(t, "operator")
	comes := c.db.Leave(t)
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
	c.db.Admin(t,
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
	tx, err := c.store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE rollout"); err != nil {
		t.Fatal(err)
	}
	status, page := operator.get("/rollouts")
	if status != http.StatusServiceUnavailable || !strings.Contains(page, "It took too long") {
		t.Errorf("a page that hangs: status %d: %s", status, words(page))
	}
	if err := tx.Rollback(t.Context()); err != nil {
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
	c.db.Admin(t,
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
