package winrm

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/agentless/ntlm"
	"wavekeeper/agentless/sealed"
)

// proofGrace is how long the answer to a proof is waited for after the caller
// gave up: a password that was shown and never judged counts as half a refusal.
const proofGrace = 400 * time.Millisecond

// mechanism logs one connection on, by tokens that Negotiate carries.
type mechanism interface {
	// start gives the first token; leaf is the certificate that the host showed,
	// nil without TLS.
	start(ctx context.Context, leaf *x509.Certificate) ([]byte, error)
	// step takes a token of the host and gives the next, which is nil when nothing
	// more is to be said.
	step(token []byte) ([]byte, error)
	// proves reports whether the token to send now shows the credential.
	proves() bool
	// security is that of the connection, nil before the login is complete.
	security() sealed.Security
}

// mechanism is the account's; nil where each request carries what it needs.
func (t *transport) mechanism() mechanism {
	cfg := &t.account.cfg
	switch cfg.Auth {
	case AuthNTLM:
		return &ntlmLogin{client: ntlm.Client{Account: ntlm.ParseAccount(cfg.User, cfg.Password)}}
	case AuthKerberos:
		return &kerberosLogin{client: cfg.Kerberos, service: cfg.Service, host: t.host}
	default:
		return nil
	}
}

// ntlmLogin is NTLM without the wrapping of SPNEGO, whose own check at the end
// would use up a piece of the key stream.
type ntlmLogin struct {
	client ntlm.Client
	shown  bool
}

func (n *ntlmLogin) start(_ context.Context, leaf *x509.Certificate) ([]byte, error) {
	if leaf != nil {
		n.client.Bindings = sealed.ChannelBinding(leaf)
	}
	return n.client.Negotiate(), nil
}

func (n *ntlmLogin) step(token []byte) ([]byte, error) {
	if n.shown {
		return nil, nil // a host may add something to its 200
	}
	proof, err := n.client.Authenticate(token)
	n.shown = err == nil
	return proof, err
}

func (n *ntlmLogin) proves() bool { return n.shown }

func (n *ntlmLogin) security() sealed.Security {
	if s := n.client.Session(); s != nil {
		return s
	}
	return nil
}

// kerberosLogin is a ticket; the host proves with its answer that it is the one
// that the ticket is for.
type kerberosLogin struct {
	client        *kerberos.Client
	service, host string
	context       *kerberos.Context
	complete      bool
}

func (k *kerberosLogin) start(ctx context.Context, leaf *x509.Certificate) (token []byte, err error) {
	var binding []byte
	if leaf != nil {
		binding = sealed.ChannelBinding(leaf)
	}
	k.context, token, err = k.client.Initiate(ctx, k.service, k.host, binding)
	return token, err
}

func (k *kerberosLogin) step(token []byte) ([]byte, error) {
	if err := k.context.Complete(token); err != nil {
		return nil, err
	}
	k.complete = true
	return nil, nil
}

func (k *kerberosLogin) proves() bool { return true }

// forget has the next login ask for another ticket: the host may have been joined
// anew since this one was made.
func (k *kerberosLogin) forget() {
	if k.context != nil {
		k.client.Forget(k.context.Peer)
	}
}

func (k *kerberosLogin) security() sealed.Security {
	if !k.complete {
		return nil
	}
	return k.context
}

// login logs a connection on. Its messages are empty: nothing that could be
// carried out is sent before the host knows who asks, and, where it can, has
// shown that it knows the credential, too.
func (t *transport) login(ctx context.Context, l *lane, leaf *x509.Certificate) error {
	m := t.mechanism()
	if m == nil {
		return nil
	}
	token, err := m.start(ctx, leaf)
	if err != nil {
		return t.noToken(ctx, err)
	}
	for range 4 {
		var p *proof
		lasting, cancel := ctx, context.CancelFunc(func() {})
		if m.proves() {
			if p, err = t.account.prove(ctx, t.host); err != nil {
				return err
			}
			lasting, cancel = grace(ctx, t.limit, proofGrace)
		}
		answer, err := t.present(lasting, l, token)
		cancel()
		if err == nil {
			token, err = t.judge(ctx, m, p, answer)
		} else if p != nil {
			if closed := p.lost(t.ended(ctx, err)); closed != nil {
				return closed
			}
		}
		switch {
		case err != nil:
			return t.ended(ctx, err)
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
		case token == nil:
			l.loggedOn = true
			if t.tls == nil {
				l.security = m.security()
			}
			if p != nil && p.unsettled {
				l.proof = p
			}
			return nil
		}
	}
	return fmt.Errorf("%w: a login without an end", errAnswer)
}

// present sends a token in a message without content.
func (t *transport) present(ctx context.Context, l *lane, token []byte) (*reply, error) {
	untie := l.until(ctx)
	answer, err := l.exchange("Authorization: Negotiate "+base64.StdEncoding.EncodeToString(token)+"\r\n", soapType, nil)
	if !untie() && err == nil {
		err = errDeadline
	}
	return answer, err
}

