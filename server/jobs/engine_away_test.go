package jobs_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/jobs"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// cutWords mark a runbook of a test's own, of which everything knows.
const cutWords = "some steps of a runbook"

// cut is a runbook with the named steps only (none = all), each with the hard limit
// that is given for it; then is called when a step has ended.
func cut(t *testing.T, name string, hard map[string]time.Duration, then func(step string, w *runbook.Work), keep ...string) runbook.Table {
	t.Helper()
	table, ok := runbook.ByName(name)
	if !ok {
		t.Fatalf("there is no runbook %s", name)
	}
	table.Words = cutWords
	table.Steps = slices.DeleteFunc(slices.Clone(table.Steps), func(s runbook.Step) bool { return len(keep) > 0 && !slices.Contains(keep, s.Name) })
	for i, s := range table.Steps {
		if limit, ok := hard[s.Name]; ok {
			table.Steps[i].Hard = limit
		}
		table.Steps[i].Tick = func(ctx context.Context, w *runbook.Work) (runbook.Outcome, error) {
			out, err := s.Tick(ctx, w)
			if err == nil && out.Kind == runbook.Done {
				then(s.Name, w)
			}
			return out, err
		}
	}
	return table
}

// ofNodes are steps of a cluster's runbook that change something on each node for a
// while: enough to see what a node that goes away does to them.
var ofNodes = []string{
	"facts-1", "facts-2", runbook.Choose, "record-1", "stop-services-1", "record-2", "stop-services-2",
	"put-back-1", "put-back-2", "tidy-1", "tidy-2",
}

// backupAgent is the third-party service of a host, as it is.
func (w *world) backupAgent(t *testing.T, host string) string {
	t.Helper()
	in, err := w.fleet.Inspect(host)
	if err != nil {
		t.Fatal(err)
	}
	return in.Services["BackupAgent"]
}

// TestANodeThatIsAwayIsWaitedForOrADecision: the second nodes of two clusters go
// away in the middle. Each upgrade says so and does nothing else meanwhile. Where
// the node comes back it goes on by itself, and nothing is done twice. Where it does
// not, the attempt has failed beyond the step's hard limit, with the node's silence
// in words; the other node is put back, the wave stops, and a person may run it again.
func TestANodeThatIsAwayIsWaitedForOrADecision(t *testing.T) {
	t.Parallel()
	var w *world
	begun := make(chan struct{}) // the fleet is there
	lasts := map[string]time.Duration{"ACT1": 2 * 2000 * time.Second, "ACT2": 100000 * time.Hour}
	var once sync.Map
	table := cut(t, "ccr-service-pack", map[string]time.Duration{"record-2": 10 * time.Second, "tidy-1": 10 * time.Second}, func(step string, work *runbook.Work) {
		second := work.Notes[runbook.Choose]["node-2"]
		if _, known := lasts[second]; !known && step == "stop-services-1" {
			t.Errorf("%q is the second node", second)
		}
		if _, was := once.LoadOrStore(second+step, true); was || step != "stop-services-1" {
			return
		}
		<-begun
		if err := w.fleet.Inject(twin.Fault{Host: second, Name: "address-lost", Lasts: lasts[second]}); err != nil {
			t.Error(err)
		}
	}, ofNodes...)
	// Of the nodes the first one by name owns the server: it is the second to be upgraded.
	w = newWorld(t, `server,fqdn,roles,site,build,os,cluster,nodes,services
BACK,back.demo.test,Mailbox,HQ,8.0.685.25,2003,CCR,ACT1=127.0.161.11:5985;PAS1=127.0.161.12:5985,BackupAgent
GONE,gone.demo.test,Mailbox,HQ,8.0.685.25,2003,CCR,ACT2=127.0.161.13:5985;PAS2=127.0.161.14:5985,BackupAgent
`, func(o *jobs.Options) { o.Table, o.Pace = table, 20 })
	close(begun)
	says := map[string]bool{}
	v := w.await(t, "one cluster is done, the other failed, and the wave stopped", 3*time.Minute, func(v store.RolloutView) bool {
		for _, server := range []string{"BACK", "GONE"} {
			u := rowOf(t, v, server)
			if u.Step == "record-2" && u.State == rollout.Running && !u.Unwinding && strings.Contains(u.Message, "refuses the connection") {
				says[server] = true
			}
		}
		return rowOf(t, v, "BACK").State == rollout.Done && rowOf(t, v, "GONE").State == rollout.Failed && v.Waves[0].State == rollout.WaveStopped
	})
	if !says["BACK"] || !says["GONE"] {
		t.Errorf("said that a node is away: %v", says)
	}
	gone := rowOf(t, v, "GONE")
	if gone.Step != "record-2" || !strings.Contains(gone.Message, "Not finished within 10s") || !strings.Contains(gone.Message, "refuses the connection") || gone.Remedy == "" {
		t.Errorf("at %s: %q, %q", gone.Step, gone.Message, gone.Remedy)
	}
	for node, stopped := range map[string]int{"PAS1": 1, "ACT1": 1, "PAS2": 1, "ACT2": 0} {
		if got, n := w.backupAgent(t, node), w.journal.count(node, "service-stopped"); got != "Running Auto" || n != stopped {
			t.Errorf("%s: BackupAgent is %s, services were stopped %d times, want %d", node, got, n, stopped)
		}
	}
	for server, want := range map[string]string{"BACK": "ACT1 PAS1", "GONE": "PAS2"} {
		u, err := w.Store.Upgrade(t.Context(), rowOf(t, v, server).ID)
		if err != nil {
			t.Fatal(err)
		}
		var hosts []string
		for _, l := range u.Ledger {
			hosts = append(hosts, l.Host)
			if l.RestoredAt == nil || l.Deviation != "" {
				t.Errorf("%s on %s is not put back: %q", l.Name, l.Host, l.Deviation)
			}
		}
		slices.Sort(hosts)
		if got := strings.Join(hosts, " "); got != want {
			t.Errorf("%s: the ledger is of %s, want %s", server, got, want)
		}
		for _, st := range u.Steps {
			if st.Attempt > 1 {
				t.Errorf("%s: step %s in attempt %d", server, st.Name, st.Attempt)
			}
		}
	}
	if folders, err := w.host(t, "127.0.161.14").TaskFolders(t.Context()); err != nil || len(folders) > 0 {
		t.Errorf("folders on PAS2: %v, %v", folders, err)
	}
	if err := w.Store.RetryUpgrade(t.Context(), w.operator, gone.ID, "the node is back", w.book); err != nil {
		t.Errorf("no decision is open: %v", err)
	}
}

