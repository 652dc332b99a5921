package exchange

import (
	"slices"
	"testing"
)

func TestEachTroubleHasItsRecovery(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]Distress{
		"interrupted-setup":     {Step: "setup", Interrupted: true, Markers: true},
		"half-upgraded-cluster": {Step: "upgrade-cms-1", Cluster: true},
		"silent-setup":          {Step: "setup", Silent: true},
		"host-gone":             {Step: "setup", OutOfSight: true},
		"service-not-starting":  {Step: "verify", Services: true},
		"no-final-sentence":     {Step: "setup", Untold: true},
		"language-pack":         {Step: "um-out"},
		"missing-msp":           {Step: "setup", Rules: []string{"return-value-3", "missing-msp"}},
	} {
		got := d.Recover()
		if len(got) == 0 || got[0].Name != want {
			t.Errorf("%+v gives %v, want %s first", d, got, want)
		}
	}
	if got := (Distress{Step: "preflight"}).Recover(); len(got) != 0 {
		t.Errorf("a failed preflight gives %v", got)
	}
}

func TestEveryRecoveryIsCompleteAndSourced(t *testing.T) {
	t.Parallel()
	if n := len(Recoveries()); n != 8 {
		t.Errorf("%d recoveries, want 8", n)
	}
	for _, r := range Recoveries() {
		if r.Title == "" || r.Lead == "" || len(r.Choices) == 0 || len(r.Sources) < 2 {
			t.Errorf("%s is incomplete", r.Name)
		}
		for _, p := range slices.Concat(r.Known, r.Safe, r.Sources) {
			if p.Text == "" || p.Source == "" {
				t.Errorf("%s: %+v", r.Name, p)
			}
		}
	}
}
