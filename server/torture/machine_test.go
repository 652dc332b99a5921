//go:build !race

package torture

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// checkedTB lets helpers of tests fail one check of a property, so that rapid
// shrinks it, in place of the whole test. What it said is kept: an engine that
// really runs does not always fail again when rapid repeats a check.
type checkedTB struct {
	testing.TB
	check *rapid.T
	said  *trail
}

// trail is what one check said.
type trail struct {
	lines  []string
	failed bool
}

func (t checkedTB) note(failed bool, line string) {
	t.said.failed = t.said.failed || failed
	t.said.lines = append(t.said.lines, line)
}

func (t checkedTB) Helper()                  { t.check.Helper() }
func (t checkedTB) Name() string             { return t.check.Name() }
func (t checkedTB) Cleanup(f func())         { t.check.Cleanup(f) }
func (t checkedTB) Context() context.Context { return t.check.Context() }
func (t checkedTB) Failed() bool             { return t.said.failed }
func (t checkedTB) Log(args ...any)          { t.note(false, fmt.Sprint(args...)) }
func (t checkedTB) Error(args ...any)        { t.Errorf("%s", fmt.Sprint(args...)) }

func (t checkedTB) Fatal(args ...any) { t.Fatalf("%s", fmt.Sprint(args...)) }

func (t checkedTB) Logf(f string, args ...any) { t.note(false, fmt.Sprintf(f, args...)) }

func (t checkedTB) Errorf(f string, args ...any) {
	t.note(true, "FAILED: "+fmt.Sprintf(f, args...))
	t.check.Errorf(f, args...)
}

func (t checkedTB) Fatalf(f string, args ...any) {
	t.note(true, "FAILED: "+fmt.Sprintf(f, args...))
	t.check.Fatalf(f, args...)
}

// fleet5 has what floors, order and waves need: two of two roles.
const fleet5 = `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.108.81,5985,BackupAgent
CAS2,ClientAccess,HQ,8.0.685.25,127.0.108.82,5985,BackupAgent
HUB1,HubTransport,HQ,8.0.685.25,127.0.108.83,5985,BackupAgent;MailScan
MBX1,Mailbox,HQ,8.0.685.25,127.0.108.84,5985,BackupAgent
MBX2,Mailbox,HQ,8.0.685.25,127.0.108.85,5985,BackupAgent
`

var (
	fleet5Before = map[string][]string{
		"HUB1": {"CAS1", "CAS2"}, "MBX1": {"CAS1", "CAS2", "HUB1"}, "MBX2": {"CAS1", "CAS2", "HUB1"},
	}
	fleet5Peers = map[string][]string{"CAS1": {"CAS2"}, "CAS2": {"CAS1"}, "MBX1": {"MBX2"}, "MBX2": {"MBX1"}}
)

// machine is the whole engine as people, hosts and power plugs see it.
type machine struct {
	*arena
	t            testing.TB
	policy       rollout.Policy
	coordinators []*coordinator
	frozen       map[*coordinator]bool
	mayOperate   bool
	done         int // actions
}

func newMachine(t testing.TB, check *rapid.T) *machine {
	m := &machine{t: t, policy: rollout.DefaultPolicy(), frozen: map[*coordinator]bool{}, mayOperate: true}
	m.policy.AtOnce = rapid.IntRange(1, 3).Draw(check, "at once")
	m.policy.StopAfterFailures = rapid.IntRange(0, 2).Draw(check, "stop after")
	m.policy.Overlap = rapid.Bool().Draw(check, "overlap")
	m.arena = newArena(t, fleet5, func(o *arenaOptions) {
		o.Plan.Policy = &m.policy
		o.Hard = shortLimits
	})
	if rapid.IntRange(0, 3).Draw(check, "all approved") > 0 {
		m.approveAll(t)
	}
	m.start(0)
	return m
}

// did notes an action; refusals are answers, too.
func (m *machine) did(what string, err error) error {
	answer := "done"
	if err != nil {
		answer = err.Error()
	}
	m.done++
	m.t.Logf("%s: %s", what, answer)
	var refusal *rollout.Error
	if err != nil && !errors.As(err, &refusal) {
		m.t.Fatalf("%s: an error that people cannot read: %v", what, err)
	}
	return err
}

