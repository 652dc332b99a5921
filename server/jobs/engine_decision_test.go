package jobs_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/jobs"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// broken is a rollout of one server whose power went while Setup ran, once it
// had left its marks.
func broken(t *testing.T, address string) (*world, int64, *windows.Host) {
	t.Helper()
	// The file that Setup copies with the programs is at the target already: verify
	// asks for it beside the keys, and nothing but Setup replaces it here.
	w := newWorld(t, `server,roles,site,build,address,port,services,tags
MBX1,HubTransport+Mailbox,HQ,8.0.685.25,`+address+`,5985,BackupAgent,trait:exsetup-version=8.1.240.6
`)
	host := w.host(t, address)
	w.await(t, "Setup left its marks", 60*time.Second, func(store.RolloutView) bool {
		if w.journal.count("MBX1", "setup-started") == 0 {
			return false
		}
		found, err := host.Markers(t.Context())
		return err == nil && len(found) > 0
	})
	if err := w.fleet.PowerLoss("MBX1"); err != nil {
		t.Fatal(err)
	}
	v := w.reach(t, rollout.Interrupted)
	return w, v.Waves[0].Upgrades[0].ID, host
}

// reach waits until the first server is in the state.
func (w *world) reach(t *testing.T, state rollout.State) store.RolloutView {
	t.Helper()
	return w.await(t, "the server is "+string(state), 120*time.Second, func(v store.RolloutView) bool {
		u := v.Waves[0].Upgrades[0]
		return u.State == state && u.Decision == ""
	})
}

