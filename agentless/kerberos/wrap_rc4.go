package kerberos

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
)

// sealRC4 is RFC 4757, 7.3 without its one byte of padding, as Windows' WinRM
// does it (krb5 PR 1093, pyspnego PR 4).
func (x *Context) sealRC4(msg []byte, seq uint32) (header, data []byte) {
	head := []byte{2, 1, 0x11, 0, 0x10, 0, 0xff, 0xff}
	conf := make([]byte, 8)
	_, _ = rand.Read(conf) // never fails: it ends the program
	sum := x.rc4Sum(head, conf, msg)
	number := append(be32(seq), x.direction(true)...)
	data = bytes.Clone(msg)
	rc4xor(x.rc4Crypt(number[:4]), conf, data)
	rc4xor(mac(mac(x.key.KeyValue, le32(0)), sum), number)
	body := bytes.Join([][]byte{oidKRB5DER, head, number, sum, conf}, nil)
	framed := asn1tools.AddASNAppTag(append(body, data...), 0)
	n := len(framed) - len(data)
	return framed[:n], framed[n:]
}

func (x *Context) openRC4(token []byte) ([]byte, error) {
	var raw asn1.RawValue
	rest, err := asn1.Unmarshal(token, &raw)
	if err != nil {
		return nil, fmt.Errorf("kerberos: sealed message: %w", err)
	}
	// SSPI's frame ends with the data or, DCE style, with the header: both are read.
	body, ok := bytes.CutPrefix(append(bytes.Clone(raw.Bytes), rest...), oidKRB5DER)
	if !ok || token[0] != 0x60 || !bytes.Equal(body[:8], []byte{2, 1, 0x11, 0, 0x10, 0, 0xff, 0xff}) {
		return nil, errors.New("kerberos: sealed message is not RC4")
	}
	number, sum := bytes.Clone(body[8:16]), body[16:24]
	conf, data := bytes.Clone(body[24:32]), bytes.Clone(body[32:])
	rc4xor(mac(mac(x.key.KeyValue, le32(0)), sum), number)
	if !bytes.Equal(number[4:], x.direction(false)) || binary.BigEndian.Uint32(number) != uint32(x.recvSeq) {
		return nil, fmt.Errorf("kerberos: sealed message % x, expected %d", number, x.recvSeq)
	}
	rc4xor(x.rc4Crypt(number[:4]), conf, data)
	if !hmac.Equal(sum, x.rc4Sum(body[:8], conf, data)) {
		return nil, errors.New("kerberos: sealed message was changed")
	}
	return data, nil
}

func (x *Context) direction(sending bool) []byte {
	if x.acceptor == sending {
		return []byte{0xff, 0xff, 0xff, 0xff}
	}
	return []byte{0, 0, 0, 0}
}

// rc4Sum is SGN_CKSUM of RFC 4757, 7.3, with usage 13.
func (x *Context) rc4Sum(head, conf, msg []byte) []byte {
	sign := mac(x.key.KeyValue, []byte("signaturekey\x00"))
	h := md5.New()
	for _, p := range [][]byte{le32(13), head, conf, msg} {
		_, _ = h.Write(p)
	}
	return mac(sign, h.Sum(nil))[:8]
}

func (x *Context) rc4Crypt(seq []byte) []byte {
	local := bytes.Clone(x.key.KeyValue)
	for i := range local {
		local[i] ^= 0xf0
	}
	return mac(mac(local, le32(0)), seq)
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		_, _ = h.Write(p)
	}
	return h.Sum(nil)
}

func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func rc4xor(key []byte, parts ...[]byte) {
	c, _ := rc4.NewCipher(key)
	for _, p := range parts {
		c.XORKeyStream(p, p)
	}
}
