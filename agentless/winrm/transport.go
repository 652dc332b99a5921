package winrm

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	mz "github.com/masterzen/winrm"
	"github.com/masterzen/winrm/soap"
	"golang.org/x/text/encoding/unicode"
)

const (
	maxAnswer    = 4 << 20  // one HTTP answer
	maxOperation = 16 << 20 // all answers of one operation
	maxEnvelope  = 153600   // what hosts are asked to stay below
	locale       = "en-US"
	soapType     = "application/soap+xml;charset=UTF-8"
	dialLimit    = 5 * time.Second
)

var loopback = net.IPNet{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}

func inLoopback(ip net.IP) bool { return loopback.Contains(ip) }

// transport owns HTTP for one host: dialling, the plain-channel rule, TLS,
// reuse, Basic, size limits and faults.
type transport struct {
	url            string
	user, password string
	limit          time.Duration
	client         *http.Client
}

func newTransport(cfg Config) *transport {
	dialer := &net.Dialer{Timeout: min(dialLimit, cfg.OperationTimeout)}
	if cfg.TLS == nil && !cfg.AllowPlain {
		// A name may resolve to anything; the rule is kept where the address is final.
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return fmt.Errorf("split address %q: %w", address, err)
			}
			if ip := net.ParseIP(host); ip == nil || !inLoopback(ip) {
				return refusedPlain(host)
			}
			return nil
		}
	}
	t := &http.Transport{
		DialContext:            dialer.DialContext, // no proxy: nothing but the host is contacted
		TLSHandshakeTimeout:    min(dialLimit, cfg.OperationTimeout),
		DisableCompression:     true,
		MaxConnsPerHost:        connsPerHost,
		MaxIdleConnsPerHost:    connsPerHost - 1,
		IdleConnTimeout:        60 * time.Second, // http.sys drops after 120 s
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      false,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	if cfg.TLS != nil {
		t.TLSClientConfig = &tls.Config{ServerName: cfg.TLS.ServerName, RootCAs: cfg.TLS.CAs, MinVersion: tls.VersionTLS12}
		if cfg.TLS.Old {
			t.TLSClientConfig.MinVersion = tls.VersionTLS10
		}
	}
	return &transport{
		user: cfg.Account.cfg.User, password: cfg.Account.cfg.Password, limit: cfg.OperationTimeout,
		client: &http.Client{
			Transport:     t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// WithGuard returns a context whose calls ask may right before each message
// leaves; an error of it keeps the message from being sent. Unlike a context's
// own end it does not wait for a timer: a process that was frozen asks first.
// What ends a shell is sent in any case.
func WithGuard(ctx context.Context, may func() error) context.Context {
	return context.WithValue(ctx, guardKey{}, may)
}

type guardKey struct{}

// unguarded is ctx without its guard.
func unguarded(ctx context.Context) context.Context {
	return context.WithValue(ctx, guardKey{}, (func() error)(nil))
}

// guarded is a message that asks its guard at its first byte: after the
// connection was made, before anything of it can arrive.
type guarded struct {
	io.Reader
	may   func() error
	asked bool
}

// Read asks before the first byte: from then on the message may arrive.
func (g *guarded) Read(p []byte) (int, error) {
	if !g.asked {
		g.asked = true
		if err := g.may(); err != nil {
			return 0, &heldBack{err}
		}
	}
	return g.Reader.Read(p)
}

// heldBack is a message that its guard did not let go.
type heldBack struct{ err error }

// Error says why.
func (h *heldBack) Error() string { return "not sent: " + h.err.Error() }

// Unwrap gives the guard's error.
func (h *heldBack) Unwrap() error { return h.err }

// call is the transport bound to one call's context. It is what masterzen's
// client is given as its Transporter, so that a context ends HTTP too.
type call struct {
	*transport
	ctx       context.Context
	anonymous bool         // without credentials
	sent      *atomic.Bool // set when the request had a connection to go out on
}

var _ mz.Transporter = call{}

// Transport takes the address from masterzen's endpoint; the rest of it is set
// in newTransport.
func (c call) Transport(ep *mz.Endpoint) error {
	scheme := "http"
	if ep.HTTPS {
		scheme = "https"
	}
	c.url = scheme + "://" + net.JoinHostPort(ep.Host, fmt.Sprint(ep.Port)) + "/wsman"
	return nil
}

// Post sends one message. Everything but 200 OK without a fault is an error.
func (c call) Post(_ *mz.Client, m *soap.SoapMessage) (string, error) {
	_, body, err := c.post(m.String())
	return string(body), err
}

// post sends an envelope and gives the answer, parsed and as it came.
func (c call) post(envelope string) (*node, []byte, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.limit)
	defer cancel()
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		connected.Store(true)
		if c.sent != nil {
			c.sent.Store(true)
		}
	}}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, c.url, strings.NewReader(envelope))
	if err != nil {
		return nil, nil, fmt.Errorf("make request: %w", err)
	}
	if may, ok := ctx.Value(guardKey{}).(func() error); ok && may != nil {
		if err := may(); err != nil {
			return nil, nil, &heldBack{err}
		}
		again := req.GetBody
		req.Body = io.NopCloser(&guarded{Reader: req.Body, may: may})
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			if err != nil {
				return nil, err
			}
			return io.NopCloser(&guarded{Reader: body, may: may}), nil
		}
	}
	req.Header.Set("Content-Type", soapType)
	req.Header.Set("User-Agent", "wavekeeper")
	if c.anonymous {
		req.Header.Set("WSMANIDENTIFY", "unauthenticated")
	} else {
		req.SetBasicAuth(c.user, c.password)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, nil, c.lost(ctx, err, connected.Load())
	}
	defer func() { _ = resp.Body.Close() }() // all that matters of it was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, c.lost(ctx, err, true)
	}
	if len(body) > maxAnswer {
		return nil, nil, fmt.Errorf("%w: more than %d bytes", errAnswer, maxAnswer)
	}
	return c.answer(resp, body)
}

