package runbook_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/windows"
)

// of walks one step of an attempt.
func (f *fixture) of(t *testing.T, attempt int, name string) {
	t.Helper()
	f.attempt[name] = attempt - 1
	s, _ := runbook.Standalone().Step(name)
	if out := f.step(t, s); out.Kind != runbook.Done {
		t.Fatalf("%s of attempt %d: %+v", name, attempt, out)
	}
}

// stop stops a service and waits for its end.
func (f *fixture) stop(t *testing.T, service string) {
	t.Helper()
	if err := f.host.StopService(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		s, _, err := f.host.Service(t.Context(), service)
		if err == nil && s.State == windows.Stopped {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %s, %v", service, s.State, err)
		}
	}
}

// TestWhatAPersonChangesBetweenAttemptsStays: after an attempt that was put back
// in full the next one records anew, and a put-back before that compares nothing.
// After one that was not the first record is the state to come back to.
func TestWhatAPersonChangesBetweenAttemptsStays(t *testing.T) {
	t.Parallel()
	const service, now, was = "RemoteRegistry", "Stopped Disabled", "Running Auto"
	for name, c := range map[string]struct {
		deviates bool
		want     string
	}{"put back in full": {false, now}, "put back with a deviation": {true, was}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, nil), context.Background()
			f.unwinding = true
			f.of(t, 1, "record")
			f.memory["setup"] = map[string]string{"attempt": "1", "setup_ran": "yes"}
			f.stop(t, service) // by Setup
			if c.deviates {
				e := runbook.Entry{Kind: runbook.ServiceEntry, Name: "Gone", Before: map[string]string{"state": windows.Running, "start": windows.StartAuto}}
				if _, err := f.book.Change(ctx, e); err != nil {
					t.Fatal(err)
				}
			}
			f.of(t, 1, runbook.PutBack)
			if got := f.allServices(t)[service]; got != was || len(f.book.open()) > 0 || c.deviates != (len(f.book.deviations) > 0) {
				t.Fatalf("%s is %s after the first attempt, want %s; deviations %v", service, got, was, f.book.deviations)
			}
			if err := f.host.SetStartMode(ctx, service, windows.StartDisabled); err != nil { // by a person
				t.Fatal(err)
			}
			f.stop(t, service)
			if !c.deviates { // preflight of the second attempt fails
				f.of(t, 2, runbook.PutBack)
			}
			f.of(t, 3, "record")
			f.memory["setup"]["attempt"] = "3"
			f.of(t, 3, runbook.PutBack)
			if got := f.allServices(t)[service]; got != c.want {
				t.Errorf("%s is %s, want %s", service, got, c.want)
			}
		})
	}
}

// TestFilesAreRecordedOfAHostThatIsAwayForAMoment: whatever of the record is asked when
// the power goes is asked again.
func TestFilesAreRecordedOfAHostThatIsAwayForAMoment(t *testing.T) {
	t.Parallel()
	for tick := range 4 {
		t.Run(fmt.Sprint("tick ", tick), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.lost = func(_ string, at int) bool {
				if at == tick {
					if err := f.fleet.PowerLoss("MBX1"); err != nil {
						t.Error(err)
					}
				}
				return at == tick
			}
			s, _ := runbook.Standalone().Step("record")
			if out := f.step(t, s); out.Kind != runbook.Done || f.memory["record"]["files"] == "" || f.memory["record"]["services"] == "" {
				t.Errorf("%s: %s; recorded %v", out.Kind, out.Message, f.memory["record"])
			}
		})
	}
}
