package kerberos

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/crypto"
)

const rrcWinRM = 28 // HMAC and sealed header stand before the data: MS-KILE 3.4.5.4.1

// sealAES is RFC 4121, 4.2.6.2, EC 0, rotated so that the data stays in place.
func (x *Context) sealAES(msg []byte, seq uint64) (header, data []byte, err error) {
	head := make([]byte, 16)
	copy(head, []byte{5, 4, x.tokenFlags(true), 0xff})
	binary.BigEndian.PutUint64(head[8:], seq)
	et, err := crypto.GetEtype(x.key.KeyType)
	if err != nil {
		return nil, nil, err
	}
	_, c, err := et.EncryptMessage(x.key.KeyValue, append(bytes.Clone(msg), head...), x.usage(true))
	if err != nil {
		return nil, nil, err
	}
	binary.BigEndian.PutUint16(head[6:], rrcWinRM)
	token := append(head, c[len(c)-rrcWinRM:]...)
	token = append(token, c[:len(c)-rrcWinRM]...)
	n := 16 + rrcWinRM + 16
	return token[:n], token[n:], nil
}

func (x *Context) openAES(token []byte) ([]byte, error) {
	head, c := token[:16], token[16:]
	if head[0] != 5 || head[1] != 4 || head[3] != 0xff || head[2] != x.tokenFlags(false) {
		return nil, fmt.Errorf("kerberos: sealed message begins % x", head[:4])
	}
	ec, rrc := int(binary.BigEndian.Uint16(head[4:])), int(binary.BigEndian.Uint16(head[6:]))
	if seq := binary.BigEndian.Uint64(head[8:]); seq != x.recvSeq {
		return nil, fmt.Errorf("kerberos: sealed message %d, expected %d", seq, x.recvSeq)
	}
	et, err := crypto.GetEtype(x.key.KeyType)
	if err != nil {
		return nil, err
	}
	plain, err := et.DecryptMessage(x.key.KeyValue, unrotate(c, rrc), x.usage(false))
	if err != nil && ec > 0 { // Windows rotates by EC+RRC in its DCE style
		plain, err = et.DecryptMessage(x.key.KeyValue, unrotate(c, rrc+ec), x.usage(false))
	}
	if err != nil {
		return nil, fmt.Errorf("kerberos: sealed message: %w", err)
	}
	n := len(plain) - 16
	inner := bytes.Clone(head)
	inner[6], inner[7] = 0, 0
	if got := bytes.Clone(plain[n:]); !bytes.Equal(got[:6], inner[:6]) || !bytes.Equal(got[8:], inner[8:]) {
		return nil, errors.New("kerberos: sealed header differs")
	}
	return plain[:n-ec], nil
}

func unrotate(b []byte, n int) []byte {
	n %= len(b)
	return append(bytes.Clone(b[n:]), b[:n]...)
}
