//go:build !race

package torture

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestKillsDoNotLockAHostOut: six coordinators die within a minute, each with a
// shell open on the same host, which allows five. WinRM 2.0 ends the shells
// after the minute that was asked for; with 1.1, where nothing can be asked for,
// the row says what is waited for and until when. Nothing fails, nothing is
// called out of sight, and the upgrade goes on by itself.
func TestKillsDoNotLockAHostOut(t *testing.T) {
	t.Parallel()
	const kills = 6
	for n, c := range []struct {
		kind  kind
		speed float64       // of the shells' time; the kills come in real time
		idle  time.Duration // of a shell, at that speed
		says  string        // the row while no shell is to be had
	}{
		{kind{"2003", "en-US", "2.0"}, 6, time.Minute / 6, "within 3 min"},
		{kind{"2003", "en-US", "1.1"}, 60, 15 * time.Minute / 60, "within 15 min"},
	} {
		if *fullFlag && c.kind.winrm == "2.0" {
			c.speed, c.idle = 1, time.Minute // the real times
		}
		t.Run(c.kind.String(), func(t *testing.T) {
			t.Parallel()
			csv, _, _ := strings.Cut(fleetOf(t, 201+n, c.kind), "CAS2")
			a := newArena(t, csv, func(o *arenaOptions) {
				o.Package = "sp2"
				o.Twin = func(o *twin.Options) { o.ShellSpeed = c.speed }
			})
			a.approveAll(t)
			var mu sync.Mutex
			var now *coordinator
			a.watch(func(o twin.Observation) {
				mu.Lock()
				defer mu.Unlock()
				if o.What == "command" && now != nil {
					now.kill()
					now = nil
				}
			})
			began := time.Now()
			died := 0
			var waited string
			var fifth time.Duration // when the last shell was left
			for ; died < kills; died++ {
				one := a.coordinator(t)
				mu.Lock()
				now = one
				mu.Unlock()
				if !poll(c.idle+20*time.Second, func() bool {
					waited = a.barred(t, waited)
					return one.dead()
				}) {
					t.Fatalf("after %d kills the host takes no command for %s: %s", died, c.idle+20*time.Second, a.row(t).Message)
				}
				if died == kills-2 {
					fifth = time.Since(began)
				}
			}
			took := time.Since(began)
			t.Logf("%d kills within %s; a shell idles for %s", died, took.Round(time.Millisecond), c.idle)
			a.coordinator(t)
			within := c.idle + rolloutWithin
			a.await(t, "the rollout is done", within, func(v store.RolloutView) bool {
				waited = a.barred(t, waited)
				return isDone(v)
			})
			t.Logf("done after %s; it waited so: %s", time.Since(began).Round(time.Millisecond), waited)
			if waited != "" && (!strings.Contains(waited, "as many remote shells open for this account") || !strings.Contains(waited, c.says) || !strings.Contains(waited, " UTC")) {
				t.Errorf("the row says %q", waited)
			}
			if waited == "" && fifth < c.idle-time.Second {
				t.Errorf("after %s five shells were left, and nothing was said of it", fifth)
			}
			if took > 2*c.idle+5*time.Second {
				t.Errorf("the host took commands again only after %s; a shell should idle for %s", took, c.idle)
			}
			a.check(t)
			ledger.injected(fmt.Sprintf("kill with a shell open on the same host, %s", c.kind), died)
			ledger.held("a host without a shell left is waited for", 1)
		})
	}
}

// row is the upgrade of a fleet of one server.
func (a *arena) row(t testing.TB) store.UpgradeRow {
	t.Helper()
	return a.view(t).Waves[0].Upgrades[0]
}

// barred is what the row says while the host has no shell left, or what it said
// before. Meanwhile nothing fails and nothing is out of sight.
func (a *arena) barred(t testing.TB, before string) string {
	t.Helper()
	u := a.row(t)
	if !strings.Contains(u.Message, "remote shells") {
		return before
	}
	if u.State != rollout.Running || u.Remedy == "" {
		t.Errorf("while no shell is to be had the upgrade is %s: %s %s", u.State, u.Message, u.Remedy)
	}
	return u.Message
}
