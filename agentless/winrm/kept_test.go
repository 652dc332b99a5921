package winrm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// shellHost is a fakeHost that knows which shells are open.
type shellHost struct {
	*fakeHost
	shells sync.Mutex
	open   map[string]int // commands by shell
	made   int
	most   int
}

func newShellHost(t testing.TB) *shellHost {
	t.Helper()
	h := &shellHost{fakeHost: newFakeHost(t), open: map[string]int{}}
	command, remove := h.answers["Command"], h.answers["Delete"]
	h.on("Create", func(w http.ResponseWriter, r *http.Request, n int) {
		h.shells.Lock()
		h.made++
		id := fmt.Sprintf("SHELL-%d", h.made)
		h.open[id] = 0
		h.most = max(h.most, len(h.open))
		h.shells.Unlock()
		answer(200, soapBody(`<x:ResourceCreated xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"><a:ReferenceParameters><w:SelectorSet><w:Selector Name="ShellId">`+id+`</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>`))(w, r, n)
	})
	h.onShell("Command", func(id string, w http.ResponseWriter, r *http.Request, n int) {
		h.shells.Lock()
		_, known := h.open[id]
		if known {
			h.open[id]++
		}
		h.shells.Unlock()
		if !known {
			answer(500, soapFault("Sender", "InvalidSelectors", CodeGone))(w, r, n)
			return
		}
		command(w, r, n)
	})
	h.onShell("Delete", func(id string, w http.ResponseWriter, r *http.Request, n int) {
		h.shells.Lock()
		delete(h.open, id)
		h.shells.Unlock()
		remove(w, r, n)
	})
	return h
}

// onShell takes an action over that names a shell.
func (h *shellHost) onShell(action string, do func(id string, w http.ResponseWriter, r *http.Request, n int)) {
	h.on(action, func(w http.ResponseWriter, r *http.Request, n int) {
		h.mu.Lock()
		var id string
		for i := len(h.seen) - 1; i >= 0 && id == ""; i-- {
			if h.seen[i].action == action && h.seen[i].n == n {
				id = selectorsOf(h.seen[i].envelope)["ShellId"]
			}
		}
		h.mu.Unlock()
		do(id, w, r, n)
	})
}

// restart forgets every shell, as a host does.
func (h *shellHost) restart() {
	h.shells.Lock()
	defer h.shells.Unlock()
	h.open = map[string]int{}
}

func (h *shellHost) left() int {
	h.shells.Lock()
	defer h.shells.Unlock()
	return len(h.open)
}

func run(t *testing.T, c *Conn, page int) error {
	t.Helper()
	_, err := c.Run(withDeadline(t, 10*time.Second), Command{Line: "hostname", CodePage: page})
	return err
}

