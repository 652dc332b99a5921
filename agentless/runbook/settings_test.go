package runbook_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/windows"
)

// TestAMailClientThatRunsReadsItsSettingsAgain: a login type that is set back
// counts from the service's next start on, so POP3 is restarted where it runs.
func TestAMailClientThatRunsReadsItsSettingsAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := standalone(t, "CAS", "en-US")
	if err := errors.Join(f.host.SetStartMode(ctx, "MSExchangePop3", windows.StartAuto), f.host.StartService(ctx, "MSExchangePop3")); err != nil {
		t.Fatal(err)
	}
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s %s: %s", step, out.Kind, out.Message)
	}
	did := f.did(t)
	set := slices.Index(did, "pop PlainTextLogin")
	if set < 0 {
		t.Fatalf("the login type was not set back: %v", did)
	}
	stopped := slices.Index(did[set:], "stopped MSExchangePop3")
	if stopped < 0 || !slices.Contains(did[set+stopped:], "started MSExchangePop3") {
		t.Errorf("POP3 was not restarted after its setting: %v", did[set:])
	}
	if s, _, err := f.host.Service(ctx, "MSExchangePop3"); err != nil || s.State != windows.Running {
		t.Errorf("POP3 is %s, %v", s.State, err)
	}
}
