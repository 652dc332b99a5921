package winrm

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/sealed"
)

// oneKey is made once: keys are slow.
var oneKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func testKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := oneKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// certificate is one for mbx1.lab.test, as change wants it, signed by parent or
// by itself.
func certificate(t testing.TB, parent *x509.Certificate, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "mbx1.lab.test"}, DNSNames: []string{"mbx1.lab.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if change != nil {
		change(c)
	}
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, testKey(t).Public(), testKey(t))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: testKey(t), Leaf: leaf}
}

func authority(t testing.TB, name string) (*x509.Certificate, *x509.CertPool) {
	t.Helper()
	ca := certificate(t, nil, func(c *x509.Certificate) {
		c.Subject.CommonName, c.DNSNames, c.IsCA, c.KeyUsage = name, nil, true, x509.KeyUsageCertSign
	}).Leaf
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return ca, pool
}

// secureHost is a fakeHost behind TLS as the config says.
func secureHost(t testing.TB, with *tls.Config) (*fakeHost, Config) {
	t.Helper()
	h := newFakeHost(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(h.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are refused below
	s.TLS = with
	s.StartTLS()
	t.Cleanup(s.Close)
	return h, Config{
		Address: "127.0.0.1", Port: s.Listener.Addr().(*net.TCPAddr).Port, Host: "mbx1.lab.test",
		Account: Basic("u", "p"), TLS: &TLS{},
	}
}

func shownPin(c tls.Certificate) Pin { return sha256.Sum256(c.Certificate[0]) }

// What is wrong with a certificate is said, with what to do; nothing is sent.
func TestBadCertificatesAreNamed(t *testing.T) {
	t.Parallel()
	ca, pool := authority(t, "Lab CA")
	_, others := authority(t, "Other CA")
	for what, test := range map[string]struct {
		change func(*x509.Certificate)
		self   bool
		cas    *x509.CertPool
		want   string
	}{
		"right":                      {cas: pool},
		"expired":                    {cas: pool, want: "it ended on 2", change: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }},
		"not yet valid":              {cas: pool, want: "check the clocks", change: func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }},
		"another name":               {cas: pool, want: "it is for mbx2.lab.test, not for mbx1.lab.test", change: func(c *x509.Certificate) { c.DNSNames = []string{"mbx2.lab.test"} }},
		"an old name":                {cas: pool, want: "it is for mbx1.lab.test (in its subject only", change: func(c *x509.Certificate) { c.DNSNames = nil }},
		"unknown":                    {cas: others, want: `its authority "CN=Lab CA" is not known`},
		"by itself":                  {self: true, cas: others, want: "it is signed by itself: pin it"},
		"a name that terminals obey": {cas: others, want: "CN=mbx1?[2J", change: func(c *x509.Certificate) { c.Subject.CommonName = "mbx1\x1b[2J" }},
		"SHA-1":                      {cas: pool, want: "it is signed with SHA1-RSA", change: func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA }},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			parent := ca
			if test.self {
				parent = nil
			}
			shown := certificate(t, parent, test.change)
			h, cfg := secureHost(t, &tls.Config{Certificates: []tls.Certificate{shown}})
			cfg.TLS.CAs = test.cas
			var seen Pin
			cfg.TLS.Seen = func(p Pin, _ *x509.Certificate) { seen = p }
			_, err := dialTo(t, cfg).Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"})
			if seen != shownPin(shown) {
				t.Error("the certificate was not told of")
			}
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var doubt *Untrusted
			if !errors.As(err, &doubt) || !errors.Is(err, ErrTrust) || Outcome(err) != OutcomeUntrusted || doubt.Got != shownPin(shown) || h.actions() != "" {
				t.Fatalf("%v after %q, want untrusted", err, h.actions())
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "mbx1.lab.test") || !strings.Contains(err.Error(), "nothing was sent") || !strings.Contains(err.Error(), Fingerprint(doubt.Got)) {
				t.Errorf("%v, want %q in it", err, test.want)
			}
		})
	}
}

