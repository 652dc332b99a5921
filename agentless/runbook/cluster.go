package runbook

import (
	"fmt"
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
	t := Table{Name: name, Version: 1, Words: clusterWords(nodes, servers, rollup), Decisions: decisions()}
	add := func(steps ...Step) { t.Steps = append(t.Steps, steps...) }
	for i := 1; i <= nodes; i++ {
		add(on(Step{rollout.Step{
			Name: "facts", Words: "The node is asked what it is",
			Expected: 20 * time.Second, Soft: 2 * time.Minute, Hard: 15 * time.Minute, Silence: 5 * time.Minute, Repeatable: true,
		}, nodeFacts(rollup)}, "host", i))
	}
	add(Step{rollout.Step{
		Name: Choose, Words: "The cluster is looked at, and the order of its nodes is chosen",
		Expected: 30 * time.Second, Soft: 5 * time.Minute, Hard: 20 * time.Minute, Silence: 5 * time.Minute, Repeatable: true,
	}, choose(rollup)})
	add(hookStep(HookAnnounce))
	for i := 1; i <= nodes; i++ {
		add(on(stageStep(), "host", i))
	}
	for i := 1; i <= nodes; i++ {
		add(on(lookStep(), "node", i))
	}
	for i := 1; i <= nodes; i++ {
		add(on(Step{rollout.Step{
			Name: "preflight", Words: "Everything Setup needs is proven on the node, with a canary task under the run-as account",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute, Repeatable: true,
		}, preflightNode}, "node", i))
	}
	for i := 1; i <= nodes; i++ {
		add(on(Step{rollout.Step{
			Name: "streaming", Words: "Remote streaming backup is allowed on the node, so that a copy can be seeded",
			Expected: 10 * time.Second, Soft: time.Minute, Hard: 10 * time.Minute, Silence: 5 * time.Minute, Repeatable: true,
		}, allowStreaming}, "node", i))
	}
	for i := 1; i <= nodes; i++ {
		add(nodeTurn(i, rollup)...)
		if i <= servers {
			add(serverTurn(i, rollup)...)
		}
	}
	add(on(Step{rollout.Step{
		Name: "copies", Words: "All copies are healthy again",
		Expected: 2 * time.Minute, Soft: 30 * time.Minute, Hard: 3 * time.Hour, Silence: 30 * time.Minute, Repeatable: true,
	}, healthy}, "node", nodes))
	add(Step{rollout.Step{
		Name: rollout.VerifyStep, Words: "Every clustered mailbox server is proven at the target and online",
		Expected: 30 * time.Second, Soft: 10 * time.Minute, Hard: time.Hour, Silence: 10 * time.Minute, Repeatable: true,
	}, verifyCluster(rollup)})
	for i := 1; i <= nodes; i++ {
		add(on(Step{rollout.Step{
			Name: rollout.VerifyStep, Words: "The node is proven at the target, with its services",
			Expected: 30 * time.Second, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute, Repeatable: true,
		}, verifyNode(rollup)}, "host", i))
	}
	add(hookStep(HookAfter))
	for i := 1; i <= nodes; i++ {
		add(on(Step{rollout.Step{
			Name: PutBack, Words: "What was changed for a while on the node is put back exactly",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute, Repeatable: true, PutBack: true,
		}, putBack}, "node", i))
	}
	for i := 1; i <= nodes; i++ {
		add(on(tidyStep(), "host", i))
	}
	return t
}

