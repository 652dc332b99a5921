package kerberos

import (
	"os"
	"strings"
	"testing"
	"time"
)

// Whatever a host answers: an error, never a panic.
func TestDamagedTokensAreRefusedWithoutPanic(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	cl := k.client(t, Config{User: "svc", Password: "Secret1"})
	kt, _ := os.ReadFile(k.dir + "/host.keytab")
	keys, err := ParseKeytab(kt)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"web1.lab.test", "old1.lab.test"} {
		x, tok, err := cl.Initiate(bg(t), "HTTP", host, nil)
		if err != nil {
			t.Fatal(err)
		}
		y, ans, err := Accept(keys, tok, nil, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(tok); i++ {
			b := append([]byte{}, tok...)
			b[i] ^= 0x55
			_, _, _ = Accept(keys, b, nil, time.Minute)
			_, _, _ = Accept(keys, tok[:i], nil, time.Minute)
		}
		for i := 0; i < len(ans); i++ {
			b := append([]byte{}, ans...)
			b[i] ^= 0x55
			if x.Complete(b) == nil && i > 75 { // before: framing that nothing protects
				t.Errorf("%s: changed answer at %d of %d accepted", host, i, len(ans))
			}
			_ = x.Complete(ans[:i])
		}
		if err := x.Complete(ans); err != nil {
			t.Fatal(err)
		}
		h, d, err := x.Seal([]byte(strings.Repeat("s", 100)))
		if err != nil {
			t.Fatal(err)
		}
		n := len(h)
		all := append(append([]byte{}, h...), d...)
		for i := range all {
			b := append([]byte{}, all...)
			b[i] ^= 0x01
			if host == "old1.lab.test" && i < 3 {
				continue // the frame's length: nothing hangs on it
			}
			if m, err := y.Open(b[:n], b[n:]); err == nil {
				t.Errorf("%s: changed byte %d accepted: %q", host, i, m)
			}
			_, _ = y.Open(all[:i], nil)
		}
		if _, err := y.Open(h, d); err != nil {
			t.Fatal(err)
		}
		if _, err := y.Open(h, d); err == nil {
			t.Error("replayed message accepted")
		}
	}
}