// answer turns an HTTP answer into an envelope or a fault.
func (c call) answer(resp *http.Response, body []byte) (*node, []byte, error) {
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		kind = "" // decided by the status alone
	}
	isSoap := strings.Contains(kind, "xml")
	if resp.StatusCode != http.StatusOK && (!isSoap || len(body) == 0) {
		return nil, nil, &Fault{HTTPStatus: resp.StatusCode}
	}
	if len(bytes.TrimSpace(body)) == 0 {
		// Every answer of WS-Man is an envelope: a service that stops leaves these.
		return nil, nil, fmt.Errorf("%w: its content is empty", errBroken)
	}
	utf8, err := toUTF8(body, params["charset"])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	envelope, err := parse(utf8)
	switch {
	case err == nil && envelope.name.Local != "Envelope":
		err = fmt.Errorf("%w: it is <%.40s>, not an Envelope", errAnswer, envelope.name.Local)
	case err == nil:
		if f := faultOf(envelope, resp.StatusCode); f != nil {
			return nil, nil, f
		}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, &Fault{HTTPStatus: resp.StatusCode}
	}
	if err != nil {
		return nil, nil, err
	}
	return envelope, utf8, nil
}

// lost names why no answer came.
func (c call) lost(ctx context.Context, err error, connected bool) error {
	var rule *Refused
	var held *heldBack
	switch {
	case errors.As(err, &rule):
		return rule
	case errors.As(err, &held):
		return held
	case c.ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrTimeout, c.ctx.Err())
	case ctx.Err() != nil && connected:
		return fmt.Errorf("%w: no answer within %s", ErrTimeout, c.limit)
	case connected:
		return fmt.Errorf("%w: %w", errBroken, err)
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}

// toUTF8 undoes UTF-16, in which hosts may answer.
func toUTF8(body []byte, charset string) ([]byte, error) {
	isUTF16 := strings.EqualFold(charset, "utf-16") || bytes.HasPrefix(body, []byte{0xFF, 0xFE}) || bytes.HasPrefix(body, []byte{0xFE, 0xFF})
	if !isUTF16 {
		return bytes.TrimPrefix(body, []byte{0xEF, 0xBB, 0xBF}), nil
	}
	out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(body)
	if err != nil {
		return nil, fmt.Errorf("decode UTF-16: %w", err)
	}
	return out, nil
}
