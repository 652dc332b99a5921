package runbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
	rules "wavekeeper/server/preflight"
)

// What the steps of clusters remember.
const (
	clusterSeen  = "cluster"  // the last look, as JSON of windows.Cluster
	clusterSaid  = "said"     // what a task of the step said, until it is judged
	clusterTasks = "tasks"    // how many tasks the step had so far: each has a name of its own
	clusterActed = "acted"    // what was done with the cluster in this attempt
	clusterError = "refused"  // why that failed
	clusterOld   = "obsolete" // the task whose folder is to be removed
)

// clusterNames are the clustered mailbox servers of the unit.
func (w *Work) clusterNames() []string {
	var names []string
	for _, s := range w.Servers {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

func (w *Work) kind() string { return string(w.Server.Cluster) }

func (w *Work) replicated() bool { return w.Server.Cluster == exchange.CCR }

// clusterTask drives one host task of a step on a cluster and hands out what its
// script said. Its kind is empty when it said it; Failed says that the task came
// to nothing. word tells the tasks of the upgrade's steps apart.
func clusterTask(ctx context.Context, w *Work, word, words string, make func(name string) (windows.Task, error), script string) (windows.Records, Outcome, error) {
	name := w.taskName(fmt.Sprintf("%s%s-%d", word, w.Turn, 1+w.count(clusterTasks)))
	task, err := make(name)
	if err != nil {
		return nil, Outcome{Kind: Failed, Message: err.Error(), Remedy: "Correct the run-as account and the names in the inventory."}, nil
	}
	out, _, err := drive(ctx, w, task, words)
	if err != nil || out.Kind == Again {
		return nil, out, err
	}
	if out.Kind == Failed {
		w.raise(clusterTasks)
		return nil, out, nil
	}
	records, err := w.Host.TaskRecords(ctx, name, script)
	var broken *windows.ScriptError
	switch {
	case errors.As(err, &broken), errors.Is(err, windows.ErrTruncated):
		w.raise(clusterTasks)
		w.Memory[clusterOld], w.read = name, name
		return nil, Outcome{Kind: Failed, Message: fmt.Sprintf("%s: %v", words, err)}, nil
	case err != nil:
		out, err := trouble("read what the task said: "+words, err)
		return nil, out, err
	}
	w.raise(clusterTasks)
	w.Memory[clusterOld], w.read = name, name
	return records, Outcome{}, nil
}

// sweepTask removes the folder of a task that was read: a step that looks for
// hours would else fill the host with them. What this very tick read is saved
// first: who dies in between would else find no trace of it, and remember that a
// task of that name was told to run.
func sweepTask(ctx context.Context, w *Work) (Outcome, error) {
	name := w.Memory[clusterOld]
	switch name {
	case "":
		return Outcome{}, nil
	case w.read:
		return onward("What the cluster showed is kept"), nil
	}
	look, err := w.Host.LookTask(ctx, name)
	if err == nil {
		err = remove(ctx, w.Host, name, look, nil)
	}
	if err != nil {
		return trouble("remove task "+name, err)
	}
	delete(w.Memory, clusterOld)
	return Outcome{}, nil
}

// seeCluster looks at the cluster once more and keeps what it saw. Its kind is
// empty when it did.
func seeCluster(ctx context.Context, w *Work, word string) (windows.Cluster, Outcome, error) {
	if out, err := sweepTask(ctx, w); err != nil || out.Kind != "" {
		return windows.Cluster{}, out, err
	}
	records, out, err := clusterTask(ctx, w, word, "the cluster is looked at", func(name string) (windows.Task, error) {
		return windows.ClusterLookTask(name, w.RunAs.Name, w.RunAs.Password, w.clusterNames(), w.replicated())
	}, windows.ClusterLook)
	if err != nil || out.Kind != "" {
		return windows.Cluster{}, out, err
	}
	c, err := windows.ClusterOf(w.kind(), records)
	if err != nil {
		return c, Outcome{Kind: Failed, Message: err.Error(), Remedy: "Run again; when it stays so, tell who maintains this program."}, nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return c, Outcome{}, fmt.Errorf("encode the cluster: %w", err)
	}
	w.Memory[clusterSeen] = string(text)
	return c, Outcome{}, nil
}

// clusterFact is the fact "cluster", with the state of each server.
func clusterFact(w *Work, c windows.Cluster) []Fact {
	return []Fact{{Name: "cluster", Value: c, Source: "cluster automation server, Get-ClusteredMailboxServerStatus, Get-StorageGroupCopyStatus", At: w.Now.UTC()}}
}

// readable says why nothing can be decided by a look, or "".
func readable(w *Work, c windows.Cluster) string {
	var wrong []string
	if len(c.Nodes) == 0 {
		wrong = append(wrong, "the cluster did not answer")
	}
	for _, name := range w.clusterNames() {
		s, ok := c.Server(name)
		switch {
		case !ok || s.Owner == "":
			wrong = append(wrong, name+" has no group in the cluster")
		case s.State == "":
			wrong = append(wrong, "the state of "+name+" could not be read")
		}
	}
	if len(wrong) == 0 {
		return ""
	}
	return list(append(wrong, c.Unread...))
}

// at reports whether a clustered mailbox server is at the package's level: Active
// Directory knows service packs, not revisions.
func at(s windows.ClusterServer, target exchange.Build) bool {
	b, err := exchange.ParseBuild(s.Build)
	return err == nil && !b.IsZero() && b.AtLeast(target)
}

// choose looks at the cluster and says which host is node-1 and so on, and which
// clustered mailbox server goes to it: passive nodes first, those that are at the
// target already before the others, and a server that was left on an upgraded
// node without /UpgradeCms before everything else. What was begun keeps its place
// in later attempts, and so does what comes after it unless the cluster overtook it. Nothing is begun where the nodes hold another number of
// clustered mailbox servers than the runbook has steps for: one of them would be
// left without /UpgradeCms.
func choose(servers int, rollup bool) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		if len(w.Servers) != servers {
			return Outcome{
				Kind: Failed, Message: fmt.Sprintf("The inventory has %s on these nodes, and the plan was made for %d of them", list(w.clusterNames()), servers),
				Remedy: "Make a new plan of the cluster, with all on its nodes; this one cannot bring it to the end. Skip the server here.",
			}, nil
		}
		kept := map[string]string{}
		for key, value := range w.Memory {
			if strings.HasPrefix(key, "node-") || strings.HasPrefix(key, "cms-") {
				kept[key] = value
			}
		}
		w.fresh()
		for key, value := range kept {
			w.Memory[key] = value
		}
		c, out, err := seeCluster(ctx, w, "choose")
		if err != nil || out.Kind != "" {
			return out, err
		}
		if why := readable(w, c); why != "" {
			return Outcome{Kind: Failed, Facts: clusterFact(w, c), Message: "The cluster cannot be read: " + why, Remedy: "See that the Cluster service runs on all nodes and that the run-as account may administer Exchange there; then run again."}, nil
		}
		if err := keepLooked(w, clusterFact(w, c)); err != nil {
			return Outcome{}, err
		}
		bound, all := boundTurns(w, kept)
		if !all || overtaken(c, kept, bound) {
			for key := range kept {
				delete(w.Memory, key)
			}
			turns, why := order(w, c, rollup, bound...)
			if why != "" {
				return Outcome{Kind: Failed, Facts: clusterFact(w, c), Message: why, Remedy: "Move the clustered mailbox servers with Exchange's own means until a node is passive; then run again."}, nil
			}
			for i, t := range turns {
				w.Memory["node-"+strconv.Itoa(i+1)], w.Memory["cms-"+strconv.Itoa(i+1)] = t.node, t.server
			}
		}
		var words []string
		for i := 1; i <= len(w.Nodes); i++ {
			text := w.Memory["node-"+strconv.Itoa(i)]
			if s := w.Memory["cms-"+strconv.Itoa(i)]; s != "" {
				text += ", to which " + s + " goes"
			}
			words = append(words, text)
		}
		return Outcome{Kind: Done, Percent: 100, Facts: clusterFact(w, c), Message: "In this order: " + strings.Join(words, "; then ")}, nil
	}
}

