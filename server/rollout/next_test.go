package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

func TestNothingForbiddenEverStarts(t *testing.T) {
	t.Parallel()
	for range 5 { // rapid's hundred worlds each
		rapid.Check(t, func(t *rapid.T) {
			w := newWorld(t, false)
			if rapid.IntRange(0, 3).Draw(t, "all begins well") > 0 {
				w.s.Prepared = true
				for _, v := range w.s.Waves {
					w.approve(v.Number)
				}
			}
			for range rapid.IntRange(5, 80).Draw(t, "turns") {
				if rapid.Bool().Draw(t, "meddle") {
					w.meddle()
				}
				w.turn()
				w.pass(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 2, 4, 10, 40}).Draw(t, "pass")) * time.Minute)
			}
		})
	}
}

func TestEveryUnblockedFleetEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, true)
		for range rapid.IntRange(0, 30).Draw(t, "turns") {
			w.meddle()
			w.turn()
			w.pass(time.Duration(rapid.IntRange(0, 40).Draw(t, "pass")) * time.Minute)
		}
		// From here on people decide everything, nothing fails, nothing is down.
		for round := 0; w.s.State != rollout.RolloutDone; round++ {
			if round > 4000 {
				t.Fatalf("the rollout does not end: %v, %+v, %v", w.s.Waves, w.s.Upgrades, rollout.Explain(w.s, w.now))
			}
			w.s.Prepared = true
			clear(w.outage)
			for name := range w.elsewhere {
				delete(w.elsewhere, name)
				for _, member := range w.members[name] {
					*w.health(member) = rollout.Health{}
				}
			}
			if w.s.State == rollout.RolloutPaused {
				w.moveRollout(rollout.ResumeRollout)
			}
			for i := range w.s.Upgrades {
				u := &w.s.Upgrades[i]
				u.ReadError, w.fails[u.Server] = "", u.Returns != ""
				for _, e := range []rollout.Event{rollout.Retry, rollout.Resume, rollout.SeeAgain} {
					if rollout.UpgradeTable.Allows(u.State, e) {
						w.move(u, e)
					}
				}
			}
			for _, v := range w.s.Waves {
				w.approve(v.Number)
				if rollout.WaveTable.Allows(w.s.Waves[v.Number-1].State, rollout.ResumeWave) {
					w.accept(v.Number)
					w.moveWave(v.Number, rollout.ResumeWave)
				}
			}
			w.turn()
			w.pass(5 * time.Minute)
		}
		for name, b := range w.build {
			if b.Compare(sp1) < 0 {
				t.Fatalf("%s ended at %s", name, b)
			}
		}
	})
}

