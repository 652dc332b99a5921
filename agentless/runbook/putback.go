package runbook

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// putBack walks the open ledger entries, the last change first, and does one
// action for each a tick; it closes each when the host is seen to be as it was.
// One that cannot be put back keeps no other from it: the step fails at the end,
// and the entry stays open.
func putBack(ctx context.Context, w *Work) (Outcome, error) { return putBackAll(ctx, w, nil, "") }

// putBackOf puts back the entries of some kinds in a step of its own, before
// put-back has its turn.
func putBackOf(ctx context.Context, w *Work, words string, kinds ...string) (Outcome, error) {
	return putBackAll(ctx, w, func(e Entry) bool { return slices.Contains(kinds, e.Kind) }, words)
}

// servicesBack puts the services back that were stopped or paused for Setup, not
// those that were started for it: a transport that is paused still would fail the
// functional checks.
func servicesBack(ctx context.Context, w *Work) (Outcome, error) {
	return putBackAll(ctx, w, func(e Entry) bool {
		return e.Kind == ForefrontEntry || e.Kind == PausedEntry || e.Kind == ServiceEntry && e.Meant["state"] == windows.Stopped
	}, "The services that were stopped are as they were")
}

// putBackAll walks the open entries that only wants, all where it is nil.
func putBackAll(ctx context.Context, w *Work, only func(Entry) bool, words string) (Outcome, error) {
	ended := w.Memory[whole]
	w.fresh()
	if ended != "" {
		w.Memory[whole] = ended
	}
	b := &putter{Work: w, skip: map[int64]bool{}, only: only, words: words}
	if only != nil && len(b.left()) == 0 {
		return Outcome{Kind: Done, Percent: 100, Message: words}, nil
	}
	if len(w.Ledger) == 0 && !unlike(w) {
		return putBackDone(w, "Nothing is left to put back"), nil
	}
	for _, part := range []func(context.Context) (bool, error){b.afterSetup, b.leftBySetup, b.lookBack, b.startTypes, b.entries} {
		if ended, err := part(ctx); err != nil || ended {
			return b.out, err
		}
	}
	if b.out.Kind != "" {
		return b.out, nil
	}
	return b.end(), nil
}

// backTask is the key of a host task by which an entry is put back. A step of the
// upgrade's own way may have had it in this attempt and failed; where the attempt is
// put back the task is another one, whose answer is of now.
func (w *Work) backTask(key string) string {
	if w.Unwinding {
		return key + "-back"
	}
	return key
}

// putter is one tick of putBack.
type putter struct {
	*Work
	services []windows.Service
	skip     map[int64]bool // entries that had their turn in this tick
	out      Outcome        // the first that keeps the step from its end
	only     func(Entry) bool
	words    string // of the end, where only some entries are put back
}

// left are the entries that this step has to put back.
func (b *putter) left() []Entry {
	if b.only == nil {
		return b.Ledger
	}
	var out []Entry
	for _, e := range b.Ledger {
		if b.only(e) {
			out = append(out, e)
		}
	}
	return out
}

// open are the entries to work on, the last change first.
func (b *putter) open() []Entry {
	var out []Entry
	for _, e := range slices.Backward(b.left()) {
		if !b.skip[e.ID] && b.Memory[entryKey(e)+stuck] == "" {
			out = append(out, e)
		}
	}
	return out
}

// What is remembered of an entry that cannot be put back.
const (
	stuck = ".stuck"
	cure  = ".cure"
)

// turn takes in what came out of an entry's action.
func (b *putter) turn(e Entry, out Outcome) {
	b.skip[e.ID] = true
	switch {
	case out.Kind == Failed:
		b.Memory[entryKey(e)+stuck], b.Memory[entryKey(e)+cure] = out.Message, cmp.Or(out.Remedy, "Put it back by hand")
	case b.out.Kind == "":
		b.out = out
	}
}

// afterSetup sees to it that nothing is put back under a Setup that runs, whose
// ever it is, and that no Setup task of this upgrade may begin afterwards.
func (b *putter) afterSetup(ctx context.Context) (ended bool, err error) {
	l, err := alive(ctx, b.Work)
	if err != nil {
		b.out, err = trouble("look for Setup's programs", err)
		return true, err
	}
	if len(l.setup) > 0 {
		out := again("Setup still runs: nothing is put back under it; %s", l.who())
		out.After, out.running = later, true
		b.out = unseen(out)
		return true, nil
	}
	if !slices.ContainsFunc(b.left(), func(e Entry) bool { return e.Kind == RevocationEntry }) {
		return false, nil
	}
	out, err := disarm(ctx, b.Work, "")
	if err != nil || out.Kind == Done {
		return false, err
	}
	if !out.troubled && out.Kind != Failed {
		b.out = unseen(out)
		return true, nil
	}
	for _, e := range b.open() {
		if e.Kind == RevocationEntry {
			b.turn(e, out)
		}
	}
	return false, nil
}

