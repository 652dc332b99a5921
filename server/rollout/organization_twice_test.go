package rollout_test

import (
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// TestTheOrganizationIsPreparedByOneAtATime: two plans, each on a server of its
// own, would have two runs of Setup change one schema.
func TestTheOrganizationIsPreparedByOneAtATime(t *testing.T) {
	t.Parallel()
	p, err := exchange.PackageByName("sp1")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := rollout.MakeOrganization([]exchange.Server{{Name: "MBX1", Roles: []exchange.Role{exchange.Mailbox}, Site: "HQ", Arch: "x64"}}, p)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2010, 5, 1, 12, 0, 0, 0, time.UTC)
	s := rollout.Snapshot{
		Plan: plan, State: rollout.RolloutRunning, Waves: []rollout.WaveStatus{{Number: 1, State: rollout.WaveRunning}},
		Upgrades: []rollout.UpgradeStatus{{Server: "MBX1", Wave: 1, State: rollout.Waiting, Approval: rollout.ApprovalMatching, ReadAt: now, Waived: []string{"organization-is-being-prepared"}}},
	}
	if why := rollout.Explain(s, now)["MBX1"]; len(why) != 0 {
		t.Fatalf("alone it waits for %+v", why)
	}
	s.PreparingOn = "HUB1"
	if why := rollout.Explain(s, now)["MBX1"]; len(why) != 1 || why[0].Rule != "organization-is-being-prepared" {
		t.Errorf("beside another it waits for %+v", why)
	}
}
