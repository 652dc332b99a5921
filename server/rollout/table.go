package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// Table is a state machine: what is not in it is refused. The program's own
// updates repeat the guard in SQL (WHERE state = the state that was seen).
type Table[S, E ~string] map[S]map[E]S

// After returns the state that follows an event, or a conflict in words.
func (t Table[S, E]) After(from S, event E) (S, error) {
	to, ok := t[from][event]
	if !ok {
		return from, Conflict("%s is %s now: %s.", thing(from), State(from).Words(), cannot(string(event)))
	}
	return to, nil
}

// thing is what has a state of this type, as a sentence begins with it.
func thing[S ~string](state S) string {
	switch any(state).(type) {
	case WaveState:
		return "The wave"
	case RolloutState:
		return "The rollout"
	case PlanState:
		return "The revision"
	default:
		return "The server"
	}
}

// cannot says an event that is refused; what no person asks for has no words of
// its own.
func cannot(event string) string {
	done, ok := map[string]string{
		string(PauseRollout): "paused", string(ResumeRollout): "resumed", string(StopRollout): "stopped", string(RunRollout): "started",
		string(ApproveWave): "approved", string(OpenWave): "opened", string(Start): "started", string(Hold): "held", string(Retry): "run again",
		string(Repair): "marked as repaired", string(Decide): "decided about", string(Skip): "skipped", string(GiveUp): "skipped",
		string(SubmitPlan): "submitted", string(RejectPlan): "rejected", string(SupersedePlan): "replaced",
	}[event]
	switch {
	case ok:
		return "it cannot be " + done
	case event == string(WithdrawWave):
		return "its approval cannot be taken back"
	default:
		return "that is not possible"
	}
}

// Allows reports whether the event is possible in the state.
func (t Table[S, E]) Allows(from S, event E) bool {
	_, ok := t[from][event]
	return ok
}

// Mermaid draws the table as a state diagram, in an order that does not
// change between runs.
func (t Table[S, E]) Mermaid(first S) string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	fmt.Fprintf(&b, "    [*] --> %s\n", diagramName(first))
	for _, from := range sortedKeys(t) {
		by := map[S][]string{}
		for event, to := range t[from] {
			by[to] = append(by[to], string(event))
		}
		for _, to := range sortedKeys(by) {
			events := by[to]
			slices.Sort(events)
			fmt.Fprintf(&b, "    %s --> %s: %s\n", diagramName(from), diagramName(to), strings.Join(events, ", "))
		}
		if len(t[from]) == 0 {
			fmt.Fprintf(&b, "    %s --> [*]\n", diagramName(from))
		}
	}
	return b.String()
}

// diagramName writes a state as an identifier that Mermaid takes.
func diagramName[S ~string](s S) string { return strings.ReplaceAll(string(s), "-", "_") }

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
