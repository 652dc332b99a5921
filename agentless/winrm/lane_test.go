package winrm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wavekeeper/agentless/ntlm"
	"wavekeeper/agentless/sealed"
)

func dialTo(t testing.TB, cfg Config) *Conn {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestSealedCommandsRun(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		for _, user := range []string{"svc", `LAB\svc`, "svc@lab.test", `.\svc`, `MBX1\Svc`} {
			h := newLoginHost(t).start()
			h.old = old
			h.on("Receive", answer(200, received(strings.Repeat("--Encrypted Boundary\r\n", 9000), "", 7)))
			c := dialTo(t, h.config(t, user, rightPassword))
			for range 3 {
				got, err := c.Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"})
				if err != nil || got.Exit != 7 || len(got.Stdout) != 9000*len("--Encrypted Boundary\r\n") {
					t.Fatalf("old %t, %s: exit %d, %d bytes, %v", old, user, got.Exit, len(got.Stdout), err)
				}
			}
			_, proofs, logins, _ := h.figures()
			if h.plain+h.readable > 0 || proofs != 1 || logins != 1 || len(h.conns) > 2 || !c.Private() {
				t.Errorf("old %t, %s: %d plain and %d readable bodies, %d proofs, %d logins, %d connections", old, user, h.plain, h.readable, proofs, logins, len(h.conns))
			}
		}
	}
}

func TestWrongPasswordIsShownOnceByManyAtOnce(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t).start()
	cfg := h.config(t, `LAB\svc`, "wrong")
	var heard []Refusal
	cfg.Account.cfg.Tell = func(r Refusal) { heard = append(heard, r) }
	c := dialTo(t, cfg)
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			_, err := c.Identify(withDeadline(t, 5*time.Second))
			var refused *CredentialRefused
			if !errors.As(err, &refused) || Outcome(err) != OutcomeDenied {
				t.Errorf("%v, want refused", err)
			}
		})
	}
	calls.Wait()
	if _, proofs, _, refusals := h.figures(); proofs != 1 || refusals != 1 || h.plain+h.readable > 0 {
		t.Errorf("%d proofs, %d refusals, %d plain bodies", proofs, refusals, h.plain)
	}
	told(t, cfg.Account)
	if len(heard) != 2 || heard[0].Host != "127.0.0.1" || heard[1].Host != "" {
		t.Errorf("told %v, want the host and the account", heard)
	}
}

func TestConcurrentSealedMessages(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t).start()
	c := dialTo(t, h.config(t, "svc", rightPassword))
	var calls sync.WaitGroup
	for range 30 {
		calls.Go(func() {
			for range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				if rand.Intn(10) == 0 {
					time.AfterFunc(time.Duration(rand.Intn(2000))*time.Microsecond, cancel)
				}
				if _, err := c.Identify(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	calls.Wait()
	if _, _, _, refusals := h.figures(); refusals > 0 || h.plain+h.readable > 0 {
		t.Errorf("%d refusals, %d plain bodies", refusals, h.plain)
	}
}

func TestNothingUnsealedIsSentOrBelieved(t *testing.T) {
	t.Parallel()
	soap := func(status int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			answer(status, identifyResponse("OS: 9.9.9 SP: 0.0 Stack: 9.0"))(w, nil, 0)
		}
	}
	frame := func(body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", sealed.ContentType)
			_, _ = io.WriteString(w, body)
		}
	}
	for what, forge := range map[string]func(http.ResponseWriter){
		"a plain answer":     soap(200),
		"a plain fault":      soap(500),
		"an empty answer":    func(http.ResponseWriter) {},
		"a 401":              func(w http.ResponseWriter) { w.WriteHeader(401) },
		"a 403":              func(w http.ResponseWriter) { w.WriteHeader(403) },
		"a wrapping alone":   frame("--Encrypted Boundary\r\n"),
		"a wrapped nonsense": frame("--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=1\r\n--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n\x10\x00\x00\x000123456789abcdefx--Encrypted Boundary--\r\n"),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newLoginHost(t)
			var on atomic.Bool
			h.mischief = func(w http.ResponseWriter, r *http.Request, _ *login) bool {
				if !on.Load() || r.Header.Get("Authorization") != "" {
					return false
				}
				forge(w)
				return true
			}
			h.start()
			c := dialTo(t, h.config(t, "svc", rightPassword))
			if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
				t.Fatal(err)
			}
			on.Store(true)
			if id, err := c.Identify(withDeadline(t, 5*time.Second)); err == nil || id.Version != "" {
				t.Errorf("believed: %v", id)
			}
			// A command may have run, whatever an answer without proof says.
			_, err := c.start(withDeadline(t, 5*time.Second), shellID, Command{Line: "hostname"})
			if Outcome(err) != OutcomeUnknown {
				t.Errorf("a command ends as %q: %v", Outcome(err), err)
			}
			on.Store(false)
			if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
				t.Errorf("the next call: %v", err)
			}
			if h.plain+h.readable > 0 {
				t.Errorf("%d plain and %d readable bodies", h.plain, h.readable)
			}
		})
	}
}

