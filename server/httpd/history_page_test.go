package httpd_test

import (
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/httpd"
	"wavekeeper/server/live"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// TestHistorySaysHowFarItCanBeTrusted: where the program runs as the owner of
// its tables the page says so; in either case it says how far the chain of
// decisions was verified.
func TestHistorySaysHowFarItCanBeTrusted(t *testing.T) {
	t.Parallel()
	const warning = "rights do not protect this record"
	if page := start(t).signedIn(t, "auditor").page("/history", "Verified to entry"); strings.Contains(page, warning) {
		t.Error("the page warns though the program's role cannot change the record")
	}

	db := storetest.New(t)
	owner, err := store.Open(t.Context(), db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	hash, err := auth.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.AddPerson(t.Context(), store.Actor{Name: "test"}, store.NewPerson{Name: "auditor", Hash: hash, Roles: []string{"auditor"}}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	server := httptest.NewServer(httpd.New(httpd.Options{Store: owner, Live: live.New(db.OwnerURL, log), Runbooks: runbook, Insecure: true, Log: log}))
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, url: server.URL, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	b.post("/signin", url.Values{"name": {"auditor"}, "password": {password}})
	// Who acted without an account can be filtered for, too.
	b.page("/history", warning, "Verified to entry", `<option value="test"`)
}
