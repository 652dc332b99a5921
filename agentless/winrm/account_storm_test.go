package winrm

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wavekeeper/agentless/sealed"
)

// proving reports whether a request carries a proof of NTLM.
func proving(r *http.Request) bool { return len(r.Header.Get("Authorization")) > 200 }

// many are connections to one host under as many names.
func many(t *testing.T, h *loginHost, n int, a *Account) []*Conn {
	t.Helper()
	conns := make([]*Conn, n)
	for i := range conns {
		cfg := h.fakeHost.config()
		cfg.Account, cfg.Host = a, fmt.Sprintf("mbx%d.lab.test", i)
		conns[i] = dialTo(t, cfg)
	}
	return conns
}

func atOnce(t *testing.T, conns []*Conn, d time.Duration) {
	t.Helper()
	var calls sync.WaitGroup
	for _, c := range conns {
		calls.Go(func() { _, _ = c.Identify(withDeadline(t, d)) }) // the proofs are counted
	}
	calls.Wait()
}

// slow lets a host judge slowly, as one does that asks a domain controller.
func slow(d time.Duration) func(http.ResponseWriter, *http.Request, *login) bool {
	return func(_ http.ResponseWriter, r *http.Request, _ *login) bool {
		if proving(r) {
			timer := time.NewTimer(d)
			defer timer.Stop()
			<-timer.C
		}
		return false
	}
}

// A password that is changed in the directory is shown twice, however many hosts
// took it and log on at once: also when they took it before a restart.
func TestAChangedPasswordIsShownTwiceByManyAtOnce(t *testing.T) {
	t.Parallel()
	for what, restarted := range map[string]bool{"after a restart": true, "after a while": false} {
		h := newLoginHost(t)
		h.mischief = slow(50 * time.Millisecond)
		h.start()
		cfg := AccountConfig{Auth: AuthNTLM, User: `LAB\svc`, Password: rightPassword}
		for i := range 40 {
			if restarted {
				cfg.Accepted = append(cfg.Accepted, fmt.Sprintf("mbx%d.lab.test", i))
			}
		}
		account, err := NewAccount(cfg)
		if err != nil {
			t.Fatal(err)
		}
		conns := many(t, h, 40, account)
		if !restarted {
			atOnce(t, conns, 10*time.Second)
			for _, c := range conns {
				c.transport.lanes.close()
			}
			account.mu.Lock()
			account.good = account.good.Add(-sureFor)
			account.mu.Unlock()
		}
		h.setPassword("changed")
		_, before, _, _ := h.figures()
		atOnce(t, conns, 10*time.Second)
		if _, proofs, _, _ := h.figures(); proofs-before != 2 {
			t.Errorf("%s: %d proofs of the old password, want 2", what, proofs-before)
		}
		if account.May("mbx7.lab.test") == nil {
			t.Errorf("%s: it goes on", what)
		}
	}
}

// In the worst case, changed within the half minute after it was right, it is
// shown to as many hosts as are asked at a time.
func TestAPasswordThatChangedJustNowIsShownToFew(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	h.mischief = slow(50 * time.Millisecond)
	h.start()
	conns := many(t, h, 40, ntlmAccount(t, `LAB\svc`, rightPassword))
	atOnce(t, conns, 10*time.Second)
	for _, c := range conns {
		c.transport.lanes.close()
	}
	h.setPassword("changed")
	_, before, _, _ := h.figures()
	atOnce(t, conns, 10*time.Second)
	if _, proofs, _, _ := h.figures(); proofs-before > proofsAtOnce {
		t.Errorf("%d proofs of the old password, want at most %d", proofs-before, proofsAtOnce)
	}
}

// The first contact with many hosts: one alone, then several at a time, and no
// more than that.
func TestManyHostsAtFirstContact(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	var now, most, first atomic.Int64
	h.mischief = func(w http.ResponseWriter, r *http.Request, on *login) bool {
		if !proving(r) {
			return false
		}
		if _, _, logins, _ := h.figures(); logins == 0 && first.Add(1) > 1 {
			t.Error("a second proof before the first was judged")
		}
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		return slow(20*time.Millisecond)(w, r, on)
	}
	h.start()
	conns := many(t, h, 100, ntlmAccount(t, `LAB\svc`, rightPassword))
	atOnce(t, conns, 20*time.Second)
	_, proofs, logins, refusals := h.figures()
	if proofs != 100 || logins != 100 || refusals != 0 {
		t.Errorf("%d proofs, %d logins, %d refusals", proofs, logins, refusals)
	}
	if n := most.Load(); n < 2 || n > proofsAtOnce {
		t.Errorf("%d proofs at a time, want up to %d", n, proofsAtOnce)
	}
}

