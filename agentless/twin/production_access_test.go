package twin_test

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/winrm"
)

// product is the product's connection to the client's host.
func (c *client) product(t *testing.T, account *winrm.Account, trust *winrm.TLS) *winrm.Conn {
	t.Helper()
	_, rest, _ := strings.Cut(strings.TrimSuffix(c.url, "/wsman"), "://")
	address, port, _ := strings.Cut(rest, ":")
	n := 0
	for _, d := range port {
		n = 10*n + int(d-'0')
	}
	conn, err := winrm.New(winrm.Config{
		Address: address, Port: n, Host: "mbx1.corp.example", Account: account, TLS: trust, OperationTimeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func wkAccount(t *testing.T, cfg winrm.AccountConfig) *winrm.Account {
	t.Helper()
	a, err := winrm.NewAccount(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestTheProductLogsOnInEveryWay runs a command by each way that hosts offer,
// and counts what the hosts saw.
func TestTheProductLogsOnInEveryWay(t *testing.T) {
	t.Parallel()
	for words, os := range map[string]string{
		"http,plain": "2003", "https": "2003", "https,tls1.0": "2003", "https,tls1.0,self-signed": "2003", "https,sha1,tls1.0": "2008",
		"http,ntlm": "2003", "http,ntlm,forgets": "2008", "https,ntlm": "2003", "https,ntlm,binding,tls1.0": "2008", "http,kerberos": "2003",
		"https,kerberos,binding": "2008", "https,certificate,tls1.0": "2008",
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			o := twin.Options{Accounts: []twin.Account{domainAdmin}}
			cfg := winrm.AccountConfig{Auth: winrm.AuthBasic, User: winrmUser, Password: password}
			who := `mbx1\` + winrmUser
			var c *client
			var f *twin.Fleet
			var truth *truth
			switch {
			case strings.Contains(words, "kerberos"):
				k := newKDC(t)
				client, err := kerberos.New(kerberos.Config{User: ticketUser, Realm: realm, Password: ticketSpell, KDCs: []string{k.addr}})
				if err != nil {
					t.Fatal(err)
				}
				cfg, who = winrm.AccountConfig{Auth: winrm.AuthKerberos, Kerberos: client}, `corp\`+ticketUser
				c, f, truth = withKDC(t, k, words, twin.Options{}, onOS(os))
			case strings.Contains(words, "certificate"):
				mine := clientCertificate(t, "wk")
				o.ClientCertificate = mine.pem
				cfg = winrm.AccountConfig{Auth: winrm.AuthCertificate, Certificate: &mine.pair}
				c, f, truth = reached(t, words, o, onOS(os))
			case strings.Contains(words, "ntlm"):
				cfg, who = winrm.AccountConfig{Auth: winrm.AuthNTLM, User: `CORP\wkwinrm`, Password: domainAdmin.Password}, `corp\wkwinrm`
				fallthrough
			default:
				c, f, truth = reached(t, words, o, onOS(os))
			}
			var trust *winrm.TLS
			if strings.HasPrefix(words, "https") {
				trust = &winrm.TLS{Old: strings.Contains(words, "tls1.0"), CAs: x509.NewCertPool()}
				trust.CAs.AppendCertsFromPEM(f.Certificates())
				if strings.Contains(words, "self-signed") || strings.Contains(words, "sha1") {
					pin, err := f.Pin("mbx1")
					if err != nil {
						t.Fatal(err)
					}
					trust.Pins = []winrm.Pin{pin}
				}
			}
			conn := c.product(t, wkAccount(t, cfg), trust)
			for range 3 {
				got, err := conn.Run(t.Context(), winrm.Command{Line: "whoami"})
				if err != nil || strings.TrimSpace(string(got.Stdout)) != who {
					t.Fatalf("%q %q %v, want %q", got.Stdout, got.Stderr, err, who)
				}
			}
			if refused := truth.entries(t, "access-refused"); len(refused) > 0 {
				t.Errorf("refused: %v", refused)
			}
			if load, err := f.Load("mbx1"); err != nil || load.Connected > 1 {
				t.Errorf("%+v %v, want one connection for all", load, err)
			}
			for name, p := range f.Proofs() {
				if strings.Contains(words, "ntlm") && (p.Sent > 1 || name != who) {
					t.Errorf("%s: %+v, want one proof", name, p)
				}
			}
			conn.Close()
			within(t, 5*time.Second, "nothing is left open", func() bool {
				load, err := f.Load("mbx1")
				return err == nil && load.Connections+load.Shells+load.Commands == 0
			})
		})
	}
}

// A wrong password is tried once, however often it is asked for, and so is one
// at hosts that offer nothing that is safe.
func TestTheProductTriesAWrongPasswordOnce(t *testing.T) {
	t.Parallel()
	for words, auth := range map[string]winrm.Auth{"http,ntlm": winrm.AuthNTLM, "https,ntlm": winrm.AuthNTLM, "https": winrm.AuthBasic, "http,plain": winrm.AuthBasic} {
		c, f, truth := reached(t, words, twin.Options{})
		var trust *winrm.TLS
		if strings.HasPrefix(words, "https") {
			trust = &winrm.TLS{CAs: x509.NewCertPool()}
			trust.CAs.AppendCertsFromPEM(f.Certificates())
		}
		account := wkAccount(t, winrm.AccountConfig{Auth: auth, User: winrmUser, Password: "wrong"})
		for range 5 {
			if _, err := c.product(t, account, trust).Run(t.Context(), winrm.Command{Line: "whoami"}); !errors.Is(err, winrm.ErrDenied) {
				t.Errorf("%s: %v, want denied", words, err)
			}
		}
		if got := f.Proofs()[`mbx1\`+winrmUser]; got != (twin.Proofs{Sent: 1, Refused: 1, Row: 1}) {
			t.Errorf("%s: %+v, want one proof, refused", words, got)
		}
		if n := len(truth.entries(t, "access-refused")); n != 1 {
			t.Errorf("%s: %d refusals in the journal", words, n)
		}
	}
}

// What each fault of logons and quotas is to the product: what it says, whether
// it goes on, and how many proofs of the password the host saw.
func TestTheProductMeetsFaultsOfLogons(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault  twin.Fault
		says   string // of the first command that fails; "" = none does
		after  bool   // the third command goes well
		proofs int
	}{
		"a logon is cut":       {twin.Fault{Name: "login-dropped"}, "", true, 2},
		"logons are cut":       {twin.Fault{Name: "login-dropped", Times: 9}, "twice no answer came that says whether the password is right", false, 2},
		"no sealing":           {twin.Fault{Name: "no-sealing"}, "no proof of the password was sent", false, 0},
		"a login is forgotten": {twin.Fault{Name: "login-forgotten", At: "request:2"}, "no longer knows the login", true, 2},
		"an answer unsealed":   {twin.Fault{Name: "unsealed-answer"}, "", true, 2},
		"no shell left":        {twin.Fault{Name: "quota-full", Lasts: 9000 * time.Hour}, "2150859173", false, 1},
		"small envelopes":      {twin.Fault{Name: "small-envelope"}, "", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.fault.Host = "MBX1"
			c, f, truth := reached(t, "http,ntlm", twin.Options{Faults: []twin.Fault{tc.fault}})
			conn := c.product(t, wkAccount(t, winrm.AccountConfig{Auth: winrm.AuthNTLM, User: winrmUser, Password: password}), nil)
			says, well := "", false
			for range 3 {
				got, err := conn.Run(t.Context(), winrm.Command{Line: "hostname"})
				if well = err == nil && string(got.Stdout) == "mbx1\r\n"; err != nil && says == "" {
					says = err.Error()
				}
			}
			if (says == "") != (tc.says == "") || !strings.Contains(says, tc.says) || well != tc.after {
				t.Errorf("said %q, third command %v, want %q and %v", says, well, tc.says, tc.after)
			}
			if got := f.Proofs()[`mbx1\`+winrmUser]; got.Sent != tc.proofs || got.Refused != 0 {
				t.Errorf("%+v, want %d proofs", got, tc.proofs)
			}
			if len(truth.entries(t, "fault")) == 0 {
				t.Error("the fault did not begin")
			}
		})
	}
}

// A certificate that changes is met with a message, and nothing is sent.
func TestTheProductNoticesAnotherCertificate(t *testing.T) {
	t.Parallel()
	c, f, truth := reached(t, "https,self-signed,tls1.0", twin.Options{})
	pin, err := f.Pin("mbx1")
	if err != nil {
		t.Fatal(err)
	}
	account := wkAccount(t, winrm.AccountConfig{Auth: winrm.AuthBasic, User: winrmUser, Password: password})
	conn := c.product(t, account, &winrm.TLS{Old: true, Pins: []winrm.Pin{pin}})
	if _, err := conn.Run(t.Context(), winrm.Command{Line: "ver"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Inject(twin.Fault{Host: "MBX1", Name: "certificate-changed"}); err != nil {
		t.Fatal(err)
	}
	// A connection that the host had not ended yet was made with the certificate of
	// before: one command may still use it. From then on nothing is sent.
	var changed *winrm.PinChanged
	if _, err := conn.Run(t.Context(), winrm.Command{Line: "ver"}); err != nil && !errors.As(err, &changed) {
		t.Errorf("%v, want the new certificate named", err)
	}
	before := f.Proofs()[`mbx1\`+winrmUser].Sent
	if _, err := conn.Run(t.Context(), winrm.Command{Line: "ver"}); !errors.As(err, &changed) || changed.Got == pin {
		t.Errorf("%v, want the new certificate named", err)
	}
	if after := f.Proofs()[`mbx1\`+winrmUser].Sent; after != before {
		t.Errorf("%d proofs after %d: the password went to a certificate that nobody knows", after, before)
	}
	if n := len(truth.entries(t, "certificate-changed")); n != 1 {
		t.Errorf("%d changes", n)
	}
	if err := f.Mend("MBX1"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Run(t.Context(), winrm.Command{Line: "ver"}); err != nil {
		t.Errorf("with the certificate of before: %v", err)
	}
}
