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

// TestRefusalsAreSentences: who is refused reads what stands and what cannot be
// done, in the words of the pages.
func TestRefusalsAreSentences(t *testing.T) {
	t.Parallel()
	_, pause := RolloutTable.After(RolloutStopped, PauseRollout)
	_, withdraw := WaveTable.After(WaveRunning, WithdrawWave)
	_, retry := UpgradeTable.After(OutOfSight, Retry)
	_, submit := PlanTable.After(Superseded, SubmitPlan)
	for want, err := range map[string]error{
		"The rollout is stopped now: it cannot be paused.":            pause,
		"The wave is running now: its approval cannot be taken back.": withdraw,
		"The server is out of sight now: it cannot be run again.":     retry,
		"The revision is superseded now: it cannot be submitted.":     submit,
	} {
		if got := err.Error(); got != want {
			t.Errorf("refused with %q, want %q", got, want)
		}
	}
	for _, said := range refusals() {
		if strings.ContainsAny(said, `"_`) {
			t.Errorf("a refusal shows a name of the program: %s", said)
		}
	}
}

// refusals is every refusal of the four tables.
func refusals() []string {
	return slices.Concat(refusedBy(UpgradeTable), refusedBy(WaveTable), refusedBy(RolloutTable), refusedBy(PlanTable))
}

func refusedBy[S, E ~string](table Table[S, E]) []string {
	events := map[E]bool{}
	for _, row := range table {
		for event := range row {
			events[event] = true
		}
	}
	var all []string
	for from := range table {
		for event := range events {
			if _, err := table.After(from, event); err != nil {
				all = append(all, err.Error())
			}
		}
	}
	return all
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
