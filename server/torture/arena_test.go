//go:build !race

package torture

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

const (
	winrmPassword = "Winrm-Secret-1"
	runasPassword = "Runas-Secret-2"
	runasAccount  = `DEMO\setup`
	hostWithin    = 10 * time.Second // for hosts to come to rest after the last tick
)

var admin = store.Actor{Name: "test", From: "test", Roles: []string{"admin"}}

// arenaOptions are the times of a torture. They are short, in proportion.
type arenaOptions struct {
	Speed   float64       // of the hosts
	Pace    float64       // of the engine
	Lease   time.Duration // of the engine's leases, with the times that follow
	Workers int
	Package string                   // "sp1"
	Plan    rollout.Options          // of rollout.Make
	Twin    func(*twin.Options)      // last changes to the fleet
	Hard    map[string]time.Duration // of steps: other hard limits than the runbook's
	DB      *storetest.DB            // empty = one of the package's own Postgres
	Way     string                   // how hosts are reached: "" by Basic over http, wayNTLM, wayHTTPS
	Media   bool                     // hosts fetch the package from a console; else it lies there
}

// Ways to reach hosts.
const (
	wayNTLM  = "ntlm"  // NTLM with sealed messages over http
	wayHTTPS = "https" // Basic over https, with a CA; also TLS 1.0
)

// certificates is the folder of the hosts' certificates.
func (a *arena) certificates() string { return filepath.Join(a.dir, "certificates") }

// arena is a fleet of simulated hosts, a database, and a plan that is
// submitted. Coordinators are processes that a test starts, kills and freezes.
type arena struct {
	storetest.DB
	options        arenaOptions
	fleet          *twin.Fleet
	truth          *truth
	inv            exchange.Inventory
	before         map[string]twin.Inspection // the hosts as they were
	dir            string
	keyFile        string
	lead, operator store.Actor
	rollout        int64
	book           rollout.Runbook
	mediaURL       string // of the console's listener; "" = there is none

	mu       sync.Mutex
	started  int
	logs     []string
	watchers []func(twin.Observation)
}

func newArena(t testing.TB, csv string, change ...func(*arenaOptions)) *arena {
	t.Helper()
	a := &arena{
		options: arenaOptions{Speed: 20000, Pace: 200, Lease: time.Second, Workers: 20, Package: "sp1"},
		truth:   &truth{}, dir: t.TempDir(), before: map[string]twin.Inspection{},
	}
	for _, one := range change {
		one(&a.options)
	}
	a.book = tableOf(a.options.Hard).Plain()
	if a.options.DB != nil {
		a.DB = *a.options.DB
	} else {
		a.DB = storetest.New(t)
	}
	t.Cleanup(func() { a.explain(t) })
	var faults []exchange.LineError
	if a.inv, faults = exchange.ReadInventory(strings.NewReader(csv)); len(faults) > 0 {
		t.Fatal(faults)
	}
	o := twin.Options{
		Servers: a.inv.Servers, User: "wk", Password: winrmPassword, RunAs: runasAccount, RunAsPassword: runasPassword,
		Speed: a.options.Speed, Journal: a.truth, Observe: a.observe,
		// A shell that a killed coordinator left idles for as many leases as it would.
		ShellSpeed: float64(store.LeaseTTL) / float64(a.options.Lease),
	}
	switch a.options.Way {
	case wayNTLM:
		o.Access = []twin.HostAccess{{Hosts: "*", Access: twin.Access{Auth: []string{twin.AuthNTLM}}}}
	case wayHTTPS:
		o.TLSDir = a.certificates()
	}
	if a.options.Twin != nil {
		a.options.Twin(&o)
	}
	fleet, err := twin.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Close() })
	a.fleet = fleet
	for _, s := range a.inv.Servers {
		a.before[s.Name] = a.inspect(t, s.Name)
	}
	a.furnish(t)
	if a.options.Media {
		a.serveMedia(t)
		a.prove(t)
	}
	a.submit(t)
	return a
}

// observe passes on what happens on hosts to whoever watches.
func (a *arena) observe(o twin.Observation) {
	a.mu.Lock()
	watchers := a.watchers
	a.mu.Unlock()
	for _, w := range watchers {
		w(o)
	}
}

// watch adds a watcher of what happens on hosts; it runs in the goroutine of
// the host's program, which goes on when it returns.
func (a *arena) watch(w func(twin.Observation)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watchers = append(a.watchers[:len(a.watchers):len(a.watchers)], w)
}

