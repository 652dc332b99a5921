package kerberos

import (
	"context"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// What follows reads bytes of others: files of administrators, tokens of hosts,
// answers of whoever takes a KDC's place. Each gives a value or an error, never a
// panic, and takes no more memory than it was given bytes for.

func FuzzKeytab(f *testing.F) {
	f.Add([]byte{5, 2})
	f.Add([]byte("\x05\x02\x00\x00\x00\x2d\x00\x01\x00\x08LAB.TEST\x00\x03svc\x00\x00\x00\x01\x5f\x00\x00\x00\x02\x00\x12\x00\x08abcdefgh\x00\x00\x00\x02"))
	f.Add([]byte("\x05\x02\xff\xff\xff\xf0\x80\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := ParseKeytab(b)
		if err == nil && len(keys) > len(b)/4 {
			t.Errorf("%d keys out of %d bytes", len(keys), len(b))
		}
		_, _ = New(Config{User: "svc", Realm: realm, Keytab: b})
	})
}

func FuzzCache(f *testing.F) {
	f.Add([]byte{5, 4, 0, 0})
	f.Add([]byte("\x05\x04\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x08LAB.TEST\x00\x00\x00\x03svc"))
	f.Add([]byte("\x05\x03\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, entries, err := parseCache(b)
		if err == nil && len(entries) > len(b)/4 {
			t.Errorf("%d tickets out of %d bytes", len(entries), len(b))
		}
		_, _ = New(Config{Cache: b})
	})
}

// FuzzTokens: what a host answers, and, for the accepting side, what a client says.
func FuzzTokens(f *testing.F) {
	key := types.EncryptionKey{KeyType: 18, KeyValue: make([]byte, 32)}
	const spn = "HTTP/web1.lab.test"
	begin := func() (*Context, []byte, error) {
		cl, err := New(Config{User: "svc", Realm: realm, Password: "x"})
		if err != nil {
			return nil, nil, err
		}
		cl.keep(cl.tickets, spn, &Ticket{key: key, End: time.Now().Add(time.Hour), ticket: messages.Ticket{
			TktVNO: 5, Realm: realm, SName: krbtgt(realm), EncPart: types.EncryptedData{EType: 18, Cipher: make([]byte, 80)},
		}})
		return cl.Initiate(context.Background(), "HTTP", "web1.lab.test", nil)
	}
	_, request, err := begin()
	if err != nil {
		f.Fatal(err)
	}
	refusal := messages.NewKRBError(krbtgt(realm), realm, 41, "text")
	text, err := refusal.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	answer, err := negMarshal(1, negResp{State: negReject, Mech: oidKRB5, Token: mechToken(3, text)})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{request, answer, mechToken(3, text), mechToken(2, text), text, {0x60, 0x84, 0xff, 0xff, 0xff, 0xff, 6, 9}} {
		f.Add(seed)
		f.Add(seed[:len(seed)-1])
		f.Add(seed[:len(seed)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, _, err := begin()
		if err != nil {
			t.Fatal(err)
		}
		if x.Complete(b) == nil || x.ready {
			t.Fatal("bytes without the key prove the host")
		}
		x.ready = true
		for _, cut := range []int{0, len(b) / 2, len(b)} {
			if m, err := x.Open(b[:cut], b[cut:]); err == nil {
				t.Fatalf("bytes without the key open as %q", m)
			}
		}
		keys := []KeytabKey{{Realm: realm, Name: krbtgt(realm), KVNO: 1, Key: key}}
		if _, _, err := Accept(keys, b, nil, time.Minute); err == nil {
			t.Fatal("a ticket without its key is taken")
		}
		var k messages.KRBError
		if parsed(func() error { return k.Unmarshal(b) }) == nil {
			_ = x.client.refused(&k, "kdc", spn)
		}
	})
}
