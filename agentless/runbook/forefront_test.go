package runbook_test

import (
	"maps"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
)

// TestForefrontIsTakenOffAndGivenBack follows the Exchange team's sample script:
// services stopped, fscutility /disable, the upgrade, services stopped again,
// fscutility /enable, all started.
func TestForefrontIsTakenOffAndGivenBack(t *testing.T) {
	t.Parallel()
	f := standalone(t, "CAS+HT+MBX", "en-US", "forefront")
	f.change2(func(w *runbook.Work) { w.Waived = []string{"forefront"} })
	before := f.allServices(t)
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	done := f.did(t)
	if missing := follows(done, []string{
		"stopped MSExchangeIS", "stopped FSCController", "forefront disabled", "setup/mode:upgrade", "stopped MSExchangeIS", "forefront enabled", "started FSCController", "started MSExchangeIS",
	}); missing != "" {
		t.Errorf("not done, or not in its order: %s\n%v", missing, done)
	}
	if after := f.allServices(t); !maps.Equal(after, before) {
		for name := range before {
			if after[name] != before[name] {
				t.Errorf("service %s is %s, was %s", name, after[name], before[name])
			}
		}
	}
	f.clean(t)
}

// change2 changes the work of every tick beside what it is changed by already.
func (f *fixture) change2(more func(*runbook.Work)) {
	first := f.change
	f.change = func(w *runbook.Work) {
		if first != nil {
			first(w)
		}
		more(w)
	}
}

// TestForefrontIsJudgedByWhatNeedsIt, not by how its program ended: one that ends
// with 0 and did nothing has not taken it off, one that did it and ends with 3 has.
func TestForefrontIsJudgedByWhatNeedsIt(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]struct {
		step string
		kind runbook.Kind
		of   string
		says []string
	}{
		"deaf":      {"forefront", runbook.Failed, "forefront", []string{"ended with 0", "MSExchangeTransport, MSExchangeIS still cannot start without FSCController"}},
		"grumbling": {"tidy", runbook.Done, "forefront", []string{"ended with 3"}},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			f := standalone(t, "CAS+HT+MBX", "en-US", "forefront="+how)
			f.change2(func(w *runbook.Work) { w.Waived = []string{"forefront"} })
			step, out := f.walk(t, "facts")
			if step != want.step || out.Kind != want.kind {
				t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			for _, text := range want.says {
				if !strings.Contains(f.out[want.of].Message, text) {
					t.Errorf("%s said %q, want %q", want.of, f.out[want.of].Message, text)
				}
			}
		})
	}
}
