package kerberos

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Accept is the service's side, for simulated hosts: it checks a first token
// against the service's keys by the clock of this machine, and gives the answer's
// token, which is there (a KRB-ERROR) also when the token is refused. binding is
// sealed.ChannelBinding of the own certificate, nil without TLS; a client may leave
// it out. It keeps no replay cache.
func Accept(keys []KeytabKey, token, binding []byte, skew time.Duration) (*Context, []byte, error) {
	return AcceptAt(time.Now(), keys, token, binding, skew)
}

// AcceptAt is Accept by a clock that shows now.
func AcceptAt(now time.Time, keys []KeytabKey, token, binding []byte, skew time.Duration) (x *Context, answer []byte, err error) {
	err = parsed(func() error { x, answer, err = accept(now, keys, token, binding, skew); return err })
	return x, answer, err
}

func accept(now time.Time, keys []KeytabKey, token, binding []byte, skew time.Duration) (*Context, []byte, error) {
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(token, &raw); err != nil {
		return nil, nil, err
	}
	mech, wrapped := token, false
	if inner, ok := bytes.CutPrefix(raw.Bytes, oidSPNEGO); ok {
		var init negInit
		if err := negUnmarshal(0, inner, &init); err != nil {
			return nil, nil, err
		}
		mech, wrapped = init.Token, true
	}
	id, b, err := unframe(mech)
	if err != nil {
		return nil, nil, fmt.Errorf("no AP-REQ: %w", err)
	}
	if id != 1 {
		return nil, nil, fmt.Errorf("no AP-REQ: token %d", id)
	}
	var ap messages.APReq
	if err := ap.Unmarshal(b); err != nil {
		return nil, nil, err
	}
	respond := func(id byte, state asn1.Enumerated, b []byte) []byte {
		out := mechToken(id, b)
		if wrapped {
			out, _ = negMarshal(1, struct { // with accept-completed (0) written out
				State asn1.Enumerated       `asn1:"explicit,tag:0"`
				Mech  asn1.ObjectIdentifier `asn1:"explicit,tag:1"`
				Token []byte                `asn1:"explicit,optional,omitempty,tag:2"`
			}{state, oidKRB5, out})
		}
		return out
	}
	if code := verify(&ap, keys, now, skew); code != 0 {
		k := messages.NewKRBError(ap.Ticket.SName, ap.Ticket.Realm, code, "")
		k.STime = now.UTC()
		eb, err := k.Marshal()
		if err != nil {
			return nil, nil, err
		}
		return nil, respond(3, 2, eb), fmt.Errorf("AP-REQ: KRB-ERROR %d", code)
	}
	a := ap.Authenticator
	if a.Cksum.CksumType == 0x8003 && len(a.Cksum.Checksum) >= 24 && binding != nil {
		if got := a.Cksum.Checksum[4:20]; !bytes.Equal(got, make([]byte, 16)) && !bytes.Equal(got, binding) {
			return nil, nil, errors.New("channel binding of another channel")
		}
	}
	key := ap.Ticket.DecryptedEncPart.Key
	x := &Context{
		acceptor: true, ticketKey: key, auth: a, key: key, recvSeq: uint64(uint32(a.SeqNumber)), sendSeq: uint64(nonce() & 0x3fffffff),
		Peer: a.CName.PrincipalNameString() + "@" + a.CRealm,
	}
	proof := messages.EncAPRepPart{CTime: a.CTime, Cusec: a.Cusec, SequenceNumber: int64(x.sendSeq)}
	if len(a.SubKey.KeyValue) > 0 {
		x.key = a.SubKey
	}
	if key.KeyType != 23 { // RFC 4121 types: an own subkey, as Windows and MIT do
		sub := make([]byte, len(key.KeyValue))
		_, _ = rand.Read(sub) // never fails: it ends the program
		proof.Subkey = types.EncryptionKey{KeyType: key.KeyType, KeyValue: sub}
		x.key, x.acceptorSubkey = proof.Subkey, true
	}
	pb, err := asn1.Marshal(proof)
	if err != nil {
		return nil, nil, err
	}
	e, err := crypto.GetEncryptedData(asn1tools.AddASNAppTag(pb, asnAppTag.EncAPRepPart), key, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		return nil, nil, err
	}
	rb, err := asn1.Marshal(messages.APRep{PVNO: 5, MsgType: 15, EncPart: e})
	if err != nil {
		return nil, nil, err
	}
	x.ready = true
	if !types.IsFlagSet(&ap.APOptions, flags.APOptionMutualRequired) {
		return x, respond(2, 0, nil)[:0], nil
	}
	return x, respond(2, 0, asn1tools.AddASNAppTag(rb, asnAppTag.APREP)), nil
}

// verify opens ticket and authenticator; 0 or a KRB-ERROR's code. gokrb5's
// VerifyAPREQ is not used: its replay cache starts a goroutine that never ends.
func verify(ap *messages.APReq, keys []KeytabKey, now time.Time, skew time.Duration) int32 {
	e, ok := find(keys, ap.Ticket.SName, ap.Ticket.Realm, ap.Ticket.EncPart.EType, ap.Ticket.EncPart.KVNO)
	if !ok {
		return 45 // KRB_AP_ERR_NOKEY
	}
	if parsed(func() error { return ap.Ticket.Decrypt(e.Key) }) != nil {
		return 41 // KRB_AP_ERR_MODIFIED, as Windows says it
	}
	part := ap.Ticket.DecryptedEncPart
	if start := part.StartTime; start.After(now.Add(skew)) {
		return 33 // KRB_AP_ERR_TKT_NYV
	}
	if part.EndTime.Before(now.Add(-skew)) {
		return 32 // KRB_AP_ERR_TKT_EXPIRED
	}
	if parsed(func() error { return ap.DecryptAuthenticator(ap.Ticket.DecryptedEncPart.Key) }) != nil {
		return 31 // KRB_AP_ERR_BAD_INTEGRITY
	}
	if !ap.Authenticator.CName.Equal(ap.Ticket.DecryptedEncPart.CName) || ap.Authenticator.CRealm != ap.Ticket.DecryptedEncPart.CRealm {
		return 36 // KRB_AP_ERR_BADMATCH
	}
	if now.Sub(ap.Authenticator.CTime).Abs() > skew {
		return 37 // KRB_AP_ERR_SKEW
	}
	return 0
}
