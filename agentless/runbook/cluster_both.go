package runbook

import (
	"fmt"
	"slices"

	"wavekeeper/server/rollout"
)

// A service pack and a rollup of it on a cluster are two procedures, one after the
// other, and no page of Microsoft's merges them: the service pack's wants both nodes
// new, /UpgradeCms and healthy copies before anything else is done (the founding
// document; siliconexus 2010), the rollup's wants a passive node, a move of its own
// and never /UpgradeCms, and both nodes at one level (technet bb885043, bb885047). To
// patch a node in the middle of the service pack would put /UpgradeCms of one build
// on a node of another. So the whole first is brought to its verified end, then the
// second begins, with a choice of nodes of its own.

func ccrBoth() Table { return clusterBoth("ccr-service-pack-and-rollup", 2, 1) }

func sccBoth(nodes, servers int) Table {
	return clusterBoth(fmt.Sprintf("scc-%d-%d-service-pack-and-rollup", nodes, servers), nodes, servers)
}

// clusterBoth is the runbook for a service pack and then its newest rollup. Both
// media are brought and proven before anything is touched. What was there before is
// recorded once, and the servers are tested once, at the end. The rollup's steps
// look at each node anew at its turn: it was hours ago that they did.
func clusterBoth(name string, nodes, servers int) Table {
	rollup := half{rollup: true, second: true}
	return Table{
		Name: name, Version: 1, Words: clusterWords(nodes, servers, "a service pack and then its newest rollup"), Decisions: decisions(),
		Steps: slices.Concat(
			chooseSteps(nodes, servers, false), []Step{hookStep(HookAnnounce)}, bringSteps(nodes), forSecond(bringSteps(nodes)), proveSteps(nodes),
			turnSteps(nodes, servers, half{}), ofServicePack(verifySteps(nodes, false)),
			forSecond(slices.Concat(
				chooseSteps(nodes, servers, true), turnSteps(nodes, servers, rollup), verifySteps(nodes, true), functionalSteps(servers),
			)),
			endSteps(nodes),
		),
	}
}

// servicePackVerify names the steps that verify the first of two packages: the
// server is done, and a repair of it taken for true, by those of the second alone.
const servicePackVerify = "service-pack-" + rollout.VerifyStep

func ofServicePack(steps []Step) []Step {
	for i := range steps {
		if turn := steps[i].Turn(); steps[i].Name == rollout.VerifyStep+turn {
			steps[i].Name, steps[i].Words = servicePackVerify+turn, wordsFor("service pack", steps[i].Words)
		}
	}
	return steps
}
