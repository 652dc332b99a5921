package winrm_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
)

// contact is a first contact with a simulated host; access is in ParseAccess's words.
type contact struct {
	access  string
	fleet   func(*twin.Options)
	config  func(*winrm.Config, *twin.Fleet)
	auth    winrm.Auth
	user    string // wkadmin when empty
	wrong   bool   // the password
	address string // in place of the host's
	state   string // "step state" of the one that is looked at
	words   []string
	outcome string
}

var firstContacts = map[string]contact{
	"all is well": {state: "rights ok", words: []string{"wkadmin may read from WMI"}, outcome: winrm.OutcomeDone},
	"generation":  {state: "generation ok", words: []string{"WinRM 2.0 on Windows 5.2.3790, service pack 2.0"}, outcome: winrm.OutcomeDone},
	"older generation": {
		fleet: func(o *twin.Options) { o.WinRM = "1.1" },
		state: "generation ok", words: []string{"WinRM 1.1 on Windows 5.2.3790"}, outcome: winrm.OutcomeDone,
	},
	"sealed": {access: "http,ntlm", auth: winrm.AuthNTLM, state: "tls ok", words: []string{"each message is sealed"}, outcome: winrm.OutcomeDone},
	"name": {
		address: "no..such.lab.test",
		state:   "name failed", words: []string{"no..such.lab.test", "give the host's address"}, outcome: winrm.OutcomeUnreachable,
	},
	"port": {
		config: func(c *winrm.Config, _ *twin.Fleet) { c.Port = 1 },
		state:  "port failed", words: []string{"nothing listens on port 1", "winrm enumerate winrm/config/listener"}, outcome: winrm.OutcomeUnreachable,
	},
	"no TLS": {
		config: func(c *winrm.Config, _ *twin.Fleet) { c.TLS = &winrm.TLS{} },
		state:  "tls failed", words: []string{"speaks no TLS", "Use http with --auth ntlm"}, outcome: winrm.OutcomeUnreachable,
	},
	"old TLS": {
		access: "https,basic,tls1.0", config: trusting,
		state: "tls failed", words: []string{"--tls10", "Allow TLS 1.0"}, outcome: winrm.OutcomeUnreachable,
	},
	"old TLS allowed": {
		access: "https,basic,tls1.0",
		config: func(c *winrm.Config, f *twin.Fleet) { trusting(c, f); c.TLS.Old = true },
		state:  "tls ok", words: []string{"TLS 1.0, TLS_RSA", "is trusted by its authority", "SHA-256"}, outcome: winrm.OutcomeDone,
	},
	"self-signed": {
		access: "https,basic,self-signed", config: trusting,
		state: "tls failed", words: []string{"signed by itself", "SHA256Managed", "certutil -store my", "on the host thumbprint", "serial number", "never trusted", "--pin "}, outcome: winrm.OutcomeUntrusted,
	},
	"pinned": {
		access: "https,basic,self-signed",
		config: func(c *winrm.Config, f *twin.Fleet) {
			pin, _ := f.Pin("MBX1")
			c.TLS = &winrm.TLS{Pins: []winrm.Pin{pin}}
		},
		state: "tls ok", words: []string{"is trusted by its pin"}, outcome: winrm.OutcomeDone,
	},
	"another certificate": {
		access: "https,basic,self-signed",
		config: func(c *winrm.Config, _ *twin.Fleet) { c.TLS = &winrm.TLS{Pins: []winrm.Pin{{1}}} },
		state:  "tls failed", words: []string{"another certificate than the pinned one", "Ask who gave the host another"}, outcome: winrm.OutcomeUntrusted,
	},
	"not offered": {
		access: "http,ntlm", config: func(c *winrm.Config, _ *twin.Fleet) { c.AllowPlain = true },
		state: "authentication failed", words: []string{"does not offer basic, but Negotiate", "the password was not sent", "Use --auth ntlm", `@{Basic="true"}`}, outcome: winrm.OutcomeRefused,
	},
	"wrong password": {
		wrong: true,
		state: "authentication failed", words: []string{"refused", "Basic is for accounts of the host itself"}, outcome: winrm.OutcomeDenied,
	},
	"wrong password over NTLM": {
		access: "http,ntlm", auth: winrm.AuthNTLM, wrong: true,
		state: "authentication failed", words: []string{"refused", `DOMAIN\user`}, outcome: winrm.OutcomeDenied,
	},
	"no administrator": {
		fleet: func(o *twin.Options) {
			o.Accounts = []twin.Account{{Name: "guest", Password: "winrm-Secret1"}}
		}, user: "guest",
		state: "rights failed", words: []string{"guest logs on, and may not read from WMI", "Administrators"}, outcome: winrm.OutcomeDenied,
	},
	"clock": {
		fleet: func(o *twin.Options) {
			o.Faults = append(o.Faults, twin.Fault{Host: "MBX1", Name: "clock-off", Offset: -20 * time.Minute})
		},
		state: "clock warning", words: []string{"20m0s behind ours", "w32tm"}, outcome: winrm.OutcomeDone,
	},
}

