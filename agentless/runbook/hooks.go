package runbook

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"wavekeeper/server/rollout"
)

// The points of a runbook at which a user's own programs or webhooks run, in the
// order in which an upgrade comes to them; server/hook has the same.
const (
	HookAnnounce  = "announce"   // the upgrade begins: tell people
	HookDrain     = "drain"      // take the server out of the load balancer
	HookUndrain   = "undrain"    // put it back
	HookCMSStop   = "cms-stop"   // a clustered mailbox server is about to be stopped
	HookCMSOnline = "cms-online" // it is online again
	HookAfter     = "after"      // the server is verified and all is put back
)

// Hooks runs what is bound to a point. The hooks are those of the approval: one
// that was changed, added or removed since is a failed run with words that say so.
type Hooks interface {
	// Bound names what is bound to the point, in the order in which it runs. An
	// error means that it cannot be said; nothing is run then.
	Bound(ctx context.Context, point string) ([]string, error)
	// Run runs one hook once, within a tick. A run that was killed is repeated with
	// the same call, and so the same id: hooks are repeatable. An error is one that
	// is not the hook's doing; the tick is repeated.
	Run(ctx context.Context, call HookCall) (HookRun, error)
}

// HookCall is what one run of a hook is told, besides what the caller of the
// tick knows (rollout, wave, the address of the console).
type HookCall struct {
	Point, Name string
	ID          string // the same for each run of this hook at this point in this attempt
	Server      string
	Host        string // the host that the step works on; of a cluster one of its nodes
	Package     string // "SP1"
	Upgrade     int64
	Attempt     int
}

// HookRun is how a run of a hook ended.
type HookRun struct {
	State  HookState
	Words  string // what came out, one sentence: "exit code 1 after 3 s"
	Output []byte // what it wrote, without known secrets, at most 64 kB
}

// HookState says whether a hook reached its goal.
type HookState string

// The states of a hook's run.
const (
	HookDone   HookState = "done"
	HookLater  HookState = "later" // it asks to be run again: exit code 75, or HTTP 202
	HookFailed HookState = "failed"
)

// HookEvidence is the kind of evidence that a hook's output is kept as.
const HookEvidence = "hook"

// hookPause is the time between two runs of a hook that asks to be run again.
const hookPause = 10 * time.Second

// hookStep is the step that runs what is bound to a point; nothing bound is done
// at once. It is repeatable, since a hook is. A hook may ask to be run again for
// an hour: a load balancer lets its connections come to their ends.
func hookStep(point string) Step {
	return Step{rollout.Step{
		Name: "hook-" + point, Words: hookWords[point],
		Expected: 5 * time.Second, Soft: 10 * time.Minute, Hard: time.Hour, Silence: 10 * time.Minute,
		Repeatable: true, Hook: point,
	}, func(ctx context.Context, w *Work) (Outcome, error) { return runHooks(ctx, w, point) }}
}

var hookWords = map[string]string{
	HookAnnounce:  "The upgrade is announced by the hooks that are bound to it",
	HookDrain:     "Hooks take the server out of the load balancer",
	HookUndrain:   "Hooks put the server back into the load balancer",
	HookCMSStop:   "Hooks are told that the clustered mailbox server is about to stop",
	HookCMSOnline: "Hooks are told that the clustered mailbox server is online",
	HookAfter:     "Hooks are told that the server is done",
}

// runHooks runs the hooks of a point one after the other, one run in a tick.
func runHooks(ctx context.Context, w *Work, point string) (Outcome, error) {
	if w.Hooks == nil {
		return Outcome{Kind: Done, Message: "No hook is bound to " + point}, nil
	}
	names, err := w.Hooks.Bound(ctx, point)
	if err != nil {
		return Outcome{}, fmt.Errorf("list the hooks of %s: %w", point, err)
	}
	ran := w.count("ran")
	switch {
	case ran >= len(names):
		if point == HookUndrain {
			if err := w.drained(ctx, ran > 0); err != nil {
				return trouble("record that the server is in the balancer", err)
			}
		}
		if ran == 0 {
			return Outcome{Kind: Done, Message: "No hook is bound to " + point}, nil
		}
		return Outcome{Kind: Done, Percent: 100, Message: fmt.Sprintf("Done: %s", list(names))}, nil
	case point == HookDrain:
		if err := w.change(ctx, Entry{Kind: HookEntry, Name: HookDrain, Before: map[string]string{"balancer": "in"}, Meant: map[string]string{"balancer": "out"}}); err != nil {
			return trouble("record that the server leaves the balancer", err)
		}
	}
	out, ended, err := runHook(ctx, w, point, names[ran])
	if ended && err == nil {
		w.Memory["ran"] = strconv.Itoa(ran + 1)
		out.Percent = 100 * (ran + 1) / len(names)
	}
	return out, err
}

