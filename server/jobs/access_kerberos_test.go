package jobs_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/kerberos/kdctest"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/store"
)

// TestTheTicketsOfAnAccountAreOneForAllHosts: what is asked of the KDC for
// twenty hosts stands in the KDC's own log. A wrong password is shown to it once,
// and with the right one in its place all go on.
func TestTheTicketsOfAnAccountAreOneForAllHosts(t *testing.T) {
	t.Parallel()
	const hosts = 20
	var names []string
	for n := range hosts {
		names = append(names, fmt.Sprintf("mbx%d.corp.example", n+1))
	}
	k := kdctest.New(t, "127.0.128.248", "", names...)
	read := func(path string) []byte {
		t.Helper()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	r := reachFrom(t, 11, hosts, "127.0.128", "http,kerberos", store.Profile{Auth: store.AuthKerberos, Realm: kdctest.Realm, KDCs: []string{k.Address}},
		func(o *twin.Options) {
			o.Keytab = read(k.HostKeytab)
			o.Accounts = []twin.Account{{Name: `CORP\` + kdctest.Account, Admin: true}}
		})
	r.setSecret(kdctest.Account, store.KindKeytab, read(k.AccountKeytab))
	r.coordinate()
	logins, tickets, refused := 0, 0, 0
	asked := func() (moreLogins, moreTickets, moreRefused int) {
		l, s, n := k.Count(t, "AS_REQ", "ISSUE"), k.Count(t, "TGS_REQ", "ISSUE"), k.Count(t, "PREAUTH_FAILED")
		moreLogins, moreTickets, moreRefused = l-logins, s-tickets, n-refused
		logins, tickets, refused = l, s, n
		return moreLogins, moreTickets, moreRefused
	}
	expect := func(what, outcome string, wantLogins, wantTickets, wantRefused int) (message string) {
		t.Helper()
		began := time.Now()
		outcomes, message := r.ask()
		l, s, n := asked()
		if outcomes[outcome] != hosts || l != wantLogins || s != wantTickets || n != wantRefused {
			t.Errorf("%s: %v, %s; the KDC issued %d logins and %d tickets and refused %d passwords, want %d, %d and %d", what, outcomes, message, l, s, n, wantLogins, wantTickets, wantRefused)
		}
		t.Logf("%s: %v after %s", what, outcomes, time.Since(began).Round(time.Millisecond))
		return message
	}
	expect("with a keytab", "done", 1, hosts, 0)
	expect("a second round", "done", 0, 0, 0)

	r.set(kdctest.Account, "Not-The-One-6")
	message := expect("with a wrong password", "denied", 0, 0, 1)
	for _, part := range []string{kdctest.Account, "profile default", "credential rotate", "credential retry"} {
		if !strings.Contains(message, part) {
			t.Errorf("a host says %q, want it to name %s", message, part)
		}
	}
	expect("a second round with it", "denied", 0, 0, 0)
	r.set(kdctest.Account, kdctest.Password)
	expect("with the right password", "done", 1, hosts, 0)
	if r.sent() != 0 {
		t.Errorf("hosts were shown %d proofs of passwords, want none", r.sent())
	}
}