// asked is an action that needs the operator's role: without it nothing happens.
func (m *machine) asked(what string, err error) {
	m.t.Helper()
	err = m.did(what, err)
	if !m.mayOperate && err == nil {
		m.t.Errorf("%s: done by somebody whose role was taken away", what)
	}
	if !m.mayOperate && errors.Is(err, rollout.ErrForbidden) {
		ledger.held("a role that was taken away acts no more", 1)
	}
}

func (m *machine) start(skew time.Duration) {
	m.coordinators = append(m.coordinators, m.coordinator(m.t, func(o *orders) { o.Skew = skew }))
}

// alive are the coordinators that were not killed.
func (m *machine) alive() []*coordinator {
	m.coordinators = slices.DeleteFunc(m.coordinators, (*coordinator).dead)
	return m.coordinators
}

func (m *machine) wave(check *rapid.T) store.WaveView {
	return rapid.SampledFrom(m.view(m.t).Waves).Draw(check, "wave")
}

func (m *machine) upgrade(check *rapid.T) store.UpgradeRow {
	var all []store.UpgradeRow
	for _, w := range m.view(m.t).Waves {
		all = append(all, w.Upgrades...)
	}
	slices.SortFunc(all, func(a, b store.UpgradeRow) int { return strings.Compare(a.Server, b.Server) })
	i := rapid.IntRange(0, len(all)-1).Draw(check, "server")
	// Those in trouble are what people decide about.
	if rapid.Bool().Draw(check, "in trouble") {
		for n := range all {
			if u := all[(i+n)%len(all)]; u.State.Broken() || u.State == rollout.OutOfSight {
				return u
			}
		}
	}
	return all[i]
}

var serverNames = []string{"CAS1", "CAS2", "HUB1", "MBX1", "MBX2"}

