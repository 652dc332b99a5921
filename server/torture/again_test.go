//go:build !race

package torture

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
)

// TestATaskThatIsStartedAgain starts each Setup task a second time after Setup
// has ended, as a person in the list of tasks can, or a trigger that fires late:
// its body does nothing, and Setup was started once.
func TestATaskThatIsStartedAgain(t *testing.T) {
	t.Parallel()
	a := newArena(t, fleet4("127.107.6"), packed)
	ended := make(chan string, len(a.inv.Servers))
	a.watch(func(o twin.Observation) {
		if o.What == "setup-ended" {
			select {
			case ended <- o.Host:
			default: // one too many: the check below sees it
			}
		}
	})
	a.approveAll(t)
	c := a.coordinator(t)
	again := 0
	for range a.inv.Servers {
		select {
		case host := <-ended:
			must(t, c.pause()) // else the task may be gone before
			again += a.startAgain(t, host)
			must(t, c.cont())
		case <-time.After(rolloutWithin):
			t.Fatal("no Setup ends")
		}
	}
	a.finish(t, rolloutWithin)
	a.check(t)
	if again == 0 {
		t.Error("no task was started again")
	}
	ledger.injected("Setup's task started again by somebody else", again)
}

// startAgain runs the host's Setup task once more and returns how often it began.
func (a *arena) startAgain(t testing.TB, host string) int {
	t.Helper()
	task := ""
	runs := func() (n int) {
		for _, o := range a.truth.of(host, "task-ran") {
			if name, _ := o.Detail["name"].(string); strings.Contains(name, "-setup-") {
				task = name
				n++
			}
		}
		return n
	}
	if runs() != 1 {
		t.Fatalf("%s: Setup ended, and its task ran %d times; Setup was started %d times", host, runs(), a.truth.count(host, "setup-started"))
	}
	for _, s := range a.inv.Servers {
		if s.Name != host {
			continue
		}
		conn, err := winrm.New(winrm.Config{Address: s.Address, Port: s.Port, Account: winrm.Basic("wk", winrmPassword)})
		must(t, err)
		if !poll(5*time.Second, func() bool {
			err = windows.New(conn).RunTask(t.Context(), task)
			return err != nil || poll(100*time.Millisecond, func() bool { return runs() > 1 })
		}) || err != nil {
			t.Logf("%s: %s was not started again: %v", host, task, err)
		}
	}
	return runs() - 1
}
