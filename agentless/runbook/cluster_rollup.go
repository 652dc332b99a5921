package runbook

import (
	"context"
	"fmt"

	"wavekeeper/server/rollout"
)

func ccrRollup() Table { return clusterTable("ccr-rollup", 2, 1, true) }

func sccRollup(nodes, servers int) Table {
	return clusterTable(fmt.Sprintf("scc-%d-%d-rollup", nodes, servers), nodes, servers, true)
}

// rollupOnNode are the steps that take the place of Setup and its restart. The
// rollup stops and starts the node's Cluster service (technet bb885043).
func rollupOnNode(begins rollout.Clock) []Step {
	run := rollupStep()
	run.Tick, run.Clock = rollupNode, begins
	restart := rollupRestartStep()
	restart.Name, restart.Tick = "restart", restartNode(RollupName, false)
	return []Step{run, restart, rollupServicesStep()}
}

// rollupNode is rollup on a node: the cluster is looked at once more before the
// task is made.
func rollupNode(ctx context.Context, w *Work) (Outcome, error) {
	p := rollupProgram(w)
	p.first = func(ctx context.Context) (Outcome, error) {
		if out, err := rollupFirst(ctx, w); err != nil || out.Kind != Done {
			return out, err
		}
		return provenPassive(ctx, w, true, beforeTask)
	}
	p.last = func(ctx context.Context) (Outcome, error) { return provenPassive(ctx, w, true, beforeRun) }
	out, err := tickNode(ctx, w, p)
	if err == nil && (out.Kind == Done || out.Kind == Failed || out.Kind == Interrupted) {
		out.Evidence = append(out.Evidence, rollupLogs(ctx, w)...)
	}
	return out, err
}
