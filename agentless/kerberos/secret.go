package kerberos

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// ReadSecret reads a keytab (kind ErrKeytab) or a ticket cache (ErrCache); the
// error is of that kind and says what is wrong.
func ReadSecret(path string, kind error) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fail(kind, "cannot read: %v; the file must be readable for uid %d", err, os.Getuid())
	}
	return b, nil
}

func (c *Client) loadKeytab(b []byte, user string) error {
	keys, err := ParseKeytab(b)
	if err != nil {
		return fail(ErrKeytab, "%s is no keytab: %v; make one with ktpass or ktutil", c.where, err)
	}
	var have []string
	usable := false
	for _, k := range keys {
		name := k.Name.PrincipalNameString()
		if name == user && k.Realm == c.realm && slices.Contains(c.etypes, k.Key.KeyType) {
			usable = true
		}
		if len(have) < 5 {
			have = append(have, fmt.Sprintf("%s@%s (%s)", name, k.Realm, etypeName(k.Key.KeyType)))
		}
	}
	if !usable {
		return fail(ErrKeytab, "%s has no usable key for %s@%s (letter case counts); it has: %s", c.where, user, c.realm, strings.Join(have, ", "))
	}
	c.keytab, c.keys = true, keys
	return nil
}

func (c *Client) loadCache(b []byte, user string) error {
	realm, cname, entries, err := parseCache(b)
	if err != nil {
		return fail(ErrCache, "%s is no ticket cache: %v; make one with kinit -c FILE:%s", c.where, err, c.where)
	}
	c.cname, c.realm = cname, realm
	if user != "" && user != c.cname.PrincipalNameString() {
		return fail(ErrCache, "%s holds tickets of %s@%s, not of %s", c.where, c.cname.PrincipalNameString(), c.realm, user)
	}
	for _, e := range entries {
		if n := e.name.NameString; len(n) == 2 && n[0] == "krbtgt" {
			c.tgts[n[1]] = e.ticket
		} else {
			c.tickets[strings.Join(n, "/")] = e.ticket
		}
	}
	if len(entries) == 0 {
		return fail(ErrCache, "%s holds no ticket; run kinit -c FILE:%s", c.where, c.where)
	}
	return nil
}

// secret names what the account proves itself with, for messages.
func (c *Client) secret() string {
	if c.keytab {
		return "key from " + c.where
	}
	return "password"
}

// parsed guards gokrb5's parsers and ciphers, which slice foreign bytes without
// looking: a panic becomes an error.
func parsed(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cut or damaged (%v)", p)
		}
	}()
	return f()
}
