package kerberos

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	maxReply    = 1 << 20
	kdcPatience = 3 * time.Second
	// proofPatience is for the word on a credential that was shown: a domain
	// controller asks the PDC before it refuses one.
	proofPatience = 15 * time.Second
)

// kdcsOf are the KDCs of a realm: given, configured, or from DNS.
func (c *Client) kdcsOf(ctx context.Context, realm string) ([]string, error) {
	if realm == c.realm && len(c.kdcs) > 0 {
		return c.kdcs, nil
	}
	if k := c.conf.kdcs[realm]; len(k) > 0 {
		return k, nil
	}
	_, srv, err := new(net.Resolver).LookupSRV(ctx, "kerberos", "tcp", realm)
	if err != nil || len(srv) == 0 {
		return nil, fail(ErrUnreachable, "no KDC is configured for realm %s and DNS has no _kerberos._tcp.%s (%v); name one with --kdc", realm, strings.ToLower(realm), err)
	}
	var out []string
	for _, s := range srv {
		out = append(out, net.JoinHostPort(strings.TrimSuffix(s.Target, "."), fmt.Sprint(s.Port)))
	}
	return out, nil
}

// ask sends one message over TCP (a ticket with a PAC does not fit UDP) to the
// first KDC that takes it. A proof shows the credential: once some of it was
// sent it goes to no other KDC, and its answer is waited for although the caller
// gave up; unheard says that none came.
func (c *Client) ask(ctx context.Context, realm string, msg []byte, proof bool) (reply []byte, kdc string, unheard bool, err error) {
	kdcs, err := c.kdcsOf(ctx, realm)
	if err != nil {
		return nil, "", false, err
	}
	var tried []string
	for _, kdc := range kdcs {
		reply, sent, err := c.askOne(ctx, kdc, msg, proof)
		if err == nil {
			return reply, kdc, false, nil
		}
		tried = append(tried, fmt.Sprintf("%s: %v", kdc, err))
		if unheard = sent && proof; ctx.Err() != nil || unheard {
			break
		}
	}
	if ctx.Err() != nil && !unheard {
		return nil, "", false, fmt.Errorf("kerberos: asking a KDC of %s: %w", realm, ctx.Err())
	}
	return nil, "", unheard, fail(ErrUnreachable, "realm %s: %s; check name, port 88/tcp and firewall", realm, strings.Join(tried, "; "))
}

// askOne sends one message to one KDC; sent says that some of it may have arrived.
func (c *Client) askOne(ctx context.Context, kdc string, msg []byte, proof bool) (_ []byte, sent bool, err error) {
	asking, cancel := context.WithTimeout(ctx, kdcPatience)
	defer cancel()
	conn, err := c.dialer.DialContext(asking, "tcp", kdc)
	if err != nil {
		return nil, false, err
	}
	defer conn.Close()
	if proof {
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		var heard context.CancelFunc
		asking, heard = context.WithTimeout(context.WithoutCancel(ctx), proofPatience)
		defer heard()
	}
	stop := context.AfterFunc(asking, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg...)); err != nil {
		return nil, true, err
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, true, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxReply {
		return nil, true, fmt.Errorf("announces an answer of %d bytes: not a KDC?", n)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(conn, b)
	return b, true, err
}
