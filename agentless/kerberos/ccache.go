package kerberos

import (
	"errors"

	"github.com/jcmturner/gokrb5/v8/types"
)

// cacheEntry is one ticket of a ccache.
type cacheEntry struct {
	realm  string
	name   types.PrincipalName
	ticket *Ticket
}

func (r *reader) principal() (string, types.PrincipalName) {
	var p types.PrincipalName
	p.NameType = int32(r.u32())
	n := r.u32()
	realm := string(r.take(r.u32()))
	for i := 0; i < n && !r.bad; i++ {
		p.NameString = append(p.NameString, string(r.take(r.u32())))
	}
	return realm, p
}

// parseCache reads MIT's FILE: ccache, version 3 or 4.
func parseCache(b []byte) (realm string, cname types.PrincipalName, entries []cacheEntry, err error) {
	if len(b) < 2 || b[0] != 5 || b[1] != 3 && b[1] != 4 {
		return "", cname, nil, errors.New("it does not begin as a ticket cache of version 3 or 4")
	}
	r := &reader{b: b[2:]}
	if b[1] == 4 {
		r.take(r.u16())
	}
	realm, cname = r.principal()
	for len(r.b) > 0 && !r.bad {
		var e cacheEntry
		r.principal()
		e.realm, e.name = r.principal()
		t := &Ticket{}
		t.key.KeyType = int32(r.u16())
		if b[1] == 3 {
			r.u16()
		}
		t.key.KeyValue = r.take(r.u32())
		auth := r.time()
		t.Start, t.End, t.RenewTill = r.time(), r.time(), r.time()
		if t.Start.Unix() == 0 {
			t.Start = auth
		}
		r.u8()
		flags := r.u32()
		t.renewable = flags&(1<<(31-8)) != 0
		for range 2 { // addresses, authorization data
			for n := r.u32(); n > 0 && !r.bad; n-- {
				r.u16()
				r.take(r.u32())
			}
		}
		raw := r.take(r.u32())
		r.take(r.u32())
		if r.bad || e.realm == "X-CACHECONF:" {
			continue
		}
		if err := parsed(func() error { return t.ticket.Unmarshal(raw) }); err != nil {
			return "", cname, nil, errCut
		}
		e.ticket = t
		entries = append(entries, e)
	}
	if r.bad {
		return "", cname, nil, errCut
	}
	return realm, cname, entries, nil
}
