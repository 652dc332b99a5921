package runbook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"wavekeeper/agentless/windows"
)

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// putBack walks the open ledger entries, the last change first, one action a
// tick, and closes each when the host is seen to be as it was.
func putBack(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if len(w.Ledger) == 0 {
		return Outcome{Kind: Done, Message: "Nothing is left to put back"}, nil
	}
	var services []windows.Service
	open := append([]Entry(nil), w.Ledger...)
	if looked, err := lookBack(ctx, w, open); err != nil || looked {
		if err != nil {
			return trouble("read the services", err)
		}
		return onward("The present state of %d changes is recorded", len(open)), nil
	}
	if out, err := startTypes(ctx, w, open); err != nil || out.Kind == Again {
		return out, err
	}
	for i := len(open) - 1; i >= 0; i-- {
		var out Outcome
		var closed bool
		var err error
		switch e := open[i]; e.Kind {
		case ServiceEntry:
			if services == nil {
				if services, err = w.Host.Services(ctx); err != nil {
					return trouble("read the services", err)
				}
			}
			out, closed, err = putBackService(ctx, w, services, e)
		case RevocationEntry:
			out, closed, err = putBackRevocation(ctx, w, e)
		default:
			return Outcome{
				Kind: Failed, Message: fmt.Sprintf("The ledger holds %s %s, which this runbook cannot put back", e.Kind, e.Name),
				Remedy: "Use the version of Wavekeeper that changed it.",
			}, nil
		}
		if err != nil || !closed {
			return out, err
		}
	}
	return Outcome{Kind: Done, Message: fmt.Sprintf("%d changes are put back", len(open)), Percent: 100}, nil
}

// startTypes puts the start types of all services back before the first is
// started, one a tick: a service does not start while one that it needs is
// still disabled.
func startTypes(ctx context.Context, w *Work, open []Entry) (Outcome, error) {
	var services []windows.Service
	for i := len(open) - 1; i >= 0; i-- {
		e := open[i]
		if e.Kind != ServiceEntry {
			continue
		}
		if services == nil {
			var err error
			if services, err = w.Host.Services(ctx); err != nil {
				return trouble("read the services", err)
			}
		}
		if s, ok := windows.FindService(services, e.Name); ok && s.StartMode != e.Before["start"] {
			return putBackStart(ctx, w, s, e)
		}
	}
	return Outcome{}, nil
}

// putBackStart puts one start type back; it is looked at again before it counts.
func putBackStart(ctx context.Context, w *Work, s windows.Service, e Entry) (Outcome, error) {
	if err := w.intend(ctx, "set start type of service "+s.Name+" to "+e.Before["start"]); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.SetStartMode(ctx, s.Name, e.Before["start"]); err != nil {
		return trouble("put back the start type of service "+s.Name, err)
	}
	return onward("The start type of service %s is put back", s.Name), nil
}

// lookBack remembers how the services are found before the first is put back:
// in a tick of its own, so that what we do ourselves is never taken for
// somebody else's doing after a kill.
func lookBack(ctx context.Context, w *Work, open []Entry) (looked bool, err error) {
	var services []windows.Service
	for _, e := range open {
		if e.Kind != ServiceEntry || w.Memory[entryKey(e)] != "" {
			continue
		}
		if services == nil {
			if services, err = w.Host.Services(ctx); err != nil {
				return false, err
			}
		}
		asLeft(w, services, e)
		looked = true
	}
	return looked, nil
}

// putBackRevocation closes one entry of the revocation switch. The Setup task
// puts both values back itself and writes what they are then; when it died, a
// repair task under the same account does, since a user's registry is loaded
// only while that user is logged on.
func putBackRevocation(ctx context.Context, w *Work, e Entry) (Outcome, bool, error) {
	task, file := e.Before["task"], e.Before["file"]
	look, err := w.Host.LookTask(ctx, task)
	if err != nil {
		out, err := trouble("look at what the Setup task left", err)
		return out, false, err
	}
	switch {
	case look.State == windows.TaskAbsent:
		return Outcome{}, true, w.restored(ctx, e, "the folder of the Setup task is gone, so the value could not be compared")
	case !look.Has("started"):
		return neverBegan(ctx, w, e, task)
	case !look.Has("revocation-restored"):
		return repair(ctx, w, look, task)
	}
	before, err := readWord(ctx, w, windows.TaskFolder(task)+`\`+file+`.txt`)
	if err != nil {
		out, err := trouble("read the old value", err)
		return out, false, err
	}
	after, err := readWord(ctx, w, windows.TaskFolder(task)+`\`+file+`-after.txt`)
	if err != nil {
		out, err := trouble("read the new value", err)
		return out, false, err
	}
	deviation := ""
	if !sameValue(before, after) {
		deviation = fmt.Sprintf("value State was %s before Setup and is %s now", said(before), said(after))
	}
	return Outcome{}, true, w.restored(ctx, e, deviation)
}

// neverBegan is a Setup task that did not run: once it is out of the scheduler
// and still has not begun, nothing was changed.
func neverBegan(ctx context.Context, w *Work, e Entry, task string) (Outcome, bool, error) {
	if err := w.intend(ctx, "delete host task "+task); err != nil {
		return Outcome{}, false, err
	}
	if err := w.Host.DeleteTask(ctx, task); err != nil {
		out, err := trouble("delete the task that did not begin", err)
		return out, false, err
	}
	look, err := w.Host.LookTask(ctx, task)
	if err != nil {
		out, err := trouble("look at the task that did not begin", err)
		return out, false, err
	}
	if look.Has("started") {
		return again("The Setup task began late"), false, nil
	}
	return Outcome{}, true, w.restored(ctx, e, "")
}

// repair puts the two values back for a Setup task that began and did not get
// there; while one of its programs lives it is left alone.
func repair(ctx context.Context, w *Work, look windows.TaskLook, died string) (Outcome, bool, error) {
	if look.State == windows.TaskStarted {
		processes, err := w.Host.Processes(ctx)
		if err != nil {
			out, err := trouble("look for Setup's programs", err)
			return out, false, err
		}
		if len(ofTask(processes, died))+len(windows.SetupProcesses(processes)) > 0 {
			out := again("Setup still runs: its own task puts the revocation switch back")
			out.After = later
			return out, false, nil
		}
	}
	name := windows.TaskName(w.Installation, w.Upgrade, "revocation", w.Attempt)
	body, err := windows.RepairBody(windows.TaskFolder(name), windows.TaskFolder(died))
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error()}, false, nil
	}
	task := windows.Task{Name: name, Body: body, Account: w.RunAs.Name, Password: w.RunAs.Password}
	out, _, err := drive(ctx, w, task, "put the revocation switch back")
	if err == nil && out.Kind == Done { // its marker is looked for in the next tick
		if w.raise("repaired") > deathCertain {
			return Outcome{
				Kind: Failed, Message: "The repair task ended and the revocation switch is not back",
				Remedy: "Put value State of WinTrust's Software Publishing key back by hand for the run-as account and S-1-5-18.",
			}, false, nil
		}
		out = again("The repair task ended")
	}
	return out, false, err
}

func readWord(ctx context.Context, w *Work, path string) (string, error) {
	chunk, err := w.Host.ReadFile(ctx, path, 0, 256)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(chunk.Data)), nil
}

// sameValue compares two DWORDs as reg.exe writes them, or "absent".
func sameValue(a, b string) bool {
	x, errX := strconv.ParseUint(a, 0, 32)
	y, errY := strconv.ParseUint(b, 0, 32)
	if errX == nil && errY == nil {
		return x == y
	}
	return a == b
}