func TestPinsDecideAlone(t *testing.T) {
	t.Parallel()
	// Everything is wrong with it but its fingerprint.
	shown := certificate(t, nil, func(c *x509.Certificate) {
		c.DNSNames, c.NotAfter, c.SignatureAlgorithm = []string{"other"}, time.Now().Add(-time.Minute), x509.SHA1WithRSA
	})
	ca, pool := authority(t, "Lab CA")
	good := certificate(t, ca, nil)
	run := func(with tls.Certificate, change func(*TLS)) (string, error) {
		h, cfg := secureHost(t, &tls.Config{Certificates: []tls.Certificate{with}})
		cfg.TLS.CAs = pool
		change(cfg.TLS)
		_, err := dialTo(t, cfg).Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"})
		return h.actions(), err
	}
	if _, err := run(shown, func(c *TLS) { c.Pins = []Pin{{1}, shownPin(shown)} }); err != nil {
		t.Errorf("the pinned one: %v", err)
	}
	sent, err := run(good, func(c *TLS) { c.Pins = []Pin{shownPin(shown)} })
	var changed *PinChanged
	if !errors.As(err, &changed) || Outcome(err) != OutcomeUntrusted || changed.Got != shownPin(good) || changed.Want[0] != shownPin(shown) || sent != "" {
		t.Errorf("another one, of a known authority: %v after %q, want a changed pin", err, sent)
	}
	if err != nil && (!strings.Contains(err.Error(), Fingerprint(shownPin(good))) || !strings.Contains(err.Error(), Fingerprint(shownPin(shown)))) {
		t.Errorf("%v: it does not show both fingerprints", err)
	}
	sent, err = run(good, func(c *TLS) { c.OnlyPins = true })
	var doubt *Untrusted
	if !errors.As(err, &doubt) || doubt.Got != shownPin(good) || doubt.Subject != "CN=mbx1.lab.test" || sent != "" || !strings.Contains(err.Error(), "confirm") {
		t.Errorf("one that nobody confirmed: %v after %q", err, sent)
	}
}

func TestPinsAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	want := Pin(sha256.Sum256([]byte("certificate")))
	for _, text := range []string{Fingerprint(want), strings.ToLower(strings.ReplaceAll(Fingerprint(want), ":", "")), strings.ReplaceAll(Fingerprint(want), ":", " ")} {
		if got, err := ParsePin(text); err != nil || got != want {
			t.Errorf("%s: %x, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "AA:BB", strings.Repeat("zz", 32), strings.Repeat("a", 40)} {
		if _, err := ParsePin(text); err == nil {
			t.Errorf("%q is a pin", text)
		}
	}
}

// Hosts of 2003 and 2008 speak TLS 1.0 with suites of that time: by the profile's
// word only, and without it the error says which word.
func TestTLSOfThatTime(t *testing.T) {
	t.Parallel()
	shown := certificate(t, nil, nil)
	for _, suite := range []uint16{tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA} {
		name := tls.CipherSuiteName(suite)
		h, cfg := secureHost(t, &tls.Config{
			Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{suite},
		})
		cfg.TLS.Pins = []Pin{shownPin(shown)}
		_, err := dialTo(t, cfg).Identify(withDeadline(t, 20*time.Second))
		if Outcome(err) != OutcomeUnreachable || !strings.Contains(err.Error(), "speaks TLS 1.0 or 1.1 only") || !strings.Contains(err.Error(), "allow it in the profile") || h.actions() != "" {
			t.Errorf("%s, strict: %v", name, err)
		}
		cfg.TLS.Old = true
		if _, err := dialTo(t, cfg).Identify(withDeadline(t, 20*time.Second)); err != nil {
			t.Errorf("%s, allowed: %v", name, err)
		}
		cfg.TLS.Pins = []Pin{{}}
		if _, err := dialTo(t, cfg).Identify(withDeadline(t, 20*time.Second)); !errors.Is(err, ErrTrust) {
			t.Errorf("%s, another pin: %v", name, err)
		}
	}
	// A host that can do better does, also where TLS 1.0 is allowed: up to TLS 1.2.
	var version uint16
	_, cfg := secureHost(t, &tls.Config{Certificates: []tls.Certificate{shown}, VerifyConnection: func(s tls.ConnectionState) error {
		version = s.Version
		return nil
	}})
	cfg.TLS.Old, cfg.TLS.Pins = true, []Pin{shownPin(shown)}
	if _, err := dialTo(t, cfg).Identify(withDeadline(t, 20*time.Second)); err != nil || version != tls.VersionTLS12 {
		t.Errorf("TLS %x, %v", version, err)
	}
}

func TestWhyNoConnectionCameAbout(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.121.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()
	mute := silent(t, func(net.Conn) {})
	hangsUp := silent(t, func(c net.Conn) {
		// The greeting of TLS is read first, as a host does.
		_, _ = c.Read(make([]byte, 4096))
		_ = c.Close()
	})
	esc := silent(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\x1b[2J\r\n\r\n") })
	ssh := silent(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n") })
	_, secure := secureHost(t, &tls.Config{Certificates: []tls.Certificate{certificate(t, nil, nil)}})
	plain := newFakeHost(t).config()
	for what, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"a closed port":         {Config{Address: "127.0.121.1", Port: port}, "nothing listens on port"},
		"an unknown name":       {Config{Address: "no-such-host.invalid", Port: 5985}, "no-such-host.invalid"},
		"no TLS there":          {Config{Address: "127.0.0.1", Port: plain.Port, TLS: &TLS{}}, "speaks no TLS: it is a port for http"},
		"TLS there":             {Config{Address: "127.0.0.1", Port: secure.Port}, "http status 400"},
		"no answer to TLS":      {Config{Address: "127.0.121.1", Port: mute, TLS: &TLS{}, OperationTimeout: 200 * time.Millisecond}, "no answer"},
		"TLS is broken off":     {Config{Address: "127.0.121.1", Port: hangsUp, TLS: &TLS{}}, "so do hosts that speak TLS 1.0 only"},
		"what a terminal obeys": {Config{Address: "127.0.121.1", Port: esc}, `\x1b[2J`},
		"another service":       {Config{Address: "127.0.121.1", Port: ssh}, "it is no HTTP"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			test.cfg.Account = Basic("u", "secret")
			_, err := dialTo(t, test.cfg).Identify(withDeadline(t, 5*time.Second))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.ContainsAny(err.Error(), "\x1b") || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want %q in it", err, test.want)
			}
		})
	}
}

// silent is a listener whose connections are given to do.
func silent(t *testing.T, do func(net.Conn)) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.121.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			do(c)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// A login over TLS is bound to the certificate that the host shows: one that
// was relayed from elsewhere is refused.
func TestNTLMOverTLSIsBoundToIt(t *testing.T) {
	t.Parallel()
	for _, bound := range []bool{true, false} {
		h := newLoginHost(t)
		shown := certificate(t, nil, nil)
		h.TLS = &tls.Config{Certificates: []tls.Certificate{shown}}
		h.bindings = sealed.ChannelBinding(shown.Leaf)
		if !bound {
			h.bindings[0] ^= 1
		}
		h.StartTLS()
		cfg := h.config(t, `LAB\svc`, rightPassword)
		cfg.TLS = &TLS{Pins: []Pin{shownPin(shown)}}
		_, err := dialTo(t, cfg).Identify(withDeadline(t, 5*time.Second))
		if bound && err != nil {
			t.Errorf("bound: %v", err)
		}
		if !bound && (Outcome(err) != OutcomeDenied || !strings.Contains(err.Error(), "bound to its own certificate")) {
			t.Errorf("bound elsewhere: %v, want denied", err)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ca, pool := authority(t, "Lab CA")
	shown := certificate(t, ca, nil)
	ours := certificate(t, ca, func(c *x509.Certificate) { c.Subject.CommonName = "wavekeeper" })
	h, cfg := secureHost(t, &tls.Config{Certificates: []tls.Certificate{shown}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
	cfg.TLS.CAs = pool
	account, err := NewAccount(AccountConfig{Auth: AuthCertificate, User: "wavekeeper", Certificate: &ours})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Account = account
	if _, err := dialTo(t, cfg).Identify(withDeadline(t, 5*time.Second)); err != nil {
		t.Error(err)
	}
	if got := h.last(t, "Identify").header.Get("Authorization"); got != "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual" {
		t.Errorf("Authorization: %q", got)
	}
	cfg.TLS = nil
	if _, err := New(cfg); Outcome(err) != OutcomeRefused {
		t.Errorf("without https: %v", err)
	}
}

// A host of 2003 or 2008 is shown a hello of its time.
func TestTheHelloForOldHostsIsOfTheirTime(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{true, false} {
		hello := make(chan *tls.ClientHelloInfo, 1)
		shown := certificate(t, nil, nil)
		_, cfg := secureHost(t, &tls.Config{MinVersion: tls.VersionTLS10, Certificates: []tls.Certificate{shown}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			select {
			case hello <- h:
			default:
			}
			return nil, nil
		}})
		cfg.TLS = &TLS{Pins: []Pin{shownPin(shown)}, Old: old}
		if _, err := dialTo(t, cfg).Identify(withDeadline(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
		got := <-hello
		if modern := slices.Contains(got.SupportedVersions, tls.VersionTLS13); modern == old {
			t.Errorf("old %t: versions %x", old, got.SupportedVersions)
		}
		if classic := len(got.SupportedCurves) == 2 && slices.Contains(got.SupportedCurves, tls.CurveP256); classic != old {
			t.Errorf("old %t: curves %v", old, got.SupportedCurves)
		}
	}
}
