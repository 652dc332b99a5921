package rollout_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// world is a rollout with its hosts: it applies what Next wants by the state
// tables and judges every start by the truth that it keeps itself.
type world struct {
	t       *rapid.T
	j       judge
	now     time.Time
	s       rollout.Snapshot
	servers map[string]exchange.Server
	build   map[string]exchange.Build // the truth
	ends    map[string]time.Time
	fails   map[string]bool
	holds   int
	mild    bool // nobody stops the rollout for good

	members   map[string][]string  // the servers of a unit, by its first
	witness   map[string]string    // of a cluster: the server that holds its file share witness
	outage    map[string]bool      // the truth: out of service by no doing of ours
	elsewhere map[string]bool      // in work in another rollout
	untouched map[string]bool      // only verified so far: Setup never began
	seen      map[string]time.Time // when a server was last seen in service, by a look or by our own verification
}

func newWorld(t *rapid.T, mild bool) *world {
	servers := randomFleet(t)
	policy := randomPolicy(t)
	if mild {
		clusters := map[string]bool{}
		for i := range servers {
			servers[i].Arch = "x64"
			if key := fmt.Sprint(servers[i].Nodes); servers[i].Cluster != "" && clusters[key] {
				servers[i].Cluster, servers[i].Nodes = "", nil // each cluster keeps a passive node
			} else {
				clusters[key] = true
			}
		}
		if policy.Floor.Percent > 0 {
			policy.Floor = rollout.Floor{Percent: 50}
		}
	}
	scope := rapid.SampledFrom([]string{"organization", "site"}).Draw(t, "scope")
	pkg := packageNamed(t, "sp1")
	plan, _, err := rollout.Make(servers, pkg, rollout.Options{Scope: scope, Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, j: newJudge(servers, "standard", scope, pkg.Target), now: time.Date(2008, 1, 7, 20, 0, 0, 0, time.UTC), servers: map[string]exchange.Server{},
		build: map[string]exchange.Build{}, ends: map[string]time.Time{}, fails: map[string]bool{},
		mild: mild, witness: map[string]string{}, outage: map[string]bool{}, elsewhere: map[string]bool{}, untouched: map[string]bool{}, seen: map[string]time.Time{},
		s: rollout.Snapshot{Plan: plan, State: rollout.RolloutWaiting, Prepared: rapid.Bool().Draw(t, "prepared") || mild},
	}
	for i, names := range plan.Waves {
		w.s.Waves = append(w.s.Waves, rollout.WaveStatus{Number: i + 1, State: rollout.WaveWaiting})
		for _, name := range names {
			w.s.Upgrades = append(w.s.Upgrades, rollout.UpgradeStatus{Server: name, Wave: i + 1, State: rollout.Waiting, Approval: rollout.ApprovalNone})
		}
	}
	for _, s := range servers {
		if plan.WaveOf(s.Name) == 0 {
			w.s.Outside = append(w.s.Outside, rollout.OutsideServer{Server: s})
		}
	}
	var units []exchange.Server
	units, w.members, _ = merged(servers)
	for _, s := range units {
		w.servers[s.Name], w.build[s.Name] = s, s.Build
		if s.Build.IsZero() {
			w.build[s.Name] = rtm
		}
	}
	w.drawWitnesses()
	return w
}

// drawWitnesses gives clusters the host of a file share witness, or none.
func (w *world) drawWitnesses() {
	for _, name := range w.names() {
		if w.servers[name].Cluster == "" || rapid.Bool().Draw(w.t, "no witness") {
			continue
		}
		holder := w.anyServer()
		if holder == name || w.servers[holder].Cluster != "" {
			continue
		}
		w.witness[name] = holder
		if u := w.upgrade(name); u != nil {
			u.Witness = holder
		}
		for i := range w.s.Outside {
			if w.s.Outside[i].Server.Name == name {
				w.s.Outside[i].Witness = holder
			}
		}
	}
}

// busy says that a unit is in work, or was begun and is not back.
func (w *world) busy(name string) bool { return w.ours(name) || w.elsewhere[name] }

func (w *world) upgrade(name string) *rollout.UpgradeStatus {
	for i := range w.s.Upgrades {
		if w.s.Upgrades[i].Server == name {
			return &w.s.Upgrades[i]
		}
	}
	return nil
}

func (w *world) move(u *rollout.UpgradeStatus, e rollout.Event) {
	to, err := rollout.UpgradeTable.After(u.State, e)
	if err != nil {
		w.t.Fatalf("%s: %v", u.Server, err)
	}
	u.State = to
}

func (w *world) moveWave(number int, e rollout.WaveEvent) {
	v := &w.s.Waves[number-1]
	to, err := rollout.WaveTable.After(v.State, e)
	if err != nil {
		w.t.Fatalf("wave %d: %v", number, err)
	}
	v.State = to
}

func (w *world) moveRollout(e rollout.RolloutEvent) {
	to, err := rollout.RolloutTable.After(w.s.State, e)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s.State = to
}

// turn asks Next and applies its answer.
func (w *world) turn() {
	for i := range w.s.Outside {
		w.s.Outside[i].InWorkElsewhere = false
	}
	for name := range w.elsewhere {
		for _, member := range w.members[name] {
			*w.health(member) = rollout.Health{Down: true, HealthAt: w.now}
			for i := range w.s.Outside {
				if w.s.Outside[i].Server.Name == member {
					w.s.Outside[i].InWorkElsewhere = true
				}
			}
		}
	}
	for i := range w.s.Upgrades {
		w.s.Upgrades[i].InWorkElsewhere = w.elsewhere[w.s.Upgrades[i].Server]
	}
	actions := rollout.Next(w.s, w.now)
	if again := rollout.Next(w.s, w.now); !reflect.DeepEqual(actions, again) {
		w.t.Fatalf("two answers to one question: %v, %v", actions, again)
	}
	why := rollout.Explain(w.s, w.now)
	for _, a := range actions {
		w.judgeAction(a)
		switch a.Kind {
		case rollout.DoRunRollout:
			w.moveRollout(rollout.RunRollout)
		case rollout.DoFinishRollout:
			w.moveRollout(rollout.FinishRollout)
		case rollout.DoOpenWave:
			w.judgeOpening(a.Wave)
			w.moveWave(a.Wave, rollout.OpenWave)
		case rollout.DoStopWave:
			w.moveWave(a.Wave, rollout.StopWave)
		case rollout.DoFinishWave:
			w.moveWave(a.Wave, rollout.FinishWave)
		case rollout.DoStart:
			if len(why[a.Server]) > 0 {
				w.t.Fatalf("%s starts although %v", a.Server, why[a.Server])
			}
			if w.elsewhere[a.Server] {
				w.t.Fatalf("%s starts while another rollout has it in work", a.Server)
			}
			w.judgeStart(a.Server)
			w.start(a.Server)
		case rollout.DoHold:
			if len(a.Reasons) == 0 || a.Reasons[0].Text == "" {
				w.t.Fatalf("%s is held without a reason", a.Server)
			}
			u := w.upgrade(a.Server)
			w.move(u, rollout.Hold)
			u.Reasons = a.Reasons
			w.holds++
		case rollout.DoRefresh:
			w.read(a.Server)
		}
	}
}

func (w *world) start(name string) {
	u := w.upgrade(name)
	w.move(u, rollout.Start)
	u.StartedAt, u.BackInService, u.Accepted, u.Hooked = w.now, false, false, false
	delete(w.untouched, name)
	w.ends[name] = w.now.Add(time.Duration(rapid.IntRange(5, 120).Draw(w.t, "minutes")) * time.Minute)
	w.fails[name] = rapid.IntRange(0, 5).Draw(w.t, "fails") == 0
}

// health is where the snapshot keeps a server's.
func (w *world) health(name string) *rollout.Health {
	if u := w.upgrade(name); u != nil {
		return &u.Health
	}
	for i := range w.s.Outside {
		if w.s.Outside[i].Server.Name == name {
			return &w.s.Outside[i].Health
		}
	}
	return &rollout.Health{}
}

// look has the truth of a server's being in service seen.
func (w *world) look(name string) {
	if w.elsewhere[name] {
		return
	}
	delete(w.seen, name)
	for _, member := range w.members[name] {
		h := w.health(member)
		*h = rollout.Health{HealthAt: w.now}
		if w.outage[name] {
			if h.Down = name[len(name)-1]%2 == 0; !h.Down { // by the services, or by no answer
				h.Unseen = true
			}
		}
	}
	if !w.outage[name] {
		w.seen[name] = w.now
	}
}

func (w *world) read(name string) {
	w.look(name)
	if u := w.upgrade(name); u != nil {
		if u.ReadTriedAt = w.now; u.ReadError == "" {
			u.Build, u.ReadAt = w.build[name], w.now
		}
		return
	}
	for i := range w.s.Outside {
		if o := &w.s.Outside[i]; slices.Contains(w.members[name], o.Server.Name) {
			o.Build, o.ReadAt, o.ReadTriedAt = w.build[name], w.now, w.now
		}
	}
}

// pass lets time go by and ends what has come to its end.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for i := range w.s.Upgrades {
		u := &w.s.Upgrades[i]
		if u.State != rollout.Running || w.now.Before(w.ends[u.Server]) {
			continue
		}
		if !w.fails[u.Server] {
			w.build[u.Server] = sp1
			w.move(u, rollout.Finish)
			u.VerifiedAt, u.Build, u.ReadAt = w.now, sp1, w.now
			if !w.elsewhere[u.Server] {
				u.Health, w.seen[u.Server] = rollout.Health{HealthAt: w.now}, w.now
			}
			continue
		}
		if u.Returns == "" && !u.Failing && !w.untouched[u.Server] {
			u.Hooked = rapid.IntRange(0, 3).Draw(w.t, "a hook failed") == 0
		}
		if !u.Failing && u.Returns == "" && rapid.Bool().Draw(w.t, "puts back") {
			u.Failing, w.ends[u.Server] = true, w.now.Add(5*time.Minute)
			continue
		}
		if u.Returns != "" {
			u.State, u.Returns = u.Returns, ""
			continue
		}
		u.Failing = false
		ends := []rollout.Event{rollout.Fail, rollout.Interrupt, rollout.Doubt}
		if w.untouched[u.Server] {
			ends = ends[:1]
		}
		w.move(u, rapid.SampledFrom(ends).Draw(w.t, "end"))
		if u.BackInService = u.State == rollout.Failed && (w.untouched[u.Server] || rapid.Bool().Draw(w.t, "back")); u.BackInService && !w.elsewhere[u.Server] {
			u.Health, w.seen[u.Server] = rollout.Health{HealthAt: w.now}, w.now
		}
	}
}

