package store_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// organizer is a runbook of the organization small enough to read.
var organizer = rollout.Runbook{Name: rollout.OrganizationRunbook, Version: 1, Words: "test", Steps: []rollout.Step{
	{Name: "facts", Words: "asked", Hard: time.Minute, Repeatable: true},
	{Name: "prepare-ad", Words: "prepared", Hard: time.Hour, NoReturn: true},
	{Name: "put-back", Words: "put back", Hard: time.Minute, Repeatable: true, PutBack: true},
}}

// twoBooks has both runbooks.
type twoBooks struct{}

func (twoBooks) Book(name string) (rollout.Runbook, bool) {
	for _, b := range []rollout.Runbook{book, organizer} {
		if b.Name == name {
			return b, true
		}
	}
	return rollout.Runbook{}, false
}

// TestOrganizationIsPreparedByAPlanOfItsOwn: nobody submits it without having
// confirmed every point; it is approved by another; what it learns of the
// organization is kept; done, it is on record and servers that waited start.
func TestOrganizationIsPreparedByAPlanOfItsOwn(t *testing.T) {
	t.Parallel()
	d := submit(t)
	ctx := t.Context()
	if _, err := d.Store.Pool().Exec(ctx, "DELETE FROM preparation"); err != nil {
		t.Fatal(err)
	}
	v := d.view(t)
	plan, err := rollout.MakeOrganization(v.Content.Unit("MBX1"), v.Content.Package)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := plan.Hash()
	if err != nil {
		t.Fatal(err)
	}
	_, revision, err := d.Store.CreatePlan(ctx, d.lead, "forest", plan)
	if err != nil {
		t.Fatal(err)
	}
	var points []string
	for _, p := range plan.Package.MustKnow {
		points = append(points, p.Text)
	}
	if len(points) < 2 {
		t.Fatalf("points %q", points)
	}
	if _, err := d.Store.SubmitConfirmed(ctx, d.lead, revision, hash, points[1:], twoBooks{}); !errors.Is(err, rollout.ErrInvalid) || !strings.Contains(err.Error(), points[0]) {
		t.Fatalf("submitted without the first point: %v", err)
	}
	id, err := d.Store.SubmitConfirmed(ctx, d.lead, revision, hash, points, twoBooks{})
	if err != nil {
		t.Fatal(err)
	}
	var confirmed string
	if err := d.Store.Pool().QueryRow(ctx, "SELECT bytes FROM audit WHERE what = 'plan.submit' ORDER BY seq DESC LIMIT 1").Scan(&confirmed); err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(points[0])
	if err != nil || !strings.Contains(confirmed, strings.Trim(string(quoted), `"`)) {
		t.Errorf("the audit entry %s does not hold %q, %v", confirmed, points[0], err)
	}
	servers := d.rollout
	waits := func() []rollout.Reason {
		s, err := d.Store.Snapshot(ctx, servers, twoBooks{})
		if err != nil {
			t.Fatal(err)
		}
		return rollout.Explain(s, time.Now())["CAS1"]
	}
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	if why := waits(); len(why) == 0 || why[0].Rule != "organization-is-not-prepared" {
		t.Fatalf("CAS1 waits for %+v", why)
	}

	d.rollout = id
	wave := d.view(t).Waves[0].ID
	content, err := d.Store.WaveContent(ctx, wave, twoBooks{})
	if err != nil || content.Servers[0].Kind != "organization" || content.Servers[0].Runbook != "organization" {
		t.Fatalf("content %+v, %v", content, err)
	}
	if err := d.Store.ApproveWave(ctx, d.lead, wave, content.Seen, "mine", twoBooks{}); err == nil {
		t.Fatal("who wrote the plan approved it")
	}
	if err := d.Store.ApproveWave(ctx, d.operator, wave, content.Seen, "go", twoBooks{}); err != nil {
		t.Fatal(err)
	}
	fleet, err := d.Store.Servers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range fleet {
		facts := []store.Fact{{Name: "roles", Value: []byte(`{"Mailbox":{"configured":"8.0.685.25"}}`), Source: "test", At: time.Now()}}
		if err := d.Store.SaveProbe(ctx, s.Hosts[0].Asked(), "done", "", facts); err != nil {
			t.Fatal(err)
		}
	}
	var generation int64
	if err := d.Store.Pool().QueryRow(ctx, "SELECT generation FROM rollout WHERE id = $1", id).Scan(&generation); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.Advance(ctx, store.Advance{Rollout: id, Generation: generation}, rollout.Next, twoBooks{}); err != nil {
		t.Fatal(err)
	}
	up := d.view(t).Waves[0].Upgrades[0]
	if up.State != rollout.Running || up.Runbook != "organization" {
		t.Fatalf("%s by %s is %s: %v", up.Server, up.Runbook, up.State, up.Reasons)
	}
	// In work it takes nothing out of service, and its host is nobody else's.
	s, err := d.Store.Snapshot(ctx, servers, twoBooks{})
	if err != nil {
		t.Fatal(err)
	}
	if s.PreparingOn != "MBX1" {
		t.Errorf("another plan sees it prepared on %q", s.PreparingOn)
	}
	for _, one := range s.Upgrades {
		if one.Server == "MBX1" && (one.Down || !one.InWorkElsewhere) {
			t.Errorf("MBX1 while it prepares the organization: %+v", one)
		}
	}
	d.finishOrganization(t, up.ID, id)
	kept, err := d.Store.Preparations(ctx)
	if p := kept["sp1"]; err != nil || p.Rollout != id || !strings.Contains(string(p.Versions), "11116") {
		t.Errorf("preparation %+v, %v", p, err)
	}
	for _, r := range waits() {
		if r.Rule == "organization-is-not-prepared" {
			t.Errorf("CAS1 waits still: %+v", r)
		}
	}
	// What is read of it afterwards counts more than the record.
	if _, err := d.Store.EnterOrganizationFact(ctx, d.lead, "schema", []byte("10637"), "restored from backup"); !errors.Is(err, rollout.ErrConflict) {
		t.Fatalf("entered over what was read: %v", err)
	}
	if wait, err := d.Store.DropOrganizationFact(ctx, d.lead, "schema", "restored from backup"); err != nil || !wait {
		t.Fatal(wait, err) // it would release plans of later service packs
	}
	wishes, err := d.Store.OrganizationWishes(ctx)
	if err != nil || len(wishes) != 1 {
		t.Fatal(wishes, err)
	}
	if err := d.Store.DecideOrganization(ctx, d.operator, wishes[0].ID, true, "it was"); err != nil {
		t.Fatal(err)
	}
	if wait, err := d.Store.EnterOrganizationFact(ctx, d.lead, "schema", []byte("10637"), "restored from backup"); err != nil || wait {
		t.Fatal(wait, err)
	}
	if why := waits(); len(why) == 0 || why[0].Rule != "organization-is-not-prepared" || !strings.Contains(why[0].Text, "10637") || !strings.Contains(why[0].Text, "entered by hand by lead") {
		t.Errorf("CAS1 waits for %+v", why)
	}
	d.secondPerson(t, func() bool { return len(waits()) > 0 && waits()[0].Rule == "organization-is-not-prepared" })
}

