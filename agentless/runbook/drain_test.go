package runbook_test

import (
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
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
