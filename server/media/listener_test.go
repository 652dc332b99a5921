package media_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wavekeeper/server/media"
)

// grants is what a database would say.
type grants struct {
	mu     sync.Mutex
	living map[string]media.Grant // by the token's hash
	err    error
	in     media.Grants // answers in its place
}

func (g *grants) Grant(ctx context.Context, token string) (media.Grant, error) {
	if g.in != nil {
		return g.in.Grant(ctx, token)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	one, ok := g.living[token]
	if g.err == nil && !ok {
		return one, media.ErrNoGrant
	}
	return one, g.err
}

func (g *grants) change(token string, change func(*media.Grant) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	one := g.living[hash(token)]
	delete(g.living, hash(token))
	if change(&one) {
		g.living[hash(token)] = one
	}
}

func hash[T string | []byte](b T) string {
	sum := sha256.Sum256([]byte(b))
	return hex.EncodeToString(sum[:])
}

func token(i int) string { return fmt.Sprintf("%064x", i+1) }

// served is a listener with one bundle and a token for each of several hosts.
type served struct {
	*media.Listener
	grants *grants
	url    string // of the bundle
	path   string
	bundle []byte
	log    *locked
	events chan media.Event
	buffer atomic.Int64 // of the kernel for what is sent; 0 = as it likes
}

func serve(t testing.TB, address string, size, hosts int, opt media.Options) *served {
	t.Helper()
	s := &served{bundle: make([]byte, size), grants: &grants{living: map[string]media.Grant{}}, log: &locked{}, events: make(chan media.Event, 1000)}
	for i := range s.bundle {
		s.bundle[i] = byte(i * 7 >> 3)
	}
	dir := t.TempDir()
	sum := hash(s.bundle)
	s.path = filepath.Join(dir, sum+media.Extension)
	if err := os.WriteFile(s.path, s.bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	shelf, err := media.OpenShelf(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range hosts {
		s.grants.living[hash(token(i))] = media.Grant{
			Job: int64(i + 1), Host: fmt.Sprintf("H%d", i), Addresses: []netip.Addr{netip.MustParseAddr(address)}, Bundles: []string{sum},
		}
	}
	opt.Grants, opt.Files, opt.Log = s.grants, shelf, slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	opt.Seen = func(e media.Event) { s.events <- e }
	s.Listener = media.New(opt)
	at, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := s.Server()
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if n := s.buffer.Load(); n > 0 {
			if err := conn.(*net.TCPConn).SetWriteBuffer(int(n)); err != nil {
				t.Error(err)
			}
		}
		return ctx
	}
	go server.Serve(at)
	t.Cleanup(func() { server.Close() })
	s.url = "http://" + at.Addr().String() + media.PathPrefix + sum
	return s
}

type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// next is the next request as it ended, which is after its last byte.
func (s *served) next(t *testing.T) media.Event {
	t.Helper()
	select {
	case e := <-s.events:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no request ended")
		return media.Event{}
	}
}

func begin(t testing.TB, method, url, token string, head map[string]string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set(media.TokenHeader, token)
	}
	for name, value := range head {
		r.Header.Set(name, value)
	}
	// From the address that is asked: hosts and console share the loopback.
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(r.URL.Hostname())}}
	return (&http.Transport{DisableKeepAlives: true, ReadBufferSize: 256 << 10, DialContext: from.DialContext}).RoundTrip(r)
}

func get(t testing.TB, method, url, token string, head map[string]string) (*http.Response, []byte, error) {
	t.Helper()
	answer, err := begin(t, method, url, token, head)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, body, err
}