// actions are what can happen.
func (m *machine) actions() map[string]func(*rapid.T) {
	ctx := m.t.Context()
	return map[string]func(*rapid.T){
		"approve": func(check *rapid.T) {
			w := m.wave(check)
			m.asked(fmt.Sprintf("approve wave %d", w.Number), m.approve(m.t, w.ID, "go"))
		},
		"approve all": func(check *rapid.T) {
			for _, w := range m.view(m.t).Waves {
				m.asked(fmt.Sprintf("approve wave %d", w.Number), m.approve(m.t, w.ID, "go"))
			}
		},
		"approve one's own": func(check *rapid.T) {
			w := m.wave(check)
			content, err := m.Store.WaveContent(ctx, w.ID, m.book)
			must(m.t, err)
			if m.did("the author approves", m.Store.ApproveWave(ctx, m.lead, w.ID, content.Seen, "mine", m.book)) == nil {
				m.t.Errorf("the author approved his own plan")
			}
		},
		"withdraw": func(check *rapid.T) {
			w := m.wave(check)
			m.asked(fmt.Sprintf("withdraw wave %d", w.Number), m.Store.WithdrawApproval(ctx, m.operator, w.ID, "not yet"))
		},
		"pause rollout": func(check *rapid.T) {
			m.asked("pause the rollout", m.Store.PauseRollout(ctx, m.operator, m.rollout, "wait"))
		},
		"resume rollout": func(check *rapid.T) {
			m.asked("resume the rollout", m.Store.ResumeRollout(ctx, m.operator, m.rollout, "on"))
		},
		"stop rollout": func(check *rapid.T) {
			if rapid.IntRange(0, 5).Draw(check, "really") == 0 {
				m.asked("stop the rollout", m.Store.StopRollout(ctx, m.operator, m.rollout, "enough"))
			}
		},
		"pause wave": func(check *rapid.T) {
			w := m.wave(check)
			m.asked(fmt.Sprintf("pause wave %d", w.Number), m.Store.PauseWave(ctx, m.operator, w.ID, "wait"))
		},
		"resume wave": func(check *rapid.T) {
			w := m.wave(check)
			m.asked(fmt.Sprintf("resume wave %d", w.Number), m.Store.ResumeWave(ctx, m.operator, w.ID, "on"))
		},
		"retry": func(check *rapid.T) {
			u := m.upgrade(check)
			m.asked("retry "+u.Server, m.Store.RetryUpgrade(ctx, m.operator, u.ID, "again", m.book))
		},
		"skip": func(check *rapid.T) {
			u := m.upgrade(check)
			if rapid.IntRange(0, 2).Draw(check, "really") == 0 || u.State.Broken() {
				left := rapid.Bool().Draw(check, "leave as it is")
				m.asked(fmt.Sprintf("skip %s (left as it is: %t)", u.Server, left), m.Store.SkipUpgrade(ctx, m.operator, u.ID, store.Skip{Reason: "no", LeaveAsIs: left}, m.book))
			}
		},
		"verify": func(check *rapid.T) {
			u := m.upgrade(check)
			m.asked("verify "+u.Server, m.Store.VerifyUpgrade(ctx, m.operator, u.ID, "repaired by hand", m.book))
		},
		"decide": func(check *rapid.T) {
			u := m.upgrade(check)
			step := rapid.SampledFrom([]string{rollout.DecideLook, rollout.DecideClear, rollout.DecideUndo}).Draw(check, "decision")
			m.asked(step+" of "+u.Server, m.Store.DecideUpgrade(ctx, m.operator, u.ID, store.Decision{Step: step, Reason: "see"}, m.book))
		},
		"ask host": func(check *rapid.T) {
			u := m.upgrade(check)
			_, err := m.Store.RequestProbes(ctx, m.operator, []int64{u.ServerID})
			m.asked("probe "+u.Server, err)
		},
		"take or give the role": func(check *rapid.T) {
			roles := []string{"operator"}
			if m.mayOperate {
				roles = []string{"auditor"}
			}
			must(m.t, m.did(fmt.Sprintf("the operator is now %v", roles), m.Store.SetRoles(ctx, admin, m.operator.PersonID, roles)))
			m.mayOperate = !m.mayOperate
			ledger.injected("role taken or given", 1)
		},
		"fault": func(check *rapid.T) {
			f := rapid.SampledFrom(oneFault()).Draw(check, "fault")
			f.Host = rapid.SampledFrom(serverNames).Draw(check, "host")
			must(m.t, m.did(f.String(), m.fleet.Inject(f)))
			ledger.injected("declared fault in the model", 1)
		},
		"mend": func(check *rapid.T) {
			host := rapid.SampledFrom(serverNames).Draw(check, "host")
			must(m.t, m.did("mend "+host, m.fleet.Mend(host)))
		},
		"power": func(check *rapid.T) {
			host := rapid.SampledFrom(serverNames).Draw(check, "host")
			must(m.t, m.did("power loss on "+host, m.fleet.PowerLoss(host)))
			ledger.injected("power loss in the model", 1)
		},
		"kill": func(check *rapid.T) {
			if alive := m.alive(); len(alive) > 0 {
				rapid.SampledFrom(alive).Draw(check, "coordinator").kill()
				must(m.t, m.did("kill -9 a coordinator", nil))
				ledger.injected("kill -9 in the model", 1)
			}
		},
		"start": func(check *rapid.T) {
			if len(m.alive()) < 3 {
				skew := time.Duration(rapid.IntRange(-600, 600).Draw(check, "skew")) * time.Second
				must(m.t, m.did(fmt.Sprintf("start a coordinator with a clock off by %s", skew), nil))
				m.start(skew)
			}
		},
		"freeze or wake": func(check *rapid.T) {
			alive := m.alive()
			if len(alive) == 0 {
				return
			}
			c := rapid.SampledFrom(alive).Draw(check, "coordinator")
			m.freeze(c, !m.frozen[c])
		},
		"wait":        func(check *rapid.T) { m.wait(rapid.IntRange(1, 30).Draw(check, "events")) },
		"wait longer": func(check *rapid.T) { m.wait(rapid.IntRange(30, 100).Draw(check, "events")) },
		"":            func(*rapid.T) { m.judge() },
	}
}

func (m *machine) freeze(c *coordinator, on bool) {
	if on {
		must(m.t, c.pause())
	} else {
		must(m.t, c.cont())
	}
	m.frozen[c] = on
	must(m.t, m.did(fmt.Sprintf("a coordinator is frozen: %t", on), nil))
	ledger.injected("freeze or wake in the model", 1)
}

