package rollout

import (
	"slices"
	"strings"
	"time"
)

// Runbook is the plain data of one way to upgrade one kind of server: what
// plans hash, pages show and jobs walk. The functions are in agentless/runbook.
type Runbook struct {
	Name    string // "standalone-service-pack"
	Version int
	Words   string
	Steps   []Step
	// Decisions are what a person may have done on a host about an upgrade that
	// waits for him: plain steps that are never walked by themselves.
	Decisions []Step
}

// Decision returns the decision step of that name.
func (b Runbook) Decision(name string) (Step, bool) {
	for _, s := range b.Decisions {
		if s.Name == name {
			return s, true
		}
	}
	return Step{}, false
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

	On     string // the host it works on, of a cluster: "node-1" as the step choose named it, "host-1" = the first by name; "" = the only host, or any that answers
	Hook   string // the point of the user's hook that it runs; its failure fails the server and does not count for the wave's threshold
	Second bool   // it works on the plan's second package
	Clock  Clock  // what the time of the step means to people; "" = nothing
}

// Turn is how the names of the steps of one node end: "-1" of a step on node-1,
// "" of a step that is of no node.
func (s Step) Turn() string {
	if _, n, ok := strings.Cut(s.On, "-"); ok {
		return "-" + n
	}
	return ""
}

// Clock marks a step whose time people ask about: what begins, begins with its
// start, and what ends, ends with its end.
type Clock string

// The marks. Downtime is the time in which people cannot reach their mailboxes;
// exposed is the time in which a cluster has no node to move to.
const (
	DowntimeBegins Clock = "downtime-begins"
	DowntimeEnds   Clock = "downtime-ends"
	ExposedBegins  Clock = "exposed-begins"
	ExposedEnds    Clock = "exposed-ends"
)

// Books finds a runbook by its name.
type Books interface {
	Book(name string) (Runbook, bool)
}

// Book makes one runbook the only one there is.
func (b Runbook) Book(name string) (Runbook, bool) { return b, b.Name == name }

// Step returns the step of that name, be it one of the table or a decision.
func (b Runbook) Step(name string) (Step, bool) {
	for _, s := range b.Steps {
		if s.Name == name {
			return s, true
		}
	}
	return b.Decision(name)
}

// RetryFrom names the step at which a new attempt begins after a failure. An
// attempt that may still come to a step without return begins with the first:
// what was asked and proven on the host may be a week old. Otherwise what an
// attempt changed for a while was put back at its end, so a step after the first
// one marked Undone begins there, and all others where they failed.
func RetryFrom(book Runbook, failed string) string {
	at := slices.IndexFunc(book.Steps, func(s Step) bool { return s.Name == failed })
	if at < 0 {
		return failed
	}
	from := at
	if undone := slices.IndexFunc(book.Steps, func(s Step) bool { return s.Undone }); undone >= 0 {
		from = min(from, undone)
	}
	if slices.ContainsFunc(book.Steps[from:], func(s Step) bool { return s.NoReturn }) {
		from = 0
	}
	return book.Steps[from].Name
}

// FirstPutBack names the first of the steps that put back what was changed for a
// while; false when the runbook has none.
func (b Runbook) FirstPutBack() (string, bool) {
	for _, s := range b.Steps {
		if s.PutBack {
			return s.Name, true
		}
	}
	return "", false
}
