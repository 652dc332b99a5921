package runbook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wavekeeper/agentless/windows"
)

// begunThere reports whether anything was begun that binds the order: a program on
// a node, or a server stopped or moved for it. Groups that were moved bind nothing,
// nor does the first package bind the second.
func begunThere(w *Work) bool { return begunTurns(w) > 0 }

// begunTurns is the last turn of which that is so, 0 = none.
func begunTurns(w *Work) int {
	last := 0
	for name, memory := range w.Notes {
		if w.second() && !strings.HasPrefix(name, RollupName) && !strings.Contains(name, ofSecond+"-") {
			continue
		}
		for _, step := range []string{"setup-", "rollup-", "upgrade-cms-", "stop-cms-", "move-cms-"} {
			if strings.HasPrefix(name, step) && (memory[setupRan] != "" || memory["created"] != "" || memory[clusterActed] != "") {
				if n, err := strconv.Atoi(name[strings.LastIndex(name, "-")+1:]); err == nil {
					last = max(last, n)
				}
			}
		}
	}
	return last
}

// boundTurns are the turns of an earlier attempt that keep their place, since
// something was begun in them or in one after them; all says that so do the others,
// unless the cluster overtook them.
func boundTurns(w *Work, chosen map[string]string) (bound []turn, all bool) {
	last := begunTurns(w)
	if last == 0 || !sameNodes(w, chosen) {
		return nil, false
	}
	for i := 1; i <= min(last, len(w.Nodes)); i++ {
		bound = append(bound, turn{chosen["node-"+strconv.Itoa(i)], chosen["cms-"+strconv.Itoa(i)]})
	}
	return bound, true
}

// overtaken reports whether the node that was to come next owns a server that does
// not leave it before: a node that failed gave it its server, and is passive itself.
func overtaken(c windows.Cluster, chosen map[string]string, bound []turn) bool {
	next := chosen["node-"+strconv.Itoa(len(bound)+1)]
	return slices.ContainsFunc(c.Servers, func(s windows.ClusterServer) bool {
		leaves := slices.ContainsFunc(bound, func(t turn) bool { return t.server == s.Name })
		return next != "" && strings.EqualFold(s.Owner, next) && !leaves
	})
}

// sameNodes reports whether every host of the cluster was chosen.
func sameNodes(w *Work, chosen map[string]string) bool {
	for i := range w.Nodes {
		if !slices.Contains(w.Nodes, chosen["node-"+strconv.Itoa(i+1)]) {
			return false
		}
	}
	return len(w.Nodes) > 0
}

// turn is a node with the server that goes to it, "" for the last nodes.
type turn struct{ node, server string }

// order is the sequence of turns, which begins with those that are bound; why says
// that there is none.
func order(w *Work, c windows.Cluster, rollup bool, bound ...turn) (turns []turn, why string) {
	at := nodesAt(w)
	owner := map[string]string{} // of servers that wait
	done := map[string]string{}  // of those that are upgraded
	for _, s := range c.Servers {
		old := !atTarget(w, s)
		if rollup {
			old = !slices.Contains(at, s.Owner)
		}
		if old {
			owner[s.Name] = s.Owner
		} else {
			done[s.Name] = s.Owner
		}
	}
	waiting := func() string {
		for _, name := range w.clusterNames() {
			if owner[name] != "" {
				return name
			}
		}
		return ""
	}
	left := slices.Clone(w.Nodes)
	slices.Sort(left)
	serverOf := func(owners map[string]string, node string) string {
		for _, name := range w.clusterNames() {
			if strings.EqualFold(owners[name], node) {
				return name
			}
		}
		return ""
	}
	take := func(node, server string) {
		turns = append(turns, turn{node, server})
		left = slices.DeleteFunc(left, func(n string) bool { return n == node })
		if owner[server] != "" {
			delete(owner, server)
			done[server] = node
		}
	}
	for _, t := range bound {
		take(t.node, t.server)
	}
	for len(left) > 0 {
		node, server := "", ""
		for _, rank := range []func(string) bool{
			func(n string) bool { return slices.Contains(at, n) && serverOf(owner, n) != "" },
			func(n string) bool { return slices.Contains(at, n) && serverOf(done, n) != "" },
			func(n string) bool { return slices.Contains(at, n) },
			func(n string) bool { return serverOf(owner, n) == "" && serverOf(done, n) == "" },
		} {
			if i := slices.IndexFunc(left, rank); i >= 0 && node == "" {
				node = left[i]
			}
		}
		switch {
		case node == "":
			return nil, fmt.Sprintf("No node is passive: %s", owners(c))
		case serverOf(owner, node) != "":
			server = serverOf(owner, node)
		case serverOf(done, node) != "" && slices.Contains(at, node):
			server = serverOf(done, node)
		default:
			server = waiting()
		}
		take(node, server)
	}
	return turns, ""
}
