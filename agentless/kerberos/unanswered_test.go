package kerberos

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// asksForProof is a KDC's answer to who shows nothing yet.
func asksForProof(t *testing.T, etype int32, rounds []byte) []byte {
	t.Helper()
	info, err := asn1.Marshal(types.ETypeInfo2{{EType: etype, Salt: "LAB.TESTsvc", S2KParams: rounds}})
	if err != nil {
		t.Fatal(err)
	}
	all, err := asn1.Marshal(types.PADataSequence{{PADataType: patype.PA_ETYPE_INFO2, PADataValue: info}})
	if err != nil {
		t.Fatal(err)
	}
	k := messages.NewKRBError(krbtgt(realm), realm, errorcode.KDC_ERR_PREAUTH_REQUIRED, "")
	k.EData = all
	out, err := k.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// showsProof reports whether a message to a KDC shows the credential.
func showsProof(msg []byte) bool {
	var q messages.ASReq
	return q.Unmarshal(msg) == nil && len(q.PAData) > 0
}

// TestAProofThatNoKDCAnswersIsSentTwiceAtMost: whoever waits for the answer, and
// however short. Not parallel: it counts goroutines.
func TestAProofThatNoKDCAnswersIsSentTwiceAtMost(t *testing.T) {
	var proofs atomic.Int64
	judged := make(chan struct{})
	ask := asksForProof(t, 18, []byte{0, 0, 0x10, 0})
	kdc := fakeKDC(t, func(msg []byte) []byte {
		if !showsProof(msg) {
			return ask
		}
		proofs.Add(1)
		<-judged
		return nil
	})
	before := runtime.NumGoroutine()
	var ahead atomic.Int64
	cl, err := New(Config{
		User: "svc", Realm: realm, Password: "Wrong", KDCs: []string{kdc},
		Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ask6 := func() (err error) {
		for range 6 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, err = cl.Service(ctx, "HTTP/web1.lab.test")
			cancel()
		}
		return err
	}
	if err := ask6(); !errors.Is(err, context.DeadlineExceeded) || proofs.Load() != 1 {
		t.Errorf("six callers that gave up: %v, and %d proofs at the KDC, want one", err, proofs.Load())
	}
	judged <- struct{}{} // the KDC ends the connection without a word
	eventually(t, "the login is over", func() bool { return len(cl.turn) == 0 })
	if err := ask6(); !errors.Is(err, ErrUnreachable) || proofs.Load() != 1 {
		t.Errorf("right after: %v, and %d proofs, want the pause", err, proofs.Load())
	}
	ahead.Store(int64(pause + time.Second))
	_ = ask6()
	close(judged)
	eventually(t, "the second login is over", func() bool { return len(cl.turn) == 0 })
	ahead.Store(int64(3 * pause))
	err = ask6()
	says(t, "after two", err, ErrPassword, "no answer came", "could lock the account")
	if proofs.Load() != 2 || cl.Unanswered() != 2 {
		t.Errorf("%d proofs were sent, %d are counted as unanswered, want two", proofs.Load(), cl.Unanswered())
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

// TestALoginOutlivesItsCaller: the KDC takes its time, the caller does not wait,
// and the next one has the ticket without another proof.
func TestALoginOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	slow := make(chan struct{})
	var proofs atomic.Int64
	kdc := fakeKDC(t, func(msg []byte) []byte {
		if showsProof(msg) {
			proofs.Add(1)
			<-slow
		}
		c, err := net.Dial("tcp", k.addr)
		if err != nil {
			t.Error(err)
			return nil
		}
		defer c.Close()
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg...)); err != nil {
			t.Error(err)
		}
		var head [4]byte
		_, err = io.ReadFull(c, head[:])
		out := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, again := io.ReadFull(c, out); err != nil || again != nil {
			t.Error(err, again)
		}
		return out
	})
	cl := k.client(t, Config{User: "svc", Password: "Secret1", KDCs: []string{kdc}})
	ctx, cancel := context.WithCancel(t.Context())
	var first sync.WaitGroup
	first.Go(func() {
		if _, err := cl.Service(ctx, "HTTP/web1.lab.test"); !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up gets %v", err)
		}
	})
	eventually(t, "the credential was shown", func() bool { return proofs.Load() == 1 })
	cancel()
	first.Wait()
	close(slow)
	if err := ticketFor(t, cl, "HTTP/web1.lab.test"); err != nil || proofs.Load() != 1 || cl.Unanswered() != 0 {
		t.Errorf("the next caller: %v, and %d proofs, want the ticket of the first login", err, proofs.Load())
	}
}

