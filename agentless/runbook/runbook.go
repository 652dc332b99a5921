// Package runbook is the ways to upgrade a server, as literal tables of steps.
// A step's Tick looks at the host, decides, does one bounded action and says
// what came out; it may be killed and repeated at any point. The package knows
// hosts (agentless/windows) and Exchange; it must not know the database, jobs
// or pages: what must be on record before an effect goes through Book.
package runbook

import (
	"context"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
	rules "wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
)

// Step is one row of a Table: its plain data and its function. Tick returns an
// error only for what is not the host's doing (a context that ended, a Book
// that refused); everything that a host answered is in the Outcome.
type Step struct {
	rollout.Step
	Tick func(ctx context.Context, w *Work) (Outcome, error)
}

// Table is one runbook: the steps in the order in which they run.
type Table struct {
	Name    string
	Version int
	Words   string
	Steps   []Step
	// Decisions are what a person may have done about an upgrade that waits for
	// him. They are never walked by themselves.
	Decisions []Step
}

// Plain returns the table without its functions: what plans hash and pages show.
func (t Table) Plain() rollout.Runbook {
	plain := rollout.Runbook{Name: t.Name, Version: t.Version, Words: t.Words}
	for _, s := range t.Steps {
		plain.Steps = append(plain.Steps, s.Step)
	}
	for _, s := range t.Decisions {
		plain.Decisions = append(plain.Decisions, s.Step)
	}
	return plain
}

// Step returns the step of that name.
func (t Table) Step(name string) (Step, bool) { return named(t.Steps, name) }

// Decision returns the decision step of that name.
func (t Table) Decision(name string) (Step, bool) { return named(t.Decisions, name) }

func named(steps []Step, name string) (Step, bool) {
	for _, s := range steps {
		if s.Name == name {
			return s, true
		}
	}
	return Step{}, false
}

// Package is what a runbook installs.
type Package struct {
	Name     string         // "SP1"
	Target   exchange.Build // what every role must be configured at afterwards
	Language string         // culture of the media, "en-US"; empty = not compared
	Arch     string         // "x64"; empty = not compared
}

// Media is where a package lies on the host.
type Media struct {
	Folder      string // C:\Wavekeeper\media\sp1-en-US-x64
	SetupSHA256 string // of setup.com there, lower-case hex
	Medium      Medium // what the folder has to hold and how it comes there; zero = as it lies there
}

// Account is the run-as account: the only one that may reach Active Directory.
type Account struct {
	Name     string // DOMAIN\account
	Password string
}

// Work is everything that a tick may use. Ledger and Markers, and what Book and
// an Outcome put on record, are those of Host alone.
type Work struct {
	Host         *windows.Host     // the host that the step works on
	Node         string            // its name in the inventory
	Nodes        []string          // every host of the server, in the order of their names
	Turn         string            // how names of steps of the same node end, "-1" on node-1; "" when the step is of no node
	Server       exchange.Server   // of a cluster its first clustered mailbox server by name
	Servers      []exchange.Server // all servers of the unit: the standalone one, or every clustered mailbox server, by name
	Package      Package           // of this step: the plan's second one in a step marked Second
	Then         Package           // the plan's second package; zero = there is none
	Media        Media             // of Package
	RunAs        Account
	Installation string // short id of this installation of Wavekeeper: part of every name on a host
	Upgrade      int64
	Run          int64 // of a run outside upgrades, whose Upgrade is 0
	Attempt      int
	Prepared     bool                             // the organization is recorded as prepared for the package
	Unwinding    bool                             // the attempt came to nothing: what it changed is put back
	Memory       map[string]string                // of this step; a tick changes it, the caller saves it after the tick
	Notes        map[string]map[string]string     // memory of the other steps of this upgrade, by step name; only read
	Policy       Policy                           // values that an organization may choose otherwise
	Waived       []string                         // rules that a person waived for this server, on the record
	Organization map[string]rules.Fact            // facts of the organization, by name
	Known        map[string]map[string]rules.Fact // facts of each host as they are kept, by host and name; what a step just learned is not among them
	Fleet        rules.Fleet                      // what rules want to know of the other servers; of steps whose name begins with preflight
	Ledger       []Entry                          // entries of this upgrade that are not put back
	Markers      []Marker                         // cleared on the host in this upgrade and not put back
	Book         Book
	Hooks        Hooks // nil = none is bound to any point
	Now          time.Time
	Away         time.Duration // how long nobody looked at this step until now, since Memory was begun; it only grows

	anew bool   // the same step of this host was walked before in this attempt
	read string // the task whose answer this very tick read
}

