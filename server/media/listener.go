package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// TokenHeader carries the token of one host's job. It is never in an address,
// which proxies and logs keep.
const TokenHeader = "X-Wavekeeper-Token"

// PathPrefix is what stands before a bundle's hash in its address.
const PathPrefix = "/media/"

// Grant is what one host may fetch while its job lives.
type Grant struct {
	Job       int64
	Host      string
	Addresses []netip.Addr // from which the host may come
	Bundles   []string     // SHA-256
	Until     time.Time
}

// ErrNoGrant says that no living job has this token.
var ErrNoGrant = errors.New("no living job has this token")

// Grants knows the living jobs: by the token's hash, since tokens are not kept.
type Grants interface {
	Grant(ctx context.Context, tokenSHA256 string) (Grant, error)
}

// Files knows the bundles of this machine: a Shelf.
type Files interface {
	File(ctx context.Context, sha256 string) (File, error)
	Doubt(sha256 string) // the next File compares the bundle's hash again
}

// Options of a Listener.
type Options struct {
	Grants  Grants
	Files   Files
	Rate    int64         // bytes a second for all hosts together; 0 = no limit
	Hosts   int           // that fetch at the same time; 0 = no limit
	Recheck time.Duration // how often a running transfer asks whether its job still lives; 0 = 5 s
	Stall   time.Duration // a host that takes nothing for so long is cut off; 0 = 60 s
	Log     *slog.Logger
	Seen    func(Event) // of each request as it ended; may be nil
}

// Event is one request as it ended. It holds no token.
type Event struct {
	Job     int64 // 0 = of no job
	Host    string
	From    netip.Addr
	Status  int
	Refused string // why, one of the Refused words; "" = served, whole or in part
	Bytes   int64
	Elapsed time.Duration
}

// Why a request was refused.
const (
	RefusedMethod  = "method"
	RefusedToken   = "token"
	RefusedAddress = "address"
	RefusedFile    = "file"
	RefusedBusy    = "busy"
	RefusedAway    = "away"    // the grants cannot be read now
	RefusedMissing = "missing" // this console does not have the bundle
	RefusedChanged = "changed" // the bundle is not what was registered
)

// Listener is the http.Handler that hosts fetch from.
type Listener struct {
	opt     Options
	limiter *rate.Limiter // nil = no limit
	known   *strangers
	chunk   int64

	mu    sync.Mutex
	now   map[int64]*transfer  // the one transfer of each job
	whole map[int64]bool       // jobs whose host was sent the end of the bundle
	said  map[string]time.Time // when a bundle that cannot be served was logged
}

type transfer struct{ cancel context.CancelCauseFunc }

var (
	errSuperseded = errors.New("the host asked again")
	errRevoked    = errors.New("the job has ended")
)

// maxChunk is how much is handed to the kernel at once: coarse enough for
// sendfile, and an eighth of a second of a limit so that hosts get equal parts.
const (
	maxChunk   = 1 << 20
	minChunk   = 64 << 10
	firstChunk = 256 << 10 // a host's pace is not known yet
)

// New returns a Listener.
func New(opt Options) *Listener {
	if opt.Recheck == 0 {
		opt.Recheck = 5 * time.Second
	}
	if opt.Stall == 0 {
		opt.Stall = time.Minute
	}
	l := &Listener{opt: opt, chunk: maxChunk, now: map[int64]*transfer{}, whole: map[int64]bool{}, said: map[string]time.Time{}, known: newStrangers()}
	if opt.Rate > 0 {
		l.chunk = min(max(opt.Rate/8, minChunk), maxChunk)
		l.limiter = rate.NewLimiter(rate.Limit(opt.Rate), int(l.chunk))
	}
	return l
}

// Server is the http server that the listener wants: small requests, one for
// each connection.
func (l *Listener) Server() *http.Server {
	server := &http.Server{
		Handler: l, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 4 << 10, ConnState: l.known.state,
		ErrorLog: slog.NewLogLogger(l.opt.Log.Handler(), slog.LevelDebug),
	}
	server.SetKeepAlivesEnabled(false)
	return server
}

// ServeHTTP serves GET and HEAD of /media/SHA256 to a host with a living job.
// Whatever a stranger can cause is the same 404.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		l.refuse(w, r, Grant{}, http.StatusMethodNotAllowed, RefusedMethod)
		return
	}
	token := r.Header.Get(TokenHeader)
	if len(token) != 64 || r.URL.RawQuery != "" || r.URL.ForceQuery || r.ContentLength != 0 {
		l.refuse(w, r, Grant{}, http.StatusNotFound, RefusedToken)
		return
	}
	sum := hashToken(token)
	grant, err := l.known.ask(r.Context(), l.opt.Grants, from(r), sum)
	switch {
	case errors.Is(err, errTooMany):
		w.Header().Set("Retry-After", "2")
		l.refuse(w, r, Grant{}, http.StatusServiceUnavailable, RefusedBusy)
		return
	case errors.Is(err, ErrNoGrant):
		l.refuse(w, r, Grant{}, http.StatusNotFound, RefusedToken)
		return
	case err != nil:
		l.opt.Log.Warn("grants cannot be read", "part", "media", "err", err)
		w.Header().Set("Retry-After", "10")
		l.refuse(w, r, Grant{}, http.StatusServiceUnavailable, RefusedAway)
		return
	case !slices.Contains(grant.Addresses, from(r)):
		l.refuse(w, r, grant, http.StatusNotFound, RefusedAddress)
		return
	}
	bundle, ok := strings.CutPrefix(r.URL.Path, PathPrefix)
	if !ok || !slices.Contains(grant.Bundles, bundle) {
		l.refuse(w, r, grant, http.StatusNotFound, RefusedFile)
		return
	}
	l.place(w, r, sum, grant, bundle)
}

