package runbook

import (
	"slices"
	"strconv"
	"strings"

	"wavekeeper/server/rollout"
)

// A plan of two packages walks its table in two halves: the service pack's to its
// verified end, then the rollup's in the steps that are marked Second. Which row a
// function means by a step's name is said here and nowhere else: the one of its own
// half, and of its own host, since a cluster's nodes are chosen anew for each half.

// ofSecond ends the names, before their turns, of steps of the second half that the
// first one has as well: "stop-cms-second-1".
const ofSecond = "-second"

// walkedTwice are the steps, without their turns, that each half has for itself.
// Those that begin with RollupName are of the second half alone, all others of the first.
var walkedTwice = []string{
	"facts", Choose, Stage, "groups", lookOnceMore, preflightAgain, "stop-monitoring", "stop-services", "forefront", "passive",
	"restart", "after", "ready", "hook-" + HookCMSStop, "stop-cms", "move-cms", onlineWord, "hook-" + HookCMSOnline, "copies",
}

// ofHosts are the steps, without their turns, whose turn is the host's place among
// the names of all hosts; that of all others is the one that step choose gave it.
var ofHosts = []string{"facts", Stage, stageSecond, rollout.VerifyStep, servicePackVerify, Tidy}

// forSecond makes steps those of the plan's second package.
func forSecond(steps []Step) []Step {
	out := slices.Clone(steps)
	for i := range out {
		s := &out[i]
		turn := s.Turn()
		if base := strings.TrimSuffix(s.Name, turn); slices.Contains(walkedTwice, base) {
			s.Name = base + ofSecond + turn
		}
		s.Words, s.Second = wordsFor("rollup", s.Words), true
	}
	return out
}

// wordsFor says for which of the two packages a step is.
func wordsFor(what, words string) string {
	return "For the " + what + ", " + strings.ToLower(words[:1]) + words[1:]
}

// second reports whether the step is of the plan's second package.
func (w *Work) second() bool { return w.Then != (Package{}) && w.Package == w.Then }

// rowOf is the name, without its turn, under which the step's own half has a step.
func (w *Work) rowOf(base string) string {
	if w.second() && slices.Contains(walkedTwice, base) {
		return base + ofSecond
	}
	return base
}

// note is the memory of the step of that name which worked on the host of this one:
// that of the own half where both have it, else of the half that does.
func (w *Work) note(base string) map[string]string {
	second := w.second()
	if !slices.Contains(walkedTwice, base) {
		second = w.Then != (Package{}) && strings.HasPrefix(base, RollupName)
	}
	return w.Notes[w.rowOf(base)+w.turnOf(base, second)]
}

// turnOf is how the names of steps of this host end in a half: for those of nodes
// by the choice of that half.
func (w *Work) turnOf(base string, second bool) string {
	if w.Turn == "" {
		return ""
	}
	if at := slices.Index(w.Nodes, w.Node); at >= 0 && slices.Contains(ofHosts, base) {
		return "-" + strconv.Itoa(at+1)
	}
	chosen := chosenIn(w.Notes, second)
	for i := range w.Nodes {
		if turn := "-" + strconv.Itoa(i+1); chosen["node"+turn] == w.Node {
			return turn
		}
	}
	return w.Turn
}

// chosen is what step choose of the own half said: which host is node-1, and which
// clustered mailbox server goes to it.
func (w *Work) chosen() map[string]string { return chosenIn(w.Notes, w.second()) }

// chosenIn is what step choose of a half said; the first half's counts until the
// second half has its own.
func chosenIn(notes map[string]map[string]string, second bool) map[string]string {
	if own := notes[Choose+ofSecond]; second && own["node-1"] != "" {
		return own
	}
	return notes[Choose]
}