func TestOnlyKnownHostsFetchAndOnlyWhatIsTheirs(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.126.1", 1<<20, 3, media.Options{})
	base := s.url[:strings.Index(s.url, media.PathPrefix)]
	s.grants.change(token(1), func(g *media.Grant) bool { g.Addresses = []netip.Addr{netip.MustParseAddr("10.0.0.1")}; return true })
	s.grants.change(token(2), func(*media.Grant) bool { return false })
	for _, c := range []struct {
		name, method, url, token string
		want                     int
		why                      string
	}{
		{"with its token", "GET", s.url, token(0), 200, ""},
		{"HEAD", "HEAD", s.url, token(0), 200, ""},
		{"no token", "GET", s.url, "", 404, media.RefusedToken},
		{"a wrong token", "GET", s.url, token(77), 404, media.RefusedToken},
		{"a token in the address", "GET", s.url + "?token=" + token(0), "", 404, media.RefusedToken},
		{"a query beside the token", "GET", s.url + "?", token(0), 404, media.RefusedToken},
		{"the hash for the token", "GET", s.url, hash(token(0)), 404, media.RefusedToken},
		{"POST", "POST", s.url, token(0), 405, media.RefusedMethod},
		{"PUT", "PUT", s.url, token(0), 405, media.RefusedMethod},
		{"DELETE", "DELETE", s.url, token(0), 405, media.RefusedMethod},
		{"another bundle", "GET", base + media.PathPrefix + strings.Repeat("0", 64), token(0), 404, media.RefusedFile},
		{"upwards", "GET", base + "/media/../etc/passwd", token(0), 404, media.RefusedFile},
		{"the root", "GET", base + "/", token(0), 404, media.RefusedFile},
		{"from a foreign address", "GET", s.url, token(1), 404, media.RefusedAddress},
		{"after the job's end", "GET", s.url, token(2), 404, media.RefusedToken},
	} {
		answer, body, err := get(t, c.method, c.url, c.token, nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if e := s.next(t); answer.StatusCode != c.want || e.Refused != c.why {
			t.Errorf("%s: %v, %+v, want %d %q", c.name, answer, e, c.want, c.why)
			continue
		}
		if c.want == 404 && string(body) != "Not Found\n" {
			t.Errorf("%s: a stranger reads %q", c.name, body)
		}
	}
	s.grants.mu.Lock()
	s.grants.err = errors.New("the database is away")
	s.grants.mu.Unlock()
	if answer, _, err := get(t, "GET", s.url, token(0), nil); err != nil || answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" {
		t.Errorf("without grants: %v, %v, want 503 and when to ask again", answer, err)
	}
}

func TestNoTokenIsInEventsOrLogs(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.126.2", 1<<16, 2, media.Options{})
	s.grants.change(token(1), func(g *media.Grant) bool { g.Addresses = nil; return true })
	for _, tok := range []string{token(0), token(1), token(9)} {
		get(t, "GET", s.url, tok, nil)
		get(t, "GET", s.url+"?"+tok, tok, nil)
	}
	os.Remove(s.path)
	get(t, "GET", s.url, token(0), nil)
	said := ""
	for range 7 {
		said += fmt.Sprintf("%+v\n", s.next(t))
	}
	said += s.log.String()
	for i := range 10 {
		if strings.Contains(said, token(i)) || strings.Contains(said, hash(token(i))) {
			t.Errorf("token %d is in\n%s", i, said)
		}
	}
}

func TestResumesByRangeAndETag(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.126.3", 1<<20, 1, media.Options{})
	etag := `"` + hash(s.bundle) + `"`
	answer, body, err := get(t, "GET", s.url, token(0), map[string]string{"Range": "bytes=1000000-", "If-Range": etag})
	if err != nil || answer.StatusCode != 206 || !bytes.Equal(body, s.bundle[1000000:]) || answer.Header.Get("ETag") != etag {
		t.Errorf("the rest: %v, %v, %d bytes", answer, err, len(body))
	}
	answer, body, err = get(t, "GET", s.url, token(0), map[string]string{"Range": "bytes=1000000-", "If-Range": `"another"`})
	if err != nil || answer.StatusCode != 200 || len(body) != len(s.bundle) {
		t.Errorf("the rest of another file: %v, %v, %d bytes, want all", answer, err, len(body))
	}
	answer, _, err = get(t, "GET", s.url, token(0), map[string]string{"Range": "bytes=1048576-"})
	if err != nil || answer.StatusCode != 416 {
		t.Errorf("past the end: %v, %v", answer, err)
	}
}

