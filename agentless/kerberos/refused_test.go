package kerberos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"
)

func ticketFor(t *testing.T, cl *Client, spn string) error {
	t.Helper()
	_, err := cl.Service(bg(t), spn)
	return err
}

func TestWrongPasswordReachesTheKDCOnce(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	wrong := k.client(t, Config{User: "svc", Password: "Wrong"})
	var wg sync.WaitGroup
	for i := range 100 { // a hundred hosts at once
		wg.Go(func() { _, _ = wrong.Service(bg(t), fmt.Sprintf("HTTP/h%d.lab.test", i)) })
	}
	wg.Wait()
	says(t, "wrong password", ticketFor(t, wrong, "HTTP/web1.lab.test"), ErrPassword, "refused the password of svc@LAB.TEST", "not tried again")
	if n := k.count("AS_REQ", "PREAUTH_FAILED"); n != 1 {
		t.Errorf("a wrong password reached the KDC %d times, want 1", n)
	}
	for range 3 { // other clients: the account's limit is three
		_ = ticketFor(t, k.client(t, Config{User: "svc", Password: "Wrong"}), "HTTP/web1.lab.test")
	}
	says(t, "locked", ticketFor(t, k.client(t, Config{User: "svc", Password: "Secret1"}), "HTTP/web1.lab.test"), ErrAccount, "locked or disabled")
}

func TestRefusalsAreInWords(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	for _, c := range []struct {
		name  string
		cfg   Config
		spn   string
		kind  error
		words []string
	}{
		{"unknown account", Config{User: "nobody", Password: "x"}, "", ErrAccount, []string{"has no account nobody@LAB.TEST"}},
		{"expired password", Config{User: "aged", Password: "Secret1"}, "", ErrAccount, []string{"the password of aged@LAB.TEST has expired", "set a new one"}},
		{"expired account", Config{User: "gone", Password: "Secret1"}, "", ErrAccount, []string{"account gone@LAB.TEST has expired"}},
		{"realm that the KDC does not serve", Config{User: "svc", Password: "Secret1", Realm: "OTHER.TEST"}, "", ErrAccount, []string{"svc@OTHER.TEST", "its realm"}},
		{"unknown host", Config{User: "svc", Password: "Secret1"}, "HTTP/nohost.lab.test", ErrService, []string{"HTTP/nohost.lab.test", "setspn -L"}},
		{"no KDC", Config{User: "svc", Password: "Secret1", KDCs: []string{"127.0.122.250:1", "127.0.122.250:2"}}, "", ErrUnreachable, []string{"127.0.122.250:1", "127.0.122.250:2", "port 88/tcp"}},
		{"no common type", Config{User: "odd", Password: "x"}, "", ErrEncryption, []string{"AES256, AES128, RC4"}},
		{"no RC4", Config{User: "old", Password: "pässwörd", NoRC4: true}, "", ErrEncryption, []string{"RC4"}},
		{"clock behind", Config{User: "svc", Password: "Secret1", Clock: func() time.Time { return time.Now().Add(-11 * time.Minute) }}, "", ErrSkew, []string{"the clock here is 11m0s behind KDC"}},
		{"clock ahead", Config{User: "svc", Password: "Secret1", Clock: func() time.Time { return time.Now().Add(7 * time.Minute) }}, "", ErrSkew, []string{"ahead of KDC"}},
	} {
		if c.spn == "" {
			c.spn = "HTTP/web1.lab.test"
		}
		says(t, c.name, ticketFor(t, k.client(t, c.cfg), c.spn), c.kind, c.words...)
	}
	_, _, err := k.client(t, Config{User: "svc", Password: "Secret1"}).Initiate(bg(t), "HTTP", "10.0.0.1", nil)
	says(t, "address instead of a name", err, ErrService, "full DNS name")
	if n := k.count("AS_REQ", "PREAUTH_FAILED"); n != 0 {
		t.Errorf("%d passwords were refused; a clock that is off is seen before one is used", n)
	}
}

