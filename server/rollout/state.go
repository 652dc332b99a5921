// Package rollout is what may happen next: ranks, tensions, waves, policy, the
// state machines and Next, the one place that decides. It is pure: no clock,
// context, log, disk, network or database; now is an argument.
package rollout

import "strings"

// State is where an upgrade, or one of its steps, stands.
type State string

// The ten states of an upgrade and of a step. Each says who moves it on.
const (
	Waiting     State = "waiting"      // not started; Next starts it
	Held        State = "held"         // could start but a reason holds it; Next starts it when the reason is gone
	Running     State = "running"      // its tick moves it on
	Paused      State = "paused"       // a person paused it; a person resumes it
	OutOfSight  State = "out-of-sight" // contact lost while a host task may run; its tick looks again until the hard limit
	Interrupted State = "interrupted"  // the host says that something began and did not end; a person decides
	Unknown     State = "unknown"      // it cannot be said whether something ran; a person decides
	Failed      State = "failed"       // ended without reaching its goal; a person retries or skips
	Skipped     State = "skipped"      // a person decided not to do it; never satisfies a successor
	Done        State = "done"         // verified at the target
)

// Words is the state as a sentence has it: "out of sight".
func (s State) Words() string { return strings.ReplaceAll(string(s), "-", " ") }

// PlanState is where a revision of a plan stands.
type PlanState string

// The states of a revision.
const (
	Draft      PlanState = "draft"      // its author edits by new revisions
	Submitted  PlanState = "submitted"  // frozen; a rollout exists; waves can be approved
	Rejected   PlanState = "rejected"   // an operator refused it with a reason
	Superseded PlanState = "superseded" // a newer revision took its place
)

// RolloutState is where a rollout stands.
type RolloutState string

// The states of a rollout.
const (
	RolloutWaiting RolloutState = "waiting" // no wave was approved yet
	RolloutRunning RolloutState = "running" // advance moves it on
	RolloutPaused  RolloutState = "paused"  // nothing starts until a person resumes it
	RolloutStopped RolloutState = "stopped" // nothing starts any more; what runs comes to its end
	RolloutDone    RolloutState = "done"    // every wave is done
)

// WaveState is where a wave stands.
type WaveState string

// The states of a wave.
const (
	WaveWaiting  WaveState = "waiting"  // not approved
	WaveApproved WaveState = "approved" // approved; opens when what precedes it is done
	WaveRunning  WaveState = "running"  // its servers may start
	WavePaused   WaveState = "paused"   // a person paused it
	WaveStopped  WaveState = "stopped"  // the failure threshold or a person stopped it
	WaveDone     WaveState = "done"     // every server is done or decided
)
