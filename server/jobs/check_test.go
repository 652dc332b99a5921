package jobs_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/jobs"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// checkedServers are on the addresses 127.0.162.N1 to N3, a test's own N.
const checkedServers = `server,roles,site,build,address,port,services,tags
CAS1,ClientAccess,HQ,8.0.685.25,127.0.162.N1,5985,BackupAgent,trait:service-stopped=MSDTC
HUB1,HubTransport,HQ,8.0.685.25,127.0.162.N2,5985,BackupAgent,
MBX1,Mailbox,HQ,8.0.685.25,127.0.162.N3,5985,BackupAgent,
`

func checkWorld(t *testing.T, n string) *world {
	t.Helper()
	return newWorld(t, strings.ReplaceAll(checkedServers, ".N", "."+n), func(o *jobs.Options) { o.Pace = 20 })
}

// ask asks for checks of all servers for sp1.
func (w *world) ask(t *testing.T) store.CheckAsked {
	t.Helper()
	all, err := w.Store.Servers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	asked, err := w.Store.AskChecks(t.Context(), w.operator, store.CheckAsk{Servers: ids, Package: "sp1"})
	if err != nil {
		t.Fatal(err)
	}
	return asked
}

// awaitRuns polls until every run of the batch is over.
func (w *world) awaitRuns(t *testing.T, batch int64) []store.Run {
	t.Helper()
	var all []store.Run
	w.until(t, "every check is over", func() bool {
		var err error
		if all, err = w.Store.RunsOfBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(all, store.Run.Open)
	})
	return all
}

// until polls for a minute.
func (w *world) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(90 * time.Second)
	defer deadline.Stop()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			runs, _ := w.Store.LastRuns(context.WithoutCancel(t.Context()), 0, 3)
			t.Fatalf("never: %s; runs %+v", what, runs)
		case <-every.C:
		}
	}
}

// blockedBy is the rule whose blocker names a service; "" = none.
func blockedBy(r store.Run, service string) string {
	for _, f := range r.Findings {
		if f.Severity == preflight.Blocker && strings.Contains(f.Text+f.Evidence, service) {
			return f.Rule
		}
	}
	return ""
}