func TestHeldServerSaysWhy(t *testing.T) {
	t.Parallel()
	servers := fleet(t, "cas1=CAS@A cas2=CAS@A mbx1=MBX@A done=CAS@A:sp1")
	plan, _, err := rollout.Make(servers, packageNamed(t, "sp1"), rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2008, 1, 7, 20, 0, 0, 0, time.UTC)
	fresh := func(server string, wave int, state rollout.State) rollout.UpgradeStatus {
		return rollout.UpgradeStatus{Server: server, Wave: wave, State: state, Approval: rollout.ApprovalMatching, ReadAt: now.Add(-time.Minute), Build: rtm, Health: rollout.Health{HealthAt: now.Add(-time.Minute)}}
	}
	base := func() rollout.Snapshot {
		return rollout.Snapshot{
			Plan: plan, State: rollout.RolloutRunning, Prepared: true,
			Waves:    []rollout.WaveStatus{{Number: 1, State: rollout.WaveRunning}, {Number: 2, State: rollout.WaveWaiting}},
			Upgrades: []rollout.UpgradeStatus{fresh("CAS1", 1, rollout.Waiting), fresh("CAS2", 1, rollout.Waiting), fresh("MBX1", 2, rollout.Waiting)},
			Outside:  []rollout.OutsideServer{{Server: servers[3], Build: sp1, ReadAt: now.Add(-time.Hour), Health: rollout.Health{HealthAt: now.Add(-time.Minute)}}},
		}
	}
	for _, c := range []struct {
		name   string
		change func(s *rollout.Snapshot)
		want   string
	}{
		{"all is well", func(*rollout.Snapshot) {}, "start CAS1; start CAS2"},
		{"one of three may leave", func(s *rollout.Snapshot) { s.Plan.Policy.Floor = rollout.Floor{Count: 2} }, "start CAS1; hold CAS2 floor"},
		{"one is down", func(s *rollout.Snapshot) {
			s.Plan.Policy.Floor = rollout.Floor{Count: 2}
			s.Outside[0].Down = true
		}, "hold CAS1 floor; hold CAS2 floor"},
		{"one at once", func(s *rollout.Snapshot) { s.Plan.Policy.AtOnce = 1 }, "start CAS1; hold CAS2 at-once"},
		{"one at once, and the first is in work in another rollout", func(s *rollout.Snapshot) {
			s.Plan.Policy.AtOnce, s.Upgrades[0].InWorkElsewhere = 1, true
		}, "hold CAS1 in-work-in-another-rollout; start CAS2"},
		{"another rollout left something on it", func(s *rollout.Snapshot) { s.Upgrades[0].OwedElsewhere = true }, "hold CAS1 not-put-back-in-another-rollout; start CAS2"},
		{"nobody waives that", func(s *rollout.Snapshot) {
			s.Upgrades[0].OwedElsewhere, s.Upgrades[0].Waived = true, []string{"not-put-back-in-another-rollout"}
		}, "hold CAS1 not-put-back-in-another-rollout; start CAS2"},
		{"one per site", func(s *rollout.Snapshot) { s.Plan.Policy.AtOncePerSite = 1 }, "start CAS1; hold CAS2 at-once-per-site"},
		{"pilot", func(s *rollout.Snapshot) { s.Plan.Policy.PilotMinutes = 30 }, "start CAS1; hold CAS2 pilot"},
		{"not prepared", func(s *rollout.Snapshot) { s.Prepared = false }, "hold CAS1 organization-is-not-prepared; hold CAS2 organization-is-not-prepared"},
		{"stale approval", func(s *rollout.Snapshot) { s.Upgrades[0].Approval = rollout.ApprovalStale }, "hold CAS1 approval-does-not-match; start CAS2"},
		{"nobody was seen in service lately", func(s *rollout.Snapshot) {
			for i := range s.Upgrades {
				s.Upgrades[i].HealthAt = now.Add(-6 * time.Minute)
			}
			s.Outside[0].HealthAt = time.Time{}
		}, "refresh CAS2; refresh DONE; hold CAS1 health-is-old; hold CAS2 health-is-old"},
		{"one that was seen lately is enough", func(s *rollout.Snapshot) {
			s.Upgrades[0].HealthAt, s.Upgrades[1].HealthAt = time.Time{}, time.Time{}
		}, "start CAS1; start CAS2"},
		{"the clock was set back since they were seen", func(s *rollout.Snapshot) {
			s.Plan.Policy.Floor = rollout.Floor{Count: 2}
			s.Outside[0].HealthAt = now.Add(time.Hour)
		}, "refresh DONE; hold CAS1 health-is-old; hold CAS2 floor"},
		{"the clock was set back since it was read", func(s *rollout.Snapshot) { s.Upgrades[0].ReadAt = now.Add(time.Hour) }, "refresh CAS1; hold CAS1 facts-are-old; start CAS2"},
		{"one was not reached", func(s *rollout.Snapshot) {
			s.Plan.Policy.Floor = rollout.Floor{Count: 2}
			s.Outside[0].Unseen = true
		}, "hold CAS1 floor; hold CAS2 floor"},
		{"one that was not reached may be in service", func(s *rollout.Snapshot) {
			s.Plan.Policy.Floor = rollout.Floor{Count: 2}
			s.Upgrades[0].Unseen, s.Outside[0].Down = true, true
		}, "hold CAS1 floor; hold CAS2 floor"},
		{"one that was not reached a while ago is looked at again", func(s *rollout.Snapshot) {
			s.Plan.Policy.Floor = rollout.Floor{Count: 2}
			s.Outside[0].Unseen, s.Outside[0].HealthAt = true, now.Add(-3*time.Minute)
		}, "refresh DONE; hold CAS1 floor; hold CAS2 floor"},
		{"one that was skipped after its start is looked at again", func(s *rollout.Snapshot) {
			s.Plan.Policy.Floor = rollout.Floor{Count: 2}
			s.Upgrades[0].State, s.Upgrades[0].StartedAt, s.Upgrades[0].HealthAt = rollout.Skipped, now.Add(-time.Hour), now.Add(-3*time.Minute)
		}, "refresh CAS1; hold CAS2 floor"},
		{"the pilot was out of service a moment ago", func(s *rollout.Snapshot) { pilotSeenDown(s, now, now.Add(-time.Minute)) }, "hold CAS2 pilot"},
		{"the pilot was out of service a while ago and is looked at again", func(s *rollout.Snapshot) { pilotSeenDown(s, now, now.Add(-3*time.Minute)) }, "refresh CAS1; hold CAS2 pilot"},
		{"one that is out of service takes nothing away", func(s *rollout.Snapshot) {
			s.Plan.Policy.Floor = rollout.Floor{Count: 2}
			s.Upgrades[1].Down = true
		}, "hold CAS1 floor; start CAS2"},
		{"one that was out of service a while ago may take something away", func(s *rollout.Snapshot) {
			s.Plan.Policy.Floor = rollout.Floor{Count: 2}
			s.Upgrades[1].Down, s.Upgrades[1].HealthAt = true, now.Add(-6*time.Minute)
		}, "refresh CAS2; hold CAS1 floor; start CAS2"},
		{"one that was out of service a while ago counts as in service for itself", func(s *rollout.Snapshot) {
			s.Plan.Policy.Floor = rollout.Floor{Count: 2}
			s.Upgrades[1].Down, s.Upgrades[1].HealthAt = true, now.Add(-6*time.Minute)
			s.Outside[0].Down = true
		}, "refresh CAS2; hold CAS1 floor; hold CAS2 floor"},
		{"one that serves another role still", func(s *rollout.Snapshot) {
			s.Plan.Policy.Floor = rollout.Floor{Count: 2}
			s.Outside[0].DownRoles = []exchange.Role{exchange.ClientAccess}
		}, "hold CAS1 floor; hold CAS2 floor"},
		{"a failed one still puts back", func(s *rollout.Snapshot) {
			s.Upgrades[0].State, s.Upgrades[0].Failing = rollout.Running, true
		}, "stop-wave"},
		{"a person looks at a failed one", func(s *rollout.Snapshot) {
			s.Upgrades[0].State, s.Upgrades[0].Returns = rollout.Running, rollout.Failed
		}, "stop-wave"},
		{"old facts", func(s *rollout.Snapshot) { s.Upgrades[0].ReadAt = now.Add(-31 * time.Minute) }, "refresh CAS1; hold CAS1 facts-are-old; start CAS2"},
		{"no answer", func(s *rollout.Snapshot) {
			s.Upgrades[0].ReadAt, s.Upgrades[0].ReadError, s.Upgrades[0].ReadTriedAt = time.Time{}, "no route", now
		}, "hold CAS1 host-does-not-answer; start CAS2"},
		{"paused", func(s *rollout.Snapshot) { s.State = rollout.RolloutPaused }, ""},
		{"stopped", func(s *rollout.Snapshot) { s.State = rollout.RolloutStopped }, ""},
		{"failed", func(s *rollout.Snapshot) { s.Upgrades[0].State = rollout.Failed }, "stop-wave"},
		{"failed, and a person resumed the wave", func(s *rollout.Snapshot) {
			s.Upgrades[0].State, s.Upgrades[0].Accepted = rollout.Failed, true
		}, "start CAS2"},
		{"another one failed since", func(s *rollout.Snapshot) {
			s.Upgrades[0].State, s.Upgrades[0].Accepted = rollout.Failed, true
			s.Upgrades[1].State = rollout.Failed
		}, "stop-wave"},
		{"wave done", func(s *rollout.Snapshot) {
			for i := range 2 {
				s.Upgrades[i].State, s.Upgrades[i].VerifiedAt = rollout.Done, now
			}
			s.Waves[1].State = rollout.WaveApproved
		}, "finish-wave; open-wave; refresh DONE; hold MBX1 client-access-before-mailbox"},
		{"skipped predecessor", func(s *rollout.Snapshot) {
			s.Upgrades[0].State, s.Upgrades[0].VerifiedAt = rollout.Done, now
			s.Upgrades[1].State = rollout.Skipped
			s.Outside[0].ReadAt = now
			s.Waves[0].State, s.Waves[1].State = rollout.WaveDone, rollout.WaveRunning
		}, "hold MBX1 client-access-before-mailbox"},
		{"predecessor outside at the target", func(s *rollout.Snapshot) { behindOutside(s, now) }, "start MBX1"},
		{"predecessors outside are read together", func(s *rollout.Snapshot) {
			behindOutside(s, now).ReadAt = now.Add(-31 * time.Minute)
			young, old := s.Outside[0], s.Outside[0]
			young.Server.Name, young.ReadAt = "YOUNG", now.Add(-5*time.Minute)
			old.Server.Name, old.ReadAt = "OLD", now.Add(-16*time.Minute)
			s.Outside = append(s.Outside, young, old)
		}, "refresh DONE; refresh OLD; hold MBX1 client-access-before-mailbox"},
		{"predecessor outside left half done by a Setup", func(s *rollout.Snapshot) {
			behindOutside(s, now).Doubts = []string{`ClientAccess: Action "BuildToBuildUpgrade", Watermark "5"`}
		}, "hold MBX1 client-access-before-mailbox"},
		{"predecessor outside at the target and down", func(s *rollout.Snapshot) { behindOutside(s, now).Down = true }, "hold MBX1 client-access-before-mailbox"},
	} {
		s := base()
		c.change(&s)
		var got []string
		for _, a := range rollout.Next(s, now) {
			word := strings.TrimSpace(fmt.Sprintf("%s %s", a.Kind, a.Server))
			if len(a.Reasons) > 0 {
				word += " " + a.Reasons[0].Rule
				if in := strings.Contains(a.Reasons[0].Text, "CAS2 was skipped in this rollout"); in != (c.name == "skipped predecessor") {
					t.Errorf("%s: %q", c.name, a.Reasons[0].Text)
				}
			}
			got = append(got, word)
		}
		if words := strings.Join(got, "; "); words != c.want {
			t.Errorf("%s: Next = %q, want %q", c.name, words, c.want)
		}
	}
}