// wait lets so many events happen, or nothing for a while.
func (m *machine) wait(events int) {
	begun := m.view(m.t).LastEvent
	poll(time.Duration(events)*40*time.Millisecond, func() bool { return m.view(m.t).LastEvent >= begun+int64(events) })
	must(m.t, m.did(fmt.Sprintf("%d events pass", m.view(m.t).LastEvent-begun), nil))
}

// judge is what must hold at every moment.
func (m *machine) judge() {
	m.checkAlways(m.t)
	// The state is read before the events: what they tell of it is there.
	v := m.view(m.t)
	events, err := m.Store.Events(m.t.Context(), m.rollout, 0, int(v.LastEvent))
	must(m.t, err)
	r := newReplay(v, m.policy, fleet5Before, fleet5Peers)
	for _, e := range events {
		if e.Number <= v.LastEvent {
			r.read(e)
		}
	}
	r.compare(v)
	for _, w := range r.wrong {
		m.t.Errorf("%s", w)
	}
	if len(r.wrong) == 0 {
		ledger.held("each start allowed, by a replay of the events", 1)
	}
}

// settle lets everybody come to their senses: hosts are mended, coordinators
// wake up, roles are given back, and people decide until nothing waits for them.
func (m *machine) settle() {
	ctx := m.t.Context()
	if !m.mayOperate {
		must(m.t, m.Store.SetRoles(ctx, admin, m.operator.PersonID, []string{"operator"}))
		m.mayOperate = true
	}
	for _, c := range m.alive() {
		if m.frozen[c] {
			m.freeze(c, false)
		}
	}
	m.start(0)
	tries, idle := map[string]int{}, 0
	for range 60 {
		for _, host := range serverNames {
			must(m.t, m.fleet.Mend(host))
		}
		v := m.rest(m.t)
		m.judge()
		if m.person(v, tries) {
			idle = 0
			continue
		}
		// On a busy machine what is at rest may only be slow: it gets more time.
		if idle++; idle == 3 || v.State == rollout.RolloutDone || v.State == rollout.RolloutStopped {
			return
		}
	}
	m.t.Errorf("people decide and decide, and it does not end: %v", tries)
}

// person takes one decision of those that wait; false when none does.
func (m *machine) person(v store.RolloutView, tries map[string]int) bool {
	ctx, ended := m.t.Context(), v.State == rollout.RolloutStopped || v.State == rollout.RolloutDone
	if v.State == rollout.RolloutPaused {
		return m.did("resume the rollout", m.Store.ResumeRollout(ctx, m.operator, m.rollout, "on")) == nil
	}
	for _, w := range v.Waves {
		for _, u := range w.Upgrades {
			if m.about(v, u, ended, tries) {
				return true
			}
		}
		if ended {
			continue
		}
		switch w.State {
		case rollout.WaveWaiting:
			return m.did(fmt.Sprintf("approve wave %d", w.Number), m.approve(m.t, w.ID, "go")) == nil
		case rollout.WavePaused, rollout.WaveStopped:
			return m.did(fmt.Sprintf("resume wave %d", w.Number), m.Store.ResumeWave(ctx, m.operator, w.ID, "on")) == nil
		case rollout.WaveApproved, rollout.WaveRunning, rollout.WaveDone:
		}
	}
	return false
}