// furnish gives the database what the coordinator needs to reach the hosts.
func (a *arena) furnish(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	a.keyFile = filepath.Join(a.dir, "key")
	key, err := secret.Load(a.keyFile)
	must(t, err)
	_, err = a.Store.Installation(ctx, false)
	must(t, err)
	for _, media := range mediaOf(a.inv) {
		must(t, a.Store.SavePackage(ctx, admin, store.Package{
			Name: a.options.Package, Language: media[0], Arch: media[1], SetupSHA256: twin.SetupSHA256(a.options.Package, media[0], media[1]),
		}))
	}
	way := store.Profile{Name: "default", PlainBasic: true, Ranges: []string{"127.0.0.0/8"}}
	switch a.options.Way {
	case wayNTLM:
		way.Auth, way.PlainBasic = store.AuthNTLM, false
	case wayHTTPS:
		ca, err := twin.CA(a.certificates())
		must(t, err)
		way.HTTPS, way.PlainBasic, way.TLS10, way.CAPEM = true, false, true, string(ca)
	}
	profile, err := a.Store.SaveProfile(ctx, admin, way)
	must(t, err)
	for purpose, account := range map[string][2]string{store.PurposeWinRM: {"wk", winrmPassword}, store.PurposeRunAs: {runasAccount, runasPassword}} {
		sealed, err := key.Seal([]byte(account[1]), profile, purpose)
		must(t, err)
		must(t, a.Store.SetCredential(ctx, admin, store.SealedCredential{ProfileID: profile, Purpose: purpose, Account: account[0], Sealed: sealed, KeyID: key.ID()}))
	}
	_, err = a.Store.ImportInventory(ctx, admin, a.inv, nil, store.ImportOptions{})
	must(t, err)
	a.lead = a.person(t, "lead", "planner")
	a.operator = a.person(t, "operator", "operator")
}

// mediaOf lists the languages and architectures of the inventory.
func mediaOf(inv exchange.Inventory) [][2]string {
	var out [][2]string
	seen := map[[2]string]bool{}
	for _, s := range inv.Servers {
		m := [2]string{s.Language, s.Arch}
		if !seen[m] {
			seen[m] = true
			out = append(out, m)
		}
	}
	return out
}

// submit plans the whole inventory and submits the plan.
func (a *arena) submit(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	pkg, err := exchange.PackageByName(a.options.Package)
	must(t, err)
	plan, _, err := rollout.Make(a.inv.Servers, pkg, a.options.Plan)
	must(t, err)
	_, revision, err := a.Store.CreatePlan(ctx, a.lead, "torture", plan)
	must(t, err)
	hash, err := plan.Hash()
	must(t, err)
	a.rollout, err = a.Store.SubmitRevision(ctx, a.lead, revision, hash, a.book)
	must(t, err)
	must(t, a.Store.RecordPreparation(ctx, a.lead, a.options.Package, "", "PrepareAD ran"))
}

func (a *arena) person(t testing.TB, name string, roles ...string) store.Actor {
	t.Helper()
	id, err := a.Store.AddPerson(t.Context(), admin, store.NewPerson{Name: name, Hash: "x", Roles: roles})
	must(t, err)
	return store.Actor{PersonID: id, Name: name, From: "test", Roles: roles}
}

// approveAll lets the operator approve every wave that waits.
func (a *arena) approveAll(t testing.TB) {
	t.Helper()
	v := a.view(t)
	for _, w := range v.Waves {
		if w.State == rollout.WaveWaiting {
			must(t, a.approve(t, w.ID, "go"))
		}
	}
}

// approve approves a wave as it is now.
func (a *arena) approve(t testing.TB, wave int64, reason string) error {
	t.Helper()
	content, err := a.Store.WaveContent(t.Context(), wave, a.book)
	if err != nil {
		return err
	}
	return a.Store.ApproveWave(t.Context(), a.operator, wave, content.Seen, reason, a.book)
}

func (a *arena) view(t testing.TB) store.RolloutView {
	t.Helper()
	v, err := a.Store.Rollout(t.Context(), a.rollout)
	must(t, err)
	return v
}

// await polls until the claim holds. A database that is away is asked again.
func (a *arena) await(t testing.TB, what string, within time.Duration, claim func(store.RolloutView) bool) store.RolloutView {
	t.Helper()
	var v store.RolloutView
	var err error
	if !poll(within, func() bool {
		v, err = a.Store.Rollout(t.Context(), a.rollout)
		return err == nil && claim(v)
	}) {
		t.Fatalf("not within %s: %s (%v)", within, what, err)
	}
	return v
}

// finish waits until the rollout is done.
func (a *arena) finish(t testing.TB, within time.Duration) {
	t.Helper()
	a.await(t, "the rollout is done", within, isDone)
}

func isDone(v store.RolloutView) bool { return v.State == rollout.RolloutDone }

// poll asks again and again until the claim holds or time is up, the less often
// the longer there is: what is waited for needs the processors, too.
func poll(within time.Duration, claim func() bool) bool {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	every := time.NewTicker(max(20*time.Millisecond, min(within/200, 150*time.Millisecond)))
	defer every.Stop()
	for {
		if claim() {
			return true
		}
		select {
		case <-deadline.C:
			return claim()
		case <-every.C:
		}
	}
}