// taskName names a host task of this work.
func (w *Work) taskName(word string) string {
	if w.anew {
		word += "-again"
	}
	if w.second() {
		word += ofSecond
	}
	if w.Run != 0 {
		return windows.RunTaskName(w.Installation, w.Run, word, max(1, w.Attempt))
	}
	return windows.TaskName(w.Installation, w.Upgrade, word, w.Attempt)
}

// Policy holds the values of runbooks that an organization may choose otherwise;
// zero = the runbook's own.
type Policy struct {
	QueueLimit int           // messages in a transport's queues at which it counts as drained
	DrainFor   time.Duration // how long draining is waited for
	Rules      rules.Policy  // what rules of preflight compare with
}

// PolicyOf is the policy as steps take it: values that draining goes by, beside
// those of the rules.
func PolicyOf(p rules.Policy) Policy {
	return Policy{QueueLimit: p.Of(rules.DrainQueue), DrainFor: time.Duration(p.Of(rules.DrainMinutes)) * time.Minute, Rules: p}
}

// Book is what must be in the database before an effect may happen on a host.
type Book interface {
	// Intend checks the lease's epoch and writes an event. An error means: do not do it.
	Intend(ctx context.Context, what string) error
	// Change writes the state found before a change; the change follows. A second
	// Change of the same kind and name while one is open returns the open one's id
	// and keeps its Before, to which it adds the keys that Before does not have.
	Change(ctx context.Context, e Entry) (int64, error)
	// Restored closes an entry; deviation says what could not be put back exactly,
	// or is empty.
	Restored(ctx context.Context, id int64, deviation string) error
	// Cleared writes an Action or Watermark value as it is, before it is deleted.
	// While the same value of that name is on record as cleared it does nothing.
	Cleared(ctx context.Context, m Marker) error
	// PutBackMarker writes that a cleared value stands on the host again.
	PutBackMarker(ctx context.Context, m Marker) error
}

// Marker is an Action or Watermark value of a role key: Role is the key's name
// below v8.0, Kind as reg.exe says it, Value the text or a decimal number.
type Marker struct{ Role, Name, Kind, Value string }

// The kinds of ledger entries.
const (
	ServiceEntry    = "service"    // Name = the service; Before and Meant: state, start
	RevocationEntry = "revocation" // Name = run-as or S-1-5-18; Before: task, file, account, and value as soon as the task wrote it
)

// Entry is one thing that was changed for a while.
type Entry struct {
	ID            int64
	Kind, Name    string
	Before, Meant map[string]string
}

// Kind says how a tick ended.
type Kind string

// The kinds of outcome.
const (
	Done        Kind = "done"         // the step reached its goal
	Again       Kind = "again"        // come back after Outcome.After
	Failed      Kind = "failed"       // the step cannot reach its goal
	OutOfSight  Kind = "out-of-sight" // contact lost while a host task may run; come back after Outcome.After
	Interrupted Kind = "interrupted"  // the host says that something began and did not end; a person decides
	Unknown     Kind = "unknown"      // it cannot be said whether something ran; a person decides
)

// Severity weighs a finding.
type Severity = rules.Severity

// The severities. A pass is kept as evidence.
const (
	Blocker = rules.Blocker
	Warning = rules.Warning
	Info    = rules.Info
	Pass    = rules.Pass
)

// Finding is what one rule of preflight found.
type Finding = rules.Finding

// Fact is one thing learned about the host; Value is JSON-able.
type Fact = windows.Fact

// Outcome is what came out of a tick.
type Outcome struct {
	Kind     Kind
	After    time.Duration // of Again and OutOfSight
	Message  string        // for people, one sentence; of a host that did not answer, with the whole chain of errors
	Headline string        // of Again and OutOfSight: the message with its cause first, without the chain; empty = the message
	Remedy   string        // of Failed, Interrupted, Unknown: what a person can do
	Percent  int           // of the step, 0 to 100; 0 = not known
	Phase    string        // of Setup, "readiness"; of stage, "fetch"
	Log      []string      // new lines of the setup log, in order
	Findings []Finding     // of preflight: all findings, with its last tick
	Evidence []Evidence    // what the host was read to be, where that may be lost
	Facts    []Fact        // learned in this tick
	Build    string        // lowest build configured, when it was read
	Staged   *Staged       // of stage: how far the medium is
	Unheard  bool          // of Again: the host did not answer
	Barred   bool          // of Again: the host answers, and takes no command from us for a while; this time counts for no limit
	Answers  bool          // of OutOfSight: the host answers, and a Setup that runs on it is waited for

	troubled bool // Again, because the host did not do or did not answer what it was asked
	running  bool // Again, because Setup runs
}
