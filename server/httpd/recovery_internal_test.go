package httpd

import (
	"slices"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestAHostThatCameBackAnewIsARecovery: what the step remembers leads to the page,
// no word of a message does.
func TestAHostThatCameBackAnewIsARecovery(t *testing.T) {
	t.Parallel()
	if restartedNote != runbook.RestartedNote {
		t.Fatalf("the note is %q here and %q where it is made", restartedNote, runbook.RestartedNote)
	}
	s := &server{Options: Options{Runbooks: books{}, Now: time.Now}}
	for _, restarted := range []bool{false, true} {
		memory := map[string]string{}
		if restarted {
			memory[runbook.RestartedNote] = "yes"
		}
		tr := trouble{state: rollout.Interrupted}
		tr.Step, tr.Runbook = "setup", "alone"
		tr.Steps = []store.StepWork{{Name: "setup", Memory: memory}}
		found := slices.ContainsFunc(s.distressOf(tr).Recover(), func(r exchange.Recovery) bool { return r.Name == "host-gone" })
		if found != restarted {
			t.Errorf("restarted %t: the recovery of a host that came back is named: %t", restarted, found)
		}
	}
}
