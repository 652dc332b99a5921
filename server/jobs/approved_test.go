package jobs_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// heldBack is a rollout whose only upgrade has started while somebody else holds
// its host; letGo gives the host free.
func heldBack(t *testing.T, csv string) (w *world, letGo func()) {
	t.Helper()
	w = newWorld(t, csv)
	exec := func(statement string) {
		t.Helper()
		if _, err := w.Store.Pool().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("INSERT INTO host_lease (host_id, owner, epoch, expires_at) SELECT id, 'test', 1, now() + interval '1 hour' FROM host ON CONFLICT (host_id) DO UPDATE SET owner = 'test', epoch = host_lease.epoch + 1, expires_at = excluded.expires_at")
	w.await(t, "the upgrade started", 60*time.Second, func(v store.RolloutView) bool { return v.Waves[0].Upgrades[0].State == rollout.Running })
	return w, func() { exec("UPDATE host_lease SET expires_at = now() WHERE owner = 'test'") }
}

func TestNothingRunsAsAnotherAccount(t *testing.T) {
	t.Parallel()
	w, letGo := heldBack(t, `server,roles,site,build,address,port
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.31,5985
`)
	if _, err := w.Store.Pool().Exec(t.Context(), "UPDATE credential SET account = 'DEMO\\another' WHERE purpose = 'runas'"); err != nil {
		t.Fatal(err)
	}
	letGo()
	v := w.await(t, "the upgrade failed", 60*time.Second, func(v store.RolloutView) bool { return v.Waves[0].Upgrades[0].State == rollout.Failed })
	u := v.Waves[0].Upgrades[0]
	if !strings.Contains(u.Message, `approved as "DEMO\\setup" and is "DEMO\\another" now`) || u.Remedy == "" {
		t.Errorf("failed with %q, %q; want both accounts named", u.Message, u.Remedy)
	}
	if n := w.journal.count("CAS1", "setup-started"); n != 0 {
		t.Errorf("Setup was started %d times, want never", n)
	}
}

func TestOtherMediaUnderWayDoNotRun(t *testing.T) {
	t.Parallel()
	w, letGo := heldBack(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.32,5985,BackupAgent
`)
	known, err := w.Store.Packages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := known[0]
	other.Folder, other.SetupSHA256 = `D:\sp1`, strings.Repeat("0", 64)
	if err := w.Store.SavePackage(t.Context(), admin, other); err != nil {
		t.Fatal(err)
	}
	letGo()
	v := w.await(t, "Setup is not begun", 60*time.Second, func(v store.RolloutView) bool {
		return strings.Contains(v.Waves[0].Upgrades[0].Message, "Not begun: ")
	})
	u := v.Waves[0].Upgrades[0]
	if u.Step != "setup" || u.State != rollout.Running || !strings.Contains(u.Message, `package folder was C:\Wavekeeper\media\sp1-en-US-x64 and is D:\sp1`) {
		t.Errorf("%s at %s: %q; want it to wait before Setup with what changed", u.State, u.Step, u.Message)
	}
	if n := w.journal.count("CAS1", "setup-started"); n != 0 {
		t.Errorf("Setup was started %d times, want never", n)
	}
	if err := w.Store.SavePackage(t.Context(), admin, known[0]); err != nil {
		t.Fatal(err)
	}
	w.await(t, "the rollout is done", 120*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	if n := w.journal.count("CAS1", "setup-started"); n != 1 {
		t.Errorf("Setup was started %d times, want once", n)
	}
}
