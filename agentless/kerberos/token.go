package kerberos

import (
	"bytes"
	"errors"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
)

var (
	oidKRB5    = asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2}
	oidMSKRB5  = asn1.ObjectIdentifier{1, 2, 840, 48018, 1, 2, 2}
	oidSPNEGO  = []byte{0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02}
	oidKRB5DER = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}
)

// mechToken frames AP-REQ (1), AP-REP (2), KRB-ERROR (3): RFC 4121, 4.1.
func mechToken(id byte, b []byte) []byte {
	t := append(bytes.Clone(oidKRB5DER), id, 0)
	return asn1tools.AddASNAppTag(append(t, b...), 0)
}

// unframe takes the GSS frame and a token id off.
func unframe(b []byte) (id byte, rest []byte, err error) {
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(b, &raw); err != nil || raw.Class != 1 || raw.Tag != 0 {
		return 0, nil, errors.New("no GSS token")
	}
	rest, ok := bytes.CutPrefix(raw.Bytes, oidKRB5DER)
	if !ok || len(rest) < 2 || rest[1] != 0 {
		return 0, nil, errors.New("not Kerberos")
	}
	return rest[0], rest[2:], nil
}

// SPNEGO's two messages (RFC 4178, 4.2). gokrb5's package for them draws its
// client and service in and wants negState, which may be absent.
type negInit struct {
	MechTypes []asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
	Flags     asn1.BitString          `asn1:"explicit,optional,tag:1"`
	Token     []byte                  `asn1:"explicit,optional,omitempty,tag:2"`
	MIC       []byte                  `asn1:"explicit,optional,omitempty,tag:3"`
}

type negResp struct {
	State asn1.Enumerated       `asn1:"explicit,optional,tag:0"`
	Mech  asn1.ObjectIdentifier `asn1:"explicit,optional,tag:1"`
	Token []byte                `asn1:"explicit,optional,omitempty,tag:2"`
	MIC   []byte                `asn1:"explicit,optional,omitempty,tag:3"`
}

const negReject = 2 // negState: reject

// negMarshal wraps one of the two messages in its choice.
func negMarshal(tag int, v any) ([]byte, error) {
	b, err := asn1.Marshal(v)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(asn1.RawValue{Class: 2, Tag: tag, IsCompound: true, Bytes: b})
}

// negUnmarshal undoes negMarshal.
func negUnmarshal(tag int, b []byte, v any) error {
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(b, &raw); err != nil {
		return err
	}
	if raw.Class != 2 || raw.Tag != tag {
		return errors.New("no negotiation token")
	}
	_, err := asn1.Unmarshal(raw.Bytes, v)
	return err
}
