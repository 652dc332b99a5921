package runbook

import (
	"slices"
	"strings"
	"testing"
)

// TestEachHalfHasItsRows: what is walked for both packages has a row for each, all
// else one, and every step of the second half says what it is for.
func TestEachHalfHasItsRows(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ccr-service-pack-and-rollup", "scc-3-2-service-pack-and-rollup"} {
		table, ok := ByName(name)
		if !ok {
			t.Fatalf("no runbook %s", name)
		}
		twice := slices.Clone(walkedTwice)
		begun := false
		for _, s := range table.Steps {
			base := strings.TrimSuffix(s.Name, s.Turn())
			plain, second := strings.CutSuffix(base, ofSecond)
			switch {
			case second && (!s.Second || !slices.Contains(walkedTwice, plain)):
				t.Errorf("%s: %s is named as one of the second half that the first has, too", name, s.Name)
			case s.Second && !second && slices.Contains(walkedTwice, base):
				t.Errorf("%s: %s is named as one of the first half", name, s.Name)
			case s.Second && !strings.HasPrefix(s.Words, "For the rollup, "):
				t.Errorf("%s: %s does not say what it is for: %s", name, s.Name, s.Words)
			case !s.Second && strings.HasPrefix(s.Name, RollupName):
				t.Errorf("%s: %s is of no half", name, s.Name)
			}
			if second && !slices.ContainsFunc(table.Steps, func(o Step) bool { return !o.Second && strings.TrimSuffix(o.Name, o.Turn()) == plain }) {
				t.Errorf("%s: %s has no step of the first half beside it", name, s.Name)
			}
			if second {
				twice = slices.DeleteFunc(twice, func(n string) bool { return n == plain })
			}
			begun = begun || s.Name == Choose+ofSecond
			if begun && !s.Second && !s.PutBack && s.Hook == "" {
				t.Errorf("%s: %s of the service pack comes after the rollup was begun", name, s.Name)
			}
		}
		if len(twice) > 0 {
			t.Errorf("%s has no second %v", name, twice)
		}
	}
}

// TestNotesAreThoseOfTheOwnHalfAndHost: NODEB was node 1 of the service pack and is
// node 2 of the rollup.
func TestNotesAreThoseOfTheOwnHalfAndHost(t *testing.T) {
	t.Parallel()
	notes := map[string]map[string]string{
		Choose:            {"node-1": "NODEB", "cms-1": "CMS1", "node-2": "NODEA"},
		Choose + ofSecond: {"node-1": "NODEA", "cms-1": "CMS1", "node-2": "NODEB"},
	}
	for _, name := range strings.Fields("record-1 record-2 setup-1 setup-2 rollup-1 rollup-2 look-again-2 look-again-second-1 look-again-second-2 put-back-1 put-back-2 stage-1 stage-2 stage-second-1 stage-second-2") {
		notes[name] = map[string]string{"name": name}
	}
	sp, rollup := Package{Name: "SP1"}, Package{Name: "SP1 RU9"}
	for _, c := range []struct {
		node, turn string
		second     bool
		base, want string
	}{
		{"NODEA", "-1", true, RollupName, "rollup-1"}, // rollup-services-1
		{"NODEA", "-1", true, "record", "record-2"},   // recorded at its turn of the service pack
		{"NODEB", "-2", true, "record", "record-1"},   //
		{"NODEB", "-2", true, lookOnceMore, "look-again-second-2"},
		{"NODEA", "-2", false, lookOnceMore, "look-again-2"}, // preflight-again-2
		{"NODEA", "-2", false, "setup", "setup-2"},           // put-back-2
		{"NODEA", "-2", false, RollupName, "rollup-1"},       //
		{"NODEB", "-1", false, PutBack, "put-back-1"},        // record-1 of a later attempt
		{"NODEA", "-1", true, RollupName, "rollup-1"},        // verify-1, whose turn is the host's
		{"NODEB", "-2", true, "setup", "setup-1"},            // verify-2
		{"NODEB", "-2", false, Stage, "stage-2"},             // tidy-2
		{"NODEB", "-2", false, stageSecond, "stage-second-2"},
	} {
		w := &Work{Nodes: []string{"NODEA", "NODEB"}, Node: c.node, Turn: c.turn, Package: sp, Then: rollup, Notes: notes}
		if c.second {
			w.Package = rollup
		}
		if got := w.note(c.base)["name"]; got != c.want {
			t.Errorf("%s of a step%s on %s, second %t: %q, want %q", c.base, c.turn, c.node, c.second, got, c.want)
		}
	}
	alone := &Work{Package: rollup, Turn: "-2", Nodes: []string{"NODEA", "NODEB"}, Node: "NODEA", Notes: notes} // a plan of one package
	if got := alone.note(lookOnceMore)["name"]; got != "look-again-2" {
		t.Errorf("of a rollup alone: %q", got)
	}
}
