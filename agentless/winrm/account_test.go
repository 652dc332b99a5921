package winrm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func ntlmAccount(t testing.TB, user, password string) *Account {
	t.Helper()
	a, err := NewAccount(AccountConfig{Auth: AuthNTLM, User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// fleet is many hosts that one account is used for; each has a name of its own.
func fleet(t *testing.T, n int, account *Account) ([]*loginHost, []*Conn) {
	t.Helper()
	hosts, conns := make([]*loginHost, n), make([]*Conn, n)
	for i := range hosts {
		hosts[i] = newLoginHost(t).start()
		cfg := hosts[i].config(t, "x", "x")
		cfg.Account, cfg.Host = account, fmt.Sprintf("mbx%d.lab.test", i)
		conns[i] = dialTo(t, cfg)
	}
	return hosts, conns
}

func proofsOf(hosts []*loginHost) int {
	sum := 0
	for _, h := range hosts {
		_, proofs, _, _ := h.figures()
		sum += proofs
	}
	return sum
}

// The same wrong password is not sent to the next hosts, however many are asked
// at once.
func TestARefusedCredentialIsNotSentToTheNextHosts(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]int{`LAB\svc`: 1, "svc@lab.test": 1, "svc": 1, `.\svc`: 2} {
		hosts, conns := fleet(t, 12, ntlmAccount(t, user, "wrong"))
		var calls sync.WaitGroup
		for _, c := range conns {
			calls.Go(func() {
				_, err := c.Identify(withDeadline(t, 10*time.Second))
				var refused *CredentialRefused
				if !errors.As(err, &refused) || !errors.Is(err, ErrDenied) || strings.Contains(err.Error(), "wrong\"") {
					t.Errorf("%s: %v, want refused", user, err)
				}
			})
		}
		calls.Wait()
		if n := proofsOf(hosts); n != want {
			t.Errorf("%s: %d proofs at 12 hosts, want %d", user, n, want)
		}
	}
}

func TestHostsThatTookACredentialGoOn(t *testing.T) {
	t.Parallel()
	account := ntlmAccount(t, `LAB\svc`, rightPassword)
	var accepted []string
	account.cfg.TellAccepted = func(host string, _ time.Time) { accepted = append(accepted, host) }
	hosts, conns := fleet(t, 3, account)
	ask := func(i int) error {
		conns[i].transport.lanes.close() // the next call logs on anew
		_, err := conns[i].Identify(withDeadline(t, 5*time.Second))
		return err
	}
	if err := ask(0); err != nil {
		t.Fatal(err)
	}
	hosts[1].setPassword("another")
	if err := ask(1); Outcome(err) != OutcomeDenied {
		t.Fatalf("a host with another password: %v", err)
	}
	err := ask(2)
	if Outcome(err) != OutcomeDenied || proofsOf(hosts[2:]) != 0 || !strings.Contains(err.Error(), "nothing was sent") || !strings.Contains(err.Error(), "mbx1.lab.test refused it") {
		t.Errorf("the next host: %v after %d proofs", err, proofsOf(hosts[2:]))
	}
	if err := ask(0); err != nil {
		t.Errorf("the host that took it: %v", err)
	}
	told(t, account)
	if len(accepted) != 1 || accepted[0] != "mbx0.lab.test" {
		t.Errorf("told that %q took it", accepted)
	}
	again := ntlmAccount(t, `LAB\svc`, rightPassword)
	hosts[1].setPassword(rightPassword)
	for i := range conns {
		cfg := conns[i].cfg
		cfg.Account = again
		if _, err := dialTo(t, cfg).Identify(withDeadline(t, 5*time.Second)); err != nil {
			t.Errorf("host %d after a person wants it tried again: %v", i, err)
		}
	}
}

// A host that took the credential and says no once is asked once more: a service
// that starts, or a domain controller that is away, says no to what is right.
func TestOneRefusalAfterASuccessIsNoProof(t *testing.T) {
	t.Parallel()
	account := ntlmAccount(t, `LAB\svc`, rightPassword)
	hosts, conns := fleet(t, 2, account)
	ask := func() error {
		conns[0].transport.lanes.close()
		_, err := conns[0].Identify(withDeadline(t, 5*time.Second))
		return err
	}
	for i, password := range []string{rightPassword, "away", rightPassword, "away"} {
		hosts[0].setPassword(password)
		if err := ask(); (err == nil) != (password == rightPassword) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	before := proofsOf(hosts)
	for range 3 {
		if err := ask(); Outcome(err) != OutcomeDenied {
			t.Error(err)
		}
	}
	if n := proofsOf(hosts) - before; n != 1 {
		t.Errorf("%d more proofs, want one", n)
	}
}

// A password that was changed in the directory is refused by all hosts: two in a
// row close those, too, that took it before.
func TestTwoRefusalsInARowCloseADomainAccount(t *testing.T) {
	t.Parallel()
	hosts, conns := fleet(t, 8, ntlmAccount(t, `LAB\svc`, rightPassword))
	for _, c := range conns {
		if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	before := proofsOf(hosts)
	for i, c := range conns {
		hosts[i].setPassword("changed")
		c.transport.lanes.close()
		if _, err := c.Identify(withDeadline(t, 5*time.Second)); Outcome(err) != OutcomeDenied {
			t.Errorf("host %d: %v", i, err)
		}
	}
	if n := proofsOf(hosts) - before; n != 2 {
		t.Errorf("%d proofs of the old password at 8 hosts, want 2", n)
	}
}

func TestRefusalsAreKnownFromBefore(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	a, err := NewAccount(AccountConfig{
		Auth: AuthNTLM, User: `LAB\svc`, Password: rightPassword,
		Refused: []Refusal{{Host: "mbx1", At: at, Reason: "http 401"}, {At: at, Reason: "mbx1 refused it"}}, Accepted: []string{"mbx2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"mbx1": "by mbx1 at 2026-03-01 10:00 UTC: http 401", "mbx2": "", "mbx3": "mbx1 refused it"} {
		err := a.May(host)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", host, err, want)
		}
	}
}

// Basic goes with each message: with many calls at once the first alone shows
// whether it is taken.
func TestBasicShowsAWrongPasswordOnce(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	var shown atomic.Int32
	h.on("Identify", func(w http.ResponseWriter, _ *http.Request, _ int) {
		shown.Add(1)
		w.Header().Set("WWW-Authenticate", `Basic realm="WSMAN"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	c := h.dial(t)
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			if _, err := c.Identify(withDeadline(t, 5*time.Second)); Outcome(err) != OutcomeDenied {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if n := shown.Load(); n != 1 {
		t.Errorf("the password was sent %d times", n)
	}
}

// A host that does not take Basic refused no password.
func TestAHostWithoutBasicSaysWhatItTakes(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t).on("Identify", func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Add("WWW-Authenticate", "Negotiate")
		w.Header().Add("WWW-Authenticate", "Kerberos")
		w.WriteHeader(http.StatusUnauthorized)
	})
	c := h.dial(t)
	_, err := c.Identify(withDeadline(t, 5*time.Second))
	if Outcome(err) != OutcomeDenied || !strings.Contains(err.Error(), "does not take Basic, it offers Negotiate, Kerberos") {
		t.Errorf("%v", err)
	}
	if err := c.cfg.Account.May("127.0.0.1"); err != nil {
		t.Errorf("closed: %v", err)
	}
}

// While it is not known that a password is right, a host that hangs while it judges
// it holds the others up, until it is given up; afterwards it holds nobody up.
func TestAHostThatHangsHoldsTheOthersUpOnce(t *testing.T) {
	t.Parallel()
	account := ntlmAccount(t, `LAB\svc`, rightPassword)
	silent := newLoginHost(t)
	shown := make(chan struct{}, 10)
	silent.mischief = func(_ http.ResponseWriter, r *http.Request, _ *login) bool {
		if len(r.Header.Get("Authorization")) < 200 {
			return false
		}
		shown <- struct{}{}
		<-r.Context().Done()
		return true
	}
	silent.start()
	cfg := silent.config(t, "x", "x")
	cfg.Account, cfg.Host = account, "silent"
	hanging := dialTo(t, cfg)
	hosts, conns := fleet(t, 2, account)
	hang := func(ctx context.Context) func() {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = hanging.Identify(ctx) // it ends below, without an answer
		}()
		<-shown
		return func() { <-ended }
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := hang(ctx)
	waiting, enough := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer enough()
	if _, err := conns[0].Identify(waiting); Outcome(err) != OutcomeTimeout || proofsOf(hosts) > 0 {
		t.Errorf("a second host is tried while the first judges: %v", err)
	}
	cancel()
	ended()
	if _, err := conns[0].Identify(withDeadline(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	ended = hang(ctx)
	if _, err := conns[1].Identify(withDeadline(t, 5*time.Second)); err != nil {
		t.Error(err)
	}
	cancel()
	ended()
}

// told waits until an account has told all that it found out.
func told(t *testing.T, a *Account) {
	t.Helper()
	if err := a.Told(withDeadline(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
}

// Where only FIPS 140 is allowed, MD5 would end the process: NTLM is refused
// before.
func TestNTLMIsRefusedUnderFIPS(t *testing.T) {
	if os.Getenv("GODEBUG") == "fips140=only" {
		_, err := NewAccount(AccountConfig{Auth: AuthNTLM, User: "svc", Password: "p"})
		fmt.Fprintln(os.Stdout, err)
		return
	}
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNTLMIsRefusedUnderFIPS$")
	child.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if said, err := child.CombinedOutput(); err != nil || !strings.Contains(string(said), "start this program without it") {
		t.Errorf("%v: %s", err, said)
	}
}

func TestAccountsAreChecked(t *testing.T) {
	t.Parallel()
	for _, cfg := range []AccountConfig{{}, {Auth: "credssp"}, {Auth: AuthKerberos}, {Auth: AuthCertificate}, {Auth: AuthBasic, User: "a:b"}} {
		if _, err := NewAccount(cfg); Outcome(err) != OutcomeRefused {
			t.Errorf("%v: %v", cfg, err)
		}
	}
}

// What the directory refused is closed to all hosts, after a restart, too.
func TestARefusalForAllOutlivesARestart(t *testing.T) {
	t.Parallel()
	known := AccountConfig{Auth: AuthNTLM, User: `LAB\svc`, Password: "x"}
	for what, refuse := range map[string]func(*Account){
		"the directory": func(a *Account) { _ = a.deny("the KDC refused the password") },
		"two hosts that took it": func(a *Account) {
			for _, host := range []string{"mbx1", "mbx2"} {
				p, err := a.prove(t.Context(), host)
				if err != nil {
					t.Fatal(err)
				}
				_ = p.refused("http 401", &Fault{HTTPStatus: 401})
			}
		},
	} {
		var heard []Refusal
		cfg := known
		cfg.Accepted = []string{"mbx1", "mbx2", "mbx3"}
		cfg.Tell = func(r Refusal) { heard = append(heard, r) }
		before, err := NewAccount(cfg)
		if err != nil {
			t.Fatal(err)
		}
		refuse(before)
		told(t, before)
		if before.May("mbx3") == nil {
			t.Errorf("%s: open before the restart", what)
		}
		cfg.Tell, cfg.Refused = nil, heard
		after, err := NewAccount(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if after.May("mbx3") == nil {
			t.Errorf("%s: open after the restart, told %v", what, heard)
		}
	}
}
