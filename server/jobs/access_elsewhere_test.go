package jobs_test

import (
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/store"
)

// TestTheSameWrongPasswordInAnotherProfileIsNotSent: the domain counts it for the
// account, however the profile writes it.
func TestTheSameWrongPasswordInAnotherProfileIsNotSent(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := reachFrom(t, 101, 6, "127.0.152", "http,ntlm", store.Profile{Auth: store.AuthNTLM})
	other, err := r.Store.SaveProfile(ctx, admin, store.Profile{Name: "other", Auth: store.AuthNTLM, Ranges: []string{"127.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	r.Admin(t, "UPDATE server SET profile = 'other' WHERE name IN ('MBX4', 'MBX5', 'MBX6')")
	r.set(`CORP\wk`, "Not-The-One-7")
	first := r.profile
	r.profile = other
	r.set("wk@corp.example", "Not-The-One-7")
	r.profile = first
	r.coordinate()
	r.coordinate()
	for range 2 {
		if outcomes, message := r.ask(); outcomes["denied"] != 6 || r.refused() != 1 {
			t.Errorf("%v, and %d refused proofs, want one; %s", outcomes, r.refused(), message)
		}
	}
	if n, err := r.Store.RetryCredential(ctx, admin, "other", store.PurposeWinRM, "once more"); err != nil || n == 0 {
		t.Fatalf("RetryCredential = %d, %v", n, err)
	}
	if outcomes, message := r.ask(); outcomes["denied"] != 6 || r.refused() != 2 {
		t.Errorf("tried again: %v, and %d refused proofs, want one more; %s", outcomes, r.refused(), message)
	}
}

// TestAPasswordThatNoHostAnswersIsSentTwice: to all hosts together.
func TestAPasswordThatNoHostAnswersIsSentTwice(t *testing.T) {
	t.Parallel()
	const hosts = 8
	r := reachFrom(t, 111, hosts, "127.0.152", "http,ntlm", store.Profile{Auth: store.AuthNTLM}, func(o *twin.Options) {
		for _, s := range o.Servers {
			for range 6 {
				o.Faults = append(o.Faults, twin.Fault{Host: s.Name, Name: "login-dropped"})
			}
		}
	})
	r.set(`CORP\wk`, winrmPassword)
	r.coordinate()
	r.coordinate()
	var message string
	for range 3 {
		_, message = r.ask()
	}
	if outcomes, _ := r.ask(); outcomes["done"] > 0 || r.sent() > 2 || !strings.Contains(message, "could lock the account") {
		t.Errorf("%v after %d proofs, want two; %s", outcomes, r.sent(), message)
	}
}
