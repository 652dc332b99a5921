package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

func TestApprovalIsOfWhatWasShown(t *testing.T) {
	t.Parallel()
	d := submit(t)
	wave := d.view(t).Waves[0].ID
	content, err := d.Store.WaveContent(t.Context(), wave, book)
	if err != nil || len(content.Servers) != 1 || content.Servers[0].Folder != `C:\Wavekeeper\media\sp1-en-US-x64` || content.Servers[0].Hosts[0].Address != "127.0.77.1" {
		t.Fatalf("WaveContent = %+v, %v", content, err)
	}
	for name, change := range map[string]func(){
		"hash of setup.com, package folder changed (CAS1)": func() {
			d.media(t, store.Package{SetupSHA256: strings.Repeat("cd", 32), Folder: `D:\sp1`})
		},
		"services changed (CAS1)": func() { importCSV(t, d.Store, "server,roles,services\nCAS1,CAS,Backup\n") },
		"hosts changed (CAS1)":    func() { importCSV(t, d.Store, "server,roles,address\nCAS1,CAS,127.0.77.7\n") },
	} {
		seen := d.seen(t, wave)
		change()
		err := d.Store.ApproveWave(t.Context(), d.operator, wave, seen, "go", book)
		if !errors.Is(err, rollout.ErrConflict) || !strings.Contains(err.Error(), "It is not as you saw it: "+name) {
			t.Errorf("approve what was shown before: %v, want a conflict that says: %s", err, name)
		}
	}
	if err := d.approve(t, 0); err != nil {
		t.Errorf("approve what is shown: %v", err)
	}
}

func TestApprovalNeedsKnownMedia(t *testing.T) {
	t.Parallel()
	d := submit(t)
	importCSV(t, d.Store, "server,roles,language\nCAS1,CAS,de-DE\n")
	if err := d.approve(t, 0); !errors.Is(err, rollout.ErrConflict) || !strings.Contains(err.Error(), "No media of sp1 is known for CAS1 (language de-DE") {
		t.Errorf("approve without media: %v, want it refused", err)
	}
	if state := d.view(t).Waves[0].State; state != rollout.WaveWaiting {
		t.Errorf("wave is %s, want waiting", state)
	}
}

func TestTickTakesWhatWasApproved(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	d.media(t, store.Package{SetupSHA256: strings.Repeat("cd", 32), Folder: `D:\sp1`})
	for _, statement := range []string{ // what no import may do, done all the same
		"UPDATE server SET language = 'de-DE', arch = 'x86', services = '{Else}', profile = 'other', fqdn = 'else.test' WHERE name = 'CAS1'",
		"UPDATE host SET address = '127.0.77.99' WHERE name = 'CAS1'",
	} {
		if _, err := d.Store.Pool().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	w, live, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
	if err != nil || !live {
		t.Fatal(live, err)
	}
	s := w.Server
	if w.Folder != `C:\Wavekeeper\media\sp1-en-US-x64` || w.SetupSHA256 != strings.Repeat("ab", 32) || w.Hosts[0].Address != "127.0.77.1" ||
		s.Language != "en-US" || s.Arch != "x64" || len(s.Services) != 0 || s.Profile != "default" || s.FQDN != "" {
		t.Errorf("the tick takes %s %s at %s, %+v; want what was approved", w.Folder, w.SetupSHA256, w.Hosts[0].Address, s)
	}
}

func TestNothingWithoutReturnIsBegunOnAStaleApproval(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, _, err := d.Store.AcquireLeases(t.Context(), "worker", tick.Upgrade)
	if err != nil {
		t.Fatal(err)
	}
	page := store.Page{Lease: lease, Upgrade: tick.Upgrade, Rollout: d.rollout, Generation: tick.Generation, Wave: 1, Server: "CAS1", Step: "setup", Runbook: book}
	if err := d.Store.Intend(t.Context(), page, "create host task"); err != nil {
		t.Errorf("an intent while the approval fits: %v", err)
	}
	d.media(t, store.Package{SetupSHA256: strings.Repeat("cd", 32)})
	last := d.view(t).LastEvent
	if err := d.Store.Intend(t.Context(), page, "create host task"); !errors.Is(err, store.ErrNotApproved) || !strings.Contains(err.Error(), "hash of setup.com was abab") {
		t.Errorf("an intent after other media: %v, want it refused with what changed", err)
	}
	page.Step = "a step of another version"
	if err := d.Store.Intend(t.Context(), page, "create host task"); !errors.Is(err, store.ErrNotApproved) {
		t.Errorf("an intent of an unknown step: %v, want it refused", err)
	}
	if now := d.view(t).LastEvent; now != last {
		t.Errorf("%d events of what was refused", now-last)
	}
	page.Step, page.Runbook = "um-out", book
	page.Runbook.Steps = append(slices.Clone(book.Steps), rollout.Step{Name: "um-out", Hard: time.Minute, Undone: true})
	if err := d.Store.Intend(t.Context(), page, "create host task"); !errors.Is(err, store.ErrNotApproved) {
		t.Errorf("an intent of what is not begun twice: %v, want it refused", err)
	}
	page.Step, page.Runbook = "put-back", book
	if err := d.Store.Intend(t.Context(), page, "start service"); err != nil {
		t.Errorf("putting back needs no approval: %v", err)
	}
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	page.Step = "setup"
	if err := d.Store.Intend(t.Context(), page, "create host task"); err != nil {
		t.Errorf("an intent after the wave was approved again: %v", err)
	}
}

// during runs an advance of the rollout whose decision is held up until other
// has ended or stands still at a lock. It waits for both.
func (d submitted) during(t *testing.T, other func() error) error {
	t.Helper()
	var generation int64
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT generation FROM rollout WHERE id = $1", d.rollout).Scan(&generation); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	begun := false
	decide := func(s rollout.Snapshot, now time.Time) []rollout.Action {
		actions := rollout.Next(s, now)
		if begun {
			return actions
		}
		begun = true
		go func() { ended <- other() }()
		every := time.NewTicker(20 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case err := <-ended:
				ended <- err
				return actions
			case <-every.C:
				if d.lockWaits(t) > 0 {
					return actions
				}
			}
		}
	}
	if err := d.Store.Advance(t.Context(), store.Advance{Rollout: d.rollout, Generation: generation}, decide, book); err != nil {
		t.Fatal(err)
	}
	return <-ended
}

