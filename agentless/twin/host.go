package twin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"wavekeeper/server/exchange"
)

// host is one simulated machine. What survives a restart of the twin is in
// state; the rest is gone with the power.
type host struct {
	fleet   *Fleet
	name    string // NetBIOS name, upper case
	address string // ip:port
	rows    []exchange.Server
	levels  levels // under the journal's lock

	cluster *cluster // nil on a standalone server

	platform platform // never changes
	access   Access   // never changes
	accounts []Account
	traits   []givenTrait // never change
	conns    connections
	certs    ownCertificates

	mu      sync.Mutex
	state   *state
	pending []Observation // written to the journal, not yet observed

	boot       context.Context // ends when the machine goes down
	powerOff   context.CancelFunc
	processes  map[int]*process
	held       map[string]int // files that a redirection keeps open, by lower-case path
	shells     map[string]*shell
	contexts   map[string]*enumeration
	runAsTasks int // running tasks of the run-as account: its hive is loaded while > 0
	server     *http.Server
	closed     bool
	lost       int  // declared faults, and a firewall, that keep the address away
	shut       bool // the firewall is one of them
}

// process is a running program as Win32_Process shows it.
type process struct {
	PID     int
	Name    string
	Path    string
	Line    string
	Owner   string
	Parent  int
	Session int
	Started time.Time
	stop    context.CancelFunc
}

func newHost(f *Fleet, p place) (*host, error) {
	h := &host{
		fleet: f, name: p.host, address: p.address, rows: p.rows, platform: p.platform, access: p.access, accounts: networkAccounts(f.opt),
		traits: p.traits, processes: map[int]*process{}, held: map[string]int{}, shells: map[string]*shell{}, contexts: map[string]*enumeration{},
	}
	h.boot, h.powerOff = context.WithCancel(f.ctx)
	s, err := h.loadState()
	if err != nil {
		return nil, err
	}
	if s == nil {
		if s, err = h.freshState(); err != nil {
			return nil, err
		}
	}
	h.state = s
	h.noteLevels()
	return h, h.save()
}

// journalName is the name the journal uses: the row's server for a standalone
// host, the node's name for a node; both are the host's own name.
func (h *host) journalName() string { return h.name }

// row is the inventory row that describes the machine.
func (h *host) row() exchange.Server { return h.rows[0] }

// fqdn is the machine's full name.
func (h *host) fqdn() string {
	if r := h.row(); r.Cluster == exchange.Standalone && strings.Contains(r.FQDN, ".") {
		return strings.ToLower(r.FQDN)
	}
	return strings.ToLower(h.name) + "." + h.domain()
}

func (h *host) domain() string {
	if _, d, ok := strings.Cut(h.row().FQDN, "."); ok && d != "" {
		return strings.ToLower(d)
	}
	return "corp.example"
}

// now is the host's own clock.
func (h *host) now() time.Time { return time.Now().UTC().Add(h.state.ClockOffset) }

// lasts divides a real duration by the fleet's speed.
func (h *host) lasts(d time.Duration) time.Duration {
	return time.Duration(float64(d) / h.fleet.opt.Speed)
}

// awaits is how long a host waits for its client: by the real clock, whatever the
// fleet's speed, unless the clients are faster than real ones, too.
func (h *host) awaits(d time.Duration) time.Duration {
	return time.Duration(float64(d) / max(h.fleet.opt.ShellSpeed, 1))
}

// update changes the host's state under its lock, saves it, and tells the
// observer what was journaled meanwhile, after the lock is free again.
func (h *host) update(fn func()) {
	h.mu.Lock()
	fn()
	err := h.save()
	seen := h.pending
	h.pending = nil
	h.mu.Unlock()
	if err != nil {
		h.fleet.journal.note(err)
	}
	h.observe(seen)
}

// look reads the host's state under its lock.
func (h *host) look(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
}

func (h *host) observe(seen []Observation) {
	if h.fleet.opt.Observe == nil {
		return
	}
	for _, o := range seen {
		h.fleet.opt.Observe(o)
	}
}

// happened writes the journal; the caller holds the host's lock.
func (h *host) happened(what string, detail map[string]any) {
	if h.fleet.ctx.Err() != nil {
		return
	}
	h.logs(what, detail)
	h.pending = append(h.pending, h.fleet.journal.write(h.journalName(), what, detail))
}

// later runs fn once under the host's lock after d, unless the machine goes
// down first.
func (h *host) later(d time.Duration, fn func()) {
	boot := h.boot
	h.fleet.goRun(func() {
		if !sleep(boot, d) {
			return
		}
		h.update(func() {
			if boot.Err() == nil {
				fn()
			}
		})
	})
}

// sleep waits for d; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// startProcess enters a program into the process list; the caller holds the lock.
func (h *host) startProcess(name, path, commandLine, owner string, parent int, stop context.CancelFunc) *process {
	h.state.NextPID += 4
	p := &process{
		PID: h.state.NextPID, Name: name, Path: path, Line: commandLine, Owner: owner,
		Parent: parent, Started: h.now(), stop: stop,
	}
	h.processes[p.PID] = p
	return p
}

func (h *host) endProcess(p *process) { delete(h.processes, p.PID) }

// note keeps an error that no client can be told.
func (j *journal) note(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = fmt.Errorf("twin: %w", err)
	}
}
