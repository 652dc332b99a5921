package kerberos

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Config is one account of one realm.
type Config struct {
	User  string // without the realm, or user@realm
	Realm string // in capitals, as the directory has it; krb5.conf's default_realm when empty

	// Exactly one of these: a password, a keytab's content, a ticket cache's content.
	Password   string
	Keytab     []byte
	KeytabPath string // for messages: where the keytab came from
	Cache      []byte
	CachePath  string // for messages

	KDCs     []string          // host:port of the account's realm; when empty Krb5Conf's, then DNS SRV
	Krb5Conf string            // text of a krb5.conf: default_realm, realms' KDCs, domain_realm; what it includes is not read
	Realms   map[string]string // ".domain" or "host" to realm, beside krb5.conf's
	NoRC4    bool              // RC4 is not offered; Windows Server 2003 has nothing else
	Clock    func() time.Time  // time.Now when nil
}

// Client holds the tickets of one account: share one among all hosts that the
// account is used for. It remembers that a credential was refused and does not
// send it again. It is safe for concurrent use. The only goroutine that may
// outlive a call waits for a KDC's word on a credential that was shown.
type Client struct {
	realm  string
	cname  types.PrincipalName
	where  string // path of keytab or cache
	keytab bool   // the account proves itself by keys of a keytab
	cached bool   // tickets come from a ccache: no AS
	conf   *conf
	kdcs   []string
	etypes []int32
	now    func() time.Time
	dialer net.Dialer

	turn  chan struct{} // AS, renewal: one at a time, given up when the context ends
	dead  error         // why the last login failed: kept for ever when sticky, else until again
	again time.Time

	mu       sync.Mutex
	gone     bool     // destroyed
	known    *keyInfo // what the KDC told about our key
	password string
	keys     []KeytabKey
	tgts     map[string]*Ticket // by realm that the TGT is for
	tickets  map[string]*Ticket // by SPN
	asking   map[string]chan struct{}

	unanswered               atomic.Int32 // proofs in a row
	asSent, tgsSent, renewed atomic.Int64 // messages to KDCs
}

// Ticket is a ticket for one service with its session key.
type Ticket struct {
	ticket     messages.Ticket
	key        types.EncryptionKey
	Start, End time.Time
	RenewTill  time.Time
	renewable  bool
}

// fresh says that a ticket lasts long enough to be used: a sixth of its life, at
// most five minutes, is kept back.
func (t *Ticket) fresh(now time.Time) bool {
	if t == nil {
		return false
	}
	margin := min(5*time.Minute, t.End.Sub(t.Start)/6)
	return now.Add(margin).Before(t.End)
}

// New prepares a client; nothing is sent. A keytab or ticket cache is read now:
// errors are ErrKeytab, ErrCache and ErrConfig.
func New(cfg Config) (*Client, error) {
	c := &Client{
		realm: cfg.Realm, password: cfg.Password, now: cfg.Clock, kdcs: cfg.KDCs,
		turn: make(chan struct{}, 1), tgts: map[string]*Ticket{}, tickets: map[string]*Ticket{}, asking: map[string]chan struct{}{},
		etypes: []int32{18, 17, 23},
	}
	if cfg.NoRC4 {
		c.etypes = []int32{18, 17}
	}
	if c.now == nil {
		c.now = time.Now
	}
	parsed, err := parseConf(cfg.Krb5Conf)
	if err != nil {
		return nil, fail(ErrConfig, "krb5.conf is not understood: %v", err)
	}
	c.conf = parsed
	for d, r := range cfg.Realms {
		c.conf.domains[strings.ToLower(d)] = r
	}
	user := cfg.User
	if u, r, ok := strings.Cut(user, "@"); ok {
		user = u
		if c.realm == "" {
			c.realm = strings.ToUpper(r)
		}
	}
	if c.realm == "" {
		c.realm = c.conf.realm
	}
	switch {
	case cfg.Cache != nil:
		c.cached, c.where = true, cfg.CachePath
		if err := c.loadCache(cfg.Cache, user); err != nil {
			return nil, err
		}
		return c, nil
	case cfg.Keytab != nil:
		c.where = cfg.KeytabPath
		if err := c.loadKeytab(cfg.Keytab, user); err != nil {
			return nil, err
		}
	case cfg.Password == "":
		return nil, fail(ErrConfig, "neither password nor keytab nor ticket cache")
	}
	if user == "" || c.realm == "" {
		return nil, fail(ErrConfig, "user %q and realm %q are both needed", user, c.realm)
	}
	c.cname = types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, user)
	return c, nil
}

// Sent counts the messages to KDCs so far: logins (usually two for the first, one
// later), requests for tickets, and how many of these were renewals.
func (c *Client) Sent() (logins, tickets, renewals int64) {
	return c.asSent.Load(), c.tgsSent.Load(), c.renewed.Load()
}

// Destroy forgets keys and tickets: nothing is sent any more. Connections that
// are logged on stay so.
func (c *Client) Destroy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.tgts)
	clear(c.tickets)
	c.password, c.keys, c.known, c.gone = "", nil, nil, true
}

// credential is what the account proves itself with.
func (c *Client) credential() (password string, keytab []KeytabKey, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return "", nil, fail(ErrConfig, "the credential of %s@%s was replaced meanwhile", c.cname.PrincipalNameString(), c.realm)
	}
	return c.password, c.keys, nil
}

// Unanswered is how many proofs in a row, up to the last, no KDC answered.
func (c *Client) Unanswered() int { return int(c.unanswered.Load()) }