// judge takes the host's answer to a token and gives the next one; nil when the
// login is complete. Once a proof p was sent, all that is neither yes nor no
// leaves open how it was judged.
func (t *transport) judge(ctx context.Context, m mechanism, p *proof, answer *reply) ([]byte, error) {
	if p == nil {
		return t.challenge(m, answer)
	}
	open := func(err error) ([]byte, error) {
		if closed := p.lost(err); closed != nil {
			return nil, closed
		}
		return nil, err
	}
	token, offered := negotiateToken(answer.header)
	ticket, _ := m.(*kerberosLogin)
	switch {
	case answer.status == http.StatusUnauthorized && ticket != nil && !offered:
		p.nothing()
		return nil, &Refused{Reason: t.noNegotiate(answer) + "; a ticket was sent, no password"}
	case answer.status == http.StatusUnauthorized:
		if ticket != nil {
			if len(token) > 0 { // Kerberos says why; no password was shown, so nothing is closed
				if _, err := m.step(token); errors.Is(err, kerberos.ErrSkew) || errors.Is(err, kerberos.ErrHost) {
					p.nothing()
					return nil, fmt.Errorf("%w: %w", ErrDenied, err)
				}
			}
			ticket.forget()
		}
		return nil, p.refused(t.whyRefused(m), &Fault{HTTPStatus: answer.status})
	case answer.status == http.StatusBadRequest && ticket != nil:
		return open(&Fault{HTTPStatus: answer.status, Reason: "http status 400 to a login with a ticket: a ticket of an account in many groups is larger than http.sys takes by default; on the host, MaxFieldLength and MaxRequestBytes (DWORD, up to 65534 and 16777216) under HKLM\\SYSTEM\\CurrentControlSet\\Services\\HTTP\\Parameters raise that, after a restart of HTTP (KB820129)"})
	case answer.status != http.StatusOK:
		return open(&Fault{HTTPStatus: answer.status})
	}
	if len(token) > 0 || m.security() == nil {
		if _, err := m.step(token); err != nil {
			return open(fmt.Errorf("%w: %w", ErrUnreachable, err))
		}
	}
	// Kerberos has the host's own proof by now, and TLS its certificate. Over http
	// anybody can say 200: NTLM's proof is the first answer that opens.
	proven := ticket != nil || t.tls != nil
	switch broken := fmt.Errorf("%w: the host ends the connection right after the login", errBroken); {
	case answer.last && !proven:
		return open(broken)
	case answer.last:
		p.accepted()
		return nil, broken
	case proven:
		p.accepted()
	default:
		p.unsettled = true
		p.nothing()
	}
	return nil, nil
}

// challenge takes the answer to a token that shows nothing secret.
func (t *transport) challenge(m mechanism, answer *reply) ([]byte, error) {
	token, offered := negotiateToken(answer.header)
	switch {
	case answer.status == http.StatusOK:
		return nil, &Refused{Reason: fmt.Sprintf("%s lets anybody in: it did not ask for a login; nothing secret was sent", t.host)}
	case answer.status != http.StatusUnauthorized:
		return nil, &Fault{HTTPStatus: answer.status}
	case !offered:
		return nil, &Refused{Reason: t.noNegotiate(answer) + "; nothing secret was sent"}
	case len(token) == 0, answer.last:
		return nil, &Refused{Reason: fmt.Sprintf("%s does not go on with the login after its first message; nothing secret was sent", t.host)}
	}
	next, err := m.step(token)
	if err != nil {
		return nil, &Refused{Reason: fmt.Sprintf("%s: %v; no proof of the password was sent", t.host, err)}
	}
	return next, nil
}

func (t *transport) noNegotiate(answer *reply) string {
	return fmt.Sprintf("%s does not offer Negotiate, which carries NTLM and Kerberos here; it offers %s (on the host: winrm set winrm/config/service/auth @{Negotiate=\"true\"})", t.host, offers(answer.header))
}

// negotiateToken is the token beside Negotiate, and whether that is offered.
func negotiateToken(h http.Header) (token []byte, offered bool) {
	for _, v := range h.Values("WWW-Authenticate") {
		scheme, text, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "Negotiate") {
			continue
		}
		offered = true
		if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil && len(b) > 0 {
			return b, true
		}
	}
	return nil, offered
}

// offers are the ways to log on that a host names.
func offers(h http.Header) string {
	var names []string
	for _, v := range h.Values("WWW-Authenticate") {
		name, _, _ := strings.Cut(v, " ")
		if name = brief(name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// noToken says why there is no ticket for the host: nothing was sent to it.
func (t *transport) noToken(ctx context.Context, err error) error {
	switch {
	case over(ctx) != nil:
		return fmt.Errorf("%w: %w", ErrTimeout, over(ctx))
	case errors.Is(err, kerberos.ErrPassword), errors.Is(err, kerberos.ErrAccount):
		return t.account.deny(err.Error())
	case errors.Is(err, kerberos.ErrUnreachable):
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	default:
		return &Refused{Reason: err.Error()}
	}
}

// whyRefused names what 401 may mean: hosts give no reason.
func (t *transport) whyRefused(m mechanism) string {
	why := []string{"the password is wrong", "the account is locked, disabled or expired, or may not log on over the network"}
	switch m := m.(type) {
	case *kerberosLogin:
		why = []string{
			"the account may not log on there",
			fmt.Sprintf("the service name %s/%s belongs to another account than the host's (another one is set with --spn)", m.service, m.host),
			"the host was joined anew since the ticket was made",
		}
	case *ntlmLogin:
		if _, told := m.client.HostTime(); !told {
			why = append(why, "this machine's clock is off (a host of 2003 calls that a wrong password)")
		}
	}
	if t.tls != nil && t.account.cfg.Auth != AuthBasic {
		why = append(why, "something between ends TLS, and the host wants the login bound to its own certificate")
	}
	return "http 401: " + strings.Join(why, "; or ")
}
