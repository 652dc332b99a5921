package winrm

import (
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

func TestPlainHTTPStaysInLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"127.0.0.1": OutcomeDone, "127.200.3.4": OutcomeDone, "192.0.2.1": OutcomeRefused, "::1": OutcomeRefused,
		"128.0.0.1": OutcomeRefused, "::ffff:127.0.0.1": OutcomeDone, "": OutcomeRefused,
	} {
		_, err := New(Config{Address: address, Port: 5985, Account: Basic("u", "p")})
		if got := Outcome(err); got != want {
			t.Errorf("New(%q): %s, want %s", address, got, want)
		}
	}
	if _, err := New(Config{Address: "192.0.2.1", Port: 5985, AllowPlain: true, Account: Basic("u", "p")}); err != nil {
		t.Errorf("with AllowPlain: %v", err)
	}
	if _, err := New(Config{Address: "192.0.2.1", Port: 5986, TLS: &TLS{}, Account: Basic("u", "p")}); err != nil {
		t.Errorf("with TLS: %v", err)
	}
}

// A name may resolve to anything: the rule holds for the address dialled, and
// nothing is sent to it.
func TestPlainHTTPToANameIsRefusedWhereItIsDialled(t *testing.T) {
	t.Parallel()
	c, err := New(Config{Address: "name.invalid", Port: 5985, Account: Basic("u", "p")})
	if err != nil {
		t.Fatal(err)
	}
	c.transport.address = "192.0.2.1:5985"
	conn, _, err := c.transport.dial(withDeadline(t, time.Second))
	if conn != nil || Outcome(err) != OutcomeRefused {
		t.Errorf("dial: %v, want refused", err)
	}
}

func TestHTTPSIsVerified(t *testing.T) {
	t.Parallel()
	plain := newFakeHost(t)
	h := httptest.NewUnstartedServer(http.HandlerFunc(plain.serve))
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake below
	h.StartTLS()
	defer h.Close()
	port := h.Listener.Addr().(*net.TCPAddr).Port
	stranger, err := New(Config{Address: "127.0.0.1", Port: port, TLS: &TLS{CAs: x509.NewCertPool()}, Account: Basic("u", "p")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Identify(withDeadline(t, 5*time.Second)); Outcome(err) != OutcomeUntrusted || plain.actions() != "" {
		t.Errorf("unknown authority: %v after %q, want untrusted", err, plain.actions())
	}
	pool := x509.NewCertPool()
	pool.AddCert(h.Certificate())
	known, err := New(Config{Address: "127.0.0.1", Port: port, TLS: &TLS{CAs: pool}, Account: Basic("u", "p")})
	if err != nil {
		t.Fatal(err)
	}
	defer known.Close()
	if _, err := known.Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"}); err != nil {
		t.Errorf("known authority: %v", err)
	}
}

func TestHostileAnswersAreRefusedWithinLimits(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"entities":   `<!DOCTYPE s [<!ENTITY a "aaaa">]>` + soapBody("&a;"),
		"no such":    soapBody("&nbsp;"),
		"deep":       soapBody(strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100)),
		"many":       soapBody(strings.Repeat("<a/>", maxElements)),
		"attributes": soapBody("<a " + strings.Repeat("xmlns:b='c' ", maxAttributes+1) + "/>"),
		"large":      soapBody(strings.Repeat(" ", maxAnswer)),
		"unclosed":   "<s:Envelope>",
		"two":        soapBody("") + soapBody(""),
		"other":      "<html/>",
		"charset":    `<?xml version="1.0" encoding="ebcdic"?>` + soapBody(""),
		"split text": soapBody("<a>" + strings.Repeat("x<!---->", 400_000) + "</a>"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, began := newFakeHost(t).on("Create", answer(200, body)), time.Now()
			_, err := h.dial(t).Run(withDeadline(t, 20*time.Second), Command{Line: "hostname"})
			if Outcome(err) != OutcomeFault || h.count("Command") != 0 {
				t.Errorf("outcome %s after %q: %.200v", Outcome(err), h.actions(), err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestEndlessOutputIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	part := answer(200, soapBody(`<rsp:ReceiveResponse>`+stream("stdout", make([]byte, 2<<20))+`</rsp:ReceiveResponse>`))
	h := newFakeHost(t).on("Receive", part)
	c := h.dial(t)
	_, err := c.Run(withDeadline(t, 20*time.Second), Command{Line: "yes"})
	c.Close()
	if !errors.As(err, new(*TooMuch)) || Outcome(err) != OutcomeUnknown || h.count("Receive") > 1+maxOperation>>21 || h.count("Delete") != 1 {
		t.Errorf("%v after %d Receives", err, h.count("Receive"))
	}
}

func TestAnswersInUTF16AreRead(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t).on("Receive", func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-16")
		out := []byte{0xFF, 0xFE}
		for _, u := range utf16.Encode([]rune(`<?xml version="1.0" encoding="UTF-16"?>` + received("x", "", 9))) {
			out = append(out, byte(u), byte(u>>8))
		}
		// The client reads all or fails the test below.
		_, _ = w.Write(out)
	})
	got, err := h.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"})
	if err != nil || got.Exit != 9 {
		t.Errorf("exit %d, %v, want 9", got.Exit, err)
	}
}

func TestAHostsWordsDoNotFloodAnError(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("wortreich ", 50_000)
	for _, body := range []string{
		strings.Replace(soapFault("Receiver", "InternalError", 1), "Der Vorgang", long, 1), "<" + strings.Repeat("x", 100_000) + "></y>",
	} {
		h := newFakeHost(t).on("Create", answer(500, body)).on("Identify", answer(200, body))
		if _, err := h.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"}); err == nil || len(err.Error()) > 1000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(soapBody("<a b='c'>d</a>")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := parse(data); err == nil {
			faultOf(n, 500)
			instanceOf(n)
		}
	})
}
