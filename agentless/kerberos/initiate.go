package kerberos

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// gssFlags asks for mutual authentication, replay and sequence detection,
// confidentiality and integrity (RFC 4121, 4.1.1.1).
const gssFlags = 0x02 | 0x04 | 0x08 | 0x10 | 0x20

// Initiate makes a context for service/host (HTTP/web1.example.com) and its first
// token, framed by SPNEGO. binding is sealed.ChannelBinding of the host's
// certificate, nil without TLS. Nothing was sent to the host when it fails.
func (c *Client) Initiate(ctx context.Context, service, host string, binding []byte) (*Context, []byte, error) {
	if net.ParseIP(host) != nil || !strings.Contains(host, ".") {
		return nil, nil, fail(ErrService, "Kerberos needs the host's full DNS name, not %q", host)
	}
	spn := service + "/" + strings.ToLower(strings.TrimSuffix(host, "."))
	t, err := c.Service(ctx, spn)
	if err != nil {
		return nil, nil, err
	}
	x := &Context{client: c, spn: spn, ticketKey: t.key, auth: c.authenticator(), Peer: spn}
	sum := make([]byte, 24) // RFC 4121, 4.1.1: the binding's length, the binding, the flags
	sum[0], sum[20] = 16, gssFlags
	copy(sum[4:20], binding)
	x.auth.Cksum = types.Checksum{CksumType: 0x8003, Checksum: sum}
	sub := make([]byte, len(t.key.KeyValue))
	_, _ = rand.Read(sub) // never fails: it ends the program
	x.auth.SubKey = types.EncryptionKey{KeyType: t.key.KeyType, KeyValue: sub}
	ap, err := messages.NewAPReq(t.ticket, t.key, x.auth)
	if err != nil {
		return nil, nil, fmt.Errorf("kerberos: %w", err)
	}
	types.SetFlag(&ap.APOptions, flags.APOptionMutualRequired)
	b, err := ap.Marshal()
	if err != nil {
		return nil, nil, fmt.Errorf("kerberos: %w", err)
	}
	nb, err := negMarshal(0, negInit{MechTypes: []asn1.ObjectIdentifier{oidKRB5}, Token: mechToken(0x01, b)})
	if err != nil {
		return nil, nil, fmt.Errorf("kerberos: %w", err)
	}
	x.key, x.sendSeq = x.auth.SubKey, uint64(x.auth.SeqNumber)
	return x, asn1tools.AddASNAppTag(append(bytes.Clone(oidSPNEGO), nb...), 0), nil
}

// Complete takes the token of the host's answer: it must prove that the host
// has the service's key (mutual authentication). Errors are ErrHost and ErrSkew.
func (x *Context) Complete(token []byte) error {
	err := parsed(func() error { return x.complete(token) })
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return fail(ErrHost, "%s: %v", x.spn, err)
}

func (x *Context) complete(token []byte) error {
	if len(token) == 0 {
		return errors.New("it answers without proof that it has the service's key; is it really this host?")
	}
	var resp negResp
	if _, _, err := unframe(token); err == nil { // bare, without SPNEGO
		resp.Token = token
	} else if err := negUnmarshal(1, token, &resp); err != nil {
		return err
	}
	if len(resp.Token) == 0 {
		return fmt.Errorf("it %s without a token of Kerberos", map[bool]string{true: "refuses", false: "answers"}[resp.State == negReject])
	}
	if len(resp.Mech) > 0 && !resp.Mech.Equal(oidKRB5) && !resp.Mech.Equal(oidMSKRB5) {
		return fmt.Errorf("it chose another mechanism, %s", resp.Mech)
	}
	id, b, err := unframe(resp.Token)
	if err != nil {
		return err
	}
	switch id {
	case 3:
		var k messages.KRBError
		if err := k.Unmarshal(b); err != nil {
			return err
		}
		return x.client.rejected(&k, x.spn)
	case 2:
	default:
		return fmt.Errorf("token %d instead of AP-REP", id)
	}
	var rep messages.APRep
	if err := rep.Unmarshal(b); err != nil {
		return err
	}
	plain, err := decrypt(rep.EncPart, x.ticketKey, keyusage.AP_REP_ENCPART)
	if err != nil {
		return fmt.Errorf("AP-REP: %w", err)
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return err
	}
	if !part.CTime.Equal(x.auth.CTime) || part.Cusec != x.auth.Cusec {
		return errors.New("AP-REP answers another request")
	}
	x.recvSeq = uint64(uint32(part.SequenceNumber))
	if len(part.Subkey.KeyValue) > 0 {
		x.key, x.acceptorSubkey = part.Subkey, true
	}
	x.ready = true
	return nil
}
