//go:build !race

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// program builds the binary for a test that runs it as a process.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wavekeeper")
	if out, err := exec.Command("go", "build", "-o", path, "wavekeeper/server").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return path
}

// truth is the journal of the simulated hosts: what really happened.
type truth struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *truth) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *truth) count(what string) map[string]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := map[string]int{}
	for line := range bytes.Lines(j.text.Bytes()) {
		var entry struct{ Host, What string }
		if json.Unmarshal(line, &entry) == nil && entry.What == what {
			n[entry.Host]++
		}
	}
	return n
}

// killed is a coordinator that dies by SIGKILL at one point, in the moment in
// which the simulated host gets to it.
type killed struct {
	point func(twin.Observation) bool
	mu    sync.Mutex
	serve *exec.Cmd
	when  time.Time
	died  chan struct{}
}

func (k *killed) observe(o twin.Observation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.serve == nil || !k.when.IsZero() || !k.point(o) {
		return
	}
	k.when = time.Now()
	// Wait says "signal: killed", which is what was done.
	_ = k.serve.Process.Kill()
	_ = k.serve.Wait()
	close(k.died)
}

// commandLineHas says whether the observation is a command line with all the words.
func commandLineHas(o twin.Observation, words ...string) bool {
	line, _ := o.Detail["line"].(string)
	for _, w := range words {
		if !strings.Contains(strings.ToLower(line), strings.ToLower(w)) {
			return false
		}
	}
	return o.What == "command"
}

// TestKillCoordinator kills `serve` at the five points at which a second start
// or a lost change would be possible, and starts another one.
func TestKillCoordinator(t *testing.T) {
	ended := func(j *truth) bool { return j.count("setup-ended")["CAS1"] > 0 }
	points := []struct {
		name  string
		speed float64
		point func(twin.Observation, *truth) bool
	}{
		{"before the task is created", 2000, func(o twin.Observation, _ *truth) bool { return commandLineHas(o, "schtasks", "/create", "-setup-") }},
		{"between create and run", 2000, func(o twin.Observation, _ *truth) bool { return commandLineHas(o, "schtasks", "/run", "-setup-") }},
		{"during Setup", 150, func(o twin.Observation, _ *truth) bool { return o.What == "setup-started" }},
		{"after Setup", 2000, func(o twin.Observation, _ *truth) bool { return o.What == "setup-ended" }},
		{"during put-back", 2000, func(o twin.Observation, j *truth) bool {
			return commandLineHas(o, "sc", "BackupAgent") && ended(j)
		}},
	}
	binary := program(t)
	// All at once, whatever the number of processors: they mostly wait for the
	// dead one's lease to run out, which takes up to 25 s by design.
	var all sync.WaitGroup
	for i, p := range points {
		all.Go(func() {
			t.Run(p.name, func(t *testing.T) { killOnce(t, binary, fmt.Sprintf("127.0.83.%d", i+1), p.speed, p.point) })
		})
	}
	all.Wait()
}

