package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/jobs"
	"wavekeeper/server/rollout"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

const (
	winrmPassword = "Winrm-Secret-1"
	runasPassword = "Runas-Secret-2"
)

// shortLease is what is waited for where a worker dies or sleeps.
const shortLease = 10 * time.Second

var admin = store.Actor{Name: "test", From: "test", Roles: []string{"admin"}}

// world is a fleet of simulated hosts, a database that knows them, a plan that
// is submitted, and an engine that works.
type world struct {
	storetest.DB
	fleet    *twin.Fleet
	options  jobs.Options
	journal  *journal
	operator store.Actor
	rollout  int64
	hash     string
	book     rollout.Books
	keyID    string
	seal     func(password string, profile int64) ([]byte, error) // of the WinRM account
}

// journal collects what really happened.
type journal struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes.Write(b)
}

// count says how often something happened on a host ("" = on any).
func (j *journal) count(host, what string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for line := range bytes.Lines(j.bytes.Bytes()) {
		var entry struct{ Host, What string }
		if json.Unmarshal(line, &entry) == nil && entry.What == what && (host == "" || entry.Host == host) {
			n++
		}
	}
	return n
}

func newWorld(t *testing.T, csv string, change ...func(*jobs.Options)) *world {
	t.Helper()
	return worldBy(t, csv, "http,basic,plain", store.Profile{PlainBasic: true}, change...)
}

