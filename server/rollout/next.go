package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

const (
	// FactsFresh is how old a reading may be when something is started on it.
	FactsFresh = 30 * time.Minute
	// ReadAgainAfter is how long after a failed reading the next is asked for.
	ReadAgainAfter = 2 * time.Minute
	// HealthFresh is how long ago a server may have been seen in service when
	// another one is taken out because of it.
	HealthFresh = 5 * time.Minute
)

// Next says what may happen now. It is the only place that decides: it opens,
// stops and finishes waves, starts upgrades or holds them with reasons, asks
// for readings that are too old, and finishes the rollout. The same snapshot
// and time give the same answer. A plan by a rule set that is not known gets no
// answer: nothing starts (ReadPlan refuses such a plan).
func Next(s Snapshot, now time.Time) []Action {
	d, err := newDecision(s, now)
	if err != nil {
		return nil
	}
	d.decide()
	return d.actions
}

// Explain answers "why is this server not starting?" for every upgrade that
// has not begun. A server without reasons starts with the next decision.
func Explain(s Snapshot, now time.Time) map[string][]Reason {
	out := map[string][]Reason{}
	d, err := newDecision(s, now)
	if err != nil {
		for _, u := range s.Upgrades {
			out[u.Server] = []Reason{plainReason("rule-set-is-not-known", "The plan's rule set "+s.Plan.RuleSet+" is not known.")}
		}
		return out
	}
	d.explain = func(server string, reasons []Reason) { out[server] = reasons }
	d.decide()
	return out
}

// decision is Next at work: the snapshot, what follows from it, and the
// actions so far.
type decision struct {
	s        Snapshot
	now      time.Time
	order    *order
	units    map[string]*unit
	upgrades map[string]*UpgradeStatus // by unit
	outside  map[string]*outsideUnit   // by unit
	waves    []WaveStatus              // as they are after the actions so far
	state    RolloutState
	actions  []Action
	explain  func(server string, reasons []Reason)
	limits   limits
	unmet    map[*class]unmet
	byOrder  map[*class][]Reason
	asked    map[string]bool // readings asked for in this decision
}

// outsideUnit is what is known of a unit without an upgrade here.
type outsideUnit struct {
	build      exchange.Build
	doubts     []string // what keeps build from speaking for the unit
	readAt     time.Time
	triedAt    time.Time
	readError  string
	refreshing bool
	elsewhere  bool
	witness    string
	Health
}

func newDecision(s Snapshot, now time.Time) (*decision, error) {
	rules, err := RuleSetByName(s.Plan.RuleSet)
	if err != nil {
		return nil, fmt.Errorf("decide: %w", err)
	}
	d := &decision{
		s: s, now: now, state: s.State, waves: slices.Clone(s.Waves), units: map[string]*unit{},
		upgrades: map[string]*UpgradeStatus{}, outside: map[string]*outsideUnit{}, unmet: map[*class]unmet{}, byOrder: map[*class][]Reason{}, asked: map[string]bool{},
	}
	slices.SortFunc(d.waves, func(a, b WaveStatus) int { return cmp.Compare(a.Number, b.Number) })
	known := map[string]OutsideServer{}
	servers := slices.Clone(s.Plan.Servers)
	planned := map[string]bool{}
	for _, p := range servers {
		planned[p.Name] = true
	}
	for _, o := range s.Outside {
		known[o.Server.Name] = o
		if !planned[o.Server.Name] {
			servers = append(servers, o.Server)
		}
	}
	for i := range s.Upgrades {
		d.upgrades[s.Upgrades[i].Server] = &s.Upgrades[i]
	}
	list := units(servers, s.Plan.goal())
	for _, u := range list {
		d.units[u.name] = u
		if d.upgrades[u.name] == nil {
			d.outside[u.name] = outsideOf(u, known)
		}
	}
	d.order = newOrder(list, rules, s.Plan.Scope, s.Plan.Package, true, func(*unit) bool { return true })
	d.order.tensions()
	d.limits = newLimits(d, list)
	return d, nil
}