func (w *world) judgeOpening(number int) {
	if w.s.Waves[number-1].State != rollout.WaveApproved {
		w.t.Fatalf("wave %d opens without an approval", number)
	}
	for _, v := range w.s.Waves[:number-1] {
		if v.State != rollout.WaveDone && !w.s.Plan.Policy.Overlap {
			w.t.Fatalf("wave %d opens while wave %d is %s", number, v.Number, v.State)
		}
	}
}

func inWork(s rollout.State) bool {
	return slices.Contains([]rollout.State{rollout.Running, rollout.Paused, rollout.OutOfSight, rollout.Interrupted, rollout.Unknown}, s)
}

// serves says whether a server was in service when it was last seen, lately and
// by no doing of ours out of it.
func (w *world) serves(name string) bool {
	at, ok := w.seen[name]
	return ok && w.now.Sub(at) <= 5*time.Minute && !w.elsewhere[name] && !w.ours(name)
}

// ours says whether a server is out of service by what we did to it.
func (w *world) ours(name string) bool {
	u := w.upgrade(name)
	return u != nil && !u.StartedAt.IsZero() && u.State != rollout.Done && (!u.BackInService || inWork(u.State))
}

// judgeAction fails the test when what is in work, or a rollout or a wave that
// nothing may start in, is touched.
func (w *world) judgeAction(a rollout.Action) {
	if a.Kind != rollout.DoStart && a.Kind != rollout.DoHold {
		return
	}
	u := w.upgrade(a.Server)
	if u.State != rollout.Waiting && u.State != rollout.Held {
		w.t.Fatalf("%s, which is %s, is to %s", a.Server, u.State, a.Kind)
	}
	if w.s.State != rollout.RolloutRunning || w.s.Waves[u.Wave-1].State != rollout.WaveRunning {
		w.t.Fatalf("%s of %s in a rollout that is %s, in a wave that is %s", a.Kind, a.Server, w.s.State, w.s.Waves[u.Wave-1].State)
	}
	broken := 0
	for _, o := range w.s.Upgrades {
		standing := o.State
		if o.Returns != "" {
			standing = o.Returns
		}
		if o.Hooked && (o.Failing || standing == rollout.Failed) {
			continue // a hook's failure stops its server alone
		}
		if o.Wave == u.Wave && !o.Accepted && (o.Failing || slices.Contains([]rollout.State{rollout.Failed, rollout.Interrupted, rollout.Unknown}, standing)) {
			broken++
		}
	}
	if limit := w.s.Plan.Policy.StopAfterFailures; limit > 0 && broken >= limit {
		w.t.Fatalf("%s of %s in a wave in which %d did not succeed and that stops after %d", a.Kind, a.Server, broken, limit)
	}
}