// lockWaits counts the connections to this test's database that wait for a lock.
func (d submitted) lockWaits(t *testing.T) int {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	n := 0
	err := d.Store.Pool().QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
	if err != nil {
		t.Error(err)
	}
	return n
}

// ready is a submitted plan whose first wave is approved and whose servers were read.
func ready(t *testing.T) submitted {
	t.Helper()
	d := submit(t)
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	d.read(t)
	return d
}

// read lets every host tell what it is.
func (d submitted) read(t *testing.T) {
	t.Helper()
	fleet, err := d.Store.Servers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range fleet {
		fact := `{"` + string(s.Roles[0]) + `":{"configured":"8.0.685.25"}}`
		if err := d.Store.SaveProbe(t.Context(), s.Hosts[0].Asked(), "done", "", []store.Fact{{Name: "roles", Value: []byte(fact), Source: "test", At: time.Now()}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestImportDoesNotMoveAServerThatIsBeingStarted(t *testing.T) {
	t.Parallel()
	d := ready(t)
	moved, faults := exchange.ReadInventory(strings.NewReader("server,roles,address\nCAS1,CAS,127.0.77.9\n"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var result store.Import
	err := d.during(t, func() error {
		var err error
		result, err = d.Store.ImportInventory(context.WithoutCancel(t.Context()), erika, moved, nil, store.ImportOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	up := d.view(t).Waves[0].Upgrades[0]
	server, err := d.Store.ServerByName(t.Context(), "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	if up.State != rollout.Running || server.Hosts[0].Address != "127.0.77.1" || result.Applied || len(result.Faults) != 1 {
		t.Errorf("CAS1 is %s at %s, import %+v; want it running where it was approved and the line refused", up.State, server.Hosts[0].Address, result)
	}
}

func TestImportKeepsWhatIsBoundWhileInWork(t *testing.T) {
	t.Parallel()
	d, _ := started(t)
	for _, line := range []string{
		"fqdn\nCAS1,CAS,cas1.else.test", "site\nCAS1,CAS,Else", "language\nCAS1,CAS,de-DE", "arch\nCAS1,CAS,x86",
		"services\nCAS1,CAS,Backup", "address\nCAS1,CAS,127.0.77.9", "port\nCAS1,CAS,5986",
	} {
		inv, faults := exchange.ReadInventory(strings.NewReader("server,roles," + line + "\n"))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		result, err := d.Store.ImportInventory(t.Context(), erika, inv, nil, store.ImportOptions{})
		if err != nil || result.Applied || len(result.Faults) != 1 || !strings.Contains(result.Faults[0].Want, "while the server is being upgraded") {
			t.Errorf("import of %q: %+v, %v; want it refused", line, result, err)
		}
	}
	importCSV(t, d.Store, "server,roles,tags\nCAS1,CAS,shown\n")
}

func TestTwoRolloutsDoNotTakeTheLastServer(t *testing.T) {
	t.Parallel()
	d := submit(t)
	importCSV(t, d.Store, "server,roles,site,build,address,port\nCAS2,ClientAccess,HQ,8.0.685.25,127.0.77.3,5985\n")
	other := d
	fleet := d.fleet(t)
	pkg, err := exchange.PackageByName("sp1")
	if err != nil {
		t.Fatal(err)
	}
	// The second rollout takes CAS2 of the same site; it is planned over the
	// fleet without the servers of the first.
	var rest []exchange.Server
	for _, s := range fleet {
		if s.Name == "CAS2" {
			rest = append(rest, s)
		}
	}
	plan, _, err := rollout.Make(rest, pkg, rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, revision, err := d.Store.CreatePlan(t.Context(), d.lead, "SP1, the second", plan)
	if err != nil {
		t.Fatal(err)
	}
	if other.hash, err = plan.Hash(); err != nil {
		t.Fatal(err)
	}
	if other.rollout, err = d.Store.SubmitRevision(t.Context(), d.lead, revision, other.hash, book); err != nil {
		t.Fatal(err)
	}
	for _, r := range []submitted{d, other} {
		if err := r.approve(t, 0); err != nil {
			t.Fatal(err)
		}
	}
	d.read(t)
	if err := d.during(t, func() error {
		var generation int64
		ctx := context.WithoutCancel(t.Context())
		if err := d.Store.Pool().QueryRow(ctx, "SELECT generation FROM rollout WHERE id = $1", other.rollout).Scan(&generation); err != nil {
			return err
		}
		return d.Store.Advance(ctx, store.Advance{Rollout: other.rollout, Generation: generation}, rollout.Next, book)
	}); err != nil {
		t.Fatal(err)
	}
	first, second := d.view(t).Waves[0].Upgrades[0], other.view(t).Waves[0].Upgrades[0]
	if first.State != rollout.Running || second.State != rollout.Held {
		t.Errorf("%s is %s and %s is %s (%v), want the second held by the floor", first.Server, first.State, second.Server, second.State, second.Reasons)
	}
}

// fleet is the inventory as plans are made from it.
func (d submitted) fleet(t *testing.T) []exchange.Server {
	t.Helper()
	all, err := d.Store.Servers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []exchange.Server
	for _, s := range all {
		out = append(out, s.Server)
	}
	return out
}

func TestProbeOfTheMachineBeforeIsDropped(t *testing.T) {
	t.Parallel()
	d := submit(t)
	before, err := d.Store.ServerByName(t.Context(), "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	importCSV(t, d.Store, "server,roles,address\nCAS1,CAS,127.0.77.9\n")
	facts := []store.Fact{{Name: "roles", Value: []byte(`{"ClientAccess":{"configured":"8.1.240.6"}}`), Source: "test", At: time.Now()}}
	if err := d.Store.SaveProbe(t.Context(), before.Hosts[0].Asked(), "done", "", facts); err != nil {
		t.Fatal(err)
	}
	have, err := d.Store.Facts(t.Context(), before.Hosts[0].ID)
	if err != nil || len(have) != 0 {
		t.Errorf("facts of the machine that answered at the old address: %v, %v, want none", have, err)
	}
}

func TestWhatWasApprovedNeverChanges(t *testing.T) {
	t.Parallel()
	d, _ := started(t)
	for _, statement := range []string{
		"UPDATE revision SET content = '{}'", "UPDATE revision SET hash = repeat('0', 64)", "UPDATE revision SET author_id = author_id + 1",
		"UPDATE revision SET number = 9", "DELETE FROM revision",
		"UPDATE approval SET reason = 'another'", "UPDATE approval SET approved_by = approved_by + 1", "UPDATE approval SET at = now()", "DELETE FROM approval",
		"UPDATE approval_server SET digest = repeat('0', 64)", "UPDATE approval_server SET content = '{}'", "DELETE FROM approval_server", "TRUNCATE approval_server",
	} {
		if err := run(t, d.URL, statement); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s as the program: %v, want permission denied", statement, err)
		}
		if err := run(t, d.OwnerURL, statement); err == nil || !strings.Contains(err.Error(), "never changes") && !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s as the owner: %v, want the trigger's refusal", statement, err)
		}
	}
	for _, statement := range []string{"UPDATE approval SET withdrawn_at = now()", "UPDATE approval SET withdrawn_at = NULL", "UPDATE revision SET submitted_by = (SELECT id FROM person WHERE name = 'second')"} {
		err := run(t, d.URL, statement)
		if first := strings.HasSuffix(statement, "now()"); first != (err == nil) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestRowsOfARolloutBelongTogether(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	for statement, rule := range map[string]string{
		"UPDATE upgrade SET due_at = NULL WHERE state = 'running'":          "upgrade_in_work_is_due",
		"INSERT INTO rollout (revision_id) SELECT revision_id FROM rollout": "one_rollout_per_revision",
		"WITH v AS (INSERT INTO revision (plan_id, number, content, hash, author_id) SELECT plan_id, 2, content, hash, author_id FROM revision RETURNING id), r AS (INSERT INTO rollout (revision_id) SELECT id FROM v RETURNING id) UPDATE upgrade SET rollout_id = (SELECT id FROM r)": "wave_is_of_the_same_rollout",
	} {
		if err := run(t, d.URL, statement); err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%s: %v, want it refused by %s", statement, err, rule)
		}
	}
	if _, live, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation); err != nil || !live {
		t.Errorf("the upgrade is not in work: %v, %v", live, err)
	}
}
