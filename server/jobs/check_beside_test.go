package jobs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/jobs"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// tasks are the host tasks that ran on a host, in order: of checks or of upgrades.
func (j *journal) tasks(host string) (names []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range bytes.Lines(j.bytes.Bytes()) {
		var entry struct {
			Host, What string
			Detail     map[string]any
		}
		if json.Unmarshal(line, &entry) == nil && entry.What == "task-ran" && entry.Host == host {
			names = append(names, fmt.Sprint(entry.Detail["name"]))
		}
	}
	return names
}

func ofRun(task string) bool { return strings.Contains(task, "-r") && !ofUpgrade(task) }
func ofUpgrade(task string) bool {
	return strings.Count(task, "-") > 2 && strings.HasPrefix(strings.SplitN(task, "-", 3)[2], "u")
}

// TestACheckAndAnUpgradeOfOneHostStayApart: a check whose host's upgrade begins
// meanwhile ends without a word on it, and one that is asked for meanwhile waits.
// Neither has a task on the host in the other's time; Setup runs once, the ledger
// is put back, and nothing of either is left.
func TestACheckAndAnUpgradeOfOneHostStayApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.162.51,5985,BackupAgent
CAS2,ClientAccess,BRANCH,8.0.685.25,127.0.162.52,5985,BackupAgent
`, func(o *jobs.Options) { o.Pace = 20 })
	check := func(server string) (batch int64) {
		t.Helper()
		one, err := w.Store.ServerByName(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := w.Store.AskChecks(t.Context(), w.operator, store.CheckAsk{Servers: []int64{one.ID}, Package: "sp1"})
		if err != nil || len(asked.Runs) != 1 {
			t.Fatalf("asked %+v, %v", asked, err)
		}
		return asked.Batch
	}
	overtaken, late := check("CAS1"), int64(0)
	w.until(t, "the check is at work on the host", func() bool { return slices.ContainsFunc(w.journal.tasks("CAS1"), ofRun) })
	cas1, err := w.Store.ServerByName(t.Context(), "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	var between store.Lease // nothing moves on the host until its upgrade has begun
	w.until(t, "the check has a pause", func() (taken bool) {
		between, taken, err = w.Store.AcquireHost(t.Context(), "another", cas1.Hosts[0].ID)
		return err == nil && taken
	})
	w.await(t, "the upgrade of CAS1 begins", 10*time.Second, func(v store.RolloutView) bool { return v.Waves[0].Upgrades[0].State == rollout.Running })
	if err := w.Store.ReleaseLease(t.Context(), between); err != nil {
		t.Fatal(err)
	}
	v := w.await(t, "the rollout is done", 90*time.Second, func(v store.RolloutView) bool {
		switch {
		case late == 0 && w.journal.count("CAS2", "setup-started") == 1:
			late = check("CAS2")
		case late != 0:
			runs, err := w.Store.RunsOfBatch(t.Context(), late)
			if err != nil {
				t.Fatal(err)
			}
			now, err := w.Store.Rollout(t.Context(), w.rollout) // it was in work when the run was looked at, if it still is
			if err != nil {
				t.Fatal(err)
			}
			if u := now.Waves[0].Upgrades[1]; u.Server == "CAS2" && u.State == rollout.Running && runs[0].State != rollout.Waiting && runs[0].State != rollout.Held {
				t.Errorf("CAS2 is in work, and its check is %s: %s", runs[0].State, runs[0].Message)
			}
		}
		return v.State == rollout.RolloutDone
	})
	first, second := w.awaitRuns(t, overtaken)[0], w.awaitRuns(t, late)[0]
	if first.State != rollout.Skipped || len(first.Findings) > 0 || !strings.Contains(first.Message, "An upgrade of this host began meanwhile") {
		t.Errorf("the check of CAS1 is %s with %d findings: %s", first.State, len(first.Findings), first.Message)
	}
	if second.State != rollout.Done || second.JudgedAt == nil {
		t.Errorf("the check of CAS2 is %s: %s", second.State, second.Message)
	}
	for _, u := range v.Waves[0].Upgrades {
		if n := w.journal.count(u.Server, "setup-started"); u.State != rollout.Done || n != 1 {
			t.Errorf("%s is %s after %d Setups", u.Server, u.State, n)
		}
		full, err := w.Store.Upgrade(t.Context(), u.ID)
		if err != nil || len(full.Ledger) == 0 {
			t.Errorf("%s: ledger %v, %v", u.Server, full.Ledger, err)
		}
		for _, l := range full.Ledger {
			if l.RestoredAt == nil || l.Deviation != "" {
				t.Errorf("%s: %s %s is not put back: %q", u.Server, l.Kind, l.Name, l.Deviation)
			}
		}
		in, err := w.fleet.Inspect(u.Server)
		if err != nil {
			t.Fatal(err)
		}
		for _, left := range append(in.Tasks, in.Files...) {
			if strings.Contains(left, "wk-") {
				t.Errorf("%s: %s is left", u.Server, left)
			}
		}
	}
	// On CAS1 the check came first, on CAS2 the upgrade; no task of the one follows one of the other's.
	for server, begins := range map[string]func(string) bool{"CAS1": ofRun, "CAS2": ofUpgrade} {
		all := w.journal.tasks(server)
		turns := 0
		for i, task := range all {
			if i > 0 && ofRun(task) != ofRun(all[i-1]) {
				turns++
			}
		}
		if len(all) == 0 || !begins(all[0]) || turns != 1 {
			t.Errorf("%s ran %q", server, all)
		}
	}
}
