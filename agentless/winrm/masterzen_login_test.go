package winrm

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mz "github.com/masterzen/winrm"

	"wavekeeper/agentless/sealed"
)

// sealing is masterzen/winrm with its sealed NTLM, as it comes.
func sealing(t testing.TB, address string, port int, user, password string) *mz.Client {
	t.Helper()
	params := mz.NewParameters("PT60S", "en-US", maxEnvelope)
	params.TransportDecorator = func() mz.Transporter {
		e, err := mz.NewEncryption("ntlm")
		if err != nil {
			t.Error(err)
		}
		return e
	}
	c, err := mz.NewClientWithParameters(mz.NewEndpoint(address, port, false, false, nil, nil, nil, 5*time.Second), user, password, params)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func portOf(h *fakeHost) int { return h.Listener.Addr().(*net.TCPAddr).Port }

// What plain masterzen does with logins and with sealing, and ours beside it.
// When a plain half fails, masterzen was mended. One after the other: all of its
// clients share the transport of net/http, and a login is of a connection.
func TestWhatPlainMasterzenGetsWrongOfLogins(t *testing.T) {
	// A shell id where masterzen can read it.
	shell := answer(200, soapAction("http://schemas.xmlsoap.org/ws/2004/09/transfer/CreateResponse", `<rsp:Shell><rsp:ShellId>`+shellID+`</rsp:ShellId></rsp:Shell>`))
	host := func(t *testing.T, change func(*loginHost)) *loginHost {
		t.Helper()
		h := newLoginHost(t)
		h.on("Create", shell)
		if change != nil {
			change(h)
		}
		return h.start()
	}
	theirs := func(t *testing.T, h *loginHost, password string) (fatal any, err error) {
		t.Helper()
		defer func() { fatal = recover() }()
		_, err = sealing(t, "127.0.0.1", portOf(h.fakeHost), "svc", password).RunWithContext(withDeadline(t, 10*time.Second), "hostname secret", io.Discard, io.Discard)
		return nil, err
	}
	ours := func(t *testing.T, h *loginHost, password string) error {
		t.Helper()
		_, err := dialTo(t, h.config(t, "svc", password)).Run(withDeadline(t, 5*time.Second), Command{Line: "hostname secret", CodePage: 437})
		return err
	}

	t.Run("a wrong password is shown again and again, then the command in the clear", func(t *testing.T) {
		a, b := host(t, nil), host(t, nil)
		if fatal, err := theirs(t, a, "wrong"); fatal != nil || err == nil {
			t.Errorf("plain: %v, %v", fatal, err)
		}
		if _, proofs, _, _ := a.figures(); proofs < 2 || a.plain == 0 {
			t.Errorf("plain: %d proofs, %d bodies in the clear", proofs, a.plain)
		}
		err := ours(t, b, "wrong")
		if _, proofs, _, _ := b.figures(); proofs != 1 || b.plain > 0 || Outcome(err) != OutcomeDenied {
			t.Errorf("ours: %d proofs, %d bodies in the clear, %v", proofs, b.plain, err)
		}
	})

	t.Run("a login that fails ends without sealing", func(t *testing.T) {
		broken := func(h *loginHost) {
			h.mischief = func(w http.ResponseWriter, r *http.Request, _ *login) bool {
				if r.ContentLength > 0 || len(r.Header.Get("Authorization")) < 200 {
					return false
				}
				w.WriteHeader(http.StatusInternalServerError)
				return true
			}
		}
		a, b := host(t, broken), host(t, broken)
		_, _ = theirs(t, a, rightPassword) // how it ends does not matter
		if a.plain == 0 {
			t.Error("plain: nothing was sent in the clear")
		}
		if err := ours(t, b, rightPassword); b.plain > 0 || err == nil {
			t.Errorf("ours: %d bodies in the clear, %v", b.plain, err)
		}
	})

	t.Run("a host that cannot seal gets the command in the clear, as if it were sealed", func(t *testing.T) {
		weak := func(h *loginHost) { h.without = 1 << 5 }
		a, b := host(t, weak), host(t, weak)
		_, _ = theirs(t, a, rightPassword)
		if a.readable == 0 {
			t.Error("plain: nothing sealed can be read")
		}
		err := ours(t, b, rightPassword)
		if _, proofs, _, _ := b.figures(); b.readable+b.plain+proofs > 0 || Outcome(err) != OutcomeRefused {
			t.Errorf("ours: %d readable, %d proofs, %v", b.readable, proofs, err)
		}
	})

	t.Run("an answer that is not sealed is believed", func(t *testing.T) {
		forged := func(h *loginHost) {
			h.mischief = func(w http.ResponseWriter, r *http.Request, _ *login) bool {
				if !sealed.IsSealed(r.Header.Get("Content-Type")) {
					return false
				}
				shell(w, r, 1)
				return true
			}
		}
		a, b := host(t, forged), host(t, forged)
		c := sealing(t, "127.0.0.1", portOf(a.fakeHost), "svc", rightPassword)
		if _, err := c.CreateShell(); err != nil {
			t.Errorf("plain: %v", err)
		}
		if err := ours(t, b, rightPassword); !errors.Is(err, errAnswer) || b.count("Command") > 0 {
			t.Errorf("ours: %v", err)
		}
	})

	t.Run("a sealed answer that is cut short is a panic", func(t *testing.T) {
		cut := func(h *loginHost) {
			h.mischief = func(w http.ResponseWriter, r *http.Request, _ *login) bool {
				if !sealed.IsSealed(r.Header.Get("Content-Type")) {
					return false
				}
				w.Header().Set("Content-Type", sealed.ContentType)
				_, _ = io.WriteString(w, "x")
				return true
			}
		}
		a, b := host(t, cut), host(t, cut)
		if fatal, _ := theirs(t, a, rightPassword); fatal == nil {
			t.Error("plain: no panic")
		}
		if err := ours(t, b, rightPassword); !errors.Is(err, sealed.ErrFrame) {
			t.Errorf("ours: %v", err)
		}
	})

	t.Run("a login for each message", func(t *testing.T) {
		// A message without content that brings no login ends the one that was.
		forgets := func(h *loginHost) {
			h.mischief = func(_ http.ResponseWriter, r *http.Request, on *login) bool {
				if r.ContentLength == 0 && r.Header.Get("Authorization") == "" {
					on.session = nil
				}
				return false
			}
		}
		a, b := host(t, forgets), host(t, forgets)
		if fatal, err := theirs(t, a, rightPassword); fatal != nil || err != nil {
			t.Errorf("plain: %v, %v", fatal, err)
		}
		if err := ours(t, b, rightPassword); err != nil {
			t.Error(err)
		}
		_, _, logins, _ := a.figures()
		_, _, own, _ := b.figures()
		if logins < 4 || own != 1 {
			t.Errorf("%d logins for one command, ours %d", logins, own)
		}
	})

	t.Run("the password that one host refused goes to the next", func(t *testing.T) {
		hosts := make([]*fakeHost, 10)
		var shown atomic.Int32
		for i := range hosts {
			hosts[i] = newFakeHost(t).on("Create", func(w http.ResponseWriter, _ *http.Request, _ int) {
				shown.Add(1)
				w.WriteHeader(http.StatusUnauthorized)
			})
		}
		for _, h := range hosts {
			if _, err := plain(t, h).RunWithContext(withDeadline(t, 2*time.Second), "hostname", io.Discard, io.Discard); err == nil {
				t.Error("plain: it is taken")
			}
		}
		if n := shown.Swap(0); n != 10 {
			t.Errorf("plain: shown %d times", n)
		}
		account := Basic("operator", "wrong")
		for i, h := range hosts {
			cfg := h.config()
			cfg.Account, cfg.Host = account, fmt.Sprintf("mbx%d", i)
			if _, err := dialTo(t, cfg).Run(withDeadline(t, 2*time.Second), Command{Line: "hostname", CodePage: 437}); Outcome(err) != OutcomeDenied {
				t.Error(err)
			}
		}
		if n := shown.Load(); n != localRefusals {
			t.Errorf("ours: shown %d times, want %d", n, localRefusals)
		}
	})

	t.Run("NTLM without sealing over http", func(t *testing.T) {
		a := host(t, nil)
		params := mz.NewParameters("PT60S", "en-US", maxEnvelope)
		params.TransportDecorator = func() mz.Transporter { return &mz.ClientNTLM{} }
		c, err := mz.NewClientWithParameters(mz.NewEndpoint("127.0.0.1", portOf(a.fakeHost), false, false, nil, nil, nil, 5*time.Second), "svc", rightPassword, params)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.RunWithContext(withDeadline(t, 10*time.Second), "hostname secret", io.Discard, io.Discard)
		if a.plain == 0 {
			t.Error("plain: the command was not sent in the clear")
		}
	})
}

// A TLS 1.0 host with a certificate of its own: masterzen takes no settings of
// TLS but "look at nothing", and that does not reach it either.
func TestWhatPlainMasterzenGetsWrongOfTLS(t *testing.T) {
	t.Parallel()
	shown := certificate(t, nil, nil)
	h, cfg := secureHost(t, &tls.Config{
		Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
		CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	})
	theirs, err := mz.NewClient(mz.NewEndpoint("127.0.0.1", cfg.Port, true, true, nil, nil, nil, 5*time.Second), "u", "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.CreateShell(); err == nil || h.actions() != "" {
		t.Errorf("plain: %v after %q", err, h.actions())
	}
	cfg.TLS = &TLS{Old: true, Pins: []Pin{shownPin(shown)}}
	if _, err := dialTo(t, cfg).Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"}); err != nil {
		t.Errorf("ours: %v", err)
	}
}

