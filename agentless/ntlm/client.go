package ntlm

import (
	"crypto/rand"
	"crypto/rc4"
	"fmt"
	"time"
)

// Client logs on over one connection: Negotiate, Authenticate, Session.
type Client struct {
	Account  Account
	Bindings []byte // the channel binding of TLS; nil without

	negotiate []byte
	session   *Session
	hostTime  time.Time
	now       func() time.Time
}

// longestName is what a name in a token may have, in bytes of UTF-16.
const longestName = 1024

// Negotiate is the first token.
func (c *Client) Negotiate() []byte {
	m := header(1, 40) // with an empty version
	le.PutUint32(m[12:], wanted)
	le.PutUint32(m[20:], 40) // offsets of the empty domain and workstation
	le.PutUint32(m[28:], 40)
	c.negotiate = m
	return m
}

// Authenticate answers the challenge; from then on there is a Session. An error
// (ErrMessage, *Weak, a name that cannot be written) means that no proof of the
// password was made.
func (c *Client) Authenticate(challenge []byte) ([]byte, error) {
	if err := check(challenge, 2, 48); err != nil || c.negotiate == nil {
		return nil, ErrMessage
	}
	flags := le.Uint32(challenge[20:])
	if missing := needed &^ flags; missing != 0 {
		return nil, &Weak{missing}
	}
	info, err := field(challenge, 40)
	if err != nil {
		return nil, err
	}
	target, err := parsePairs(info)
	if err != nil {
		return nil, err // NTLMv2 needs them
	}
	domain := c.Account.Domain
	if domain == "." {
		domain = fromUTF16(find(target, avComputer))
	}
	user16, domain16, err := names(c.Account.User, domain)
	if err != nil {
		return nil, err
	}
	hash, err := Hash(c.Account.Password)
	if err != nil {
		return nil, err
	}
	owf, err := ntowf2(hash, c.Account.User, domain)
	if err != nil {
		return nil, err
	}
	var random [24]byte
	_, _ = rand.Read(random[:]) // never fails
	ours, sessionKey := random[:8], random[8:]
	own, stamp, withMIC := c.attributes(target)

	temp := append([]byte{1, 1, 0, 0, 0, 0, 0, 0}, stamp...)
	temp = append(append(temp, ours...), 0, 0, 0, 0)
	temp = append(appendPairs(temp, own), 0, 0, 0, 0)
	proof := mac(owf, challenge[24:32], temp)
	lm := make([]byte, 24)
	if !withMIC { // hosts without a timestamp may look at it
		copy(lm, mac(owf, challenge[24:32], ours))
		copy(lm[16:], ours)
	}
	key, err := wrapKey(mac(owf, proof), sessionKey)
	if err != nil {
		return nil, err
	}
	m := header(3, 88) // 64, version, MIC
	le.PutUint32(m[60:], flags&(wanted|flagTargetServer))
	m = setField(m, 28, domain16)
	m = setField(m, 36, user16)
	m = setField(m, 44, nil)
	m = setField(m, 12, lm)
	m = setField(m, 20, append(proof, temp...))
	m = setField(m, 52, key)
	if withMIC {
		copy(m[72:88], mac(sessionKey, c.negotiate, challenge, m))
	}
	c.session = newSession(sessionKey, true)
	return m, nil
}

// Session is nil before Authenticate.
func (c *Client) Session() *Session { return c.session }

// HostTime is the host's clock as its challenge tells it; false for hosts before
// Windows Vista and Server 2008, which leave it out. Those judge our own clock,
// and call one that is off a wrong password.
func (c *Client) HostTime() (time.Time, bool) { return c.hostTime, !c.hostTime.IsZero() }

// attributes are the target's with our own in place of those that are ours to
// say, the time that the proof is made for, and whether a MIC is due: it is when
// the host told its time (MS-NLMP 3.1.5.1.2).
func (c *Client) attributes(target []avPair) (own []avPair, stamp []byte, withMIC bool) {
	var flags uint32
	for _, p := range target {
		switch {
		case p.id == avFlags && len(p.value) == 4:
			flags = le.Uint32(p.value)
		case p.id == avFlags, p.id == avBindings, p.id == avTargetName:
		default:
			own = append(own, p)
		}
	}
	stamp = find(target, avTimestamp)
	if withMIC = len(stamp) == 8; withMIC {
		flags |= avFlagMIC
		c.hostTime = fromFileTime(le.Uint64(stamp))
	} else {
		now := time.Now
		if c.now != nil {
			now = c.now
		}
		stamp = le.AppendUint64(nil, fileTime(now()))
	}
	if flags != 0 {
		own = append(own, avPair{avFlags, le.AppendUint32(nil, flags)})
	}
	if c.Bindings != nil {
		own = append(own, avPair{avBindings, c.Bindings})
	}
	return own, stamp, withMIC
}

// names are user and domain as a token carries them.
func names(user, domain string) (user16, domain16 []byte, err error) {
	if user16, err = toUTF16(user); err != nil {
		return nil, nil, fmt.Errorf("the account's name: %w", err)
	}
	if domain16, err = toUTF16(domain); err != nil {
		return nil, nil, fmt.Errorf("the domain's name: %w", err)
	}
	if len(user16) > longestName || len(domain16) > longestName {
		return nil, nil, fmt.Errorf("the account's name has more than %d characters", longestName/2)
	}
	return user16, domain16, nil
}

// wrapKey encrypts the session key, or decrypts it, with the base key.
func wrapKey(base, key []byte) ([]byte, error) {
	rc, err := rc4.NewCipher(base)
	if err != nil {
		return nil, fmt.Errorf("wrap the session key: %w", err)
	}
	out := make([]byte, len(key))
	rc.XORKeyStream(out, key)
	return out, nil
}

// epoch is 1970 in the 100 ns since 1601 that Windows counts.
const epoch = 116444736000000000

func fileTime(t time.Time) uint64 { return uint64(t.UnixNano()/100) + epoch }

func fromFileTime(n uint64) time.Time {
	const second = 10_000_000
	if n > 1<<62 {
		return time.Time{}
	}
	since := int64(n) - epoch
	return time.Unix(since/second, since%second*100)
}
