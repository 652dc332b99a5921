package runbook

import (
	"slices"
	"time"

	"wavekeeper/server/rollout"
)

// nodeTurn takes one passive node to the target.
func nodeTurn(turn int, h half) []Step {
	rollup := h.rollup
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
			Name: "record", Words: "The state of the node's services, settings and files that Setup changes is recorded",
			Expected: time.Minute, Soft: 5 * time.Minute, Hard: 30 * time.Minute, Silence: 5 * time.Minute, Repeatable: true,
		}, record},
		{rollout.Step{
			Name: lookOnceMore, Words: "The node is looked at once more: what was read before is hours old",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: time.Hour, Silence: 15 * time.Minute, Repeatable: true,
		}, unlessReached(rollup, anew(look))},
		{rollout.Step{
			Name: preflightAgain, Words: "Everything Setup needs is proven on the node once more, now that its turn has come",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute, Repeatable: true,
		}, unlessReached(rollup, anew(preflightNode))},
		{rollout.Step{
			Name: "stop-monitoring", Words: "Monitoring and what else watches performance counters is stopped and disabled on the node",
			Expected: 20 * time.Second, Soft: 5 * time.Minute, Hard: 10 * time.Minute, Silence: 5 * time.Minute, Repeatable: true, Undone: true,
		}, unlessReached(rollup, stopMonitoring)},
		{rollout.Step{
			Name: "stop-services", Words: "Third-party services of the node are stopped and disabled",
			Expected: time.Minute, Soft: 5 * time.Minute, Hard: 10 * time.Minute, Silence: 5 * time.Minute, Repeatable: true, Undone: true,
		}, unlessReached(rollup, stopServices)},
		{rollout.Step{
			Name: "forefront", Words: "Forefront is not there, or a person decided what becomes of it on the cluster",
			Expected: 10 * time.Second, Soft: time.Minute, Hard: 10 * time.Minute, Silence: 5 * time.Minute, Repeatable: true,
		}, unlessReached(rollup, forefrontOnNode)},
		{rollout.Step{
			Name: Firewall, Words: "The firewall's service runs on the node, so that Setup can write its exceptions",
			Expected: 30 * time.Second, Soft: 5 * time.Minute, Hard: 30 * time.Minute, Silence: 5 * time.Minute, Repeatable: true, Undone: true,
		}, unlessReached(rollup, firewall)},
		{rollout.Step{
			Name: "passive", Words: "The node is proven to own nothing, and the servers done so far to be online",
			Expected: 30 * time.Second, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute, Repeatable: true,
		}, passive(rollup)},
		install,
		{rollout.Step{
			Name: "restart", Words: "The node is restarted",
			Expected: 6 * time.Minute, Soft: 20 * time.Minute, Hard: 2 * time.Hour, Silence: 20 * time.Minute, Repeatable: true,
		}, restartNode("setup", true)},
		{rollout.Step{
			Name: "after", Words: "Monitoring, third-party services and the firewall's service are put back on the node as they were",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute, Repeatable: true,
		}, putBackNode},
		{rollout.Step{
			Name: "settings-back", Words: "Remote streaming backup and event-log levels of the node are as before: a service pack resets them",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute, Repeatable: true,
		}, settingsBack},
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
		case rollup && slices.Contains([]string{"restart", "settings-back", Firewall}, s.Name):
		case h.second && s.Name == "record": // what was there before anything was touched is on record
		case turn == 1 && !h.second && (s.Name == lookOnceMore || s.Name == preflightAgain): // minutes after the first time
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
