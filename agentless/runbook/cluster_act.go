package runbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// lookPause is the time between two looks at a cluster that is waited for.
const lookPause = 10 * time.Second

// reason is what Exchange writes into the event log.
func (w *Work) reason() string {
	return fmt.Sprintf("%s by Wavekeeper, upgrade %d", w.Package.Name, w.Upgrade)
}

// stand is how far a step's goal is, as one look at the cluster says.
type stand struct {
	done   string // the goal is reached, in words
	failed string // it cannot be reached
	remedy string
	wait   string // it is on its way
	act    *clusterAct
}

// clusterAct is one thing that the step does, once in an attempt.
type clusterAct struct {
	verb       windows.ClusterVerb
	name, node string
	words      string // "Stop CMS1"
}

// clusterGoal looks at the cluster, does what is wanted once and looks again,
// until the goal is reached. Nothing is done twice in an attempt: what was done
// without an effect is waited for.
func clusterGoal(ctx context.Context, w *Work, word string, judge func(windows.Cluster) stand) (Outcome, error) {
	w.fresh()
	if pending := w.Memory[clusterSaid]; pending != "" {
		return doAct(ctx, w, word, pending)
	}
	if w.Memory["pause"] != "" {
		if w.since("pause") < lookPause {
			return againAfter(w, "The cluster is looked at again soon"), nil
		}
		w.unstamp("pause")
	}
	c, out, err := seeCluster(ctx, w, word)
	if err != nil || out.Kind == Again {
		return out, err
	}
	if out.Kind == Failed { // the look came to nothing: a node that starts, a directory that is away
		if w.raise("blind") <= looksAtMost {
			w.stamp("pause")
			return againAfter(w, out.Message), nil
		}
		return out, nil
	}
	s := stand{wait: readable(w, c)}
	if s.wait == "" {
		delete(w.Memory, "blind")
		s = judge(c)
	} else if w.raise("blind") > looksAtMost {
		s = stand{failed: "The cluster cannot be read: " + s.wait, remedy: "See that the Cluster service runs on the nodes; then run again."}
	}
	switch {
	case s.done != "":
		return Outcome{Kind: Done, Percent: 100, Message: s.done, Facts: clusterFact(w, c)}, nil
	case s.failed != "":
		return Outcome{Kind: Failed, Message: s.failed, Remedy: s.remedy, Facts: clusterFact(w, c)}, nil
	case s.act != nil && w.Memory[clusterActed] == "":
		text, err := json.Marshal(actText{s.act.verb, s.act.name, s.act.node, s.act.words})
		if err != nil {
			return Outcome{}, fmt.Errorf("encode what to do: %w", err)
		}
		w.Memory[clusterSaid] = string(text)
		return onward("Next: %s", s.act.words), nil
	case s.act != nil && w.Memory[clusterError] != "":
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("%s was refused (%s). %s", w.Memory[clusterActed], w.Memory[clusterError], owners(c)), Facts: clusterFact(w, c),
			Remedy: "Read the Application event log of the node (MSExchangeRepl, MSExchange Cluster) for what Exchange found wrong, cure it and run again. " +
				"Do not move the server with cluster tools, and not with -IgnoreDismounted: they skip what Exchange checks.",
		}, nil
	case s.act != nil && s.wait == "":
		s.wait = w.Memory[clusterActed] + " was done, its effect is waited for"
	}
	w.stamp("pause")
	out = againAfter(w, s.wait)
	out.Facts = clusterFact(w, c)
	return out, nil
}

// looksAtMost bounds looks in a row that show nothing.
const looksAtMost = 30

func againAfter(w *Work, words string) Outcome {
	out := again("%s", words)
	out.After = min(lookPause, 5*time.Second)
	return out
}

type actText struct {
	Verb  windows.ClusterVerb `json:"verb"`
	Name  string              `json:"name"`
	Node  string              `json:"node"`
	Words string              `json:"words"`
}

