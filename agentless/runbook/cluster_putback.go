package runbook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// ClusterEntry is the kind of a ledger entry of a clustered mailbox server that was
// stopped to be moved; Before: state, owner. It is of the node that it was to be
// moved to.
const ClusterEntry = "cms"

// stopsServer writes down that a clustered mailbox server is stopped, before it is.
func stopsServer(ctx context.Context, w *Work, name string) error {
	c, err := lastSeen(w)
	if err != nil {
		return err
	}
	s, _ := c.Server(name)
	if s.State != onlineState {
		return nil // it did not serve before
	}
	return w.change(ctx, Entry{
		Kind: ClusterEntry, Name: name, Before: map[string]string{"state": s.State, "owner": s.Owner}, Meant: map[string]string{"state": offlineState},
	})
}

// servesAgain closes the entry of the turn's server once it is online.
func servesAgain(tick func(context.Context, *Work) (Outcome, error)) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		out, err := tick(ctx, w)
		if err != nil || out.Kind != Done {
			return out, err
		}
		for _, e := range slices.Clone(w.Ledger) {
			if e.Kind == ClusterEntry && strings.EqualFold(e.Name, w.turnServer()) {
				if err := w.restored(ctx, e, ""); err != nil {
					return Outcome{}, err
				}
			}
		}
		return out, nil
	}
}

// putBackNode puts back what was changed on a node for its turn; a clustered
// mailbox server that an earlier attempt left stopped is of the steps that follow.
func putBackNode(ctx context.Context, w *Work) (Outcome, error) {
	return putBackAll(ctx, w, func(e Entry) bool { return e.Kind != ClusterEntry }, "What was changed on the node for a while is as it was")
}

// putBackServer has a clustered mailbox server serve people again where an attempt
// came to nothing: where it is, by Exchange's own means. One that lies on an upgraded
// node and is not upgraded itself cannot be started (the founding document); that is
// a person's decision, and the entry stays open.
func putBackServer(ctx context.Context, w *Work, e Entry) (Outcome, bool, error) {
	out, err := clusterGoal(ctx, w, "serve", func(c windows.Cluster) stand {
		s, _ := c.Server(e.Name)
		switch {
		case s.State == onlineState:
			return stand{done: fmt.Sprintf("%s is online on %s", s.Name, s.Owner)}
		case s.State == onlinePendingState, s.State == offlinePendingState:
			return stand{wait: fmt.Sprintf("%s is %s", s.Name, s.State)}
		case !isRollup(w) && !atTarget(w, s) && w.begunOn(s.Owner):
			return stand{failed: fmt.Sprintf("%s is at %s and %s on %s, where Setup ran: it is not started there", s.Name, said(s.Build), said(s.State), said(s.Owner)), remedy: halfRemedy}
		}
		return stand{act: &clusterAct{windows.StartServer, s.Name, "", "Start " + s.Name}}
	})
	if err != nil || out.Kind != Done {
		return out, false, err
	}
	return Outcome{}, true, w.restored(ctx, e, "")
}

// begunOn reports whether a node is at the target, or a Setup of this upgrade began
// on it.
func (w *Work) begunOn(node string) bool {
	same := func(name string) bool { return strings.EqualFold(name, node) }
	if slices.ContainsFunc(nodesAt(w), same) {
		return true
	}
	for i := range w.Nodes {
		turn := fmt.Sprintf("-%d", i+1)
		if same(chosenIn(w.Notes, false)["node"+turn]) && (w.Notes["setup"+turn][setupRan] != "" || w.Notes["setup"+turn]["created"] != "") {
			return true
		}
	}
	return false
}
