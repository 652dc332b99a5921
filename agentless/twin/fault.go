package twin

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Fault is one declared fault of one host: what goes wrong, when it begins and
// how often. FAULTS.md describes the file, each name, and what a coordinator
// should end as. It is not a SOAP fault.
type Fault struct {
	Host string // a host's name, or * for every host
	Name string // of FaultNames

	// Step is the runbook's step in which it begins, one of FaultSteps; empty = any. The twin
	// infers the step from what is asked of the host: see Fleet.Step.
	Step string

	// At says when in that step, in words: "phase:N" when Exchange Setup is in
	// the middle of its phase N (1 to 9), "request:N" at the Nth request of the
	// step, "answer:N" the same, but the host carries the request out and only
	// its answer is hit; "service:NAME" which service; "drop" for identify-only,
	// "silent" for address-lost, "operations" or "users" for quota-full.
	// Empty = at once.
	At string

	Times  int           // how often; 0 is once
	Lasts  time.Duration // how long each time, divided by the fleet's speed; 0 is the fault's own default
	Offset time.Duration // of clock-off; 0 is three hours ahead
}

// forGood is how long a fault lasts that nobody mends.
const forGood = time.Duration(math.MaxInt64)

// wayOf is where a fault takes hold.
type wayOf int

const (
	onWire   wayOf = iota // of a request or its answer
	onHost                // changes the machine when it begins
	onAction              // waits for what the machine does: a service stops, a task starts
)

// faultKind is what one name means.
type faultKind struct {
	name  string
	way   wayOf
	lasts time.Duration // the default; 0 on the wire = one request
	phase int           // of Setup at which it begins when the step is setup and At is empty; 0 = at once
	words []string      // what At may hold
}

// wireWords are the words of At for faults of the wire.
var wireWords = []string{"phase", "request", "answer"}

// bareWords are the words of At that take no value.
var bareWords = []string{"drop", "silent", "operations", "users", "unanswered", "empty", "junction"}

var hostWords = []string{"phase", "request"}

// treeWords are the words of At for what happens to an unpacked package.
var treeWords = []string{"request", "file"}

// faultKinds are the declared faults, in the order of FAULTS.md.
var faultKinds = []faultKind{
	{"connection-reset", onWire, 0, 0, wireWords},
	{"hang", onWire, 0, 0, wireWords},
	{"slow-link", onWire, 10 * time.Minute, 0, wireWords},
	{"unauthorized", onWire, 0, 0, wireWords},
	{"garbage-xml", onWire, 0, 0, wireWords},
	{"oversized-xml", onWire, 0, 0, wireWords},
	{"identify-only", onWire, 5 * time.Minute, 0, []string{"phase", "request", "drop"}},
	{"service-will-not-stop", onAction, forGood, 0, []string{"service"}},
	{"service-comes-back", onAction, 0, 0, []string{"service"}},
	{"setup-fails", onHost, 0, 7, []string{"phase"}},
	{"power-loss", onHost, bootLasts, 7, hostWords},
	{"disk-full", onHost, time.Hour, 2, hostWords},
	{"slow-restart", onHost, 40 * time.Minute, 0, hostWords},
	{"address-lost", onHost, time.Hour, 0, []string{"phase", "request", "silent"}},
	{"wmi-stopped", onHost, forGood, 0, hostWords},
	{"wmi-hangs", onHost, 10 * time.Minute, 0, []string{"phase", "request", "unanswered"}},
	{"wmi-damaged", onHost, forGood, 0, []string{"phase", "request", "empty"}},
	{"clock-off", onHost, forGood, 0, hostWords},
	{"clock-past-triggers", onAction, 0, 0, nil},
	{"runas-locked", onAction, 30 * time.Minute, 0, nil},
	{"runas-no-batch-right", onAction, forGood, 0, nil},
	{"credentials-storage-forbidden", onAction, forGood, 0, nil},
	{"planted-folder", onAction, 0, 0, []string{"junction"}},
	{"revocation-unreachable", onAction, forGood, 0, nil},
	{"foreign-setup", onHost, time.Hour, 0, hostWords},
	{"um-pack-stays", onAction, 0, 0, nil},
	{"um-stays-disabled", onAction, 0, 0, nil},
	{"transport-does-not-pause", onAction, forGood, 0, nil},
	{"queue-stays", onAction, forGood, 0, nil},
	{"settings-unreadable", onAction, forGood, 0, nil},
	{"settings-do-not-stay", onAction, forGood, 0, nil},
	{"forefront-stays", onAction, 0, 0, nil},
	{"firewall-cuts-off", onAction, forGood, 0, nil},
	{"service-stays-stopped", onAction, forGood, 0, []string{"service"}},
	{"service-times-out", onAction, 0, 0, []string{"service"}},
	{"media-cut", onAction, 0, 0, nil},
	{"media-changed", onAction, 0, 0, nil},
	{"media-away", onAction, 10 * time.Minute, 0, nil},
	{"media-truncated", onHost, bootLasts, 0, hostWords},
	{"tree-changed", onHost, 0, 0, treeWords},
	{"tree-extra", onHost, 0, 0, treeWords},
	{"fips-policy", onAction, forGood, 0, nil},
	{"login-dropped", onAction, 0, 0, nil},
	{"login-forgotten", onWire, 0, 0, wireWords},
	{"unsealed-answer", onWire, 0, 0, wireWords},
	{"no-sealing", onAction, forGood, 0, nil},
	{"ticket-refused", onAction, forGood, 0, nil},
	{"certificate-changed", onHost, forGood, 0, hostWords},
	{"tls-1.0-only", onAction, forGood, 0, nil},
	{"quota-full", onHost, 10 * time.Minute, 0, []string{"phase", "request", "operations", "users"}},
	{"small-envelope", onHost, forGood, 0, hostWords},
	{"rollup-fails", onAction, 0, 0, nil},
	{"cached-patch-lost", onAction, 0, 0, nil},
	{"installer-busy", onAction, 0, 0, nil},
	{"services-left-disabled", onAction, 0, 0, nil},
	{"cms-move-refused", onAction, 0, 0, nil},
	{"cms-stays-offline", onAction, 0, 0, nil},
	{"copy-suspended", onAction, time.Hour, 0, nil},
	{"upgrade-cms-power-loss", onAction, 0, 0, nil},
	{"dc-unreachable", onAction, time.Hour, 0, []string{"controller"}},
	{"replication-held", onAction, time.Hour, 0, []string{"controller"}},
}