func TestCurlResumes(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl here (Debian: curl): the listener is not compared with a client that is not ours")
	}
	s := serve(t, "127.0.126.4", 1<<20, 1, media.Options{})
	part := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(part, s.bundle[:300_000], 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), curl, "-sS", "-f", "--noproxy", "*", "--interface", "127.0.126.4", "-C", "-", "-H", media.TokenHeader+": "+token(0), "-o", part, s.url).CombinedOutput()
	got, _ := os.ReadFile(part)
	if err != nil || !bytes.Equal(got, s.bundle) {
		t.Fatalf("curl: %v %s, %d bytes", err, out, len(got))
	}
	if e := s.next(t); e.Status != 206 || e.Bytes != 1<<20-300_000 {
		t.Errorf("served was %+v, want the rest only", e)
	}
}

// read begins a transfer and reads its first bytes.
func (s *served) read(t *testing.T, i int) io.ReadCloser {
	t.Helper()
	answer, err := begin(t, "GET", s.url, token(i), nil)
	if err == nil && answer.StatusCode == 200 {
		_, err = io.ReadFull(answer.Body, make([]byte, 1000))
	}
	if err != nil {
		t.Fatalf("begin: %v, %v", answer, err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer.Body
}

// cut waits until a transfer is cut off.
func cut(t *testing.T, what string, body io.Reader) {
	t.Helper()
	end := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, body)
		end <- err
	}()
	select {
	case err := <-end:
		if err == nil {
			t.Errorf("%s: the transfer came to its end", what)
		}
	case <-time.After(3 * time.Second):
		t.Errorf("%s: the transfer went on", what)
	}
}

// slow is a rate at which what these tests transfer takes minutes.
const slow = 256 << 10

func TestTransferDiesWithItsJob(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.126.6", 64<<20, 3, media.Options{Rate: slow, Recheck: 20 * time.Millisecond})
	body := s.read(t, 0)
	s.grants.change(token(0), func(*media.Grant) bool { return false })
	cut(t, "a job that ended in another process", body)

	other := serve(t, "127.0.126.7", 64<<20, 1, media.Options{Rate: slow, Recheck: time.Hour})
	body = other.read(t, 0)
	other.Revoke(1)
	cut(t, "a job that ended here", body)
}

func TestTheNewestRequestOfAJobWins(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.126.8", 64<<20, 1, media.Options{Rate: slow, Hosts: 1})
	body := s.read(t, 0)
	answer, _, err := get(t, "GET", s.url, token(0), map[string]string{"Range": fmt.Sprintf("bytes=%d-", 64<<20-100)})
	if err != nil || answer.StatusCode != 206 {
		t.Errorf("asked again: %v, %v, want the rest at once, in the host's own place", answer, err)
	}
	cut(t, "the connection before", body)
}

func TestHostsAndRateAreLimited(t *testing.T) {
	t.Parallel()
	const limit, size = 40 << 20, 8 << 20
	s := serve(t, "127.0.126.9", size, 8, media.Options{Rate: limit, Hosts: 5})
	var whole, later atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for i := range 8 {
		all.Go(func() {
			answer, body, err := get(t, "GET", s.url, token(i), nil)
			switch {
			case err == nil && answer.StatusCode == 200 && len(body) == size:
				whole.Add(1)
			case err == nil && answer.StatusCode == 503 && answer.Header.Get("Retry-After") != "":
				later.Add(1)
			default:
				t.Errorf("host %d: %v, %v", i, answer, err)
			}
		})
	}
	all.Wait()
	if whole.Load() != 5 || later.Load() != 3 {
		t.Errorf("%d were served and %d told to come later, want 5 and 3", whole.Load(), later.Load())
	}
	// All but the first chunk waits for its time; a busy machine is only slower.
	if took, least := time.Since(began), time.Duration(float64(5*size-4<<20)/limit*float64(time.Second)); took < least {
		t.Errorf("took %v, want at least %v", took, least)
	}
}

func TestHostThatTakesNothingIsCutOff(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.126.10", 64<<20, 1, media.Options{Stall: 50 * time.Millisecond})
	if _, err := begin(t, "GET", s.url, token(0), nil); err != nil { // and reads nothing more
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); s.Busy() > 0; {
		if time.Now().After(end) {
			t.Fatal("its place is still taken")
		}
		select {
		case <-t.Context().Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}