// left lists the tasks and task folders of runs that are still on hosts.
func (w *world) left(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, name := range []string{"CAS1", "HUB1", "MBX1"} {
		h, err := w.fleet.Inspect(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range append(h.Tasks, h.Files...) {
			if strings.Contains(task, "-r") && strings.Contains(task, "wk-") {
				all = append(all, name+" "+task)
			}
		}
	}
	return all
}

// TestAFleetIsCheckedOutsideUpgrades: every host comes to findings of its own,
// nothing of a check is left on it, and the next check says what changed since.
func TestAFleetIsCheckedOutsideUpgrades(t *testing.T) {
	t.Parallel()
	w := checkWorld(t, "1")
	first := w.awaitRuns(t, w.ask(t).Batch)
	if len(first) != 3 {
		t.Fatalf("%d checks, want 3", len(first))
	}
	for _, r := range first {
		if r.State != rollout.Done || r.JudgedAt == nil || len(r.Findings) < 10 || r.Message == "" {
			t.Errorf("%s: %s, %d findings, %q", r.Host.Name, r.State, len(r.Findings), r.Message)
		}
		if got, want := blockedBy(r, "MSDTC"), r.Host.Name == "CAS1"; (got != "") != want {
			t.Errorf("%s: MSDTC blocks by rule %q, want %t", r.Host.Name, got, want)
		}
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left on hosts: %q", left)
	}
	if v, err := w.Store.Rollout(t.Context(), w.rollout); err != nil || v.StartedAt != nil {
		t.Errorf("the rollout started at %v, %v: a check touches none", v.StartedAt, err)
	}
	service(t, w, "CAS1", "MSDTC", "start")
	w.awaitRuns(t, w.ask(t).Batch)
	two, err := w.Store.LastChecks(t.Context(), first[0].Host.ID, "sp1", true, 2)
	if err != nil || len(two) != 2 {
		t.Fatalf("last checks %v, %v, want 2", two, err)
	}
	var words []string
	for _, c := range preflight.Compare(two[1].Findings, two[0].Findings) {
		words = append(words, c.Rule)
	}
	if rule := blockedBy(first[0], "MSDTC"); !slices.Contains(words, rule) {
		t.Errorf("changed since the last check: %q, want %s among them", words, rule)
	}
	entries := w.audited(t, "check.ask")
	if entries != 2 {
		t.Errorf("%d entries on record, want 2", entries)
	}
}

func (w *world) audited(t *testing.T, what string) (n int) {
	t.Helper()
	if err := w.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM audit WHERE what = $1", what).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// service has sc.exe do something to a service of a host.
func service(t *testing.T, w *world, host, name, verb string) {
	t.Helper()
	one, err := w.Store.ServerByName(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	if result, err := w.host(t, one.Address).Run(t.Context(), "sc.exe "+verb+" "+name); err != nil || result.Exit != 0 {
		t.Fatalf("sc.exe %s %s: %d, %v", verb, name, result.Exit, err)
	}
}

// TestACheckWhoseWorkerDiedGoesOn: the lease of the dead runs out, and another
// worker finishes what began, with nothing left on the host.
func TestACheckWhoseWorkerDiedGoesOn(t *testing.T) {
	t.Parallel()
	w := checkWorld(t, "2")
	server, err := w.Store.ServerByName(t.Context(), "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	dead, taken, err := w.Store.AcquireHost(t.Context(), "dead", server.Hosts[0].ID)
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	asked, err := w.Store.AskChecks(t.Context(), w.operator, store.CheckAsk{Servers: []int64{server.ID}, Package: "sp1"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Store.RunByID(t.Context(), asked.Runs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.BeginRun(t.Context(), dead, r.ID, r.Generation); err != nil {
		t.Fatal(err)
	}
	if done := w.awaitRuns(t, asked.Batch); done[0].State != rollout.Done || done[0].JudgedAt == nil {
		t.Errorf("the check ended %s: %s", done[0].State, done[0].Message)
	}
	if err := w.Store.SaveRun(t.Context(), dead, r.Save()); err == nil {
		t.Error("who lost the lease could write")
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left on hosts: %q", left)
	}
}

// TestChecksAreCancelled: what waits ends at once; what is in work when nothing
// of it is left on its host.
func TestChecksAreCancelled(t *testing.T) {
	t.Parallel()
	w := checkWorld(t, "3")
	all, err := w.Store.Servers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var leases []store.Lease
	for _, s := range all {
		lease, taken, err := w.Store.AcquireHost(t.Context(), "another", s.Hosts[0].ID)
		if err != nil || !taken {
			t.Fatal(taken, err)
		}
		leases = append(leases, lease)
	}
	asked := w.ask(t)
	r, err := w.Store.RunByID(t.Context(), asked.Runs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.BeginRun(t.Context(), leases[0], r.ID, r.Generation); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.CancelChecks(t.Context(), w.operator, asked.Batch, "the wrong week"); err != nil {
		t.Fatal(err)
	}
	for _, l := range leases {
		if err := w.Store.ReleaseLease(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range w.awaitRuns(t, asked.Batch) {
		if r.State != rollout.Skipped || len(r.Findings) > 0 || !strings.Contains(r.Message, "the wrong week") {
			t.Errorf("%s: %s, %d findings, %q; want skipped", r.Host.Name, r.State, len(r.Findings), r.Message)
		}
	}
	if err := w.Store.CancelChecks(t.Context(), w.operator, asked.Batch, "again"); err == nil {
		t.Error("cancelled twice")
	}
}

// TestTheOrganizationIsReadOnAHostThatAPersonNamed and kept with its source.
func TestTheOrganizationIsReadOnAHostThatAPersonNamed(t *testing.T) {
	t.Parallel()
	w := checkWorld(t, "4")
	server, err := w.Store.ServerByName(t.Context(), "MBX1")
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.Store.AskOrganization(t.Context(), w.operator, server.ID, "before planning")
	if err != nil {
		t.Fatal(err)
	}
	var r store.Run
	w.until(t, "the organization is read", func() bool {
		if r, err = w.Store.RunByID(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return !r.Open()
	})
	if r.State != rollout.Done {
		t.Fatalf("%s: %s", r.State, r.Message)
	}
	facts, err := w.Store.OrganizationFacts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]preflight.Fact{}
	for _, f := range facts {
		known[f.Name] = preflight.Fact{Value: f.Value, Source: f.Source, At: f.At}
		if f.Source != "read on MBX1" || f.EnteredBy != "operator" || f.Reason != "before planning" {
			t.Errorf("%+v, want its source and who asked", f)
		}
	}
	o, errs := preflight.ReadOrganization(known)
	if len(errs) > 0 || !o.Schema.Known || o.Schema.Value == 0 || !o.Version.Known {
		t.Errorf("schema %+v, version %+v, %v", o.Schema, o.Version, errs)
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left on hosts: %q", left)
	}
}
