package runbook

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// nodeFound is how far a node itself is: its roles, without the key of the
// clustered mailbox server, which /UpgradeCms raises on the node where it ran.
func nodeFound(ctx context.Context, w *Work, rollup bool) (found, error) {
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return found{}, err
	}
	for name := range roles {
		if strings.EqualFold(name, exchange.ClusteredMailboxKey) {
			delete(roles, name)
		}
	}
	if rollup {
		return rollupFound(ctx, w)
	}
	return rolesStand(roles, w), nil
}

// reachedAlready reports whether nothing is to be done on a node: then it may own
// what it likes.
func reachedAlready(ctx context.Context, w *Work, rollup bool) (bool, Outcome, error) {
	goal, err := nodeFound(ctx, w, rollup)
	if err != nil {
		out, err := trouble("read how far the node is", err)
		return false, out, err
	}
	return goal.reached, Outcome{}, nil
}

// moveGroups moves every group that is no server's off the node: the default
// group, too, since a restart and a rollup's stop of the Cluster service would
// else do it (technet bb885043).
func moveGroups(rollup bool) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		if reached, out, err := reachedAlready(ctx, w, rollup); err != nil || out.Kind != "" || reached {
			if reached {
				out = atTargetAlready(w)
			}
			return out, err
		}
		out, err := clusterGoal(ctx, w, "groups", func(c windows.Cluster) stand {
			for _, s := range c.Servers {
				if strings.EqualFold(s.Owner, w.Node) {
					return activeNode(w, c)
				}
			}
			others := otherGroups(c, w.Node)
			if len(others) == 0 {
				return stand{done: w.Node + " owns no group"}
			}
			to := ""
			for _, n := range c.Nodes {
				if to == "" && n.State == "Up" && !strings.EqualFold(n.Name, w.Node) {
					to = n.Name
				}
			}
			if to == "" {
				return stand{failed: "No other node is up: " + w.Node + " cannot be freed", remedy: "Bring another node of the cluster up, then run again."}
			}
			return stand{act: &clusterAct{windows.MoveGroup, others[0].Name, to, fmt.Sprintf("Move group %q to %s", others[0].Name, to)}}
		})
		// One group after the other: each is an act of its own.
		if w.Memory[clusterActed] != "" && w.Memory[clusterError] == "" {
			delete(w.Memory, clusterActed)
			if w.raise("moved") > groupsAtMost {
				return Outcome{Kind: Failed, Message: "Groups come back to " + w.Node + " after they were moved away", Remedy: "Look for failback and preferred owners in the cluster, then run again."}, err
			}
		}
		return out, err
	}
}

// groupsAtMost bounds moves in one attempt.
const groupsAtMost = 40

// activeNode is a node that owns a server: nothing may be begun on it.
func activeNode(w *Work, c windows.Cluster) stand {
	if n, err := strconv.Atoi(strings.TrimPrefix(w.Turn, "-")); err == nil && n <= begunTurns(w) {
		return stand{
			failed: fmt.Sprintf("%s is not passive: %s. Nothing more was begun on it", w.Node, owners(c)),
			remedy: "What was begun in the node's turn keeps it in its place. Move the clustered mailbox server off it with Exchange's own means, then run again.",
		}
	}
	return stand{
		failed: fmt.Sprintf("%s is not passive: %s. Nothing was begun on it", w.Node, owners(c)),
		remedy: "The cluster was moved since the nodes were chosen. Run again: they are chosen anew.",
	}
}

// passive proves, right before the first effect on a node, that it owns nothing,
// that the servers of the turns before are done, and that the copies are healthy.
func passive(rollup bool) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		if reached, out, err := reachedAlready(ctx, w, rollup); err != nil || out.Kind != "" || reached {
			if reached {
				out = atTargetAlready(w)
			}
			return out, err
		}
		return clusterGoal(ctx, w, "passive", func(c windows.Cluster) stand { return isPassive(w, c, rollup) })
	}
}