// chosenTold is the fact "cluster" as step choose read it, for every node.
func chosenTold(w *Work) map[string]rules.Fact {
	var known map[string]rules.Fact
	if text := w.chosen()[looked]; text != "" && json.Unmarshal([]byte(text), &known) != nil {
		return nil // nothing is known: the rules say so
	}
	return known
}

// preflightNode is preflight on a node. What holds of a node only when its turn
// comes is proven again then, right before its first effect (see passive); and a
// later attempt meets the cluster in the state in which the earlier one left it.
func preflightNode(ctx context.Context, w *Work) (Outcome, error) {
	out, err := preflight(ctx, w)
	if err != nil || out.Findings == nil {
		return out, err
	}
	later := []string{"cluster-passive"}
	if begunThere(w) {
		later = append(later, "cluster-online", "cluster-copies", "cluster-copy-queues", "cluster-nodes-up", "cluster-one-level", "cluster-cms-upgraded")
	}
	var blockers []string
	for i, f := range out.Findings {
		if slices.Contains(later, f.Rule) && f.Severity == Blocker {
			out.Findings[i].Severity = Info
			out.Findings[i].Text += "; this is proven when the node's turn comes"
			continue
		}
		if f.Blocks() {
			blockers = append(blockers, f.Text)
		}
	}
	if len(blockers) == 0 {
		out.Kind, out.Remedy = Done, ""
		out.Message = fmt.Sprintf("%d rules passed or were noted", len(out.Findings))
	} else {
		out.Message = strings.Join(blockers, "; ")
	}
	return out, nil
}

func atTarget(w *Work, s windows.ClusterServer) bool { return at(s, w.Package.Target) }

// atLevel reports whether a clustered mailbox server is at the service pack that the
// package is of.
func atLevel(w *Work, s windows.ClusterServer) bool {
	b, err := exchange.ParseBuild(s.Build)
	return err == nil && b.ServicePack() >= w.Package.Target.ServicePack()
}

// nodesAt are the hosts whose roles are at the target, as they were asked in this
// attempt.
func nodesAt(w *Work) []string {
	var out []string
	for i := range w.Nodes {
		note := w.Notes[w.rowOf("facts")+"-"+strconv.Itoa(i+1)]
		if note[nodeAt] == "yes" {
			out = append(out, note[nodeName])
		}
	}
	return out
}

// What step facts of a node remembers for step choose.
const (
	nodeName = "node"
	nodeAt   = "at_target"
)

// nodeFacts is facts, and whether the node is at the target.
func nodeFacts(rollup bool) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		w.fresh()
		out, err := facts(ctx, w)
		if err != nil || out.Kind != Done {
			return out, err
		}
		goal, err := nodeFound(ctx, w, rollup)
		if err != nil {
			return trouble("read how far the node is", err)
		}
		w.Memory[nodeName], w.Memory[nodeAt], w.Memory["build"] = w.Node, "", out.Build
		if goal.reached {
			w.Memory[nodeAt] = "yes"
		}
		return out, nil
	}
}

// owners says who owns what, for people.
func owners(c windows.Cluster) string {
	var words []string
	for _, s := range c.Servers {
		words = append(words, fmt.Sprintf("%s is on %s (%s)", s.Name, said(s.Owner), said(s.State)))
	}
	return list(words)
}
