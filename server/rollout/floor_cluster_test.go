package rollout_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
)

// A cluster in work counts as out of service to its end, and who reads why another
// one waits is told that people reach it for most of that time.
func TestTheFloorSaysThatAClusterInWorkServes(t *testing.T) {
	t.Parallel()
	servers := fleet(t, "cms1=MBX@A:ccr cms2=MBX@A:ccr mbx1=MBX@B mbx2=MBX@B")
	plan, _, err := rollout.Make(servers, packageNamed(t, "sp1"), rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2008, 1, 7, 20, 0, 0, 0, time.UTC)
	s := rollout.Snapshot{Plan: plan, State: rollout.RolloutRunning, Prepared: true, Waves: []rollout.WaveStatus{{Number: 1, State: rollout.WaveRunning}}}
	for _, one := range servers {
		up := rollout.UpgradeStatus{
			Server: one.Name, Wave: 1, State: rollout.Waiting, Approval: rollout.ApprovalMatching, ReadAt: now.Add(-time.Minute), Build: rtm,
			Health: rollout.Health{HealthAt: now.Add(-time.Minute)},
		}
		if strings.HasSuffix(one.Name, "1") {
			up.State, up.StartedAt = rollout.Running, now.Add(-time.Hour)
		}
		s.Upgrades = append(s.Upgrades, up)
	}
	why := rollout.Explain(s, now)
	for server, want := range map[string]string{
		"CMS2": "1 of 2 Mailbox servers of site A are in service and at least 1 must stay. A cluster in work counts as out of service to its end, though people reach it except between stop and online: CMS1.",
		"MBX2": "1 of 2 Mailbox servers of site B are in service and at least 1 must stay.",
	} {
		if len(why[server]) != 1 || why[server][0].Text != want {
			t.Errorf("%s waits for %+v, want %q", server, why[server], want)
		}
	}
}
