package httpd

import (
	"slices"
	"testing"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
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

// Who shares its nodes with a chosen clustered mailbox server is in the plan, too:
// or its nodes would be upgraded under it, and nobody would upgrade it.
func TestACMSIsPlannedWithAllOnItsNodes(t *testing.T) {
	t.Parallel()
	clustered := func(name string, nodes ...string) store.Server {
		one := exchange.Server{Name: name, Cluster: exchange.SCC}
		for _, n := range nodes {
			one.Nodes = append(one.Nodes, exchange.Node{Name: n})
		}
		return store.Server{Server: one}
	}
	all := []store.Server{clustered("CMS1", "N1", "N2"), clustered("CMS2", "N2", "N1"), clustered("CMS3", "N3", "N4"), {Server: exchange.Server{Name: "MBX1"}}}
	names := func(list []exchange.Server) (out []string) {
		for _, one := range list {
			out = append(out, one.Name)
		}
		return out
	}
	chosen := map[string]bool{"CMS2": true}
	inside, outside := withMates(all, chosen)
	if got := names(inside); !slices.Equal(got, []string{"CMS1", "CMS2"}) {
		t.Errorf("in the plan: %v", got)
	}
	if got := names(outside); !slices.Equal(got, []string{"CMS3", "MBX1"}) {
		t.Errorf("outside: %v", got)
	}
	if len(chosen) != 1 {
		t.Errorf("what was chosen changed: %v", chosen)
	}
}
