package runbook_test

import (
	"slices"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
)

// TestThePolicyReachesDraining: what an admin set, and the defaults.
func TestThePolicyReachesDraining(t *testing.T) {
	t.Parallel()
	set := preflight.Policy{preflight.DrainQueue: 3, preflight.DrainMinutes: 90}
	if p := runbook.PolicyOf(set); p.QueueLimit != 3 || p.DrainFor != 90*time.Minute || p.Rules.Of(preflight.DrainQueue) != 3 {
		t.Errorf("set: %+v", p)
	}
	if p := runbook.PolicyOf(nil); p.QueueLimit != 20 || p.DrainFor != 30*time.Minute {
		t.Errorf("defaults: %+v", p)
	}
}

// TestWhatNeedsTheAccountWaitsForIt: every kind that is put back by a host task
// under the run-as account.
func TestWhatNeedsTheAccountWaitsForIt(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{
		runbook.RevocationEntry: true, runbook.UMEntry: true, runbook.UMPackEntry: true, runbook.ForefrontEntry: true, runbook.ClusterEntry: true,
		runbook.ServiceEntry: false, runbook.PausedEntry: false, runbook.HookEntry: false,
	} {
		if got := runbook.NeedsRunAs(kind); got != want {
			t.Errorf("%s: %t, want %t", kind, got, want)
		}
	}
}

// TestEveryRunbookOfServersVerifiesARepair: a person's word that a server was
// repaired begins with its last verifying step.
func TestEveryRunbookOfServersVerifiesARepair(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"standalone-service-pack": "verify", "standalone-rollup": "rollup-verify", "standalone-service-pack-and-rollup": "verify",
		"ccr-service-pack": "verify", "ccr-rollup": "verify", "scc-3-2-rollup": "verify", "ccr-service-pack-and-rollup": "verify", rollout.OrganizationRunbook: "",
	} {
		book, ok := runbook.ByName(name)
		if !ok {
			t.Errorf("no runbook %s", name)
			continue
		}
		plan := book.Plain()
		got, ok := plan.Verifying()
		if got != want || ok != (want != "") {
			t.Errorf("%s begins at %q, want %q", name, got, want)
		}
		if ok && !slices.ContainsFunc(plan.Steps, func(s rollout.Step) bool { return s.Name == got }) {
			t.Errorf("%s has no step %q", name, got)
		}
	}
}
