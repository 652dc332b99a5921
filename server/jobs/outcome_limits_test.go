package jobs

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// ago is a moment before noon.
func ago(d time.Duration) *time.Time {
	t := noon.Add(-d)
	return &t
}

func setStep(w store.UpgradeWork, name string, change func(*store.StepWork)) store.UpgradeWork {
	for i := range w.Steps {
		if w.Steps[i].Name == name {
			change(&w.Steps[i])
		}
	}
	return w
}

// TestLimitsSpeakOnce: what takes long or is silent is said once and interrupts
// nothing.
func TestLimitsSpeakOnce(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	setup := func(since time.Duration, change func(*store.UpgradeWork, *store.StepWork)) store.UpgradeWork {
		w := atStep("setup", since, false)
		w.OutputAt = ago(time.Minute)
		return setStep(w, "setup", func(s *store.StepWork) {
			if change != nil {
				change(&w, s)
			}
		})
	}
	silent := setup(100*time.Minute, nil)
	silent.OutputAt = ago(95 * time.Minute)
	toldSilent := setStep(silent, "facts", func(*store.StepWork) {})
	toldSilent.Steps = append([]store.StepWork{}, silent.Steps...)
	toldSilent = setStep(toldSilent, "setup", func(s *store.StepWork) { s.SilentAt = ago(time.Minute) })
	again := runbook.Outcome{Kind: runbook.Again, Message: "Setup runs"}
	for _, c := range []struct {
		name         string
		work         store.UpgradeWork
		out          runbook.Outcome
		soft, silent bool
		output       bool
		to           rollout.State
	}{
		{"in time", setup(time.Hour, nil), again, false, false, false, rollout.Running},
		{"longer than expected", setup(3*time.Hour, nil), again, true, false, false, rollout.Running},
		{"said already", setup(3*time.Hour, func(_ *store.UpgradeWork, s *store.StepWork) { s.SoftAt = ago(time.Hour) }), again, false, false, false, rollout.Running},
		{"counted from the look", setup(3*time.Hour, func(_ *store.UpgradeWork, s *store.StepWork) { s.LimitsFrom = ago(time.Minute) }), again, false, false, false, rollout.Running},
		{"silent", silent, again, false, true, false, rollout.Running},
		{"silent, said already", toldSilent, again, false, false, false, rollout.Running},
		{"a line ends the silence", silent, runbook.Outcome{Kind: runbook.Again, Log: []string{"x"}}, false, false, true, rollout.Running},
		{"out of sight is not silent", silent, runbook.Outcome{Kind: runbook.OutOfSight}, false, false, false, rollout.OutOfSight},
		{"a host that does not answer is not silent", silent, runbook.Outcome{Kind: runbook.Again, Unheard: true}, false, false, false, rollout.Running},
		{"beyond the hard limit", setup(7*time.Hour, nil), again, true, false, false, rollout.Unknown},
		{"the hard limit counts from the look", setup(7*time.Hour, func(_ *store.UpgradeWork, s *store.StepWork) { s.LimitsFrom = ago(time.Hour) }), again, false, false, false, rollout.Running},
	} {
		got := after(c.work, plain, c.out, noon)
		if got.Soft != c.soft || got.Silent != c.silent || got.Output != c.output || got.To != c.to {
			t.Errorf("%s: soft %v, silent %v, output %v, %s; want %v, %v, %v, %s", c.name, got.Soft, got.Silent, got.Output, got.To, c.soft, c.silent, c.output, c.to)
		}
		said := 0
		for _, e := range got.Events {
			if strings.Contains(e.Text, "takes longer") || strings.Contains(e.Text, "nothing new") {
				said++
			}
		}
		if want := map[bool]int{true: 1}[c.soft] + map[bool]int{true: 1}[c.silent]; said != want {
			t.Errorf("%s: %d events of limits, want %d: %+v", c.name, said, want, got.Events)
		}
	}
}

// TestOutOfSightSaysWhatIsKnown: since when, what is safe, what a person can do.
func TestOutOfSightSaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	w := atStep("setup", time.Hour, false)
	w.HeardAt = ago(20 * time.Minute)
	got := after(w, plain, runbook.Outcome{Kind: runbook.OutOfSight, Message: "no answer"}, noon)
	if !strings.Contains(got.Message, "since 2010-01-01 11:40 UTC") || !strings.Contains(got.Message, "no answer") || !strings.Contains(got.Remedy, "nothing is done to it") || !strings.Contains(got.Remedy, "6 h") {
		t.Errorf("%q, %q", got.Message, got.Remedy)
	}
	if got.Heard {
		t.Error("nothing was heard")
	}
	if text := got.Events[len(got.Events)-1].Text; !strings.HasSuffix(text, " is out of sight") {
		t.Errorf("the event says %q", text)
	}
	over := after(atStep("setup", 7*time.Hour, false), plain, runbook.Outcome{Kind: runbook.OutOfSight, Message: "no answer"}, noon)
	if over.To != rollout.Unknown || over.Remedy == "" || !strings.Contains(over.Message, "6 h") {
		t.Errorf("beyond the limit: %s: %q, %q", over.To, over.Message, over.Remedy)
	}
}

