package winrm

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/agentless/ntlm"
	"wavekeeper/agentless/sealed"
)

const rightPassword = "Pässw0rd!"

// loginHost is a fakeHost behind NTLM: its acceptor is ours, which Samba's and
// pywinrm's agree with in other tests.
type loginHost struct {
	*fakeHost
	old      bool // tells no time, as hosts of 2003 do
	without  uint32
	bindings []byte
	keys     []kerberos.KeytabKey // the host's, for Kerberos
	// mischief, when not nil, may answer in the host's place; opened is the
	// message if one came sealed.
	mischief func(w http.ResponseWriter, r *http.Request, on *login) bool

	mu                                 sync.Mutex
	password                           string
	requests, proofs, logins, refusals int
	plain, readable                    int // bodies that came unsealed; sealed ones that can be read
	conns                              map[string]bool
}

// login is what the host knows of a connection.
type login struct {
	pending *ntlm.Server
	session sealed.Security
}

type loginKey struct{}

func newLoginHost(t testing.TB) *loginHost {
	t.Helper()
	h := &loginHost{fakeHost: newFakeHost(t), password: rightPassword, conns: map[string]bool{}}
	s := httptest.NewUnstartedServer(http.HandlerFunc(h.logon))
	s.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, loginKey{}, &login{})
	}
	h.Close()
	h.Server = s
	t.Cleanup(s.Close)
	return h
}

func (h *loginHost) start() *loginHost {
	h.Start()
	return h
}

// config logs on as a user with a password.
func (h *loginHost) config(t testing.TB, user, password string) Config {
	t.Helper()
	account, err := NewAccount(AccountConfig{Auth: AuthNTLM, User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	cfg := h.fakeHost.config()
	cfg.Account = account
	return cfg
}

func (h *loginHost) counted(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// figures are requests, proofs, logins and refusals so far.
func (h *loginHost) figures() (requests, proofs, logins, refusals int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.requests, h.proofs, h.logins, h.refusals
}

func (h *loginHost) setPassword(p string) { h.counted(func() { h.password = p }) }

func (h *loginHost) lookup(string, string) ([]byte, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hash, err := ntlm.Hash(h.password)
	return hash, err == nil
}

func offer(w http.ResponseWriter, token []byte) {
	w.Header().Set("WWW-Authenticate", strings.TrimSpace("Negotiate "+base64.StdEncoding.EncodeToString(token)))
	w.WriteHeader(http.StatusUnauthorized)
}

func (h *loginHost) logon(w http.ResponseWriter, r *http.Request) {
	on := r.Context().Value(loginKey{}).(*login)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	isSealed := sealed.IsSealed(r.Header.Get("Content-Type"))
	_, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		token = nil
	}
	h.counted(func() {
		h.requests++
		h.conns[r.RemoteAddr] = true
		if len(token) > 8 && token[0] == 'N' && token[8] == 3 {
			h.proofs++
		}
		if len(body) > 0 && !isSealed && r.Header.Get("WSMANIDENTIFY") == "" {
			h.plain++
		}
		if isSealed && bytes.Contains(body, []byte("Envelope")) {
			h.readable++
		}
	})
	r.Body = io.NopCloser(bytes.NewReader(body))
	if h.mischief != nil && h.mischief(w, r, on) {
		return
	}
	switch {
	case len(token) > 0 && token[0] != 'N':
		context, answer, err := kerberos.Accept(h.keys, token, h.bindings, 5*time.Minute)
		if on.session = nil; err != nil {
			h.counted(func() { h.refusals++ })
			offer(w, answer)
			return
		}
		h.counted(func() { h.logins++ })
		w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(answer))
		on.session = context
	case len(token) > 8 && token[8] == 1:
		on.session = nil
		on.pending = &ntlm.Server{Computer: "MBX1", Domain: "LAB", Old: h.old, Without: h.without, Bindings: h.bindings, Lookup: h.lookup}
		challenge, err := on.pending.Challenge(token)
		if err != nil {
			challenge = nil
		}
		offer(w, challenge)
		return
	case len(token) > 0 && on.pending != nil:
		if err := on.pending.Authenticate(token); err != nil {
			on.pending = nil
			h.counted(func() { h.refusals++ })
			offer(w, nil)
			return
		}
		h.counted(func() { h.logins++ })
		on.session, on.pending = on.pending.Session(), nil
	}
	switch {
	case r.Header.Get("WSMANIDENTIFY") != "":
		h.serve(w, r)
	case on.session == nil:
		offer(w, nil)
	case len(body) == 0: // the login is complete
	case r.TLS != nil && !isSealed:
		h.serve(w, r)
	case !isSealed:
		w.WriteHeader(http.StatusInternalServerError)
	default:
		h.open(w, r, on, body)
	}
}

// open answers a sealed message with a sealed one.
func (h *loginHost) open(w http.ResponseWriter, r *http.Request, on *login, body []byte) {
	message, _, err := sealed.Unwrap(on.session, body)
	if err != nil {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(message))
	inner := httptest.NewRecorder()
	h.serve(inner, r)
	wrapped, err := sealed.Wrap(on.session, inner.Body.Bytes(), inner.Header().Get("Content-Type"))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", sealed.ContentType)
	w.WriteHeader(inner.Code)
	_, _ = w.Write(wrapped) // the client reads all or fails its test
}
