//go:build !race

package torture

import (
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// recoverWithin is the promise: from kill -9 to the next step.
const recoverWithin = 30 * time.Second

// TestRecovery measures with the real lease, the real intervals and real pauses.
func TestRecovery(t *testing.T) {
	if !*fullFlag {
		t.Skip("make torture and make bench run it: it takes minutes")
	}
	for i, leader := range []bool{false, true} {
		took := recovery(t, fmt.Sprintf("127.107.%d", 40+i), leader, 4**roundsFlag)
		t.Logf("leader killed: %t: %d upgrades went on, after %s at the median and %s at most", leader, len(took), median(took), slices.Max(took))
		if worst := slices.Max(took); worst > recoverWithin {
			t.Errorf("leader killed: %t: an upgrade went on only after %s, want at most %s", leader, worst, recoverWithin)
		}
		ledger.injected(fmt.Sprintf("kill with the real lease and intervals, leader: %t", leader), 4**roundsFlag)
		ledger.held("the next step within 30 s of a kill", len(took))
	}
}

// BenchmarkRecovery prints how long it takes from a kill to the next tick of
// each upgrade that the dead coordinator had in work.
func BenchmarkRecovery(b *testing.B) {
	for i, leader := range []bool{false, true} {
		b.Run(fmt.Sprintf("leader=%t", leader), func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				took = append(took, recovery(b, fmt.Sprintf("127.107.%d", 50+i), leader, 1)...)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(took).Seconds(), "recovery-s/median")
			b.ReportMetric(slices.Max(took).Seconds(), "recovery-s/max")
			b.ReportMetric(float64(len(took))/float64(b.N), "upgrades/op")
		})
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// recovery runs twelve Setups at once, slowly, on two coordinators, lets River's
// leader or the other one die so often, each time with a host in its hands, and
// returns for every upgrade in work how
// long it took until a live coordinator had done and saved something again.
func recovery(t testing.TB, net string, leader bool, kills int) []time.Duration {
	t.Helper()
	a := newArena(t, equals12(net), func(o *arenaOptions) {
		o.Lease, o.Pace, o.Speed = store.LeaseTTL, 1, 10
		p := rollout.DefaultPolicy()
		p.Floor, p.AtOnce = rollout.Floor{}, 12
		o.Plan.Policy = &p
	})
	a.approveAll(t)
	mortal := func(o *orders) {
		o.Trap = trap{Do: "kill", File: filepath.Join(t.TempDir(), "points"), Only: "^before SaveStep @tick/", Wait: true}
	}
	heir := a.coordinator(t, mortal) // it becomes River's leader, since it is alone
	if !poll(30*time.Second, func() bool { _, err := a.leaderSince(t); return err == nil }) {
		t.Fatal("nobody becomes River's leader")
	}
	other := a.coordinator(t, mortal)
	a.await(t, "twelve upgrades are in work", time.Minute, func(store.RolloutView) bool { return len(a.heard(t)) == 12 })
	var took []time.Duration
	for range kills {
		wait(5*time.Second + time.Duration(time.Now().UnixNano()%int64(3*time.Second)))
		if leader {
			heir, other = other, heir
		}
		must(t, other.cmd.Process.Signal(syscall.SIGHUP))
		<-other.died
		killed := a.databaseTime(t)
		left := a.heard(t)
		if !poll(2*recoverWithin, func() bool {
			for name, at := range a.heard(t) {
				if was, known := left[name]; known && at.After(was) && at.After(killed) {
					took = append(took, at.Sub(killed))
					delete(left, name)
				}
			}
			return len(left) == 0
		}) {
			t.Errorf("after %s nobody had gone on with %d upgrades", 2*recoverWithin, len(left))
		}
		if leader && !poll(time.Minute, func() bool { at, err := a.leaderSince(t); return err == nil && at.After(killed) }) {
			t.Fatal("nobody becomes River's leader after the kill")
		}
		other = a.coordinator(t, mortal)
	}
	heir.stop()
	other.stop()
	if len(took) == 0 {
		t.Fatal("no upgrade was in work")
	}
	return took
}

// heard is when each upgrade in work was last heard of.
func (a *arena) heard(t testing.TB) map[string]time.Time {
	t.Helper()
	rows, err := a.Store.Pool().Query(t.Context(), `SELECT s.name, COALESCE(u.last_heard_at, u.started_at) FROM upgrade u
		JOIN server s ON s.id = u.server_id WHERE u.started_at IS NOT NULL AND u.state NOT IN ('waiting', 'held')`)
	must(t, err)
	defer rows.Close()
	out := map[string]time.Time{}
	for rows.Next() {
		var name string
		var at time.Time
		must(t, rows.Scan(&name, &at))
		out[name] = at
	}
	must(t, rows.Err())
	return out
}

// equals12 is twelve servers of which none waits for another.
func equals12(net string) string {
	csv := "server,roles,site,build,address,port,services\n"
	for i := 1; i <= 12; i++ {
		csv += fmt.Sprintf("CAS%d,ClientAccess,HQ,8.0.685.25,%s.%d,5985,BackupAgent\n", i, net, i)
	}
	return csv
}
