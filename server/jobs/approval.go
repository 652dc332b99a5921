package jobs

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/runbook"
)

// unapproved is how long a server waits, third-party services stopped, for an
// approval that fits what would run; then what was stopped is started again.
const unapproved = 30 * time.Minute

// What notApproved remembers for the step.
const unapprovedSince = "unapproved"

// notApproved is a step without return whose approval does not fit what would
// run now. It waits in its place for a while; then it fails, so that what was
// changed for it is put back. What was told to run already is never given up
// so: it is waited for.
func notApproved(work *prepared, err error) runbook.Outcome {
	out := runbook.Outcome{
		Kind: runbook.Again, After: refusedPause, Message: "Not begun: " + err.Error(),
		Remedy: "Approve the wave again, or change back what changed.",
	}
	for key := range work.Memory {
		if strings.HasSuffix(key, ".runs") {
			return out
		}
	}
	since, parse := strconv.ParseInt(work.Memory[unapprovedSince], 10, 64)
	if parse != nil {
		since = work.Now.Unix()
		work.Memory[unapprovedSince] = strconv.FormatInt(since, 10)
	}
	until := time.Unix(since, 0).Add(unapproved)
	if work.Now.After(until) {
		out.Kind, out.After = runbook.Failed, 0
		out.Message = fmt.Sprintf("Not begun within %s, and what was stopped for it is started again: %v", spoken(unapproved), err)
		out.Remedy = "Approve the wave again, or change back what changed; then run again."
		return out
	}
	out.Message += fmt.Sprintf(". The services that were stopped for it stay stopped until %s UTC, then they are put back", until.UTC().Format("15:04"))
	return out
}
