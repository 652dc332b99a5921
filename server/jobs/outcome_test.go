package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
			st.Memory = watchedNow()
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
		{"done goes on to the next step", atStep("facts", 0, false), runbook.Outcome{Kind: runbook.Done}, rollout.Running, rollout.Done, "hook-announce", "hook-announce", false, true},
		{"again stays", atStep("setup", 0, false), runbook.Outcome{Kind: runbook.Again, After: time.Second}, rollout.Running, rollout.Running, "", "setup", false, true},
		{"the last step ends the upgrade", atStep(last, 0, false), runbook.Outcome{Kind: runbook.Done}, rollout.Done, rollout.Done, "", last, false, false},
		{"failed puts back first", atStep("setup", 0, false), runbook.Outcome{Kind: runbook.Failed, Message: "no"}, rollout.Running, rollout.Failed, "put-back", "put-back", true, true},
		{"put back goes on to tidy", atStep("put-back", 0, true), runbook.Outcome{Kind: runbook.Done}, rollout.Running, rollout.Done, "tidy", "tidy", true, true},
		{"tidy ends the failed attempt", atStep("tidy", 0, true), runbook.Outcome{Kind: runbook.Done}, rollout.Failed, rollout.Done, "", "setup", true, false},
		{"put-back that fails does not keep tidy from its turn", atStep("put-back", 0, false), runbook.Outcome{Kind: runbook.Failed, Message: "no"}, rollout.Running, rollout.Failed, "tidy", "tidy", true, true},
		{"tidy that keeps a folder ends the failed attempt", atStep("tidy", 0, true), runbook.Outcome{Kind: runbook.Failed, Message: "kept"}, rollout.Failed, rollout.Failed, "", "setup", true, false},
		{"put-back under a Setup that runs is no failure", atStep("put-back", 0, true), runbook.Outcome{Kind: runbook.OutOfSight}, rollout.OutOfSight, rollout.OutOfSight, "", "put-back", true, true},
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

// givenUp is an upgrade whose Setup was interrupted and that a person skipped.
func givenUp(name string) store.UpgradeWork {
	w := atStep(name, 0, true)
	w.Skipping, w.Message = true, "Skipped: no time"
	for i := range w.Steps {
		switch w.Steps[i].Name {
		case "setup":
			w.Steps[i].State = rollout.Interrupted
		case "verify":
			w.Steps[i].State = rollout.Waiting
		}
	}
	return w
}

func TestSkippedIsWhatIsPutBack(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	left := givenUp("tidy")
	left.Ledger = []store.LedgerEntry{{ID: 1, Kind: "service", Name: "X"}}
	failed := givenUp("tidy")
	for i := range failed.Steps {
		if failed.Steps[i].Name == "put-back" {
			failed.Steps[i].State = rollout.Failed
		}
	}
	failed.Message = "Not skipped, since not everything is put back: no answer"
	for _, c := range []struct {
		name    string
		work    store.UpgradeWork
		kind    runbook.Kind
		to      rollout.State
		next    string
		message string
	}{
		{"put back goes on to tidy", givenUp("put-back"), runbook.Done, rollout.Running, "tidy", "Skipped: no time"},
		{"put-back that fails goes on to tidy", givenUp("put-back"), runbook.Failed, rollout.Running, "tidy", "Not skipped, since not everything is put back: no answer"},
		{"tidy ends as skipped", givenUp("tidy"), runbook.Done, rollout.Skipped, "", "Skipped: no time"},
		{"tidy that fails does not", givenUp("tidy"), runbook.Failed, rollout.Failed, "", "Not skipped, since not everything is put back: no answer"},
		{"nor does tidy after a put-back that failed", failed, runbook.Done, rollout.Failed, "", failed.Message},
		{"nor does an open ledger", left, runbook.Done, rollout.Failed, "", notSkipped},
	} {
		got := after(c.work, plain, runbook.Outcome{Kind: c.kind, Message: "no answer"}, noon)
		if got.To != c.to || got.Next != c.next || got.Message != c.message {
			t.Errorf("%s: upgrade %s, next %q, %q, want %s, %q, %q", c.name, got.To, got.Next, got.Message, c.to, c.next, c.message)
		}
		if c.next == "" && got.Show != "setup" {
			t.Errorf("%s: the row shows %q, want setup, where it was given up", c.name, got.Show)
		}
	}
}

// TestRefusalDoesNotFailSetup: a rule of ours that keeps us from a host says
// nothing of what runs there.
func TestRefusalDoesNotFailSetup(t *testing.T) {
	t.Parallel()
	table := runbook.Standalone()
	refused := runbook.Outcome{Kind: runbook.Failed, Message: "outside the profile's ranges", Remedy: "Correct it."}
	for _, s := range table.Steps {
		got := outOfReach(s.Step, refused)
		want := runbook.Failed
		if !s.Repeatable {
			want = runbook.OutOfSight
		}
		if got.Kind != want || got.Remedy != refused.Remedy {
			t.Errorf("%s: a refusal is %s, want %s", s.Name, got.Kind, want)
		}
	}
	plain := table.Plain()
	setup, _ := table.Step("setup")
	if save := after(atStep("setup", time.Hour, false), plain, outOfReach(setup.Step, refused), noon); save.To != rollout.OutOfSight || save.Unwinding || save.DueAt.IsZero() {
		t.Errorf("Setup after a refusal: %s, unwinding %v, due %v, want out of sight", save.To, save.Unwinding, save.DueAt)
	}
	if save := after(atStep("setup", 7*time.Hour, false), plain, outOfReach(setup.Step, refused), noon); save.To != rollout.Unknown {
		t.Errorf("Setup after a refusal beyond its limit: %s, want unknown", save.To)
	}
}

// TestBookThatRefuses: a tick that was overtaken ends, one whose record could
// not be written comes back and shows nothing of the database's words.
func TestBookThatRefuses(t *testing.T) {
	t.Parallel()
	for _, err := range []error{store.ErrLeaseLost, store.ErrOvertaken, context.Canceled} {
		if out, got := unrecorded(fmt.Errorf("intend: %w", err)); !errors.Is(got, err) || out.Kind != "" {
			t.Errorf("%v: %+v, %v, want the error", err, out, got)
		}
	}
	out, err := unrecorded(errors.New("intend: ERROR: deadlock detected (SQLSTATE 40P01)"))
	if err != nil || out.Kind != runbook.Again || out.After != errorPause || strings.Contains(out.Message, "SQLSTATE") || out.Message == "" {
		t.Errorf("%+v, %v, want to come back, in words", out, err)
	}
}

func TestUpgradeOfTask(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int64{"wk-0a1b2c3d-u17-setup-a1": 17, "wk-0a1b2c3d-u17": 0, "wk-ffffffff-u17-setup-a1": 0, "wk-0a1b2c3d-ux-setup": 0, "backup": 0} {
		if got, ok := upgradeOfTask("0a1b2c3d", name); ok != (want != 0) || ok && got != want {
			t.Errorf("upgradeOfTask(%s) = %d, %v, want %d", name, got, ok, want)
		}
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
					if rollout.Ticked(from, to) != nil {
						t.Errorf("%s at %s: %s leads from %s to %s, which the table does not have", kind, s.Name, since, from, to)
					}
				}
			}
		}
	}
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
