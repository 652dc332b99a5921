//go:build !race

package torture

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

const (
	victim     = "MBX1"
	restWithin = 4 * time.Minute // for a rollout to come to rest; longer than store.TrialLasts
	restFor    = 1500 * time.Millisecond
)

// faultSteps are the steps in which a fault can do something: what is not named
// here is tried in every step.
var faultSteps = map[string][]string{
	"setup-fails":                   {"setup"},
	"service-will-not-stop":         {"stop-services"},
	"service-comes-back":            {"stop-services"},
	"foreign-setup":                 {"preflight", "stop-services", "setup"},
	"clock-past-triggers":           {"preflight", "setup"},
	"runas-locked":                  {"preflight", "setup"},
	"runas-no-batch-right":          {"preflight", "setup"},
	"credentials-storage-forbidden": {"preflight", "setup"},
	"planted-folder":                {"preflight", "setup"},
	"revocation-unreachable":        {"setup"},
	"login-dropped":                 {"facts", "stop-services", "setup"},
	"no-sealing":                    {"facts"},
	"um-stays-disabled":             {"tidy"}, // nothing to a server without Unified Messaging
	"service-times-out":             {"setup"},
	"ticket-refused":                {"facts"}, // nothing to hosts without Kerberos
}

// waysOf are the ways of reaching hosts without which faults do nothing.
var waysOf = map[string]string{
	"login-dropped": wayNTLM, "login-forgotten": wayNTLM, "unsealed-answer": wayNTLM, "no-sealing": wayNTLM,
	"certificate-changed": wayHTTPS, "tls-1.0-only": wayHTTPS,
}

// shortLimits are hard limits of steps that a test can wait for.
var shortLimits = map[string]time.Duration{
	"facts": 15 * time.Second, "preflight": 20 * time.Second, "record": 15 * time.Second, "stop-services": 15 * time.Second,
	"setup": 30 * time.Second, "verify": 15 * time.Second, "put-back": 15 * time.Second, "tidy": 15 * time.Second,
}

// causes are what a message must say where a fault alone ends with a decision.
var causes = map[string]string{
	"planted-folder":                "was not made by Wavekeeper",
	"credentials-storage-forbidden": "forbids to store passwords",
	"runas-no-batch-right":          "Log on as a batch job",
	"runas-locked":                  "locked out",
	"foreign-setup":                 `CORP\\otheradmin`,
	"service-will-not-stop":         "BackupAgent|MailScan",
	"setup-fails":                   "Setup",
	"disk-full":                     "(?i)disk|space",
	"wmi-hangs":                     "WMI",
	"wmi-damaged":                   "WMI",
	"no-sealing":                    "no sealing",
	"wmi-stopped":                   "RPC server is unavailable|WMI|winmgmt|Setup",
	"address-lost":                  "unreachable|timeout|time-out|not answer|refuses the connection|broke the connection",
	"slow-restart":                  "unreachable|timeout|time-out|not answer|refuses the connection|broke the connection",
}

// outlasting are faults that can last longer than the step's hard limit.
var outlasting = []string{"address-lost", "slow-restart", "power-loss", "unauthorized", "connection-reset", "hang"}

// oneFault is every fault alone, in each step, at each moment that differs.
func oneFault() []twin.Fault {
	var all []twin.Fault
	for _, name := range twin.FaultNames() {
		steps := faultSteps[name]
		if steps == nil {
			steps = twin.FaultSteps()
		}
		for _, step := range steps {
			f := twin.Fault{Host: victim, Name: name, Step: step}
			if name == "clock-off" {
				f.Offset = farFromMidnight()
			}
			if name == "disk-full" && step == "setup" {
				f.Lasts = 1000 * time.Hour // of the hosts: nobody makes room before Setup's end is judged
			}
			all = append(all, f)
			if slices.Contains(outlasting, name) && slices.Contains([]string{"stop-services", "setup", "put-back"}, step) {
				long := f
				long.Lasts = 200 * time.Hour // of the hosts: longer than every hard limit here
				all = append(all, long)
			}
			if name == "setup-fails" || name == "power-loss" && step == "setup" {
				for phase := 1; phase <= 9; phase++ {
					f.At = fmt.Sprintf("phase:%d", phase)
					all = append(all, f)
				}
			}
		}
	}
	return all
}

// farFromMidnight is how far a clock is off: by three hours, unless it is then
// near midnight, when no task is registered for some minutes and a test waits.
func farFromMidnight() time.Duration {
	off := 3 * time.Hour
	if at := time.Now().UTC().Add(off); at.Hour() == 23 && at.Minute() > 45 || at.Hour() == 0 && at.Minute() < 5 {
		off = 5 * time.Hour
	}
	return off
}

