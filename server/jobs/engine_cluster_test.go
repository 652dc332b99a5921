package jobs_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/jobs"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

const ccr = `server,fqdn,roles,site,build,os,cluster,nodes
CMS1,cms1.demo.test,Mailbox,HQ,8.0.685.25,2003,CCR,NODEA=127.0.161.1:5985;NODEB=127.0.161.2:5985
`

// TestOneClusterToItsEnd: a cluster goes by its own runbook, each step on its own
// node, with the record of each node apart. While people wait, between stop and
// online, the process that works on it is gone for as long as its lease lives:
// whoever goes on does nothing twice.
func TestOneClusterToItsEnd(t *testing.T) {
	t.Parallel()
	clock := &frozen{}
	w := newWorld(t, ccr, func(o *jobs.Options) { o.Table, o.Pace, o.Now = runbook.Table{}, 20, clock.now })
	clock.mu.Lock()
	clock.when = func() bool {
		return w.journal.count("CMS1", "cms-offline") == 1 && w.journal.count("CMS1", "cms-moved") == 1 && w.journal.count("CMS1", "cms-online") == 0
	}
	clock.mu.Unlock()
	v := w.await(t, "the cluster is done", 5*time.Minute, func(v store.RolloutView) bool {
		return v.State == rollout.RolloutDone || v.Waves[0].State == rollout.WaveStopped
	})
	row := v.Waves[0].Upgrades[0]
	if row.State != rollout.Done || row.Server != "CMS1" || row.Runbook != "ccr-service-pack" {
		w.say(t)
		t.Fatalf("%s by %s is %s", row.Server, row.Runbook, row.State)
	}
	u, err := w.Store.Upgrade(t.Context(), row.ID)
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]bool{}
	for _, st := range u.Steps {
		if strings.HasPrefix(st.Name, "setup-") {
			nodes[st.Node] = true
		}
		if st.Name == "setup-1" && st.Node == "" {
			t.Error("no node is known of setup-1")
		}
	}
	if !nodes["NODEA"] || !nodes["NODEB"] || len(nodes) != 2 {
		t.Errorf("Setup ran on %v, want once on each node", nodes)
	}
	clock.mu.Lock()
	over := clock.over
	clock.mu.Unlock()
	if !over {
		t.Error("the process was there all the time between stop and online")
	}
	for what, want := range map[string]int{"stop-cms": 1, "cms-offline": 1, "cms-moved": 1, "cms-upgraded": 1, "cms-online": 1, "store-did-not-start": 0} {
		if n := w.journal.count("CMS1", what); n != want {
			t.Errorf("%s happened %d times, want %d", what, n, want)
		}
	}
	for host, want := range map[string]int{"NODEA": 1, "NODEB": 2} { // on one of them /UpgradeCms, too
		if n := w.journal.count(host, "setup-started"); n != want {
			t.Errorf("%d runs of Setup on %s, want %d", n, host, want)
		}
	}
	if n := w.journal.count("", "violation"); n != 0 {
		t.Errorf("%d times something was done that Microsoft's procedure forbids", n)
	}
	of := map[string]int{}
	for _, f := range u.Findings {
		of[f.Node]++
	}
	if of["NODEA"] == 0 || of["NODEB"] == 0 || of[""] != 0 {
		t.Errorf("findings by node: %v", of)
	}
	for _, l := range u.Ledger {
		if l.RestoredAt == nil {
			t.Errorf("%s %s on %s is not put back", l.Kind, l.Name, l.Host)
		}
	}
	spells := row.Spells(runbook.Books{}, false, v.At)
	if spells.Downtime.Times != 1 || spells.Downtime.Runs || spells.Downtime.Lasted <= 0 || spells.Exposed.Times != 1 || spells.Exposed.Runs {
		t.Errorf("spells %+v", spells)
	}
}
