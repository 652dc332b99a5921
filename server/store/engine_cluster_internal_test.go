package store

import (
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
)

// TestAClusterIsNoFurtherThanItsServers: nodes at the target prove nothing of a
// clustered mailbox server that /UpgradeCms did not take there, however old the look
// at it is; a rollup of the nodes is no lag.
func TestAClusterIsNoFurtherThanItsServers(t *testing.T) {
	t.Parallel()
	now := time.Date(2010, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, node, cms string
		age             time.Duration
		build           string
		doubts          int
	}{
		{"half upgraded, just seen", "8.1.240.6", "8.0.685.25", time.Minute, "8.0.685.25", 0},
		{"half upgraded, seen two hours ago", "8.1.240.6", "8.0.685.25", 2 * time.Hour, "8.1.240.6", 1},
		{"upgraded", "8.1.240.6", "8.1.240.6", 2 * time.Hour, "8.1.240.6", 0},
		{"a rollup on the nodes", "8.1.375.2", "8.1.240.6", time.Minute, "8.1.375.2", 0},
	} {
		build, err := exchange.ParseBuild(c.node)
		if err != nil {
			t.Fatal(err)
		}
		one := reading{build: build, readAt: now, clusterAt: now.Add(-c.age)}
		one.cluster.CMS = append(one.cluster.CMS, preflight.ClusteredCMS{Name: "CMS1", Build: c.cms})
		one.judgeCluster()
		if one.build.String() != c.build || len(one.doubts) != c.doubts {
			t.Errorf("%s: at %s with doubts %q, want %s and %d", c.name, one.build, one.doubts, c.build, c.doubts)
		}
	}
}
