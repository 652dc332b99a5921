package winrm

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// Config says which host to talk to and how.
type Config struct {
	// Address is what is dialled: an IP address or a name.
	Address string
	// Port is the listener's port: 5985 or 5986 from WinRM 2.0 on, 80 or 443
	// before.
	Port int
	// TLS makes the channel https, always verified. Nil is http: sealed with NTLM
	// and Kerberos, plain with Basic.
	TLS *TLS
	// AllowPlain lifts the rule that http that nothing seals goes to 127.0.0.0/8 only.
	AllowPlain bool
	// Host is the host's DNS name: certificates and Kerberos tickets are for it,
	// and refusals are kept under it. Address when empty.
	Host string
	// Account is who logs on. It is shared by all hosts that it is used for, so
	// that a password that one refused is not sent to the next.
	Account *Account
	// OperationTimeout is the longest that one request may take; 10 s when 0.
	// A command may last longer: its output is asked for again and again.
	OperationTimeout time.Duration
}

// plain reports whether passwords and messages can be read on the way: http,
// and nothing that seals.
func (cfg *Config) plain() bool {
	a := cfg.Account.cfg.Auth
	return cfg.TLS == nil && a != AuthNTLM && a != AuthKerberos
}

const (
	defaultOperationTimeout = 10 * time.Second
	longestPoll             = 20 * time.Second // what a host is told to wait for output; hosts allow 60 s
	connsPerHost            = 3                // a waiting Receive, what ends it, and one for the rest
)

// Conn is the connection to one host. It is safe for concurrent use; HTTP
// connections (at most three, one when calls follow each other) are kept between
// calls until Close.
type Conn struct {
	cfg       Config
	transport *transport
	keeping   keeping // its shells; guarded by the shelf

	mu       sync.Mutex
	identity *Identity
	noIdle   bool       // the host does not take an idle time with Create
	full     ShellsFull // the last refusal of a shell for their number; zero when one came since
}

// New prepares a connection; nothing is sent. A *Refused comes back for a
// channel that our own rules forbid.
func New(cfg Config) (*Conn, error) {
	if cfg.OperationTimeout <= 0 {
		cfg.OperationTimeout = defaultOperationTimeout
	}
	if cfg.Address == "" {
		return nil, &Refused{Reason: "no address"}
	}
	if cfg.Host == "" {
		cfg.Host = cfg.Address
	}
	if cfg.Account == nil {
		return nil, &Refused{Reason: "no account to log on with"}
	}
	if cfg.Port < 1 || cfg.Port > 65535 {
		return nil, &Refused{Reason: fmt.Sprintf("port %d is not between 1 and 65535", cfg.Port)}
	}
	if ip := net.ParseIP(cfg.Address); ip != nil && cfg.plain() && !cfg.AllowPlain && !inLoopback(ip) {
		return nil, refusedPlain(cfg.Address)
	}
	if cfg.Account.cfg.Auth == AuthCertificate && cfg.TLS == nil {
		return nil, &Refused{Reason: "a client certificate needs https"}
	}
	c := &Conn{cfg: cfg}
	c.transport = newTransport(cfg)
	return c, nil
}

// Close deletes the shells that are kept for the next command, within 2 s, and
// gives the idle HTTP connections back. Calls that still run are not touched;
// their shells are deleted when they end.
func (c *Conn) Close() {
	c.closeShells()
	c.transport.lanes.close()
}

// Anew has the next call open a connection of its own: what an open one still
// carries does not prove that the host lets anybody in.
func (c *Conn) Anew() { c.transport.lanes.drop() }

// told is the time limit that the host hears of: a little less than ours, so
// that its own fault comes before our deadline.
func (c *Conn) told() time.Duration {
	limit := c.cfg.OperationTimeout
	told := limit - min(2*time.Second, limit/4)
	return min(told, longestPoll)
}

// isoSeconds writes a duration as xs:duration in seconds.
func isoSeconds(d time.Duration) string {
	return "PT" + strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S"
}
