//go:build !race

package torture

import (
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// refused is what an awakened coordinator says when it may not go on: its lease
// was lost, its generation is not the row's, or its transaction is gone.
var refused = regexp.MustCompile(`tick overtaken|lease on the host is lost|came to nothing|not released`)

// intent is the point between the record of an intent and the request to the
// host: the commit of Intend, whose first write takes the event's number.
const intent = `^after commit\(TakeEventNumber\) @tick/`

// TestFreezePastTheLease freezes a coordinator at a point of its work, lets
// another one go on until the frozen one's lease is another's, and wakes it up.
// Whatever it wanted to do then must not happen a second time.
func TestFreezePastTheLease(t *testing.T) {
	t.Parallel()
	random := chance(t)
	if !*fullFlag {
		frozen := 0
		t.Run("sample", func(t *testing.T) {
			frozen = freezeThrough(t, random, fleet4("127.107.4"), 3, []string{intent + "stop-services$", intent + "setup$", intent + "put-back$"})
		})
		if frozen == 0 {
			t.Error("nothing was frozen")
		}
		return
	}
	points := tracedPoints(t, fleet4("127.107.4"))
	for i := range points {
		points[i] = "^" + regexp.QuoteMeta(points[i]) + "$"
	}
	for frozen, idle := 0, 0; frozen < 60**roundsFlag; {
		before := frozen
		// Every other freeze is exactly between the intent and the request.
		some := append([]string{}, points...)
		for range points {
			some = append(some, intent)
		}
		if !t.Run("rollout", func(t *testing.T) { frozen += freezeThrough(t, random, fleet4("127.107.4"), 100, some) }) {
			return
		}
		if idle++; frozen > before {
			idle = 0
		}
		if idle == 5 {
			t.Fatalf("%d freezes, and no more come", frozen)
		}
	}
}

// freezeThrough is one rollout with at most so many freezes at points that the
// patterns name. It returns how many there were.
func freezeThrough(t *testing.T, random *rand.Rand, csv string, most int, patterns []string) int {
	t.Helper()
	a := newArena(t, csv, packed)
	told := a.told()
	a.approveAll(t)
	end := time.Now().Add(rolloutWithin)
	frozen, awake := 0, 0
	for !isDone(a.view(t)) && frozen < most {
		if time.Now().After(end) {
			t.Fatalf("not done within %s, after %d freezes", rolloutWithin, frozen)
		}
		pattern, file := patterns[random.IntN(len(patterns))], filepath.Join(t.TempDir(), "stopped")
		sleeper := a.coordinator(t, func(o *orders) { o.Trap = trap{Do: "stop", File: file, Only: pattern, Nth: 1 + random.IntN(3)} })
		if !poll(15*time.Second, func() bool { return len(mustPoints(t, file)) > 0 || isDone(a.view(t)) }) {
			sleeper.kill() // the point does not come any more
			continue
		}
		if len(mustPoints(t, file)) == 0 {
			break
		}
		frozen++
		point := sorted(mustPoints(t, file))[0]
		seen := len(sleeper.said(t))
		other := a.coordinator(t)
		a.takenOver(t, point)
		must(t, sleeper.cont())
		if poll(2*time.Second, func() bool { return refused.MatchString(sleeper.said(t)[seen:]) }) {
			awake++
		} else if regexp.MustCompile(intent).MatchString(point) {
			t.Errorf("frozen at %q, the awakened one was not refused: %s", point, sleeper.said(t)[seen:])
		}
		sleeper.stop()
		other.stop()
		t.Logf("frozen at %q, then: %s", point, sleeper.said(t)[seen:])
	}
	a.coordinator(t)
	a.finish(t, rolloutWithin)
	a.check(t)
	for _, twice := range told() {
		t.Errorf("a host was told twice: %s", twice)
	}
	ledger.injected("freeze past the lease, then awake", frozen)
	ledger.held("an awakened coordinator is refused", awake)
	return frozen
}

// effect is a request that starts or changes something on a host. In one attempt
// each is sent once: who goes on looks first at what is so already.
var effect = regexp.MustCompile(`(?i)schtasks(\.exe)? /run |^sc(\.exe)? (stop|start|config) `)

// told begins to note the requests that reach hosts; what it returns lists those
// that came more than once. The guards on the host hide them from what happens
// there, so that a process that acts without its lease is seen here only.
func (a *arena) told() func() []string {
	var mu sync.Mutex
	times := map[string]int{}
	a.watch(func(o twin.Observation) {
		if line, _ := o.Detail["line"].(string); o.What == "command" && effect.MatchString(line) {
			mu.Lock()
			defer mu.Unlock()
			times[o.Host+": "+line]++
		}
	})
	return func() (twice []string) {
		mu.Lock()
		defer mu.Unlock()
		for line, n := range times {
			if n > 1 {
				twice = append(twice, line)
			}
		}
		if len(times) == 0 {
			twice = append(twice, "nothing was seen at all")
		}
		return twice
	}
}

// takenOver waits until nothing is in a frozen process's hands any more: every
// upgrade in work was heard of after its leases ran out, or nothing is in work.
func (a *arena) takenOver(t testing.TB, point string) {
	t.Helper()
	lease := time.NewTimer(a.options.Lease + a.options.Lease/2)
	defer lease.Stop()
	<-lease.C
	began := a.databaseTime(t)
	if !poll(30*time.Second, func() bool {
		v := a.view(t)
		return isDone(v) || moved(v, began)
	}) {
		t.Fatalf("nobody went on with what was frozen at %q", point)
	}
}

// moved reports whether every upgrade in work was heard of since.
func moved(v store.RolloutView, since time.Time) bool {
	for _, w := range v.Waves {
		for _, u := range w.Upgrades {
			if (u.State == rollout.Running || u.State == rollout.OutOfSight) && (u.LastHeardAt == nil || u.LastHeardAt.Before(since)) {
				return false
			}
		}
	}
	return true
}

func (a *arena) databaseTime(t testing.TB) time.Time {
	t.Helper()
	var now time.Time
	must(t, a.Store.Pool().QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(&now))
	return now
}