func rowOf(t *testing.T, v store.RolloutView, server string) store.UpgradeRow {
	t.Helper()
	for _, wave := range v.Waves {
		for _, u := range wave.Upgrades {
			if u.Server == server {
				return u
			}
		}
	}
	t.Fatalf("no upgrade of %s", server)
	return store.UpgradeRow{}
}

// TestAHostThatStaysAwayAfterItsRestartHoldsWhatDependsOnIt: it is silent, then its
// upgrade has failed and the wave stops. A server that does not depend on it goes to
// its end all the same, and one that does is never begun.
func TestAHostThatStaysAwayAfterItsRestartHoldsWhatDependsOnIt(t *testing.T) {
	t.Parallel()
	const restarts, others = 10 * time.Second, 12 * time.Second // the other server keeps them on a busy machine, too
	table := cut(t, "standalone-service-pack", map[string]time.Duration{"restart": restarts, runbook.PutBack: others, runbook.Tidy: others}, func(string, *runbook.Work) {})
	w := newWorld(t, `server,roles,site,build,address,port,services,tags
CAS1,ClientAccess,HQ,8.0.685.25,127.0.161.21,5985,BackupAgent,trait:restart-wanted
CAS2,ClientAccess,BRANCH,8.0.685.25,127.0.161.22,5985,BackupAgent,
HUB1,HubTransport,HQ,8.0.685.25,127.0.161.23,5985,BackupAgent,
`, func(o *jobs.Options) { o.Table, o.Pace = table, 20 })
	if err := w.fleet.Inject(twin.Fault{Host: "CAS1", Name: "slow-restart", Lasts: 100000 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	of := func(v store.RolloutView, server string) store.UpgradeRow { return rowOf(t, v, server) }
	v := w.await(t, "CAS1 is silent in its restart", 3*time.Minute, func(v store.RolloutView) bool {
		u := of(v, "CAS1")
		return u.Step == "restart" && strings.Contains(u.Message, "Windows restarts")
	})
	if u := of(v, "CAS1"); u.State != rollout.Running || u.Unwinding {
		t.Errorf("%s is %s: %s", u.Server, u.State, u.Message)
	}
	v = w.await(t, "CAS1 failed, the wave stopped, CAS2 is done", 3*time.Minute, func(v store.RolloutView) bool {
		return of(v, "CAS1").State == rollout.Failed && of(v, "CAS2").State == rollout.Done && v.Waves[0].State == rollout.WaveStopped
	})
	row := of(v, "CAS1")
	if row.Step != "restart" || !strings.Contains(row.Message, "Not finished within 10s") || row.Remedy == "" {
		t.Errorf("at %s: %q, %q", row.Step, row.Message, row.Remedy)
	}
	for server, want := range map[string]int{"CAS1": 1, "CAS2": 1, "HUB1": 0} {
		if n := w.journal.count(server, "setup-started"); n != want {
			t.Errorf("%d Setups on %s, want %d", n, server, want)
		}
	}
	if u := of(v, "HUB1"); u.StartedAt != nil || len(w.journal.tasks("HUB1")) > 0 {
		t.Errorf("HUB1 was begun at %v: %s, %v", u.StartedAt, u.State, w.journal.tasks("HUB1"))
	}
	full, err := w.Store.Upgrade(t.Context(), row.ID)
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for _, l := range full.Ledger {
		if l.RestoredAt == nil {
			open++
		}
	}
	if open == 0 {
		t.Error("what was changed on a host that is away counts as put back")
	}
	if err := w.Store.RetryUpgrade(t.Context(), w.operator, row.ID, "it is at the console, and comes up", w.book); err != nil {
		t.Errorf("no decision is open: %v", err)
	}
}
