package runbook

import (
	"context"
	"slices"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
)

// restartNode starts the node anew: it is mandatory after Setup (the founding
// document). A node on which nothing was run is left alone: it may be active.
func restartNode(ctx context.Context, w *Work) (Outcome, error) {
	kept := w.Memory[restartedFor]
	w.fresh()
	w.Memory[restartedFor] = kept
	ran := w.note("setup")[ranIn]
	switch {
	case ran == "":
		return Outcome{Kind: Done, Percent: 100, Message: "Nothing was run here in this upgrade: the node is not restarted"}, nil
	case kept == ran:
		return Outcome{Kind: Done, Percent: 100, Message: "The node was restarted already"}, nil
	}
	booted, err := w.Host.BootTime(ctx)
	if err != nil {
		out, err := trouble("read when Windows was started", err)
		if err == nil && w.Memory["told"] != "" {
			out.Message = "The node restarts: " + out.Message
		}
		return out, err
	}
	at := booted.UTC().Format(time.RFC3339)
	switch {
	case w.Memory["boot"] == "":
		w.Memory["boot"] = at
		return onward("Windows was started %s", at), nil
	case w.Memory["told"] != "" && bootedSince(w.Memory["boot"], booted):
		w.Memory[restartedFor] = ran
		return Outcome{Kind: Done, Percent: 100, Message: "The node was restarted"}, nil
	case w.Memory["told"] != "" && w.since("told_at") < nodeRestartAgain:
		out := again("The node is about to restart")
		out.After = 5 * time.Second
		return out, nil
	}
	if out, err := provenFree(ctx, w); err != nil || out.Kind != Done { // people's mail may have come here since
		return out, err
	}
	if err := w.intend(ctx, "restart "+w.Node); err != nil {
		return Outcome{}, err
	}
	w.Memory["told"] = "yes"
	w.stamp("told_at")
	if err := w.Host.Restart(ctx); err != nil {
		return trouble("restart the node", err)
	}
	return again("The node is told to restart"), nil
}

const (
	restartedFor     = "restarted" // the attempt of Setup after which the node was restarted
	nodeRestartAgain = 3 * time.Minute
)

// activeOn reports whether a clustered mailbox server is on a node.
func activeOn(c windows.Cluster, node string) bool {
	return slices.ContainsFunc(c.Servers, func(s windows.ClusterServer) bool { return strings.EqualFold(s.Owner, node) })
}

// bootedSince reports whether Windows was started after the one that was seen: on
// some hosts it is computed from the clock, and moves by seconds when that is set.
func bootedSince(before string, now time.Time) bool {
	was, err := time.Parse(time.RFC3339, before)
	return err == nil && now.Sub(was) > 30*time.Second
}
