package preflight

import "time"

// Severity weighs a finding.
type Severity string

// The severities, the gravest first. A pass is kept as evidence.
const (
	Blocker Severity = "blocker"
	Warning Severity = "warning"
	Info    Severity = "info"
	Pass    Severity = "pass"
)

// Finding is what one rule found.
type Finding struct {
	Rule     string // stable name, "dotnet20-sp1"
	Severity Severity
	Text     string    // what was found, for people
	Evidence string    // the values it rests on
	Remedy   string    // what to do; empty for a pass
	Source   string    // where the rule comes from
	Unknown  bool      // what the rule needs could not be read
	Waivable bool      // a person may accept it, with a reason and an end
	Waived   bool      // a person did: it does not block
	Fix      string    // name of a safe and reversible repair; "" = none
	At       time.Time // the oldest of the facts that it rests on; zero = none
}

// Blocks reports whether the finding keeps the work from starting.
func (f Finding) Blocks() bool { return f.Severity == Blocker && !f.Waived }

// Change is one difference between two judgements of a host.
type Change struct {
	Rule   string
	Before *Finding // nil = the rule was not judged then
	After  *Finding // nil = the rule is not judged any more
}
