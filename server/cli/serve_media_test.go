package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/live"
	"wavekeeper/server/media"
	"wavekeeper/server/rollout"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// quiet is a log that several may write to.
type quiet struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (q *quiet) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.text.Write(p)
}

func (q *quiet) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.text.String()
}

// TestServeGivesMediaAtAPortOfTheirOwn walks a staging as its job does, and
// fetches as its host does.
func TestServeGivesMediaAtAPortOfTheirOwn(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), storetest.New(t)
	shelf, err := media.OpenShelf(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := shelf.Add(ctx, folder(t, servicePack()), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := store.Medium{
		Package: "sp1", Languages: []string{"en-US"}, Arch: "x64", SetupSHA256: strings.Repeat("ab", 32), Files: 5, TreeSize: 1,
		ManifestSHA256: bundle.ManifestSHA256, BundleSHA256: bundle.SHA256, BundleSize: bundle.Size,
	}
	if _, err := d.Store.AddMedia(ctx, commandLine(), m, bundle.ManifestBytes, ""); err != nil {
		t.Fatal(err)
	}
	inventory, _ := exchange.ReadInventory(strings.NewReader("server,roles,address\nCAS1,CAS,127.0.137.20\n"))
	if _, err := d.Store.ImportInventory(ctx, commandLine(), inventory, nil, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	cas1, err := d.Store.ServerByName(ctx, "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	asked, err := d.Store.AskStaging(ctx, commandLine(), store.StagingAsk{Package: "sp1", Servers: []int64{cas1.ID}, Reason: "early"})
	if err != nil || len(asked.Stagings) != 1 {
		t.Fatal(asked, err)
	}
	lease, _, err := d.Store.AcquireHost(ctx, "worker", cas1.Hosts[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.BeginStaging(ctx, lease, asked.Stagings[0], 1); err != nil {
		t.Fatal(err)
	}
	token, sum := media.Token(bytes.Repeat([]byte{7}, 32))
	here := netip.MustParseAddr("127.0.137.20")
	if err := d.Store.Grant(ctx, lease, asked.Stagings[0], sum, []netip.Addr{here}, time.Hour); err != nil {
		t.Fatal(err)
	}

	said := &quiet{}
	log := slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	free, err := net.Listen("tcp", "127.0.137.20:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	free.Close()
	c := &ServeCmd{Listen: "127.0.137.21:0", MediaFlags: MediaFlags{MediaDir: shelf.Dir()}, MediaListenFlags: MediaListenFlags{MediaListen: at, MediaHosts: 3}}
	p := &parts{log: log}
	defer p.stop()
	listener, counts, err := c.mediaListener(p, d.Store, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.serveMedia(p, listener, make(chan error, 1)); err != nil {
		t.Fatal(err)
	}
	pages, ops := c.console(d.Store, "", live.New(d.URL, log), nil, log, counts...)
	fetch := func(from string) (int, []byte) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+media.PathPrefix+bundle.SHA256, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(media.TokenHeader, token)
		dial := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		answer, err := (&http.Transport{DialContext: dial.DialContext, DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, body
	}
	if status, body := fetch("127.0.137.20"); status != 200 || sha256Hex(body) != bundle.SHA256 {
		t.Errorf("the host reads %d, %d bytes", status, len(body))
	}
	if status, _ := fetch("127.0.137.22"); status != 404 {
		t.Errorf("from elsewhere: %d", status)
	}
	if g, err := d.Store.StagingByID(ctx, asked.Stagings[0]); err != nil || !strings.Contains(g.Refused, "It asked from 127.0.137.22, which is none of its addresses") {
		t.Errorf("the staging says %q, %v", g.Refused, err)
	}
	// The console's own port does not have it, with the token or without.
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, media.PathPrefix+bundle.SHA256, nil)
	r.Header.Set(media.TokenHeader, token)
	w := httptest.NewRecorder()
	pages.ServeHTTP(w, r)
	if w.Code == 200 {
		t.Errorf("the console's port answers %d, %d bytes", w.Code, w.Body.Len())
	}
	for end := time.Now().Add(5 * time.Second); ; { // a request is counted when its last byte is gone
		w = httptest.NewRecorder()
		ops.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil))
		if strings.Contains(w.Body.String(), `requests_total{refused=""} 1`) || time.Now().After(end) {
			break
		}
	}
	for _, want := range []string{`wavekeeper_media_requests_total{refused="address"} 1`, `wavekeeper_media_requests_total{refused=""} 1`, "wavekeeper_media_transfers 0", "wavekeeper_media_bytes_total"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("metrics have no %s", want)
		}
	}
	g, err := d.Store.StagingByID(ctx, asked.Stagings[0])
	if err != nil {
		t.Fatal(err)
	}
	save := g.Save()
	save.To, save.Proven = rollout.Done, true
	if err := d.Store.SaveStaging(ctx, lease, save); err != nil {
		t.Fatal(err)
	}
	if status, _ := fetch("127.0.137.20"); status != 404 {
		t.Errorf("after the staging's end the host reads %d", status)
	}
	if all := said.String() + w.Body.String(); strings.Contains(all, token) || strings.Contains(all, sum) {
		t.Error("the token is in the log or the metrics")
	}
}

func TestServeRefusesMediaAddressesThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags MediaListenFlags
		demo  bool
		want  string
	}{
		{MediaListenFlags{}, false, ""},
		{MediaListenFlags{MediaListen: "0.0.0.0:8082"}, false, ""},
		{MediaListenFlags{MediaListen: "0.0.0.0:8082", MediaURL: "http://wavekeeper.contoso.com:8082/"}, false, ""},
		{MediaListenFlags{MediaListen: "0.0.0.0"}, false, "missing port"},
		{MediaListenFlags{MediaListen: "0.0.0.0:0"}, false, "a port that hosts can be told"},
		{MediaListenFlags{MediaListen: "0.0.0.0:many"}, false, "a port that hosts can be told"},
		{MediaListenFlags{MediaListen: "0.0.0.0:8082"}, true, "loopback"},
		{MediaListenFlags{MediaURL: "http://x:1"}, false, "set both or none"},
		{MediaListenFlags{MediaListen: "0.0.0.0:8082", MediaURL: "https://x:1"}, false, "http, a name and a port are wanted"},
		{MediaListenFlags{MediaListen: "0.0.0.0:8082", MediaURL: "http://u:p@x:1"}, false, "wanted"},
		{MediaListenFlags{MediaListen: "0.0.0.0:8082", MediaURL: "http://x:1/media"}, false, "wanted"},
		{MediaListenFlags{MediaListen: "0.0.0.0:8082", MediaHosts: -1}, false, "from 0"},
	} {
		serve := &ServeCmd{Listen: "127.0.0.1:1", Demo: c.demo, MediaListenFlags: c.flags}
		_, err := serve.check(slog.New(slog.DiscardHandler))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.flags, err, c.want)
		}
	}
	key, err := secret.Load(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	serve := &ServeCmd{MediaListenFlags: MediaListenFlags{MediaListen: "0.0.0.0:8082", MediaURL: "http://x:80/"}}
	if at := serve.media(key, media.New(media.Options{})); at.URL != "http://x:80" || at.Port != 8082 || at.Secret == nil || at.Revoke == nil {
		t.Errorf("the coordinator is told %+v", at)
	}
	if at := serve.media(key, nil); at.Port != 0 || at.URL != "" {
		t.Errorf("without a listener the coordinator is told %+v", at)
	}
	for text, want := range map[string]byteRate{"50MB": 50e6, "1.5 gb": 1.5e9, "0": 0, "700kB": 700e3, "123": 123, "-1": -1, "fast": -1, "": -1, "nan": -1} {
		var b byteRate
		if err := b.UnmarshalText([]byte(text)); (err != nil) != (want < 0) || err == nil && b != want {
			t.Errorf("a rate of %q is %d, %v, want %d", text, b, err, want)
		}
	}
}

func TestServeSaysWhichMediaAreDamaged(t *testing.T) {
	t.Parallel()
	said := &quiet{}
	shelf, err := media.OpenShelf(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := shelf.Add(t.Context(), folder(t, servicePack()), nil)
	if err != nil {
		t.Fatal(err)
	}
	warm(context.Background(), shelf, slog.New(slog.NewTextHandler(said, nil)))
	if said.String() != "" {
		t.Errorf("it says %s", said)
	}
	bad := filepath.Join(shelf.Dir(), strings.Repeat("0", 64)+media.Extension)
	if err := os.Rename(shelf.Path(bundle.SHA256), bad); err != nil {
		t.Fatal(err)
	}
	warm(context.Background(), shelf, slog.New(slog.NewTextHandler(said, nil)))
	if !strings.Contains(said.String(), bad) {
		t.Errorf("it does not say that %s is damaged: %s", bad, said)
	}
}