// TestWhatIsLateHasARemedy: a step that comes to no end says what to do.
func TestWhatIsLateHasARemedy(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	for _, s := range plain.Steps {
		got := after(atStep(s.Name, 8*time.Hour, false), plain, runbook.Outcome{Kind: runbook.Again, Message: "no answer"}, noon)
		if got.Remedy == "" || !strings.Contains(got.Message, "no answer") {
			t.Errorf("%s: %q, %q", s.Name, got.Message, got.Remedy)
		}
	}
}

// deciding is an upgrade about which a decision is at work.
func deciding(from, returns rollout.State, decision string, since time.Duration) store.UpgradeWork {
	w := atStep("setup", 10*time.Hour, from == rollout.Failed)
	w.State, w.Decision, w.Returns = rollout.Running, decision, returns
	w.Message, w.Remedy, w.Percent = "Setup began and ended without a result", "Decide.", 40
	if from == rollout.OutOfSight {
		w.State = rollout.OutOfSight
	}
	w = setStep(w, "setup", func(s *store.StepWork) { s.State = from })
	w.Steps = append(w.Steps, store.StepWork{Position: 101, Name: decision, Attempt: 1, State: rollout.Running, StartedAt: ago(since), Memory: watchedNow()})
	return w
}

// TestADecisionEndsWhereItBegan: whatever comes of it, the steps of the upgrade
// are not touched, and the upgrade goes where it is meant to.
func TestADecisionEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	for _, from := range []rollout.State{rollout.Interrupted, rollout.Unknown, rollout.Failed} {
		for _, kind := range []runbook.Kind{runbook.Done, runbook.Failed, runbook.Interrupted, runbook.Unknown, "?"} {
			got := after(deciding(from, from, runbook.ClearMarkers, 0), plain, runbook.Outcome{Kind: kind, Message: "so it is"}, noon)
			want := rollout.Failed
			if kind == runbook.Done {
				want = rollout.Done
			}
			if got.To != from || !got.Decided || got.Step != runbook.ClearMarkers || got.StepTo != want || got.Show != "setup" || !got.DueAt.IsZero() || got.Percent != 40 {
				t.Errorf("%s, %s: %+v", from, kind, got)
			}
			if rollout.Ticked(got.From, got.To) != nil || rollout.Ticked(got.StepFrom, got.StepTo) != nil {
				t.Errorf("%s, %s: %s to %s is not in the table", from, kind, got.From, got.To)
			}
			if kind != "?" && got.Message != "so it is" {
				t.Errorf("%s, %s: message %q", from, kind, got.Message)
			}
			if got.Remedy == "" {
				t.Errorf("%s, %s: no remedy is left", from, kind)
			}
		}
	}
	again := after(deciding(rollout.Interrupted, rollout.Interrupted, runbook.Look, 0), plain, runbook.Outcome{Kind: runbook.Again, After: time.Second, Message: "no answer"}, noon)
	if again.To != rollout.Running || again.Decided || again.DueAt.IsZero() || again.Message != "Setup began and ended without a result" || again.StepMessage != "no answer" {
		t.Errorf("again: %+v", again)
	}
	late := after(deciding(rollout.Interrupted, rollout.Interrupted, runbook.Look, time.Hour), plain, runbook.Outcome{Kind: runbook.Again, Message: "no answer"}, noon)
	if late.To != rollout.Interrupted || !late.Decided || !strings.Contains(late.Message, "no answer") {
		t.Errorf("late: %+v", late)
	}
	goes := after(deciding(rollout.Running, rollout.Running, runbook.Look, 0), plain, runbook.Outcome{Kind: runbook.Done, Message: "nothing runs"}, noon)
	if goes.To != rollout.Running || !goes.Decided || goes.DueAt.IsZero() {
		t.Errorf("after a look the step does not go on: %+v", goes)
	}
}

// TestAStaleApprovalDoesNotKeepServicesStoppedForEver: it waits in its place for
// a while, says until when, then gives up, unless Setup was told to run.
func TestAStaleApprovalDoesNotKeepServicesStoppedForEver(t *testing.T) {
	t.Parallel()
	work := &prepared{}
	work.Memory, work.Now = map[string]string{}, noon
	out := notApproved(work, errors.New("the folder changed"))
	if out.Kind != runbook.Again || !strings.Contains(out.Message, "12:30 UTC") || out.Remedy == "" {
		t.Errorf("at first: %+v", out)
	}
	work.Now = noon.Add(31 * time.Minute)
	if out = notApproved(work, errors.New("the folder changed")); out.Kind != runbook.Failed || out.Remedy == "" {
		t.Errorf("after half an hour: %+v", out)
	}
	work.Memory["wk-x-u1-setup-a1.runs"] = "1"
	if out = notApproved(work, errors.New("the folder changed")); out.Kind != runbook.Again {
		t.Errorf("after Setup was told to run: %+v", out)
	}
}

func TestSecretsAreRedactedFromEvidence(t *testing.T) {
	t.Parallel()
	wide := []byte{'p', 0, 'a', 0, '$', 0, '$', 0, 0xff}
	k := store.TickSave{Evidence: []store.Evidence{{Name: "a pa$$", Data: []byte("\xffx pa$$ y")}, {Data: wide}}}
	secrets{"pa$$"}.redactSave(&k)
	if k.Evidence[0].Name != "a [redacted]" || string(k.Evidence[0].Data) != "\xffx [redacted] y" || string(k.Evidence[1].Data) != "[redacted]\xff" {
		t.Errorf("%q", k.Evidence)
	}
}