// behindOutside leaves MBX1 to wait for the server outside alone, and returns that.
func behindOutside(s *rollout.Snapshot, now time.Time) *rollout.OutsideServer {
	for i := range 2 {
		s.Upgrades[i].State, s.Upgrades[i].VerifiedAt = rollout.Done, now
	}
	s.Waves[0].State, s.Waves[1].State = rollout.WaveDone, rollout.WaveRunning
	s.Outside[0].ReadAt = now
	return &s.Outside[0]
}

// pilotSeenDown leaves CAS2 to wait for CAS1, which was verified long enough ago
// and was out of service when it was seen last.
func pilotSeenDown(s *rollout.Snapshot, now, at time.Time) {
	s.Plan.Policy.PilotMinutes = 30
	first := &s.Upgrades[0]
	first.State, first.StartedAt, first.VerifiedAt = rollout.Done, now.Add(-2*time.Hour), now.Add(-time.Hour)
	first.Health = rollout.Health{Down: true, HealthAt: at}
}

func BenchmarkNextTenThousand(b *testing.B) {
	servers := bigFleet(10_000, 200)
	plan, _, err := rollout.Make(servers, packageNamed(b, "sp1"), rollout.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s := rollout.Snapshot{Plan: plan, State: rollout.RolloutRunning, Prepared: true}
	for i, names := range plan.Waves {
		s.Waves = append(s.Waves, rollout.WaveStatus{Number: i + 1, State: rollout.WaveRunning})
		for _, name := range names {
			s.Upgrades = append(s.Upgrades, rollout.UpgradeStatus{Server: name, Wave: i + 1, State: rollout.Waiting, Approval: rollout.ApprovalMatching})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		rollout.Next(s, time.Unix(0, 0))
	}
}
