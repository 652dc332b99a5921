package httpd

import (
	"slices"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/ui"
)

// books are two runbooks: one of a standalone server, one of a cluster.
type books struct{}

func (books) Book(name string) (rollout.Runbook, bool) {
	steps := map[string][]rollout.Step{
		"alone":   {{Name: "facts"}, {Name: "um-out"}, {Name: "setup"}, {Name: "prepare-ad"}},
		"cluster": {{Name: "facts"}, {Name: "stop-cms"}, {Name: "setup"}},
	}[name]
	return rollout.Runbook{Name: name, Steps: steps}, steps != nil
}

// A wave's matrix has the steps of its own servers: with those of every runbook of
// the rollout there is no room for the words of any.
func TestColumnsAreThoseOfTheWave(t *testing.T) {
	s := &server{Options: Options{Runbooks: books{}, Now: time.Now}}
	for name, want := range map[string][]string{"alone": {"Facts", "UM out", "Setup", "Prepare AD"}, "cluster": {"Facts", "Stop CMS", "Setup"}} {
		o := store.RolloutView{Waves: []store.WaveView{
			{Number: 1, Upgrades: []store.UpgradeRow{{ID: 1, Server: "A", Runbook: name}}},
			{Number: 2, Upgrades: []store.UpgradeRow{{ID: 2, Server: "B", Runbook: "alone"}, {ID: 3, Server: "C", Runbook: "cluster"}}},
		}}
		groups, _ := s.matrix(o, 0, nil, ui.Clock{})
		var got []string
		for _, c := range groups[0].Steps {
			got = append(got, c.Short)
		}
		if !slices.Equal(got, want) || len(groups[0].Rows[0].Cells) != len(want) {
			t.Errorf("wave of %s has the columns %v and %d cells, want %v", name, got, len(groups[0].Rows[0].Cells), want)
		}
		if n := len(groups[1].Steps); n != 5 {
			t.Errorf("wave of both has %d columns, want 5", n)
		}
	}
}
