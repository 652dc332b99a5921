//go:build !race

package torture

import (
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// replay is a second opinion on a rollout: its events are read from the first
// to the last, and each start is judged by what was so at that moment. It knows
// the rules from the design's text, not from the code that follows them.
type replay struct {
	policy   rollout.Policy
	before   map[string][]string // servers that must be verified first
	peers    map[string][]string // servers of the same role and site
	rollout  string
	waves    map[int]string
	approved map[int]bool
	waveOf   map[string]int
	state    map[string]rollout.State
	accepted map[string]bool // failures that a person resumed the wave with
	wrong    []string
}

func newReplay(v store.RolloutView, policy rollout.Policy, before, peers map[string][]string) *replay {
	r := &replay{
		policy: policy, before: before, peers: peers, rollout: "waiting", waves: map[int]string{}, approved: map[int]bool{},
		waveOf: map[string]int{}, state: map[string]rollout.State{}, accepted: map[string]bool{},
	}
	for _, w := range v.Waves {
		r.waves[w.Number] = "waiting"
		for _, u := range w.Upgrades {
			r.waveOf[u.Server], r.state[u.Server] = w.Number, rollout.Waiting
		}
	}
	return r
}

func (r *replay) say(e store.Event, format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf("event %d (%s %s: %s): ", e.Number, e.Kind, e.Server, e.Text)+fmt.Sprintf(format, args...))
}

// read takes one event.
func (r *replay) read(e store.Event) {
	moved, _ := e.Data["event"].(string)
	switch e.Kind {
	case store.EventApproved:
		r.approved[e.Wave] = true
	case store.EventVoided:
		r.approved[e.Wave] = false
	case store.EventRollout:
		r.rollout = spokenState(moved, e.Text, r.rollout, "the rollout")
	case store.EventWave:
		r.waves[e.Wave] = spokenState(moved, e.Text, r.waves[e.Wave], "wave")
		if r.waves[e.Wave] == "running" && moved == "" {
			r.accept(e.Wave)
		}
	case store.EventRetry:
		r.state[e.Server] = rollout.Waiting
		r.goOn(e.Wave)
	case store.EventDecide:
		if e.Data["decision"] == rollout.VerifyStep {
			r.goOn(e.Wave)
			r.state[e.Server] = rollout.Running
		}
	case store.EventSkip:
		if r.state[e.Server] == rollout.Done {
			r.say(e, "what is done is skipped")
		}
		r.state[e.Server] = rollout.Running
		if e.Step == "" {
			r.state[e.Server] = rollout.Skipped
		}
	case store.EventUpgrade:
		r.upgrade(e)
	case store.EventIntent:
		if strings.Contains(e.Text, "run host task") && strings.Contains(e.Text, "-setup-") {
			r.order(e)
			if s := r.state[e.Server]; s != rollout.Running && s != rollout.OutOfSight {
				r.say(e, "Setup is run while the upgrade is %s", s)
			}
		}
	}
}

// spokenState is what an event says about the state of a rollout or a wave:
// those of the program name their event, those of people say it.
func spokenState(moved, text, now, of string) string {
	switch {
	case moved == "run", moved == "open", strings.Contains(text, " resumed "+of):
		return "running"
	case moved == "finish":
		return "done"
	case moved == "stop", strings.Contains(text, " stopped "+of):
		return "stopped"
	case strings.Contains(text, " paused "+of):
		return "paused"
	}
	return now
}

// goOn is a wave that a decision about one of its servers resumes.
func (r *replay) goOn(wave int) {
	if r.waves[wave] == "stopped" {
		r.waves[wave] = "running"
	}
}

func (r *replay) accept(wave int) {
	for server, w := range r.waveOf {
		if w == wave && r.state[server].Broken() {
			r.accepted[server] = true
		}
	}
}

func (r *replay) upgrade(e store.Event) {
	to, _ := e.Data["state"].(string)
	from := r.state[e.Server]
	if from.Decided() && string(from) != to {
		r.say(e, "it was %s", from)
	}
	if strings.HasSuffix(e.Text, " starts.") {
		r.start(e, from)
	}
	r.state[e.Server] = rollout.State(to)
	delete(r.accepted, e.Server)
}

// start judges a start.
func (r *replay) start(e store.Event, from rollout.State) {
	if r.rollout != "running" || r.waves[e.Wave] != "running" || !r.approved[e.Wave] {
		r.say(e, "started in a rollout that is %s, a wave that is %s, approved %t", r.rollout, r.waves[e.Wave], r.approved[e.Wave])
	}
	if from != rollout.Waiting && from != rollout.Held {
		r.say(e, "started while %s", from)
	}
	r.order(e)
	inWork, broken := 0, 0
	for server, state := range r.state {
		if state.InWork() {
			inWork++
		}
		if r.waveOf[server] == e.Wave && state.Broken() && !r.accepted[server] {
			broken++
		}
	}
	if limit := r.policy.AtOnce; limit > 0 && inWork >= limit {
		r.say(e, "started while %d are in work, the limit is %d", inWork, limit)
	}
	if limit := r.policy.StopAfterFailures; limit > 0 && broken >= limit {
		r.say(e, "started in a wave with %d broken servers, the threshold is %d", broken, limit)
	}
	if peers := r.peers[e.Server]; len(peers) > 0 {
		stay := 0
		for _, p := range peers {
			if !r.state[p].InWork() {
				stay++
			}
		}
		if floor := r.policy.Floor.Of(len(peers) + 1); stay < floor {
			r.say(e, "%d of its role stay in service, the floor is %d", stay, floor)
		}
	}
}

// order holds that what comes before a server is verified.
func (r *replay) order(e store.Event) {
	for _, p := range r.before[e.Server] {
		if r.state[p] != rollout.Done {
			r.say(e, "%s is %s", p, r.state[p])
		}
	}
}

// compare holds the pages to the events: what they show is what was told.
func (r *replay) compare(v store.RolloutView) {
	for _, w := range v.Waves {
		for _, u := range w.Upgrades {
			have := r.state[u.Server]
			if u.State == have || slices.Contains([]rollout.State{rollout.Waiting, rollout.Held}, u.State) && slices.Contains([]rollout.State{rollout.Waiting, rollout.Held}, have) {
				continue
			}
			if u.Decision != "" { // a decision step shows itself as running
				continue
			}
			r.wrong = append(r.wrong, fmt.Sprintf("%s is %s, by its events %s", u.Server, u.State, have))
		}
	}
}