func clusterWords(nodes, servers int, rollup bool) string {
	what := "a service pack"
	if rollup {
		what = "an update rollup"
	}
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

// nodeTurn takes one passive node to the target.
func nodeTurn(turn int, rollup bool) []Step {
	begins, ends := rollout.Clock(""), rollout.Clock("")
	if turn == 1 {
		begins = rollout.ExposedBegins
	}
	if turn == 2 {
		ends = rollout.ExposedEnds
	}
	install := Step{rollout.Step{
		Name: "setup", Words: "Exchange Setup runs on the passive node as a host task, certificate revocation checks off inside it",
		Expected: 70 * time.Minute, Soft: 2 * time.Hour, Hard: 6 * time.Hour, Silence: 90 * time.Minute, NoReturn: true, Undone: true, Clock: begins,
	}, setupNode}
	steps := []Step{
		{rollout.Step{
			Name: "groups", Words: "Other groups, the default one among them, are moved off the node",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute, Repeatable: true,
		}, moveGroups(rollup)},
		{rollout.Step{
			Name: "record", Words: "The state of the node's services is recorded",
			Expected: 10 * time.Second, Soft: 2 * time.Minute, Hard: 15 * time.Minute, Silence: 5 * time.Minute, Repeatable: true,
		}, record},
		{rollout.Step{
			Name: "stop-services", Words: "Third-party services of the node are stopped and disabled",
			Expected: time.Minute, Soft: 5 * time.Minute, Hard: 10 * time.Minute, Silence: 5 * time.Minute, Repeatable: true, Undone: true,
		}, stopServices},
		{rollout.Step{
			Name: "passive", Words: "The node is proven to own nothing, and the servers done so far to be online",
			Expected: 30 * time.Second, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute, Repeatable: true,
		}, passive(rollup)},
		install,
		{rollout.Step{
			Name: "restart", Words: "The node is restarted",
			Expected: 6 * time.Minute, Soft: 20 * time.Minute, Hard: 2 * time.Hour, Silence: 20 * time.Minute, Repeatable: true,
		}, restartNode("setup", "rollup")},
		{rollout.Step{
			Name: "after", Words: "What was stopped on the node for Setup is put back",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute, Repeatable: true,
		}, putBack},
		{rollout.Step{
			Name: "streaming-again", Words: "Remote streaming backup is allowed as before: a service pack switches it off",
			Expected: 10 * time.Second, Soft: time.Minute, Hard: 10 * time.Minute, Silence: 5 * time.Minute, Repeatable: true,
		}, allowStreaming},
		{rollout.Step{
			Name: "ready", Words: "The node is up in the cluster, its replication runs and the queues are small",
			Expected: 3 * time.Minute, Soft: 30 * time.Minute, Hard: 3 * time.Hour, Silence: 30 * time.Minute, Repeatable: true, Clock: ends,
		}, ready},
	}
	var all []Step
	for _, s := range steps {
		switch {
		case rollup && s.Name == "setup":
			for _, instead := range rollupOnNode(begins) {
				all = append(all, on(instead, "node", turn))
			}
		case rollup && (s.Name == "restart" || s.Name == "streaming-again"):
		default:
			all = append(all, on(s, "node", turn))
		}
	}
	return all
}

// serverTurn takes one clustered mailbox server to the node of the turn.
func serverTurn(turn int, rollup bool) []Step {
	steps := []Step{
		hookStep(HookCMSStop),
		{rollout.Step{
			Name: "stop-cms", Words: "The clustered mailbox server is stopped: people wait from here on",
			Expected: 2 * time.Minute, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute, Repeatable: true, Clock: rollout.DowntimeBegins,
		}, stopServer(rollup)},
		{rollout.Step{
			Name: "move-cms", Words: "The clustered mailbox server is moved to the node, and the node proven to own it",
			Expected: 2 * time.Minute, Soft: 15 * time.Minute, Hard: 30 * time.Minute, Silence: 15 * time.Minute, Repeatable: true,
		}, moveServer(rollup)},
		{rollout.Step{
			Name: "upgrade-cms", Words: "Exchange Setup /UpgradeCms takes the clustered mailbox server to the target",
			Expected: 10 * time.Minute, Soft: 45 * time.Minute, Hard: 3 * time.Hour, Silence: 45 * time.Minute, NoReturn: true, Undone: true,
		}, upgradeCms},
		{rollout.Step{
			Name: onlineWord, Words: "The clustered mailbox server is online: people can reach their mailboxes",
			Expected: 3 * time.Minute, Soft: 15 * time.Minute, Hard: time.Hour, Silence: 15 * time.Minute, Repeatable: true, Clock: rollout.DowntimeEnds,
		}, online(rollup)},
		hookStep(HookCMSOnline),
	}
	var out []Step
	for _, s := range steps {
		if rollup && s.Name == "upgrade-cms" {
			continue
		}
		out = append(out, on(s, "node", turn))
	}
	return out
}
