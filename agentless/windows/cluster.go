package windows

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ClusterLook is the script that looks at a cluster, ClusterAct the one that
// acts on it. Both need Active Directory and so run as host tasks under the
// run-as account.
const (
	ClusterLook = "cluster-look"
	ClusterAct  = "cluster-act"
)

// Cluster is what one node says of its cluster: the fact "cluster".
type Cluster struct {
	Name    string          `json:"name"`
	Kind    string          `json:"kind"` // "CCR" or "SCC", as the inventory says
	Nodes   []ClusterNode   `json:"nodes"`
	Groups  []ClusterGroup  `json:"groups"`
	Servers []ClusterServer `json:"cms"`
	Copies  []ClusterCopy   `json:"copies"`
	Witness string          `json:"witness"`          // of the file share witness, `\\HUB01\share`; "" = none
	Unread  []string        `json:"unread,omitempty"` // parts that could not be read, with the exception's type and code
}

// ClusterNode is a node; State is Up, Down, Paused, Joining or Unknown.
type ClusterNode struct {
	Name  string `json:"name"`
	State string `json:"state"`
}

// ClusterGroup is a resource group; State is Online, Offline, Failed,
// PartialOnline, Pending or Unknown.
type ClusterGroup struct {
	Name   string `json:"name"`
	Owner  string `json:"owner"`
	State  string `json:"state"`
	Quorum bool   `json:"quorum"` // it holds the quorum resource: the default group
}

// ClusterServer is a clustered mailbox server. State is as Exchange says it,
// without blanks: Online, PartiallyOnline, OnlinePending, Offline,
// OfflinePending, Failed; "" = it could not be asked. Owner is the node that owns
// its group, Nodes those that may. Build is that of the server in Active
// Directory, which /UpgradeCms raises; rollups do not change it.
type ClusterServer struct {
	Name  string   `json:"name"`
	State string   `json:"state"`
	Owner string   `json:"owner"`
	Nodes []string `json:"nodes"`
	Build string   `json:"build"`
	Group string   `json:"group"`
}

// ClusterCopy is the copy of one storage group. The queues are log files; -1 =
// not known.
type ClusterCopy struct {
	Server      string `json:"cms"`
	Group       string `json:"group"`
	Status      string `json:"status"`
	CopyQueue   int    `json:"copy_queue"`
	ReplayQueue int    `json:"replay_queue"`
}

// Node returns the node of that name, without regard to case.
func (c Cluster) Node(name string) (ClusterNode, bool) {
	for _, n := range c.Nodes {
		if strings.EqualFold(n.Name, name) {
			return n, true
		}
	}
	return ClusterNode{}, false
}

// Server returns the clustered mailbox server of that name, without regard to case.
func (c Cluster) Server(name string) (ClusterServer, bool) {
	for _, s := range c.Servers {
		if strings.EqualFold(s.Name, name) {
			return s, true
		}
	}
	return ClusterServer{}, false
}

// Owned lists the groups that a node owns.
func (c Cluster) Owned(node string) []ClusterGroup {
	var out []ClusterGroup
	for _, g := range c.Groups {
		if strings.EqualFold(g.Owner, node) {
			out = append(out, g)
		}
	}
	return out
}

// OfServer reports whether a group is that of a clustered mailbox server.
func (c Cluster) OfServer(group string) bool {
	return slices.ContainsFunc(c.Servers, func(s ClusterServer) bool { return strings.EqualFold(s.Group, group) })
}

// Source: CLUSTER_NODE_STATE and CLUSTER_GROUP_STATE of clusapi.h; the cluster
// automation server gives the same numbers (ClusNode.State, ClusResGroup.State).
var (
	nodeStates  = map[string]string{"0": "Up", "1": "Down", "2": "Paused", "3": "Joining"}
	groupStates = map[string]string{"0": "Online", "1": "Offline", "2": "Failed", "3": "PartialOnline", "4": "Pending"}
)

func stateWord(states map[string]string, number string) string {
	if word := states[number]; word != "" {
		return word
	}
	return "Unknown"
}