// faultSteps are the runbook's steps that the twin can tell apart.
var faultSteps = []string{
	stepFacts, stepStage, stepInspect, stepPreflight, stepRecord, stepDrainUM, stepDrainTransport, stepUMOut, stepStopServices, stepForefront,
	stepFirewall, stepSetup, stepRestart, stepVerify, stepUMIn, stepSettingsBack, stepServicesBack, stepFunctional, stepUndrain, stepPutBack, stepTidy,
}

// FaultNames lists the names of the faults that can be declared.
func FaultNames() []string {
	names := make([]string, len(faultKinds))
	for i, k := range faultKinds {
		names[i] = k.name
	}
	return names
}

// FaultSteps lists the steps in which a fault can begin.
func FaultSteps() []string { return slices.Clone(faultSteps) }

// kindOf finds what a name means.
func kindOf(name string) (faultKind, bool) {
	i := slices.IndexFunc(faultKinds, func(k faultKind) bool { return k.name == name })
	if i < 0 {
		return faultKind{}, false
	}
	return faultKinds[i], true
}

// moment is At taken apart.
type moment struct {
	phase   int
	request int // 1 = the first
	answer  bool
	service string
	drop    bool
	silent  bool
	file    string // how the path of the file ends that is hit

	controller string // the domain controller that is hit

	operations, users bool // what of quota-full
	unanswered        bool // of wmi-hangs: without a fault in the end
	empty             bool // of wmi-damaged: no object instead of a fault
	junction          bool // of planted-folder: to a folder that is as ours are
}

// maxPhase is the number of Setup's phases (domain.md 2.7).
const maxPhase = 9

// moment reads At; an error names what is not known and what is nearest.
func (f Fault) moment() (moment, error) {
	var m moment
	k, ok := kindOf(f.Name)
	if !ok {
		return m, fmt.Errorf("unknown fault %q%s", f.Name, hint(f.Name, FaultNames()))
	}
	for _, word := range strings.Fields(f.At) {
		name, value, valued := strings.Cut(word, ":")
		if !slices.Contains(k.words, name) {
			return m, fmt.Errorf("%s: at %q cannot be used%s", f.Name, word, hint(name, k.words))
		}
		n := atoi(value)
		switch {
		case valued == slices.Contains(bareWords, name), (name == "service" || name == "file" || name == "controller") && value == "":
			return m, fmt.Errorf("%s: at %q: phase:N, request:N, answer:N, service:NAME, %s is wanted", f.Name, word, strings.Join(bareWords, " or "))
		case name == "service":
			m.service = value
		case name == "file":
			m.file = value
		case name == "controller":
			m.controller = value
		case name == "drop":
			m.drop = true
		case name == "silent":
			m.silent = true
		case name == "unanswered":
			m.unanswered = true
		case name == "empty":
			m.empty = true
		case name == "junction":
			m.junction = true
		case name == "operations":
			m.operations = true
		case name == "users":
			m.users = true
		case n < 1 || name == "phase" && n > maxPhase:
			return m, fmt.Errorf("%s: at %q: phases are 1 to %d, requests count from 1", f.Name, word, maxPhase)
		case name == "phase":
			m.phase = n
		default:
			m.request, m.answer = n, name == "answer"
		}
	}
	if m.phase > 0 && (m.request > 0 || f.Step != "" && f.Step != stepSetup) {
		return m, fmt.Errorf("%s: at %q: a phase is in step setup, and stands without a request", f.Name, f.At)
	}
	if m.phase == 0 && m.request == 0 && (f.Step == stepSetup || f.Name == "setup-fails") {
		m.phase = k.phase
	}
	return m, nil
}

// check reports what is wrong with a fault, but for its host.
func (f Fault) check() error {
	if _, err := f.moment(); err != nil {
		return err
	}
	switch {
	case f.Step != "" && !slices.Contains(faultSteps, f.Step):
		return fmt.Errorf("%s: unknown step %q%s", f.Name, f.Step, hint(f.Step, faultSteps))
	case f.Name == "setup-fails" && f.Step != "" && f.Step != stepSetup:
		return fmt.Errorf("setup-fails: step %q: Setup runs in step setup", f.Step)
	case f.Times < 0 || f.Lasts < 0:
		return fmt.Errorf("%s: times and lasts cannot be negative", f.Name)
	case f.Offset != 0 && f.Name != "clock-off":
		return fmt.Errorf("%s: offset belongs to clock-off", f.Name)
	}
	return nil
}

// String is for messages and the journal.
func (f Fault) String() string {
	text := f.Name + " on " + f.Host
	if f.Step != "" {
		text += " in " + f.Step
	}
	if f.At != "" {
		text += " at " + f.At
	}
	return text
}
