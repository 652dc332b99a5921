package rollout

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestTablesAreComplete looks at every state and event: each state has a row,
// each move leads to a state that has one, and what is not there is refused.
func TestTablesAreComplete(t *testing.T) {
	t.Parallel()
	checkTable(t, UpgradeTable, Waiting, 10)
	checkTable(t, WaveTable, WaveWaiting, 6)
	checkTable(t, RolloutTable, RolloutWaiting, 5)
	checkTable(t, PlanTable, Draft, 4)
	if _, err := UpgradeTable.After(Done, Start); !errors.Is(err, ErrConflict) {
		t.Errorf("starting what is done gives %v, want a conflict", err)
	}
	if to, err := UpgradeTable.After(Held, Start); err != nil || to != Running {
		t.Errorf("starting what is held gives %s, %v", to, err)
	}
}

func checkTable[S, E ~string](t *testing.T, table Table[S, E], first S, states int) {
	t.Helper()
	reached := map[S]bool{first: true}
	for more := true; more; {
		more = false
		for from := range reached {
			for _, to := range table[from] {
				if _, ok := table[to]; !ok {
					t.Errorf("%s has no row", to)
				}
				more = more || !reached[to]
				reached[to] = true
			}
		}
	}
	if len(table) != states || len(reached) != states {
		t.Errorf("table from %s: %d states, %d reached, want %d", first, len(table), len(reached), states)
	}
}

func TestDiagramsShowTheTables(t *testing.T) {
	t.Parallel()
	for name, drawing := range Diagrams() {
		if !strings.HasPrefix(drawing, "stateDiagram-v2\n    [*] --> ") || !strings.Contains(drawing, "--> [*]") {
			t.Errorf("%s:\n%s", name, drawing)
		}
	}
	want := "stateDiagram-v2\n    [*] --> draft\n    draft --> submitted: submit\n    draft --> superseded: supersede\n" +
		"    rejected --> superseded: supersede\n    submitted --> rejected: reject\n    submitted --> superseded: supersede\n    superseded --> [*]\n"
	if got := Diagrams()["Plan"]; got != want {
		t.Errorf("plan diagram:\n%swant:\n%s", got, want)
	}
}

// TestTicksMoveByTheTable: a tick makes no move that only a person may decide.
func TestTicksMoveByTheTable(t *testing.T) {
	t.Parallel()
	for from, want := range map[State]string{
		Running:     "running done failed out-of-sight interrupted unknown skipped",
		OutOfSight:  "running done failed out-of-sight interrupted unknown skipped",
		Waiting:     "waiting",
		Failed:      "failed",
		Interrupted: "interrupted failed",
		Skipped:     "skipped",
		Done:        "done",
	} {
		allowed := strings.Fields(want)
		for to := range UpgradeTable {
			if got := Ticked(from, to) == nil; got != slices.Contains(allowed, string(to)) {
				t.Errorf("a tick may move %s to %s: %v", from, to, got)
			}
		}
	}
}
