//go:build !race

package torture

import (
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/store"
)

const rolloutWithin = 6 * time.Minute // of a rollout under kills

// TestKillAtEveryPoint kills the only coordinator at every write to the
// database (before it, after it, at the commit) in every step, and at every kind
// of action on a host, until a rollout passes without anything new. It then
// proves that nothing was left out: what an undisturbed run passes is in the list.
func TestKillAtEveryPoint(t *testing.T) {
	if !*fullFlag {
		t.Skip("make torture runs it; TestKillAtSomePoints is the sample")
	}
	points := filepath.Join(t.TempDir(), "points")
	seen := map[string]bool{}
	for round := 1; ; round++ {
		killed := 0
		t.Run("rollout", func(t *testing.T) { killed = killThrough(t, "127.107.1", trap{Do: "kill", File: points}, seen) })
		t.Logf("rollout %d: %d kills, %d points of the database so far", round, killed, len(mustPoints(t, points)))
		if t.Failed() {
			return
		}
		if killed > 0 && round < 40 {
			continue
		}
		missing := untouched(t, points)
		if len(missing) == 0 {
			break
		}
		t.Logf("an undisturbed run passes what no kill has hit yet: %v", missing)
		if round >= 50 {
			t.Fatalf("%d points are never hit", len(missing))
		}
	}
	hit := mustPoints(t, points)
	t.Logf("%d points of the database and %d of hosts, each hit once", len(hit), len(seen))
	for _, p := range sorted(hit) {
		t.Log(p)
	}
	for _, p := range sorted(seen) {
		t.Log(p)
	}
}

// untouched lists the points of an undisturbed run that the file does not have.
func untouched(t *testing.T, file string) []string {
	hit := mustPoints(t, file)
	var missing []string
	for _, p := range tracedPoints(t, fleet12("127.107.1")) {
		if !hit[p] {
			missing = append(missing, p)
		}
	}
	return missing
}

// tracedPoints are the points that one undisturbed rollout passes.
func tracedPoints(t *testing.T, csv string) (points []string) {
	t.Helper()
	if !t.Run("undisturbed", func(t *testing.T) {
		a := newArena(t, csv, packed, staged)
		a.approveAll(t)
		file := filepath.Join(a.dir, "trace")
		c := a.coordinator(t, func(o *orders) { o.Trap = trap{Do: "trace", File: file} })
		a.finish(t, rolloutWithin)
		c.stop()
		a.check(t)
		points = sorted(mustPoints(t, file))
	}) {
		t.FailNow()
	}
	return points
}

// TestKillAtSomePoints is the sample of TestKillAtEveryPoint: an undisturbed
// run is traced, and a second one is killed at some of its points.
func TestKillAtSomePoints(t *testing.T) {
	t.Parallel()
	if *fullFlag {
		t.Skip("TestKillAtEveryPoint kills at all of them")
	}
	random := chance(t)
	points := tracedPoints(t, fleet4("127.107.1"))
	random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	first := slices.IndexFunc(points, func(p string) bool { return strings.HasSuffix(p, "@stage") })
	if first < 0 {
		t.Fatalf("no staging was in work: %q", points)
	}
	points[0], points[first] = points[first], points[0]
	const sample = 8
	chosen := points[:min(sample, len(points))]
	t.Logf("%d points, of which %q", len(points), chosen)
	for i, p := range chosen {
		chosen[i] = regexp.QuoteMeta(p)
	}
	some := func(point string) bool { return random.IntN(60) == 0 }
	file := filepath.Join(t.TempDir(), "points")
	only := "^(" + strings.Join(chosen, "|") + ")$"
	t.Run("killed", func(t *testing.T) {
		killed := killFleet(t, fleet4("127.107.1"), trap{Do: "kill", File: file, Only: only}, map[string]bool{}, some)
		if killed == 0 {
			t.Error("nothing was killed")
		}
		t.Logf("%d kills", killed)
	})
}

// killThrough is one rollout of twelve servers, killed at every point that is new.
func killThrough(t *testing.T, net string, orders trap, seen map[string]bool) int {
	t.Helper()
	return killFleet(t, fleet12(net), orders, seen, func(string) bool { return true })
}