// blocks are addresses for four hosts, one block for each trial at a time.
var blocks = func() chan int {
	c := make(chan int, 36)
	for n := range cap(c) {
		c <- 100 + 4*n
	}
	return c
}()

// trial is a rollout of four servers in which faults befall one.
type trial struct {
	*arena
	faults  []twin.Fault
	decided []string // what a person had to do
}

// newTrial starts the rollout. HUB1 comes before both mailbox servers, MBX2 is
// in one wave with the victim, UM1 waits for both.
func newTrial(t *testing.T, faults ...twin.Fault) *trial {
	t.Helper()
	tr := idleTrial(t, faults...)
	tr.approveAll(t)
	tr.coordinator(t)
	return tr
}

// idleTrial is a trial that nobody has approved and no coordinator serves.
func idleTrial(t *testing.T, faults ...twin.Fault) *trial {
	t.Helper()
	first := <-blocks
	t.Cleanup(func() { blocks <- first })
	const rows = `server,roles,site,build,address,port,services
HUB1,HubTransport,HQ,8.0.685.25,127.0.108.%d,5985,BackupAgent;MailScan
MBX1,Mailbox,HQ,8.0.685.25,127.0.108.%d,5985,BackupAgent;MailScan
MBX2,Mailbox,HQ,8.0.685.25,127.0.108.%d,5985,BackupAgent
UM1,UnifiedMessaging,HQ,8.0.685.25,127.0.108.%d,5985,BackupAgent
`
	tr := &trial{faults: faults}
	tr.arena = newArena(t, fmt.Sprintf(rows, first, first+1, first+2, first+3), func(o *arenaOptions) {
		p := rollout.DefaultPolicy()
		p.Floor = rollout.Floor{}
		o.Plan.Policy = &p
		o.Hard = shortLimits
		o.Twin = func(o *twin.Options) { o.Faults = faults }
		for _, f := range faults {
			o.Way = cmp.Or(o.Way, waysOf[f.Name])
		}
	})
	return tr
}

func (tr *trial) upgrade(v store.RolloutView, server string) store.UpgradeRow {
	for _, w := range v.Waves {
		for _, u := range w.Upgrades {
			if u.Server == server {
				return u
			}
		}
	}
	return store.UpgradeRow{}
}

// rest waits until nothing happens by itself any more: the rollout is done, or
// a person is waited for. What moves is judged by the events: they stand still,
// and nothing is in work.
func (a *arena) rest(t testing.TB) store.RolloutView {
	t.Helper()
	var last int64 = -1
	since := time.Now()
	return a.await(t, "the rollout rests", restWithin, func(v store.RolloutView) bool {
		if v.LastEvent != last || busy(v) {
			last, since = v.LastEvent, time.Now()
		}
		return isDone(v) || time.Since(since) > restFor
	})
}

// busy reports whether something in the rollout moves on by itself.
func busy(v store.RolloutView) bool {
	opens := v.State == rollout.RolloutWaiting || v.State == rollout.RolloutRunning
	for _, w := range v.Waves {
		if w.State == rollout.WaveApproved && opens {
			return true // no coordinator came to it yet
		}
		if opens && w.State == rollout.WaveRunning && !slices.ContainsFunc(w.Upgrades, func(u store.UpgradeRow) bool { return !u.State.Decided() }) {
			return true // it is done in a moment, and the next one opens
		}
		opens = opens && w.State == rollout.WaveDone
		for _, u := range w.Upgrades {
			switch u.State {
			case rollout.Running, rollout.OutOfSight:
				return true
			case rollout.Waiting:
				if w.State == rollout.WaveRunning && v.State == rollout.RolloutRunning {
					return true // it is started or held in a moment
				}
			case rollout.Held:
				if v.State == rollout.RolloutRunning && w.State == rollout.WaveRunning && len(u.Reasons) > 0 && (u.Reasons[0].Rule == "facts-are-old" || u.Reasons[0].Rule == "health-is-old") {
					return true // it is being read
				}
			case rollout.Paused, rollout.Interrupted, rollout.Unknown, rollout.Failed, rollout.Skipped, rollout.Done:
			}
		}
	}
	return false
}

