// Package twin is simulated Windows hosts with Exchange Server 2007 on them,
// answering real WS-Management over TCP, so that the production client runs
// against them unchanged. It is library and `wavekeeper twin`. It must not know
// the production client: its wire is written on its own, from the protocol's
// documents and recorded answers, and proven by clients that are not ours.
//
// A host here is Windows Server 2003 SP2 x64, the oldest platform that Exchange
// 2007 runs on, or 2008 SP2 x64, with WinRM 1.1 (KB936059) or 2.0 (KB968930),
// in English, German or Japanese: see Platform.
package twin

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/server/exchange"
)

// Options describes a fleet.
type Options struct {
	Servers []exchange.Server // one host per row; a cluster's row stands for its nodes

	User, Password       string // the WinRM account: a local administrator, unknown to AD
	RunAs, RunAsPassword string // DOMAIN\account, the only account that reaches AD

	// Speed divides durations (Setup, restarts, service stops); 0 is 1. Host
	// clocks and the protocol's own time-outs run at real speed.
	Speed float64

	Journal  io.Writer // ground truth, one JSON line per write; nil = none
	StateDir string    // hosts survive a restart of the twin here; empty = they do not
	TLSDir   string    // https with a CA written here; empty = http, and certificates of Access are not kept

	// Access says of hosts how they are reached; the last entry that fits a host
	// counts. Without one it is Basic, over https where TLSDir says so.
	Access []HostAccess
	// Accounts are further accounts that WinRM knows.
	Accounts []Account
	// LockoutThreshold locks an account after so many refusals in a row; 0 never.
	LockoutThreshold int
	// Keytab holds the keys of HTTP/FQDN of the hosts that offer Kerberos.
	Keytab []byte
	// ClientCertificate is the one, as PEM, that the hosts' own mapping gives User.
	ClientCertificate []byte

	// RevocationListUnreachable makes Setup take hours when the account that
	// runs it still checks publisher certificates (KB944752).
	RevocationListUnreachable bool

	// WinRM is the hosts' version, 1.1 or 2.0 (default); Language their display
	// language, by default their row's. Platforms overrides both for single
	// hosts, by name.
	WinRM, Language string
	Platforms       map[string]Platform

	// LocalizedSetup makes Setup write its sentences in the display language.
	// Whether a localised Exchange 2007 does is not known: the one genuine line
	// of a German host is English (domain.md 2.6, 2.8).
	LocalizedSetup bool

	// StartTimeWithoutSeconds makes schtasks.exe take HH:MM instead of HH:MM:SS.
	StartTimeWithoutSeconds bool

	// Traits are what differs of single hosts, by name: "wmf3", "um-pack=de-DE";
	// see TraitNames. A row's tag trait:NAME says the same.
	Traits map[string][]string

	// Rollups are the folders in which fresh hosts hold an update rollup's one file,
	// by folder: see RollupBytes.
	Rollups map[string][]byte

	// Organization is the forest that all hosts belong to; traits of hosts can say
	// the same.
	Organization Organization

	// Shares are file shares that hosts can read with their machines' accounts, by
	// name (\\server\share); one without files refuses them.
	Shares map[string]fs.FS

	// NoMedia lets fresh hosts hold no packages, as real ones do before media came.
	NoMedia bool

	// Faults are what goes wrong, and when. More can be injected while it runs.
	Faults []Fault

	// ShellSpeed divides how long a host waits for its client; 0 is 1: shells that
	// idle, and the word by which the firewall's service stays on. A killed client
	// leaves its shells open for minutes, and a host has few of them: tests whose
	// clients are killed faster than real ones need their hosts faster, too.
	ShellSpeed float64

	// Observe is called before each command line runs (What "command") and
	// after each journal entry was written, in the goroutine that did it.
	Observe func(Observation)
}

// Observation is one thing that happened on a host.
type Observation struct {
	Time   time.Time
	Host   string
	What   string
	Detail map[string]any
}

// Fleet is the running hosts.
type Fleet struct {
	opt     Options
	journal *journal
	hosts   []*host
	tls     *authority           // nil when no host speaks https
	keys    []kerberos.KeytabKey // of the keytab
	client  *x509.Certificate    // that is mapped to User
	ledger  ledger

	clusters []*cluster

	ctx    context.Context
	cancel context.CancelFunc

	directory *directory

	mu      sync.Mutex
	closing bool
	wg      sync.WaitGroup
}

