package runbook

import (
	"time"

	"wavekeeper/server/rollout"
)

// CheckingTable is the name of the table that checks a host outside upgrades.
const CheckingTable = "checking"

// Checking returns the steps of a check: what the host is, what Exchange on it
// says, and what the rules say of both. Nothing is changed but the folders of its
// own tasks, which tidy takes away.
func Checking() Table {
	return Table{
		Name: CheckingTable, Version: 1, Words: "A host is checked without being upgraded",
		Steps: []Step{
			factsStep(),
			lookStep(),
			preflightStep(),
			tidyStep(),
		},
	}
}

func factsStep() Step {
	return Step{rollout.Step{
		Name: "facts", Words: "The host is asked what it is",
		Expected: 20 * time.Second, Soft: 2 * time.Minute, Hard: 15 * time.Minute, Silence: 5 * time.Minute,
		Repeatable: true,
	}, facts}
}

func preflightStep() Step {
	return Step{rollout.Step{
		Name: "preflight", Words: "Everything Setup needs is proven, with a canary task under the run-as account",
		Expected: time.Minute, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute,
		Repeatable: true,
	}, preflight}
}