func TestTenCommandsShareAShellAndAConnection(t *testing.T) {
	t.Parallel()
	h := newShellHost(t)
	c := h.dial(t)
	for range 10 {
		if err := run(t, c, 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(strings.Fields(h.actions())); n != 33 || len(h.conns) != 1 || h.left() != 0 {
		t.Errorf("%d requests on %d connections, %d shells left; want 33 (Identify, Create, 3 for each command, Delete), 1, 0", n, len(h.conns), h.left())
	}
	if err := run(t, c, 0); err != nil || h.count("Create") != 2 {
		t.Errorf("the eleventh command: %v, %d shells in all, want a second", err, h.count("Create"))
	}
}

// TestAnotherCodePageIsAnotherShell, and a third takes the place of the one that
// was not used for longest.
func TestAnotherCodePageIsAnotherShell(t *testing.T) {
	t.Parallel()
	h := newShellHost(t)
	c := h.dial(t)
	for i, page := range []int{437, 850, 437, 850, 932, 932} {
		if err := run(t, c, page); err != nil {
			t.Fatal(err)
		}
		if want := []int{1, 2, 2, 2, 3, 3}[i]; h.made != want {
			t.Errorf("command %d, code page %d: %d shells made, want %d", i+1, page, h.made, want)
		}
	}
	if h.most != shellsPerHost {
		t.Errorf("%d shells at once, want %d", h.most, shellsPerHost)
	}
}

// TestTheLimitsHoldForAHostAndAnAccount, over all connections to them.
func TestTheLimitsHoldForAHostAndAnAccount(t *testing.T) {
	t.Parallel()
	h := newShellHost(t)
	var conns []*Conn
	for range 4 {
		conns = append(conns, h.dial(t))
	}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			if err := run(t, conns[i%4], []int{437, 850, 932}[i%3]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if h.most > shellsPerHost {
		t.Errorf("%d shells at once, want at most %d", h.most, shellsPerHost)
	}
	h.shells.Lock()
	operations := 0
	for _, n := range h.open {
		operations += n
	}
	h.shells.Unlock()
	if operations > operationsAtOnce {
		t.Errorf("%d operations of open shells", operations)
	}
	for _, c := range conns {
		c.Close()
	}
	if h.left() != 0 {
		t.Errorf("%d shells left", h.left())
	}
}

// Not parallel: it sweeps the shells of the whole process.
func TestAShellThatNobodyNeedsIsSwept(t *testing.T) {
	h := newShellHost(t)
	c := h.dial(t)
	if err := run(t, c, 437); err != nil {
		t.Fatal(err)
	}
	Sweep(withDeadline(t, 5*time.Second), time.Now().Add(keptFor/2))
	if h.left() != 1 {
		t.Fatalf("%d shells after half the time, want 1", h.left())
	}
	Sweep(withDeadline(t, 5*time.Second), time.Now().Add(keptFor))
	if h.left() != 0 {
		t.Errorf("%d shells after the time, want none", h.left())
	}
	if err := run(t, c, 437); err != nil || h.made != 2 {
		t.Errorf("the next command: %v, %d shells made", err, h.made)
	}
}

// TestAHostThatWasRestartedGetsANewShell: the command is sent again, because the
// fault says that it did not run.
func TestAHostThatWasRestartedGetsANewShell(t *testing.T) {
	t.Parallel()
	h := newShellHost(t)
	c := h.dial(t)
	for range 2 {
		if err := run(t, c, 437); err != nil {
			t.Fatal(err)
		}
		h.restart()
	}
	if h.made != 2 || h.count("Command") != 3 {
		t.Errorf("requests %q", h.actions())
	}
}

// TestAnUnknownOutcomeIsNotTriedAgain in a kept shell, either.
func TestAnUnknownOutcomeIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	h := newShellHost(t)
	c := h.dial(t)
	if err := run(t, c, 437); err != nil {
		t.Fatal(err)
	}
	h.on("Command", hangUp)
	if err := run(t, c, 437); Outcome(err) != OutcomeUnknown || h.count("Command") != 2 {
		t.Errorf("%v after %q", err, h.actions())
	}
	c.Close()
	if h.left() != 0 {
		t.Errorf("%d shells left", h.left())
	}
}

// TestQuotasAreWaitedFor: a quota proves that nothing ran; the same again a
// little later, in a new shell, and no more than a few times.
func TestQuotasAreWaitedFor(t *testing.T) {
	t.Parallel()
	for _, q := range []struct {
		action string
		code   uint32
	}{
		{"Create", CodeShellQuota},
		{"Create", CodeUserQuota},
		{"Create", CodeSystemQuota},
		{"Command", CodeOperationQuota},
		{"Command", CodeRequestQuota},
	} {
		t.Run(fmt.Sprint(q.action, " ", q.code), func(t *testing.T) {
			t.Parallel()
			refuse := answer(500, soapFault("Receiver", "QuotaLimit", q.code))
			h := newShellHost(t)
			usual := h.answers[q.action]
			h.on(q.action, func(w http.ResponseWriter, r *http.Request, n int) {
				if n <= 2 {
					refuse(w, r, n)
					return
				}
				usual(w, r, n)
			})
			began := time.Now()
			if err := run(t, h.dial(t), 437); err != nil || h.count(q.action) != 3 {
				t.Errorf("%v after %q", err, h.actions())
			}
			if took := time.Since(began); took < quotaPause {
				t.Errorf("asked again after %s", took)
			}
			h = newShellHost(t)
			h.on(q.action, refuse)
			c := h.dial(t)
			err := run(t, c, 437)
			if code, _ := FaultCode(err); code != q.code || Outcome(err) != OutcomeFault || h.count(q.action) != 1+quotaTries {
				t.Errorf("for ever: %v after %q", err, h.actions())
			}
			var full *ShellsFull
			if errors.As(err, &full) != (q.code == CodeShellQuota) {
				t.Errorf("%T", err)
			}
			c.Close()
			if h.left() != 0 {
				t.Errorf("%d shells left", h.left())
			}
		})
	}
}

// TestAShellWhoseEndDidNotArriveIsEndedLater: with the next shell, or by a sweep.
func TestAShellWhoseEndDidNotArriveIsEndedLater(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"next shell", "sweep"} {
		h := newShellHost(t)
		remove := h.answers["Delete"]
		h.on("Receive", hangUp).on("Delete", hangUp)
		c := h.dial(t)
		if err := run(t, c, 437); Outcome(err) != OutcomeUnknown {
			t.Fatal(err)
		}
		until(t, "the shell is lost", func() bool { return shells.lostOf(c) == 1 })
		h.on("Receive", answer(200, received("", "", 0))).on("Delete", remove)
		if how == "sweep" {
			sweep(withDeadline(t, 5*time.Second), func(one *shell) bool { return one.owner == c })
		} else if err := run(t, c, 437); err != nil {
			t.Fatal(err)
		}
		if _, there := h.open["SHELL-1"]; there || shells.lostOf(c) != 0 {
			t.Errorf("%s: shell left, requests %q", how, h.actions())
		}
		c.Close()
	}
}

// TestCloseIsBounded: a host that does not answer holds it for two seconds.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	h := newShellHost(t)
	h.on("Delete", hang)
	c := h.dial(t)
	for _, page := range []int{437, 850} {
		if err := run(t, c, page); err != nil {
			t.Fatal(err)
		}
	}
	h.on("Receive", hang)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Run(ctx, Command{Line: "hostname", CodePage: 437}); Outcome(err) != OutcomeUnknown {
		t.Fatal(err)
	}
	began := time.Now()
	c.Close()
	if took := time.Since(began); took > closeTime+time.Second {
		t.Errorf("Close lasted %s", took)
	}
	shells.mu.Lock()
	_, there := shells.hosts[c.shelfKey()]
	leaving := len(c.keeping.leaving)
	shells.mu.Unlock()
	if there || leaving != 0 {
		t.Errorf("shells of a closed connection are remembered: %t, %d", there, leaving)
	}
}

// lostOf counts the shells of a connection whose end did not arrive.
func (s *shelf) lostOf(c *Conn) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hosts[c.shelfKey()]; h != nil {
		return len(h.lost)
	}
	return 0
}

// until polls for what has to become true.
func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); !true(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