// killFleet carries out one rollout with one coordinator at a time, which kills
// itself by its orders, or is killed when a host gets to a point that is new and
// wanted. It returns how often it died.
func killFleet(t *testing.T, csv string, own trap, seen map[string]bool, wanted func(point string) bool) int {
	t.Helper()
	a := newArena(t, csv, packed, staged)
	a.approveAll(t)
	var mu sync.Mutex
	var now *coordinator
	onHost, last := 0, ""
	a.watch(func(o twin.Observation) {
		point := hostPoint(o)
		mu.Lock()
		defer mu.Unlock()
		if now == nil || seen[point] || now.dead() || !wanted(point) {
			return
		}
		seen[point] = true
		onHost++
		now.kill()
		last = "host: " + o.Host + " " + point
	})
	died := 0
	for {
		began, at := time.Now(), a.view(t).LastEvent
		c := a.coordinator(t, func(o *orders) { o.Trap = own })
		mu.Lock()
		was := last
		now, last = c, ""
		mu.Unlock()
		done := false
		if !poll(rolloutWithin, func() bool {
			v, err := a.Store.Rollout(t.Context(), a.rollout)
			done = err == nil && isDone(v)
			if err == nil && v.LastEvent > at && !began.IsZero() {
				if took := time.Since(began); took > 4*a.options.Lease {
					t.Logf("%s to the next event after %s", took.Round(10*time.Millisecond), was)
				}
				began = time.Time{}
			}
			return done || c.dead()
		}) {
			t.Fatal("neither a kill nor the end of the rollout")
		}
		if done {
			mu.Lock()
			now = nil
			mu.Unlock()
			died += a.killedAtItsEnd(t, c, own)
			break
		}
		<-c.died
		died++
		mu.Lock()
		if last == "" {
			last = tailOf(own.File, 1)
		}
		mu.Unlock()
		if said := c.said(t); strings.Contains(said, "panic:") || strings.Contains(said, "coordinator:") {
			t.Fatalf("the coordinator did not die of a kill: %s", tailOf(c.log, 30))
		}
		if died > 2000 {
			t.Fatal("the kills have no end")
		}
	}
	a.coordinator(t) // whatever was left is swept by a live one
	a.check(t)
	mu.Lock()
	defer mu.Unlock()
	ledger.injected("kill on a database write or commit", died-onHost)
	ledger.injected("kill at an action on a host", onHost)
	return died
}

// killedAtItsEnd lets a coordinator come to its end, which may hold points of
// its own (it resigns as River's leader), until one gets through. It returns how
// often one died of its orders.
func (a *arena) killedAtItsEnd(t *testing.T, c *coordinator, own trap) int {
	t.Helper()
	for died := 0; ; died++ {
		hit := len(mustPoints(t, own.File))
		c.stop()
		if len(mustPoints(t, own.File)) == hit {
			return died
		}
		began := a.databaseTime(t)
		c = a.coordinator(t, func(o *orders) { o.Trap = own })
		if !poll(30*time.Second, func() bool {
			at, err := a.leaderSince(t)
			return c.dead() || err == nil && at.After(began)
		}) {
			t.Fatal("nobody becomes River's leader")
		}
	}
}

// leaderSince is when River's present leader was elected.
func (a *arena) leaderSince(t testing.TB) (time.Time, error) {
	t.Helper()
	var at time.Time
	err := a.Store.Pool().QueryRow(t.Context(), "SELECT elected_at FROM river_leader").Scan(&at)
	return at, err
}

var (
	hexNumber = regexp.MustCompile(`\b[0-9a-f]{8,}\b`)
	number    = regexp.MustCompile(`[0-9]+`)
	longWord  = regexp.MustCompile(`[A-Za-z0-9+/=]{60,}`)
)

// hostPoint names what happens on a host without the server, the upgrade and
// what is written.
func hostPoint(o twin.Observation) string {
	if o.What != "command" {
		return o.What
	}
	line, _ := o.Detail["line"].(string)
	line = strings.ToLower(line)
	line = longWord.ReplaceAllString(line, "DATA")
	line = hexNumber.ReplaceAllString(line, "ID")
	line = number.ReplaceAllString(line, "N")
	if len(line) > 90 {
		line = line[:90]
	}
	return "command " + line
}

// TestKillAtRandom kills one of two coordinators at random moments.
func TestKillAtRandom(t *testing.T) {
	t.Parallel()
	random := chance(t)
	csv, wanted := fleet4("127.107.2"), 6
	if *fullFlag {
		csv, wanted = fleet12("127.107.2"), 200**roundsFlag
	}
	for killed := 0; killed < wanted; {
		ok := t.Run("rollout", func(t *testing.T) { killed += killAtRandom(t, random, csv, wanted-killed) })
		if !ok {
			return
		}
	}
}

func killAtRandom(t *testing.T, random *rand.Rand, csv string, most int) int {
	a := newArena(t, csv, packed)
	a.approveAll(t)
	two := []*coordinator{a.coordinator(t), a.coordinator(t)}
	killed := 0
	end := time.Now().Add(rolloutWithin)
	for {
		pause := time.Duration(100+random.IntN(1900)) * time.Millisecond
		v, err := store.RolloutView{}, error(nil)
		if poll(pause, func() bool {
			v, err = a.Store.Rollout(t.Context(), a.rollout)
			return err == nil && isDone(v)
		}) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("not done within %s, after %d kills", rolloutWithin, killed)
		}
		if killed < most {
			i := random.IntN(2)
			two[i].kill()
			two[i] = a.coordinator(t)
			killed++
		}
	}
	a.check(t)
	ledger.injected("kill at a random moment", killed)
	return killed
}

func mustPoints(t testing.TB, file string) map[string]bool {
	t.Helper()
	points, err := readPoints(file)
	must(t, err)
	return points
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	sort.Strings(out)
	return slices.Clip(out)
}