// A refusal with a page in it keeps masterzen's connection for ever; and each of
// its clients keeps two goroutines beside a connection that nobody uses.
func TestWhatPlainMasterzenLeavesBehind(t *testing.T) {
	if os.Getenv(leftBehind) == "" {
		// The goroutines of a process are counted: it runs nothing else.
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestWhatPlainMasterzenLeavesBehind$", "-test.v")
		child.Env = append(os.Environ(), leftBehind+"=1")
		said, err := child.CombinedOutput()
		if err != nil || !bytes.Contains(said, []byte("--- PASS: TestWhatPlainMasterzenLeavesBehind")) {
			t.Errorf("%v: %s", err, said)
		}
		return
	}
	page := func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "<html>"+strings.Repeat("Service Unavailable ", 1000)+"</html>")
	}
	pumps := func() int {
		stacks := make([]byte, 4<<20)
		return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("net/http.(*persistConn)"))
	}
	theirs, ours := newFakeHost(t).on("Create", page), newFakeHost(t).on("Create", page)
	before := pumps()
	c := plain(t, theirs)
	for range 10 {
		if _, err := c.CreateShell(); err == nil {
			t.Error("plain: a shell")
		}
	}
	if n := len(theirs.conns); n < 10 {
		t.Errorf("plain: %d connections for ten requests", n)
	}
	if n := pumps() - before; n < 20 {
		t.Errorf("plain: %d goroutines are left", n)
	}
	before = pumps()
	own := ours.dial(t)
	for range 10 {
		if _, err := own.Run(withDeadline(t, 5*time.Second), Command{Line: "hostname", CodePage: 437}); Outcome(err) != OutcomeFault {
			t.Error(err)
		}
	}
	if n := len(ours.conns); n != 1 {
		t.Errorf("ours: %d connections for ten requests", n)
	}
	if n := pumps() - before; n > 0 {
		t.Errorf("ours: %d goroutines are left", n)
	}
}