// lookBack remembers how the services are found before the first is put back:
// in a tick of its own, so that what we do ourselves is never taken for
// somebody else's doing after a kill.
func (b *putter) lookBack(ctx context.Context) (ended bool, err error) {
	for _, e := range b.left() {
		if e.Kind != ServiceEntry || b.Memory[entryKey(e)] != "" {
			continue
		}
		if b.services == nil {
			if b.services, err = b.Host.Services(ctx); err != nil {
				b.out, err = trouble("read the services", err)
				return true, err
			}
		}
		asLeft(b.Work, b.services, e)
		ended = true
	}
	if ended {
		b.out = onward("The present state is recorded, changes to put back: %d", len(b.left()))
	}
	return ended, nil
}

// startTypes puts the start types of all services back before the first is
// started, one a tick: a service does not start while one that it needs is
// still disabled.
func (b *putter) startTypes(ctx context.Context) (ended bool, err error) {
	for _, e := range b.open() {
		if e.Kind != ServiceEntry {
			continue
		}
		if b.services == nil {
			if b.services, err = b.Host.Services(ctx); err != nil {
				b.out, err = trouble("read the services", err)
				return true, err
			}
		}
		s, ok := windows.FindService(b.services, e.Name)
		if !ok || s.StartMode == e.Before["start"] || keeps(s, e) {
			continue
		}
		out, err := putBackStart(ctx, b.Work, s, e)
		if err != nil || out.Kind == Again && !out.troubled {
			b.out = out
			return true, err
		}
		b.turn(e, out)
	}
	return false, nil
}

// NeedsRunAs reports whether what an entry of a kind changed is put back by a host
// task under the run-as account: without the approved one it waits.
func NeedsRunAs(kind string) bool {
	return slices.Contains([]string{RevocationEntry, UMEntry, UMPackEntry, ForefrontEntry, ClusterEntry, SettingsEntry}, kind)
}

// entries does one action for each entry that is not closed by what is seen, for
// settings once nothing else waits: their cmdlets want the services.
func (b *putter) entries(ctx context.Context) (ended bool, err error) {
	if ended, err = b.act(ctx, func(e Entry) bool { return e.Kind != SettingsEntry }); err != nil || ended || b.out.Kind != "" {
		return ended, err
	}
	return b.act(ctx, func(e Entry) bool { return e.Kind == SettingsEntry })
}

// act does one action for each open entry of those that which wants.
func (b *putter) act(ctx context.Context, which func(Entry) bool) (ended bool, err error) {
	for _, e := range b.open() {
		if !which(e) {
			continue
		}
		var out Outcome
		var closed bool
		switch e.Kind {
		case ServiceEntry:
			out, closed, err = putBackService(ctx, b.Work, b.services, e)
		case RevocationEntry:
			out, closed, err = putBackRevocation(ctx, b.Work, e)
		case UMEntry:
			out, closed, err = putBackUM(ctx, b.Work, e)
		case PausedEntry:
			out, closed, err = putBackPaused(ctx, b.Work, e)
		case UMPackEntry:
			out, closed, err = putBackPack(ctx, b.Work, e)
		case ForefrontEntry:
			out, closed, err = putBackForefront(ctx, b.Work, e)
		case ClusterEntry:
			out, closed, err = putBackServer(ctx, b.Work, e)
		case HookEntry:
			out, closed, err = putBackHook(ctx, b.Work, e)
		case SettingsEntry:
			out, closed, err = putBackSettings(ctx, b.Work, e)
		default:
			out = Outcome{
				Kind: Failed, Message: fmt.Sprintf("The ledger holds %s %s, which this runbook cannot put back", e.Kind, e.Name),
				Remedy: "Use the version of Wavekeeper that changed it.",
			}
		}
		if err != nil {
			return true, err
		}
		if !closed {
			b.turn(e, out)
		}
	}
	return false, nil
}

// end is a tick after which no entry waits for anything.
func (b *putter) end() Outcome {
	if b.only != nil && len(b.left()) == 0 {
		return Outcome{Kind: Done, Percent: 100, Message: b.words}
	}
	if len(b.Ledger) == 0 {
		return putBackDone(b.Work, "Everything that was changed for a while is put back")
	}
	var wrong, remedies []string
	for _, e := range b.left() {
		wrong = append(wrong, b.Memory[entryKey(e)+stuck])
		if remedy := b.Memory[entryKey(e)+cure]; !slices.Contains(remedies, remedy) {
			remedies = append(remedies, remedy)
		}
	}
	return Outcome{Kind: Failed, Message: strings.Join(wrong, "; "), Remedy: strings.Join(remedies, " ")}
}

// putBackStart puts one start type back; it is looked at again before it counts.
func putBackStart(ctx context.Context, w *Work, s windows.Service, e Entry) (Outcome, error) {
	if err := w.intend(ctx, "set start type of service "+s.Name+" to "+e.Before["start"]); err != nil {
		return Outcome{}, err
	}
	mode := e.Before["start"]
	if mode == windows.StartAuto && e.Before[delayedStart] != "" {
		mode = windows.StartDelayed
	}
	if err := w.Host.SetStartMode(ctx, s.Name, mode); err != nil {
		return trouble("put back the start type of service "+s.Name, err)
	}
	return onward("The start type of service %s is put back", s.Name), nil
}
