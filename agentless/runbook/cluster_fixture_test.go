package runbook_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
)

// clusterFixture is a simulated cluster and the work on it, as the engine does it.
type clusterFixture struct {
	fleet   *twin.Fleet
	journal *syncBuffer
	servers []exchange.Server
	nodes   []string
	hosts   map[string]*windows.Host
	books   map[string]*book // by node
	table   runbook.Table
	memory  map[string]map[string]string
	out     map[string]runbook.Outcome
	first   int // the attempt
	began   time.Time
	pkg     runbook.Package
	media   runbook.Media
	then    runbook.Package // the plan's second package, with its media
	thenIn  runbook.Media
	hooks   runbook.Hooks
	before  func(step string, tick int) // what a test does before a tick
	lost    func(step string, tick int) bool
	limits  bool
	ended   []string // steps that ended in Done, in order
	patient time.Duration
	unwind  bool
	giveUp  bool // the attempt ends here

	kill   killer
	killed []string // in these steps ticks die before each command of theirs
	hurry  int      // how much faster than ours the clock of the work runs
}

// clusterRows are the inventory rows of a cluster: nodes and servers by number.
func clusterRows(t *testing.T, kind exchange.ClusterType, nodes, servers int, language string) []exchange.Server {
	t.Helper()
	var all []exchange.Node
	for i := range nodes {
		address := fmt.Sprintf("127.0.164.%d", 10+i)
		l, err := net.Listen("tcp", address+":0")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, exchange.Node{Name: fmt.Sprintf("NODE%c", 'A'+i), Address: address, Port: l.Addr().(*net.TCPAddr).Port})
		defer l.Close()
	}
	var rows []exchange.Server
	for i := range servers {
		name := fmt.Sprintf("CMS%d", 1+i)
		rows = append(rows, exchange.Server{
			Name: name, FQDN: strings.ToLower(name) + ".lab.test", Roles: []exchange.Role{exchange.Mailbox}, Site: "HQ",
			OS: "2003", Language: language, Arch: "x64", Cluster: kind, Nodes: all, Profile: "default",
			Services: []string{"ScanMail_Master"},
		})
	}
	return rows
}