func isPassive(w *Work, c windows.Cluster, rollup bool) stand {
	if owned := c.Owned(w.Node); len(owned) > 0 {
		return activeNode(w, c)
	}
	if n, ok := c.Node(w.Node); !ok || n.State != "Up" {
		return stand{failed: fmt.Sprintf("%s is %s in the cluster", w.Node, said(n.State)), remedy: "Bring the node up in the cluster, then run again."}
	}
	for i := 1; fmt.Sprintf("-%d", i) != w.Turn && i <= len(w.Nodes); i++ {
		before, name := w.chosen()[fmt.Sprintf("node-%d", i)], w.chosen()[fmt.Sprintf("cms-%d", i)]
		if name == "" {
			continue
		}
		s, _ := c.Server(name)
		switch {
		case !rollup && !atTarget(w, s):
			return stand{failed: fmt.Sprintf("%s is at %s: Setup /UpgradeCms has to go before %s is begun", name, said(s.Build), w.Node), remedy: halfRemedy}
		case rollup && strings.EqualFold(s.Owner, w.Node):
			return activeNode(w, c)
		case s.State != onlineState:
			return stand{failed: fmt.Sprintf("%s is %s on %s; nothing is begun on %s while it is not online", name, said(s.State), said(s.Owner), w.Node), remedy: "See why it is not online on " + before + ", then run again."}
		}
	}
	for _, s := range c.Servers { // those whose turn comes later serve people meanwhile
		if s.State != onlineState {
			return stand{failed: fmt.Sprintf("%s is %s on %s: nothing is begun on a cluster that does not serve", s.Name, said(s.State), said(s.Owner)), remedy: "Bring it online first, then run again."}
		}
	}
	return stand{done: w.Node + " owns no group; " + owners(c)}
}

// setupNode is setup on a node: the cluster is looked at once more before the
// task is made, whatever step passive found minutes ago.
func setupNode(ctx context.Context, w *Work) (Outcome, error) {
	p := mediaSetup(w, "setup"+w.Turn, setupWords, "/mode:Upgrade")
	p.first = func(ctx context.Context) (Outcome, error) {
		if out, err := stopServices(ctx, w); err != nil || out.Kind != Done { // a retry may begin here, with the services put back
			return out, err
		}
		return provenPassive(ctx, w, false, beforeTask)
	}
	p.last = func(ctx context.Context) (Outcome, error) { return provenPassive(ctx, w, false, beforeRun) }
	p.found = func(ctx context.Context) (found, error) { return nodeFound(ctx, w, false) }
	p.already = "Every role of the node is at the target already; Setup was not run"
	p.completed = "Setup completed: every role of the node is at " + w.Package.Target.String()
	return tickNode(ctx, w, p)
}

// ranIn is the attempt in which a program of a node was begun last: in the memory
// of its step over all attempts, for the restart.
const ranIn = "ran_in"

func tickNode(ctx context.Context, w *Work, p program) (Outcome, error) {
	last := w.Memory[ranIn]
	out, err := p.tick(ctx, w)
	if w.Memory["created"] != "" {
		last = fmt.Sprint(w.Attempt)
	}
	w.Memory[ranIn] = last
	return out, err
}

