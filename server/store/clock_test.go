package store_test

import (
	"errors"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// The tests shift rows instead of the clock: rows of the future are what a clock
// that was set back leaves, rows of the past what one that was set forward does.

func TestALeaseOfTheFutureHasRunOut(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	old, _, err := d.Store.AcquireLeases(t.Context(), "before the clock was set back", tick.Upgrade)
	if err != nil {
		t.Fatal(err)
	}
	if _, taken, err := d.Store.AcquireLeases(t.Context(), "another", tick.Upgrade); err != nil || taken {
		t.Fatalf("a live lease is taken: %v, %v", taken, err)
	}
	d.exec(t, "UPDATE host_lease SET expires_at = expires_at + interval '3 hours'")
	lease, taken, err := d.Store.AcquireLeases(t.Context(), "another", tick.Upgrade)
	if err != nil || !taken {
		t.Fatalf("a lease of the future is taken %v, %v, want true", taken, err)
	}
	if err := d.Store.RenewLease(t.Context(), old); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("the old lease is renewed: %v, want lost", err)
	}
	if err := d.Store.RenewLease(t.Context(), lease); err != nil {
		t.Error(err)
	}
}

// TestALeaseIsRenewedAfterTheClockWasSetBack lets its holder go on.
func TestALeaseIsRenewedAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, _ := d.hold(t, tick)
	d.exec(t, "UPDATE host_lease SET expires_at = expires_at + interval '3 hours'")
	if err := d.Store.RenewLease(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	var left float64
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT extract(epoch FROM max(expires_at) - clock_timestamp())::float8 FROM host_lease").Scan(&left); err != nil || left > store.LeaseTTL.Seconds() {
		t.Errorf("the lease lives for %v s more, %v, want no more than %s", left, err, store.LeaseTTL)
	}
}

// TestTheClockSetForwardEndsLeasesEarly: who holds one finds out before it writes.
func TestTheClockSetForwardEndsLeasesEarly(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, page := d.hold(t, tick)
	d.exec(t, "UPDATE host_lease SET expires_at = expires_at - interval '3 hours'")
	if err := d.Store.Intend(t.Context(), page, "run a task"); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("an intent is recorded: %v, want the lease lost", err)
	}
	if err := d.Store.RenewLease(t.Context(), lease); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("the lease is renewed: %v, want lost", err)
	}
}

func TestTheSweepTakesWhatLiesInTheFuture(t *testing.T) {
	t.Parallel()
	for name, shift := range map[string]string{
		"saved in the future":           "UPDATE upgrade SET saved_at = saved_at + interval '3 hours', due_at = clock_timestamp() + interval '1 minute' WHERE state = 'running'",
		"due hours ahead":               "UPDATE upgrade SET due_at = due_at + interval '3 hours' WHERE state = 'running'",
		"all of it, the lease as well":  "UPDATE upgrade SET saved_at = saved_at + interval '3 hours', due_at = due_at + interval '3 hours' WHERE state = 'running'",
		"due long ago, with no lease":   "UPDATE upgrade SET saved_at = saved_at - interval '3 hours', due_at = due_at - interval '3 hours' WHERE state = 'running'",
		"due long ago, a future lease":  "UPDATE upgrade SET due_at = due_at - interval '1 minute' WHERE state = 'running'",
		"left alone: due in a moment":   "UPDATE upgrade SET due_at = clock_timestamp() + interval '10 minutes' WHERE state = 'running'",
		"left alone: saved a moment on": "UPDATE upgrade SET due_at = clock_timestamp() + interval '3 s', saved_at = clock_timestamp() + interval '1 s' WHERE state = 'running'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, tick := started(t)
			if name == "all of it, the lease as well" || name == "due long ago, a future lease" {
				d.hold(t, tick)
				d.exec(t, "UPDATE host_lease SET expires_at = expires_at + interval '3 hours'")
			}
			d.exec(t, shift)
			want := 1
			if name[:4] == "left" {
				want = 0
			}
			swept, err := d.Store.Sweep(t.Context())
			if err != nil || swept.Upgrades != want {
				t.Fatalf("Sweep = %+v, %v, want %d upgrades", swept, err, want)
			}
			if swept, err = d.Store.Sweep(t.Context()); err != nil || swept.Upgrades != 0 {
				t.Errorf("the second Sweep = %+v, %v, want nothing", swept, err)
			}
			if now := d.tick(t, tick.Upgrade).Generation; now != tick.Generation+int64(want) {
				t.Errorf("the generation is %d after %d", now, tick.Generation)
			}
		})
	}
}