func newCluster(t *testing.T, kind exchange.ClusterType, nodes, servers int, language string, change func(*twin.Options)) *clusterFixture {
	t.Helper()
	f := &clusterFixture{
		began: time.Now(), journal: &syncBuffer{}, memory: map[string]map[string]string{}, out: map[string]runbook.Outcome{},
		hosts: map[string]*windows.Host{}, books: map[string]*book{}, first: 1, hurry: 60, patient: 120 * time.Second,
		servers: clusterRows(t, kind, nodes, servers, language),
		pkg:     runbook.Package{Name: "SP1", Target: sp1, Language: language, Arch: "x64"},
		media:   runbook.Media{Folder: `C:\Wavekeeper\media\sp1-` + language + `-x64`, SetupSHA256: twin.SetupSHA256("sp1", language, "x64")},
	}
	o := twin.Options{
		Servers: f.servers, User: user, Password: password, RunAs: runas, RunAsPassword: runasPass,
		Speed: 2000, ShellSpeed: 10, Journal: f.journal, Observe: f.kill.observe,
	}
	if change != nil {
		change(&o)
	}
	var err error
	if f.fleet, err = twin.Start(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.fleet.Close() })
	for _, n := range f.servers[0].Nodes {
		conn, err := winrm.New(winrm.Config{Address: n.Address, Port: n.Port, Account: winrm.Basic(user, password)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		f.nodes = append(f.nodes, n.Name)
		f.hosts[n.Name], f.books[n.Name] = windows.New(conn), &book{}
	}
	name := "ccr-service-pack"
	if kind == exchange.SCC {
		name = fmt.Sprintf("scc-%d-%d-service-pack", nodes, servers)
	}
	if o.Rollups != nil {
		f.then = runbook.Package{Name: "SP1 RU8", Target: exchange.Build{Major: 8, Minor: 1, Build: 375, Revision: 2}, Language: language, Arch: "x64"}
		f.thenIn = runbook.Media{Folder: rollupFolder, SetupSHA256: twin.RollupSHA256("sp1-ru8", "x64")}
		name += "-and-rollup"
	}
	if o.Rollups != nil && o.Servers[0].Build == sp1 { // the rollup alone
		f.pkg, f.media, f.then, f.thenIn = f.then, f.thenIn, runbook.Package{}, runbook.Media{}
		name = strings.Replace(name, "service-pack-and-", "", 1)
	}
	table, ok := runbook.ByName(name)
	if !ok {
		t.Fatalf("there is no runbook %s", name)
	}
	f.table = table
	return f
}

func (f *clusterFixture) now() time.Time {
	return f.began.Add(time.Since(f.began) * time.Duration(f.hurry))
}

// dies lets ticks of these steps die before each command of theirs. What a look
// showed counts for minutes, in which a tick has to come through between its deaths.
func (f *clusterFixture) dies(steps []string) {
	if len(steps) > 0 {
		f.killed, f.hurry = steps, 6
	}
}

// walk walks the table from a step on, as the engine does: after a failure the
// steps that put back.
func (f *clusterFixture) walk(t *testing.T, from string) (string, runbook.Outcome) {
	t.Helper()
	begun := false
	f.unwind = false
	ended, last := "", runbook.Outcome{}
	for _, s := range f.table.Steps {
		begun = begun || from == "" || s.Name == from
		if !begun || f.unwind && !s.PutBack {
			continue
		}
		out := f.step(t, s)
		if f.giveUp && !f.unwind {
			f.unwind, ended, last = true, s.Name, runbook.Outcome{Kind: runbook.Failed, Message: "given up"}
			continue
		}
		if out.Kind == runbook.Done && !f.unwind {
			f.ended = append(f.ended, s.Name)
		}
		switch {
		case out.Kind == runbook.Done && !f.unwind:
			ended, last = s.Name, out
		case out.Kind == runbook.Failed && !f.unwind:
			f.unwind, ended, last = true, s.Name, out
		case out.Kind == runbook.Failed: // what cannot be put back stays open, as in a rollout
		case out.Kind != runbook.Done:
			return s.Name, out
		}
	}
	return ended, last
}

// retry begins a new attempt at the beginning of the table.
func (f *clusterFixture) retry() { f.first++ }

func (f *clusterFixture) host(t *testing.T, s runbook.Step, notes map[string]map[string]string) (string, *runbook.Outcome) {
	t.Helper()
	name, out := runbook.HostFor(s.Step, notes, f.nodes)
	if out == nil && name == "" {
		name = f.nodes[0]
		if at := f.memory[s.Name]["test.host"]; at != "" {
			return at, nil
		}
		for _, n := range f.nodes {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			_, err := f.hosts[n].OS(ctx)
			cancel()
			if err == nil {
				return n, nil
			}
		}
	}
	return name, out
}

func (f *clusterFixture) work(t *testing.T, s runbook.Step) (*runbook.Work, *runbook.Outcome) {
	t.Helper()
	memory := map[string]string{}
	maps.Copy(memory, f.memory[s.Name])
	notes := map[string]map[string]string{}
	for name, m := range f.memory {
		if name != s.Name {
			notes[name] = m
		}
	}
	name, out := f.host(t, s, notes)
	if out != nil {
		return nil, out
	}
	delete(memory, "test.host")
	pkg, media := f.pkg, f.media
	if s.Second {
		pkg, media = f.then, f.thenIn
	}
	return &runbook.Work{
		Host: f.hosts[name], Node: name, Nodes: f.nodes, Turn: s.Turn(), Server: f.servers[0], Servers: f.servers,
		Package: pkg, Then: f.then, Media: media, Hooks: f.hooks, RunAs: runbook.Account{Name: runas, Password: runasPass}, Installation: "test", Upgrade: 17,
		Attempt: f.first, Prepared: true, Memory: memory, Notes: notes, Ledger: f.books[name].open(), Book: f.books[name], Now: f.now(),
		Markers: slices.Clone(f.books[name].markers), Unwinding: f.unwind, Fleet: preflight.Fleet{Known: true},
	}, nil
}

func (f *clusterFixture) step(t *testing.T, s runbook.Step) runbook.Outcome {
	t.Helper()
	deadline := time.Now().Add(f.patient)
	began := f.now()
	defer func(at time.Time) {
		if lasted := time.Since(at); lasted > 10*time.Second {
			t.Logf("step %s lasted %s: %s", s.Name, lasted.Round(time.Second), f.out[s.Name].Message)
		}
	}(time.Now())
	for tick := 0; ; tick++ {
		if f.before != nil {
			f.before(s.Name, tick)
		}
		w, nobody := f.work(t, s)
		if nobody != nil {
			f.out[s.Name] = *nobody
			return *nobody
		}
		ctx, cancel := context.WithTimeout(context.Background(), 28*time.Second)
		f.kill.on = slices.Contains(f.killed, s.Name)
		f.kill.arm(cancel)
		out, err := s.Tick(ctx, w)
		killed := f.kill.disarm()
		cancel()
		if killed {
			continue
		}
		if err != nil {
			t.Fatalf("step %s, tick %d: %v", s.Name, tick, err)
		}
		if f.lost != nil && f.lost(s.Name, tick) {
			continue
		}
		w.Memory["test.host"] = w.Node
		f.memory[s.Name], f.out[s.Name] = w.Memory, out
		if f.giveUp && !f.unwind && out.Kind != runbook.OutOfSight {
			return out
		}
		if out.Kind != runbook.Again && out.Kind != runbook.OutOfSight {
			return out
		}
		if f.limits && f.now().Sub(began) > s.Hard && out.Kind != runbook.OutOfSight {
			out.Kind, out.Message = runbook.Unknown, "Not finished: "+out.Message
			if s.Repeatable {
				out.Kind = runbook.Failed
			}
			f.out[s.Name] = out
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("step %s: no end after %d ticks, last: %+v", s.Name, tick, out)
		}
		pause(context.Background(), 3*time.Millisecond)
	}
}

// violations are what must never happen, as the hosts saw it.
func (f *clusterFixture) violations(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, e := range f.journal.entries(t) {
		if e.What == "violation" {
			out = append(out, fmt.Sprint(e.Host, ": ", e.Detail))
		}
	}
	return out
}

// clean fails when anything but the media is left on a node, or open.
func (f *clusterFixture) clean(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	for _, n := range f.nodes {
		if names, err := f.hosts[n].TaskFolders(ctx); err != nil || len(names) > 0 {
			t.Errorf("%s: folders left: %v, %v", n, names, err)
		}
		if open := f.books[n].open(); len(open) > 0 {
			t.Errorf("%s: ledger entries left open: %+v", n, open)
		}
		if len(f.books[n].deviations) > 0 {
			t.Errorf("%s: deviations: %v", n, f.books[n].deviations)
		}
	}
}

// built is the build of a node's roles, without that of the clustered server.
func (f *clusterFixture) built(t *testing.T, node string) string {
	t.Helper()
	roles, err := f.hosts[node].Roles(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return roles["Mailbox"].Configured
}

// fail lets Setup fail in a phase of one step on a node.
func (f *clusterFixture) fail(t *testing.T, step, node string, phase int) {
	t.Helper()
	done := false
	f.before = func(name string, tick int) {
		if name == step && !done {
			done = true
			if err := f.fleet.Inject(twin.Fault{Host: node, Name: "setup-fails", At: fmt.Sprintf("phase:%d", phase)}); err != nil {
				t.Error(err)
			}
		}
	}
}

func (f *clusterFixture) powerLoss(t *testing.T, node string) {
	t.Helper()
	if err := f.fleet.PowerLoss(node); err != nil {
		t.Error(err)
	}
}

// await waits until a server is on a node in a state.
func (f *clusterFixture) await(t *testing.T, server, node, state string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); pause(context.Background(), 5*time.Millisecond) {
		if s := f.fleet.Clusters()[server]; s.Owner == node && s.State == state {
			return
		}
	}
	t.Errorf("%s is %+v, want %s on %s", server, f.fleet.Clusters()[server], state, node)
}

// thirdParty is the third-party service of every node, as it is.
func (f *clusterFixture) thirdParty(t *testing.T) string {
	t.Helper()
	return f.services(t, "ScanMail_Master")
}

// services are some services of every node, as they are.
func (f *clusterFixture) services(t *testing.T, names ...string) string {
	t.Helper()
	var out []string
	for _, n := range f.nodes {
		for deadline := time.Now().Add(20 * time.Second); ; {
			all, err := f.hosts[n].Services(context.Background())
			if err == nil {
				words, settled := n, true
				for _, name := range names {
					s, _ := windows.FindService(all, name)
					words += " " + s.State + " " + s.StartMode
					settled = settled && (s.State == "Running" || s.State == "Stopped")
				}
				if settled {
					out = append(out, words)
					break
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s does not answer: %v", n, err)
			}
			pause(context.Background(), 20*time.Millisecond)
		}
	}
	return strings.Join(out, ", ")
}

// settled waits until every node answers and the cluster has come to rest, as a
// person does before he runs again.
func (f *clusterFixture) settled(t *testing.T) {
	t.Helper()
	f.thirdParty(t)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); pause(context.Background(), 20*time.Millisecond) {
		rest := f.fleet.NodesUp() == len(f.nodes)
		for _, s := range f.fleet.Clusters() {
			rest = rest && !strings.HasSuffix(s.State, "Pending")
		}
		if rest {
			return
		}
	}
}
