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
		return from, Conflict("%q is not possible while the state is %q", string(event), string(from))
	}
	return to, nil
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