// judgeStart fails the test when a start breaks a promise.
func (w *world) judgeStart(name string) {
	u, me := w.upgrade(name), w.servers[name]
	p := w.s.Plan.Policy
	if w.s.State != rollout.RolloutRunning || w.s.Waves[u.Wave-1].State != rollout.WaveRunning {
		w.t.Fatalf("%s starts in a rollout that is %s, wave %s", name, w.s.State, w.s.Waves[u.Wave-1].State)
	}
	if u.Approval != rollout.ApprovalMatching || !w.s.Prepared {
		w.t.Fatalf("%s starts with approval %s, prepared %v", name, u.Approval, w.s.Prepared)
	}
	if w.now.Sub(u.ReadAt) > 30*time.Minute || u.ReadError != "" && u.ReadAt.IsZero() {
		w.t.Fatalf("%s starts on facts of %s", name, u.ReadAt)
	}
	for cluster, holder := range w.witness {
		if cluster == name && w.busy(holder) || holder == name && w.busy(cluster) {
			w.t.Fatalf("%s starts, and %s holds the witness of %s", name, holder, cluster)
		}
	}
	running, inSite := 1, 1
	for other, s := range w.servers {
		if other == name {
			continue
		}
		if o := w.upgrade(other); o != nil && inWork(o.State) {
			running++
			if strings.EqualFold(s.Site, me.Site) {
				inSite++
			}
		}
		if w.j.precedes(s, me) && w.build[other].Compare(sp1) < 0 {
			w.t.Fatalf("%s starts before %s reached the target: %+v, %+v, %s", name, other, w.upgrade(other), s, w.build[other])
		}
	}
	if p.AtOnce > 0 && running > p.AtOnce || p.AtOncePerSite > 0 && inSite > p.AtOncePerSite {
		w.t.Fatalf("%s is number %d in work and %d in its site", name, running, inSite)
	}
	if at := w.health(name); at.Down && w.now.Sub(at.HealthAt) <= 5*time.Minute || w.ours(name) {
		return // nothing is taken away
	}
	for _, r := range me.Roles {
		have, serving := 0, 0
		for _, s := range w.servers {
			if strings.EqualFold(s.Site, me.Site) && s.Has(r) {
				have++
				if s.Name != name && w.serves(s.Name) {
					serving++
				}
			}
		}
		if have >= 2 && serving < p.Floor.Of(have) {
			w.t.Fatalf("%s leaves %d of %d %s servers in service", name, serving, have, r)
		}
	}
}

