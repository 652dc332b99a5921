package winrm

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"wavekeeper/agentless/sealed"
)

const (
	maxAnswer    = 4 << 20  // one HTTP answer
	maxOperation = 16 << 20 // all answers of one operation
	maxEnvelope  = 153600   // what hosts are asked to stay below
	locale       = "en-US"
	soapType     = "application/soap+xml;charset=UTF-8"
)

// transport owns HTTP for one host: connections, the plain-channel rule, TLS,
// logins, sealing, size limits and faults.
type transport struct {
	url     string // what messages are addressed to
	address string // host:port
	host    string // its name, for tickets and refusals
	account *Account
	limit   time.Duration // of one request
	dialer  net.Dialer
	tls     *tls.Config
	old     bool   // TLS 1.0 is allowed
	head    string // what each message's head carries for the login
	logsOn  bool   // connections are logged on, not messages
	lanes   lanes
}

func newTransport(cfg Config) *transport {
	t := &transport{
		address: joinPort(cfg.Address, cfg.Port), host: cfg.Host, account: cfg.Account, limit: cfg.OperationTimeout,
		tls: tlsConfig(cfg), old: cfg.TLS != nil && cfg.TLS.Old,
		lanes: lanes{places: make(chan struct{}, connsPerHost)},
	}
	scheme := "http"
	if t.tls != nil {
		scheme = "https"
	}
	t.url = scheme + "://" + t.address + "/wsman"
	t.dialer.KeepAlive = -1 // connections are short-lived, and looked at before they are used
	if cfg.plain() && !cfg.AllowPlain {
		t.dialer.Control = onlyLoopback
	}
	switch a := &cfg.Account.cfg; a.Auth {
	case AuthBasic:
		t.head = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(a.User+":"+a.Password)) + "\r\n"
	case AuthNTLM, AuthKerberos:
		t.logsOn = true
	case AuthCertificate:
		t.head = "Authorization: http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual\r\n"
	}
	return t
}

// call is the transport bound to one call's context.
type call struct {
	*transport
	ctx       context.Context
	anonymous bool         // without credentials
	sent      *atomic.Bool // set right before the first byte of the message leaves
	// take reads the answer, of which post gives nothing then
	take func(answer *node) error
}

// post sends an envelope and gives the answer, parsed and as it came. Everything
// but 200 OK without a fault is an error.
func (c call) post(envelope []byte) (*node, []byte, error) {
	ctx := c.ctx
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > c.limit {
		within, cancel := context.WithTimeout(ctx, c.limit)
		defer cancel()
		ctx = within
	}
	answer, err := c.send(ctx, envelope)
	switch {
	case err == nil && c.take != nil:
		return nil, nil, answer.sure(briefly(answer.inside(), answer.kind(), answer.body, c.take))
	case err == nil:
		tree, text, err := answerOf(answer.inside(), answer.kind(), answer.body)
		return tree, text, answer.sure(err)
	case over(c.ctx) == nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(err, ErrTimeout):
		return nil, nil, fmt.Errorf("%w: no answer within %s", ErrTimeout, c.limit)
	default:
		return nil, nil, err
	}
}

