package ui

// State is a state as a page shows it: a word, and a shape and colour that are
// chosen by Key. Key is one of the state words of rollout, for upgrades, steps,
// waves, rollouts, plans and findings alike.
type State struct {
	Key  string // "out-of-sight", "approved", "blocker", ...
	Note string // said after the word, "attempt 2"; may be empty
}

var stateWords = map[string]string{
	"waiting": "Waiting", "held": "Held", "running": "Running", "paused": "Paused",
	"out-of-sight": "Out of sight", "interrupted": "Interrupted", "unknown": "Unknown",
	"failed": "Failed", "skipped": "Skipped", "done": "Done",
	"approved": "Approved", "stopped": "Stopped",
	"draft": "Draft", "submitted": "Submitted", "rejected": "Rejected", "superseded": "Superseded",
	"blocker": "Blocker", "warning": "Warning", "info": "Note", "pass": "Passed",
}

// Word returns the word that every page, export and message uses for the state.
func (s State) Word() string {
	if w, ok := stateWords[s.Key]; ok {
		return w
	}
	return s.Key
}

// StateHelp is one line of the glossary of states.
type StateHelp struct{ Key, Means string }

// StateHelps lists the ten states of an upgrade and of a step with their
// meaning, for the help that every page carries.
func StateHelps() []StateHelp {
	return []StateHelp{
		{"waiting", "Not started yet; starts by itself when its turn comes."},
		{"held", "Could start, but a reason holds it; starts when the reason is gone."},
		{"running", "Being worked on now."},
		{"paused", "A person paused it; a person resumes it."},
		{"out-of-sight", "Contact was lost while work may go on at the host; looked for until the step's hard limit."},
		{"interrupted", "The host says that something began and did not end. A person decides."},
		{"unknown", "It cannot be said whether something ran. A person decides."},
		{"failed", "Ended without reaching its goal. A person retries or skips."},
		{"skipped", "A person decided not to do it; it never counts as upgraded."},
		{"done", "Its goal is reached and verified: a server at the target, the organization prepared."},
	}
}

// shape names the drawing of a state; two states of different meaning never
// share one on the same page.
func (s State) shape() string {
	switch s.Key {
	case "waiting", "draft":
		return "circle"
	case "held", "warning":
		return "triangle"
	case "running":
		return "play"
	case "paused":
		return "bars"
	case "out-of-sight":
		return "dashed"
	case "interrupted":
		return "broken"
	case "failed", "blocker", "rejected":
		return "cross"
	case "skipped", "superseded":
		return "skip"
	case "done", "pass":
		return "check"
	case "approved", "submitted":
		return "seal"
	case "stopped":
		return "square"
	case "info":
		return "dot"
	default:
		return "question"
	}
}
