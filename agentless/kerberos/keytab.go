package kerberos

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/jcmturner/gokrb5/v8/types"
)

// Own parsers: gokrb5's print keys in their errors, read past the end of a cut
// slice, ignore errors in names, and allocate what a damaged length says.

var errCut = errors.New("it is cut or damaged")

// reader reads big-endian fields; bad stays set after the first that is missing.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *reader) u16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) u32() int {
	if b := r.take(4); b != nil {
		return int(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) time() time.Time { return time.Unix(int64(r.u32()), 0) }

// KeytabKey is one entry of a keytab.
type KeytabKey struct {
	Realm string
	Name  types.PrincipalName
	KVNO  int
	Key   types.EncryptionKey
}

// ParseKeytab reads MIT's file format, version 2 (ktutil and ktpass write it).
func ParseKeytab(b []byte) ([]KeytabKey, error) {
	if len(b) < 2 || b[0] != 5 || b[1] != 2 {
		return nil, errors.New("it does not begin as a keytab of version 2")
	}
	var keys []KeytabKey
	for r := (&reader{b: b[2:]}); len(r.b) > 0; {
		n := int(int32(r.u32()))
		if n == 0 && !r.bad {
			break
		}
		if n < 0 { // a hole
			n = -n
			r.take(n)
		} else {
			e := &reader{b: r.take(n)}
			var k KeytabKey
			parts := e.u16()
			k.Realm = string(e.take(e.u16()))
			for i := 0; i < parts && !e.bad; i++ {
				k.Name.NameString = append(k.Name.NameString, string(e.take(e.u16())))
			}
			k.Name.NameType = int32(e.u32())
			e.u32() // time
			k.KVNO = e.u8()
			k.Key.KeyType = int32(e.u16())
			k.Key.KeyValue = e.take(e.u16())
			if !e.bad && len(e.b) >= 4 {
				if v := e.u32(); v != 0 {
					k.KVNO = v
				}
			}
			if e.bad {
				return nil, errCut
			}
			keys = append(keys, k)
		}
		if r.bad {
			return nil, errCut
		}
	}
	return keys, nil
}

// find gives the newest key (or that of kvno) of a principal and type.
func find(keys []KeytabKey, name types.PrincipalName, realm string, etype int32, kvno int) (best KeytabKey, ok bool) {
	for _, k := range keys {
		if k.Realm == realm && k.Key.KeyType == etype && k.Name.Equal(name) && (kvno == 0 || k.KVNO == kvno) && (!ok || k.KVNO > best.KVNO) {
			best, ok = k, true
		}
	}
	return best, ok
}