func killOnce(t *testing.T, binary, address string, speed float64, point func(twin.Observation, *truth) bool) {
	journal := &truth{}
	k := &killed{died: make(chan struct{})}
	k.point = func(o twin.Observation) bool { return point(o, journal) }
	db := storetest.New(t)
	f := furnished(t, db, journal, k, fmt.Sprintf(`server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,%s,5985,BackupAgent
`, address), speed)
	first := f.serve(t, binary)
	k.mu.Lock()
	k.serve = first
	k.mu.Unlock()
	f.approve(t)
	select {
	case <-k.died:
	case <-time.After(90 * time.Second):
		f.say(t)
		t.Fatal("the point was not reached")
	}
	second := f.serve(t, binary)
	t.Cleanup(func() {
		// It ends with the test, whatever state it is in.
		_ = second.Process.Kill()
		_ = second.Wait()
	})
	f.await(t, 3*time.Minute)

	v, err := db.Store.Rollout(t.Context(), f.rollout)
	if err != nil {
		t.Fatal(err)
	}
	u := v.Waves[0].Upgrades[0]
	if u.State != rollout.Done || u.Build != "8.1.240.6" {
		t.Errorf("%s is %s at %s, want done at 8.1.240.6", u.Server, u.State, u.Build)
	}
	if n := journal.count("setup-started"); n["CAS1"] != 1 {
		t.Errorf("Setup was started %v times, want once", n)
	}
	if n := journal.count("order-broken"); len(n) != 0 {
		t.Errorf("order broken on %v", n)
	}
	full, err := db.Store.Upgrade(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(full.Ledger) == 0 {
		t.Error("the ledger is empty, want the stopped service in it")
	}
	for _, l := range full.Ledger {
		if l.RestoredAt == nil || l.Deviation != "" {
			t.Errorf("ledger: %s %s is not put back: %q", l.Kind, l.Name, l.Deviation)
		}
	}
	events, err := db.Store.Events(t.Context(), f.rollout, 0, 100000)
	if err != nil {
		t.Fatal(err)
	}
	after := time.Time{}
	for i, e := range events {
		if e.Number != int64(i)+1 {
			t.Fatalf("event %d has number %d, want no gap", i+1, e.Number)
		}
		if after.IsZero() && e.At.After(k.when) {
			after = e.At
		}
	}
	t.Logf("%s after the kill the next event was written", after.Sub(k.when).Round(100*time.Millisecond))
}

// furnishedDB is a fleet, its database and a submitted plan.
type furnishedDB struct {
	storetest.DB
	dir      string
	operator store.Actor
	rollout  int64
	hash     string
	book     rollout.Runbook
}

func furnished(t *testing.T, db storetest.DB, journal *truth, k *killed, csv string, speed float64) *furnishedDB {
	t.Helper()
	ctx := t.Context()
	inv, faults := exchange.ReadInventory(strings.NewReader(csv))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	secrets := demoSecrets{WinRM: "Winrm-Secret-1", RunAs: "Runas-Secret-2"}
	fleet, err := twin.Start(context.Background(), twin.Options{
		Servers: inv.Servers, User: demoUser, Password: secrets.WinRM, RunAs: demoRunAs, RunAsPassword: secrets.RunAs,
		Speed: speed, Journal: journal, Observe: k.observe,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Close() })
	f := &furnishedDB{DB: db, dir: t.TempDir(), book: runbook.Standalone().Plain()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = db.Store.Installation(ctx, false)
	must(err)
	admin := store.Actor{Name: "test", From: "test", Roles: []string{"admin"}}
	must(furnishHosts(ctx, db.Store, admin, filepath.Join(f.dir, "key"), secrets))
	_, err = db.Store.ImportInventory(ctx, admin, inv, nil, store.ImportOptions{})
	must(err)
	people := map[string]store.Actor{}
	for name, role := range map[string]string{"admin": "admin", "lead": "planner", "operator": "operator"} {
		id, err := db.Store.AddPerson(ctx, admin, store.NewPerson{Name: name, Hash: "x", Roles: []string{role}})
		must(err)
		people[name] = store.Actor{PersonID: id, Name: name, From: "test", Roles: []string{role}}
	}
	f.operator = people["operator"]
	pkg, err := exchange.PackageByName("sp1")
	must(err)
	plan, _, err := rollout.Make(inv.Servers, pkg, rollout.Options{})
	must(err)
	_, revision, err := db.Store.CreatePlan(ctx, people["lead"], "SP1", plan)
	must(err)
	f.hash, err = plan.Hash()
	must(err)
	f.rollout, err = db.Store.SubmitRevision(ctx, people["lead"], revision, f.hash, f.book)
	must(err)
	must(db.Store.RecordPreparation(ctx, people["lead"], "sp1", "", "PrepareAD ran"))
	return f
}

// serve starts a coordinator as a process of its own.
func (f *furnishedDB) serve(t *testing.T, binary string) *exec.Cmd {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "--listen", address, "--key-file", filepath.Join(f.dir, "key"), "--workers", "10")
	cmd.Env = append(os.Environ(), "DATABASE_URL="+f.URL)
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func (f *furnishedDB) approve(t *testing.T) {
	t.Helper()
	v, err := f.Store.Rollout(t.Context(), f.rollout)
	if err != nil {
		t.Fatal(err)
	}
	for _, wave := range v.Waves {
		content, err := f.Store.WaveContent(t.Context(), wave.ID, f.book)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Store.ApproveWave(t.Context(), f.operator, wave.ID, content.Seen, "go", f.book); err != nil {
			t.Fatal(err)
		}
	}
}

// await polls until the rollout is done.
func (f *furnishedDB) await(t *testing.T, within time.Duration) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	for {
		v, err := f.Store.Rollout(t.Context(), f.rollout)
		if err != nil {
			t.Fatal(err)
		}
		if v.State == rollout.RolloutDone {
			return
		}
		select {
		case <-deadline.C:
			f.say(t)
			t.Fatalf("the rollout is %s after %s", v.State, within)
		case <-every.C:
		}
	}
}

func (f *furnishedDB) say(t *testing.T) {
	t.Helper()
	events, err := f.Store.LatestEvents(t.Context(), f.rollout, 30)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(events) - 1; i >= 0; i-- {
		t.Logf("event %d %s %s %s: %s", events[i].Number, events[i].Kind, events[i].Server, events[i].Step, events[i].Text)
	}
	v, err := f.Store.Rollout(t.Context(), f.rollout)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range v.Waves {
		for _, u := range w.Upgrades {
			t.Logf("%s is %s at %s: %s %v", u.Server, u.State, u.Step, u.Message, u.Reasons)
		}
	}
}
