package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// TestMediaStageAsksForAWave: the plan says the package, the wave says the
// hosts, and those of other waves get nothing.
func TestMediaStageAsksForAWave(t *testing.T) {
	t.Parallel()
	m := newMediaAt(t)
	if status, _, problems := m.add(t, "--unpacked", folder(t, servicePack()), "--package", "sp1", "--language", "en", "--arch", "x64"); status != 0 {
		t.Fatal(problems)
	}
	id := submittedRollout(t, m.DB, "server,roles,site,build,language,address\nCAS1,CAS,HQ,8.0.685.25,en-US,127.0.135.1\nCAS2,CAS,HQ,8.0.685.25,en-US,127.0.135.2\nMBX1,MBX,HQ,8.0.685.25,en-US,127.0.135.3\n")
	stage := func(wave string, words ...string) string {
		t.Helper()
		return must(t, "", append([]string{"media", "stage", "--wave", fmt.Sprintf("%d/%s", id, wave), "--reason", "early", "--database-url", m.URL}, words...)...)
	}
	states := func() string {
		t.Helper()
		all, err := m.Store.Stagings(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		words := make([]string, 0, len(all))
		for _, g := range all {
			words = append(words, g.Host.Name+" "+string(g.State))
		}
		return strings.Join(words, ", ")
	}
	at := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	if said := stage("1", "--not-before", at.Format(time.RFC3339)); said != "asked for media on 2 hosts\n" {
		t.Errorf("media stage --wave %d/1 says %q", id, said)
	}
	all, err := m.Store.Stagings(t.Context(), 0, 0)
	if err != nil || len(all) != 2 {
		t.Fatalf("asked for %+v, %v, want the hosts of the first wave", all, err)
	}
	for i, g := range all {
		if g.Host.Name != []string{"CAS1", "CAS2"}[i] || g.Media != 1 || g.State != rollout.Waiting || !g.NotBefore.Equal(at) || g.Reason != "early" {
			t.Errorf("asked for %+v, want the medium of SP1 on the hosts of the first wave from %s on", g, at)
		}
	}
	if said := stage("1", "--not-before", at.Format(time.RFC3339)); said != "asked for media on 0 hosts\non their way already: CAS1, CAS2\n" {
		t.Errorf("asked again it says %q", said)
	}
	if said := stage("1"); said != "asked for media on 0 hosts\nanother time for: CAS1, CAS2\n" {
		t.Errorf("asked for at once it says %q", said)
	}
	if said := stage("2"); said != "asked for media on 1 hosts\n" {
		t.Errorf("media stage --wave %d/2 says %q", id, said)
	}
	if status, _, problems := run(t, "", "media", "stage", "--wave", fmt.Sprintf("%d/3", id), "--reason", "early", "--database-url", m.URL); status != 1 || !strings.Contains(problems, "the rollout has the waves 1 to 2") {
		t.Errorf("a wave that is not there: %d, %q", status, problems)
	}

	cancel := func(hosts string) string {
		t.Helper()
		return must(t, "", "media", "cancel", "--host", hosts, "--reason", "not today", "--database-url", m.URL)
	}
	if said := cancel("cas1"); said != "cancelled on 1 hosts: CAS1\n" {
		t.Errorf("media cancel --host cas1 says %q", said)
	}
	if got, want := states(), "CAS1 skipped, CAS2 waiting, MBX1 waiting"; got != want {
		t.Errorf("after the first cancel: %s, want %s", got, want)
	}
	if said := cancel("*"); said != "cancelled on 2 hosts: CAS2, MBX1\n" {
		t.Errorf("media cancel --host * says %q", said)
	}
	if said := cancel("*"); said != "cancelled on 0 hosts\n" {
		t.Errorf("with nothing left it says %q", said)
	}
	if _, err := m.Store.Pool().Exec(t.Context(), "UPDATE staging SET state = 'failed' WHERE host_id = (SELECT id FROM host WHERE name = 'CAS2')"); err != nil {
		t.Fatal(err)
	}
	if said := cancel("*"); said != "cancelled on 1 hosts: CAS2\n" {
		t.Errorf("media cancel of what failed says %q", said)
	}
	if status, _, problems := run(t, "", "media", "cancel", "--host", "CAS9", "--reason", "x", "--database-url", m.URL); status != 1 || !strings.Contains(problems, `the nearest is "CAS1"`) {
		t.Errorf("cancel at a server that is not there: %d, %q", status, problems)
	}
}

// submittedRollout imports an inventory and submits a plan that brings it to SP1.
func submittedRollout(t *testing.T, d storetest.DB, csv string) int64 {
	t.Helper()
	ctx := t.Context()
	if _, err := d.Store.Installation(ctx, false); err != nil {
		t.Fatal(err)
	}
	inventory, faults := exchange.ReadInventory(strings.NewReader(csv))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if _, err := d.Store.ImportInventory(ctx, commandLine(), inventory, nil, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	person := store.Actor{Name: "lead", From: "127.0.0.1", Roles: []string{"planner"}}
	var err error
	if person.PersonID, err = d.Store.AddPerson(ctx, commandLine(), store.NewPerson{Name: person.Name, Hash: "x", Roles: person.Roles}); err != nil {
		t.Fatal(err)
	}
	pkg, err := exchange.PackageByName("sp1")
	if err != nil {
		t.Fatal(err)
	}
	plan, _, err := rollout.Make(inventory.Servers, pkg, rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := plan.Hash()
	if err != nil {
		t.Fatal(err)
	}
	_, revision, err := d.Store.CreatePlan(ctx, person, "SP1", plan)
	if err != nil {
		t.Fatal(err)
	}
	id, err := d.Store.SubmitRevision(ctx, person, revision, hash, runbook.Standalone().Plain())
	if err != nil {
		t.Fatal(err)
	}
	return id
}