// A wrong password is sent once also to hosts that take long to say so.
func TestSlowJudgesSeeAWrongPasswordOnce(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	h.mischief = slow(4 * time.Second)
	h.start()
	atOnce(t, many(t, h, 8, ntlmAccount(t, `LAB\svc`, "wrong")), 15*time.Second)
	if _, proofs, _, refusals := h.figures(); proofs != 1 || refusals != 1 {
		t.Errorf("%d proofs and %d refusals, want one", proofs, refusals)
	}
}

// Whoever ends the connection after the proof, on many hosts: an account of the
// domain counts them together.
func TestUnansweredProofsOfADomainCountTogether(t *testing.T) {
	t.Parallel()
	drops := func(t *testing.T, a *Account) int {
		h := newLoginHost(t)
		h.mischief = func(_ http.ResponseWriter, r *http.Request, _ *login) bool {
			if proving(r) {
				panic(http.ErrAbortHandler)
			}
			return false
		}
		h.start()
		for _, c := range many(t, h, 20, a) {
			for range 4 {
				_, _ = c.Identify(withDeadline(t, 5*time.Second))
			}
		}
		_, proofs, _, _ := h.figures()
		return proofs
	}
	fresh := ntlmAccount(t, `LAB\svc`, "wrong")
	if n := drops(t, fresh); n != unansweredProofs || fresh.May("other") == nil || fresh.Unanswered() != n {
		t.Errorf("%d proofs, want %d; another host: %v", n, unansweredProofs, fresh.May("other"))
	}
	// With hosts that took it, none is closed for good, but there are pauses.
	cfg := AccountConfig{Auth: AuthNTLM, User: `LAB\svc`, Password: "wrong"}
	for i := range 20 {
		cfg.Accepted = append(cfg.Accepted, fmt.Sprintf("mbx%d.lab.test", i))
	}
	taken, err := NewAccount(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n := drops(t, taken); n != 2*unansweredProofs || taken.May("mbx0.lab.test") != nil {
		t.Errorf("%d proofs to hosts that took it, want %d: %v", n, 2*unansweredProofs, taken.May("mbx0.lab.test"))
	}
}

// One host that ends each connection after the proof does not keep the others
// from logging on.
func TestHostsGoOnBesideABrokenOne(t *testing.T) {
	t.Parallel()
	account := ntlmAccount(t, `LAB\svc`, rightPassword)
	hosts, conns := fleet(t, 3, account)
	for _, c := range conns {
		if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	hosts[0].Close()
	broken := newLoginHost(t)
	broken.mischief = func(_ http.ResponseWriter, r *http.Request, _ *login) bool {
		if proving(r) {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	broken.start()
	cfg := broken.fakeHost.config()
	cfg.Account, cfg.Host = account, "mbx0.lab.test"
	bad := dialTo(t, cfg)
	for range 10 {
		if _, err := bad.Identify(withDeadline(t, 5*time.Second)); Outcome(err) != OutcomeUnreachable {
			t.Errorf("the broken host: %v", err)
		}
		for i, c := range conns[1:] {
			c.transport.lanes.close()
			if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
				t.Fatalf("host %d: %v", i, err)
			}
		}
	}
	if _, proofs, _, _ := broken.figures(); proofs != unansweredProofs {
		t.Errorf("%d proofs to the broken host, want %d", proofs, unansweredProofs)
	}
}

// Whoever says 200 to a proof has proven nothing: a host took the credential when
// its first sealed answer opens.
func TestA200ProvesNothing(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	h.mischief = func(_ http.ResponseWriter, r *http.Request, _ *login) bool {
		return proving(r) || sealed.IsSealed(r.Header.Get("Content-Type")) // 200, empty
	}
	h.start()
	account, err := NewAccount(AccountConfig{Auth: AuthNTLM, User: `LAB\svc`, Password: "wrong", TellAccepted: func(host string, _ time.Time) { t.Errorf("told that %s took it", host) }})
	if err != nil {
		t.Fatal(err)
	}
	c := many(t, h, 1, account)[0]
	for range 10 {
		if _, err := c.Identify(withDeadline(t, 5*time.Second)); err == nil {
			t.Fatal("believed")
		}
	}
	told(t, account)
	if _, proofs, _, _ := h.figures(); proofs != unansweredProofs || account.taken != 0 || account.May("mbx0.lab.test") == nil {
		t.Errorf("%d proofs, taken by %d, %v", proofs, account.taken, account.May("mbx0.lab.test"))
	}
}

// Nor does every other 200 make the refusals between forgotten.
func TestA200BetweenRefusalsProvesNothing(t *testing.T) {
	t.Parallel()
	for _, took := range []bool{false, true} {
		h := newLoginHost(t)
		var n atomic.Int64
		h.mischief = func(_ http.ResponseWriter, r *http.Request, _ *login) bool { return proving(r) && n.Add(1)%2 == 1 }
		h.start()
		cfg := AccountConfig{Auth: AuthNTLM, User: `LAB\svc`, Password: "wrong"}
		if took {
			cfg.Accepted = []string{"mbx0.lab.test"}
		}
		account, err := NewAccount(cfg)
		if err != nil {
			t.Fatal(err)
		}
		c := many(t, h, 1, account)[0]
		for range 20 {
			if _, err := c.Identify(withDeadline(t, 5*time.Second)); err == nil {
				t.Fatal("believed")
			}
		}
		if _, proofs, _, _ := h.figures(); proofs > 4 {
			t.Errorf("taken before %t: %d proofs in 20 calls", took, proofs)
		}
	}
}

// A proof that is answered by neither yes nor no counts like one without an answer.
func TestAProofAnsweredByNeitherYesNorNoCounts(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 403, 500, 503} {
		h := newLoginHost(t)
		h.mischief = func(w http.ResponseWriter, r *http.Request, _ *login) bool {
			if proving(r) {
				w.WriteHeader(status)
				return true
			}
			return false
		}
		h.start()
		cfg := h.config(t, `LAB\svc`, "wrong")
		c := dialTo(t, cfg)
		for range 12 {
			_, _ = c.Identify(withDeadline(t, 5*time.Second))
		}
		if _, proofs, _, _ := h.figures(); proofs != unansweredProofs || cfg.Account.May(cfg.Address) == nil {
			t.Errorf("http %d: %d proofs in 12 calls, want %d; %v", status, proofs, unansweredProofs, cfg.Account.May(cfg.Address))
		}
	}
}

// Only WinRM's own answer says that Basic was taken.
func TestBasicIsTakenByWinRMOnly(t *testing.T) {
	t.Parallel()
	for _, status := range []int{404, 403, 503, 502} {
		h := newFakeHost(t)
		var n, judged atomic.Int64
		h.on("Identify", func(w http.ResponseWriter, _ *http.Request, _ int) {
			if n.Add(1) == 1 {
				w.WriteHeader(status)
				return
			}
			judged.Add(1)
			w.Header().Set("WWW-Authenticate", `Basic realm="WSMAN"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
		c := h.dial(t)
		_, err := c.Identify(withDeadline(t, 5*time.Second))
		if _, sure := c.cfg.Account.certain(c.cfg.Host); err == nil || sure || c.cfg.Account.taken != 0 {
			t.Errorf("http %d counts as taken: %v", status, err)
		}
		atOnce(t, []*Conn{c, c, c, c, c, c}, 5*time.Second)
		if judged.Load() != 1 {
			t.Errorf("after http %d a wrong password was judged %d times, want once", status, judged.Load())
		}
	}
}

// What was sent before a host that took Basic said no to another is no second no.
func TestRefusalsOfOneMomentAreOne(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	var refuses atomic.Bool
	var here sync.WaitGroup
	here.Add(connsPerHost)
	ok := h.answers["Identify"]
	h.on("Identify", func(w http.ResponseWriter, r *http.Request, n int) {
		if !refuses.Load() {
			ok(w, r, n)
			return
		}
		here.Done()
		here.Wait()
		w.WriteHeader(http.StatusUnauthorized)
	})
	c := h.dial(t)
	if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	refuses.Store(true)
	atOnce(t, []*Conn{c, c, c}, 5*time.Second)
	if err := c.cfg.Account.May(c.cfg.Host); err != nil {
		t.Errorf("closed by one moment: %v", err)
	}
	h.on("Identify", ok)
	if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
		t.Errorf("the service is back: %v", err)
	}
}

// Who listens to the news does not hold the call.
func TestTellingDoesNotHoldTheCall(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t).start()
	held := make(chan struct{})
	var heard []string
	account, err := NewAccount(AccountConfig{Auth: AuthNTLM, User: `LAB\svc`, Password: rightPassword, TellAccepted: func(host string, _ time.Time) {
		<-held
		heard = append(heard, host)
	}})
	if err != nil {
		t.Fatal(err)
	}
	conns := many(t, h, 3, account)
	for _, c := range conns {
		if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := account.Told(short); err == nil {
		t.Error("all is told, it says")
	}
	close(held)
	told(t, account)
	if len(heard) != 3 || heard[0] != "mbx0.lab.test" || heard[2] != "mbx2.lab.test" {
		t.Errorf("told %v, want all in order", heard)
	}
	account.mu.Lock()
	defer account.mu.Unlock()
	if account.telling != nil {
		t.Error("somebody still tells")
	}
}
