package runbook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/server/rollout"
)

// The procedure for service packs is that of the founding document with what
// public reports add: passive node first, restart, stop, move, /UpgradeCms,
// online, then the other node (enowconsulting 2009, siliconexus 2010,
// redmondmag 2008). That for rollups is Microsoft's own (technet bb885043,
// bb885047): every group off the node, stop, move, start, no /UpgradeCms. A single
// copy cluster repeats it for each server (no page of it was read).

func ccrServicePack() Table { return clusterTable("ccr-service-pack", 2, 1, false) }

func sccServicePack(nodes, servers int) Table {
	return clusterTable(fmt.Sprintf("scc-%d-%d-service-pack", nodes, servers), nodes, servers, false)
}

// clusterTable is the runbook for so many nodes and clustered mailbox servers:
// a node, the server that goes to it, the next node.
func clusterTable(name string, nodes, servers int, rollup bool) Table {
	what := "a service pack"
	if rollup {
		what = "an update rollup"
	}
	return Table{
		Name: name, Version: 2, Words: clusterWords(nodes, servers, what), Decisions: decisions(),
		Steps: slices.Concat(
			chooseSteps(nodes, servers, rollup), []Step{hookStep(HookAnnounce)}, bringSteps(nodes), proveSteps(nodes),
			turnSteps(nodes, servers, half{rollup: rollup}), verifySteps(nodes, rollup), functionalSteps(servers), endSteps(nodes),
		),
	}
}

// half is one package's part of a table.
type half struct {
	rollup bool
	second bool // it follows a service pack, hours after the nodes were looked at and their state recorded
}

// chooseSteps look at the nodes and choose their order.
func chooseSteps(nodes, servers int, rollup bool) []Step {
	var out []Step
	for i := 1; i <= nodes; i++ {
		out = append(out, on(Step{rollout.Step{
			Name: "facts", Words: "The node is asked what it is",
			Expected: 20 * time.Second, Soft: 2 * time.Minute, Hard: 15 * time.Minute, Silence: 5 * time.Minute, Repeatable: true,
		}, nodeFacts(rollup)}, "host", i))
	}
	return append(out, Step{rollout.Step{
		Name: Choose, Words: "The cluster is looked at, and the order of its nodes is chosen",
		Expected: 30 * time.Second, Soft: 5 * time.Minute, Hard: 20 * time.Minute, Silence: 5 * time.Minute, Repeatable: true,
	}, choose(servers, rollup)})
}

// bringSteps bring a package to every node.
func bringSteps(nodes int) []Step {
	var out []Step
	for i := 1; i <= nodes; i++ {
		out = append(out, on(stageStep(), "host", i))
	}
	return out
}

// proveSteps prove on every node, before the first is begun, what a package needs.
func proveSteps(nodes int) []Step {
	var looks, proofs, values []Step
	for i := 1; i <= nodes; i++ {
		looks = append(looks, on(lookStep(), "node", i))
		proofs = append(proofs, on(Step{rollout.Step{
			Name: "preflight", Words: "Everything Setup needs is proven on the node, with a canary task under the run-as account",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute, Repeatable: true,
		}, preflightNode}, "node", i))
		values = append(values, on(Step{rollout.Step{
			Name: "streaming", Words: "Remote streaming backup is allowed on the node, so that a copy can be seeded",
			Expected: 10 * time.Second, Soft: time.Minute, Hard: 10 * time.Minute, Silence: 5 * time.Minute, Repeatable: true,
		}, allowStreaming}, "node", i))
	}
	return slices.Concat(looks, proofs, values)
}

// turnSteps take one node after the other to the target, and a server to each.
func turnSteps(nodes, servers int, h half) []Step {
	var out []Step
	for i := 1; i <= nodes; i++ {
		out = append(out, nodeTurn(i, h)...)
		if i <= servers {
			out = append(out, serverTurn(i, h.rollup)...)
		}
	}
	return out
}

// verifySteps prove the copies, the servers and the nodes.
func verifySteps(nodes int, rollup bool) []Step {
	out := []Step{
		on(Step{rollout.Step{
			Name: "copies", Words: "All copies are healthy again",
			Expected: 2 * time.Minute, Soft: 30 * time.Minute, Hard: 3 * time.Hour, Silence: 30 * time.Minute, Repeatable: true,
		}, healthy}, "node", nodes),
		{rollout.Step{
			Name: rollout.VerifyStep, Words: "Every clustered mailbox server is proven at the target and online",
			Expected: 30 * time.Second, Soft: 10 * time.Minute, Hard: time.Hour, Silence: 10 * time.Minute, Repeatable: true,
		}, verifyCluster(rollup)},
	}
	for i := 1; i <= nodes; i++ {
		out = append(out, on(Step{rollout.Step{
			Name: rollout.VerifyStep, Words: "The node is proven at the target, with its services",
			Expected: 30 * time.Second, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute, Repeatable: true,
		}, withFacts(withEvents(verifyNode(rollup)))}, "host", i))
	}
	return out
}

// functionalSteps test the clustered mailbox servers.
func functionalSteps(servers int) []Step {
	var out []Step
	for i := 1; i <= servers; i++ {
		out = append(out, on(Step{rollout.Step{
			Name: "functional", Words: "The clustered mailbox server is tested",
			Expected: time.Minute, Soft: 15 * time.Minute, Hard: time.Hour, Silence: 15 * time.Minute, Repeatable: true,
		}, functionalServer}, "node", i))
	}
	return out
}

// endSteps tell that the server is done and leave nothing on the nodes.
func endSteps(nodes int) []Step {
	out := []Step{hookStep(HookAfter)}
	for i := 1; i <= nodes; i++ {
		out = append(out, on(Step{rollout.Step{
			Name: PutBack, Words: "What was changed for a while on the node is put back exactly",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute, Repeatable: true, PutBack: true,
		}, putBack}, "node", i))
	}
	for i := 1; i <= nodes; i++ {
		out = append(out, on(tidyStep(), "host", i))
	}
	return out
}

func clusterWords(nodes, servers int, what string) string {
	if servers == 1 {
		return fmt.Sprintf("A clustered mailbox server on %d nodes gets %s, node by node", nodes, what)
	}
	return fmt.Sprintf("%d clustered mailbox servers on %d nodes get %s, node by node", servers, nodes, what)
}

// on puts a step on one host of the cluster and its turn into its name.
func on(s Step, what string, turn int) Step {
	s.On = what + "-" + strconv.Itoa(turn)
	s.Words = fmt.Sprintf("%s%s %d: %s", strings.ToUpper(what[:1]), what[1:], turn, s.Words)
	s.Name += "-" + strconv.Itoa(turn)
	return s
}