// trusting trusts the fleet's authority.
func trusting(c *winrm.Config, f *twin.Fleet) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(f.Certificates())
	c.TLS = &winrm.TLS{CAs: pool}
}

func TestFirstContactIsExplainedStepByStep(t *testing.T) {
	t.Parallel()
	for name, c := range firstContacts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps, err := c.make(t)
			if got := winrm.Outcome(err); got != c.outcome {
				t.Errorf("ended as %s (%v), want %s", got, err, c.outcome)
			}
			want, state, _ := strings.Cut(c.state, " ")
			looked, after := false, ""
			for _, s := range steps {
				switch {
				case s.Name == want:
					looked = true
					if s.State != state {
						t.Errorf("%s is %s (%s), want %s", s.Name, s.State, s.Words, state)
					}
					for _, w := range c.words {
						if !strings.Contains(s.Words+" "+s.Remedy, w) {
							t.Errorf("%s says %q and %q, without %q", s.Name, s.Words, s.Remedy, w)
						}
					}
				case looked && state == winrm.StepFailed:
					after += s.State + " "
				case s.State != winrm.StepDone && s.State != winrm.StepDoubt:
					t.Errorf("%s is %s: %s", s.Name, s.State, s.Words)
				case s.Words == "":
					t.Errorf("%s says nothing", s.Name)
				}
			}
			if len(steps) != 9 || !looked {
				t.Errorf("steps are %+v", steps)
			}
			if state == winrm.StepFailed && want != winrm.StepRights && strings.ReplaceAll(after, winrm.StepSkipped+" ", "") != "" {
				t.Errorf("after %s: %s", want, after)
			}
		})
	}
}

// make makes the contact with a host of its own.
func (c contact) make(t *testing.T) ([]winrm.Step, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.121.100:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	o := twin.Options{
		User: "wkadmin", Password: "winrm-Secret1",
		Servers: []exchange.Server{{
			Name: "MBX1", FQDN: "mbx1.lab.test", Roles: []exchange.Role{exchange.Mailbox}, Language: "en-US", Arch: "x64",
			Address: "127.0.121.100", Port: port,
		}},
	}
	if c.access != "" {
		a, err := twin.ParseAccess("*=" + c.access)
		if err != nil {
			t.Fatal(err)
		}
		o.Access = []twin.HostAccess{a}
	}
	if c.fleet != nil {
		c.fleet(&o)
	}
	fleet, err := twin.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fleet.Close() })
	account := winrm.AccountConfig{Auth: c.auth, User: c.user, Password: "winrm-Secret1"}
	if account.Auth == "" {
		account.Auth = winrm.AuthBasic
	}
	if account.User == "" {
		account.User = "wkadmin"
	}
	if c.wrong {
		account.Password = "wrong"
	}
	cfg := winrm.Config{Address: "127.0.121.100", Port: port, Host: "mbx1.lab.test"}
	if c.address != "" {
		cfg.Address = c.address
	}
	if cfg.Account, err = winrm.NewAccount(account); err != nil {
		t.Fatal(err)
	}
	if c.config != nil {
		c.config(&cfg, fleet)
	}
	conn, err := winrm.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn.Explain(t.Context())
}

// What listens is not WinRM, or not yet.
func TestWhatIsNoListenerIsSaid(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{http.StatusNotFound: "no /wsman", http.StatusServiceUnavailable: "503", http.StatusOK: "not understood"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, "<html>")
		}))
		t.Cleanup(s.Close)
		port := s.Listener.Addr().(*net.TCPAddr).Port
		conn, err := winrm.New(winrm.Config{Address: "127.0.0.1", Port: port, Account: winrm.Basic("u", "p")})
		if err != nil {
			t.Fatal(err)
		}
		steps, err := conn.Explain(t.Context())
		conn.Close()
		if err == nil || steps[3].Name != winrm.StepListener || steps[3].State != winrm.StepFailed || !strings.Contains(steps[3].Words, want) || steps[3].Remedy == "" {
			t.Errorf("%d: %v, %+v, want %q", status, err, steps[3], want)
		}
	}
}

// A deadline ends it at once, and what was found out so far is told.
func TestExplainingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.121.101:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // connections are taken by the kernel, and nothing is answered
	conn, err := winrm.New(winrm.Config{Address: "127.0.121.101", Port: l.Addr().(*net.TCPAddr).Port, Account: winrm.Basic("u", "p")})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	steps, err := conn.Explain(ctx)
	if d := time.Since(began); d > time.Second || !errors.Is(err, winrm.ErrTimeout) || steps[1].State != winrm.StepDone || steps[3].State != winrm.StepFailed {
		t.Errorf("after %s: %v %+v", d, err, steps)
	}
}
