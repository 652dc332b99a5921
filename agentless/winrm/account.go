package winrm

import (
	"crypto/fips140"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"wavekeeper/agentless/kerberos"
)

// Auth is a way to log on to WinRM.
type Auth string

// The ways to log on.
const (
	// AuthBasic sends the password with each message; WinRM takes it for accounts
	// of the host itself only, and hosts of 2003 and 2008 have it switched off.
	AuthBasic Auth = "basic"
	// AuthNTLM is NTLMv2 as Negotiate carries it; over http each message is sealed.
	AuthNTLM Auth = "ntlm"
	// AuthKerberos is Kerberos as Negotiate carries it; over http each message is
	// sealed.
	AuthKerberos Auth = "kerberos"
	// AuthCertificate is a client certificate that the host maps to one of its own
	// accounts: https only, WinRM 2.0 and later.
	AuthCertificate Auth = "certificate"
)

// AccountConfig says who logs on, and how.
type AccountConfig struct {
	Auth Auth
	// User is user, DOMAIN\user, user@domain or .\user (the host's own account).
	User, Password string
	// Kerberos is AuthKerberos's, with the tickets of all hosts; User and Password
	// are not used then.
	Kerberos *kerberos.Client
	// Certificate is AuthCertificate's, with its key.
	Certificate *tls.Certificate
	// Service is the first half of the SPN that Kerberos asks a ticket for; "HTTP"
	// when empty.
	Service string
	// Refused are the refusals known from before, and Accepted the hosts that
	// took this version of the credential; hosts are named as in Config.Host.
	Refused  []Refusal
	Accepted []string
	// Tell hears of each new refusal, and TellAccepted of the first time that a
	// host takes the credential: both are to be kept. They hear of it one after the
	// other, beside the call that found it out (see Told), and may be nil.
	Tell         func(Refusal)
	TellAccepted func(host string, at time.Time)
}

// Refusal is a credential that was not taken. An empty Host is the account
// itself: no host that has not taken it yet gets it any more, and with ForAll not
// those either that took it before, for the directory says no to it by now. It is
// told again, with ForAll, when it turns out so later.
type Refusal struct {
	Host   string
	ForAll bool
	At     time.Time
	Reason string
}

// Account is one version of one credential, shared by all hosts that it is used
// for. It keeps a wrong password from locking somebody's account. What a host
// refused is not sent to it again (once more, if it took it before). One refusal
// of an account of the domain, or two of accounts that each host has for itself,
// close it to all hosts that have not taken it; two hosts that took it before, or
// the directory itself, close it to all. A proof that is not judged counts half.
// While it is not known that a password is right, one proof of it is on its way
// at a time. It is safe for concurrent use.
type Account struct {
	cfg AccountConfig

	mu     sync.Mutex
	hosts  map[string]*knownHost
	taken  int             // hosts that accepted
	closed *Refusal        // to all hosts that did not accept
	shut   bool            // closed to those that did, too
	row    map[string]bool // hosts that refused since a success

	good       time.Time     // when a host took it last
	flying     int           // proofs on their way
	unanswered int           // proofs since one was taken, at all hosts
	next       time.Time     // no proof before
	changed    chan struct{} // closed when a proof ends; nil when nobody waits

	untold  []func()
	telling chan struct{} // closed when all is told; nil when it is
}

