package jobs

import (
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

var noon = time.Date(2010, 1, 1, 12, 0, 0, 0, time.UTC)

// atStep is an upgrade of the standalone runbook that has been at the step for
// the time; what is before it is done.
func atStep(name string, since time.Duration, unwinding bool) store.UpgradeWork {
	began := noon.Add(-since)
	w := store.UpgradeWork{ID: 1, Rollout: 1, State: rollout.Running, Step: name, Unwinding: unwinding, Server: exchange.Server{Name: "MBX1"}}
	if unwinding {
		w.Message = "Setup ended with 1"
	}
	state := rollout.Done
	for i, s := range runbook.Standalone().Steps {
		st := store.StepWork{Position: i + 1, Name: s.Name, Attempt: 1, State: state, StartedAt: &began}
		if s.Name == name {
			st.State = rollout.Running
			state = rollout.Waiting
		} else if unwinding && s.Name == "setup" {
			st.State = rollout.Failed
		}
		w.Steps = append(w.Steps, st)
	}
	return w
}

func TestOutcomeMovesStepAndUpgrade(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	last := plain.Steps[len(plain.Steps)-1].Name
	cases := []struct {
		name      string
		work      store.UpgradeWork
		out       runbook.Outcome
		to        rollout.State
		step      rollout.State
		next      string
		show      string
		unwinding bool
		due       bool
	}{
		{"done goes on to the next step", atStep("facts", 0, false), runbook.Outcome{Kind: runbook.Done}, rollout.Running, rollout.Done, "preflight", "preflight", false, true},
		{"again stays", atStep("setup", 0, false), runbook.Outcome{Kind: runbook.Again, After: time.Second}, rollout.Running, rollout.Running, "", "setup", false, true},
		{"the last step ends the upgrade", atStep(last, 0, false), runbook.Outcome{Kind: runbook.Done}, rollout.Done, rollout.Done, "", last, false, false},
		{"failed puts back first", atStep("setup", 0, false), runbook.Outcome{Kind: runbook.Failed, Message: "no"}, rollout.Running, rollout.Failed, "put-back", "put-back", true, true},
		{"put back goes on to tidy", atStep("put-back", 0, true), runbook.Outcome{Kind: runbook.Done}, rollout.Running, rollout.Done, "tidy", "tidy", true, true},
		{"tidy ends the failed attempt", atStep("tidy", 0, true), runbook.Outcome{Kind: runbook.Done}, rollout.Failed, rollout.Done, "", "setup", true, false},
		{"put-back that fails does not keep tidy from its turn", atStep("put-back", 0, false), runbook.Outcome{Kind: runbook.Failed, Message: "no"}, rollout.Running, rollout.Failed, "tidy", "tidy", true, true},
		{"out of sight is no failure", atStep("setup", time.Hour, false), runbook.Outcome{Kind: runbook.OutOfSight}, rollout.OutOfSight, rollout.OutOfSight, "", "setup", false, true},
		{"out of sight beyond the limit is a person's", atStep("setup", 7*time.Hour, false), runbook.Outcome{Kind: runbook.OutOfSight}, rollout.Unknown, rollout.Unknown, "", "setup", false, false},
		{"Setup beyond its limit is never cut short", atStep("setup", 7*time.Hour, false), runbook.Outcome{Kind: runbook.Again}, rollout.Unknown, rollout.Unknown, "", "setup", false, false},
		{"a repeatable step beyond its limit fails", atStep("preflight", 7*time.Hour, false), runbook.Outcome{Kind: runbook.Again}, rollout.Running, rollout.Failed, "put-back", "put-back", true, true},
		{"interrupted waits for a person", atStep("setup", 0, false), runbook.Outcome{Kind: runbook.Interrupted}, rollout.Interrupted, rollout.Interrupted, "", "setup", false, false},
		{"unknown waits for a person", atStep("setup", 0, false), runbook.Outcome{Kind: runbook.Unknown}, rollout.Unknown, rollout.Unknown, "", "setup", false, false},
		{"what is no outcome is unknown", atStep("setup", 0, false), runbook.Outcome{Kind: "?"}, rollout.Unknown, rollout.Unknown, "", "setup", false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := after(c.work, plain, c.out, noon)
			if got.To != c.to || got.StepTo != c.step || got.Next != c.next || got.Show != c.show || got.Unwinding != c.unwinding || !got.DueAt.IsZero() != c.due {
				t.Errorf("upgrade %s, step %s, next %q, shows %q, unwinding %v, due %v\nwant    %s, step %s, next %q, shows %q, unwinding %v, due %v",
					got.To, got.StepTo, got.Next, got.Show, got.Unwinding, !got.DueAt.IsZero(), c.to, c.step, c.next, c.show, c.unwinding, c.due)
			}
			if c.work.Unwinding && got.Message != "Setup ended with 1" {
				t.Errorf("message %q, want why the attempt failed", got.Message)
			}
		})
	}
}

// TestOutcomeFollowsTheTable checks every move against rollout's state machine.
func TestOutcomeFollowsTheTable(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	for _, from := range []rollout.State{rollout.Running, rollout.OutOfSight} {
		for _, s := range plain.Steps {
			for _, since := range []time.Duration{0, 10 * time.Hour} {
				for _, kind := range []runbook.Kind{runbook.Done, runbook.Again, runbook.Failed, runbook.OutOfSight, runbook.Interrupted, runbook.Unknown} {
					w := atStep(s.Name, since, false)
					w.State = from
					to := after(w, plain, runbook.Outcome{Kind: kind}, noon).To
					if to != from && !reachable(from, to) {
						t.Errorf("%s at %s: %s leads from %s to %s, which the table does not have", kind, s.Name, since, from, to)
					}
				}
			}
		}
	}
}

// reachable reports whether one event, or a host that is seen again and then
// one event, leads there.
func reachable(from, to rollout.State) bool {
	for _, next := range rollout.UpgradeTable[from] {
		if next == to {
			return true
		}
		if from == rollout.OutOfSight && next == rollout.Running && reachable(rollout.Running, to) {
			return true
		}
	}
	return false
}

func TestSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	hide := secrets{"pa$$", ""}
	k := store.TickSave{Message: "said pa$$", Log: []string{"x pa$$ y\x00"}, Memory: map[string]string{"a": "pa$$"}, Facts: []store.Fact{{Value: []byte(`"pa$$"`)}}}
	hide.redactSave(&k)
	if k.Message != "said [redacted]" || k.Log[0] != "x [redacted] y\uFFFD" || k.Memory["a"] != "[redacted]" || string(k.Facts[0].Value) != `"[redacted]"` {
		t.Errorf("%+v", k)
	}
}
