package httpd

import (
	"testing"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// The second clustered mailbox server of a cluster stands in no wave, and is done
// all the same: with the first.
func TestAnotherServerOfAClusterIsDoneWithTheFirst(t *testing.T) {
	t.Parallel()
	nodes := []exchange.Node{{Name: "NODE1", Address: "127.0.0.1"}, {Name: "NODE2", Address: "127.0.0.2"}}
	clustered := func(name string) exchange.Server {
		return exchange.Server{Name: name, Roles: []exchange.Role{exchange.Mailbox}, Site: "HQ", Cluster: exchange.SCC, Nodes: nodes}
	}
	plan := rollout.Plan{
		Servers: []exchange.Server{clustered("CMS1"), clustered("CMS2"), {Name: "MBX1", Roles: []exchange.Role{exchange.Mailbox}}},
		Waves:   [][]string{{"CMS1"}},
	}
	got := map[string]string{}
	for _, item := range inNoWave(plan, rollout.Report{}) {
		got[item.Name] = item.Value
	}
	if want := "done with CMS1 in wave 1: they are on the same nodes"; got["CMS2"] != want {
		t.Errorf("CMS2: %q, want %q", got["CMS2"], want)
	}
	if want := "nothing is to be done on it"; got["MBX1"] != want || len(got) != 2 {
		t.Errorf("%v", got)
	}
}
