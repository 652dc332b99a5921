package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// waivable is a wish for a waiver as who looks at a finding makes it.
func waivable(server int64, until time.Duration) store.WaiverAsk {
	return store.WaiverAsk{
		Server: server, Package: "sp1", Rule: "backup", Severity: "blocker", Text: "no full backup", Waivable: true,
		Reason: "the backup runs tonight", Until: time.Now().Add(until),
	}
}

// TestAWaiverIsGrantedByWhoNeitherAskedNorPlanned: an operator who did either
// does not, and neither does the command line.
func TestAWaiverIsGrantedByWhoNeitherAskedNorPlanned(t *testing.T) {
	t.Parallel()
	d, _ := broken(t, rollout.Interrupted) // the lead's plan for sp1 holds its servers
	ctx := t.Context()
	server, err := d.Store.ServerByName(ctx, "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Store.PersonByName(ctx, d.lead.Name)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"admin", "planner", "operator"}
	if err := d.Store.SetRoles(ctx, erika, p.ID, all); err != nil {
		t.Fatal(err)
	}
	lead := store.Actor{PersonID: p.ID, Name: p.Name, Roles: all}
	asker := person(t, d.Store, "asker", "operator")
	other := person(t, d.Store, "other", "operator")
	id, err := d.Store.AskWaiver(ctx, asker, waivable(server.ID, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for who, actor := range map[string]store.Actor{"who asked": asker, "who planned": lead} {
		if err := d.Store.DecideWaiver(ctx, actor, id, true, "it is good"); !errors.Is(err, store.ErrOwnWork) {
			t.Errorf("%s: %v, want his own work", who, err)
		}
	}
	if err := d.Store.DecideWaiver(ctx, store.Actor{Name: "command line"}, id, true, "it is good"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("the command line: %v, want refused", err)
	}
	if got, err := d.Store.WaiversFor(ctx, server.ID, "sp1"); err != nil || len(got) != 0 {
		t.Errorf("WaiversFor = %v, %v before anybody granted it", got, err)
	}
	if err := d.Store.DecideWaiver(ctx, other, id, true, "it is good"); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Store.WaiversFor(ctx, server.ID, "SP1"); err != nil || len(got) != 1 || got[0].Text != "no full backup" || !got[0].Holds("blocker") {
		t.Errorf("WaiversFor = %+v, %v, want the one", got, err)
	}
	if got, err := d.Store.WaiversFor(ctx, server.ID, "sp2"); err != nil || len(got) != 0 {
		t.Errorf("WaiversFor another package = %v, %v", got, err)
	}
	if err := d.Store.WithdrawWaiver(ctx, asker, id, "the backup ran"); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Store.WaiversFor(ctx, server.ID, "sp1"); err != nil || len(got) != 0 {
		t.Errorf("WaiversFor = %v, %v after it was taken back", got, err)
	}
}

// TestAWaiverEndsByTheDatabasesClock and lasts 30 days at the most; what was
// accepted never changes.
func TestAWaiverEndsByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	d, _ := broken(t, rollout.Interrupted)
	ctx := t.Context()
	server, err := d.Store.ServerByName(ctx, "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	asker, other := person(t, d.Store, "asker", "operator"), person(t, d.Store, "other", "operator")
	for name, change := range map[string]func(*store.WaiverAsk){
		"too long":  func(a *store.WaiverAsk) { a.Until = time.Now().Add(31 * 24 * time.Hour) },
		"over":      func(a *store.WaiverAsk) { a.Until = time.Now().Add(-time.Minute) },
		"no reason": func(a *store.WaiverAsk) { a.Reason = " " },
		"not to be": func(a *store.WaiverAsk) { a.Waivable = false },
		"a pass":    func(a *store.WaiverAsk) { a.Severity = "pass" },
	} {
		ask := waivable(server.ID, time.Hour)
		change(&ask)
		if _, err := d.Store.AskWaiver(ctx, asker, ask); !errors.Is(err, rollout.ErrConflict) && !errors.Is(err, rollout.ErrInvalid) {
			t.Errorf("%s: %v, want refused", name, err)
		}
	}
	id, err := d.Store.AskWaiver(ctx, asker, waivable(server.ID, 2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.DecideWaiver(ctx, other, id, true, "for a moment"); err != nil {
		t.Fatal(err)
	}
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for {
		got, err := d.Store.WaiversFor(ctx, server.ID, "sp1")
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			break
		}
		select {
		case <-deadline.C:
			t.Fatal("the waiver stands for ever")
		case <-every.C:
		}
	}
	if one, err := d.Store.WaiverByID(ctx, id); err != nil || !one.Over || one.Holds("blocker") {
		t.Errorf("%+v, %v, want over", one, err)
	}
	if _, err := d.Store.Pool().Exec(ctx, "UPDATE waiver SET until_at = until_at + interval '1 day'"); err == nil || !strings.Contains(err.Error(), "never changes") {
		t.Errorf("prolonged: %v, want refused", err)
	}
}

// TestAWaiverIsOfItsServerAndPackage: that of a plan's second package accepts
// nothing of the first, and none of another server counts.
func TestAWaiverIsOfItsServerAndPackage(t *testing.T) {
	t.Parallel()
	d, _ := broken(t, rollout.Interrupted)
	ctx := t.Context()
	asker, other := person(t, d.Store, "asker", "operator"), person(t, d.Store, "other", "operator")
	known := func(name, pkg, then string) []string {
		one, err := d.Store.ServerByName(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		k, err := d.Store.Known(ctx, store.UpgradeWork{ServerID: one.ID, Server: one.Server, Package: pkg, Then: then}, false)
		if err != nil {
			t.Fatal(err)
		}
		return k.Waived
	}
	one, err := d.Store.ServerByName(ctx, "MBX1")
	if err != nil {
		t.Fatal(err)
	}
	ask := waivable(one.ID, time.Hour)
	ask.Severity, ask.Package = "blocker", "sp1-ru9"
	id, err := d.Store.AskWaiver(ctx, asker, ask)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.DecideWaiver(ctx, other, id, true, "for the rollup"); err != nil {
		t.Fatal(err)
	}
	if got := known("MBX1", "sp1", "sp1-ru9"); len(got) != 0 {
		t.Errorf("the service pack takes the rollup's waiver: %v", got)
	}
	if got := known("MBX1", "sp1-ru9", ""); len(got) != 1 {
		t.Errorf("the rollup has %v, want its waiver", got)
	}
	if got := known("CAS1", "sp1-ru9", ""); len(got) != 0 {
		t.Errorf("another server has %v", got)
	}
}

// TestWhatNobodyAskedForIsNotGranted: an operator with a shell does not grant on
// the page what he asked for there.
func TestWhatNobodyAskedForIsNotGranted(t *testing.T) {
	t.Parallel()
	d, _ := broken(t, rollout.Interrupted)
	ctx := t.Context()
	other := person(t, d.Store, "other", "operator")
	shell := store.Actor{Name: "command line (root)", From: "command line", Roles: []string{"admin"}}
	one, err := d.Store.ServerByName(ctx, "MBX1")
	if err != nil {
		t.Fatal(err)
	}
	waiver, err := d.Store.AskWaiver(ctx, shell, waivable(one.ID, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.DecideWaiver(ctx, other, waiver, true, "go"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("waiver: %v, want refused", err)
	}
	fix, err := d.Store.AskFix(ctx, shell, store.FixAsk{Name: "start-msdtc", Server: one.ID, Host: one.Hosts[0].ID, Reason: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.DecideFix(ctx, other, fix, true, "go"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("fix: %v, want refused", err)
	}
	if err := d.Store.DecideFix(ctx, other, fix, false, "a person has to ask"); err != nil {
		t.Error(err)
	}
}

// TestAWaiverDoesNotHoldForWorse: a warning that was accepted blocks when it
// became a blocker, and a blocker that became a warning stays accepted.
func TestAWaiverDoesNotHoldForWorse(t *testing.T) {
	t.Parallel()
	stands := func(severity string) store.Waiver {
		return store.Waiver{Rule: "backup", State: store.WaiverGranted, Severity: severity}
	}
	found := []preflight.Finding{{Rule: "backup", Severity: preflight.Blocker, Waivable: true}, {Rule: "disk", Severity: preflight.Blocker}}
	if got := store.Accepted(found, []store.Waiver{stands("warning")}); got[0].Waived {
		t.Error("a waiver of a warning holds for a blocker")
	}
	if got := store.Accepted(found, []store.Waiver{stands("blocker")}); !got[0].Waived || got[0].Blocks() || got[1].Waived || found[0].Waived {
		t.Errorf("%+v, want the first one waived", got)
	}
	if !stands("blocker").Holds("warning") {
		t.Error("what became less grave is not accepted any more")
	}
}

// TestFactsOfTheOrganizationAndValuesGoOnRecord: with who, why and what was before.
func TestFactsOfTheOrganizationAndValuesGoOnRecord(t *testing.T) {
	t.Parallel()
	d, _ := broken(t, rollout.Interrupted)
	ctx := t.Context()
	planner := person(t, d.Store, "planner", "planner")
	admin := person(t, d.Store, "boss", "admin")
	for _, value := range []string{"10637", "11116"} {
		if waits, err := d.Store.EnterOrganizationFact(ctx, planner, "schema", json.RawMessage(value), "adsiedit"); err != nil || waits {
			t.Fatal(waits, err)
		}
	}
	facts, err := d.Store.OrganizationFacts(ctx)
	if err != nil || len(facts) != 1 || string(facts[0].Value) != "11116" || facts[0].Source != store.SourceByHand || facts[0].EnteredBy != "planner" {
		t.Errorf("facts %+v, %v", facts, err)
	}
	if err := d.Store.SetPolicy(ctx, planner, "backup-age-hours", 48, "x"); !errors.Is(err, rollout.ErrForbidden) {
		t.Errorf("a planner sets a value: %v, want forbidden", err)
	}
	if err := d.Store.SetPolicy(ctx, admin, "backup-age-hours", 48, "backups every second day"); err != nil {
		t.Fatal(err)
	}
	if p, err := d.Store.Policy(ctx); err != nil || p.Of(preflight.BackupAge) != 48 || p.Of(preflight.Memory) != 2048 {
		t.Errorf("policy %v, %v", p, err)
	}
	var bytes string
	if err := d.Store.Pool().QueryRow(ctx, "SELECT bytes FROM audit WHERE what = 'organization.enter' ORDER BY seq DESC LIMIT 1").Scan(&bytes); err != nil || !strings.Contains(bytes, `"before":"10637"`) {
		t.Errorf("on record %s, %v, want the value before", bytes, err)
	}
	if err := d.Store.ResetPolicy(ctx, admin, "backup-age-hours", "daily again"); err != nil {
		t.Fatal(err)
	}
	if p, err := d.Store.Policy(ctx); err != nil || len(p) != 0 {
		t.Errorf("policy %v, %v, want none", p, err)
	}
}

// TestNoCheckBeginsBesideAnUpgradeOrAnotherRun on the same host.
func TestNoCheckBeginsBesideAnUpgradeOrAnotherRun(t *testing.T) {
	t.Parallel()
	d, _ := broken(t, rollout.Interrupted) // an upgrade is in work on a host
	ctx := context.WithoutCancel(t.Context())
	var busy, free store.Server
	all, err := d.Store.Servers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		in, err := d.Store.HostInWork(ctx, s.Hosts[0].Name)
		if err != nil {
			t.Fatal(err)
		}
		if in != "" {
			busy = s
		} else {
			free = s
		}
	}
	begin := func(s store.Server, pkg string) error {
		asked, err := d.Store.AskChecks(ctx, d.second, store.CheckAsk{Servers: []int64{s.ID}, Package: pkg})
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.Store.RunByID(ctx, asked.Runs[0])
		if err != nil {
			t.Fatal(err)
		}
		lease, taken, err := d.Store.AcquireHost(ctx, "worker", s.Hosts[0].ID)
		if err != nil || !taken {
			t.Fatal(taken, err)
		}
		begun := d.Store.BeginRun(ctx, lease, r.ID, r.Generation)
		if err := d.Store.ReleaseLease(ctx, lease); err != nil {
			t.Fatal(err)
		}
		return begun
	}
	if err := begin(busy, "sp1"); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("beside an upgrade: %v, want not yet", err)
	}
	if err := begin(free, "sp1"); err != nil {
		t.Errorf("on a free host: %v", err)
	}
	if err := begin(free, "sp2"); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("beside another check: %v, want not yet", err)
	}
}

// TestAWaiverOnANodeCountsForAllItsServers: clustered mailbox servers that share
// nodes are upgraded as one, so that what was accepted on the page of either is
// accepted; who planned one of them grants none of the other.
func TestAWaiverOnANodeCountsForAllItsServers(t *testing.T) {
	t.Parallel()
	d := submit(t)
	ctx := t.Context()
	importCSV(t, d.Store, "server,roles,cluster,nodes\nCMS1,MBX,SCC,NODEA=127.0.77.51;NODEB=127.0.77.52;NODEC=127.0.77.53\nCMS2,MBX,SCC,NODEA=127.0.77.51;NODEB=127.0.77.52;NODEC=127.0.77.53\n")
	var servers []store.Server
	for _, name := range []string{"CMS1", "CMS2", "CAS1"} {
		one, err := d.Store.ServerByName(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		servers = append(servers, one)
	}
	plan := aPlan(t, 1)
	plan.Servers = []exchange.Server{servers[0].Server}
	if _, _, err := d.Store.CreatePlan(ctx, d.lead, "the first of them", plan); err != nil {
		t.Fatal(err)
	}
	grant := func(rule, text string, server store.Server) {
		t.Helper()
		ask := waivable(server.ID, time.Hour)
		ask.Rule, ask.Text = rule, text
		id, err := d.Store.AskWaiver(ctx, d.second, ask)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Store.DecideWaiver(ctx, d.lead, id, true, "it is good"); !errors.Is(err, store.ErrOwnWork) {
			t.Errorf("who planned CMS1 grants a waiver of %s: %v", server.Name, err)
		}
		if err := d.Store.DecideWaiver(ctx, d.operator, id, true, "it is good"); err != nil {
			t.Fatal(err)
		}
	}
	grant("disk", "of the second", servers[1])
	grant("backup", "of the first", servers[0])
	grant("backup", "of the second", servers[1])
	for i, want := range []string{"backup of the first, disk of the second", "backup of the second, disk of the second", ""} {
		all, err := d.Store.WaiversFor(ctx, servers[i].ID, "sp1")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range all {
			got = append(got, w.Rule+" "+w.Text)
			if !w.Of("CMS1") || !w.Of("CMS2") || w.Of("CAS1") {
				t.Errorf("%+v is not of both", w)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("WaiversFor(%s) = %q, want %q", servers[i].Name, got, want)
		}
	}
	if shown, err := d.Store.Waivers(ctx, servers[0].ID, false); err != nil || len(shown) != 3 {
		t.Errorf("Waivers(CMS1) = %d, %v, want 3", len(shown), err)
	}
}

// TestFindingsOfTheFleetArePaged in the database: the gravest first, then what is not
// waived, by rule and host, each with what the check before said.
func TestFindingsOfTheFleetArePaged(t *testing.T) {
	t.Parallel()
	d := submit(t)
	ctx := t.Context()
	d.exec(t, `INSERT INTO host_run (kind, runbook, host_id, server_id, package, state, asked_by, judged_at, ended_at)
		SELECT 'check', 'checking', sh.host_id, sh.server_id, 'sp1', 'done', 'x', now() - interval '1 day' * (3 - n), now()
		FROM generate_series(1, 2) n, server_host sh ORDER BY n, sh.host_id`)
	found := func(server string, check int, rule, severity, text string) {
		t.Helper()
		d.exec(t, `INSERT INTO check_finding (run_id, position, rule, severity, text, waivable)
			SELECT (array_agg(r.id ORDER BY r.id))[$2], 1, $3, $4, $5, true FROM host_run r JOIN server s ON s.id = r.server_id WHERE s.name = $1`, server, check, rule, severity, text)
	}
	found("CAS1", 1, "clock", "warning", "off")
	found("CAS1", 1, "memory", "info", "small")
	found("CAS1", 1, "disk", "pass", "free")
	found("CAS1", 2, "clock", "blocker", "far off")
	found("CAS1", 2, "disk", "blocker", "full")
	found("CAS1", 2, "memory", "pass", "enough")
	found("MBX1", 1, "disk", "blocker", "full")
	found("MBX1", 2, "disk", "blocker", "full")
	found("MBX1", 2, "backup", "blocker", "no full backup")
	one, err := d.Store.ServerByName(ctx, "MBX1")
	if err != nil {
		t.Fatal(err)
	}
	id, err := d.Store.AskWaiver(ctx, d.second, waivable(one.ID, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.DecideWaiver(ctx, d.operator, id, true, "it is good"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		filter     store.FleetFilter
		skip, most int
		want       string
	}{
		"all":        {store.FleetFilter{}, 0, 9, "CAS1 clock after off; CAS1 disk after free; MBX1 disk after full; MBX1 backup"},
		"a page":     {store.FleetFilter{}, 1, 2, "CAS1 disk after free; MBX1 disk after full"},
		"a rule":     {store.FleetFilter{Rule: "disk"}, 1, 9, "MBX1 disk after full"},
		"a severity": {store.FleetFilter{Severity: "warning"}, 0, 9, ""},
		"a name":     {store.FleetFilter{Text: "mbx"}, 0, 9, "MBX1 disk after full; MBX1 backup"},
		"a node":     {store.FleetFilter{Text: "CMS7", Nodes: []string{"CAS1"}}, 0, 1, "CAS1 clock after off"},
	} {
		all, err := d.Store.FleetFindings(ctx, "sp1", c.filter, c.skip, c.most)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range all {
			words := f.Run.Server + " " + f.Finding.Rule
			if f.Before != nil {
				words += " after " + f.Before.Text
			}
			if got = append(got, words); !f.Again || f.Run.JudgedAt == nil {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: %q, want %q", name, strings.Join(got, "; "), c.want)
		}
	}
	counts, err := d.Store.FleetCounts(ctx, "sp1", store.FleetFilter{Text: "cas"})
	if err != nil || len(counts) != 3 || !counts[0].Waived || counts[0].Shown != 0 || counts[2] != (store.FleetCount{Rule: "disk", Severity: preflight.Blocker, Found: 2, Shown: 1}) {
		t.Errorf("FleetCounts = %+v, %v", counts, err)
	}
	gone, err := d.Store.FleetGone(ctx, "sp1", 9)
	if err != nil || len(gone) != 1 || gone[0].Finding.Rule != "memory" {
		t.Errorf("FleetGone = %+v, %v", gone, err)
	}
	if size, err := d.Store.FleetChecked(ctx, "sp1", time.Now().Add(-36*time.Hour)); err != nil || size != (store.FleetSize{Servers: 2, Hosts: 2}) {
		t.Errorf("FleetChecked = %+v, %v", size, err)
	}
}
