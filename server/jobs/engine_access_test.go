package jobs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// sent counts the proofs that the hosts were shown.
func (w *world) sent() int {
	n := 0
	for _, p := range w.fleet.Proofs() {
		n += p.Sent
	}
	return n
}

func (w *world) first(v store.RolloutView) store.UpgradeRow { return v.Waves[0].Upgrades[0] }

// TestCertificateThatChangesWhileSetupRuns: the upgrade is out of sight and a
// decision, nothing is sent meanwhile, and after the decision it goes on by
// itself, without another Setup.
func TestCertificateThatChangesWhileSetupRuns(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := worldBy(t, "server,fqdn,roles,site,build,address,port\nCAS1,cas1.corp.example,ClientAccess,HQ,8.0.685.25,127.0.125.201,5986\n",
		"https,ntlm,self-signed", store.Profile{Auth: store.AuthNTLM, HTTPS: true, TLS10: true, Trust: store.TrustFirstUse})
	confirm := func(reason string) store.Pin {
		t.Helper()
		offers, err := w.Store.OpenPins(ctx)
		if err != nil || len(offers) != 1 {
			t.Fatalf("OpenPins = %v, %v, want one", offers, err)
		}
		if err := w.Store.ConfirmPin(ctx, admin, offers[0].ID, offers[0].SHA256, reason); err != nil {
			t.Fatal(err)
		}
		return offers[0]
	}
	w.await(t, "the first certificate is offered", 60*time.Second, func(store.RolloutView) bool {
		offers, err := w.Store.OpenPins(ctx)
		return err == nil && len(offers) == 1
	})
	if n := w.sent(); n != 0 {
		t.Errorf("%d proofs were sent before the certificate was confirmed, want none", n)
	}
	confirm("compared at the console")
	w.await(t, "Setup runs", 90*time.Second, func(store.RolloutView) bool { return w.journal.count("CAS1", "setup-started") == 1 })
	if err := w.fleet.Inject(twin.Fault{Host: "CAS1", Name: "certificate-changed"}); err != nil {
		t.Fatal(err)
	}
	v := w.await(t, "the upgrade waits for the decision", 60*time.Second, func(v store.RolloutView) bool {
		u := w.first(v)
		return u.State == rollout.OutOfSight && strings.Contains(u.Message, "shows another certificate")
	})
	u, before := w.first(v), w.sent()
	pin, err := w.fleet.Pin("CAS1")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.ToLower(strings.ReplaceAll(u.Message, ":", "")); !strings.Contains(got, fmt.Sprintf("%x", pin)) {
		t.Errorf("the message is %q, want it to hold %x", u.Message, pin)
	}
	if !strings.Contains(u.Remedy, "server's page") || u.Step != "setup" {
		t.Errorf("at %s the remedy is %q, want setup, and where to decide", u.Step, u.Remedy)
	}
	// Two more looks: nothing is sent, and no limit counts.
	seen := w.tick(t, u.ID)
	w.await(t, "it was looked at twice more", 60*time.Second, func(store.RolloutView) bool { return w.tick(t, u.ID) >= seen+2 })
	if n := w.sent(); n != before {
		t.Errorf("%d proofs were sent while a person decides, want none", n-before)
	}
	if p := confirm("the team renewed it"); len(p.Known) != 1 {
		t.Errorf("it was offered beside %v, want the one before", p.Known)
	}
	v = w.await(t, "the rollout is done", 120*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	if u := w.first(v); u.State != rollout.Done || w.journal.count("CAS1", "setup-started") != 1 {
		t.Errorf("%s is %s after %d Setups, want done after one", u.Server, u.State, w.journal.count("CAS1", "setup-started"))
	}
	w.noSecrets(t)
}

// tick counts how often the host offered its certificate since: each tick sees it.
func (w *world) tick(t *testing.T, upgrade int64) int64 {
	t.Helper()
	var n int64
	err := w.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM river_job j, unnest(COALESCE(j.attempted_by, '{}')) WHERE j.kind = 'tick' AND (j.args ->> 'upgrade')::bigint = $1", upgrade).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCredentialThatIsRefusedWhileSetupRuns: the password expires while Setup
// runs. The upgrade is out of sight, at most two proofs are refused, and it goes
// on once the right one is set, without another Setup.
func TestCredentialThatIsRefusedWhileSetupRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "server,roles,site,build,address,port\nCAS1,ClientAccess,HQ,8.0.685.25,127.0.125.202,5985\n")
	set := func(password string) {
		t.Helper()
		p, err := w.Store.ProfileByName(t.Context(), "default")
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := w.seal(password, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		err = w.Store.SetCredential(t.Context(), admin, store.SealedCredential{ProfileID: p.ID, Purpose: store.PurposeWinRM, Account: "wk", Sealed: sealed, KeyID: w.keyID})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.await(t, "Setup runs", 60*time.Second, func(store.RolloutView) bool { return w.journal.count("CAS1", "setup-started") == 1 })
	set("Not-The-One-4")
	v := w.await(t, "the upgrade waits for the right password", 60*time.Second, func(v store.RolloutView) bool {
		u := w.first(v)
		return u.State == rollout.OutOfSight && strings.Contains(u.Message, "refused the credential")
	})
	u := w.first(v)
	if !strings.Contains(u.Remedy, "credential rotate") || u.Step != "setup" {
		t.Errorf("at %s the remedy is %q, want setup, and what to do", u.Step, u.Remedy)
	}
	refused := 0
	for _, p := range w.fleet.Proofs() {
		refused += p.Refused
	}
	if refused != 1 {
		t.Errorf("%d proofs were refused, want one", refused)
	}
	set(winrmPassword)
	v = w.await(t, "the rollout is done", 120*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	if u := w.first(v); u.State != rollout.Done || w.journal.count("CAS1", "setup-started") != 1 {
		t.Errorf("%s is %s after %d Setups, want done after one", u.Server, u.State, w.journal.count("CAS1", "setup-started"))
	}
}
