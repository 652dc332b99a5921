package jobs_test

import (
	"context"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/store"
)

// become has the hosts begin anew with another password of the domain's account:
// it was changed in the directory. What they counted begins anew, too.
func (r *reached) become(password string) {
	r.t.Helper()
	if err := r.fleet.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.options.Accounts = []twin.Account{{Name: `CORP\wk`, Password: password, Admin: true}}
	var err error
	if r.fleet, err = twin.Start(context.Background(), r.options); err != nil {
		r.t.Fatal(err)
	}
}

// TestAPasswordThatWasChangedInTheDirectoryIsSentToFew: directories lock an
// account after five to ten wrong ones. All hosts had taken the one before. Of two
// coordinators that begin one tries it, and a second host confirms; two that go
// on, and saw it taken a moment ago, may have four logins under way each.
func TestAPasswordThatWasChangedInTheDirectoryIsSentToFew(t *testing.T) {
	t.Parallel()
	const hosts = 40
	for _, c := range []struct {
		name    string
		first   int
		restart bool
		most    int
	}{{"two coordinators begin anew", 1, true, 3}, {"two coordinators go on", 51, false, 8}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := reachFrom(t, c.first, hosts, "127.0.151", "http,ntlm", store.Profile{Auth: store.AuthNTLM})
			r.set(`CORP\wk`, winrmPassword)
			a, b := r.coordinate(), r.coordinate()
			if outcomes, message := r.ask(); outcomes["done"] != hosts {
				t.Fatalf("before: %v, %s", outcomes, message)
			}
			if c.restart {
				a()
				b()
			}
			r.become("Changed-In-AD-1")
			if c.restart {
				r.coordinate()
				r.coordinate()
			}
			for range 2 {
				outcomes, message := r.ask()
				if outcomes["done"] > 0 || r.refused() > c.most {
					t.Errorf("%v, and %d refused proofs, want %d at most; %s", outcomes, r.refused(), c.most, message)
				}
			}
			if outcomes, message := r.ask(); outcomes["denied"] != hosts || r.refused() > c.most || !strings.Contains(message, "credential rotate") {
				t.Errorf("in the end: %v, and %d refused proofs; %s", outcomes, r.refused(), message)
			}
			t.Logf("%d refused proofs", r.refused())
			r.set(`CORP\wk`, "Changed-In-AD-1")
			if outcomes, message := r.ask(); outcomes["done"] != hosts {
				t.Errorf("with the new password: %v, %s", outcomes, message)
			}
		})
	}
}