func TestWhoAsksForFewRoundsGetsNoProof(t *testing.T) {
	t.Parallel()
	for _, rounds := range [][]byte{{0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 0x0f, 0xff}, {0xff, 0xff, 0xff, 0xff}} {
		var proofs atomic.Int64
		ask := asksForProof(t, 18, rounds)
		kdc := fakeKDC(t, func(msg []byte) []byte {
			if showsProof(msg) {
				proofs.Add(1)
			}
			return ask
		})
		cl, err := New(Config{User: "svc", Realm: realm, Password: "Secret1", KDCs: []string{kdc}})
		if err != nil {
			t.Fatal(err)
		}
		says(t, "rounds", ticketFor(t, cl, "HTTP/web1.lab.test"), ErrConfig, "rounds of key derivation")
		if proofs.Load() != 0 {
			t.Errorf("%x rounds: a proof was sent", rounds)
		}
	}
}

// TestAnAnswerOfATypeThatWasNotOfferedIsRefused: a KDC in the way could answer
// with RC4, whose key is found soonest.
func TestAnAnswerOfATypeThatWasNotOfferedIsRefused(t *testing.T) {
	t.Parallel()
	kdc := fakeKDC(t, func([]byte) []byte {
		rep := messages.ASRep{KDCRepFields: messages.KDCRepFields{
			PVNO: 5, MsgType: 11, CRealm: realm, CName: krbtgt(realm),
			Ticket:  messages.Ticket{TktVNO: 5, Realm: realm, SName: krbtgt(realm), EncPart: types.EncryptedData{EType: 23, Cipher: make([]byte, 40)}},
			EncPart: types.EncryptedData{EType: 23, Cipher: make([]byte, 40)},
		}}
		out, err := rep.Marshal()
		if err != nil {
			t.Error(err)
		}
		return out
	})
	for _, c := range []struct {
		noRC4 bool
		kind  error
	}{{true, ErrEncryption}, {false, ErrPassword}} {
		cl, err := New(Config{User: "svc", Realm: realm, Password: "Secret1", KDCs: []string{kdc}, NoRC4: c.noRC4})
		if err != nil {
			t.Fatal(err)
		}
		says(t, "RC4", ticketFor(t, cl, "HTTP/web1.lab.test"), c.kind)
	}
}

// TestForeignTextIsPrintable: what a KDC or a host says goes to a terminal.
func TestForeignTextIsPrintable(t *testing.T) {
	t.Parallel()
	evil := "\x1b[2J\x1b]0;owned\x07\u202eall is well\n\xff" + strings.Repeat("x", 5000)
	cl, err := New(Config{User: "svc", Realm: realm, Password: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []int32{31, 37, 60, 61, 68, 99} {
		k := messages.KRBError{ErrorCode: code, EText: evil, CRealm: evil}
		for who, text := range map[string]string{"host": cl.rejected(&k, "HTTP/web1").Error(), "KDC": cl.refused(&k, "kdc", "HTTP/web1").Error()} {
			if strings.ContainsAny(text, "\x1b\x07\n\u202e") || strings.Contains(text, "\xff") || len(text) > 600 {
				t.Errorf("%s, code %d: %q", who, code, text)
			}
		}
	}
}

func TestAnAccountThatWasDestroyedSendsNothing(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	cl := k.client(t, Config{User: "svc", Password: "Secret1"})
	if err := ticketFor(t, cl, "HTTP/web1.lab.test"); err != nil {
		t.Fatal(err)
	}
	cl.Destroy()
	before, _, _ := cl.Sent()
	says(t, "destroyed", ticketFor(t, cl, "HTTP/web1.lab.test"), ErrConfig, "replaced meanwhile")
	if after, _, _ := cl.Sent(); after != before || cl.password != "" || cl.known != nil || len(cl.tickets)+len(cl.tgts) != 0 {
		t.Errorf("%d messages were sent, and it holds %q, %v, %d tickets", after-before, cl.password, cl.known, len(cl.tickets)+len(cl.tgts))
	}
}
