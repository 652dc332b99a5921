package twin_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// pair is a simulated CCR: CMS1 is on NODEA, NODEB is passive.
type pair struct {
	fleet *twin.Fleet
	truth *truth
	hosts map[string]*windows.Host
	tasks int
}

func newPair(t *testing.T, faults ...twin.Fault) *pair {
	t.Helper()
	a, b := server(t, "nodea", "MBX"), server(t, "nodeb", "MBX")
	cms := exchange.Server{
		Name: "CMS1", FQDN: "cms1.corp.example", Roles: []exchange.Role{exchange.Mailbox}, Site: "Main", Language: "en-US", Arch: "x64", OS: "2003",
		Cluster: exchange.CCR, Nodes: []exchange.Node{{Name: "NODEA", Address: a.Address, Port: a.Port}, {Name: "NODEB", Address: b.Address, Port: b.Port}},
	}
	f, truth := start(t, twin.Options{Servers: []exchange.Server{cms}, Speed: 20000, Faults: faults})
	return &pair{fleet: f, truth: truth, hosts: map[string]*windows.Host{"NODEA": host(t, a), "NODEB": host(t, b)}}
}

// act does one thing with the cluster from NODEB and says how it went.
func (p *pair) act(t *testing.T, verb windows.ClusterVerb, node string) int {
	t.Helper()
	return p.ran(t, func(name string) (windows.Task, error) {
		return windows.ClusterActTask(name, runAs, runAsPass, verb, "CMS1", node, "test")
	}).Exit
}

func (p *pair) ran(t *testing.T, make func(name string) (windows.Task, error)) windows.TaskLook {
	t.Helper()
	return ranTask(t, p.hosts["NODEB"], p.task(t, make))
}

func (p *pair) task(t *testing.T, make func(name string) (windows.Task, error)) windows.Task {
	t.Helper()
	p.tasks++
	task, err := make(fmt.Sprintf("wk-test-u1-cluster%d-a1", p.tasks))
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// clusterSetup is Setup of SP1 as a task on NODEB.
func clusterSetup(arguments string) func(name string) (windows.Task, error) {
	return func(name string) (windows.Task, error) {
		body, err := windows.SetupBody(windows.TaskFolder(name), `C:\Wavekeeper\media\sp1-en-US-x64\setup.com`, arguments)
		return windows.Task{Name: name, Body: body, Account: runAs, Password: runAsPass}, err
	}
}

func TestAMoveIsRefusedOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t, twin.Fault{Host: "NODEB", Name: "cms-move-refused"})
	for try, want := range []string{"NODEA", "NODEB"} {
		exit := p.act(t, windows.MoveServer, "NODEB")
		if got := p.fleet.Clusters()["CMS1"].Owner; got != want || (exit == 0) != (want == "NODEB") {
			t.Errorf("try %d: CMS1 is on %s after exit code %d, want %s", try+1, got, exit, want)
		}
	}
}

func TestSuspendedCopiesAreSaidAndKeepAServerFromMoving(t *testing.T) {
	t.Parallel()
	p := newPair(t, twin.Fault{Host: "NODEB", Name: "copy-suspended", Lasts: 100000 * time.Hour})
	task := p.task(t, func(name string) (windows.Task, error) {
		return windows.ClusterLookTask(name, runAs, runAsPass, []string{"CMS1"}, true)
	})
	ranTask(t, p.hosts["NODEB"], task)
	records, err := p.hosts["NODEB"].TaskRecords(t.Context(), task.Name, windows.ClusterLook)
	if err != nil {
		t.Fatal(err)
	}
	c, err := windows.ClusterOf("CCR", records)
	if err != nil || len(c.Copies) == 0 || c.Copies[0].Status != "Suspended" {
		t.Errorf("copies %+v, %v; want them suspended", c.Copies, err)
	}
	if exit := p.act(t, windows.MoveServer, "NODEB"); exit == 0 || p.fleet.Clusters()["CMS1"].Owner != "NODEA" {
		t.Errorf("exit code %d, CMS1 is %+v", exit, p.fleet.Clusters()["CMS1"])
	}
}

// TestUpgradeCmsIsCutAndRunsAgain: a node that loses its power in the middle leaves
// the server at its old build, offline on the other node; the second run completes,
// and here leaves it offline.
func TestUpgradeCmsIsCutAndRunsAgain(t *testing.T) {
	t.Parallel()
	p := newPair(t, twin.Fault{Host: "NODEB", Name: "upgrade-cms-power-loss"}, twin.Fault{Host: "NODEB", Name: "cms-stays-offline"})
	b := p.hosts["NODEB"]
	up := func() bool {
		_, err := b.OS(t.Context())
		return err == nil && p.fleet.NodesUp() == 2
	}
	if look := p.ran(t, clusterSetup("/mode:Upgrade")); look.Exit != 0 {
		t.Fatalf("Setup ended with %d", look.Exit)
	}
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, "NODEB was restarted", func() bool { return len(p.truth.entries(t, "restart")) > 0 && up() })
	within(t, 20*time.Second, "CMS1 moves", func() bool {
		return p.act(t, windows.StopServer, "") == 0 && p.act(t, windows.MoveServer, "NODEB") == 0
	})
	broken := p.task(t, clusterSetup("/UpgradeCms"))
	for _, step := range []error{b.PrepareTask(t.Context(), broken), b.CreateTask(t.Context(), broken), b.RunTask(t.Context(), broken.Name)} {
		if step != nil {
			t.Fatal(step)
		}
	}
	within(t, 20*time.Second, "the power is lost and back", func() bool { return len(p.truth.entries(t, "power-loss")) == 1 && up() })
	if s := p.fleet.Clusters()["CMS1"]; s.State != "Offline" || s.Build != "8.0.685.25" || s.Owner != "NODEA" {
		t.Errorf("after the power loss CMS1 is %+v, want it offline on the other node", s)
	}
	marks, err := b.Markers(t.Context())
	if err != nil || !slices.ContainsFunc(marks, func(m windows.Marker) bool { return m.Key == exchange.ClusteredMailboxKey }) {
		t.Errorf("marks %+v, %v; want those of /UpgradeCms", marks, err)
	}
	within(t, 20*time.Second, "CMS1 moves again", func() bool { return p.act(t, windows.MoveServer, "NODEB") == 0 })
	if look := p.ran(t, clusterSetup("/UpgradeCms")); look.Exit != 0 {
		t.Errorf("the second run ended with %d", look.Exit)
	}
	if s := p.fleet.Clusters()["CMS1"]; s.State != "Offline" || s.Build != "8.1.240.6" {
		t.Errorf("afterwards CMS1 is %+v", s)
	}
}
