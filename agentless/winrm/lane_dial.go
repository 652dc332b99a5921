package winrm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

const dialLimit = 5 * time.Second

var errDeadline = os.ErrDeadlineExceeded

var loopback = net.IPNet{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}

func inLoopback(ip net.IP) bool { return loopback.Contains(ip) }

// onlyLoopback is the rule for plain http that nothing seals. A name may resolve
// to anything: the rule is kept where the address is final.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("split address %q: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !inLoopback(ip) {
		return refusedPlain(host)
	}
	return nil
}

// dial makes a connection: TCP, and TLS where it is due. Nothing of a message
// and nothing secret is sent. leaf is the
// certificate that the host showed, nil without TLS.
func (t *transport) dial(ctx context.Context) (l *lane, leaf *x509.Certificate, err error) {
	limited, cancel := context.WithTimeout(ctx, min(dialLimit, t.limit))
	defer cancel()
	// No proxy of the environment: nothing but the host is contacted.
	conn, err := t.dialer.DialContext(limited, "tcp", t.address)
	if err != nil {
		return nil, nil, t.unreached(ctx, err)
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("%w: no TCP connection", ErrUnreachable)
	}
	l = &lane{net: conn, tcp: tcp, host: t.address}
	if t.tls == nil {
		return l, nil, nil
	}
	secure := tls.Client(conn, t.tls)
	if err := secure.HandshakeContext(limited); err != nil {
		l.close()
		return nil, nil, t.unsecured(ctx, err)
	}
	l.net = secure
	if shown := secure.ConnectionState().PeerCertificates; len(shown) > 0 {
		leaf = shown[0]
	}
	return l, leaf, nil
}

// unreached says in words why no connection came about.
func (t *transport) unreached(ctx context.Context, err error) error {
	var (
		rule *Refused
		name *net.DNSError
	)
	host, port, _ := net.SplitHostPort(t.address) // it was joined from both
	switch {
	case errors.As(err, &rule):
		return rule
	case over(ctx) != nil:
		return fmt.Errorf("%w: %w", ErrTimeout, over(ctx))
	case errors.As(err, &name) && name.IsNotFound:
		return fmt.Errorf("%w: DNS knows no host %s: correct its name, or give its address: %w", ErrUnreachable, host, err)
	case errors.As(err, &name):
		return fmt.Errorf("%w: DNS gives no answer for %s: %w", ErrUnreachable, host, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nothing listens on port %s of %s: WinRM has no listener there (%s), or it is not running: %w", ErrUnreachable, port, host, usualPorts, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errDeadline):
		return fmt.Errorf("%w: port %s of %s gives no answer within %s: the host is off, or something between drops what is sent: %w", ErrUnreachable, port, host, min(dialLimit, t.limit), err)
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}

// over is why a context ended: a connection may learn of its deadline before
// itself.
func over(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

const usualPorts = "WinRM 2.0 listens on 5985 for http and on 5986 for https, 1.1 on 80 and 443"

// joinPort is host:port.
func joinPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