func TestTheSweepTakesRolloutsDueInTheFuture(t *testing.T) {
	t.Parallel()
	d := submit(t)
	for shift, want := range map[string]int{
		"UPDATE rollout SET due_at = clock_timestamp() + interval '3 hours'": 1,
		"UPDATE rollout SET due_at = clock_timestamp() + interval '25 s'":    0,
		"UPDATE rollout SET due_at = 'infinity'":                             0,
		"UPDATE rollout SET due_at = clock_timestamp() - interval '6 s'":     1,
	} {
		d.exec(t, shift)
		if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Rollouts != want {
			t.Errorf("%s: Sweep = %+v, %v, want %d", shift, swept, err, want)
		}
	}
}

// TestNoTickIsDueFarAhead: what would be due in hours by a clock that jumped is
// due in minutes.
func TestNoTickIsDueFarAhead(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, _ := d.hold(t, tick)
	w := d.work(t, tick.Upgrade)
	err := d.Store.SaveTick(t.Context(), lease, store.TickSave{
		Upgrade: w.ID, Rollout: w.Rollout, Generation: w.Generation, Wave: w.Wave, Server: "CAS1", ServerID: w.ServerID, Host: w.Hosts[0].ID,
		From: rollout.Running, To: rollout.Running, Step: w.Step, StepFrom: rollout.Running, StepTo: rollout.Running, Show: w.Step,
		DueAt: time.Now().Add(3 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	var ahead float64
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM upgrade WHERE id = $1", w.ID).Scan(&ahead); err != nil || ahead > 15*60 {
		t.Errorf("the tick is due in %v s, %v", ahead, err)
	}
}

// TestAHostThatADeadProcessAskedIsAskedAgain: within the life of a lease and a
// sweep, while one that is being asked is left alone.
func TestAHostThatADeadProcessAskedIsAskedAgain(t *testing.T) {
	t.Parallel()
	d := submit(t)
	server, err := d.Store.ServerByName(t.Context(), "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	host := server.Hosts[0]
	for _, c := range []struct {
		name, shift string
		alive       bool
		want        int
	}{
		{"never asked", "UPDATE host SET probe_asked_at = NULL", false, 0},
		{"asked a moment ago", "UPDATE host SET probe_asked_at = clock_timestamp() - interval '14 s' WHERE name = 'CAS1'", false, 0},
		{"asked by one that is at it", "UPDATE host SET probe_asked_at = clock_timestamp() - interval '30 s' WHERE name = 'CAS1'", true, 0},
		{"asked by one that is gone", "UPDATE host SET probe_asked_at = clock_timestamp() - interval '30 s', probe_alive_at = clock_timestamp() - interval '16 s' WHERE name = 'CAS1'", false, 1},
		{"asked, and nobody began", "UPDATE host SET probe_asked_at = clock_timestamp() - interval '16 s', probe_alive_at = NULL WHERE name = 'CAS1'", false, 1},
		{"asked in the future", "UPDATE host SET probe_asked_at = clock_timestamp() + interval '3 hours', probe_alive_at = NULL WHERE name = 'CAS1'", false, 1},
		{"answered", "UPDATE host SET probe_asked_at = clock_timestamp() - interval '16 s', last_probe_at = clock_timestamp(), probe_alive_at = NULL WHERE name = 'CAS1'", false, 0},
	} {
		d.exec(t, "DELETE FROM river_job WHERE kind = 'probe'")
		d.exec(t, c.shift)
		if c.alive {
			if err := d.Store.ProbeAlive(t.Context(), host.ID); err != nil {
				t.Fatal(err)
			}
		}
		if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Hosts != c.want {
			t.Errorf("%s: Sweep = %+v, %v, want %d hosts", c.name, swept, err, c.want)
		}
		if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Hosts != 0 {
			t.Errorf("%s: the second Sweep = %+v, %v, want none", c.name, swept, err)
		}
	}
	d.exec(t, "UPDATE host SET probe_asked_at = clock_timestamp() - interval '16 s', probe_alive_at = NULL, last_probe_at = NULL WHERE name = 'CAS1'")
	d.exec(t, "UPDATE river_job SET state = 'available', scheduled_at = now() - interval '1 s', finalized_at = NULL WHERE kind = 'probe'")
	d.exec(t, "INSERT INTO river_job (kind, args, state, max_attempts, scheduled_at) VALUES ('probe', jsonb_build_object('host', $1::bigint), 'available', 1, now() - interval '1 s')", host.ID)
	if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Hosts != 0 {
		t.Errorf("its job waits: Sweep = %+v, %v, want none", swept, err)
	}
}

// TestFactsHaveTheDatabasesTime: a process whose clock is wrong says when it
// learned something by how long ago that is.
func TestFactsHaveTheDatabasesTime(t *testing.T) {
	t.Parallel()
	d := submit(t)
	server, err := d.Store.ServerByName(t.Context(), "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	host := server.Hosts[0]
	probe := func(value string, age time.Duration) {
		t.Helper()
		facts := []store.Fact{{Name: "os", Value: []byte(value), Source: "test", At: time.Now().Add(-age)}}
		if err := d.Store.SaveProbe(t.Context(), host.Asked(), "done", "", facts); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (value string, age float64) {
		t.Helper()
		if err := d.Store.Pool().QueryRow(t.Context(), "SELECT value::text, extract(epoch FROM clock_timestamp() - at)::float8 FROM fact WHERE host_id = $1 AND name = 'os'", host.ID).Scan(&value, &age); err != nil {
			t.Fatal(err)
		}
		return value, age
	}
	probe(`"a"`, -time.Hour) // learned in an hour's time, as a clock that is ahead says
	if value, age := read(); value != `"a"` || age < 0 || age > 60 {
		t.Errorf("the fact is %s, %v s old, want new", value, age)
	}
	probe(`"b"`, time.Hour)
	if value, _ := read(); value != `"a"` {
		t.Errorf("an older fact replaced a newer one: %s", value)
	}
	d.exec(t, "UPDATE fact SET at = at + interval '3 hours'") // the clock was set back
	probe(`"c"`, 0)
	if value, _ := read(); value != `"c"` {
		t.Errorf("a fact of the future stands: %s", value)
	}
}

// TestWhatWasReadInTheFutureIsOld: nothing starts on it, nothing waits for it.
func TestWhatWasReadInTheFutureIsOld(t *testing.T) {
	t.Parallel()
	d := submit(t)
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	d.read(t)
	d.exec(t, "UPDATE fact SET at = at + interval '3 hours'")
	d.exec(t, "UPDATE host SET last_probe_at = last_probe_at + interval '3 hours', probe_asked_at = clock_timestamp() + interval '2 hours'")
	s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
	if err != nil {
		t.Fatal(err)
	}
	if u := s.Upgrades[0]; !u.ReadAt.IsZero() || !u.HealthAt.IsZero() || u.Refreshing {
		t.Errorf("%s was read at %s, seen at %s, is being read %v; want never and no", u.Server, u.ReadAt, u.HealthAt, u.Refreshing)
	}
}