// doAct runs the task that acts. It is kept until it has said how it ended.
func doAct(ctx context.Context, w *Work, word, pending string) (Outcome, error) {
	if out, err := sweepTask(ctx, w); err != nil || out.Kind != "" {
		return out, err
	}
	var a actText
	if err := json.Unmarshal([]byte(pending), &a); err != nil {
		return Outcome{}, fmt.Errorf("decode what to do: %w", err)
	}
	if w.Memory["meant"] == "" {
		if a.Verb == windows.StopServer {
			if err := stopsServer(ctx, w, a.Name); err != nil {
				return Outcome{}, err
			}
		}
		if err := w.intend(ctx, a.Words); err != nil {
			return Outcome{}, err
		}
		w.Memory["meant"] = "yes"
	}
	_, out, err := clusterTask(ctx, w, word+"-act", a.Words, func(name string) (windows.Task, error) {
		return windows.ClusterActTask(name, w.RunAs.Name, w.RunAs.Password, a.Verb, a.Name, a.Node, w.reason())
	}, windows.ClusterAct)
	if err != nil || out.Kind == Again {
		return out, err
	}
	w.Memory[clusterActed], w.Memory[clusterError] = a.Words, out.Message
	delete(w.Memory, clusterSaid)
	delete(w.Memory, "meant")
	return onward("%s: done, and looked at again", a.Words), nil
}

// server is the clustered mailbox server of the turn, "" when there is none.
func (w *Work) turnServer() string { return w.chosen()["cms"+w.Turn] }

// noServer is a turn whose server is "".
func noServer() Outcome {
	return Outcome{Kind: Done, Percent: 100, Message: "No clustered mailbox server is left for this turn"}
}

// ofServer is a step about the turn's clustered mailbox server: rollups are not
// in its version, so that there a server counts as settled once it is where it
// should be.
func ofServer(word string, rollup bool, judge func(w *Work, c windows.Cluster, s windows.ClusterServer) stand) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		name := w.turnServer()
		if name == "" {
			return noServer(), nil
		}
		return clusterGoal(ctx, w, word, func(c windows.Cluster) stand {
			s, _ := c.Server(name)
			if settled := s.State == onlineState && strings.EqualFold(s.Owner, w.Node); settled && rollup {
				return stand{done: fmt.Sprintf("%s is online on %s already", s.Name, s.Owner)}
			}
			if !rollup && atTarget(w, s) {
				if word == onlineWord {
					return judge(w, c, s)
				}
				return stand{done: fmt.Sprintf("%s is at %s already", s.Name, s.Build)}
			}
			return judge(w, c, s)
		})
	}
}

// The states of a clustered mailbox server that steps decide by (technet
// aa998632; how they are written as a value is in UNPROVEN.md).
const (
	onlineState         = "Online"
	offlineState        = "Offline"
	onlinePendingState  = "OnlinePending"
	offlinePendingState = "OfflinePending"
	failedState         = "Failed"
)

const onlineWord = "online"

// stopServer takes the server offline: from here on people wait.
func stopServer(rollup bool) func(context.Context, *Work) (Outcome, error) {
	return ofServer("stop", rollup, func(w *Work, c windows.Cluster, s windows.ClusterServer) stand {
		switch s.State {
		case offlineState:
			return stand{done: s.Name + " is offline"}
		case offlinePendingState:
			return stand{wait: s.Name + " goes offline"}
		}
		if why := notReady(w, c); why != "" && s.State == onlineState {
			return stand{failed: "Nothing was stopped: " + why, remedy: "Wait until the copies are healthy, then run again."}
		}
		return stand{act: &clusterAct{windows.StopServer, s.Name, "", "Stop " + s.Name}}
	})
}

// moveServer moves the server, offline, to the node that was upgraded.
func moveServer(rollup bool) func(context.Context, *Work) (Outcome, error) {
	return ofServer("move", rollup, func(w *Work, _ windows.Cluster, s windows.ClusterServer) stand {
		switch {
		case strings.EqualFold(s.Owner, w.Node):
			return stand{done: fmt.Sprintf("%s is on %s, %s", s.Name, s.Owner, s.State)}
		case s.State == offlinePendingState:
			return stand{wait: s.Name + " is being moved"}
		case s.State != offlineState && s.State != failedState:
			return stand{failed: fmt.Sprintf("%s is %s on %s: it is moved offline only", s.Name, s.State, s.Owner), remedy: "Find out who started it; then run again."}
		}
		return stand{act: &clusterAct{windows.MoveServer, s.Name, w.Node, fmt.Sprintf("Move %s to %s", s.Name, w.Node)}}
	})
}