// Start makes the hosts and listens for all of them before it returns. Every
// address must lie in 127.0.0.0/8.
func Start(ctx context.Context, o Options) (*Fleet, error) {
	if o.Speed <= 0 {
		o.Speed = 1
	}
	places, err := placesOf(o)
	if err != nil {
		return nil, err
	}
	f := &Fleet{opt: o, journal: newJournal(o.Journal)}
	f.ctx, f.cancel = context.WithCancel(ctx)
	if err := f.arm(places); err != nil {
		f.cancel()
		return nil, err
	}
	if f.directory, err = newDirectory(f, places); err != nil {
		f.cancel()
		return nil, err
	}
	for _, p := range places {
		h, err := newHost(f, p)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f.hosts = append(f.hosts, h)
		f.journal.know(h)
	}
	if err := f.join(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.declare(o.Faults); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for _, h := range f.hosts {
		if h.lost > 0 {
			continue
		}
		if err := h.listen(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	for _, h := range f.hosts {
		h.resume()
		h.resumeFaults()
	}
	return f, nil
}

// arm reads what hosts prove themselves and their callers with.
func (f *Fleet) arm(places []place) (err error) {
	o := f.opt
	secure := o.TLSDir != ""
	for _, p := range places {
		secure = secure || p.access.HTTPS
	}
	if secure {
		if f.tls, err = newAuthority(o.TLSDir); err != nil {
			return err
		}
	}
	if len(o.Keytab) > 0 {
		if f.keys, err = kerberos.ParseKeytab(o.Keytab); err != nil {
			return fmt.Errorf("read keytab: %w", err)
		}
	}
	if len(o.ClientCertificate) > 0 {
		block, _ := pem.Decode(o.ClientCertificate)
		if block == nil {
			return errors.New("read client certificate: no PEM")
		}
		if f.client, err = x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("read client certificate: %w", err)
		}
	}
	return nil
}

// Close stops every host at once, as if the machine that runs the twin died:
// nothing is journaled, and with a state folder a later Start finds the hosts.
// It must not be called from Observe, for which it would wait.
func (f *Fleet) Close() error {
	f.mu.Lock()
	f.closing = true
	f.mu.Unlock()
	f.cancel()
	for _, h := range f.hosts {
		h.closeDown()
	}
	f.wg.Wait()
	return f.journal.failure()
}

// PowerLoss takes a host's power away for as long as a restart lasts.
func (f *Fleet) PowerLoss(name string) error {
	h, err := f.host(name)
	if err != nil {
		return err
	}
	h.powerLoss()
	return nil
}

// Certificates returns the PEM of the CA that signed the hosts' certificates,
// or nil when the fleet speaks plain http.
func (f *Fleet) Certificates() []byte {
	if f.tls == nil {
		return nil
	}
	return certPEM(f.tls.cert.Raw)
}

// enter counts work that Close waits for; false when the fleet is closing.
func (f *Fleet) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing {
		return false
	}
	f.wg.Add(1)
	return true
}

// goRun runs fn until it returns, unless the fleet is closing.
func (f *Fleet) goRun(fn func()) {
	if !f.enter() {
		return
	}
	go func() {
		defer f.wg.Done()
		fn()
	}()
}

// place is where a host answers and whose rows it serves.
type place struct {
	host, address string // address is ip:port
	rows          []exchange.Server
	platform      platform
	access        Access
	traits        []givenTrait
}

// placesOf turns rows into hosts: a standalone row is a host, a cluster's row
// stands for its nodes, and rows with the same nodes share them.
func placesOf(o Options) ([]place, error) {
	byHost := map[string]*place{}
	taken := map[string]string{} // ip:port -> host
	add := func(name, address string, port int, row exchange.Server, node bool) error {
		kind, err := platformOf(o, place{host: strings.ToUpper(name), rows: []exchange.Server{row}})
		if err != nil {
			return err
		}
		access := accessOf(o, name)
		if err := kind.allows(access, o); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if port == 0 {
			port = kind.port(access.HTTPS)
		}
		ip := net.ParseIP(address)
		if ip == nil || ip.To4() == nil || ip.To4()[0] != 127 {
			return fmt.Errorf("%s: address %q: a simulated host answers only on an address in 127.0.0.0/8", name, address)
		}
		at := net.JoinHostPort(ip.String(), strconv.Itoa(port))
		key := strings.ToUpper(name)
		if old, ok := taken[at]; ok && (old != key || !node) {
			return fmt.Errorf("%s and %s have the same address %s", old, key, at)
		}
		taken[at] = key
		if p, ok := byHost[key]; ok {
			if p.address != at {
				return fmt.Errorf("node %s has two addresses, %s and %s", key, p.address, at)
			}
			p.rows = append(p.rows, row)
			return nil
		}
		byHost[key] = &place{host: key, address: at, rows: []exchange.Server{row}, platform: kind, access: access}
		return nil
	}
	for _, row := range o.Servers {
		var err error
		if row.Cluster == exchange.Standalone {
			err = add(row.Name, row.Address, row.Port, row, false)
		}
		for _, n := range row.Nodes {
			err = errors.Join(err, add(n.Name, n.Address, n.Port, row, true))
		}
		if err != nil {
			return nil, err
		}
	}
	places := make([]place, 0, len(byHost))
	for _, p := range byHost {
		var err error
		if p.traits, err = traitsOf(o, *p); err == nil {
			p.platform, err = p.platform.traited(p.traits)
		}
		if err != nil {
			return nil, err
		}
		places = append(places, *p)
	}
	sort.Slice(places, func(i, j int) bool { return places[i].host < places[j].host })
	return places, nil
}

// listen opens the host's port.
func (h *host) listen() error {
	l, err := (&net.ListenConfig{}).Listen(h.fleet.ctx, "tcp4", h.address)
	if err != nil {
		return fmt.Errorf("listen for host %s: %w", h.name, err)
	}
	if h.access.HTTPS {
		secure, err := h.secured(l)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		l = secure
	}
	h.serve(l)
	return nil
}
