package rollout_test

import (
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
}

func newWorld(t *rapid.T, mild bool) *world {
	servers := randomFleet(t)
	policy := randomPolicy(t)
	if mild {
		for i := range servers {
			servers[i].Arch, servers[i].Cluster, servers[i].Nodes = "x64", "", nil
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
		s: rollout.Snapshot{Plan: plan, State: rollout.RolloutWaiting, Prepared: rapid.Bool().Draw(t, "prepared") || mild},
	}
	for i, names := range plan.Waves {
		w.s.Waves = append(w.s.Waves, rollout.WaveStatus{Number: i + 1, State: rollout.WaveWaiting})
		for _, name := range names {
			w.s.Upgrades = append(w.s.Upgrades, rollout.UpgradeStatus{Server: name, Wave: i + 1, State: rollout.Waiting, Approval: rollout.ApprovalNone})
		}
	}
	for _, s := range servers {
		w.servers[s.Name], w.build[s.Name] = s, s.Build
		if s.Build.IsZero() {
			w.build[s.Name] = rtm
		}
		if plan.WaveOf(s.Name) == 0 {
			w.s.Outside = append(w.s.Outside, rollout.OutsideServer{Server: s})
		}
	}
	return w
}

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
	actions := rollout.Next(w.s, w.now)
	if again := rollout.Next(w.s, w.now); !reflect.DeepEqual(actions, again) {
		w.t.Fatalf("two answers to one question: %v, %v", actions, again)
	}
	why := rollout.Explain(w.s, w.now)
	for _, a := range actions {
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
	u.StartedAt, u.BackInService = w.now, false
	w.ends[name] = w.now.Add(time.Duration(rapid.IntRange(5, 120).Draw(w.t, "minutes")) * time.Minute)
	w.fails[name] = rapid.IntRange(0, 5).Draw(w.t, "fails") == 0
}

func (w *world) read(name string) {
	if u := w.upgrade(name); u != nil {
		if u.ReadTriedAt = w.now; u.ReadError == "" {
			u.Build, u.ReadAt = w.build[name], w.now
		}
		return
	}
	for i := range w.s.Outside {
		if o := &w.s.Outside[i]; o.Server.Name == name || o.Server.Cluster != "" {
			o.Build, o.ReadAt, o.ReadTriedAt = w.build[o.Server.Name], w.now, w.now
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
			continue
		}
		w.move(u, rapid.SampledFrom([]rollout.Event{rollout.Fail, rollout.Interrupt, rollout.Doubt}).Draw(w.t, "end"))
		u.BackInService = u.State == rollout.Failed && rapid.Bool().Draw(w.t, "back")
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

// serves says whether a server is in service now.
func (w *world) serves(name string) bool {
	u := w.upgrade(name)
	if u == nil {
		for _, o := range w.s.Outside {
			if o.Server.Name == name {
				return !o.Down
			}
		}
		return true
	}
	return !u.Down && (u.StartedAt.IsZero() || u.State == rollout.Done || (u.BackInService && !inWork(u.State)))
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
		if w.j.precedes(s, me) && w.build[other].Compare(sp1) < 0 && !w.hidden(s) {
			w.t.Fatalf("%s starts before %s reached the target: %+v, %+v, %s", name, other, w.upgrade(other), s, w.build[other])
		}
	}
	if p.AtOnce > 0 && running > p.AtOnce || p.AtOncePerSite > 0 && inSite > p.AtOncePerSite {
		w.t.Fatalf("%s is number %d in work and %d in its site", name, running, inSite)
	}
	if !w.serves(name) {
		return
	}
	for _, r := range me.Roles {
		have, serving := 0, 0
		for _, s := range w.servers {
			if strings.EqualFold(s.Site, me.Site) && s.Has(r) && !w.hidden(s) {
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

// hidden says that a CMS counts under another of its cluster.
func (w *world) hidden(s exchange.Server) bool {
	for _, o := range w.servers {
		if s.Cluster != "" && o.Cluster != "" && o.Name < s.Name {
			return true
		}
	}
	return false
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
	switch rapid.IntRange(0, 13).Draw(w.t, "meddling") {
	case 0, 1, 2:
		w.approve(u.Wave)
	case 3:
		u.Approval, u.Changed = rollout.ApprovalStale, []string{"AD site was A and is B"}
	case 4:
		u.Down = !u.Down
	case 5:
		if u.ReadError == "" {
			u.ReadError = "no answer"
		} else {
			u.ReadError = ""
		}
	case 6:
		try(rollout.PauseWave)
	case 7:
		try(rollout.ResumeWave)
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
	}
}