// online waits for the server and starts it where it does not come by itself: the
// sources do not agree on whether it runs after /UpgradeCms.
func online(rollup bool) func(context.Context, *Work) (Outcome, error) {
	return servesAgain(ofServer(onlineWord, rollup, func(w *Work, _ windows.Cluster, s windows.ClusterServer) stand {
		switch {
		case s.State == onlineState && strings.EqualFold(s.Owner, w.Node):
			return stand{done: fmt.Sprintf("%s is online on %s", s.Name, s.Owner)}
		case s.State == onlineState && atTarget(w, s):
			return stand{done: fmt.Sprintf("%s is online on %s, where somebody put it", s.Name, s.Owner)}
		case !rollup && !atTarget(w, s):
			return stand{failed: fmt.Sprintf("%s is at %s: Setup /UpgradeCms did not take it to the target", s.Name, said(s.Build)), remedy: halfRemedy}
		case s.State == onlinePendingState:
			return stand{wait: s.Name + " comes online"}
		case w.since("given") < startsItself && s.State != failedState && !rollup:
			return stand{wait: s.Name + " is given time to come online by itself"}
		}
		return stand{act: &clusterAct{windows.StartServer, s.Name, "", "Start " + s.Name}}
	}))
}

// startsItself is how long a server is waited for after /UpgradeCms.
const startsItself = 2 * time.Minute

const halfRemedy = "Run again: the same node goes on with /UpgradeCms; no other node is begun before. " +
	"Where Setup refuses since the server counts as installed, see the page on half-upgraded clusters."

// notReady says what of the copies keeps a server from being moved, or "".
func notReady(w *Work, c windows.Cluster) string {
	if !w.replicated() {
		return ""
	}
	if len(c.Copies) == 0 {
		return "the copies of the storage groups could not be read"
	}
	var wrong []string
	for _, copy := range c.Copies {
		switch {
		case copy.Status != "Healthy":
			wrong = append(wrong, fmt.Sprintf("the copy of %s is %s", copy.Group, said(copy.Status)))
		case copy.CopyQueue < 0 || copy.CopyQueue > queueLimit || copy.ReplayQueue < 0 || copy.ReplayQueue > queueLimit:
			wrong = append(wrong, fmt.Sprintf("the copy of %s has %d log files to copy and %d to replay", copy.Group, copy.CopyQueue, copy.ReplayQueue))
		}
	}
	return list(wrong)
}

// queueLimit is how many log files may wait: each must be copied and replayed
// while the server is offline (exchhelp fa053f04). A number of ours.
const queueLimit = 10

// upgradeCms runs Setup /UpgradeCms on the node that owns the server. It is asked
// once more, right before, that the server is there and offline.
func upgradeCms(ctx context.Context, w *Work) (Outcome, error) {
	name := w.turnServer()
	if name == "" {
		return noServer(), nil
	}
	ran := w.Memory[setupRan]
	w.fresh()
	if ran != "" {
		w.Memory[setupRan] = ran
	}
	p := mediaSetup(w, "upgrade-cms"+w.Turn, "Exchange Setup /UpgradeCms", "/UpgradeCms")
	p.already = name + " is at the target already; Setup /UpgradeCms was not run"
	p.completed = name + " is at " + w.Package.Target.String()
	p.resume = "Read the end of the setup log, cure the cause and run again: /UpgradeCms is run once more on this node. Until it went well nothing is begun on another node."
	p.broken = p.resume + " " + setupBroken
	p.found = func(ctx context.Context) (found, error) { return cmsFound(ctx, w, name) }
	p.first = func(ctx context.Context) (Outcome, error) { return offlineHere(ctx, w, name) }
	p.last = p.first
	if out, err := seenAround(ctx, w, p, name); err != nil || out.Kind != "" {
		return out, err
	}
	return p.tick(ctx, w)
}

