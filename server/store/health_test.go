package store_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

const threeServers = `server,roles,site,build,address,port
CAS1,ClientAccess,HQ,8.0.685.25,127.0.77.1,5985
CAS2,ClientAccess+HubTransport,HQ,8.1.240.6,127.0.77.2,5985
CAS3,ClientAccess,HQ,8.1.240.6,127.0.77.3,5985
`

// says lets a server's host be looked at: outcome, and services that do not run.
func (d submitted) says(t *testing.T, server, outcome string, down ...string) {
	t.Helper()
	s, err := d.Store.ServerByName(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	services := []exchange.ServiceState{{Name: "Spooler", State: "Stopped", StartMode: "Auto"}, {Name: "W3SVC", State: "Running", StartMode: "Auto"}}
	for _, name := range down {
		services = append(services, exchange.ServiceState{Name: name, State: "Stopped", StartMode: "Auto"})
	}
	value, err := json.Marshal(services)
	if err != nil {
		t.Fatal(err)
	}
	facts := []store.Fact{{Name: "services", Value: value, Source: "test", At: time.Now()}}
	if outcome != "done" {
		facts = nil
	}
	if err := d.Store.SaveProbe(t.Context(), s.Hosts[0].Asked(), outcome, "", facts); err != nil {
		t.Fatal(err)
	}
}

// healthOf is what Next sees of a server.
func (d submitted) healthOf(t *testing.T, server string) rollout.Health {
	t.Helper()
	s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range s.Upgrades {
		if u.Server == server {
			return u.Health
		}
	}
	for _, o := range s.Outside {
		if o.Server.Name == server {
			return o.Health
		}
	}
	t.Fatalf("%s is not in the snapshot", server)
	return rollout.Health{}
}

func TestWhetherAServerIsInService(t *testing.T) {
	t.Parallel()
	d := submit(t)
	importCSV(t, d.Store, threeServers)
	if h := d.healthOf(t, "CAS2"); !h.HealthAt.IsZero() || h.Down || h.Unseen {
		t.Errorf("never looked at, it is %+v", h)
	}
	for _, c := range []struct {
		name, outcome string
		down          []string
		want          rollout.Health
	}{
		{"all runs", "done", nil, rollout.Health{}},
		{"no answer", "unreachable", nil, rollout.Health{Unseen: true}},
		{"one role is down", "done", []string{"MSExchangeTransport"}, rollout.Health{DownRoles: []exchange.Role{exchange.HubTransport}}},
		{"no answer, whatever it said before", "timeout", nil, rollout.Health{Unseen: true}},
		{"all are down", "done", []string{"MSExchangeADTopology"}, rollout.Health{Down: true, DownRoles: []exchange.Role{exchange.HubTransport, exchange.ClientAccess}}},
		{"all runs again", "done", nil, rollout.Health{}},
	} {
		d.says(t, "CAS2", c.outcome, c.down...)
		h := d.healthOf(t, "CAS2")
		slices.Sort(h.DownRoles)
		slices.Sort(c.want.DownRoles)
		if h.Down != c.want.Down || h.Unseen != c.want.Unseen || !slices.Equal(h.DownRoles, c.want.DownRoles) || time.Since(h.HealthAt).Abs() > time.Minute {
			t.Errorf("%s: %+v, want %+v, seen now", c.name, h, c.want)
		}
	}
}

// TestTheFloorHoldsByLiveHealth has CAS1 approved and read, and only others' being
// in service decides.
func TestTheFloorHoldsByLiveHealth(t *testing.T) {
	t.Parallel()
	d := submit(t)
	importCSV(t, d.Store, threeServers)
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	d.read(t)
	wantRule := func(when, want string) {
		t.Helper()
		d.advance(t)
		u := d.view(t).Waves[0].Upgrades[0]
		rule := string(u.State)
		if len(u.Reasons) > 0 {
			rule = u.Reasons[0].Rule
		}
		if rule != want {
			t.Fatalf("%s: CAS1 is %s (%v), want %s", when, u.State, u.Reasons, want)
		}
	}
	d.says(t, "CAS2", "unreachable")
	d.says(t, "CAS3", "done", "W3SVC")
	wantRule("both others are out of service", "floor")
	d.says(t, "CAS3", "done")
	d.exec(t, "UPDATE host SET last_probe_at = last_probe_at - interval '6 min' WHERE name = 'CAS3'")
	wantRule("the only other one was seen long ago", "health-is-old")
	asked := 0
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM river_job j JOIN host h ON h.id = (j.args ->> 'host')::bigint WHERE j.kind = 'probe' AND h.name = 'CAS3'").Scan(&asked); err != nil || asked != 1 {
		t.Errorf("CAS3 is asked %d times, %v, want once", asked, err)
	}
	d.says(t, "CAS3", "done")
	wantRule("it is seen in service", "running")
}

// TestAServerInWorkElsewhereIsOutOfService, and is looked at anew before anyone
// relies on it afterwards.
func TestAServerInWorkElsewhereIsOutOfService(t *testing.T) {
	t.Parallel()
	d := submit(t)
	other := d.another(t)
	d.says(t, "CAS1", "done")
	d.exec(t, "UPDATE upgrade SET state = 'running', due_at = now(), started_at = now() WHERE rollout_id = $1 AND wave_id = (SELECT min(wave_id) FROM upgrade WHERE rollout_id = $1)", other)
	if h := d.healthOf(t, "CAS1"); !h.Down {
		t.Errorf("in work in another rollout, it is %+v, want down", h)
	}
	d.exec(t, "UPDATE upgrade SET state = 'failed', due_at = NULL, ended_at = now() WHERE state = 'running'")
	if h := d.healthOf(t, "CAS1"); h.Down || !h.HealthAt.IsZero() {
		t.Errorf("after it failed there it is %+v, want not looked at yet", h)
	}
	d.says(t, "CAS1", "done")
	if h := d.healthOf(t, "CAS1"); h.Down || h.HealthAt.IsZero() {
		t.Errorf("looked at since, it is %+v, want in service", h)
	}
}