const (
	manyAtOnce = "WAVEKEEPER_TEST_MASTERZEN_PORT"
	leftBehind = "WAVEKEEPER_TEST_MASTERZEN_LEFT"
)

// One client of masterzen's sealed NTLM used by several commands at once mixes
// their contexts up. It can end the process, so it has one of its own.
func TestWhatPlainMasterzenGetsWrongOfManyAtOnce(t *testing.T) {
	if port := os.Getenv(manyAtOnce); port != "" {
		sealedByMany(t, port)
		return
	}
	t.Parallel()
	h := newLoginHost(t)
	h.on("Create", answer(200, soapAction("http://schemas.xmlsoap.org/ws/2004/09/transfer/CreateResponse", `<rsp:Shell><rsp:ShellId>`+shellID+`</rsp:ShellId></rsp:Shell>`)))
	h.start()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestWhatPlainMasterzenGetsWrongOfManyAtOnce$", "-test.v")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d", manyAtOnce, portOf(h.fakeHost)))
	said, _ := child.CombinedOutput() // it may have ended in a panic
	if requests, _, _, _ := h.figures(); requests == 0 {
		t.Fatalf("plain: nothing was sent: %s", said)
	}
	if n := bytes.Count(said, []byte("command done")); n > 15 {
		t.Errorf("plain: %d of 20 commands came through", n)
	}
	c := dialTo(t, h.config(t, "svc", rightPassword))
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			if _, err := c.Run(withDeadline(t, 20*time.Second), Command{Line: "hostname"}); err != nil {
				t.Errorf("ours: %v", err)
			}
		})
	}
	calls.Wait()
}

func sealedByMany(t *testing.T, port string) {
	t.Helper()
	var number int
	if _, err := fmt.Sscan(port, &number); err != nil {
		t.Fatal(err)
	}
	c := sealing(t, "127.0.0.1", number, "svc", rightPassword)
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			for range 5 {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				if code, err := c.RunWithContext(ctx, "hostname", io.Discard, io.Discard); err == nil && code == 0 {
					fmt.Fprintln(os.Stdout, "command done")
				}
				cancel()
			}
		})
	}
	calls.Wait()
}
