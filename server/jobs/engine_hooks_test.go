package jobs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/hook"
	"wavekeeper/server/jobs"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// withHooks gives coordinators a directory of hooks, scripts by name; in is the
// folder where they leave what they were told.
func withHooks(t *testing.T, scripts map[string]string) (change func(*jobs.Options), dir hook.Dir, in string) {
	t.Helper()
	path, in := filepath.Join(t.TempDir(), "hooks"), t.TempDir()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(path, name), []byte("#!/bin/sh\nIN="+in+"\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := hook.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *jobs.Options) {
		o.Hooks = dir
		o.Store.UseHooks(jobs.HooksNow(o.Store, dir))
		o.Pace = 20
	}, dir, in
}

// TestHooksRunAtTheirPoints: each is told its server, one that asks for it is run
// again with the same id, and no secret of its output is kept.
func TestHooksRunAtTheirPoints(t *testing.T) {
	t.Parallel()
	change, _, in := withHooks(t, map[string]string{
		"announce":         "cat >> $IN/announce; echo 'by mistake: " + winrmPassword + "'\n",
		"drain.10-balance": "cat >> $IN/drain; test -e $IN/once && exit 0; touch $IN/once; exit 75\n",
		"after":            "cat >> $IN/after\n",
	})
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.201,5985,
`, change)
	v := w.await(t, "the rollout is done", 120*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	u := v.Waves[0].Upgrades[0]
	for name, runs := range map[string]int{"announce": 1, "drain": 2, "after": 1} {
		told, err := os.ReadFile(filepath.Join(in, name))
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		lines := strings.Split(strings.TrimSpace(string(told)), "\n")
		for _, line := range lines {
			var call hook.Call
			if err := json.Unmarshal([]byte(line), &call); err != nil {
				t.Fatal(err)
			}
			if call.Server != "CAS1" || call.Point != name || call.Upgrade != u.ID || call.Rollout != w.rollout || call.Test {
				t.Errorf("%s was told %+v", name, call)
			}
			ids[call.ID] = true
		}
		if len(lines) < runs || len(ids) != 1 {
			t.Errorf("%s ran %d times with %d ids, want %d and 1", name, len(lines), len(ids), runs)
		}
	}
	w.noSecrets(t)
}

// TestFailingHookStopsItsServerOnly: the other server of the wave is upgraded,
// although the wave stops after one failed server.
func TestFailingHookStopsItsServerOnly(t *testing.T) {
	t.Parallel()
	change, _, _ := withHooks(t, map[string]string{
		"announce": "if grep -q CAS1; then echo 'the balancer is down' >&2; exit 3; fi\n",
	})
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.202,5985,
CAS2,ClientAccess,HQ,8.0.685.25,127.0.81.203,5985,
`, change)
	v := w.await(t, "CAS2 is done and CAS1 failed", 120*time.Second, func(v store.RolloutView) bool {
		states := map[string]rollout.State{}
		for _, u := range v.Waves[0].Upgrades {
			states[u.Server] = u.State
		}
		return states["CAS1"] == rollout.Failed && states["CAS2"] == rollout.Done
	})
	for _, u := range v.Waves[0].Upgrades {
		if u.Server == "CAS1" && !strings.Contains(u.Message, "exit status 3") {
			t.Errorf("CAS1 says %q, want the hook's exit code", u.Message)
		}
	}
	if n := w.journal.count("CAS1", "setup-started"); n != 0 {
		t.Errorf("Setup ran on CAS1 %d times", n)
	}
}

// TestHookThatWasChangedSinceTheApprovalIsNotRun: it stops its server before
// anything is done, and an approval of what is there now lets it run.
func TestHookThatWasChangedSinceTheApprovalIsNotRun(t *testing.T) {
	t.Parallel()
	change, dir, in := withHooks(t, map[string]string{"drain": "test -e $IN/never || exit 75\n"})
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.204,5985,
`, change)
	w.await(t, "the drain waits", 90*time.Second, func(v store.RolloutView) bool {
		return v.Waves[0].Upgrades[0].Step == "hook-drain"
	})
	changed := filepath.Join(in, "changed") // renamed: sh reads a file that it runs as it goes
	if err := os.WriteFile(changed, []byte("#!/bin/sh\ntouch "+in+"/ran\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(changed, filepath.Join(dir.Path, "drain")); err != nil {
		t.Fatal(err)
	}
	v := w.await(t, "the server failed", 60*time.Second, func(v store.RolloutView) bool {
		return v.Waves[0].Upgrades[0].State == rollout.Failed
	})
	if message := v.Waves[0].Upgrades[0].Message; !strings.Contains(message, "changed since the approval") {
		t.Errorf("the server says %q", message)
	}
	if _, err := os.Stat(filepath.Join(in, "ran")); !os.IsNotExist(err) {
		t.Error("the changed hook was run")
	}
}