// outsideOf joins what is known of a unit's members: the oldest build, the
// oldest reading, every doubt. A member of which nothing is known was never read.
func outsideOf(u *unit, known map[string]OutsideServer) *outsideUnit {
	var out *outsideUnit
	for _, name := range u.members {
		o := known[name]
		if out == nil {
			out = &outsideUnit{o.Build, o.Doubts, o.ReadAt, o.ReadTriedAt, o.ReadError, o.Refreshing, o.InWorkElsewhere, o.Witness, o.Health}
			continue
		}
		if o.Build.Compare(out.build) < 0 {
			out.build = o.Build
		}
		out.doubts = append(slices.Clip(out.doubts), o.Doubts...)
		if o.ReadAt.Before(out.readAt) {
			out.readAt = o.ReadAt
		}
		out.readError = cmp.Or(out.readError, o.ReadError)
		out.refreshing = out.refreshing || o.Refreshing
		out.elsewhere = out.elsewhere || o.InWorkElsewhere
		out.witness = cmp.Or(out.witness, o.Witness)
		out.Health = out.joined(o.Health)
	}
	return out
}

func (d *decision) act(a Action) { d.actions = append(d.actions, a) }

func (d *decision) decide() {
	if d.state == RolloutStopped || d.state == RolloutDone {
		d.explainAll()
		return
	}
	for i := range d.waves {
		d.moveWave(i)
	}
	if !slices.ContainsFunc(d.waves, func(w WaveStatus) bool { return w.State != WaveDone }) {
		d.act(Action{Kind: DoFinishRollout, Text: "Every wave is done."})
		d.state = RolloutDone
		return
	}
	d.startUpgrades()
	d.explainAll()
}

// moveWave finishes, stops or opens one wave.
func (d *decision) moveWave(i int) {
	w := &d.waves[i]
	var open int
	var broken []string
	for _, u := range d.s.Upgrades {
		if u.Wave != w.Number {
			continue
		}
		if !u.State.Decided() {
			open++
		}
		if u.broken() {
			broken = append(broken, u.Server)
		}
	}
	switch {
	case w.State == WaveDone:
		return
	case open == 0:
		w.State = WaveDone
		d.act(Action{Kind: DoFinishWave, Wave: w.Number, Text: fmt.Sprintf("Wave %d is done: every server is done or skipped.", w.Number)})
	case w.State == WaveApproved && d.mayOpen(i):
		if d.state == RolloutWaiting {
			d.state = RolloutRunning
			d.act(Action{Kind: DoRunRollout, Text: "The rollout begins."})
		}
		w.State = WaveRunning
		d.act(Action{Kind: DoOpenWave, Wave: w.Number, Text: fmt.Sprintf("Wave %d is open.", w.Number)})
	}
	limit := d.s.Plan.Policy.StopAfterFailures
	if (w.State == WaveRunning || w.State == WavePaused) && limit > 0 && len(broken) >= limit {
		slices.Sort(broken)
		w.State = WaveStopped
		d.act(Action{Kind: DoStopWave, Wave: w.Number, Text: fmt.Sprintf("Wave %d stopped: %s did not succeed, and the wave stops after %d.", w.Number, shortList(broken), limit)})
	}
}

// broken reports whether an upgrade counts for its wave's threshold: also while
// a failed one still puts back what it changed, and while a person's decision
// about it is carried out. What a person accepted counts no more, and what a hook
// of the user's stopped never did.
func (u *UpgradeStatus) broken() bool {
	hooked := u.Hooked && (u.State == Failed || u.Failing || u.Returns == Failed)
	return !u.Accepted && !hooked && (u.State.Broken() || u.Failing || u.Returns.Broken())
}

func (d *decision) mayOpen(i int) bool {
	if d.state != RolloutWaiting && d.state != RolloutRunning {
		return false
	}
	return d.s.Plan.Policy.Overlap || !slices.ContainsFunc(d.waves[:i], func(w WaveStatus) bool { return w.State != WaveDone })
}

func (d *decision) wave(number int) WaveState {
	for _, w := range d.waves {
		if w.Number == number {
			return w.State
		}
	}
	return WaveWaiting
}