// runHook runs one hook once; ended says that it reached its goal.
func runHook(ctx context.Context, w *Work, point, name string) (out Outcome, ended bool, err error) {
	if err := w.intend(ctx, fmt.Sprintf("run the hook %s at %s", name, point)); err != nil {
		out, err = trouble("run the hook "+name, err)
		return out, false, err
	}
	run, err := w.Hooks.Run(ctx, HookCall{
		Point: point, Name: name, ID: w.hookID(point, name),
		Server: w.Server.Name, Host: w.Node, Package: w.Package.Name, Upgrade: w.Upgrade, Attempt: w.Attempt,
	})
	if err != nil {
		return Outcome{}, false, fmt.Errorf("run the hook %s at %s: %w", name, point, err)
	}
	out.Message = fmt.Sprintf("The hook %s: %s", name, run.Words)
	if len(run.Output) > 0 && run.State != HookLater {
		out.Evidence = []Evidence{{Kind: HookEvidence, Name: point + " " + name, Data: run.Output}}
	}
	switch run.State {
	case HookDone:
		out.Kind = Again
		return out, true, nil
	case HookLater:
		out.Kind, out.After = Again, hookPause
	case HookFailed:
		out.Kind = Failed
		out.Remedy = "Its output is kept with this upgrade. Cure what the hook reports and run again; the hook is run again with a new id. No other server of the wave waits for this."
	default:
		return Outcome{}, false, fmt.Errorf("the hook %s ended as %q", name, run.State)
	}
	return out, false, nil
}

// HookEntry is the kind of ledger entry of what hooks changed outside of the
// host; Name is the point.
const HookEntry = "hook"

// nobodyUndrains is said where hooks took a server out of the balancer and none
// is bound to undrain.
const nobodyUndrains = "no hook puts it back into the balancer (undrain): a person has to"

// drained closes what the drain opened: the hooks of undrain ran, or there are none.
func (w *Work) drained(ctx context.Context, undrained bool) error {
	for _, e := range w.Ledger {
		switch {
		case e.Kind != HookEntry:
		case undrained:
			return w.restored(ctx, e, "")
		default:
			return w.restored(ctx, e, nobodyUndrains)
		}
	}
	return nil
}

// putBackHook puts a server back into the balancer when the attempt ended before
// Setup began. After that nobody may be sent to it until it is proven: then it
// stays out, which is said, and the undrain of a later attempt brings it back.
func putBackHook(ctx context.Context, w *Work, e Entry) (out Outcome, closed bool, err error) {
	for name, notes := range w.Notes {
		if notes[setupRan] != "" && w.Unwinding {
			return Outcome{}, true, w.restored(ctx, e, "stays out of the balancer, since "+name+" ran and the server is not proven: the undrain of the next attempt, or a person, puts it back")
		}
	}
	if w.Hooks == nil {
		return Outcome{}, true, w.restored(ctx, e, nobodyUndrains)
	}
	names, err := w.Hooks.Bound(ctx, HookUndrain)
	if err != nil {
		return Outcome{}, false, fmt.Errorf("list the hooks of %s: %w", HookUndrain, err)
	}
	key := entryKey(e) + ".ran"
	ran := w.count(key)
	switch {
	case len(names) == 0:
		return Outcome{}, true, w.restored(ctx, e, nobodyUndrains)
	case ran >= len(names):
		return Outcome{}, true, w.restored(ctx, e, "")
	}
	out, ended, err := runHook(ctx, w, HookUndrain, names[ran])
	if ended && err == nil {
		w.Memory[key] = strconv.Itoa(ran + 1)
	}
	return out, false, err
}

// hookID names a run of a hook; one that was killed and is repeated has the same.
func (w *Work) hookID(point, name string) string {
	if w.second() { // a server is stopped once for each package
		point += ofSecond
	}
	return fmt.Sprintf("%s-u%d-a%d-%s%s-%s", w.Installation, w.Upgrade, w.Attempt, point, w.Turn, name)
}
