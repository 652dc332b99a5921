package jobs_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestHoursWithoutACoordinatorAreNoPatience: in the middle of the minutes that
// verify gives services to start, nobody was there for three hours. Verify waits
// on and does not fail, and the service has its time.
func TestHoursWithoutACoordinatorAreNoPatience(t *testing.T) {
	t.Parallel()
	const gap, service = 3 * time.Hour, "MSExchangePop3"
	w := newWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.81.33,5985,BackupAgent
`)
	v := w.await(t, "Setup runs", 60*time.Second, func(store.RolloutView) bool { return w.journal.count("CAS1", "setup-started") == 1 })
	id := v.Waves[0].Upgrades[0].ID
	w.remember(t, id, "record", func(memory map[string]string, _ *time.Time) {
		services := map[string]windows.Service{}
		if err := json.Unmarshal([]byte(memory["services"]), &services); err != nil {
			t.Fatal(err)
		}
		one, ok := services[service]
		if !ok {
			t.Fatalf("%s is not on record", service)
		}
		one.State = windows.Running // as if it had run, though it does not start by itself
		services[service] = one
		text, err := json.Marshal(services)
		if err != nil {
			t.Fatal(err)
		}
		memory["services"] = string(text)
	})
	w.await(t, "verify waits", 60*time.Second, func(store.RolloutView) bool { return w.memory(t, id, "verify")["since"] != "" })

	// What a coordinator finds that comes after so long: all moments are so much older.
	var since int64
	w.remember(t, id, "verify", func(memory map[string]string, began *time.Time) {
		for _, key := range []string{"since", "jobs.looked_at"} {
			unix, err := strconv.ParseInt(memory[key], 10, 64)
			if err != nil {
				t.Fatalf("%s: %v in %v", key, err, memory)
			}
			memory[key] = strconv.FormatInt(unix-int64(gap/time.Second), 10)
		}
		*began = began.Add(-gap)
		since, _ = strconv.ParseInt(memory["since"], 10, 64)
	})
	v = w.await(t, "verify is looked at again", 60*time.Second, func(v store.RolloutView) bool {
		u := v.Waves[0].Upgrades[0]
		away, _ := strconv.ParseInt(w.memory(t, id, "verify")["jobs.away"], 10, 64)
		return time.Duration(away)*time.Second >= gap || u.State != rollout.Running || u.Unwinding
	})
	u := v.Waves[0].Upgrades[0]
	if at := w.memory(t, id, "verify")["since"]; at != strconv.FormatInt(since, 10) || u.Step != "verify" || u.State != rollout.Running || u.Unwinding {
		t.Fatalf("%s is %s at %s, unwinding %t, waits since %s, moved to %d: %s", u.Server, u.State, u.Step, u.Unwinding, at, since, u.Message)
	}
	if err := w.host(t, "127.0.81.33").StartService(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	v = w.await(t, "the rollout is done", 60*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	if u := v.Waves[0].Upgrades[0]; u.State != rollout.Done {
		t.Errorf("%s is %s: %s", u.Server, u.State, u.Message)
	}
}

func (w *world) memory(t *testing.T, upgrade int64, step string) map[string]string {
	t.Helper()
	memory := map[string]string{}
	if err := w.Store.Pool().QueryRow(t.Context(), "SELECT memory FROM step WHERE upgrade_id = $1 AND name = $2", upgrade, step).Scan(&memory); err != nil {
		t.Fatal(err)
	}
	return memory
}

// remember changes what a step remembers and when it began, between two ticks.
func (w *world) remember(t *testing.T, upgrade int64, step string, change func(memory map[string]string, began *time.Time)) {
	t.Helper()
	tx, err := w.Store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }() // it was committed, or the test failed
	// A tick that is under way has lost its lease and saves nothing.
	if _, err := tx.Exec(t.Context(), "UPDATE host_lease SET owner = 'nobody', epoch = epoch + 1, expires_at = clock_timestamp()"); err != nil {
		t.Fatal(err)
	}
	var began time.Time
	memory := map[string]string{}
	if err := tx.QueryRow(t.Context(), "SELECT memory, started_at FROM step WHERE upgrade_id = $1 AND name = $2 FOR UPDATE", upgrade, step).Scan(&memory, &began); err != nil {
		t.Fatal(err)
	}
	change(memory, &began)
	if _, err := tx.Exec(t.Context(), "UPDATE step SET memory = $3, started_at = $4 WHERE upgrade_id = $1 AND name = $2", upgrade, step, memory, began); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}