// A domain controller says WRONG_REALM (68) for an account of another domain of
// its forest; MIT does not, so a listener says it here.
func TestWrongRealmOfADomainController(t *testing.T) {
	t.Parallel()
	kdc := fakeKDC(t, func([]byte) []byte {
		k := messages.NewKRBError(krbtgt("LAB.TEST"), "LAB.TEST", errorcode.KDC_ERR_WRONG_REALM, "")
		k.CRealm = "SUB.LAB.TEST"
		b, err := k.Marshal()
		if err != nil {
			t.Error(err)
		}
		return b
	})
	cl, err := New(Config{User: "svc", Realm: realm, Password: "Secret1", KDCs: []string{kdc}})
	if err != nil {
		t.Fatal(err)
	}
	says(t, "wrong realm", ticketFor(t, cl, "HTTP/web1.lab.test"), ErrRealm, "does not serve realm LAB.TEST", "answers for SUB.LAB.TEST")
}

func TestAnswersThatAreNoKerberos(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string][]byte{"text": []byte("HTTP/1.1 400 Bad Request"), "cut": {0x6b, 0x82, 0x05}, "empty": {}} {
		kdc := fakeKDC(t, func([]byte) []byte { return answer })
		cl, err := New(Config{User: "svc", Realm: realm, Password: "Secret1", KDCs: []string{kdc}})
		if err != nil {
			t.Fatal(err)
		}
		if err := ticketFor(t, cl, "HTTP/web1.lab.test"); !errors.Is(err, ErrConfig) && !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// fakeKDC answers each message over TCP.
func fakeKDC(t *testing.T, answer func([]byte) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var head [4]byte
				if _, err := io.ReadFull(c, head[:]); err != nil {
					return
				}
				b := make([]byte, binary.BigEndian.Uint32(head[:]))
				if _, err := io.ReadFull(c, b); err == nil {
					out := answer(b)
					_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(out))), out...))
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestSecondKDCWhenTheFirstIsDead(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	cl := k.client(t, Config{User: "svc", Password: "Secret1", KDCs: []string{"127.0.122.251:1", k.addr}})
	if err := ticketFor(t, cl, "HTTP/web1.lab.test"); err != nil {
		t.Fatal(err)
	}
	// A first one that takes messages and answers nothing: the message with the
	// credential goes to one KDC only, so the failure is said and is not a refusal.
	silent := fakeKDC(t, func([]byte) []byte { return nil })
	cl = k.client(t, Config{User: "svc", Password: "Wrong", KDCs: []string{silent, k.addr}})
	says(t, "wrong password", ticketFor(t, cl, "HTTP/web1.lab.test"), ErrUnreachable, silent)
	if n := k.count("AS_REQ", "PREAUTH_FAILED"); n != 0 {
		t.Errorf("the credential went to %d further KDCs", n)
	}
}

// A cancelled context ends waiting for a KDC that never answers, and the callers
// that wait for that one exchange. Not parallel: it counts goroutines.
func TestCancelledCallsLeaveNothing(t *testing.T) {
	lis, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	before := runtime.NumGoroutine()
	cl, err := New(Config{User: "svc", Realm: realm, Password: "x", KDCs: []string{lis.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err = cl.Service(ctx, "HTTP/web1.lab.test"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("returned after %s, want within 1 s of the deadline", d)
	}
	var wg sync.WaitGroup
	for i := range 10_000 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*time.Millisecond)
			defer cancel()
			if _, err := cl.Service(ctx, fmt.Sprintf("HTTP/h%d.lab.test", i%7)); err == nil {
				t.Error("a ticket from a KDC that answers nothing")
			}
		})
	}
	wg.Wait()
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	if len(cl.asking) != 0 || len(cl.turn) != 0 {
		t.Errorf("%d questions and %d turns are left open", len(cl.asking), len(cl.turn))
	}
}
