package rollout

import (
	"slices"
	"strings"
)

// The steps that a person's decision begins. They are among a runbook's
// Decisions and never walked by themselves.
const (
	DecideLook  = "look"            // the host is asked now, and what it says is kept
	DecideClear = "clear-markers"   // Action and Watermark are deleted, after their old values were kept
	DecideUndo  = "restore-markers" // what was deleted is put back
)

// DecideDoubt is the decision to wait no longer for what is out of sight. It has
// no step: nothing is done on the host.
const DecideDoubt = "doubt"

// VerifyStep is the step with which an attempt begins when a person says that
// the server was repaired by hand.
const VerifyStep = "verify"

// Verifying is the step that verifies the whole server: named VerifyStep, else the
// one named after what it verifies ("rollup-verify"). False where the runbook has none.
func (b Runbook) Verifying() (string, bool) {
	last := ""
	for _, s := range b.Steps {
		if s.Name == VerifyStep {
			return s.Name, true
		}
		if strings.HasSuffix(s.Name, "-"+VerifyStep) {
			last = s.Name
		}
	}
	return last, last != ""
}

// DecisionTable says in which states a decision can be made. What is not here
// is refused.
var DecisionTable = map[string][]State{
	DecideLook:  {OutOfSight, Interrupted, Unknown},
	DecideClear: {Interrupted, Unknown, Failed},
	DecideUndo:  {Interrupted, Unknown, Failed},
}

// MayDecide reports whether the decision can be made about an upgrade in this state.
func (s State) MayDecide(decision string) bool {
	return slices.Contains(DecisionTable[decision], s) && UpgradeTable.Allows(s, Decide)
}

// MayDoubt reports whether a person can count an upgrade in this state as
// unknown: one that is out of sight, which else only its hard limit does.
func (s State) MayDoubt() bool { return s == OutOfSight && UpgradeTable.Allows(s, Doubt) }

// MayVerify reports whether a person can say of an upgrade in this state that
// it was repaired.
func (s State) MayVerify() bool { return UpgradeTable.Allows(s, Repair) }

// Returns says where an upgrade is when the decision step has ended: where it
// was, but what is unknown goes on with its step once it was looked at again.
func (s State) Returns(decision string) State {
	if s == Unknown && decision == DecideLook {
		return UpgradeTable[Unknown][SeeAgain]
	}
	return s
}
