package runbook

import (
	"context"
	"fmt"
	"time"
)

// provenFor is how long what a look showed counts for what cannot be taken back:
// longer than the ticks that follow it, and short where nobody looked meanwhile,
// since a cluster fails over by itself.
const provenFor = 2 * time.Minute

// saw reports whether a look of this step showed what is under key, a moment ago.
func (w *Work) saw(key string) bool {
	return w.Memory[key] != "" && w.Memory[key+"_at"] != "" && w.ago(key+"_at") < provenFor
}

func (w *Work) sees(key string) {
	w.Memory[key] = "yes"
	w.stamp(key + "_at")
}

// When a node is proven passive: before the program's task is made, and by a look
// of its own right before it is told to run, since between the two a whole failover
// has room.
const (
	beforeTask = "passive"
	beforeRun  = "passive-still"
)

// provenPassive is Done when a look of this very step shows a passive node.
func provenPassive(ctx context.Context, w *Work, rollup bool, when string) (Outcome, error) {
	if w.saw(when) {
		return Outcome{Kind: Done}, nil
	}
	c, out, err := seeCluster(ctx, w, "passive-look") // no name of a program, see programKeys
	if err != nil || out.Kind != "" {
		return out, err
	}
	why := readable(w, c)
	if s := isPassive(w, c, rollup); why != "" || s.done == "" {
		if why == "" {
			why = s.failed
		}
		return Outcome{Kind: Failed, Message: "Setup was not begun: " + why, Remedy: s.remedy, Facts: clusterFact(w, c)}, nil
	}
	w.sees(when)
	return Outcome{Kind: Done}, nil
}

// provenFree is Done when a look shows that no clustered mailbox server is on the
// node: people's mail may have come there since.
func provenFree(ctx context.Context, w *Work) (Outcome, error) {
	if w.saw("free") {
		return Outcome{Kind: Done}, nil
	}
	c, out, err := seeCluster(ctx, w, "restart")
	if err != nil || out.Kind != "" {
		return out, err
	}
	why := readable(w, c)
	if why == "" && activeOn(c, w.Node) {
		why = owners(c)
	}
	if why != "" {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("%s is not restarted: %s", w.Node, why), Facts: clusterFact(w, c),
			Remedy: "Where a clustered mailbox server runs on the node that waits for its restart, restart it by hand when people can do without; then run again.",
		}, nil
	}
	w.sees("free")
	return Outcome{Kind: Done}, nil
}
