package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"wavekeeper/server/live"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

func TestServeRefusesADatabaseThatIsNotMigrated(t *testing.T) {
	t.Parallel()
	serve := &ServeCmd{DatabaseFlags: DatabaseFlags{Database: storetest.Empty(t).URL}, Listen: "127.0.0.1:0"}
	serve.KeyFile = filepath.Join(t.TempDir(), "key")
	var out bytes.Buffer
	err := serve.Run(&Globals{Stdout: &out, Stderr: &out})
	if !errors.Is(err, store.ErrNotMigrated) || !strings.Contains(err.Error(), "wavekeeper migrate") {
		t.Errorf("serve on an empty database: %v, want a message that says to migrate", err)
	}
}

func TestServeRefusesADemosDatabase(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	if _, err := d.Store.Installation(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	serve := &ServeCmd{DatabaseFlags: DatabaseFlags{Database: d.URL}, Listen: "127.0.0.1:0"}
	serve.KeyFile = filepath.Join(t.TempDir(), "key")
	var out bytes.Buffer
	if err := serve.Run(&Globals{Stdout: &out, Stderr: &out}); err == nil || !strings.Contains(err.Error(), "demo") {
		t.Errorf("serve on a demo's database: %v, want it refused", err)
	}
}

func TestServeSaysWhichAssetsAreMissing(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	sayMissing(log, nil)
	if out.Len() > 0 {
		t.Errorf("nothing is missing, but it says %s", out.String())
	}
	sayMissing(log, []string{"vendor/htmx.min.js"})
	for _, want := range []string{"level=WARN", "make assets", "vendor/htmx.min.js"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s does not say %q", out.String(), want)
		}
	}
}

func TestDemoStaysOnThisMachine(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:8080", "10.1.2.3:8080", ":8080", "example.com:8080"} {
		demo := &DemoCmd{Dir: t.TempDir(), Listen: listen, Speed: 1}
		if err := demo.check(); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("demo at %s: %v, want it refused", listen, err)
		}
	}
}

func TestDemoWritesIntoNoForeignDatabase(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	if err := ours(t.Context(), d.URL); err != nil {
		t.Errorf("a migrated database that nobody uses: %v", err)
	}
	if _, err := d.Store.Installation(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := ours(t.Context(), d.URL); err == nil {
		t.Error("an installation's database is taken for a demo's")
	}
}

func TestDemoKeepsItsSecrets(t *testing.T) {
	t.Parallel()
	demo := &DemoCmd{Dir: t.TempDir(), Listen: "127.0.0.1:0", Speed: 1}
	first, err := demo.secrets()
	if err != nil {
		t.Fatal(err)
	}
	again, err := demo.secrets()
	if err != nil || again.People["lead"] != first.People["lead"] || again.WinRM != first.WinRM {
		t.Errorf("secrets changed between two starts: %v", err)
	}
	if len(first.People) != len(demoPeople) {
		t.Errorf("%d accounts, want %d", len(first.People), len(demoPeople))
	}
}

func TestDemosConsoleIsForThisMachineOnly(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for listen, fine := range map[string]bool{"127.0.0.1:8080": true, "localhost:8080": true, "[::1]:8080": true, ":8080": false, "0.0.0.0:8080": false, "10.0.0.5:8080": false} {
		c := &ServeCmd{Listen: listen, Demo: true}
		if _, err := c.check(log); (err == nil) != fine {
			t.Errorf("a demo that listens on %s: %v, want fine %v", listen, err, fine)
		}
		if c.insecure() != fine {
			t.Errorf("cookies over http where %s listens: %v, want %v", listen, c.insecure(), fine)
		}
		c.PublicURL = "https://wavekeeper.contoso.com"
		if c.insecure() {
			t.Errorf("cookies over http behind https, where %s listens", listen)
		}
	}
}

func TestProxiesAreNamed(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	c := &ServeCmd{Listen: ":8080", PublicURL: "https://wavekeeper.contoso.com"}
	if proxies, err := c.check(log); len(proxies) != 0 || err != nil || !strings.Contains(said.String(), "--trusted-proxy") {
		t.Errorf("a proxy that is not named: %v, %v, and the log says %q", proxies, err, said.String())
	}
	said.Reset()
	c.TrustedProxy = []string{"10.0.0.5", "10.1.2.3/16", "fd00::1"}
	proxies, err := c.check(log)
	if err != nil || len(proxies) != 3 || proxies[0].String() != "10.0.0.5/32" || proxies[1].String() != "10.1.0.0/16" || said.Len() != 0 {
		t.Errorf("proxies = %v, %v, and the log says %q", proxies, err, said.String())
	}
	c.TrustedProxy = []string{"proxy.contoso.com"}
	if _, err := c.check(log); err == nil {
		t.Error("a proxy by name was taken")
	}
}

func TestMetricsAndReadinessAreNotForEverybody(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	log := slog.New(slog.DiscardHandler)
	hub := live.New(d.URL, log)
	ask := func(h http.Handler, path, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	shut, inner := (&ServeCmd{Listen: "127.0.0.1:0"}).console(d.Store, "", hub, nil, log)
	guarded, _ := (&ServeCmd{Listen: "127.0.0.1:0", MetricsToken: "let me in"}).console(d.Store, "", hub, nil, log)
	for _, path := range []string{"/metrics", "/readyz"} {
		if w := ask(shut, path, "let me in"); w.Code != http.StatusNotFound {
			t.Errorf("%s at a console without a token: %d, want 404", path, w.Code)
		}
		for _, token := range []string{"", "let me", "let me in too"} {
			if w := ask(guarded, path, token); w.Code != http.StatusUnauthorized {
				t.Errorf("%s with token %q: %d, want 401", path, token, w.Code)
			}
		}
		for name, w := range map[string]*httptest.ResponseRecorder{"with the token": ask(guarded, path, "let me in"), "at its own listener": ask(inner, path, "")} {
			if w.Code != http.StatusOK || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s: %d, %v", path, name, w.Code, w.Header())
			}
		}
	}
}
