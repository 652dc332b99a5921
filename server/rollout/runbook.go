package rollout

import "time"

// Runbook is the plain data of one way to upgrade one kind of server: what
// plans hash, pages show and jobs walk. The functions are in agentless/runbook.
type Runbook struct {
	Name    string // "standalone-service-pack"
	Version int
	Words   string
	Steps   []Step
}

// Step is one step of a runbook as plain data.
type Step struct {
	Name       string        // "setup"; unique in its runbook
	Words      string        // "Exchange Setup runs as a host task"
	Expected   time.Duration // how long it usually takes
	Soft       time.Duration // after this the page says that it takes long
	Hard       time.Duration // after this the step fails or, with a host task in flight, a person decides
	Silence    time.Duration // quiet for longer than this is said on the page
	Repeatable bool          // false: never started twice in one attempt, never cut short
	NoReturn   bool          // true: from here on the server cannot go back
	PutBack    bool          // true: what it changed is put back at the end of any attempt, so a retry begins here at the latest
}
