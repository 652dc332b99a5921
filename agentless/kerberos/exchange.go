package kerberos

import (
	"context"
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// exchange is one TGS exchange (RFC 4120, 3.3) with a ticket-granting ticket.
func (c *Client) exchange(ctx context.Context, realm string, tgt *Ticket, sname types.PrincipalName, options ...int) (*Ticket, error) {
	req := messages.TGSReq{KDCReqFields: messages.KDCReqFields{
		PVNO: iana.PVNO, MsgType: msgtype.KRB_TGS_REQ,
		ReqBody: c.body(realm, sname, options...),
	}}
	body, err := req.ReqBody.Marshal()
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	et, err := crypto.GetEtype(tgt.key.KeyType)
	if err != nil {
		return nil, fail(ErrEncryption, "the ticket-granting ticket is %s", etypeName(tgt.key.KeyType))
	}
	sum, err := et.GetChecksumHash(tgt.key.KeyValue, body, keyusage.TGS_REQ_PA_TGS_REQ_AP_REQ_AUTHENTICATOR_CHKSUM)
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	auth := c.authenticator()
	auth.Cksum = types.Checksum{CksumType: et.GetHashID(), Checksum: sum}
	ap, err := messages.NewAPReq(tgt.ticket, tgt.key, auth)
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	b, err := ap.Marshal()
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	req.PAData = types.PADataSequence{{PADataType: patype.PA_TGS_REQ, PADataValue: b}}
	msg, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	c.tgsSent.Add(1)
	reply, kdc, _, err := c.ask(ctx, realm, msg, false)
	if err != nil {
		return nil, err
	}
	var k messages.KRBError
	if parsed(func() error { return k.Unmarshal(reply) }) == nil {
		return nil, c.refused(&k, kdc, sname.PrincipalNameString()+"@"+realm)
	}
	var rep messages.TGSRep
	if err := parsed(func() error { return rep.Unmarshal(reply) }); err != nil {
		return nil, fail(ErrConfig, "the answer of %s is no Kerberos: %v", kdc, err)
	}
	plain, err := decrypt(rep.EncPart, tgt.key, keyusage.TGS_REP_ENCPART_SESSION_KEY)
	if err != nil {
		return nil, fail(ErrConfig, "the answer of %s does not open: %v", kdc, err)
	}
	return c.accept(plain, rep.Ticket, req.ReqBody.Nonce, kdc)
}

// authenticator is a new one by our clock.
func (c *Client) authenticator() types.Authenticator {
	now := c.now().UTC()
	return types.Authenticator{
		AVNO: iana.PVNO, CRealm: c.realm, CName: c.cname, CTime: now.Truncate(time.Second),
		Cusec: now.Nanosecond() / 1000, SeqNumber: int64(nonce()) & 0x3fffffff,
	}
}