// bystanders holds that nothing but the victim stopped, and nothing started
// that had to wait.
func (tr *trial) bystanders(t *testing.T, v store.RolloutView) {
	t.Helper()
	u := tr.upgrade(v, victim)
	for _, w := range v.Waves {
		broken := 0
		for _, u := range w.Upgrades {
			if u.State.Broken() {
				broken++
			}
		}
		if stopped := w.State == rollout.WaveStopped; stopped != (broken > 0) {
			t.Errorf("wave %d is %s with %d broken servers", w.Number, w.State, broken)
		}
	}
	if s := tr.upgrade(v, "HUB1").State; s != rollout.Done {
		t.Errorf("HUB1 is %s: nothing befell it", s)
	}
	if other := tr.upgrade(v, "MBX2"); other.State != rollout.Done && (!u.State.Broken() || other.StartedAt != nil) {
		t.Errorf("MBX2 is %s: nothing befell it", other.State)
	}
	if last := tr.upgrade(v, "UM1"); last.StartedAt != nil && u.State != rollout.Done {
		t.Errorf("UM1 is %s while %s is %s", last.State, victim, u.State)
	}
}

// clear holds that a person is told what happened and what helps.
func (tr *trial) clear(t *testing.T, u store.UpgradeRow) {
	t.Helper()
	t.Logf("%s at %s: %s Remedy: %s", u.State, u.Step, u.Message, u.Remedy)
	if strings.TrimSpace(u.Message) == "" || strings.TrimSpace(u.Remedy) == "" {
		t.Errorf("%s at %s: message %q, remedy %q", u.State, u.Step, u.Message, u.Remedy)
	}
	if len(tr.faults) == 1 && len(tr.decided) == 0 {
		if want := causes[tr.faults[0].Name]; !regexp.MustCompile(want).MatchString(u.Message) {
			t.Errorf("%s: message %q does not say %s", tr.faults[0], u.Message, want)
		}
	}
}

// decisions of a person are tried in this order, as often as the state lets
// them: the causes are gone by then.
const mostDecisions = 8

// resolve mends the host and decides until the rollout is done. skip leaves the
// victim out in place of trying again.
func (tr *trial) resolve(t *testing.T, skip bool) store.RolloutView {
	t.Helper()
	for range mostDecisions {
		v := tr.rest(t)
		tr.checkAlways(t)
		u := tr.upgrade(v, victim)
		if isDone(v) || u.State == rollout.Done && tr.upgrade(v, "UM1").State == rollout.Done {
			return v
		}
		tr.bystanders(t, v)
		if u.State == rollout.Skipped {
			if last := tr.upgrade(v, "UM1"); !last.State.Decided() {
				tr.do(t, "skip UM1", tr.Store.SkipUpgrade(t.Context(), tr.operator, last.ID, store.Skip{Reason: "waits in vain"}, tr.book))
				continue
			}
			t.Fatalf("nothing is left to decide: %s", v.State)
		}
		must(t, tr.fleet.Mend(victim))
		tr.decide(t, v, u, skip)
	}
	t.Fatalf("%d decisions do not end it: %v", mostDecisions, tr.decided)
	return store.RolloutView{}
}

// decide takes the decision that the state asks for.
func (tr *trial) decide(t *testing.T, v store.RolloutView, u store.UpgradeRow, skip bool) {
	t.Helper()
	ctx := t.Context()
	switch u.State {
	case rollout.Failed, rollout.Interrupted, rollout.Unknown:
		tr.clear(t, u)
		before := tr.decided
		switch {
		case skip:
			tr.do(t, "skip", tr.Store.SkipUpgrade(ctx, tr.operator, u.ID, store.Skip{Reason: "another time"}, tr.book))
			tr.resume(t, u.Wave)
		case slices.Contains(before, "retry") && !slices.Contains(before, "clear") && u.State.MayDecide(rollout.DecideClear):
			tr.do(t, "clear", tr.Store.DecideUpgrade(ctx, tr.operator, u.ID, store.Decision{Step: rollout.DecideClear, Reason: "Setup is dead"}, tr.book))
		default:
			tr.do(t, "retry", tr.Store.RetryUpgrade(ctx, tr.operator, u.ID, "the cause is gone", tr.book))
		}
	case rollout.Waiting, rollout.Held:
		if len(u.Reasons) == 0 || u.Reasons[0].Text == "" {
			t.Fatalf("%s is %s without a reason", victim, u.State)
		}
		if skip {
			tr.do(t, "skip", tr.Store.SkipUpgrade(ctx, tr.operator, u.ID, store.Skip{Reason: "another time"}, tr.book))
			return
		}
		if u.Reasons[0].Rule == "host-does-not-let-us-in" && !slices.Contains(tr.decided, "try the account again") {
			_, err := tr.Store.RetryCredential(ctx, admin, "default", store.PurposeWinRM, "the domain controller is back")
			tr.do(t, "try the account again", err)
			return
		}
		_, err := tr.Store.RequestProbes(ctx, tr.operator, []int64{u.ServerID})
		tr.do(t, "probe", err)
	case rollout.Running, rollout.Paused, rollout.OutOfSight, rollout.Skipped, rollout.Done:
		t.Fatalf("%s rests as %s: %s", victim, u.State, u.Message)
	}
}