func (w *world) approve(number int) {
	v := w.s.Waves[number-1]
	if !rollout.WaveTable.Allows(v.State, rollout.ApproveWave) {
		return
	}
	w.moveWave(number, rollout.ApproveWave)
	for i := range w.s.Upgrades {
		if w.s.Upgrades[i].Wave == number {
			w.s.Upgrades[i].Approval, w.s.Upgrades[i].Changed = rollout.ApprovalMatching, nil
		}
	}
}

// meddle is what people and the world do at any time.
func (w *world) meddle() {
	if len(w.s.Upgrades) == 0 {
		return
	}
	u := &w.s.Upgrades[rapid.IntRange(0, len(w.s.Upgrades)-1).Draw(w.t, "whom")]
	v := w.s.Waves[u.Wave-1]
	try := func(e rollout.WaveEvent) {
		if rollout.WaveTable.Allows(v.State, e) {
			w.moveWave(v.Number, e)
		}
	}
	any := w.anyServer()
	switch rapid.IntRange(0, 18).Draw(w.t, "meddling") {
	case 0, 1, 2:
		w.approve(u.Wave)
	case 3:
		u.Approval, u.Changed = rollout.ApprovalStale, []string{"AD site was A and is B"}
	case 4, 14:
		w.outage[any] = !w.outage[any]
	case 5:
		if u.ReadError == "" {
			u.ReadError = "no answer"
		} else {
			u.ReadError = ""
		}
	case 6:
		try(rollout.PauseWave)
	case 7:
		if rollout.WaveTable.Allows(v.State, rollout.ResumeWave) {
			w.accept(v.Number)
			try(rollout.ResumeWave)
		}
	case 8:
		if w.s.State == rollout.RolloutRunning {
			w.moveRollout(rollout.PauseRollout)
		}
	case 9:
		if w.s.State == rollout.RolloutPaused {
			w.moveRollout(rollout.ResumeRollout)
		}
	case 10:
		if rollout.UpgradeTable.Allows(u.State, rollout.Retry) {
			w.move(u, rollout.Retry)
			u.Hooked = false
		}
	case 11:
		if u.State == rollout.Running {
			w.move(u, rapid.SampledFrom([]rollout.Event{rollout.Pause, rollout.LoseSight}).Draw(w.t, "trouble"))
		}
	case 12:
		for _, e := range []rollout.Event{rollout.Resume, rollout.SeeAgain} {
			if rollout.UpgradeTable.Allows(u.State, e) {
				w.move(u, e)
			}
		}
	case 13:
		w.s.Prepared = !w.s.Prepared
	case 15:
		if w.elsewhere[any] {
			delete(w.elsewhere, any)
			for _, member := range w.members[any] {
				*w.health(member) = rollout.Health{} // the store forgets what was seen before
			}
		} else if o := w.upgrade(any); o == nil || !inWork(o.State) {
			w.elsewhere[any] = true
			delete(w.seen, any)
		}
	case 16:
		if decision := rapid.SampledFrom([]string{rollout.DecideLook, rollout.DecideClear, rollout.DecideUndo}).Draw(w.t, "decision"); u.State.MayDecide(decision) && u.State != rollout.OutOfSight && !w.elsewhere[u.Server] {
			returns := u.State.Returns(decision)
			w.move(u, rollout.Decide)
			if w.ends[u.Server] = w.now.Add(time.Minute); returns.Broken() {
				u.Returns, w.fails[u.Server] = returns, true
			}
		}
	case 17:
		if u.State.MayVerify() && !w.elsewhere[u.Server] {
			w.move(u, rollout.Repair)
			u.Accepted, u.BackInService, u.Failing, u.Hooked = false, false, false, false
			if u.StartedAt.IsZero() {
				u.StartedAt, w.untouched[u.Server] = w.now, true
			}
			w.ends[u.Server], w.fails[u.Server] = w.now.Add(time.Minute), rapid.Bool().Draw(w.t, "not repaired")
		}
	case 18:
		if rapid.IntRange(0, 9).Draw(w.t, "stops") == 0 && rollout.RolloutTable.Allows(w.s.State, rollout.StopRollout) && !w.mild {
			w.moveRollout(rollout.StopRollout)
		}
	}
}

func (w *world) anyServer() string { return rapid.SampledFrom(w.names()).Draw(w.t, "server") }

func (w *world) names() []string {
	names := make([]string, 0, len(w.servers))
	for name := range w.servers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// accept is what resuming a wave says of those that did not succeed in it.
func (w *world) accept(number int) {
	for i := range w.s.Upgrades {
		u := &w.s.Upgrades[i]
		if u.Wave == number && (u.State.Broken() || u.Failing || u.Returns.Broken()) {
			u.Accepted = true
		}
	}
}
