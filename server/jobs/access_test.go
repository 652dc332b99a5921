package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/jobs"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// reached is a fleet that is only asked for facts.
type reached struct {
	storetest.DB
	t       *testing.T
	fleet   *twin.Fleet
	options twin.Options
	key     *secret.Key
	profile int64
	servers []int64
}

// reach starts hosts at net.1 and after, which are reached as access says, a
// database with a profile for them, and no coordinator.
func reach(t *testing.T, hosts int, net, access string, p store.Profile) *reached {
	t.Helper()
	return reachFrom(t, 1, hosts, net, access, p)
}

// reachFrom is reach with hosts at net.first and after.
func reachFrom(t *testing.T, first, hosts int, net, access string, p store.Profile, change ...func(*twin.Options)) *reached {
	t.Helper()
	ctx := t.Context()
	var csv strings.Builder
	csv.WriteString("server,fqdn,roles,site,build,address,port\n")
	for i := 1; i <= hosts; i++ {
		fmt.Fprintf(&csv, "MBX%d,mbx%d.corp.example,Mailbox,HQ,8.0.685.25,%s.%d,5985\n", i, i, net, first+i-1)
	}
	inv, faults := exchange.ReadInventory(strings.NewReader(csv.String()))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	way, err := twin.ParseAccess("*=" + access)
	if err != nil {
		t.Fatal(err)
	}
	r := &reached{DB: storetest.New(t), t: t}
	o := twin.Options{
		Servers: inv.Servers, User: "wk", Password: winrmPassword, Access: []twin.HostAccess{way}, Speed: 2000,
		Accounts: []twin.Account{{Name: `CORP\wk`, Password: winrmPassword, Admin: true}},
	}
	for _, one := range change {
		one(&o)
	}
	r.options = o
	if r.fleet, err = twin.Start(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.fleet.Close() })
	if r.key, err = secret.Load(filepath.Join(t.TempDir(), "key")); err != nil {
		t.Fatal(err)
	}
	p.Name, p.Ranges = "default", []string{"127.0.0.0/8"}
	if r.profile, err = r.Store.SaveProfile(ctx, admin, p); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Store.ImportInventory(ctx, admin, inv, nil, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	all, err := r.Store.Servers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		r.servers = append(r.servers, s.ID)
	}
	return r
}

func (r *reached) set(account, password string) {
	r.t.Helper()
	r.setSecret(account, store.KindPassword, []byte(password))
}