// about takes a decision about one upgrade, if one waits.
func (m *machine) about(v store.RolloutView, u store.UpgradeRow, ended bool, tries map[string]int) bool {
	ctx := m.t.Context()
	if u.State.Broken() {
		if strings.TrimSpace(u.Message) == "" || strings.TrimSpace(u.Remedy) == "" {
			m.t.Errorf("%s is %s at %s: message %q, remedy %q", u.Server, u.State, u.Step, u.Message, u.Remedy)
		}
		tries[u.Server]++
		switch n := tries[u.Server]; {
		case !ended && n <= 2:
			_ = m.did("retry "+u.Server, m.Store.RetryUpgrade(ctx, m.operator, u.ID, "again", m.book)) // a refusal is noted, and something else is tried
		case n <= 3 && u.State.MayDecide(rollout.DecideClear):
			_ = m.did("clear "+u.Server, m.Store.DecideUpgrade(ctx, m.operator, u.ID, store.Decision{Step: rollout.DecideClear, Reason: "dead"}, m.book)) // as above
		case n <= 6:
			_ = m.did("skip "+u.Server, m.Store.SkipUpgrade(ctx, m.operator, u.ID, store.Skip{Reason: "no"}, m.book)) // as above
		default:
			_ = m.did("skip as it is "+u.Server, m.Store.SkipUpgrade(ctx, m.operator, u.ID, store.Skip{Reason: "no", LeaveAsIs: n%2 == 0}, m.book)) // as above
		}
		return true
	}
	if u.State != rollout.Held && u.State != rollout.Waiting {
		return false
	}
	if ended && u.StartedAt != nil { // it was to be tried again when the rollout was stopped
		return m.did("skip "+u.Server, m.Store.SkipUpgrade(ctx, m.operator, u.ID, store.Skip{Reason: "the rollout has ended"}, m.book)) == nil
	}
	if ended || len(u.Reasons) == 0 {
		return false
	}
	switch u.Reasons[0].Rule {
	case "host-does-not-answer":
		_, err := m.Store.RequestProbes(ctx, m.operator, []int64{u.ServerID})
		return m.did("probe "+u.Server, err) == nil
	case "approval-is-missing", "approval-does-not-match":
		for _, w := range v.Waves {
			if w.Number == u.Wave {
				return m.did("approve again", m.approve(m.t, w.ID, "again")) == nil
			}
		}
	}
	for _, before := range fleet5Before[u.Server] {
		for _, w := range v.Waves {
			if slices.ContainsFunc(w.Upgrades, func(o store.UpgradeRow) bool { return o.Server == before && o.State == rollout.Skipped }) {
				return m.did("skip "+u.Server, m.Store.SkipUpgrade(ctx, m.operator, u.ID, store.Skip{Reason: "waits in vain"}, m.book)) == nil
			}
		}
	}
	return false
}

// ended is what must hold in the end: all is decided, nothing is left on hosts.
func (m *machine) ended() {
	v := m.view(m.t)
	for _, w := range v.Waves {
		for _, u := range w.Upgrades {
			begun := u.StartedAt != nil
			if !u.State.Decided() && (begun || v.State != rollout.RolloutStopped) {
				m.t.Errorf("%s is %s in a rollout that is %s: %s %v", u.Server, u.State, v.State, u.Message, u.Reasons)
			}
			full, err := m.Store.Upgrade(m.t.Context(), u.ID)
			must(m.t, err)
			taken := false
			for _, l := range full.Ledger {
				if l.RestoredAt == nil {
					m.t.Errorf("%s: ledger: %s %s is open", u.Server, l.Kind, l.Name)
				}
				taken = taken || l.Deviation != ""
			}
			if !taken { // what differs is on record otherwise
				m.asBefore(m.t, u)
			}
		}
	}
}

// TestMachine walks the whole engine at random: people, hosts, processes and
// clocks do what they like, and what must never happen does not; in the end
// people can bring every rollout to its end, and nothing is left on a host.
func TestMachine(t *testing.T) {
	t.Parallel()
	checks, steps := 1, 25
	if *fullFlag {
		checks, steps = 25**roundsFlag, 40
	}
	for name, value := range map[string]string{
		"checks": strconv.Itoa(checks), "steps": strconv.Itoa(steps), "seed": strconv.FormatUint(*seedFlag, 10),
		"nofailfile": "true", "shrinktime": map[bool]string{true: "5m", false: "1ms"}[*fullFlag],
	} {
		must(t, flag.Set("rapid."+name, value))
	}
	t.Logf("-torture.seed=%d", *seedFlag)
	told := false
	rapid.Check(t, func(check *rapid.T) {
		tb := checkedTB{TB: t, check: check, said: &trail{}}
		check.Cleanup(func() { // after all others
			if tb.said.failed && !told {
				told = true
				t.Logf("the first failure:\n%s", strings.Join(tb.said.lines, "\n"))
			}
		})
		m := newMachine(tb, check)
		check.Repeat(m.actions())
		m.settle()
		m.ended()
		ledger.injected("actions in the model", m.done)
	})
}