// send takes a connection, or makes one and logs it on, and sends an envelope
// over it. The guard is asked before anything else, and again when nothing is
// left to do but to send.
func (c call) send(ctx context.Context, envelope []byte) (*reply, error) {
	none := func(err error) (*reply, error) { return nil, err }
	may, guarded := ctx.Value(guardKey{}).(func() error)
	if guarded = guarded && may != nil; guarded {
		if err := may(); err != nil {
			return none(&heldBack{err})
		}
	}
	if !c.anonymous {
		if err := c.account.May(c.host); err != nil {
			return none(err)
		}
	}
	if err := c.lanes.place(ctx); err != nil {
		return none(err)
	}
	defer c.lanes.leave()
	l, err := c.lane(ctx)
	if err != nil {
		return none(err)
	}
	keep := false
	defer func() {
		if keep {
			c.lanes.put(l)
		} else {
			l.close()
		}
	}()
	p := l.proof // of the login, when this is the first message after it
	if !c.anonymous && !l.loggedOn {
		said, certain := c.account.certain(c.host)
		if certain {
			p = &proof{account: c.account, host: c.host, said: said, certain: true}
		} else if p, err = c.account.prove(ctx, c.host); err != nil {
			keep = true
			return none(err)
		}
		defer p.nothing()
	}
	if guarded {
		if err := may(); err != nil {
			keep = true // nothing was sealed yet: the order stands
			return none(&heldBack{err})
		}
	}
	message, original := envelope, soapType
	if l.security != nil {
		if message, err = sealed.Wrap(l.security, message, soapType); err != nil {
			return none(fmt.Errorf("seal a message for %s: %w", c.host, err))
		}
		original = sealed.ContentType
	}
	head := c.head
	if c.anonymous {
		head = "WSMANIDENTIFY: unauthenticated\r\n"
	}
	if c.sent != nil {
		c.sent.Store(true)
	}
	untie := l.until(ctx)
	answer, err := l.exchange(head, original, message)
	tied := untie()
	if err != nil {
		err = c.ended(ctx, err)
		if p != nil && ctx.Err() == nil && errors.Is(err, errBroken) {
			_ = p.lost(err) // it is told, and the next call says it: what became of this message is another matter
		}
		return none(err)
	}
	keep = tied && !answer.last && (l.loggedOn || !c.anonymous || !c.logsOn)
	if l.loggedOn {
		err := c.opened(l, answer)
		keep = keep && err == nil && answer.status != http.StatusUnauthorized
		if p != nil {
			l.proof = nil
			if err == nil {
				p.accepted()
			} else {
				_ = p.lost(err) // as above
			}
		}
		return answer, err
	}
	if !c.anonymous {
		if err := c.judged(p, answer); err != nil {
			return none(err)
		}
	}
	return answer, nil
}

// lane gives a connection: an idle one, or a new one that is logged on.
func (c call) lane(ctx context.Context) (*lane, error) {
	if !c.anonymous || !c.logsOn {
		if l := c.lanes.take(); l != nil {
			return l, nil
		}
	}
	l, leaf, err := c.dial(ctx)
	if err != nil || c.anonymous {
		return l, err
	}
	if err := c.login(ctx, l, leaf); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// judged notes what a host's answer says of a credential that went with the
// message. Only WinRM's own answer says that it was taken: http.sys has others
// before it looks at a login, and a proxy has any.
func (t *transport) judged(p *proof, answer *reply) error {
	switch {
	case answer.status == http.StatusUnauthorized:
	case strings.Contains(answer.kind(), "xml"):
		p.accepted()
		return nil
	case unjudged(answer.status):
		return nil
	default:
		return p.lost(&Fault{HTTPStatus: answer.status})
	}
	if offered := offers(answer.header); t.account.cfg.Auth == AuthBasic && offered != "nothing" && !strings.Contains(strings.ToLower(offered), "basic") {
		return &Fault{HTTPStatus: answer.status, Reason: fmt.Sprintf("%s does not take Basic, it offers %s: log on with NTLM or Kerberos", t.host, offered)}
	}
	return p.refused(t.whyRefused(nil), &Fault{HTTPStatus: answer.status})
}

// unjudged reports whether http.sys, or a proxy, answers with a status before
// anything looked at a login.
func unjudged(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// opened takes the answer on a connection that is logged on. Over http only what
// came sealed counts.
func (t *transport) opened(l *lane, answer *reply) (err error) {
	switch {
	case l.security != nil && sealed.IsSealed(answer.kind()):
		if answer.body, answer.media, err = sealed.Unwrap(l.security, answer.body); err != nil {
			return fmt.Errorf("%w: %w", errAnswer, err)
		}
		answer.sealed = true
		return nil
	case answer.status == http.StatusUnauthorized, l.security != nil && answer.status == http.StatusForbidden:
		return errForgotten
	case l.security == nil:
		return nil
	case answer.status == http.StatusOK, strings.Contains(answer.kind(), "soap"):
		return errUnsealed
	default:
		// http.sys refuses (413, 503) without a word of WinRM's: the number is all
		// that is taken of it, and it proves nothing.
		return &Fault{HTTPStatus: answer.status}
	}
}
