//go:build !race

package torture

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// What the model found, each as a test of its own.

// TestVerifyNeedsNoApproval: a server that was repaired by hand is only looked
// at, so it is verified also where its wave is not approved. It failed because
// no run-as account was approved.
func TestVerifyNeedsNoApproval(t *testing.T) {
	t.Parallel()
	tr := idleTrial(t)
	tr.coordinator(t)
	u := tr.upgrade(tr.view(t), victim)
	must(t, tr.Store.VerifyUpgrade(t.Context(), tr.operator, u.ID, "repaired by hand", tr.book))
	v := tr.await(t, "the verification ends", restWithin, func(v store.RolloutView) bool {
		return tr.upgrade(v, victim).State == rollout.Failed
	})
	if u := tr.upgrade(v, victim); strings.Contains(u.Message, "run-as") || !strings.Contains(u.Message, "8.0.685.25") || u.Remedy == "" {
		t.Errorf("message %q, remedy %q: want what the host's build is", u.Message, u.Remedy)
	}
	if n := tr.truth.count("", "setup-started"); n > 0 {
		t.Errorf("Setup was started %d times", n)
	}
	tr.checkAlways(t)
}

// TestRetryAfterAVerificationStarts: a server whose verification failed before
// its wave was approved is tried again, and the wave comes to its end.
func TestRetryAfterAVerificationStarts(t *testing.T) {
	t.Parallel()
	tr := idleTrial(t)
	tr.coordinator(t)
	for _, server := range []string{"MBX1", "HUB1"} {
		u := tr.upgrade(tr.view(t), server)
		must(t, tr.Store.VerifyUpgrade(t.Context(), tr.operator, u.ID, "repaired by hand", tr.book))
		tr.await(t, "the verification ends", restWithin, func(v store.RolloutView) bool {
			return tr.upgrade(v, server).State == rollout.Failed
		})
		must(t, tr.Store.RetryUpgrade(t.Context(), tr.operator, u.ID, "then by Setup", tr.book))
	}
	tr.approveAll(t)
	tr.finish(t, 2*time.Minute)
	tr.check(t)
}

// TestFloorIsSeenAfterAVerification: of two of a role one was verified in vain
// and waits again; that the other is in service is looked at, and both are done.
func TestFloorIsSeenAfterAVerification(t *testing.T) {
	t.Parallel()
	const csv = `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.108.91,5985,BackupAgent
CAS2,ClientAccess,HQ,8.0.685.25,127.0.108.92,5985,BackupAgent
`
	tr := &trial{arena: newArena(t, csv)}
	tr.coordinator(t)
	u := tr.upgrade(tr.view(t), "CAS1")
	must(t, tr.Store.VerifyUpgrade(t.Context(), tr.operator, u.ID, "repaired by hand", tr.book))
	tr.await(t, "the verification ends", restWithin, func(v store.RolloutView) bool {
		return tr.upgrade(v, "CAS1").State == rollout.Failed
	})
	must(t, tr.Store.RetryUpgrade(t.Context(), tr.operator, u.ID, "then by Setup", tr.book))
	tr.approveAll(t)
	tr.finish(t, 2*time.Minute)
	tr.check(t)
}

// TestAWaveThatOpensIsStoppedAtOnce: a server of a wave that had not opened was
// verified in vain; the wave opens over its threshold. Opening and stopping in
// one advance were refused, and with them everything else in the rollout, for
// good.
func TestAWaveThatOpensIsStoppedAtOnce(t *testing.T) {
	t.Parallel()
	tr := idleTrial(t)
	c := tr.coordinator(t)
	u := tr.upgrade(tr.view(t), "HUB1")
	must(t, tr.Store.VerifyUpgrade(t.Context(), tr.operator, u.ID, "repaired by hand", tr.book))
	tr.await(t, "the verification ends", restWithin, func(v store.RolloutView) bool {
		return tr.upgrade(v, "HUB1").State == rollout.Failed
	})
	tr.approveAll(t)
	tr.await(t, "the wave is stopped", restWithin, func(v store.RolloutView) bool {
		return v.State == rollout.RolloutRunning && v.Waves[0].State == rollout.WaveStopped
	})
	must(t, tr.Store.RetryUpgrade(t.Context(), tr.operator, u.ID, "then by Setup", tr.book))
	tr.finish(t, 2*time.Minute)
	tr.check(t)
	if said := c.said(t); strings.Contains(said, "is not possible") {
		t.Errorf("the coordinator was refused: %s", said)
	}
}