func (a *arena) inspect(t testing.TB, server string) twin.Inspection {
	t.Helper()
	in, err := a.fleet.Inspect(server)
	must(t, err)
	return in
}

// explain says where everything stands when a test failed.
func (a *arena) explain(t testing.TB) {
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	if v, err := a.Store.Rollout(ctx, a.rollout); err == nil {
		for _, w := range v.Waves {
			for _, u := range w.Upgrades {
				t.Logf("wave %d %s: %s is %s at %s attempt %d: %s %s %v", w.Number, w.State, u.Server, u.State, u.Step, u.Attempt, u.Message, u.Remedy, u.Reasons)
			}
		}
	}
	if events, err := a.Store.LatestEvents(ctx, a.rollout, 40); err == nil {
		for i := len(events) - 1; i >= 0; i-- {
			t.Logf("event %d %s %s %s %s: %s", events[i].Number, events[i].At.Format("15:04:05.000"), events[i].Kind, events[i].Server, events[i].Step, events[i].Text)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, log := range a.logs[max(0, len(a.logs)-3):] {
		t.Logf("%s:\n%s", filepath.Base(log), tailOf(log, 40))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// packed lets servers run side by side as far as their order allows: more is
// in the air at every moment.
func packed(o *arenaOptions) {
	p := rollout.DefaultPolicy()
	p.Overlap, p.Floor = true, rollout.Floor{}
	o.Plan.Policy = &p
}

// fleet4 is one server of each role, in one site.
func fleet4(net string) string {
	const rows = `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,%[1]s.1,5985,BackupAgent
HUB1,HubTransport,HQ,8.0.685.25,%[1]s.2,5985,BackupAgent;MailScan
MBX1,Mailbox,HQ,8.0.685.25,%[1]s.3,5985,BackupAgent
UM1,UnifiedMessaging,HQ,8.0.685.25,%[1]s.4,5985,BackupAgent
`
	return fmt.Sprintf(rows, net)
}

// fleet12 is twelve servers in two sites, as the demo's: net is the first three
// numbers of their addresses, "127.107.1".
func fleet12(net string) string {
	const rows = `server,fqdn,roles,site,internet_facing,build,os,language,arch,address,port,profile,mailboxes,um_languages,services,tags
HQ-CAS01,hq-cas01.demo.example,ClientAccess,Headquarters,yes,8.0.685.25,2003,en-US,x64,%[1]s.1,5985,default,,,BackupAgent,
HQ-CAS02,hq-cas02.demo.example,ClientAccess,Headquarters,yes,8.0.685.25,2003,en-US,x64,%[1]s.2,5985,default,,,BackupAgent,
HQ-HUB01,hq-hub01.demo.example,HubTransport,Headquarters,no,8.0.685.25,2003,en-US,x64,%[1]s.3,5985,default,,,BackupAgent;MailScan,
HQ-HUB02,hq-hub02.demo.example,HubTransport,Headquarters,no,8.0.685.25,2003,en-US,x64,%[1]s.4,5985,default,,,BackupAgent;MailScan,
HQ-MBX01,hq-mbx01.demo.example,Mailbox,Headquarters,no,8.0.685.25,2003,en-US,x64,%[1]s.5,5985,default,1800,,BackupAgent,
HQ-MBX02,hq-mbx02.demo.example,Mailbox,Headquarters,no,8.0.685.25,2003,en-US,x64,%[1]s.6,5985,default,1650,,BackupAgent,
HQ-UM01,hq-um01.demo.example,UnifiedMessaging,Headquarters,no,8.0.685.25,2003,en-US,x64,%[1]s.7,5985,default,,en-US,BackupAgent,
HQ-EDGE01,hq-edge01.demo.example,EdgeTransport,Headquarters,yes,8.0.685.25,2003,en-US,x64,%[1]s.8,5985,default,,,MailScan,
BR-CAS11,br-cas11.demo.example,ClientAccess+HubTransport,Branch,no,8.0.685.25,2003,en-US,x64,%[1]s.11,5985,default,,,BackupAgent,
BR-MBX11,br-mbx11.demo.example,Mailbox,Branch,no,8.0.685.25,2003,en-US,x64,%[1]s.12,5985,default,420,,BackupAgent;MailScan,
BR-MBX12,br-mbx12.demo.example,Mailbox,Branch,no,8.0.685.25,2003,en-US,x64,%[1]s.13,5985,default,380,,BackupAgent,
BR-UM11,br-um11.demo.example,HubTransport+UnifiedMessaging,Branch,no,8.0.685.25,2003,en-US,x64,%[1]s.14,5985,default,,en-US,BackupAgent,
`
	return fmt.Sprintf(rows, net)
}
