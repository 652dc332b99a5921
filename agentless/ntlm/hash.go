package ntlm

import (
	"crypto/hmac"
	"crypto/md5"
	"fmt"
	"unicode"

	"golang.org/x/crypto/md4"
)

// mac is HMAC-MD5 over the parts, one after the other.
func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// Hash is the NT hash of a password: it is as good as the password.
func Hash(password string) ([]byte, error) {
	b, err := toUTF16(password)
	if err != nil {
		return nil, fmt.Errorf("the password: %w", err)
	}
	h := md4.New()
	h.Write(b)
	return h.Sum(nil), nil
}

// ntowf2 is NTOWFv2 (MS-NLMP 3.3.2): the name in capitals, the domain as it is
// sent.
func ntowf2(hash []byte, user, domain string) ([]byte, error) {
	name, err := toUTF16(upper(user) + domain)
	if err != nil {
		return nil, fmt.Errorf("the account's name: %w", err)
	}
	return mac(hash, name), nil
}

// upper maps rune by rune; Windows leaves the dotless i and the long s alone
// (remembered, not proven).
func upper(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r != 'ı' && r != 'ſ' {
			out[i] = unicode.ToUpper(r)
		}
	}
	return string(out)
}
