package runbook

import (
	"context"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// restartNode restarts the node after what a step ran on it, once for each run: always after Setup (the founding document), after a rollup where that wants it.
// A node on which nothing was run is left alone, and none is restarted that serves
// people: a later attempt finds the node active that an earlier one took to the
// target.
func restartNode(step string, always bool) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		kept := w.Memory[restartedFor]
		w.fresh()
		w.Memory[restartedFor] = kept
		program := w.note(step)
		switch ran := program[ranIn]; {
		case ran == "":
			return Outcome{Kind: Done, Percent: 100, Message: "Nothing was run here in this upgrade: the node is not restarted"}, nil
		case kept == ran:
			return Outcome{Kind: Done, Percent: 100, Message: "The node was restarted already, or no restart was wanted"}, nil
		}
		out, err := restartWhere(ctx, w, program, always, provenFree) // people's mail may have come here since
		if err == nil && out.Kind == Done {
			w.Memory[restartedFor] = program[ranIn]
		}
		return out, err
	}
}

// restartedFor is what a step remembers of the run after which the node was restarted.
const restartedFor = "restarted"

// activeOn reports whether a clustered mailbox server is on a node.
func activeOn(c windows.Cluster, node string) bool {
	return slices.ContainsFunc(c.Servers, func(s windows.ClusterServer) bool { return strings.EqualFold(s.Owner, node) })
}