func (tr *trial) do(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	tr.decided = append(tr.decided, what)
}

// resume lets the wave go on that stopped because of the victim.
func (tr *trial) resume(t *testing.T, number int) {
	t.Helper()
	for _, w := range tr.view(t).Waves {
		if w.Number == number && w.State == rollout.WaveStopped {
			if err := tr.Store.ResumeWave(t.Context(), tr.operator, w.ID, "the others go on"); !errors.Is(err, rollout.ErrConflict) { // it may be done by now
				must(t, err)
			}
		}
	}
}

// after holds what is left in the end: the ledger is empty, no task and no folder
// of ours is on any host, and what was changed for a while is as it was.
func (tr *trial) after(t *testing.T, v store.RolloutView, skipped bool) {
	t.Helper()
	for _, w := range v.Waves {
		for _, u := range w.Upgrades {
			want := rollout.Done
			if skipped && (u.Server == victim || u.Server == "UM1") {
				want = rollout.Skipped
			}
			if u.State != want {
				t.Errorf("%s is %s, want %s: %s", u.Server, u.State, want, u.Message)
				continue
			}
			full, err := tr.Store.Upgrade(t.Context(), u.ID)
			must(t, err)
			for _, l := range full.Ledger {
				if l.RestoredAt == nil {
					t.Errorf("%s: ledger: %s %s is not put back", u.Server, l.Kind, l.Name)
				}
			}
			tr.asBefore(t, u)
		}
	}
	ledger.held("host as recorded after done or skip", len(v.Waves))
}

// asBefore compares a host with what it was. Of a server that was not upgraded,
// Exchange's own services are Setup's affair where Setup ran.
func (a *arena) asBefore(t testing.TB, u store.UpgradeRow) {
	t.Helper()
	var wrong []string
	if !poll(hostWithin, func() bool {
		wrong = slices.DeleteFunc(a.differences(t, u.Server), func(d string) bool {
			return u.State == rollout.Skipped && strings.HasPrefix(d, "service ") && !strings.Contains(d, "BackupAgent") && !strings.Contains(d, "MailScan") && a.truth.count(u.Server, "setup-started") > 0
		})
		return len(wrong) == 0
	}) {
		t.Errorf("%s is %s and not as it was: %s", u.Server, u.State, strings.Join(wrong, "; "))
	}
}

// undergo is one whole trial.
func undergo(t *testing.T, skip bool, faults ...twin.Fault) {
	t.Helper()
	tr := newTrial(t, faults...)
	v := tr.resolve(t, skip)
	must(t, tr.fleet.Mend(victim)) // what a fault itself did to the host is not ours
	tr.after(t, v, tr.upgrade(v, victim).State == rollout.Skipped)
	tr.checkAlways(t)
	ledger.injected("declared fault", len(faults))
	begun := 0
	for _, o := range tr.truth.of(victim, "fault") {
		t.Logf("%s at %v", o.Detail["declared"], o.Detail["step"])
		begun++
	}
	ledger.injected("declared fault that took hold", begun)
	t.Logf("decided: %v", tr.decided)
}

// TestEveryFaultAlone: whatever befalls one server, it ends as done or as a clear
// decision for a person, and nothing else stops or starts.
func TestEveryFaultAlone(t *testing.T) {
	t.Parallel()
	all := oneFault()
	if !*fullFlag {
		random := chance(t)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:4]
	}
	for n, f := range all {
		name := strings.ReplaceAll(f.String(), " on "+victim, "")
		if f.Lasts > 0 {
			name += " for long"
		}
		for _, skip := range []bool{false, true} {
			if !*fullFlag && skip != (n%2 == 1) {
				continue
			}
			t.Run(fmt.Sprintf("%s, skip %t", name, skip), func(t *testing.T) {
				t.Parallel()
				undergo(t, skip, f)
			})
		}
	}
}

// TestPairsOfFaults: two at a time.
func TestPairsOfFaults(t *testing.T) {
	t.Parallel()
	all, random, pairs := oneFault(), chance(t), 1
	if *fullFlag {
		pairs = 100 * *roundsFlag
	}
	for n := range pairs {
		one, two := all[random.IntN(len(all))], all[random.IntN(len(all))]
		t.Run(strings.ReplaceAll(fmt.Sprintf("%d %s and %s", n, one, two), " on "+victim, ""), func(t *testing.T) {
			t.Parallel()
			undergo(t, n%2 == 1, one, two)
		})
	}
}