func TestAHostThatCannotSealGetsNoProof(t *testing.T) {
	t.Parallel()
	for what, try := range map[string]func(*loginHost){
		"no sealing":        func(h *loginHost) { h.without = 1 << 5 },
		"no session keys":   func(h *loginHost) { h.without = 1 << 30 },
		"no Negotiate":      func(h *loginHost) { h.mischief = challenged(`Basic realm="WSMAN"`) },
		"no challenge":      func(h *loginHost) { h.mischief = challenged(`Negotiate`) },
		"anybody may enter": func(h *loginHost) { h.mischief = func(http.ResponseWriter, *http.Request, *login) bool { return true } },
	} {
		h := newLoginHost(t)
		try(h)
		h.start()
		_, err := dialTo(t, h.config(t, "svc", rightPassword)).Run(withDeadline(t, 5*time.Second), Command{Line: "hostname", CodePage: 437})
		if _, proofs, _, _ := h.figures(); Outcome(err) != OutcomeRefused || proofs > 0 || h.plain+h.readable > 0 {
			t.Errorf("%s: %v after %d proofs, want refused", what, err, proofs)
		}
	}
}

func challenged(with string) func(http.ResponseWriter, *http.Request, *login) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ *login) bool {
		w.Header().Set("WWW-Authenticate", with)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
}