// startUpgrades starts what nothing keeps from starting, and holds the rest of
// the open waves.
func (d *decision) startUpgrades() {
	if d.state != RolloutRunning {
		return
	}
	for _, u := range d.candidates() {
		reasons := d.reasons(u)
		if d.explain != nil {
			d.explain(u.Server, reasons)
		}
		if len(reasons) == 0 {
			d.limits.take(d.units[u.Server])
			d.act(Action{Kind: DoStart, Wave: u.Wave, Server: u.Server, Text: u.Server + " starts."})
			continue
		}
		if u.State == Waiting || !sameReasons(u.Reasons, reasons) {
			d.act(Action{Kind: DoHold, Wave: u.Wave, Server: u.Server, Reasons: reasons, Text: heldWords(u, reasons)})
		}
	}
}

// candidates are the upgrades of open waves that have not begun: servers of a
// tension group that has begun first, then by wave, rank and name.
func (d *decision) candidates() []*UpgradeStatus {
	begun := map[int]bool{}
	for name, u := range d.upgrades {
		if unit := d.units[name]; unit != nil && unit.class.tension != 0 && (u.State.InWork() || u.State == Done) {
			begun[unit.class.tension] = true
		}
	}
	var list []*UpgradeStatus
	for name, u := range d.upgrades {
		if (u.State == Waiting || u.State == Held) && d.wave(u.Wave) == WaveRunning && d.units[name] != nil {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b *UpgradeStatus) int {
		x, y := d.units[a.Server], d.units[b.Server]
		first := func(u *unit) int {
			if u.class.tension != 0 && begun[u.class.tension] {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(first(x), first(y)), cmp.Compare(a.Wave, b.Wave), x.class.rank.compare(y.class.rank), strings.Compare(a.Server, b.Server))
	})
	return list
}

// heldWords say what holds a server now: all of it at first, then what is new, or
// what is left when something of it fell away.
func heldWords(u *UpgradeStatus, now []Reason) string {
	var fresh, all []string
	for _, r := range now {
		all = append(all, r.Text)
		if u.State == Waiting || !slices.ContainsFunc(u.Reasons, func(old Reason) bool { return old.Text == r.Text }) {
			fresh = append(fresh, r.Text)
		}
	}
	if len(fresh) == 0 {
		return u.Server + " is still held: " + strings.Join(all, " ")
	}
	return u.Server + " is held: " + strings.Join(fresh, " ")
}

func sameReasons(a, b []Reason) bool {
	return slices.EqualFunc(a, b, func(x, y Reason) bool {
		return x.Rule == y.Rule && x.Scope == y.Scope && x.Count == y.Count && x.Text == y.Text && slices.Equal(x.Servers, y.Servers)
	})
}

// explainAll gives the reasons of those that the decision did not reach: the
// rollout or the wave is not running.
func (d *decision) explainAll() {
	if d.explain == nil {
		return
	}
	for _, u := range d.s.Upgrades {
		if u.State != Waiting && u.State != Held {
			continue
		}
		if d.state == RolloutRunning && d.wave(u.Wave) == WaveRunning {
			continue
		}
		reasons := []Reason{}
		if d.state != RolloutRunning && d.state != RolloutWaiting {
			reasons = append(reasons, plainReason("rollout-is-"+string(d.state), fmt.Sprintf("The rollout is %s.", d.state)))
		}
		d.explain(u.Server, append(reasons, d.waveReason(u.Wave)...))
	}
}

func (d *decision) waveReason(number int) []Reason {
	switch d.wave(number) {
	case WaveWaiting:
		return []Reason{plainReason("wave-is-not-approved", fmt.Sprintf("Wave %d is not approved.", number))}
	case WaveApproved:
		return []Reason{plainReason("earlier-waves-are-not-done", fmt.Sprintf("Wave %d is approved and opens when every server of the waves before it is done or skipped.", number))}
	case WavePaused:
		return []Reason{plainReason("wave-is-paused", fmt.Sprintf("Wave %d is paused.", number))}
	case WaveStopped:
		return []Reason{plainReason("wave-is-stopped", fmt.Sprintf("Wave %d is stopped.", number))}
	case WaveRunning, WaveDone:
	}
	return nil
}

func plainReason(rule, text string) Reason {
	return Reason{Rule: rule, Servers: []string{}, Text: text}
}