// place serves when there is a free place. A host that asks again takes its own:
// the connection before is half dead after a cable was pulled.
func (l *Listener) place(w http.ResponseWriter, r *http.Request, token string, g Grant, bundle string) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	mine := &transfer{cancel}
	l.mu.Lock()
	before := l.now[g.Job]
	full := before == nil && l.opt.Hosts > 0 && len(l.now) >= l.opt.Hosts
	if !full {
		l.now[g.Job] = mine
	}
	l.mu.Unlock()
	if full {
		w.Header().Set("Retry-After", strconv.FormatInt(15+g.Job%15, 10)) // spread without a clock
		l.refuse(w, r, g, http.StatusServiceUnavailable, RefusedBusy)
		return
	}
	if before != nil {
		before.cancel(errSuperseded)
	}
	defer func() {
		l.mu.Lock()
		if l.now[g.Job] == mine {
			delete(l.now, g.Job)
		}
		l.mu.Unlock()
	}()
	l.serve(ctx, w, r, token, g, bundle)
}

func (l *Listener) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, token string, g Grant, bundle string) {
	if l.again(g.Job, r) {
		l.opt.Files.Doubt(bundle)
	}
	file, err := l.opt.Files.File(ctx, bundle)
	var content *os.File
	if err == nil {
		content, err = os.Open(file.Path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if l.speaks(bundle) {
			l.opt.Log.Warn("media asked for are not on this console", "part", "media", "host", g.Host, "bundle", bundle)
		}
		l.refuse(w, r, g, http.StatusServiceUnavailable, RefusedMissing)
		return
	case err != nil:
		if l.speaks(bundle) {
			l.opt.Log.Error("media cannot be served", "part", "media", "host", g.Host, "err", err)
		}
		status := http.StatusInternalServerError
		if errors.Is(err, ErrChanged) {
			status = http.StatusGone // a host asks three times and gives up: a person has to add them again
			w.Header().Set("Retry-After", "1")
		}
		l.refuse(w, r, g, status, RefusedChanged)
		return
	}
	defer content.Close()
	w.Header().Set("ETag", `"`+file.SHA256+`"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	out := &paced{ResponseWriter: w, ctx: ctx, l: l, token: token, control: http.NewResponseController(w), checked: time.Now(), chunk: min(firstChunk, l.chunk)}
	began := time.Now()
	http.ServeContent(out, r, "", time.Time{}, content) // no Last-Modified: If-Range goes by the ETag alone
	if last, err := content.Seek(0, io.SeekCurrent); err == nil && last == file.Size && out.sent > 0 {
		l.mu.Lock()
		l.whole[g.Job] = true
		l.mu.Unlock()
	}
	l.seen(Event{Job: g.Job, Host: g.Host, From: from(r), Status: out.status, Bytes: out.sent, Elapsed: time.Since(began)})
}

// again reports whether a host that had the end of the bundle asks from the
// beginning: what it had was not right.
func (l *Listener) again(job int64, r *http.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Method != http.MethodGet || r.Header.Get("Range") != "" || !l.whole[job] {
		return false
	}
	delete(l.whole, job)
	return true
}

// speaks reports whether a bundle that cannot be served is to be logged now: once
// a minute, however many hosts ask for it.
func (l *Listener) speaks(bundle string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.said[bundle]) < time.Minute {
		return false
	}
	l.said[bundle] = time.Now()
	return true
}

// Revoke ends the transfer of a job that has ended, at once. Without it a
// transfer ends within Recheck.
func (l *Listener) Revoke(job int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.whole, job)
	if t := l.now[job]; t != nil {
		t.cancel(errRevoked)
	}
}

// Busy is how many hosts fetch now.
func (l *Listener) Busy() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.now)
}

func (l *Listener) refuse(w http.ResponseWriter, r *http.Request, g Grant, status int, why string) {
	w.Header().Del("ETag")
	http.Error(w, http.StatusText(status), status)
	l.seen(Event{Job: g.Job, Host: g.Host, From: from(r), Status: status, Refused: why})
}

func (l *Listener) seen(e Event) {
	if l.opt.Seen != nil {
		l.opt.Seen(e)
	}
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// from is where a request comes from; the zero address when that is no IP.
func from(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

// Token makes the token of a job out of 32 secret bytes that are derived for it
// alone, and the SHA-256 by which it is known: 64 hex digits each.
func Token(secret []byte) (token, sha256 string) {
	token = hex.EncodeToString(secret)
	return token, hashToken(token)
}
