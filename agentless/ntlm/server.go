package ntlm

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"time"
)

// Server is the other side of one connection, for tests and the twin.
type Server struct {
	Computer, Domain string
	// Old leaves out the timestamp, as Windows before Vista does: no MIC follows.
	Old bool
	// Without are flags of the negotiation that this host does not offer.
	Without uint32
	// Bindings are the channel bindings that the client has to show, when not nil.
	Bindings []byte
	// Lookup gives the NT hash of an account; false for an unknown one.
	Lookup func(user, domain string) ([]byte, bool)

	negotiate, challenge []byte
	session              *Session
	user, domain         string
}

// Challenge answers the first token.
func (s *Server) Challenge(negotiate []byte) ([]byte, error) {
	if err := check(negotiate, 1, 16); err != nil {
		return nil, err
	}
	offered := le.Uint32(negotiate[12:])
	flags := (offered&wanted | flagTargetInfo | flagTargetServer | flagNTLM) &^ s.Without
	if offered&flagUnicode == 0 {
		flags |= offered & flagOEM // ntlm_auth, and so pywinrm, asks for OEM only
	}
	m := header(2, 56)
	le.PutUint32(m[20:], flags)
	_, _ = rand.Read(m[24:32]) // never fails
	computer, err := toUTF16(s.Computer)
	if err != nil {
		return nil, fmt.Errorf("the computer's name: %w", err)
	}
	domain, err := toUTF16(s.Domain)
	if err != nil {
		return nil, fmt.Errorf("the domain's name: %w", err)
	}
	pairs := []avPair{{avDomain, domain}, {avComputer, computer}}
	if !s.Old {
		pairs = append(pairs, avPair{avTimestamp, le.AppendUint64(nil, fileTime(time.Now()))})
	}
	m = setField(m, 12, computer)
	m = setField(m, 40, appendPairs(nil, pairs))
	s.negotiate, s.challenge = append([]byte{}, negotiate...), m
	return m, nil
}

// Authenticate checks the third token. There is one attempt per challenge.
func (s *Server) Authenticate(m []byte) error {
	if err := check(m, 3, 64); err != nil || s.challenge == nil {
		return ErrMessage
	}
	challenge := s.challenge
	s.challenge = nil
	var f [6][]byte // lm, nt, domain, user, workstation, key
	for i := range f {
		var err error
		if f[i], err = field(m, 12+8*i); err != nil {
			return err
		}
	}
	flags := le.Uint32(m[60:])
	if missing := needed &^ s.Without &^ flagNTLM &^ flagUnicode &^ flags; missing != 0 {
		return &Weak{missing}
	}
	nt := f[1]
	if len(nt) < 16+28+4 || len(f[5]) != 16 { // NTLMv1 has 24 bytes, anonymous none
		return ErrLogon
	}
	s.domain, s.user = string(f[2]), string(f[3])
	if flags&flagUnicode != 0 {
		s.domain, s.user = fromUTF16(f[2]), fromUTF16(f[3])
	}
	hash, known := s.Lookup(s.user, s.domain)
	if !known {
		return ErrLogon
	}
	owf, err := ntowf2(hash, s.user, s.domain)
	if err != nil {
		return ErrLogon
	}
	proof := mac(owf, challenge[24:32], nt[16:])
	if subtle.ConstantTimeCompare(proof, nt[:16]) != 1 {
		return ErrLogon
	}
	pairs, err := parsePairs(nt[16+28:])
	if err != nil {
		return err
	}
	if s.Bindings != nil && subtle.ConstantTimeCompare(s.Bindings, find(pairs, avBindings)) != 1 {
		return ErrLogon
	}
	key, err := wrapKey(mac(owf, proof), f[5])
	if err != nil {
		return err
	}
	if v := find(pairs, avFlags); len(v) == 4 && le.Uint32(v)&avFlagMIC != 0 {
		if len(m) < 88 {
			return ErrLogon
		}
		zeroed := append([]byte{}, m...)
		clear(zeroed[72:88])
		if subtle.ConstantTimeCompare(mac(key, s.negotiate, challenge, zeroed), m[72:88]) != 1 {
			return ErrTampered
		}
	}
	s.session = newSession(key, false)
	return nil
}

// Session is nil before Authenticate succeeded.
func (s *Server) Session() *Session { return s.session }

// Account is who logged on, as it was sent.
func (s *Server) Account() (user, domain string) { return s.user, s.domain }
