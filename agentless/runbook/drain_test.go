package runbook_test

import (
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// TestTransportThatIsAboutToPauseGoesOnWhenItIsGivenUp: a pause takes a moment, and
// an attempt that ends in it must not leave the transport paused behind it.
func TestTransportThatIsAboutToPauseGoesOnWhenItIsGivenUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.memory["record"] = map[string]string{"services": "{}"}
	drain, _ := runbook.Standalone().Step("drain-transport")
	w := f.work(drain.Name)
	if out, err := drain.Tick(t.Context(), w); err != nil || out.Kind != runbook.Again {
		t.Fatalf("%+v, %v", out, err)
	}
	f.memory[drain.Name] = w.Memory
	if open := f.book.open(); len(open) != 1 || open[0].Kind != runbook.PausedEntry {
		t.Fatalf("the ledger holds %+v", open)
	}
	f.unwinding = true
	back, _ := runbook.Standalone().Step(runbook.PutBack)
	if out := f.step(t, back); out.Kind != runbook.Done {
		t.Fatalf("%+v", out)
	}
	if n := f.journal.count(t, "service-paused"); n != 1 {
		t.Errorf("it was paused %d times: the pause was not waited for", n)
	}
	s, found, err := f.host.Service(t.Context(), "MSExchangeTransport")
	if err != nil || !found || s.State != windows.Running {
		t.Errorf("the transport is %s, %v", s.State, err)
	}
}

// TestThePoisonQueueIsNotWaitedFor: what lies in it leaves it by hand only.
func TestThePoisonQueueIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	f := standalone(t, "HT", "en-US", "queued-mail=10", "poisoned-mail=700")
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	if got := f.out["drain-transport"].Message; !strings.Contains(got, "(700 messages of the poison queue stay there); 10 messages are left, at most 20 may be") {
		t.Error(got)
	}
}

// TestEnableUMServersWordIsNotTakenForIt: it has no complaint and changes nothing.
// The server is asked, told again, and only what it says itself closes the ledger.
func TestEnableUMServersWordIsNotTakenForIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words string
		lies  int // times that the cmdlet does nothing
		kind  runbook.Kind
		taken int // times that it did something by then
	}{
		{"once", 1, runbook.Done, 1},
		{"each time", 3, runbook.Failed, 0},
	} {
		t.Run(c.words, func(t *testing.T) {
			t.Parallel()
			f := standalone(t, "UM", "en-US")
			f.memory["record"] = map[string]string{"services": "{}", "um": "Enabled"}
			table := runbook.Standalone()
			step := func(name string) runbook.Outcome {
				s, ok := table.Step(name)
				if !ok {
					t.Fatalf("no step %s", name)
				}
				return f.step(t, s)
			}
			if out := step("drain-um"); out.Kind != runbook.Done || !strings.Contains(out.Message, "takes no calls any more") {
				t.Fatalf("drained: %s %s", out.Kind, out.Message)
			}
			if err := f.fleet.Inject(twin.Fault{Host: "MBX1", Name: "um-stays-disabled", Times: c.lies}); err != nil {
				t.Fatal(err)
			}
			out := step("undrain")
			enabled := func() (n int) {
				for _, e := range f.journal.entries(t) {
					if e.What == "exchange-changed" && e.Detail["setting"] == "um" && e.Detail["to"] == "Enabled" {
						n++
					}
				}
				return n
			}
			if lies := f.journal.count(t, "fault"); out.Kind != c.kind || lies != c.lies || enabled() != c.taken {
				t.Fatalf("%s after Enable-UMServer did nothing %d times and something %d times: %s", out.Kind, lies, enabled(), out.Message)
			}
			if c.kind == runbook.Failed {
				if open := f.book.open(); len(open) != 1 || !strings.Contains(out.Message, "it is Disabled although") || out.Remedy == "" {
					t.Errorf("%q, %q, open: %+v", out.Message, out.Remedy, open)
				}
				f.unwinding = true // what was answered before is not the answer of now
				if out := step(runbook.PutBack); out.Kind != runbook.Done {
					t.Errorf("put back: %s %s", out.Kind, out.Message)
				}
			}
			if open := f.book.open(); len(open) > 0 || enabled() != 1 {
				t.Errorf("open: %+v; enabled %d times", open, enabled())
			}
		})
	}
}
