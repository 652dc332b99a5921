package runbook

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"wavekeeper/agentless/windows"
)

// What Before of a RevocationEntry holds. The value is known once the Setup
// task began: from then on the ledger has it, whatever happens to the host.
const (
	ofSetup  = "task"  // the Setup task that changed the value
	inFile   = "file"  // of that task's folder, without .txt: where it wrote the value before the change
	oldValue = "value" // what was in that file: a DWORD as reg.exe writes it, or "absent"

	// ofAccount is the account in whose registry the value lies. It is not said of
	// SYSTEM's, which every administrator can change, and not in entries of
	// versions that did not know it: those count as the present account's.
	ofAccount = "account"
)

// others reports whether an entry's value lies in the registry of another
// account than what runs now: a user's registry is loaded only while that user
// is logged on, so nothing can be compared or put back there. Windows does not
// tell case in the names of accounts.
func others(w *Work, e Entry) bool {
	account := e.Before[ofAccount]
	return e.Kind == RevocationEntry && account != "" && !strings.EqualFold(account, w.RunAs.Name)
}

// othersRevocation is an open entry of another account than the one that Setup
// is to run as now: Setup waits until it is closed, since what comes later would
// be taken for that account's. Its kind is empty where there is none.
func othersRevocation(w *Work) Outcome {
	for _, e := range w.Ledger {
		if others(w, e) {
			return Outcome{
				Kind:    Failed,
				Message: fmt.Sprintf("The revocation switch of %s is not put back yet, and Setup would run as %s now; Setup was not begun", e.Before[ofAccount], w.RunAs.Name),
				Remedy:  accountAgain(e),
			}
		}
	}
	return Outcome{}
}

func accountAgain(e Entry) string {
	return fmt.Sprintf("Set the credential of %s again, approve the wave with it and run again: what was changed for it is put back as that account.", e.Before[ofAccount])
}

// unvalued are the open entries of one Setup task whose old value is not in the
// ledger yet.
func unvalued(w *Work, task string) []Entry {
	var out []Entry
	for _, e := range w.Ledger {
		if e.Kind == RevocationEntry && e.Before[ofSetup] == task && e.Before[oldValue] == "" {
			out = append(out, e)
		}
	}
	return out
}

// learn copies the old values that a Setup task wrote into the ledger.
func learn(ctx context.Context, w *Work, task string, look windows.TaskLook) error {
	for _, e := range unvalued(w, task) {
		file := e.Before[inFile] + ".txt"
		if !look.Has(file) {
			continue
		}
		value, err := readWord(ctx, w, windows.TaskFolder(task)+`\`+file)
		if err != nil {
			return err
		}
		if !isValue(value) {
			continue
		}
		e.Before = maps.Clone(e.Before)
		e.Before[oldValue] = value
		if err := w.found(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// settle ends the entries of a Setup task that cannot write their old values any
// more: where it never began nothing was changed, else it is said that the old
// value is not known.
func settle(ctx context.Context, w *Work, task string, look windows.TaskLook) error {
	for _, e := range unvalued(w, task) {
		deviation := ""
		switch {
		case look.State == windows.TaskAbsent:
			deviation = "the folder of the Setup task is gone and its old value was not read: it could not be compared or put back"
		case began(look) && !look.MediaRefused(): // else the body ended before its first change
			deviation = "the Setup task began and left no old value: it could not be compared or put back"
		}
		if err := w.restored(ctx, e, deviation); err != nil {
			return err
		}
	}
	return nil
}

// putBackRevocation closes one entry of the revocation switch once no Setup task
// can change the value any more. The task that changed it puts it back itself
// and writes what it is then; when it died, or another one came after it, a
// repair task under the same account does, since a user's registry is loaded
// only while that user is logged on.
func putBackRevocation(ctx context.Context, w *Work, e Entry) (Outcome, bool, error) {
	task, value := e.Before[ofSetup], e.Before[oldValue]
	look, err := w.Host.LookTask(ctx, task)
	if err != nil {
		out, err := trouble("look at what the Setup task left", err)
		return out, false, err
	}
	if value == "" { // the task was not on the host when the tasks were disarmed
		err := settle(ctx, w, task, look)
		return Outcome{}, err == nil, err
	}
	from := task
	if task != w.Memory[lastRan] || !look.Has("revocation-restored") {
		if others(w, e) {
			return Outcome{
				Kind: Failed, Remedy: accountAgain(e),
				Message: fmt.Sprintf("The revocation switch of %s was %s before Setup and is not put back: %s runs now, and it was not touched as that account", e.Before[ofAccount], value, w.RunAs.Name),
			}, false, nil
		}
		out, ended, err := repair(ctx, w)
		if err != nil || out.Kind != Done {
			return out, false, err
		}
		from = ended
	}
	after, err := readWord(ctx, w, windows.TaskFolder(from)+`\`+e.Before[inFile]+`-after.txt`)
	if err != nil {
		out, err := trouble("read the new value", err)
		return out, false, err
	}
	if !isValue(after) {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("Whether the revocation switch of %s is back at %s cannot be said: task %s ended and wrote no value", e.Name, value, from),
			Remedy: fmt.Sprintf("Put value State of WinTrust's Software Publishing key back to %s by hand for %s, or run again.", value, e.Name),
		}, false, nil
	}
	deviation := ""
	if !sameValue(value, after) {
		deviation = fmt.Sprintf("value State was %s before Setup and is %s now", value, after)
	}
	return Outcome{}, true, w.restored(ctx, e, deviation)
}

// repair puts back what the ledger says, for all open entries at once that the
// present account can put back. It does not need what the Setup task left: the values come with it.
func repair(ctx context.Context, w *Work) (Outcome, string, error) {
	name := windows.TaskName(w.Installation, w.Upgrade, "revocation", w.Attempt)
	folder := windows.TaskFolder(name)
	body, err := windows.RepairBody(folder, folder)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Put the revocation switch back by hand."}, name, nil
	}
	task := windows.Task{Name: name, Body: body, Files: map[string][]byte{}, Account: w.RunAs.Name, Password: w.RunAs.Password}
	for _, e := range w.Ledger {
		if e.Kind == RevocationEntry && e.Before[oldValue] != "" && !others(w, e) {
			task.Files[e.Before[inFile]+".txt"] = []byte(e.Before[oldValue] + "\r\n")
		}
	}
	out, _, err := drive(ctx, w, task, "put the revocation switch back")
	return out, name, err
}

func readWord(ctx context.Context, w *Work, path string) (string, error) {
	chunk, err := w.Host.ReadFile(ctx, path, 0, 256)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(chunk.Data)), nil
}

// isValue reports whether a word is what a Setup task writes: after a power loss
// a file may hold anything.
func isValue(word string) bool {
	_, err := strconv.ParseUint(word, 0, 32)
	return err == nil || word == "absent"
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
