package runbook

import (
	"time"

	"wavekeeper/server/rollout"
)

// The decision steps: what a person may have done on a host about an upgrade
// that waits for him.
const (
	Look           = "look"
	ClearMarkers   = "clear-markers"
	RestoreMarkers = "restore-markers"
)

// decisions are the same for every kind of server. Each asks the host, does at
// most what its words say and leaves the steps of the upgrade as they were.
func decisions() []Step {
	return []Step{
		{rollout.Step{
			Name: Look, Words: "The host is asked how it stands, and the answers are kept",
			Expected: 10 * time.Second, Soft: time.Minute, Hard: 3 * time.Minute, Silence: 3 * time.Minute,
			Repeatable: true,
		}, lookAgain},
		{rollout.Step{
			Name: ClearMarkers, Words: "Action and Watermark of the roles are kept on record, then deleted",
			Expected: 20 * time.Second, Soft: 2 * time.Minute, Hard: 5 * time.Minute, Silence: 5 * time.Minute,
			Repeatable: true,
		}, clearMarkers},
		{rollout.Step{
			Name: RestoreMarkers, Words: "Action and Watermark that were deleted are put back as they were",
			Expected: 10 * time.Second, Soft: 2 * time.Minute, Hard: 5 * time.Minute, Silence: 5 * time.Minute,
			Repeatable: true,
		}, restoreMarkers},
	}
}
