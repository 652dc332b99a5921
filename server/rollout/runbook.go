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
	PutBack    bool          // true: ends every attempt, whatever its outcome, by putting back what was changed for a while
	Undone     bool          // true: changes something for a while that the PutBack steps put back, so a retry of a later step begins here
}

// RetryFrom names the step at which a new attempt begins after a failure. What
// an attempt changed for a while was put back at its end, so steps that need it
// again are walked again: from the first step marked Undone, or, where none is
// marked, from the last step before the one that cannot be repeated. A failure
// before that is retried where it was.
func RetryFrom(book Runbook, failed string) string {
	from := -1
	for i, s := range book.Steps {
		if s.Undone {
			from = i
			break
		}
	}
	for i := 1; i < len(book.Steps) && from < 0; i++ {
		if !book.Steps[i].Repeatable && book.Steps[i-1].Repeatable {
			from = i - 1
		}
	}
	for i, s := range book.Steps {
		if i == from {
			return s.Name
		}
		if s.Name == failed {
			return failed
		}
	}
	return failed
}
