package winrm

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestWhatIsTooLongForAHostIsNotSent, and nothing before it either: cmd.exe cuts
// a longer line without a word, and http.sys drops a larger message.
func TestWhatIsTooLongForAHostIsNotSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cmd  Command
		sent bool
	}{
		"as long as cmd.exe takes":       {Command{Line: strings.Repeat("x", 8178)}, true},
		"one more":                       {Command{Line: strings.Repeat("x", 8179)}, false},
		"one more, with an argument":     {Command{Line: strings.Repeat("x", 8000), Args: []string{strings.Repeat("y", 178)}}, false},
		"bytes do not count":             {Command{Line: strings.Repeat("\u65e5", 8178)}, true},
		"UTF-16 units do":                {Command{Line: strings.Repeat("\U0001F600", 4090)}, false},
		"longer without cmd.exe":         {Command{Line: strings.Repeat("x", 32767), SkipShell: true}, true},
		"too long without cmd.exe":       {Command{Line: strings.Repeat("x", 32768), SkipShell: true}, false},
		"too large as XML":               {Command{Line: strings.Repeat(`"`, 32767), SkipShell: true}, false},
		"as large as an envelope may be": {Command{Line: strings.Repeat("\u65e5", 32767), SkipShell: true}, true},
		"nearly an envelope":             {Command{Line: "x", Args: []string{strings.Repeat("\u65e5&", 16000)}, SkipShell: true}, true},
	} {
		h := newFakeHost(t)
		_, err := h.dial(t).Run(withDeadline(t, 5*time.Second), c.cmd)
		switch {
		case c.sent && (err != nil || h.last(t, "Command").size > longestEnvelope):
			t.Errorf("%s: %.200v, a message of %d bytes", name, err, h.last(t, "Command").size)
		case !c.sent && (Outcome(err) != OutcomeRefused || h.actions() != ""):
			t.Errorf("%s: %.200v after %q, want refused before anything was sent", name, err, h.actions())
		}
	}
	h := newFakeHost(t)
	if _, err := h.dial(t).Enumerate(context.Background(), "root/cimv2", strings.Repeat("x", longestEnvelope)); Outcome(err) != OutcomeRefused || h.actions() != "" {
		t.Errorf("a question: %.200v after %q", err, h.actions())
	}
	long := []Param{In("p", strings.Repeat("x", longestEnvelope))}
	if _, err := h.dial(t).Invoke(context.Background(), "root/cimv2/X", nil, "Do", long); Outcome(err) != OutcomeRefused || h.actions() != "" {
		t.Errorf("a call: %.200v after %q", err, h.actions())
	}
}

// TestInputFitsIntoEnvelopes: what is sent stays below 150 KB, with base64 and
// with room for sealing.
func TestInputFitsIntoEnvelopes(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	if _, err := h.dial(t).Run(withDeadline(t, 10*time.Second), Command{Line: "more", Stdin: make([]byte, 1_000_000)}); err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.seen {
		if s.size > 150<<10-4<<10 {
			t.Errorf("%s of %d bytes", s.action, s.size)
		}
	}
}

// TestEveryCallEndsWithItsContext within a second, also when the host never
// answers.
func TestEveryCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *Conn) error{
		"Identify":          func(ctx context.Context, c *Conn) error { _, err := c.Identify(ctx); return err },
		"IdentifyAnonymous": func(ctx context.Context, c *Conn) error { _, err := c.IdentifyAnonymous(ctx); return err },
		"Identity":          func(ctx context.Context, c *Conn) error { _, err := c.Identity(ctx); return err },
		"Enumerate":         func(ctx context.Context, c *Conn) error { _, err := c.Enumerate(ctx, "root/cimv2", query); return err },
		"Invoke": func(ctx context.Context, c *Conn) error {
			_, err := c.Invoke(ctx, "root/cimv2/X", nil, "Do", nil)
			return err
		},
		"Run": func(ctx context.Context, c *Conn) error {
			_, err := c.Run(ctx, Command{Line: "x", CodePage: 437})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHost(t)
			for _, action := range []string{"Identify", "Enumerate", "Do", "Create"} {
				h.on(action, hang)
			}
			c := h.dial(t)
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- call(ctx, c) }()
			until(t, "the host was asked", func() bool { return h.actions() != "" })
			began := time.Now()
			cancel()
			err := <-ended
			if took := time.Since(began); took > time.Second || Outcome(err) != OutcomeTimeout {
				t.Errorf("%v after %s", err, took)
			}
		})
	}
}

func TestPrintableStopsAtTheFirstByteThatIsNot(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		for c := range 256 {
			text := strings.Repeat("x", n) + string([]byte{byte(c)}) + strings.Repeat("~ ", 10)
			want := len(text)
			if c < 0x20 || c >= 0x80 {
				want = n
			}
			if got := printable(text); got != want {
				t.Fatalf("%q: %d, want %d", text, got, want)
			}
		}
	}
}