// setSecret stores the credential in place of the one before.
func (r *reached) setSecret(account, kind string, content []byte) {
	r.t.Helper()
	sealed, err := r.key.Seal(content, r.profile, store.PurposeWinRM)
	if err != nil {
		r.t.Fatal(err)
	}
	err = r.Store.SetCredential(r.t.Context(), admin, store.SealedCredential{
		ProfileID: r.profile, Purpose: store.PurposeWinRM, Account: account, Kind: kind, Sealed: sealed, KeyID: r.key.ID(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// coordinate starts one more coordinator, which the function ends.
func (r *reached) coordinate() (stop func()) {
	r.t.Helper()
	engine, err := jobs.New(jobs.Options{Store: r.Store, Keys: r.key, Table: runbook.Standalone(), Log: slog.New(slog.NewTextHandler(r.t.Output(), nil))})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := engine.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := engine.Stop(ctx); err != nil {
			r.t.Error(err)
		}
	}
	r.t.Cleanup(stop)
	return stop
}

// ask has all hosts asked. It returns how many came to which outcome.
func (r *reached) ask() (outcomes map[string]int, message string) {
	r.t.Helper()
	ctx := r.t.Context()
	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	asked, begin := map[int64]bool{}, r.now()
	for {
		outcomes = map[string]int{}
		all, err := r.Store.Servers(ctx)
		if err != nil {
			r.t.Fatal(err)
		}
		var again []int64
		for _, s := range all {
			h := s.Hosts[0]
			switch {
			case !asked[s.ID]:
				again, asked[s.ID] = append(again, s.ID), true
			case h.LastProbeAt == nil || h.LastProbeAt.Before(begin):
				outcomes["asked"]++
			default:
				outcomes[h.Outcome]++
				message = h.Error
			}
		}
		if len(again) > 0 {
			if _, err := r.Store.RequestProbes(ctx, admin, again); err != nil {
				r.t.Fatal(err)
			}
			outcomes["asked"]++
		}
		if outcomes["asked"] == 0 {
			return outcomes, message
		}
		select {
		case <-deadline.C:
			r.t.Fatalf("not all hosts were asked: %v, %s", outcomes, message)
		case <-every.C:
		}
	}
}

func (r *reached) now() (now time.Time) {
	r.t.Helper()
	if err := r.Store.Pool().QueryRow(r.t.Context(), "SELECT clock_timestamp()").Scan(&now); err != nil {
		r.t.Fatal(err)
	}
	return now
}

// refused counts the proofs that the hosts refused.
func (r *reached) refused() int {
	n := 0
	for _, p := range r.fleet.Proofs() {
		n += p.Refused
	}
	return n
}

// sent counts the proofs that the hosts were shown.
func (r *reached) sent() int {
	n := 0
	for _, p := range r.fleet.Proofs() {
		n += p.Sent
	}
	return n
}

func TestAWrongPasswordOfTheDomainIsSentOnce(t *testing.T) {
	t.Parallel()
	r := reach(t, 100, "127.0.125", "http,ntlm", store.Profile{Auth: store.AuthNTLM})
	r.set(`CORP\wk`, "Not-The-One-3")
	first := r.coordinate()
	r.coordinate()
	outcomes, message := r.ask()
	if outcomes["denied"] != 100 || r.refused() != 1 {
		t.Errorf("%v, and %d refused proofs; want all 100 denied after one", outcomes, r.refused())
	}
	for _, part := range []string{`CORP\wk`, "profile default", "credential rotate", "credential retry"} {
		if !strings.Contains(message, part) {
			t.Errorf("a host says %q, want it to name %s", message, part)
		}
	}
	first() // another coordinator begins anew
	r.coordinate()
	if outcomes, _ := r.ask(); outcomes["denied"] != 100 || r.refused() != 1 {
		t.Errorf("after a restart: %v, and %d refused proofs; want no more", outcomes, r.refused())
	}
	if _, err := r.Store.RetryCredential(t.Context(), admin, "default", store.PurposeWinRM, "once more"); err != nil {
		t.Fatal(err)
	}
	if outcomes, _ := r.ask(); outcomes["denied"] != 100 || r.refused() != 2 {
		t.Errorf("tried again: %v, and %d refused proofs; want one more", outcomes, r.refused())
	}
	r.set(`CORP\wk`, winrmPassword)
	outcomes, message = r.ask() // where many tests run at once, some hosts' facts take too long
	if outcomes["denied"] > 0 || outcomes["done"] == 0 || r.refused() != 2 {
		t.Errorf("with the right password: %v, and %d refused proofs: %s", outcomes, r.refused(), message)
	}
}

func TestAWrongPasswordOfLocalAccountsIsSentTwice(t *testing.T) {
	t.Parallel()
	r := reachFrom(t, 101, 100, "127.0.125", "http,basic,plain", store.Profile{Auth: store.AuthBasic, PlainBasic: true})
	r.set("wk", "Not-The-One-3")
	r.coordinate()
	r.coordinate()
	if outcomes, _ := r.ask(); outcomes["denied"] != 100 || r.refused() > 2 {
		t.Errorf("%v, and %d refused proofs; want all 100 denied after at most two", outcomes, r.refused())
	}
}

func TestOnFirstUseNothingIsSentBeforeAPersonConfirms(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := reachFrom(t, 203, 2, "127.0.125", "https,ntlm,self-signed,tls1.0", store.Profile{Auth: store.AuthNTLM, HTTPS: true, TLS10: true, Trust: store.TrustFirstUse})
	r.set(`CORP\wk`, winrmPassword)
	r.coordinate()
	outcomes, message := r.ask()
	if outcomes["untrusted"] != 2 || r.sent() != 0 || !strings.Contains(message, "first contact") {
		t.Errorf("%v, %d proofs sent: %q; want both untrusted and none", outcomes, r.sent(), message)
	}
	offers, err := r.Store.OpenPins(ctx)
	if err != nil || len(offers) != 2 {
		t.Fatalf("OpenPins = %v, %v, want two", offers, err)
	}
	for _, p := range offers {
		pin, err := r.fleet.Pin(p.Host)
		if err != nil || p.SHA256 != fmt.Sprintf("%x", pin) || p.Subject == "" || p.NotAfter.IsZero() {
			t.Errorf("%s offers %+v, %v; want what it shows, %x", p.Host, p, err, pin)
		}
		if p.Host == "MBX2" {
			err = r.Store.RejectPin(ctx, admin, p.ID, p.SHA256, "not the one at the console")
		} else {
			err = r.Store.ConfirmPin(ctx, admin, p.ID, p.SHA256, "compared at the console")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	outcomes, _ = r.ask()
	if outcomes["done"] != 1 || outcomes["untrusted"] != 1 {
		t.Errorf("after one was confirmed and one rejected: %v", outcomes)
	}
	if err := r.fleet.Inject(twin.Fault{Host: "MBX1", Name: "certificate-changed"}); err != nil {
		t.Fatal(err)
	}
	before := r.sent()
	for outcomes["untrusted"] != 2 { // the connection that it had may end first
		if outcomes, _ = r.ask(); outcomes["done"] > 0 || r.sent() != before {
			t.Fatalf("with another certificate: %v, and %d proofs more, want none", outcomes, r.sent()-before)
		}
	}
	offers, err = r.Store.OpenPins(ctx)
	if err != nil || len(offers) != 1 || len(offers[0].Known) != 1 {
		t.Errorf("OpenPins = %+v, %v, want MBX1's beside the one it is known by", offers, err)
	}
}
