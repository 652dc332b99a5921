package rollout

// Event is what moves an upgrade or a step from one state to the next.
type Event string

// The events of upgrades and steps.
const (
	Start     Event = "start"     // Next lets it begin, or the upgrade reaches the step
	Hold      Event = "hold"      // Next found a reason not to start it
	Finish    Event = "finish"    // verified at its goal
	Fail      Event = "fail"      // ended without reaching its goal, what it changed is put back
	Pause     Event = "pause"     // a person
	Resume    Event = "resume"    // a person
	LoseSight Event = "lose"      // no contact while a host task may be running
	SeeAgain  Event = "see"       // the host answered again
	Interrupt Event = "interrupt" // the host says: begun, not ended, nothing runs
	Doubt     Event = "doubt"     // it cannot be said whether something ran; or a person waits no longer for what is out of sight
	Retry     Event = "retry"     // a person; Next starts it again by all its rules
	Repair    Event = "repair"    // a person says that it is repaired: verification runs, done only if it passes
	Decide    Event = "decide"    // a person has a decision step done on the host; it ends where it began
	Skip      Event = "skip"      // a person, when nothing is left on a host
	GiveUp    Event = "give-up"   // a person skips what has begun: the steps that put back run first
	LeaveOut  Event = "leave-out" // what was given up is put back
	LeaveAsIs Event = "leave"     // a person, when what is unwound stays on a host that is silent
)

// UpgradeTable is the state machine of upgrades and of steps. A retry waits
// for Next like a first start, so that limits, floor and approval hold again.
var UpgradeTable = Table[State, Event]{
	Waiting:     {Start: Running, Hold: Held, Skip: Skipped, GiveUp: Running, Repair: Running},
	Held:        {Start: Running, Hold: Held, Skip: Skipped, GiveUp: Running, Repair: Running},
	Running:     {Finish: Done, Fail: Failed, Pause: Paused, LoseSight: OutOfSight, Interrupt: Interrupted, Doubt: Unknown, LeaveOut: Skipped, LeaveAsIs: Skipped},
	Paused:      {Resume: Running},
	OutOfSight:  {SeeAgain: Running, Decide: OutOfSight, Fail: Failed, Interrupt: Interrupted, Doubt: Unknown},
	Interrupted: {Retry: Waiting, Repair: Running, Decide: Running, Fail: Failed, GiveUp: Running},
	Unknown:     {SeeAgain: Running, Retry: Waiting, Repair: Running, Decide: Running, Interrupt: Interrupted, Fail: Failed, GiveUp: Running},
	Failed:      {Retry: Waiting, Repair: Running, Decide: Running, Skip: Skipped, GiveUp: Running},
	Skipped:     {},
	Done:        {},
}

// byTick are the events that a tick may cause by itself.
var byTick = []Event{Finish, Fail, LoseSight, SeeAgain, Interrupt, Doubt, LeaveOut}

// Ticked reports, as an error, a move that a tick may not make: one that no
// event of a tick leads to. A host that is seen again may have come to its end.
func Ticked(from, to State) error {
	if from == to || from == OutOfSight && to != OutOfSight && Ticked(Running, to) == nil {
		return nil
	}
	for _, event := range byTick {
		if UpgradeTable[from][event] == to {
			return nil
		}
	}
	return Conflict("A tick cannot move what is %q to %q.", string(from), string(to))
}

// MaySkip reports whether a person can skip an upgrade in this state.
func (s State) MaySkip() bool { return UpgradeTable.Allows(s, Skip) || UpgradeTable.Allows(s, GiveUp) }

// WaveEvent is what moves a wave.
type WaveEvent string

// The events of waves.
const (
	ApproveWave  WaveEvent = "approve"
	WithdrawWave WaveEvent = "withdraw" // before it opened
	OpenWave     WaveEvent = "open"     // Next: what precedes it is done
	PauseWave    WaveEvent = "pause"
	ResumeWave   WaveEvent = "resume"
	StopWave     WaveEvent = "stop" // Next by the threshold, or a person
	FinishWave   WaveEvent = "finish"
)

// WaveTable is the state machine of waves. Approving a wave that is open binds
// changed content anew and moves nothing.
var WaveTable = Table[WaveState, WaveEvent]{
	WaveWaiting:  {ApproveWave: WaveApproved, FinishWave: WaveDone},
	WaveApproved: {ApproveWave: WaveApproved, WithdrawWave: WaveWaiting, OpenWave: WaveRunning, FinishWave: WaveDone},
	WaveRunning:  {ApproveWave: WaveRunning, PauseWave: WavePaused, StopWave: WaveStopped, FinishWave: WaveDone},
	WavePaused:   {ApproveWave: WavePaused, ResumeWave: WaveRunning, StopWave: WaveStopped, FinishWave: WaveDone},
	WaveStopped:  {ApproveWave: WaveStopped, ResumeWave: WaveRunning, FinishWave: WaveDone},
	WaveDone:     {},
}

// RolloutEvent is what moves a rollout.
type RolloutEvent string

// The events of rollouts.
const (
	RunRollout    RolloutEvent = "run" // Next: the first wave is approved
	PauseRollout  RolloutEvent = "pause"
	ResumeRollout RolloutEvent = "resume"
	StopRollout   RolloutEvent = "stop"
	FinishRollout RolloutEvent = "finish"
)

// RolloutTable is the state machine of rollouts.
var RolloutTable = Table[RolloutState, RolloutEvent]{
	RolloutWaiting: {RunRollout: RolloutRunning, StopRollout: RolloutStopped, FinishRollout: RolloutDone},
	RolloutRunning: {PauseRollout: RolloutPaused, StopRollout: RolloutStopped, FinishRollout: RolloutDone},
	RolloutPaused:  {ResumeRollout: RolloutRunning, StopRollout: RolloutStopped, FinishRollout: RolloutDone},
	RolloutStopped: {},
	RolloutDone:    {},
}

// PlanEvent is what moves a revision of a plan.
type PlanEvent string

// The events of revisions.
const (
	SubmitPlan    PlanEvent = "submit"
	RejectPlan    PlanEvent = "reject"
	SupersedePlan PlanEvent = "supersede"
)

// PlanTable is the state machine of revisions.
var PlanTable = Table[PlanState, PlanEvent]{
	Draft:      {SubmitPlan: Submitted, SupersedePlan: Superseded},
	Submitted:  {RejectPlan: Rejected, SupersedePlan: Superseded},
	Rejected:   {SupersedePlan: Superseded},
	Superseded: {},
}

// Diagrams returns the four state diagrams by heading, for the README.
func Diagrams() map[string]string {
	return map[string]string{
		"Upgrade and step": UpgradeTable.Mermaid(Waiting),
		"Wave":             WaveTable.Mermaid(WaveWaiting),
		"Rollout":          RolloutTable.Mermaid(RolloutWaiting),
		"Plan":             PlanTable.Mermaid(Draft),
	}
}

// Decided reports whether nothing more happens to an upgrade by itself or by a
// decision that is still open: done, or skipped by a person.
func (s State) Decided() bool { return s == Done || s == Skipped }

// InWork reports whether an upgrade has begun and has neither ended nor
// failed: it counts for at_once, and its hosts are taken.
func (s State) InWork() bool {
	switch s {
	case Running, Paused, OutOfSight, Interrupted, Unknown:
		return true
	case Waiting, Held, Failed, Skipped, Done:
		return false
	}
	return false
}

// Broken reports whether an upgrade counts for the wave's threshold.
func (s State) Broken() bool { return s == Failed || s == Interrupted || s == Unknown }
