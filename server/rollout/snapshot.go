package rollout

import (
	"slices"
	"time"

	"wavekeeper/server/exchange"
)

// Snapshot is everything that Next looks at: plain data, loaded by store in
// the transaction that writes Next's answer.
type Snapshot struct {
	Plan     Plan         // the revision's content, see ReadPlan
	State    RolloutState // of the rollout
	Prepared bool         // it is on record that the organization is prepared for the package
	// Unprepared is what of the organization the package would still change, by
	// what was read of it, in words; empty = nothing, or nothing was read.
	Unprepared []string
	// PreparingOn is the server on which another rollout prepares the organization
	// now; empty = none does.
	PreparingOn string
	Waves       []WaveStatus // every wave, by number
	Upgrades    []UpgradeStatus
	// Outside holds the servers of the organization that have no upgrade in
	// this rollout: at the target when it was planned, blocked, or not chosen.
	// They count for the order and for the floor.
	Outside []OutsideServer
}

// WaveStatus is a wave's row.
type WaveStatus struct {
	Number int
	State  WaveState
}

// ApprovalMatch says how the standing approval of a server's wave fits what
// would be started now.
type ApprovalMatch string

// How an approval fits.
const (
	ApprovalNone     ApprovalMatch = "none"     // the wave has no standing approval, or not for this server
	ApprovalMatching ApprovalMatch = "matching" // its digest is that of the content now
	ApprovalStale    ApprovalMatch = "stale"    // the content changed since
)

// UpgradeStatus is one server of the rollout. A cluster has one, under its
// first CMS by name.
type UpgradeStatus struct {
	Server   string // upper case
	Wave     int
	State    State
	Approval ApprovalMatch
	Changed  []string // what changed since the approval, in words (see Diff); only when stale

	Build       exchange.Build // as read from the host's registry: the lowest of its roles and hosts
	ReadAt      time.Time      // when; zero = never read
	ReadError   string         // why the last reading failed; "" when it worked
	ReadTriedAt time.Time      // when reading was tried last, with or without success
	Refreshing  bool           // a reading is on its way

	StartedAt     time.Time // of the first attempt; zero = never begun
	VerifiedAt    time.Time // zero unless verified at the target
	BackInService bool      // begun and not done, but its services were proven to run again
	Accepted      bool      // broken, and a person resumed the wave knowing of it
	Hooked        bool      // failed because a hook of the user's did: it does not count for the wave's threshold
	Failing       bool      // failed already; what it changed is being put back
	Returns       State     // where it goes when the decision step in work has ended; "" = none is

	InWorkElsewhere bool   // another rollout has the server in work
	Fixing          string // "fix start-msdtc on CAS01", in work on one of its hosts; "" = none is
	OwedElsewhere   bool   // another rollout changed something on it that is not put back

	Witness string // of a cluster: the host of its file share witness, upper case without a domain; "" = none or not known

	NotLetIn string // why nothing is sent to one of its hosts until a person decides, one sentence; "" = nothing keeps us out

	MediaAwaited string // why its package is not on its hosts yet though it was asked for, in words; "" = it need not be waited for

	Health

	Reasons []Reason // as last recorded; Next repeats a hold only when its reasons change
	Waived  []string // rules that a person waived for this server's start, on the record
}

// OutsideServer is a server of the organization without an upgrade here.
type OutsideServer struct {
	Server      exchange.Server
	Build       exchange.Build // as read last: the lowest of the roles that say one
	Doubts      []string       // what keeps Build from speaking for the server, in words (see exchange.Configured); empty = nothing
	ReadAt      time.Time
	ReadError   string
	ReadTriedAt time.Time
	Refreshing  bool

	InWorkElsewhere bool   // another rollout has it in work
	Witness         string // as UpgradeStatus has it

	Health
}

// Health is what is known of a server's being in service, beside what this
// rollout itself does to it.
type Health struct {
	Down      bool            // out of service: nothing that it serves runs, or another rollout has it in work
	DownRoles []exchange.Role // those that it does not serve though others of it are in service
	Unseen    bool            // the last look did not reach it: nobody can say that it is in service
	HealthAt  time.Time       // when it was looked at last, with or without success; zero = never
}

// joined is the health of a unit of several servers: what is wrong with one is
// wrong with it, and it was seen when the one seen longest ago was.
func (h Health) joined(o Health) Health {
	h.Down, h.Unseen = h.Down || o.Down, h.Unseen || o.Unseen
	h.DownRoles = append(slices.Clip(h.DownRoles), o.DownRoles...)
	if o.HealthAt.Before(h.HealthAt) {
		h.HealthAt = o.HealthAt
	}
	return h
}

// ActionKind is what Next wants done.
type ActionKind string

// The actions. Each is one guarded update by the state tables, with an event.
const (
	DoRunRollout    ActionKind = "run-rollout"    // rollout: waiting to running
	DoFinishRollout ActionKind = "finish-rollout" // rollout: to done
	DoOpenWave      ActionKind = "open-wave"      // wave: approved to running
	DoStopWave      ActionKind = "stop-wave"      // wave: to stopped, Text says why
	DoFinishWave    ActionKind = "finish-wave"    // wave: to done
	DoStart         ActionKind = "start"          // upgrade: to running; insert its first tick
	DoHold          ActionKind = "hold"           // upgrade: to held, with Reasons
	DoRefresh       ActionKind = "refresh"        // read the server's builds and facts again
)

// Action is one thing that Next wants done now. The order of actions is the
// order in which they are to be applied.
type Action struct {
	Kind    ActionKind
	Wave    int      // of a wave's or an upgrade's action
	Server  string   // of an upgrade's action and of a refresh
	Reasons []Reason // of a hold
	Text    string   // one sentence for the event
}

// Reason is one thing that keeps a server from starting. It answers "why is
// this server not starting?".
type Reason struct {
	Rule     string   `json:"rule"`               // "client-access-before-mailbox", "at-once", "approval"
	Strength Strength `json:"strength,omitempty"` // of a rule of order
	Scope    string   `json:"scope,omitempty"`    // of a rule of order, of the floor
	Servers  []string `json:"servers"`            // what it waits for, at most 20
	Count    int      `json:"count"`              // how many it waits for
	Text     string   `json:"text"`               // a sentence
}