// worldBy is a world whose hosts are reached as access and the profile say.
func worldBy(t *testing.T, csv, access string, p store.Profile, change ...func(*jobs.Options)) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{DB: storetest.New(t, store.WithLease(shortLease)), journal: &journal{}, book: runbook.Books{}}
	inv, faults := exchange.ReadInventory(strings.NewReader(csv))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for i := range inv.Servers { // the hosts' time runs 2000 times faster than ours, so that minutes in which they wait for a word from us are over at once
		inv.Servers[i].Tags = append(inv.Servers[i].Tags, "trait:firewall-runs")
	}
	way, err := twin.ParseAccess("*=" + access)
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := twin.Start(context.Background(), twin.Options{
		Access:  []twin.HostAccess{way},
		Servers: inv.Servers, User: "wk", Password: winrmPassword, RunAs: `DEMO\setup`, RunAsPassword: runasPassword, Speed: 2000, Journal: w.journal,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Close() })
	w.fleet = fleet
	key, err := secret.Load(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	w.keyID = key.ID()
	w.seal = func(password string, profile int64) ([]byte, error) {
		return key.Seal([]byte(password), profile, store.PurposeWinRM)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := w.Store
	_, err = s.Installation(ctx, false)
	must(err)
	must(s.SavePackage(ctx, admin, store.Package{Name: "sp1", Language: "en-US", Arch: "x64", SetupSHA256: twin.SetupSHA256("sp1", "en-US", "x64")}))
	p.Name, p.Ranges = "default", []string{"127.0.0.0/8"}
	profile, err := s.SaveProfile(ctx, admin, p)
	must(err)
	for purpose, account := range map[string][2]string{store.PurposeWinRM: {"wk", winrmPassword}, store.PurposeRunAs: {`DEMO\setup`, runasPassword}} {
		sealed, err := key.Seal([]byte(account[1]), profile, purpose)
		must(err)
		must(s.SetCredential(ctx, admin, store.SealedCredential{ProfileID: profile, Purpose: purpose, Account: account[0], Sealed: sealed, KeyID: key.ID()}))
	}
	_, err = s.ImportInventory(ctx, admin, inv, nil, store.ImportOptions{})
	must(err)
	w.options = jobs.Options{Store: s, Keys: key, Table: runbook.Standalone(), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, one := range change {
		one(&w.options)
	}
	if table := w.options.Table; table.Words == cutWords { // what is approved is what runs
		w.book = table.Plain()
	}
	w.submit(t, inv)
	w.coordinate(t) // two coordinators share the work, always
	w.coordinate(t)
	return w
}

// approve lets the operator approve a wave as it is now.
func (w *world) approve(t *testing.T, wave int64, reason string) error {
	t.Helper()
	content, err := w.Store.WaveContent(t.Context(), wave, w.book)
	if err != nil {
		return err
	}
	return w.Store.ApproveWave(t.Context(), w.operator, wave, content.Seen, reason, w.book)
}

// coordinate starts an engine that works until the test ends.
func (w *world) coordinate(t *testing.T) {
	t.Helper()
	engine, err := jobs.New(w.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stopping, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := engine.Stop(stopping); err != nil {
			t.Error(err)
		}
	})
}

func (w *world) submit(t *testing.T, inv exchange.Inventory) {
	t.Helper()
	ctx := t.Context()
	lead := w.person(t, "lead", "planner")
	w.operator = w.person(t, "operator", "operator")
	pkg, err := exchange.PackageByName("sp1")
	if err != nil {
		t.Fatal(err)
	}
	plan, _, err := rollout.Make(inv.Servers, pkg, rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, revision, err := w.Store.CreatePlan(ctx, lead, "SP1", plan)
	if err != nil {
		t.Fatal(err)
	}
	if w.hash, err = plan.Hash(); err != nil {
		t.Fatal(err)
	}
	if w.rollout, err = w.Store.SubmitRevision(ctx, lead, revision, w.hash, w.book); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.RecordPreparation(ctx, lead, "sp1", "", "PrepareAD ran"); err != nil {
		t.Fatal(err)
	}
}

func (w *world) person(t *testing.T, name string, roles ...string) store.Actor {
	t.Helper()
	id, err := w.Store.AddPerson(t.Context(), admin, store.NewPerson{Name: name, Hash: "x", Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	return store.Actor{PersonID: id, Name: name, From: "test", Roles: roles}
}

// await approves waves as they come up and polls until the claim holds.
func (w *world) await(t *testing.T, what string, within time.Duration, claim func(store.RolloutView) bool) store.RolloutView {
	t.Helper()
	deadline := time.NewTimer(patience * within)
	defer deadline.Stop()
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for {
		v, err := w.Store.Rollout(t.Context(), w.rollout)
		if err != nil {
			t.Fatal(err)
		}
		if claim(v) {
			return v
		}
		for _, wave := range v.Waves {
			if wave.State == rollout.WaveWaiting {
				if err := w.approve(t, wave.ID, "go"); err != nil {
					t.Fatal(err)
				}
			}
		}
		select {
		case <-deadline.C:
			w.say(t)
			t.Fatalf("not within %s: %s", patience*within, what)
		case <-every.C:
		}
	}
}

// say logs where everything stands.
func (w *world) say(t *testing.T) {
	t.Helper()
	v, err := w.Store.Rollout(t.Context(), w.rollout)
	if err != nil {
		t.Fatal(err)
	}
	for _, wave := range v.Waves {
		for _, u := range wave.Upgrades {
			t.Logf("wave %d %s: %s is %s at %s: %s %s %v", wave.Number, wave.State, u.Server, u.State, u.Step, u.Message, u.Remedy, u.Reasons)
		}
	}
	events, err := w.Store.LatestEvents(t.Context(), w.rollout, 40)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(events) - 1; i >= 0; i-- {
		t.Logf("event %d %s %s %s: %s", events[i].Number, events[i].Kind, events[i].Server, events[i].Step, events[i].Text)
	}
}

func TestOneServerToItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.1,5985,BackupAgent
`)
	v := w.await(t, "the rollout is done", 90*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	u := v.Waves[0].Upgrades[0]
	if u.State != rollout.Done || u.Build != "8.1.240.6" || u.VerifiedAt == nil {
		t.Errorf("%s is %s at %s, want done at 8.1.240.6", u.Server, u.State, u.Build)
	}
	if n := w.journal.count("CAS1", "setup-started"); n != 1 {
		t.Errorf("Setup was started %d times, want once", n)
	}
	full, err := w.Store.Upgrade(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(full.Ledger) == 0 {
		t.Error("the ledger is empty, want the stopped service in it")
	}
	for _, l := range full.Ledger {
		if l.RestoredAt == nil || l.Deviation != "" {
			t.Errorf("ledger entry %s %s is not put back: %q", l.Kind, l.Name, l.Deviation)
		}
	}
	lines, err := w.Store.SetupLog(t.Context(), u.ID, 0, 100000)
	if err != nil || len(lines) == 0 {
		t.Errorf("the setup log has %d lines, %v", len(lines), err)
	}
	events, err := w.Store.Events(t.Context(), w.rollout, 0, 10000)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Number != int64(i)+1 {
			t.Fatalf("event %d has number %d, want no gap", i+1, e.Number)
		}
	}
	w.noSecrets(t)
}

func TestFailedPreflightIsRetriedWhenItsCauseIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.2,5985,BackupAgent
`)
	media := store.Package{Name: "sp1", Language: "en-US", Arch: "x64", SetupSHA256: strings.Repeat("0", 64)}
	if err := w.Store.SavePackage(t.Context(), admin, media); err != nil {
		t.Fatal(err)
	}
	v := w.await(t, "the upgrade failed", 60*time.Second, func(v store.RolloutView) bool { return v.Waves[0].Upgrades[0].State == rollout.Failed })
	u := v.Waves[0].Upgrades[0]
	if u.Step != "preflight" || u.Message == "" || u.Remedy == "" {
		t.Errorf("failed at %s: %q, %q; want preflight with cause and remedy", u.Step, u.Message, u.Remedy)
	}
	w.await(t, "the wave stopped", 20*time.Second, func(v store.RolloutView) bool { return v.Waves[0].State == rollout.WaveStopped })
	if n := w.journal.count("", "setup-started") + w.journal.count("", "service-stopped"); n != 0 {
		t.Errorf("%d changes on the host, want none", n)
	}

	media.SetupSHA256 = twin.SetupSHA256("sp1", "en-US", "x64")
	if err := w.Store.SavePackage(t.Context(), admin, media); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.RetryUpgrade(t.Context(), w.operator, u.ID, "the right media are there", w.book); err != nil {
		t.Fatal(err)
	}
	w.await(t, "the upgrade is held by its approval", 20*time.Second, func(v store.RolloutView) bool { return v.Waves[0].Upgrades[0].State == rollout.Held })
	if err := w.approve(t, v.Waves[0].ID, "other media, looked at"); err != nil {
		t.Fatal(err)
	}
	v = w.await(t, "the rollout is done", 90*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	if u := v.Waves[0].Upgrades[0]; u.State != rollout.Done || u.Steps[1].Attempt != 2 {
		t.Errorf("%s after attempt %d, want done after the second", u.State, u.Steps[1].Attempt)
	}
	if n := w.journal.count("CAS1", "setup-started"); n != 1 {
		t.Errorf("Setup was started %d times, want once", n)
	}
}

// noSecrets looks for the passwords in every table of the database.
func (w *world) noSecrets(t *testing.T) {
	t.Helper()
	rows, err := w.Store.Pool().Query(t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		var n int
		if err := w.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM "+table+" r WHERE r::text LIKE '%'||$1||'%' OR r::text LIKE '%'||$2||'%'", winrmPassword, runasPassword).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			t.Errorf("a password is in table %s", table)
		}
	}
}
