package store_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// book is a runbook small enough to read.
var book = rollout.Runbook{Name: "standalone-service-pack", Version: 1, Words: "test", Steps: []rollout.Step{
	{Name: "facts", Words: "asked", Hard: time.Minute, Repeatable: true},
	{Name: "stop-services", Words: "stopped", Hard: time.Minute, Repeatable: true, Undone: true},
	{Name: "setup", Words: "set up", Hard: time.Hour, NoReturn: true},
	{Name: "verify", Words: "verified", Hard: time.Minute, Repeatable: true},
	{Name: "put-back", Words: "put back", Hard: time.Minute, Repeatable: true, PutBack: true},
}, Decisions: []rollout.Step{
	{Name: rollout.DecideLook, Words: "looked at", Hard: time.Minute, Repeatable: true},
	{Name: rollout.DecideClear, Words: "cleared", Hard: time.Minute, Repeatable: true},
	{Name: rollout.DecideUndo, Words: "put back", Hard: time.Minute, Repeatable: true},
}}

const twoServers = `server,roles,site,build,address,port
CAS1,ClientAccess,HQ,8.0.685.25,127.0.77.1,5985
MBX1,Mailbox,HQ,8.0.685.25,127.0.77.2,5985
`

// submitted is a rollout of two servers in two waves that waits for approval.
type submitted struct {
	storetest.DB
	lead, operator, second store.Actor
	rollout                int64
	hash                   string
}

func person(t *testing.T, s *store.Store, name string, roles ...string) store.Actor {
	t.Helper()
	id, err := s.AddPerson(t.Context(), erika, store.NewPerson{Name: name, Hash: "x", Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	return store.Actor{PersonID: id, Name: name, From: "127.0.0.1", Roles: roles}
}

func importCSV(t *testing.T, s *store.Store, csv string) exchange.Inventory {
	t.Helper()
	inv, faults := exchange.ReadInventory(strings.NewReader(csv))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if _, err := s.ImportInventory(t.Context(), erika, inv, nil, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	return inv
}

func submit(t *testing.T) submitted {
	t.Helper()
	d := submitted{DB: storetest.New(t)}
	if _, err := d.Store.Installation(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	d.lead = person(t, d.Store, "lead", "planner", "operator")
	d.operator = person(t, d.Store, "operator", "operator")
	d.second = person(t, d.Store, "second", "operator")
	if _, err := d.Store.SaveProfile(t.Context(), erika, store.Profile{Name: "default", PlainBasic: true, Ranges: []string{"127.0.0.0/8"}}); err != nil {
		t.Fatal(err)
	}
	d.media(t, store.Package{SetupSHA256: strings.Repeat("ab", 32)})
	inv := importCSV(t, d.Store, twoServers)
	pkg, err := exchange.PackageByName("sp1")
	if err != nil {
		t.Fatal(err)
	}
	plan, _, err := rollout.Make(inv.Servers, pkg, rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, revision, err := d.Store.CreatePlan(t.Context(), d.lead, "SP1", plan)
	if err != nil {
		t.Fatal(err)
	}
	if d.hash, err = plan.Hash(); err != nil {
		t.Fatal(err)
	}
	if d.rollout, err = d.Store.SubmitRevision(t.Context(), d.lead, revision, d.hash, book); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.RecordPreparation(t.Context(), d.lead, "sp1", "", "PrepareAD ran"); err != nil {
		t.Fatal(err)
	}
	return d
}

// media registers SP1.
func (d submitted) media(t *testing.T, p store.Package) {
	t.Helper()
	p.Name = "sp1"
	if err := d.Store.SavePackage(t.Context(), erika, p); err != nil {
		t.Fatal(err)
	}
}

func (d submitted) view(t *testing.T) store.RolloutView {
	t.Helper()
	v, err := d.Store.Rollout(t.Context(), d.rollout)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// seen is what the operator is shown of a wave.
func (d submitted) seen(t *testing.T, wave int64) string {
	t.Helper()
	content, err := d.Store.WaveContent(t.Context(), wave, book)
	if err != nil {
		t.Fatal(err)
	}
	return content.Seen
}

// approve lets the operator approve a wave as it is.
func (d submitted) approve(t *testing.T, index int) error {
	t.Helper()
	wave := d.view(t).Waves[index].ID
	return d.Store.ApproveWave(t.Context(), d.operator, wave, d.seen(t, wave), "go", book)
}

// started is an upgrade in work: wave 1 is approved, CAS1 was read and started.
func started(t *testing.T) (submitted, store.Tick) {
	t.Helper()
	d := submit(t)
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	fleet, err := d.Store.Servers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range fleet {
		facts := []store.Fact{{Name: "roles", Value: []byte(`{"ClientAccess":{"configured":"8.0.685.25"}}`), Source: "test", At: time.Now()}}
		if err := d.Store.SaveProbe(t.Context(), s.Hosts[0].Asked(), "done", "", facts); err != nil {
			t.Fatal(err)
		}
	}
	d.advance(t)
	up := d.view(t).Waves[0].Upgrades[0]
	if up.State != rollout.Running {
		t.Fatalf("%s is %s (%v), want running", up.Server, up.State, up.Reasons)
	}
	return d, d.tick(t, up.ID)
}

// advance runs the newest request to move the rollout on.
func (d submitted) advance(t *testing.T) {
	t.Helper()
	var generation int64
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT generation FROM rollout WHERE id = $1", d.rollout).Scan(&generation); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.Advance(t.Context(), store.Advance{Rollout: d.rollout, Generation: generation}, rollout.Next, book); err != nil {
		t.Fatal(err)
	}
}

func (d submitted) tick(t *testing.T, upgrade int64) store.Tick {
	t.Helper()
	k := store.Tick{Upgrade: upgrade}
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT generation FROM upgrade WHERE id = $1", upgrade).Scan(&k.Generation); err != nil {
		t.Fatal(err)
	}
	return k
}
