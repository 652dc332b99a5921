package winrm

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// idleAsked is the idle time that the n-th Create (from 0) asked for.
func (h *fakeHost) idleAsked(n int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.seen {
		if s.action != "Create" {
			continue
		}
		if n == 0 {
			return s.envelope.child("Body").child("Shell").child("IdleTimeOut").words()
		}
		n--
	}
	return "no such Create"
}

// TestAShortIdleTimeIsAskedForWhereItIsKnown: a killed program leaves its shell
// open for as long.
func TestAShortIdleTimeIsAskedForWhereItIsKnown(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"OS: 5.2.3790 SP: 2.0 Stack: 2.0": "PT60S", "OS: 6.0.6002 SP: 2.0 Stack: 1.1": "", "OS: 0.0.0 SP: 0.0 Stack: 3.0": "PT60S", "": "",
	} {
		h := newFakeHost(t).on("Identify", answer(200, identifyResponse(version)))
		if _, err := h.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "ver"}); err != nil {
			t.Fatal(err)
		}
		if got := h.idleAsked(0); got != want || h.count("Create") != 1 {
			t.Errorf("%q: idle time %q in %d Creates, want %q in one", version, got, h.count("Create"), want)
		}
	}
	if c, _ := New(Config{Address: "127.0.0.1", Port: 1, OperationTimeout: 40 * time.Second}); c != nil {
		c.identity = &Identity{StackMajor: 2}
		if got := c.idle(); got != 2*time.Minute {
			t.Errorf("requests may take 40 s, and the idle time is %s", got)
		}
	}
}

// TestAHostThatTakesNoIdleTimeIsAskedWithout, once, and is not asked for it again.
func TestAHostThatTakesNoIdleTimeIsAskedWithout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		fault   string
		creates int // of one Run
	}{
		{"schema", soapFault("Sender", "SchemaValidationError", CodeSchema), 2},
		{"parameter", soapFault("Receiver", "InternalError", CodeParameter), 2},
		{"no code", soapFault("Sender", "InvalidParameter", 0), 2},
		{"code page", soapFault("Sender", "InvalidParameter", CodeCodePage), 1},
		{"denied", soapFault("Sender", "AccessDenied", CodeAccessDenied), 1},
		{"its own trouble", soapFault("Receiver", "InternalError", 1726), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHost(t)
			created := h.answers["Create"]
			h.on("Create", func(w http.ResponseWriter, r *http.Request, n int) {
				if n == 1 {
					answer(500, c.fault)(w, r, n)
					return
				}
				created(w, r, n)
			})
			conn := h.dial(t)
			_, err := conn.Run(withDeadline(t, 5*time.Second), Command{Line: "ver"})
			if (err == nil) != (c.creates == 2) || h.count("Create") != c.creates || h.count("Command") != c.creates-1 {
				t.Fatalf("%v after %s", err, h.actions())
			}
			if c.creates == 1 {
				return
			}
			if _, err := conn.Run(withDeadline(t, 5*time.Second), Command{Line: "ver", CodePage: 850}); err != nil || h.count("Create") != 3 {
				t.Fatalf("the second time: %v after %s", err, h.actions())
			}
			if asked := h.idleAsked(0) + "," + h.idleAsked(1) + "," + h.idleAsked(2); asked != "PT60S,," {
				t.Errorf("idle times %q", asked)
			}
		})
	}
}

// TestSchemaFaultEveryTime: what is refused without an idle time, too, is asked
// for once more with it the next time, and is no unknown outcome.
func TestSchemaFaultEveryTime(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t).on("Create", answer(500, soapFault("Sender", "SchemaValidationError", CodeSchema)))
	_, err := h.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "ver"})
	if code, _ := FaultCode(err); code != CodeSchema || Outcome(err) != OutcomeFault || h.count("Create") != 2 {
		t.Errorf("%v after %s", err, h.actions())
	}
}

// TestShellsFullSaysUntilWhen: the cause, the time, and when that has passed.
func TestShellsFullSaysUntilWhen(t *testing.T) {
	t.Parallel()
	at := func(clock string) time.Time {
		out, err := time.Parse(time.DateTime, "2026-11-22 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	quota := &Fault{Code: CodeShellQuota, Blame: "Sender", HTTPStatus: 500}
	for _, c := range []struct {
		name  string
		stack int
		asked string // when a shell was refused, one after the other; + = one came
		until string
		late  bool
		pause time.Duration
	}{
		{"2.0", 2, "10:00:10", "10:04", false, 5 * time.Second},
		{"2.0 later", 2, "10:00:10 10:00:50 10:01:10", "10:04", false, 30 * time.Second},
		{"2.0 too late", 2, "10:00:10 10:02:00 10:04:30", "10:04", true, 30 * time.Second},
		{"a shell between", 2, "10:00:10 + 10:02:00", "10:06", false, 5 * time.Second},
		{"long not asked", 2, "10:00:10 11:00:00", "11:04", false, 5 * time.Second},
		{"1.1", 1, "10:00:10 10:00:30", "10:16", false, 10 * time.Second},
		{"unknown", 0, "10:00:10 10:14:00", "10:16", false, 30 * time.Second},
	} {
		conn := &Conn{identity: &Identity{StackMajor: c.stack}}
		var err error
		for _, when := range strings.Fields(c.asked) {
			if when == "+" {
				err = conn.shellFor(nil, time.Time{})
				continue
			}
			err = conn.shellFor(quota, at(when))
		}
		var full *ShellsFull
		if !errors.As(err, &full) {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !strings.Contains(err.Error(), c.until+" UTC") || full.Late != c.late || full.Pause() < c.pause || full.Pause() > c.pause*5/4 {
			t.Errorf("%s: late %t, pause %s: %s", c.name, full.Late, full.Pause(), err)
		}
		if code, _ := FaultCode(err); code != CodeShellQuota || Outcome(err) != OutcomeFault {
			t.Errorf("%s: %s, code %d", c.name, Outcome(err), code)
		}
	}
	if other := (&Conn{}).shellFor(ErrTimeout, time.Time{}); !errors.Is(other, ErrTimeout) {
		t.Error(other)
	}
}