// NewAccount checks what is given; nothing is sent.
func NewAccount(cfg AccountConfig) (*Account, error) {
	switch {
	case cfg.Auth == AuthKerberos && cfg.Kerberos == nil:
		return nil, &Refused{Reason: "Kerberos without an account of a realm"}
	case cfg.Auth == AuthCertificate && cfg.Certificate == nil:
		return nil, &Refused{Reason: "no client certificate to log on with"}
	case (cfg.Auth == AuthNTLM || cfg.Auth == AuthKerberos) && fips140.Enforced():
		return nil, &Refused{Reason: "NTLM and Kerberos need MD5, SHA-1 and RC4, which GODEBUG=fips140=only forbids: start this program without it"}
	case cfg.Auth == AuthBasic && strings.Contains(cfg.User, ":"):
		return nil, &Refused{Reason: "a name with a colon cannot be sent by Basic"}
	case cfg.Auth != AuthBasic && cfg.Auth != AuthNTLM && cfg.Auth != AuthKerberos && cfg.Auth != AuthCertificate:
		return nil, &Refused{Reason: fmt.Sprintf("there is no way to log on called %q", cfg.Auth)}
	}
	if cfg.Service == "" {
		cfg.Service = "HTTP"
	}
	a := newAccount(cfg)
	for _, r := range cfg.Refused {
		if r.Host == "" {
			if a.closed == nil || r.ForAll {
				a.closed = &r
			}
			a.shut = a.shut || r.ForAll
			continue
		}
		a.host(r.Host).refused = &r
	}
	for _, host := range cfg.Accepted {
		a.host(host).accepted = true
	}
	a.taken = len(cfg.Accepted)
	return a, nil
}

func newAccount(cfg AccountConfig) *Account {
	return &Account{cfg: cfg, hosts: map[string]*knownHost{}}
}

// Basic is an account that nobody else shares, for HTTP Basic.
func Basic(user, password string) *Account {
	return newAccount(AccountConfig{Auth: AuthBasic, User: user, Password: password})
}

// Auth is how the account logs on.
func (a *Account) Auth() Auth { return a.cfg.Auth }

// User is the account's name, as it was given.
func (a *Account) User() string { return a.cfg.User }

// May reports, as a *CredentialRefused, why nothing with the credential is sent
// to a host.
func (a *Account) May(host string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.may(host)
}

// may is May; the lock must be held.
func (a *Account) may(host string) error {
	h := a.hosts[host]
	switch {
	case h != nil && h.refused != nil:
		return &CredentialRefused{Account: a.cfg.User, Host: host, Reason: h.refused.Reason, At: h.refused.At}
	case a.closed != nil && (a.shut || h == nil || !h.accepted):
		return &CredentialRefused{Account: a.cfg.User, Reason: a.closed.Reason, At: a.closed.At}
	default:
		return nil
	}
}

// Unanswered is how many proofs in a row got no answer that says whether they were
// right, at all hosts together; 0 from when one is taken.
func (a *Account) Unanswered() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unanswered
}

// certain reports whether the host took the credential a moment ago, and nothing
// since makes that doubtful; if so, what goes with the next message is no proof.
// said is how often the host refused so far.
func (a *Account) certain(host string) (said int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.hosts[host]
	if h == nil {
		return 0, false
	}
	return h.said, h.accepted && !h.doubtful && time.Since(h.took) < sureFor
}

// CredentialRefused is a credential that was refused. It is an ErrDenied.
type CredentialRefused struct {
	Account string
	Host    string // the host that refused it, or empty: the account itself
	Reason  string
	At      time.Time
	// Sent tells a refusal of just now from one that was known: then nothing was
	// sent.
	Sent  bool
	Fault *Fault // the host's answer, or nil
}

// Error names the account and the reason, and says whether something was sent.
func (c *CredentialRefused) Error() string {
	var b strings.Builder
	if !c.Sent {
		b.WriteString("nothing was sent: ")
	}
	fmt.Fprintf(&b, "the credential of %s was refused", c.Account)
	if c.Host != "" {
		fmt.Fprintf(&b, " by %s", c.Host)
	}
	if !c.At.IsZero() {
		fmt.Fprintf(&b, " at %s", c.At.UTC().Format("2006-01-02 15:04 MST"))
	}
	fmt.Fprintf(&b, ": %s", c.Reason)
	return b.String()
}

// Is makes it an ErrDenied.
func (c *CredentialRefused) Is(target error) bool { return errors.Is(ErrDenied, target) }

// Unwrap gives the host's answer, if there was one.
func (c *CredentialRefused) Unwrap() error {
	if c.Fault == nil {
		return nil
	}
	return c.Fault
}