func (w *world) decide(t *testing.T, upgrade int64, step string, back rollout.State) store.UpgradeView {
	t.Helper()
	if err := w.Store.DecideUpgrade(t.Context(), w.operator, upgrade, store.Decision{Step: step, Reason: "Setup refuses to begin"}, w.book); err != nil {
		t.Fatal(err)
	}
	w.reach(t, back)
	u, err := w.Store.Upgrade(t.Context(), upgrade)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func marks(t *testing.T, host *windows.Host) int {
	t.Helper()
	found, err := host.Markers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// TestInterruptedServerIsClearedUndoneClearedAndRunAgain is the way that a person
// goes when Setup refuses to begin.
func TestInterruptedServerIsClearedUndoneClearedAndRunAgain(t *testing.T) {
	t.Parallel()
	w, id, host := broken(t, "127.0.104.1")
	kept, err := w.Store.Evidence(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, e := range kept {
		kinds[e.Kind] = true
	}
	for _, kind := range []string{"roles", "registry", "processes", "tasks", "folder", "log-tail"} {
		if !kinds[kind] {
			t.Errorf("no evidence of kind %s: %+v", kind, kept)
		}
	}
	before := marks(t, host)
	u := w.decide(t, id, runbook.ClearMarkers, rollout.Interrupted)
	if marks(t, host) != 0 || !strings.Contains(u.Message, "Cleared") || u.Step != "setup" {
		t.Errorf("after clearing: %d marks, at %s: %q", marks(t, host), u.Step, u.Message)
	}
	u = w.decide(t, id, runbook.RestoreMarkers, rollout.Interrupted)
	if marks(t, host) != before || !strings.Contains(u.Message, "Put back") {
		t.Errorf("after the undo: %d marks, want %d: %q", marks(t, host), before, u.Message)
	}
	w.decide(t, id, runbook.Look, rollout.Interrupted)
	w.decide(t, id, runbook.ClearMarkers, rollout.Interrupted)
	if err := w.Store.RetryUpgrade(t.Context(), w.operator, id, "cleared", w.book); err != nil {
		t.Fatal(err)
	}
	w.reach(t, rollout.Done)
	if n := w.journal.count("MBX1", "setup-started"); n != 2 {
		t.Errorf("Setup was started %d times, want once in each attempt", n)
	}
	rows, err := w.Store.Markers(t.Context(), id)
	if err != nil || len(rows) != 2*before {
		t.Errorf("%d values on record, %v, want %d, cleared twice", len(rows), err, 2*before)
	}
	w.noSecrets(t)
}

// TestRepairedServerIsVerified: somebody's word is not enough, the target is.
func TestRepairedServerIsVerified(t *testing.T) {
	t.Parallel()
	w, id, host := broken(t, "127.0.104.2")
	if err := w.Store.VerifyUpgrade(t.Context(), w.operator, id, "I ran Setup by hand", w.book); err != nil {
		t.Fatal(err)
	}
	v := w.reach(t, rollout.Failed)
	if u := v.Waves[0].Upgrades[0]; u.Step != "verify" || !strings.Contains(u.Message, "not at the target") || u.Remedy == "" {
		t.Errorf("at %s: %q, %q, want verify to say what is missing", u.Step, u.Message, u.Remedy)
	}
	roles, err := host.Roles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name := range roles { // what a Setup by hand does
		key := `SOFTWARE\Microsoft\Exchange\v8.0\` + name
		if name != "AdminTools" {
			key += "Role"
		}
		for _, value := range []string{"ConfiguredVersion", "UnpackedVersion"} {
			if err := host.SetString(t.Context(), windows.LocalMachine, key, value, "8.1.240.6"); err != nil {
				t.Fatal(err)
			}
		}
		for _, mark := range []string{"Action", "Watermark"} {
			if err := host.DeleteMarker(t.Context(), windows.Marker{Key: strings.TrimPrefix(key, `SOFTWARE\Microsoft\Exchange\v8.0\`), Name: mark}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Store.VerifyUpgrade(t.Context(), w.operator, id, "now to its end", w.book); err != nil {
		t.Fatal(err)
	}
	v = w.reach(t, rollout.Done)
	u := v.Waves[0].Upgrades[0]
	if u.Build != "8.1.240.6" || u.VerifiedAt == nil || w.journal.count("MBX1", "setup-started") != 1 {
		t.Errorf("%s at %s after %d Setups", u.State, u.Build, w.journal.count("MBX1", "setup-started"))
	}
	services, err := host.Services(t.Context())
	if s, ok := windows.FindService(services, "BackupAgent"); err != nil || !ok || s.StartMode != windows.StartAuto || s.State != windows.Running {
		t.Errorf("BackupAgent is %+v, %v, want it as it was", s, err)
	}
	if folders, err := host.TaskFolders(t.Context()); err != nil || len(folders) != 0 {
		t.Errorf("task folders %v, %v, want none", folders, err)
	}
}

// TestASetupBeyondItsLimitIsLookedAtAndGoesOn: beyond its hard limit Setup is
// neither ended nor taken for failed; after a look its limits count anew.
func TestASetupBeyondItsLimitIsLookedAtAndGoesOn(t *testing.T) {
	t.Parallel()
	table := runbook.Standalone()
	for i := range table.Steps {
		if table.Steps[i].Name == "setup" {
			table.Steps[i].Hard = time.Millisecond // whatever the machine does, the first look is beyond it
		}
	}
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.104.3,5985,BackupAgent
`, func(o *jobs.Options) { o.Table = table })
	w.book = table.Plain()
	v := w.reach(t, rollout.Unknown)
	u := v.Waves[0].Upgrades[0]
	if u.Step != "setup" || u.Message == "" || u.Remedy == "" || u.Unwinding {
		t.Errorf("unknown at %s: %q, %q", u.Step, u.Message, u.Remedy)
	}
	kept, err := w.Store.Evidence(t.Context(), u.ID)
	if err != nil || len(kept) == 0 {
		t.Errorf("evidence: %v, %v", kept, err)
	}
	for range 200 { // each look lets the step do one action more
		if err := w.Store.DecideUpgrade(t.Context(), w.operator, u.ID, store.Decision{Step: runbook.Look}, w.book); err != nil {
			t.Fatal(err)
		}
		v = w.await(t, "the upgrade ended, or is unknown again", 60*time.Second, func(v store.RolloutView) bool {
			u := v.Waves[0].Upgrades[0]
			return u.Decision == "" && (u.State == rollout.Done || u.State == rollout.Unknown)
		})
		if v.Waves[0].Upgrades[0].State == rollout.Done {
			break
		}
	}
	if u := v.Waves[0].Upgrades[0]; u.State != rollout.Done || w.journal.count("CAS1", "setup-started") != 1 {
		t.Errorf("%s after %d Setups: %s", u.State, w.journal.count("CAS1", "setup-started"), u.Message)
	}
}
