package twin_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"wavekeeper/agentless/sealed"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// anyCertificate takes every certificate and every version: these tests look at
// what the host shows.
var anyCertificate = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}

// shown connects once and returns what the host showed.
func (c *client) shown(config *tls.Config) (tls.ConnectionState, error) {
	c.tb.Helper()
	address := strings.TrimSuffix(strings.TrimPrefix(c.url, "https://"), "/wsman")
	conn, err := (&tls.Dialer{Config: config}).DialContext(context.Background(), "tcp4", address)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState(), nil
}

func TestCertificatesOfEachKind(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"ca": "", "self-signed": "unknown authority", "expired": "expired", "wrong-name": "valid for other.corp.example",
		"sha1": "insecure algorithm SHA1-RSA",
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			c, f, _ := reached(t, "https,"+words, twin.Options{})
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(f.Certificates())
			_, err := c.shown(&tls.Config{RootCAs: pool, ServerName: "mbx1.corp.example"})
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
			state, err := c.shown(anyCertificate)
			if err != nil {
				t.Fatal(err)
			}
			pin, err := f.Pin("mbx1")
			if err != nil || pin != sha256.Sum256(state.PeerCertificates[0].Raw) {
				t.Errorf("pin %x, %v", pin, err)
			}
			if words == "sha1" && state.PeerCertificates[0].SignatureAlgorithm != x509.SHA1WithRSA {
				t.Errorf("signed with %v", state.PeerCertificates[0].SignatureAlgorithm)
			}
		})
	}
}

// Schannel of 2003 and 2008: TLS 1.0 and RSA key exchange. Go's defaults meet
// neither (winrm.md 2.9).
func TestHostsOfThatTimeSpeakTLS10WithRSASuitesOnly(t *testing.T) {
	t.Parallel()
	aes, rc4 := []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}
	for os, suites := range map[string]struct{ taken, refused []uint16 }{"2003": {rc4, aes}, "2008": {aes, nil}} {
		c, _, _ := reached(t, "https,tls1.0", twin.Options{}, func(s *exchange.Server) { s.OS = os })
		try := func(least uint16, suites []uint16) (tls.ConnectionState, error) {
			return c.shown(&tls.Config{InsecureSkipVerify: true, MinVersion: least, CipherSuites: suites})
		}
		if _, err := try(0, nil); err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("%s: Go's defaults: %v, want a version refused", os, err)
		}
		if _, err := try(tls.VersionTLS10, nil); err == nil || !strings.Contains(err.Error(), "handshake failure") {
			t.Errorf("%s: TLS 1.0 with Go's suites: %v, want a handshake failure", os, err)
		}
		state, err := try(tls.VersionTLS10, suites.taken)
		if err != nil || state.Version != tls.VersionTLS10 || state.CipherSuite != suites.taken[0] {
			t.Errorf("%s: %v, version %x, suite %x", os, err, state.Version, state.CipherSuite)
		}
		if suites.refused != nil {
			if _, err := try(tls.VersionTLS10, suites.refused); err == nil {
				t.Errorf("%s took AES, which needs KB948963 there", os)
			}
		}
	}
}

// A host keeps its certificate over a restart of the twin: else each would be a
// change that a person must confirm.
func TestCertificatesOutliveARestart(t *testing.T) {
	t.Parallel()
	s := server(t, "mbx1", "HT")
	s.Address = logonAddress()
	o := twin.Options{
		Servers: []exchange.Server{s}, TLSDir: t.TempDir(), StateDir: t.TempDir(), User: winrmUser, Password: password,
		Access: []twin.HostAccess{{Hosts: "*", Access: twin.Access{HTTPS: true, Certificate: twin.CertSelfSigned}}},
	}
	before, err := twin.CA(o.TLSDir)
	if err != nil {
		t.Fatal(err)
	}
	known, err := twin.Pins(o)
	if err != nil || len(known) != 1 {
		t.Fatal(known, err)
	}
	var pins [][32]byte
	for round := range 4 {
		f, err := twin.Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			if err := f.Inject(twin.Fault{Host: "MBX1", Name: "certificate-changed"}); err != nil {
				t.Fatal(err)
			}
		}
		pin, err := f.Pin("MBX1")
		if err != nil {
			t.Fatal(err)
		}
		pins = append(pins, pin)
		if string(f.Certificates()) != string(before) {
			t.Error("another CA")
		}
		if round == 2 {
			if err := f.Mend("MBX1"); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if pins[0] != known["MBX1"] {
		t.Errorf("pin %x, want %x, which was known before", pins[0], known["MBX1"])
	}
	if pins[0] == pins[1] || pins[1] != pins[2] || pins[3] != pins[0] {
		t.Errorf("pins %x, want the second to be another, the third as the second, the fourth as the first", pins)
	}
}

func TestALogonWithACertificate(t *testing.T) {
	t.Parallel()
	mine, other := clientCertificate(t, "wk"), clientCertificate(t, "other")
	c, _, _ := reached(t, "https,certificate,tls1.0", twin.Options{ClientCertificate: mine.pem}, on2008)
	const header = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
	for name, tc := range map[string]struct {
		shown  []tls.Certificate
		header string
		want   int
	}{
		"the one that is mapped": {[]tls.Certificate{mine.pair}, header, 200},
		"another":                {[]tls.Certificate{other.pair}, header, 401},
		"none":                   {nil, header, 401},
		"without the header":     {[]tls.Certificate{mine.pair}, "", 401},
	} {
		c.secure(&tls.Config{
			InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, Certificates: tc.shown,
		})
		if res := c.bare(t, tc.header); res.StatusCode != tc.want {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, tc.want)
		}
	}
}

// Over https nothing is sealed; the logon is bound to the host's certificate
// where the host demands it.
func TestNTLMOverHTTPSIsBoundToTheCertificate(t *testing.T) {
	t.Parallel()
	c, _, _ := reached(t, "https,ntlm,binding", twin.Options{}, on2008)
	state, err := c.shown(anyCertificate)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		binding []byte
		right   bool
	}{
		"bound": {sealed.ChannelBinding(state.PeerCertificates[0]), true}, "not bound": {nil, false}, "to another": {make([]byte, 16), false},
	} {
		l := c.byNTLM(winrmUser, password, anyCertificate)
		l.binding = tc.binding
		status, _, err := c.post(identifyBody)
		if tc.right != (err == nil && status == 200) || !tc.right && !errors.Is(err, errRefused) {
			t.Errorf("%s: %d %v", name, status, err)
		}
		if sealed.IsSealed(l.kind) {
			t.Errorf("%s: sealed over https", name)
		}
	}
}
