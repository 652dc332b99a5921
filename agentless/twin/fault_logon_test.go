package twin_test

import (
	"crypto/tls"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"wavekeeper/agentless/ntlm"
	"wavekeeper/agentless/sealed"
	"wavekeeper/agentless/twin"
)

// cut reports whether a connection ended without an answer.
func cut(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func TestALogonIsCutAfterItsProof(t *testing.T) {
	t.Parallel()
	c, f, truth := reached(t, "http,ntlm", twin.Options{Faults: []twin.Fault{{Host: "MBX1", Name: "login-dropped", Times: 2}}})
	c.byNTLM(winrmUser, password, nil)
	for i, want := range []bool{false, false, true} {
		if status, _, err := c.post(identifyBody); want != (err == nil && status == 200) || !want && !cut(err) {
			t.Errorf("attempt %d: %d %v", i+1, status, err)
		}
	}
	if got := f.Proofs()[`mbx1\`+winrmUser]; got.Sent != 3 || got.Refused != 0 {
		t.Errorf("proofs %+v, want 3 that counted", got)
	}
	if n := len(truth.entries(t, "fault")); n != 2 {
		t.Errorf("%d faults", n)
	}
}

func TestALoginIsForgottenMidway(t *testing.T) {
	t.Parallel()
	c, _, truth := reached(t, "http,ntlm", twin.Options{Faults: []twin.Fault{{Host: "MBX1", Name: "login-forgotten", At: "request:2"}}})
	l := c.byNTLM(winrmUser, password, nil)
	shell := c.open()
	if exit, out, _ := c.output(shell, c.begin(shell, "hostname", false)); exit != "0" || string(out) != "mbx1\r\n" {
		t.Errorf("%s %q", exit, out)
	}
	if on := truth.entries(t, "logon"); len(on) != 2 || l.logons != 2 {
		t.Errorf("%d logons in the journal, %d by the client, want 2", len(on), l.logons)
	}
	if n := len(truth.entries(t, "fault")); n != 1 {
		t.Errorf("%d faults", n)
	}
}

// Basic has no login that could be forgotten, and nothing that is sealed.
func TestFaultsOfLoginsPassBasicBy(t *testing.T) {
	t.Parallel()
	c, _, truth := reached(t, "http,plain", twin.Options{Faults: []twin.Fault{
		{Host: "*", Name: "login-forgotten", Times: 9},
		{Host: "*", Name: "unsealed-answer", Times: 9},
		{Host: "*", Name: "login-dropped", Times: 9},
		{Host: "*", Name: "no-sealing"},
		{Host: "*", Name: "ticket-refused"},
		{Host: "*", Name: "tls-1.0-only"},
	}})
	if exit, _, _ := c.run("hostname"); exit != "0" || len(truth.entries(t, "fault")) > 0 {
		t.Errorf("exit %s, faults %v", exit, truth.entries(t, "fault"))
	}
}

func TestAnAnswerOfASealedMessageIsNotSealed(t *testing.T) {
	t.Parallel()
	c, _, _ := reached(t, "http,ntlm", twin.Options{Faults: []twin.Fault{{Host: "MBX1", Name: "unsealed-answer", At: "request:2"}}})
	l := c.byNTLM(winrmUser, password, nil)
	for i, want := range []bool{true, false, true} {
		status, raw, err := c.post(identifyBody)
		if err != nil || status != 200 || !sound(raw) || sealed.IsSealed(l.kind) != want {
			t.Errorf("%d: %d %v, sealed %v, want %v", i+1, status, err, sealed.IsSealed(l.kind), want)
		}
	}
}

func TestAHostDoesNotOfferToSeal(t *testing.T) {
	t.Parallel()
	c, f, _ := reached(t, "http,ntlm", twin.Options{Faults: []twin.Fault{{Host: "MBX1", Name: "no-sealing"}}})
	c.byNTLM(winrmUser, password, nil)
	var weak *ntlm.Weak
	for range 2 {
		if _, _, err := c.post(identifyBody); !errors.As(err, &weak) {
			t.Errorf("%v, want what is missing", err)
		}
	}
	if got := f.Proofs(); len(got) != 0 {
		t.Errorf("proofs were sent: %v", got)
	}
	if err := f.Mend("MBX1"); err != nil {
		t.Fatal(err)
	}
	if status, _, err := c.post(identifyBody); status != 200 || err != nil {
		t.Errorf("mended: %d %v", status, err)
	}
}

// A host of before Vista tells no time, so its caller's clock counts.
func TestAClockThatIsOffRefusesNTLMOnOldHosts(t *testing.T) {
	t.Parallel()
	for os, taken := range map[string]bool{"2003": false, "2008": true} {
		c, f, _ := reached(t, "http,ntlm", twin.Options{Faults: []twin.Fault{{Host: "*", Name: "clock-off", Offset: 29 * time.Minute}}}, onOS(os))
		c.byNTLM(winrmUser, password, nil)
		for range 2 { // the first message makes the fault begin
			c.byNTLM(winrmUser, password, nil)
			if status, _, err := c.post(identifyBody); status != 200 || err != nil {
				t.Errorf("%s, 29 minutes: %d %v", os, status, err)
			}
		}
		if err := f.Inject(twin.Fault{Host: "*", Name: "clock-off", Offset: 5 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		c.byNTLM(winrmUser, password, nil)
		if _, _, err := c.post(identifyBody); taken != (err == nil) || !taken && !errors.Is(err, errRefused) {
			t.Errorf("%s, five hours: %v", os, err)
		}
	}
}

func TestACertificateChangesUnderOpenConnections(t *testing.T) {
	t.Parallel()
	c, f, truth := reached(t, "https", twin.Options{Faults: []twin.Fault{{Host: "MBX1", Name: "certificate-changed", At: "request:3"}}})
	var seen [][32]byte
	c.secure(anyCertificate)
	for range 5 {
		pin, err := f.Pin("mbx1")
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, pin)
		if status, _, err := c.post(identifyBody); err != nil || status != 200 {
			t.Fatalf("%d %v", status, err)
		}
	}
	if seen[0] != seen[2] || seen[2] == seen[3] || seen[3] != seen[4] {
		t.Errorf("pins %x, want another from the fourth request on", seen)
	}
	if load, err := f.Load("mbx1"); err != nil || load.Connected != 2 {
		t.Errorf("%+v %v, want a second connection after the change", load, err)
	}
	if n := len(truth.entries(t, "certificate-changed")); n != 1 {
		t.Errorf("%d changes in the journal", n)
	}
}

func TestAHostTakesTLS10Only(t *testing.T) {
	t.Parallel()
	c, f, _ := reached(t, "https", twin.Options{}, on2008)
	today := &tls.Config{InsecureSkipVerify: true}
	if state, err := c.shown(today); err != nil || state.Version != tls.VersionTLS13 {
		t.Fatalf("version %x, %v", state.Version, err)
	}
	if err := f.Inject(twin.Fault{Host: "MBX1", Name: "tls-1.0-only"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.shown(today); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("%v, want the version refused", err)
	}
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA}}
	if state, err := c.shown(old); err != nil || state.Version != tls.VersionTLS10 {
		t.Errorf("version %x, %v", state.Version, err)
	}
}

func TestQuotasAreUsedUpByOthers(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]struct{ create, command string }{
		"": {"2150859173", ""}, "users": {"2150859179", ""}, "operations": {"", "2150859174"},
	} {
		c, f, _ := reached(t, "http,plain", twin.Options{})
		mine := c.open()
		if err := f.Inject(twin.Fault{Host: "MBX1", Name: "quota-full", At: at, Lasts: 9000 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		try := func(action, selector, body string) string {
			status, n := c.ask(action, shellURI+"/cmd", selector, "", body)
			if status != 200 && !strings.HasSuffix(n.find("Subcode")[0].one("Value"), ":QuotaLimit") {
				t.Errorf("%s: subcode %s", action, n.find("Subcode")[0].one("Value"))
			}
			return code(n)
		}
		create := func() string {
			return try("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", "", "<rsp:Shell/>")
		}
		// Without step and at it begins at once, else with the next request.
		if at != "" {
			_, _, _ = c.post(identifyBody)
		}
		if got := create(); got != want.create {
			t.Errorf("%q: Create %q, want %q", at, got, want.create)
		}
		if got := try(shellURI+"/Command", shellSelector(mine), "<rsp:CommandLine><rsp:Command>ver</rsp:Command></rsp:CommandLine>"); got != want.command {
			t.Errorf("%q: Command %q, want %q", at, got, want.command)
		}
		if err := f.Mend("MBX1"); err != nil {
			t.Fatal(err)
		}
		if got := create(); got != "" {
			t.Errorf("%q: mended: %s", at, got)
		}
	}
}

func TestAPolicyMakesEnvelopesSmall(t *testing.T) {
	t.Parallel()
	c, f, _ := reached(t, "http,plain", twin.Options{})
	long := message(shellURI+"/Send", shellURI+"/cmd", "", "", strings.Repeat("x", 40000))
	if status, _, err := c.post(long); err != nil || status != 500 {
		t.Fatalf("before: %d %v", status, err)
	}
	if err := f.Inject(twin.Fault{Host: "MBX1", Name: "small-envelope"}); err != nil {
		t.Fatal(err)
	}
	if status, raw, err := c.post(long); err != nil || status != http.StatusRequestEntityTooLarge || raw != "" {
		t.Errorf("%d %q %v, want 413", status, raw, err)
	}
	if status, raw, err := c.post(message(enumerateURI, cimv2URI, "", "", filter("SELECT * FROM Win32_Service", 1000))); err != nil || status != 200 || len(raw) > 32<<10 || xml.Unmarshal([]byte(raw), new(node)) != nil {
		t.Errorf("%d, %d bytes, %v, want at most 32 KB", status, len(raw), err)
	}
	s, _, _ := reached(t, "http,ntlm", twin.Options{Faults: []twin.Fault{{Host: "*", Name: "small-envelope"}}})
	s.byNTLM(winrmUser, password, nil)
	_, _, _ = s.post(identifyBody)
	if status, _, err := s.post(long); err != nil || status != http.StatusRequestEntityTooLarge {
		t.Errorf("sealed: %d %v, want 413", status, err)
	}
}