// TestASkippedServerIsBackWhenItIsSeen: what a person left out counts as out of
// service until a look afterwards says otherwise; a failed one until it is retried.
func TestASkippedServerIsBackWhenItIsSeen(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Failed)
	back := func() bool {
		t.Helper()
		s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
		if err != nil {
			t.Fatal(err)
		}
		return s.Upgrades[0].BackInService
	}
	d.exec(t, "UPDATE upgrade SET ended_at = now() WHERE id = $1", id)
	d.says(t, "CAS1", "done")
	if back() {
		t.Error("a failed one is back by a look alone")
	}
	d.exec(t, "UPDATE upgrade SET state = 'skipped', ended_at = clock_timestamp() WHERE id = $1", id)
	if back() {
		t.Error("a skipped one is back without a look")
	}
	d.says(t, "CAS1", "done")
	if !back() {
		t.Error("a skipped one that was seen in service is not back")
	}
}

// TestARescuedTickNeedsNoLeader: River's leader may be the process that died.
func TestARescuedTickNeedsNoLeader(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	d.exec(t, "UPDATE river_job SET state = 'scheduled', scheduled_at = now() + interval '1 hour' WHERE kind = 'tick'")
	d.exec(t, "UPDATE upgrade SET due_at = clock_timestamp() - interval '6 s'")
	if _, err := d.Store.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	ready := 0
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE kind = 'tick' AND state = 'available' AND scheduled_at <= now() AND (args ->> 'generation')::bigint = $1", tick.Generation+1).Scan(&ready); err != nil || ready != 1 {
		t.Errorf("%d ticks can be worked at once, %v, want 1", ready, err)
	}
	// The dead process renewed its lease at its last moment, and the sweep ran
	// right before the lease ended; workers look for jobs twice a second.
	if worst := d.Store.Lease() + d.Store.Beat() + time.Second; worst > 25*time.Second {
		t.Errorf("lost work is found after %s at the worst, want well under 30 s", worst)
	}
}

// TestPausingAndStoppingTouchNothingInWork: what runs comes to its end.
func TestPausingAndStoppingTouchNothingInWork(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Running)
	row := func() (text string) {
		t.Helper()
		if err := d.Store.Pool().QueryRow(t.Context(), "SELECT u::text || (SELECT string_agg(st::text, ' ' ORDER BY st.position) FROM step st WHERE st.upgrade_id = u.id) FROM upgrade u WHERE id = $1", id).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	before := row()
	wave := d.view(t).Waves[0]
	for _, act := range []struct {
		name string
		do   func() error
	}{
		{"pause the wave", func() error { return d.Store.PauseWave(t.Context(), d.operator, wave.ID, "x") }},
		{"resume the wave", func() error { return d.Store.ResumeWave(t.Context(), d.operator, wave.ID, "x") }},
		{"the threshold", func() error { d.exec(t, "UPDATE wave SET state = 'stopped' WHERE id = $1", wave.ID); return nil }},
		{"pause the rollout", func() error { return d.Store.PauseRollout(t.Context(), d.operator, d.rollout, "x") }},
		{"stop the rollout", func() error { return d.Store.StopRollout(t.Context(), d.operator, d.rollout, "x") }},
	} {
		if err := act.do(); err != nil {
			t.Fatalf("%s: %v", act.name, err)
		}
		if err := d.advanceNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now := row(); now != before {
			t.Errorf("%s changed what is in work:\n%s\n%s", act.name, before, now)
		}
		lease, page := d.hold(t, d.tick(t, id))
		page.Runbook = book
		if err := d.Store.Intend(t.Context(), page, "go on after: "+act.name); err != nil {
			t.Errorf("%s: the tick cannot go on: %v", act.name, err)
		}
		if err := d.Store.ReleaseLease(t.Context(), lease); err != nil {
			t.Fatal(err)
		}
	}
	d.exec(t, "UPDATE upgrade SET due_at = clock_timestamp() - interval '6 s' WHERE id = $1", id)
	if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Upgrades != 1 {
		t.Errorf("in the stopped rollout Sweep = %+v, %v, want what was left picked up", swept, err)
	}
}

// TestAnAnswerAfterThatOfAnOlderQuestionWakesItsRollout: a host that was being
// asked already when a rollout asked it answers twice, and the first answer may
// be saved after the question without seeing it.
func TestAnAnswerAfterThatOfAnOlderQuestionWakesItsRollout(t *testing.T) {
	t.Parallel()
	d := submit(t)
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	d.advance(t)
	first := d.view(t).Waves[0].Upgrades[0].Server
	if asked := d.count(t, "SELECT count(*) FROM host WHERE name = $1 AND probe_asked_at > coalesce(last_probe_at, '-infinity')", first); asked != 1 {
		t.Fatalf("%s is not asked", first)
	}
	d.exec(t, "UPDATE host SET last_probe_at = clock_timestamp()")
	before := d.count(t, "SELECT generation FROM rollout WHERE id = $1", d.rollout)
	d.says(t, first, "done")
	if after := d.count(t, "SELECT generation FROM rollout WHERE id = $1", d.rollout); after <= before {
		t.Errorf("the rollout is not looked at: its generation is %d after %d", after, before)
	}
}