// secondPerson: neither another value nor none releases who is held on one
// person's word, and who asked does not confirm it.
func (d submitted) secondPerson(t *testing.T, held func() bool) {
	t.Helper()
	ctx := t.Context()
	one := func() store.OrganizationWish {
		all, err := d.Store.OrganizationWishes(ctx)
		if err != nil || len(all) != 1 || !held() {
			t.Fatalf("%+v, %v, held %t", all, err, held())
		}
		return all[0]
	}
	if wait, err := d.Store.DropOrganizationFact(ctx, d.lead, "schema", "never mind"); err != nil || !wait {
		t.Fatal(wait, err)
	}
	if _, err := d.Store.EnterOrganizationFact(ctx, d.lead, "schema", []byte("11116"), "it is"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("a second wish of one fact: %v", err)
	}
	if err := d.Store.WithdrawOrganization(ctx, d.operator, one().ID, "not mine"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("another one takes it back: %v", err)
	}
	if err := d.Store.WithdrawOrganization(ctx, d.lead, one().ID, " "); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
	if err := d.Store.WithdrawOrganization(ctx, d.lead, one().ID, "mistyped"); err != nil {
		t.Fatal(err)
	}
	if wait, err := d.Store.DropOrganizationFact(ctx, d.lead, "schema", "once more"); err != nil || !wait {
		t.Fatal(wait, err)
	}
	if err := d.Store.DecideOrganization(ctx, d.lead, one().ID, false, "another way"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Store.EnterOrganizationFact(ctx, store.Actor{Name: "command line (root)"}, "schema", []byte("11116"), "it is"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("nobody asks: %v", err)
	}
	if wait, err := d.Store.EnterOrganizationFact(ctx, d.lead, "schema", []byte("11116"), "adsiedit"); err != nil || !wait {
		t.Fatal(wait, err)
	}
	if err := d.Store.DecideOrganization(ctx, d.lead, one().ID, true, "mine"); !errors.Is(err, store.ErrOwnWork) {
		t.Errorf("who asked confirms: %v", err)
	}
	if err := d.Store.DecideOrganization(ctx, d.operator, one().ID, true, "seen"); err != nil {
		t.Fatal(err)
	}
	if held() {
		t.Error("held still")
	}
	facts, err := d.Store.OrganizationFacts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		if f.Name == "schema" && f.Fact().Source != "entered by hand by lead, confirmed by "+d.operator.Name {
			t.Errorf("%+v", f)
		}
	}
}

// finishOrganization ends the upgrade as its last tick would.
func (d submitted) finishOrganization(t *testing.T, upgrade, of int64) {
	t.Helper()
	ctx := t.Context()
	lease, taken, err := d.Store.AcquireLeases(ctx, "w", upgrade)
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	tick := d.tick(t, upgrade)
	w, live, err := d.Store.LoadWork(ctx, upgrade, tick.Generation)
	if err != nil || !live || w.Kind != rollout.OfOrganization {
		t.Fatalf("work %+v, %v, %v", w, live, err)
	}
	facts := []store.Fact{
		{Name: "schema", Value: []byte("11116"), Source: "ADSI", At: time.Now()},
		{Name: "organization", Value: []byte("11221"), Source: "ADSI", At: time.Now()},
		{Name: "domains", Value: []byte(`[{"name":"contoso.com","version":11221}]`), Source: "ADSI", At: time.Now()},
	}
	save := store.TickSave{
		Upgrade: upgrade, Rollout: of, Generation: w.Generation, Wave: w.Wave, Server: w.Server.Name, ServerID: w.ServerID, Host: w.Hosts[0].ID, Kind: w.Kind,
		From: rollout.Running, To: rollout.Done, Step: w.Step, StepFrom: rollout.Running, StepTo: rollout.Done, Show: w.Step, Heard: true, Facts: facts,
	}
	if err := d.Store.SaveTick(ctx, lease, save); err != nil {
		t.Fatal(err)
	}
}