// seenAround looks at the cluster before the program's task is made and after it
// ended: the server's build is in the directory, which only a host task may ask.
// A Setup that says that it went well may be ahead of the domain controller that
// answers.
func seenAround(ctx context.Context, w *Work, p program, name string) (Outcome, error) {
	look, err := w.Host.LookTask(ctx, windows.TaskName(w.Installation, w.Upgrade, p.key, w.Attempt))
	if err != nil {
		return p.outOfReach(w, "look at the Setup task", err)
	}
	phase := map[windows.TaskState]string{windows.TaskAbsent: "before", windows.TaskEnded: "after"}[look.State]
	if phase == "" || w.Memory["phase"] == phase {
		return Outcome{}, nil
	}
	c, out, err := seeCluster(ctx, w, "upgrade-look")
	if out.Kind == Failed && w.raise("blind") <= looksAtMost {
		out.Kind, out.After = Again, later
	}
	if err != nil || out.Kind != "" {
		return out, err
	}
	if s, _ := c.Server(name); phase == "after" && look.Exit == 0 && !atTarget(w, s) && w.since("ended") < directoryLag {
		return again("Setup ended well; %s is still at %s in the directory that answers", name, said(s.Build)), nil
	}
	w.Memory["phase"] = phase
	return Outcome{}, nil
}

// directoryLag is how long domain controllers of one site are given to tell each
// other. A number of ours.
const directoryLag = 5 * time.Minute

// lastSeen is the last look of the step.
func lastSeen(w *Work) (windows.Cluster, error) {
	var c windows.Cluster
	if err := json.Unmarshal([]byte(w.Memory[clusterSeen]), &c); err != nil {
		return c, fmt.Errorf("decode the cluster: %w", err)
	}
	return c, nil
}

// cmsFound is how far /UpgradeCms came: the build of the server, and marks of the
// clustered part on this node (technet cc540457).
func cmsFound(ctx context.Context, w *Work, name string) (found, error) {
	if w.Memory["created"] != "" && w.Memory["phase"] != "after" { // it ended between two looks of this tick
		return found{}, errors.New("the cluster is looked at first")
	}
	c, err := lastSeen(w)
	if err != nil {
		return found{}, err
	}
	marks, err := w.Host.Markers(ctx)
	if err != nil {
		return found{}, err
	}
	s, _ := c.Server(name)
	f := found{build: s.Build}
	for _, m := range marks {
		if strings.EqualFold(m.Key, exchange.ClusteredMailboxKey) {
			f.marked = append(f.marked, fmt.Sprintf("%s: %s %q", m.Key, m.Name, m.Value))
		}
	}
	if !atTarget(w, s) {
		f.wrong = append(f.wrong, fmt.Sprintf("%s is at %s", name, said(s.Build)))
	}
	if len(f.marked) > 0 {
		f.wrong = append(f.wrong, list(f.marked))
	}
	f.reached = len(f.wrong) == 0
	return f, nil
}

// offlineHere is Done when the server is on this node and does not run.
func offlineHere(ctx context.Context, w *Work, name string) (Outcome, error) {
	if !w.saw("offline") {
		c, out, err := seeCluster(ctx, w, "upgrade-look")
		if err != nil || out.Kind != "" {
			return out, err
		}
		if s, _ := c.Server(name); !strings.EqualFold(s.Owner, w.Node) || s.State != offlineState && s.State != failedState {
			return Outcome{
				Kind: Failed, Message: fmt.Sprintf("Setup /UpgradeCms was not begun: %s is %s on %s, and has to be offline on %s", name, said(s.State), said(s.Owner), w.Node),
				Remedy: "Run again: it is stopped and moved where it is not.", Facts: clusterFact(w, c),
			}, nil
		}
		w.sees("offline")
	}
	return Outcome{Kind: Done}, nil
}

// otherGroups lists the groups that a node owns and that are no server's.
func otherGroups(c windows.Cluster, node string) []windows.ClusterGroup {
	return slices.DeleteFunc(c.Owned(node), func(g windows.ClusterGroup) bool { return c.OfServer(g.Name) })
}