// ClusterOf reads what cluster-look said.
func ClusterOf(kind string, records Records) (Cluster, error) {
	c := Cluster{Kind: kind, Nodes: []ClusterNode{}, Groups: []ClusterGroup{}, Servers: []ClusterServer{}, Copies: []ClusterCopy{}}
	owners := map[string]string{}   // of groups
	networks := map[string]string{} // nodes|group, by clustered mailbox server
	for _, r := range records {
		fields := map[string]int{"node": 2, "group": 4, "network": 3, "cms": 4, "copy": 5, "failed": 2}[r.Name]
		f := strings.SplitN(r.Value, "|", max(fields, 1))
		if fields > 0 && len(f) != fields {
			return Cluster{}, fmt.Errorf("record %s of %s: %q", r.Name, ClusterLook, r.Value)
		}
		switch r.Name {
		case "cluster":
			c.Name = r.Value
		case "node":
			c.Nodes = append(c.Nodes, ClusterNode{Name: strings.ToUpper(f[1]), State: stateWord(nodeStates, f[0])})
		case "group":
			owners[strings.ToLower(f[3])] = strings.ToUpper(f[0])
			c.Groups = append(c.Groups, ClusterGroup{Name: f[3], Owner: strings.ToUpper(f[0]), State: stateWord(groupStates, f[1]), Quorum: f[2] == "1"})
		case "network":
			networks[strings.ToLower(f[1])] = f[0] + "|" + f[2]
		case "witness":
			c.Witness = r.Value
		case "cms":
			build := f[1]
			if strings.Trim(build, ".") == "" {
				build = ""
			}
			c.Servers = append(c.Servers, ClusterServer{Name: strings.ToUpper(f[3]), State: strings.ReplaceAll(f[0], " ", ""), Build: build, Nodes: []string{}})
		case "copy":
			c.Copies = append(c.Copies, ClusterCopy{Server: strings.ToUpper(f[0]), Status: strings.ReplaceAll(f[1], " ", ""), CopyQueue: length(f[2]), ReplayQueue: length(f[3]), Group: f[4]})
		case "failed":
			c.Unread = append(c.Unread, f[0]+": "+f[1])
		}
	}
	for i, s := range c.Servers {
		nodes, group, ok := strings.Cut(networks[strings.ToLower(s.Name)], "|")
		if !ok {
			continue
		}
		c.Servers[i].Group, c.Servers[i].Owner = group, owners[strings.ToLower(group)]
		c.Servers[i].Nodes = strings.Split(strings.ToUpper(nodes), ",")
		slices.Sort(c.Servers[i].Nodes)
	}
	slices.SortFunc(c.Nodes, func(a, b ClusterNode) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Groups, func(a, b ClusterGroup) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Servers, func(a, b ClusterServer) int { return strings.Compare(a.Name, b.Name) })
	return c, nil
}

// length is a queue's, -1 when it is no number.
func length(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

// ClusterLookTask is the host task that looks at a cluster. servers are its
// clustered mailbox servers; copies are asked for of a CCR only.
func ClusterLookTask(name, account, password string, servers []string, copies bool) (Task, error) {
	word := "0"
	if copies {
		word = "1"
	}
	return ScriptTask(name, ClusterLook, account, password, strings.Join(servers, ","), word)
}

// ClusterVerb is what cluster-act does.
type ClusterVerb string

// The verbs. A clustered mailbox server is only moved by Exchange's own cmdlet,
// never with -IgnoreDismounted; MoveGroup refuses its group.
const (
	StopServer  ClusterVerb = "stop-cms"
	MoveServer  ClusterVerb = "move-cms"
	StartServer ClusterVerb = "start-cms"
	MoveGroup   ClusterVerb = "move-group"
)

// ClusterActTask is the host task that does one thing with a cluster: name is the
// clustered mailbox server or the group, node where it goes, reason what Exchange
// writes into the event log.
func ClusterActTask(task, account, password string, verb ClusterVerb, name, node, reason string) (Task, error) {
	return ScriptTask(task, ClusterAct, account, password, string(verb), name, node, reason)
}
