package runbook

import (
	"fmt"
	"strings"
	"testing"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// What was begun keeps its place; what comes after it does, too, unless a server came
// to the node whose turn is next: that one is not passive any more.
func TestTheTurnsThatAreLeftFollowTheCluster(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		begun  string // notes of steps in which something was begun
		chosen string // node<server, in the order of their turns
		at     string // nodes at the target
		owners string // server=node, ! = at the target
		want   string
	}{
		"nothing begun, another node is passive now": {"", "C<CMS1 A<CMS2 B<", "", "CMS1=A CMS2=C", "B<CMS1 A<CMS2 C<"},
		"a server came to the next node":             {"setup-1 move-cms-1", "C<CMS1 A<CMS2 B<", "C", "CMS1=C! CMS2=A", "C<CMS1 B<CMS2 A<"},
		"nothing overtook":                           {"setup-1 move-cms-1", "C<CMS1 B<CMS2 A<", "C", "CMS1=C! CMS2=A", "C<CMS1 B<CMS2 A<"},
		"the next node's server leaves it first":     {"setup-1", "C<CMS1 A<CMS2 B<", "", "CMS1=A CMS2=B", "C<CMS1 A<CMS2 B<"},
		"both left are begun":                        {"setup-1 setup-2", "C<CMS1 A<CMS2 B<", "C", "CMS1=C! CMS2=A", "C<CMS1 A<CMS2 B<"},
		"the last one's server is its own":           {"setup-1 setup-2 move-cms-2", "C<CMS1 A<CMS2 B<", "A C", "CMS1=C! CMS2=A!", "C<CMS1 A<CMS2 B<"},
	} {
		w := &Work{Nodes: []string{"A", "B", "C"}, Notes: map[string]map[string]string{}, Package: Package{Target: exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 6}}}
		for _, step := range strings.Fields(c.begun) {
			w.Notes[step] = map[string]string{setupRan: "yes"}
		}
		for i, node := range strings.Fields(c.at) {
			w.Notes[fmt.Sprintf("facts-%d", i+1)] = map[string]string{nodeName: node, nodeAt: "yes"}
		}
		kept := map[string]string{}
		for i, each := range strings.Fields(c.chosen) {
			node, server, _ := strings.Cut(each, "<")
			kept[fmt.Sprintf("node-%d", i+1)], kept[fmt.Sprintf("cms-%d", i+1)] = node, server
		}
		var cluster windows.Cluster
		for _, each := range strings.Fields(c.owners) {
			server, node, _ := strings.Cut(each, "=")
			build := "8.0.685.25"
			if strings.HasSuffix(node, "!") {
				build = "8.1.240.6"
			}
			cluster.Servers = append(cluster.Servers, windows.ClusterServer{Name: server, Owner: strings.TrimSuffix(node, "!"), State: onlineState, Build: build})
			w.Servers = append(w.Servers, exchange.Server{Name: server})
		}
		got := c.chosen
		if bound, all := boundTurns(w, kept); !all || overtaken(cluster, kept, bound) {
			turns, why := order(w, cluster, false, bound...)
			got = why
			for _, each := range turns {
				got = strings.TrimSpace(got + " " + each.node + "<" + each.server)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
