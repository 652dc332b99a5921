package winrm

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
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
	// host takes the credential: both are to be kept. They must not call the
	// account, and may be nil.
	Tell         func(Refusal)
	TellAccepted func(host string, at time.Time)
}

// Refusal is a credential that was not taken. An empty Host is the account
// itself: no host that has not taken it yet gets it any more.
type Refusal struct {
	Host   string
	At     time.Time
	Reason string
}

// Account is one version of one credential, shared by all hosts that it is used
// for. A password that was refused is not sent again, so that nobody's account
// gets locked: not to the host that refused it, and after one refusal (of an
// account of the domain) or two (of accounts that each host has for itself) not
// to any host that has not taken it yet. It is safe for concurrent use.
type Account struct {
	cfg AccountConfig

	mu       sync.Mutex
	refused  map[string]Refusal
	accepted map[string]bool
	closed   *Refusal // to all hosts that did not accept
	last     string   // the host of the last refusal since a success
}

// NewAccount checks what is given; nothing is sent.
func NewAccount(cfg AccountConfig) (*Account, error) {
	switch cfg.Auth {
	case AuthBasic, AuthNTLM:
	default:
		return nil, &Refused{Reason: fmt.Sprintf("there is no way to log on called %q", cfg.Auth)}
	}
	if cfg.Service == "" {
		cfg.Service = "HTTP"
	}
	a := &Account{cfg: cfg}
	a.Forget()
	for _, r := range cfg.Refused {
		if r.Host == "" {
			a.closed = &r
			continue
		}
		a.refused[r.Host] = r
	}
	for _, host := range cfg.Accepted {
		a.accepted[host] = true
	}
	return a, nil
}

// Basic is an account that nobody else shares, for HTTP Basic.
func Basic(user, password string) *Account {
	a := &Account{cfg: AccountConfig{Auth: AuthBasic, User: user, Password: password}}
	a.Forget()
	return a
}

// Auth is how the account logs on.
func (a *Account) Auth() Auth { return a.cfg.Auth }

// User is the account's name, as it was given.
func (a *Account) User() string { return a.cfg.User }

// Forget forgets all refusals: a person wants it tried again.
func (a *Account) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused, a.closed, a.last = map[string]Refusal{}, nil, ""
	if a.accepted == nil {
		a.accepted = map[string]bool{}
	}
}

// May reports, as a *CredentialRefused, why nothing with the credential is sent
// to a host.
func (a *Account) May(host string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r, ok := a.refused[host]; ok {
		return &CredentialRefused{Account: a.cfg.User, Host: host, Reason: r.Reason, At: r.At}
	}
	if a.closed != nil && !a.accepted[host] {
		return &CredentialRefused{Account: a.cfg.User, Reason: a.closed.Reason, At: a.closed.At}
	}
	return nil
}

// CredentialRefused is a credential that was refused. It is an ErrDenied.
type CredentialRefused struct {
	Account string
	Host    string // the host that refused it, or empty: the account itself
	Reason  string
	At      time.Time
	// Fault is the host's answer when it refused just now; when nil, the refusal
	// is an earlier one, and nothing was sent.
	Fault *Fault
}

// Error names the account and the reason, and says whether something was sent.
func (c *CredentialRefused) Error() string {
	var b strings.Builder
	if c.Fault == nil {
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
