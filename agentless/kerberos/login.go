package kerberos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

func (c *Client) body(realm string, sname types.PrincipalName, options ...int) messages.KDCReqBody {
	b := messages.KDCReqBody{
		KDCOptions: types.NewKrbFlags(), CName: c.cname, Realm: realm, SName: sname,
		Till: c.now().UTC().Add(24 * time.Hour).Truncate(time.Second), RTime: c.now().UTC().Add(7 * 24 * time.Hour).Truncate(time.Second),
		Nonce: nonce(), EType: c.etypes,
	}
	for _, o := range options {
		types.SetFlag(&b.KDCOptions, o)
	}
	return b
}

func krbtgt(realm string) types.PrincipalName {
	return types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", realm}}
}

// login is the AS exchange: without pre-authentication to learn the salt, then
// with it; the second message goes out once and to one KDC. Who calls has the turn.
func (c *Client) login(ctx context.Context) (*Ticket, error) {
	c.mu.Lock()
	info := c.known
	c.mu.Unlock()
	for {
		req := messages.ASReq{KDCReqFields: messages.KDCReqFields{
			PVNO: iana.PVNO, MsgType: msgtype.KRB_AS_REQ,
			ReqBody: c.body(c.realm, krbtgt(c.realm), flags.Renewable, flags.Forwardable),
		}}
		if info != nil {
			pa, err := c.timestamp(info)
			if err != nil {
				return nil, err
			}
			req.PAData = types.PADataSequence{pa}
		}
		msg, err := req.Marshal()
		if err != nil {
			return nil, fmt.Errorf("kerberos: %w", err)
		}
		c.asSent.Add(1)
		reply, kdc, unheard, err := c.ask(ctx, c.realm, msg, info != nil)
		if unheard {
			return nil, c.unheard(err)
		}
		if err != nil {
			return nil, err
		}
		var k messages.KRBError
		if parsed(func() error { return k.Unmarshal(reply) }) == nil {
			if info != nil {
				c.unanswered.Store(0)
			}
			if k.ErrorCode == errorcode.KDC_ERR_PREAUTH_REQUIRED && info == nil {
				if off := c.offset(&k); off.Abs() > maxSkew { // known before the credential is used
					k.ErrorCode = errorcode.KRB_AP_ERR_SKEW
					return nil, c.refused(&k, kdc, "krbtgt")
				}
				var pas types.PADataSequence
				if err := pas.Unmarshal(k.EData); err != nil {
					return nil, fail(ErrConfig, "KDC %s: %v", kdc, err)
				}
				if info, err = c.keyFor(pas); err != nil {
					return nil, err
				}
				continue
			}
			err := c.refused(&k, kdc, c.cname.PrincipalNameString()+"@"+c.realm)
			return nil, err
		}
		var rep messages.ASRep
		if err := parsed(func() error { return rep.Unmarshal(reply) }); err != nil {
			err = fail(ErrConfig, "the answer of %s is no Kerberos: %v", kdc, err)
			if info != nil {
				return nil, c.unheard(err)
			}
			return nil, err
		}
		c.unanswered.Store(0)
		if !slices.Contains(c.etypes, rep.EncPart.EType) {
			return nil, fail(ErrEncryption, "KDC %s answered with %s, we offered %s", kdc, etypeName(rep.EncPart.EType), etypeNames(c.etypes))
		}
		if info == nil || info.etype != rep.EncPart.EType { // no pre-authentication asked, or another type
			pas := types.PADataSequence(rep.PAData)
			if info, err = c.keyFor(pas); err != nil || info.etype != rep.EncPart.EType {
				info = &keyInfo{etype: rep.EncPart.EType, salt: c.cname.GetSalt(c.realm)}
				if err := c.derive(info); err != nil {
					return nil, fail(ErrEncryption, "no key of type %s for the answer of %s: %v", etypeName(info.etype), kdc, err)
				}
			}
		}
		plain, err := decrypt(rep.EncPart, info.key, keyusage.AS_REP_ENCPART)
		if err != nil {
			return nil, fail(ErrPassword, "the answer of KDC %s does not open with the %s of %s@%s", kdc, c.secret(), c.cname.PrincipalNameString(), c.realm)
		}
		t, err := c.accept(plain, rep.Ticket, req.ReqBody.Nonce, kdc)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		if !c.gone {
			c.known = info
		}
		c.mu.Unlock()
		return t, nil
	}
}

// unheard counts a proof that no answer came to. Whether the credential is right
// is not known then, and each one may count as a wrong one: the second in a row
// is the last.
func (c *Client) unheard(err error) error {
	if c.unanswered.Add(1) < mostUnanswered {
		return err
	}
	return fail(ErrPassword, "%d times in a row no answer came after the %s of %s@%s was shown to a KDC: whether it is right is not known, and a third time could lock the account (the last: %v)",
		mostUnanswered, c.secret(), c.cname.PrincipalNameString(), c.realm, err)
}

// accept checks what the KDC sealed for us.
func (c *Client) accept(plain []byte, tkt messages.Ticket, nonce int, kdc string) (*Ticket, error) {
	var part messages.EncKDCRepPart
	if err := parsed(func() error { return part.Unmarshal(plain) }); err != nil {
		return nil, fail(ErrConfig, "the answer of %s: %v", kdc, err)
	}
	if part.Nonce != nonce {
		return nil, fail(ErrConfig, "the answer of %s belongs to another question", kdc)
	}
	if !part.SName.Equal(tkt.SName) || part.SRealm != tkt.Realm { // gokrb5 leaves this out
		return nil, fail(ErrConfig, "the answer of %s has a ticket for %s, sealed was %s", kdc, said(tkt.SName.PrincipalNameString()), said(part.SName.PrincipalNameString()))
	}
	if !slices.Contains(c.etypes, part.Key.KeyType) {
		return nil, fail(ErrEncryption, "KDC %s gave a session key of %s, we offered %s", kdc, etypeName(part.Key.KeyType), etypeNames(c.etypes))
	}
	t := &Ticket{
		ticket: tkt, key: part.Key, Start: part.StartTime, End: part.EndTime, RenewTill: part.RenewTill,
		renewable: types.IsFlagSet(&part.Flags, flags.Renewable),
	}
	if t.Start.IsZero() {
		t.Start = part.AuthTime
	}
	if off := t.Start.Sub(c.now()); off > maxSkew {
		return nil, &Error{Kind: ErrSkew, Offset: off, Text: fmt.Sprintf("the ticket of KDC %s begins %s from now", kdc, off.Round(time.Second))}
	}
	return t, nil
}

func (c *Client) timestamp(k *keyInfo) (types.PAData, error) {
	now := c.now().UTC()
	b, err := asn1.Marshal(types.PAEncTSEnc{PATimestamp: now, PAUSec: now.Nanosecond() / 1000})
	if err != nil {
		return types.PAData{}, err
	}
	e, err := crypto.GetEncryptedData(b, k.key, keyusage.AS_REQ_PA_ENC_TIMESTAMP, k.kvno)
	if err != nil {
		return types.PAData{}, err
	}
	if b, err = e.Marshal(); err != nil {
		return types.PAData{}, err
	}
	return types.PAData{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: b}, nil
}