// What was changed, repeated or left out on the way is noticed: the answer is
// the sealed one of another time.
func TestTamperingIsNoticed(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"changed", "repeated"} {
		h := newLoginHost(t)
		var last []byte
		h.mischief = func(w http.ResponseWriter, r *http.Request, on *login) bool {
			if !sealed.IsSealed(r.Header.Get("Content-Type")) {
				return false
			}
			if what == "repeated" && last != nil {
				w.Header().Set("Content-Type", sealed.ContentType)
				_, _ = w.Write(last)
				return true
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return false
			}
			message, _, err := sealed.Unwrap(on.session, body)
			if err != nil || len(message) == 0 {
				t.Error(err)
			}
			wrapped, err := sealed.Wrap(on.session, []byte(identifyResponse("OS: 5.2.3790 SP: 2.0 Stack: 2.0")), soapType)
			if err != nil {
				t.Error(err)
			}
			last = bytes.Clone(wrapped)
			if what == "changed" {
				wrapped[len(wrapped)-40] ^= 1
			}
			w.Header().Set("Content-Type", sealed.ContentType)
			_, _ = w.Write(wrapped)
			return true
		}
		h.start()
		c := dialTo(t, h.config(t, "svc", rightPassword))
		_, err := c.Identify(withDeadline(t, 5*time.Second))
		if what == "repeated" {
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Identify(withDeadline(t, 5*time.Second))
		}
		if !errors.Is(err, errAnswer) || !strings.Contains(fmt.Sprint(err), ntlm.ErrTampered.Error()) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAConnectionThatBreaksIsLoggedOnAnew(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	var cut atomic.Bool
	h.mischief = func(_ http.ResponseWriter, r *http.Request, _ *login) bool {
		if cut.Load() && r.Header.Get("Authorization") == "" {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	h.start()
	c := dialTo(t, h.config(t, "svc", rightPassword))
	for i := range 4 {
		cut.Store(i == 1)
		_, err := c.start(withDeadline(t, 5*time.Second), shellID, Command{Line: "hostname"})
		if cut.Load() && Outcome(err) != OutcomeUnknown || !cut.Load() && err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if _, _, logins, _ := h.figures(); logins != 2 {
		t.Errorf("%d logins, want 2", logins)
	}
}

// A link that breaks right after the password was shown must not lock an
// account: twice is enough. A host that took it before is asked again, later.
func TestAProofWithoutAnAnswerCounts(t *testing.T) {
	t.Parallel()
	for _, user := range []string{`LAB\svc`, `.\svc`} {
		for _, took := range []bool{false, true} {
			h := newLoginHost(t)
			h.mischief = func(_ http.ResponseWriter, r *http.Request, _ *login) bool {
				if len(r.Header.Get("Authorization")) > 200 {
					panic(http.ErrAbortHandler)
				}
				return false
			}
			h.start()
			cfg := h.config(t, user, rightPassword)
			if took {
				account, err := NewAccount(AccountConfig{Auth: AuthNTLM, User: user, Password: rightPassword, Accepted: []string{"127.0.0.1"}})
				if err != nil {
					t.Fatal(err)
				}
				cfg.Account = account
			}
			c := dialTo(t, cfg)
			for i := range 5 {
				_, err := c.Identify(withDeadline(t, 5*time.Second))
				if err == nil {
					t.Fatal("it is answered")
				}
				if took && i > 1 && (Outcome(err) != OutcomeUnreachable || !strings.Contains(err.Error(), "nothing was sent: 2 logins in a row")) {
					t.Errorf("%s: %v", user, err)
				}
			}
			if _, proofs, _, _ := h.figures(); proofs != 2 {
				t.Errorf("%s, taken before %t: %d proofs, want 2", user, took, proofs)
			}
			if err := cfg.Account.May("127.0.0.1"); (err == nil) != took {
				t.Errorf("%s, taken before %t: %v", user, took, err)
			}
			// A password of the domain that no host took is not shown to others.
			domain := user[0] != '.'
			if err := cfg.Account.May("other"); (err == nil) == (domain && !took) {
				t.Errorf("%s, taken before %t: another host: %v", user, took, err)
			}
		}
	}
}

func TestALoginInVainLeavesNothing(t *testing.T) {
	h := newLoginHost(t)
	hold := make(chan struct{})
	h.mischief = func(_ http.ResponseWriter, r *http.Request, _ *login) bool {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
		return false
	}
	h.start()
	before := runtime.NumGoroutine()
	c := dialTo(t, h.config(t, "svc", rightPassword))
	var calls sync.WaitGroup
	for range 10 {
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			began := time.Now()
			if _, err := c.Identify(ctx); Outcome(err) != OutcomeTimeout || time.Since(began) > time.Second {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
		})
	}
	calls.Wait()
	close(hold)
	c.Close()
	settled(t, before)
}

func TestAnonymousIdentifyShowsNoCredential(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t).start()
	c := dialTo(t, h.config(t, "svc", rightPassword))
	for range 2 {
		if _, err := c.IdentifyAnonymous(withDeadline(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if _, proofs, _, _ := h.figures(); proofs > 0 {
		t.Errorf("%d proofs", proofs)
	}
}

// The status around a sealed answer is anybody's: a command that ran is not said
// to have been refused.
func TestTheStatusAroundASealedAnswerIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		fault  bool
		want   string
	}{
		{401, false, OutcomeUnknown},
		{403, false, OutcomeUnknown},
		{500, false, OutcomeUnknown},
		{413, false, OutcomeUnknown},
		{200, true, OutcomeUnknown},
		{401, true, OutcomeUnknown},
		{403, true, OutcomeUnknown},
		{500, true, OutcomeUnknown},
	} {
		h := newLoginHost(t)
		h.mischief = func(w http.ResponseWriter, r *http.Request, on *login) bool {
			if !sealed.IsSealed(r.Header.Get("Content-Type")) {
				return false
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return false
			}
			inner := httptest.NewRecorder()
			h.open(inner, r, on, body)
			w.Header().Set("Content-Type", sealed.ContentType)
			w.WriteHeader(test.status)
			_, _ = w.Write(inner.Body.Bytes())
			return true
		}
		if test.fault { // the host says that it ran out of time, which leaves open what became of it
			h.on("Command", answer(500, soapFault("Receiver", "InternalError", 1)))
		}
		h.start()
		c := dialTo(t, h.config(t, "svc", rightPassword))
		_, err := c.start(withDeadline(t, 5*time.Second), shellID, Command{Line: "setup.com"})
		if Outcome(err) != test.want || h.count("Command") != 1 {
			t.Errorf("http %d, fault %t: %q, carried out %d times: %v", test.status, test.fault, Outcome(err), h.count("Command"), err)
		}
		var fault *Fault
		if errors.As(err, &fault) != test.fault || test.fault && fault.HTTPStatus != 500 {
			t.Errorf("http %d: fault %v", test.status, fault)
		}
	}
}
