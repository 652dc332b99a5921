package ntlm

import (
	"crypto/md5"
	"crypto/rc4"
	"crypto/subtle"
)

// SignatureSize is the length of a message signature.
const SignatureSize = 16

// half is one direction of a session.
type half struct {
	sign []byte
	seal *rc4.Cipher
	seq  uint32
}

// newHalf derives the keys of one direction (MS-NLMP 3.4.5.2 and 3.4.5.3).
func newHalf(key []byte, from string) half {
	derive := func(what string) []byte {
		sum := md5.Sum(append(append([]byte{}, key...), "session key to "+from+" "+what+" key magic constant\x00"...))
		return sum[:]
	}
	c, _ := rc4.NewCipher(derive("sealing")) // 16 bytes are never refused
	return half{sign: derive("signing"), seal: c}
}

// checksum is the keyed sum of the next message, before it goes through the
// cipher.
func (h *half) checksum(plain []byte) []byte {
	return mac(h.sign, le.AppendUint32(nil, h.seq), plain)[:8]
}

// signature is MAC() with extended session security and key exchange
// (MS-NLMP 3.4.4.2): the checksum goes through the same RC4 stream, after the
// text.
func (h *half) signature(checksum []byte) []byte {
	out := make([]byte, SignatureSize)
	le.PutUint32(out, 1)
	h.seal.XORKeyStream(out[4:12], checksum)
	le.PutUint32(out[12:], h.seq)
	h.seq++
	return out
}

// Session seals and opens the messages of one connection, in their order. It
// is not safe for concurrent use: the order is part of it.
type Session struct {
	out, in half
	broken  bool
}

// newSession starts a session with the exported session key.
func newSession(key []byte, client bool) *Session {
	c, s := newHalf(key, "client-to-server"), newHalf(key, "server-to-client")
	if client {
		return &Session{out: c, in: s}
	}
	return &Session{out: s, in: c}
}

// Seal encrypts a message, in place, and gives its signature; it never fails.
func (s *Session) Seal(message []byte) (header, data []byte, err error) {
	sum := s.out.checksum(message)
	s.out.seal.XORKeyStream(message, message)
	return s.out.signature(sum), message, nil
}

// Open decrypts a message, in place, and checks its signature. After an error
// the session is of no use: every later call fails, too.
func (s *Session) Open(header, data []byte) (message []byte, err error) {
	if s.broken || len(header) != SignatureSize {
		s.broken = true
		return nil, ErrTampered
	}
	s.in.seal.XORKeyStream(data, data)
	want := s.in.signature(s.in.checksum(data))
	if subtle.ConstantTimeCompare(want, header) != 1 {
		clear(data)
		s.broken = true
		return nil, ErrTampered
	}
	return data, nil
}
