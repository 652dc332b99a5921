package jobs_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestAHostThatShowsItsCertificateAgainGoesOn: another certificate is a question
// only while the host shows it. When its own is back, nobody has to decide.
func TestAHostThatShowsItsCertificateAgainGoesOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := worldBy(t, "server,fqdn,roles,site,build,address,port\nCAS1,cas1.corp.example,ClientAccess,HQ,8.0.685.25,127.0.153.21,5986\n",
		"https,ntlm,self-signed", store.Profile{Auth: store.AuthNTLM, HTTPS: true, TLS10: true, Trust: store.TrustFirstUse})
	offered := func() int {
		offers, err := w.Store.OpenPins(ctx)
		if err != nil {
			return -1
		}
		return len(offers)
	}
	w.await(t, "the first certificate is offered", 60*time.Second, func(store.RolloutView) bool { return offered() == 1 })
	offers, err := w.Store.OpenPins(ctx)
	if err != nil || len(offers) != 1 {
		t.Fatal(offers, err)
	}
	if err := w.Store.ConfirmPin(ctx, admin, offers[0].ID, offers[0].SHA256, "compared at the console"); err != nil {
		t.Fatal(err)
	}
	w.await(t, "Setup runs", 90*time.Second, func(store.RolloutView) bool { return w.journal.count("CAS1", "setup-started") == 1 })
	if err := w.fleet.Inject(twin.Fault{Host: "CAS1", Name: "certificate-changed"}); err != nil {
		t.Fatal(err)
	}
	w.await(t, "the upgrade waits for the decision", 60*time.Second, func(v store.RolloutView) bool {
		u := w.first(v)
		return u.State == rollout.OutOfSight && strings.Contains(u.Message, "shows another certificate") && offered() == 1
	})
	if err := w.fleet.Mend("CAS1"); err != nil {
		t.Fatal(err)
	}
	v := w.await(t, "the rollout is done", 120*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	if u := w.first(v); u.State != rollout.Done || w.journal.count("CAS1", "setup-started") != 1 {
		t.Errorf("%s is %s after %d Setups, want done after one", u.Server, u.State, w.journal.count("CAS1", "setup-started"))
	}
	if n := offered(); n != 0 {
		t.Errorf("%d certificates wait for a person though the host shows its own again", n)
	}
}