// ready waits after the restart until the node may take a server: up in the
// cluster, its services started, and the copies with small queues.
func ready(ctx context.Context, w *Work) (Outcome, error) {
	all, err := w.Host.Services(ctx)
	if err != nil {
		return trouble("read the services", err)
	}
	want := []string{"ClusSvc"}
	if w.replicated() {
		want = append(want, "MSExchangeRepl")
	}
	var missing []string
	for _, name := range want {
		if s, ok := windows.FindService(all, name); !ok || s.State != windows.Running {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		w.fresh()
		out := again("Waits for %s on %s", list(missing), w.Node)
		out.After = 5 * time.Second
		return out, nil
	}
	return clusterGoal(ctx, w, "ready", func(c windows.Cluster) stand {
		n, _ := c.Node(w.Node)
		if n.State != "Up" {
			return stand{wait: fmt.Sprintf("%s is %s in the cluster", w.Node, said(n.State))}
		}
		// The copies of an upgraded server are not healthy before the other node is
		// upgraded, too: a later attempt would wait here for ever.
		if s, ok := c.Server(w.turnServer()); ok && !isRollup(w) && atTarget(w, s) {
			return stand{done: fmt.Sprintf("%s is up; %s is at %s already, and its copies are waited for at the end", w.Node, s.Name, s.Build)}
		}
		if why := notReady(w, c); why != "" {
			return stand{wait: "Waits for the copies: " + why}
		}
		return stand{done: w.Node + " is up" + map[bool]string{true: ", the copies are healthy"}[w.replicated()]}
	})
}

// allowStreaming sets the value that lets a copy be seeded over the network, which
// Service Pack 1 switches off (the founding document), on every node before the
// first is begun. It stays so: nothing is put back.
func allowStreaming(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if !w.replicated() {
		return Outcome{Kind: Done, Percent: 100, Message: "A single copy cluster has nothing to seed"}, nil
	}
	have, set, err := w.Host.Streaming(ctx)
	switch {
	case err != nil:
		return trouble("read the value for streaming backups", err)
	case set && have == 1:
		return Outcome{Kind: Done, Percent: 100, Message: "Remote streaming backup is allowed, so that a copy can be seeded"}, nil
	}
	if w.raise("set") > 3 {
		return Outcome{Kind: Failed, Message: "The value for streaming backups does not stay", Remedy: "See what takes it away (a policy?), then run again."}, nil
	}
	before := "not there"
	if set {
		before = fmt.Sprint(have)
	}
	if err := w.intend(ctx, fmt.Sprintf("set %s to 1, it was %s", windows.StreamingValue, before)); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.SetDWORD(ctx, windows.LocalMachine, windows.KeyStreaming, windows.StreamingValue, 1); err != nil {
		return trouble("allow remote streaming backup", err)
	}
	return onward("Remote streaming backup is allowed; it was %s", before), nil
}

// healthy waits until the copies are healthy at the end.
func healthy(ctx context.Context, w *Work) (Outcome, error) {
	if !w.replicated() {
		return Outcome{Kind: Done, Percent: 100, Message: "A single copy cluster has no copies"}, nil
	}
	return clusterGoal(ctx, w, "copies", func(c windows.Cluster) stand {
		if why := notReady(w, c); why != "" {
			return stand{wait: "Waits for the copies: " + why}
		}
		return stand{done: "All copies are healthy"}
	})
}

// verifyCluster proves every clustered mailbox server at the target and online.
func verifyCluster(rollup bool) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		return clusterGoal(ctx, w, "verify", func(c windows.Cluster) stand {
			var wrong []string
			for _, s := range c.Servers {
				if !rollup && !atTarget(w, s) || rollup && !atLevel(w, s) {
					wrong = append(wrong, fmt.Sprintf("%s is at %s", s.Name, said(s.Build)))
				}
				if s.State != onlineState && s.State != onlinePendingState {
					wrong = append(wrong, fmt.Sprintf("%s is %s on %s", s.Name, said(s.State), said(s.Owner)))
				}
			}
			if len(wrong) > 0 {
				return stand{failed: "The cluster is not at the target: " + list(wrong), remedy: halfRemedy}
			}
			if i := slices.IndexFunc(c.Servers, func(s windows.ClusterServer) bool { return s.State != onlineState }); i >= 0 {
				return stand{wait: c.Servers[i].Name + " comes online"}
			}
			return stand{done: "Every clustered mailbox server is done: " + owners(c)}
		})
	}
}

// verifyNode proves a node at the target, with the services that start by
// themselves.
func verifyNode(rollup bool) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		w.fresh()
		goal, err := nodeFound(ctx, w, rollup)
		if err != nil {
			return trouble("read how far the node is", err)
		}
		if !goal.reached {
			l, err := alive(ctx, w)
			if err != nil {
				return trouble("look for a running Setup", err)
			}
			if len(l.setup) > 0 {
				out := again("Setup is still at work, nothing is judged under it: %s", l.who())
				out.After, out.running = later, true
				return unseen(out), nil
			}
			return Outcome{Kind: Failed, Build: goal.build, Message: w.Node + " is not at the target: " + list(goal.wrong), Remedy: "Read the setup log; running again lets Setup resume.", Evidence: collect(ctx, w)}, nil
		}
		all, err := w.Host.Services(ctx)
		if err != nil {
			return trouble("read the services", err)
		}
		var missing []string
		for _, service := range append(exchange.Services(w.Server.Roles), exchange.Service{Name: "ClusSvc"}) {
			if s, ok := windows.FindService(all, service.Name); ok && s.StartMode == windows.StartAuto && s.State != windows.Running {
				missing = append(missing, s.Name)
			}
		}
		if len(missing) > 0 {
			if w.since("since") > servicesLimit {
				return Outcome{Kind: Failed, Build: goal.build, Message: "Services that have to run do not: " + list(missing), Remedy: "Start them on the host and read the event log; then run again."}, nil
			}
			out := again("Waits for %d services of Exchange: %s", len(missing), list(missing))
			out.After, out.Build = 2*time.Second, goal.build
			return out, nil
		}
		return Outcome{Kind: Done, Percent: 100, Build: goal.build, Message: fmt.Sprintf("%s is at %s", w.Node, goal.build), Facts: []Fact{{Name: "services", Value: all, Source: "Win32_Service", At: w.Now.UTC()}}}, nil
	}
}
