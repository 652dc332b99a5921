package runbook_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
)

const (
	user, password   = "wkadmin", "winrm-Secret1"
	runas, runasPass = `LAB\svc-setup`, `run as %PATH% Secret2`
)

var sp1 = exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 6}

// syncBuffer is a journal that tests read while the fleet writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// entry is one line of the twin's journal: what really happened.
type entry struct {
	Host   string
	What   string
	Detail map[string]any
}

func (s *syncBuffer) entries(t *testing.T) []entry {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []entry
	for lines := bufio.NewScanner(bytes.NewReader(s.b.Bytes())); lines.Scan(); {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func (s *syncBuffer) count(t *testing.T, what string) int {
	t.Helper()
	n := 0
	for _, e := range s.entries(t) {
		if e.What == what {
			n++
		}
	}
	return n
}

// fixture is one simulated host and the work on it.
type fixture struct {
	fleet    *twin.Fleet
	journal  *syncBuffer
	server   exchange.Server
	conn     *winrm.Conn
	host     *windows.Host
	book     *book
	memory   map[string]map[string]string
	attempt  map[string]int
	change   func(*runbook.Work) // what a test does to the work of every tick
	lost     func(step string, tick int) bool
	out      map[string]runbook.Outcome // last of each step
	logged   []string
	evidence []runbook.Evidence
	ticks    int
	began    time.Time
	kill     killer

	at        string // the step that is worked on
	unwinding bool
	giveUp    bool // the step ends now: somebody aborts the upgrade
	limits    bool // hard limits end steps, as the engine has it
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.129.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func newFixture(t *testing.T, change func(*twin.Options)) *fixture {
	t.Helper()
	f := &fixture{
		began:   time.Now(),
		journal: &syncBuffer{}, memory: map[string]map[string]string{}, attempt: map[string]int{}, out: map[string]runbook.Outcome{},
		server: exchange.Server{
			Name: "MBX1", FQDN: "mbx1.lab.test", Roles: []exchange.Role{exchange.HubTransport, exchange.Mailbox}, Site: "HQ",
			OS: "2003", Language: "en-US", Arch: "x64", Address: "127.0.129.2", Port: freePort(t), Profile: "default",
			Services: []string{"ScanMail_Master", "BackupExecAgentAccelerator"},
		},
	}
	o := twin.Options{
		Servers: []exchange.Server{f.server}, User: user, Password: password, RunAs: runas, RunAsPassword: runasPass,
		Speed: 2000, Journal: f.journal,
	}
	o.Observe = f.kill.observe
	if change != nil {
		change(&o)
	}
	var err error
	if f.fleet, err = twin.Start(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.fleet.Close() })
	f.conn, err = winrm.New(winrm.Config{Address: f.server.Address, Port: f.server.Port, Account: winrm.Basic(user, password)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.conn.Close)
	f.host = windows.New(f.conn)
	f.book = &book{}
	return f
}

// now is a clock that runs as fast as the simulated hosts' Setup: minutes of
// patience pass in seconds.
func (f *fixture) now() time.Time { return f.began.Add(time.Since(f.began) * 60) }

// work is what the engine would hand to a tick.
func (f *fixture) work(step string) *runbook.Work {
	memory := map[string]string{}
	maps.Copy(memory, f.memory[step])
	notes := map[string]map[string]string{}
	for name, m := range f.memory {
		if name != step {
			notes[name] = m
		}
	}
	w := &runbook.Work{
		Host: f.host, Server: f.server,
		Package: runbook.Package{Name: "SP1", Target: sp1, Language: "en-US", Arch: "x64"},
		Media:   runbook.Media{Folder: `C:\Wavekeeper\media\sp1-en-US-x64`, SetupSHA256: twin.SetupSHA256("sp1", "en-US", "x64")},
		RunAs:   runbook.Account{Name: runas, Password: runasPass}, Installation: "test", Upgrade: 17,
		Attempt: 1 + f.attempt[step], Prepared: true, Memory: memory, Notes: notes, Ledger: f.book.open(), Book: f.book, Now: f.now(),
		Markers: slices.Clone(f.book.markers), Unwinding: f.unwinding,
	}
	if f.change != nil {
		f.change(w)
	}
	return w
}

// walk walks the steps from one on, as the engine does, until one does not end
// in Done; after a failure the steps that put back are walked.
func (f *fixture) walk(t *testing.T, from string) (string, runbook.Outcome) {
	t.Helper()
	table := runbook.Standalone()
	begun, unwinding := false, false
	f.unwinding = false
	ended, last := "", runbook.Outcome{}
	for _, s := range table.Steps {
		begun = begun || s.Name == from
		if !begun || unwinding && !s.PutBack {
			continue
		}
		out := f.step(t, s)
		switch {
		case out.Kind == runbook.Done && !unwinding:
			ended, last = s.Name, out
		case out.Kind == runbook.Failed && !unwinding:
			unwinding, ended, last = true, s.Name, out
			f.unwinding = true
		case out.Kind != runbook.Done:
			return s.Name, out
		}
	}
	return ended, last
}

// step repeats one step's tick until it ends. A tick whose result is lost is a
// coordinator that was killed before it could save.
func (f *fixture) step(t *testing.T, s runbook.Step) runbook.Outcome {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	began := f.now()
	f.at = s.Name
	for tick := 0; ; tick++ {
		if time.Now().After(deadline) {
			t.Fatalf("step %s: no end after %d ticks, last: %+v", s.Name, tick, f.out[s.Name])
		}
		w := f.work(s.Name)
		ctx, cancel := context.WithTimeout(context.Background(), 28*time.Second)
		f.kill.arm(cancel)
		out, err := s.Tick(ctx, w)
		killed := f.kill.disarm()
		cancel()
		f.ticks++
		if killed {
			continue
		}
		if err != nil {
			t.Fatalf("step %s, tick %d: %v", s.Name, tick, err)
		}
		if f.lost != nil && f.lost(s.Name, tick) {
			if !f.giveUp {
				continue
			}
			f.giveUp = false
			out = runbook.Outcome{Kind: runbook.Failed, Message: "aborted", Remedy: "run again"}
		}
		f.memory[s.Name] = w.Memory
		f.out[s.Name] = out
		f.logged = append(f.logged, out.Log...)
		f.evidence = append(f.evidence, out.Evidence...)
		if out.Kind != runbook.Again && out.Kind != runbook.OutOfSight {
			return out
		}
		if f.limits && f.now().Sub(began) > s.Hard {
			out.Kind, out.Message = runbook.Unknown, "Not finished: "+out.Message
			if s.Repeatable {
				out.Kind = runbook.Failed
			}
			f.out[s.Name] = out
			return out
		}
		if tick > 0 {
			pause(context.Background(), 20*time.Millisecond)
		}
	}
}

// killer ends a tick before the n-th command of it runs on the host, then before
// the next, until the tick comes through: a coordinator that dies between any
// two things it does. The host does what it was sent.
type killer struct {
	mu     sync.Mutex
	on     bool
	at     int // the command before which this tick dies
	seen   int
	cancel context.CancelFunc
	kills  int
}

func (k *killer) arm(cancel context.CancelFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen, k.cancel = 0, cancel
}

func (k *killer) disarm() (killed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cancel = nil
	if killed = k.on && k.seen > k.at; killed {
		k.at++
		k.kills++
	} else {
		k.at = 0
	}
	return killed
}

func (k *killer) observe(o twin.Observation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.on || k.cancel == nil || o.What != "command" || o.Detail["via"] != "shell" {
		return
	}
	if k.seen++; k.seen > k.at {
		k.cancel()
	}
}

// pause lets the simulated host go on; the bound of all waiting is step's deadline.
func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// clean fails when anything of Wavekeeper but the media is left on the host.
func (f *fixture) clean(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	names, err := f.host.TaskFolders(ctx)
	if err != nil || len(names) > 0 {
		t.Errorf("folders left: %v, %v", names, err)
	}
	jobs, err := f.host.RegisteredTasks(ctx, `C:\WINDOWS`)
	if err != nil || len(jobs) > 0 {
		t.Errorf("tasks left: %v, %v", jobs, err)
	}
	if open := f.book.open(); len(open) > 0 {
		t.Errorf("ledger entries left open: %+v", open)
	}
}

// noPassword fails when the scheduler has a task that is registered with an
// account: it keeps that account's password.
func (f *fixture) noPassword(t *testing.T, when string) {
	t.Helper()
	names, err := f.host.RegisteredTasks(context.Background(), `C:\WINDOWS`)
	if err != nil {
		t.Errorf("tasks %s: %v", when, err)
	}
	for _, name := range names {
		if !strings.Contains(name, "-media-") && !strings.Contains(name, "-firewall-") && !strings.Contains(name, "-reach-system-") { // they run as SYSTEM
			t.Errorf("task %s is registered %s", name, when)
		}
	}
}

// state is the third-party services' state and start type.
func (f *fixture) services(t *testing.T) string {
	t.Helper()
	all, err := f.host.Services(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range f.server.Services {
		s, _ := windows.FindService(all, name)
		out = append(out, fmt.Sprintf("%s %s %s", s.Name, s.State, s.StartMode))
	}
	return strings.Join(out, ", ")
}

func (f *fixture) revocation(t *testing.T) string {
	t.Helper()
	var out []string
	for _, e := range f.journal.entries(t) {
		if e.What == "registry-changed" && strings.Contains(fmt.Sprint(e.Detail["key"]), "Software Publishing") {
			out = append(out, fmt.Sprint(e.Detail["old"], ">", e.Detail["new"]))
		}
	}
	return strings.Join(out, " ")
}
