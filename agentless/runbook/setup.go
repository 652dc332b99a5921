package runbook

import (
	"context"

	"wavekeeper/agentless/windows"
)

// setupLog is where Setup of Exchange 2007 writes; it is appended to across runs.
const setupLog = `C:\ExchangeSetupLogs\ExchangeSetup.log`

const setupWords = "Exchange Setup"

// setupTask is the host task that runs Setup in this attempt.
func setupTask(w *Work, account Account) (windows.Task, error) {
	name := windows.TaskName(w.Installation, w.Upgrade, "setup", w.Attempt)
	task := windows.Task{Name: name, Account: account.Name, Password: account.Password}
	setup := w.Media.Folder + `\setup.com`
	var err error
	if !w.Media.Medium.Known() {
		task.Body, err = windows.SetupBody(task.Folder(), setup, "/mode:Upgrade")
		return task, err
	}
	if task.Files, err = w.Media.Tree().CheckFiles(task.Folder()); err != nil {
		return windows.Task{}, err
	}
	task.Body, err = windows.CheckedSetupBody(task.Folder(), setup, "/mode:Upgrade", w.Media.Medium.ManifestSHA256)
	return task, err
}

// setup takes the server to the target: it prepares, registers and runs one
// host task, follows its log and judges its end. Each tick asks the host how
// far the task has come and moves it on by one action; in one attempt Setup
// begins at most once, whatever dies when (the body's own guard sees to it).
func setup(ctx context.Context, w *Work) (Outcome, error) {
	ran := w.Memory[setupRan]
	w.fresh()
	if ran != "" {
		w.Memory[setupRan] = ran
	}
	task, err := setupTask(w, w.RunAs)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Correct the folder of the package."}, nil
	}
	look, err := w.Host.LookTask(ctx, task.Name)
	if err != nil {
		return outOfReach(w, "look at the Setup task", err)
	}
	if look.Has(windows.Closed) {
		return closedBefore(), nil
	}
	if look.MediaRefused() && look.State == windows.TaskEnded {
		return setupRefused(ctx, w, task, look)
	}
	switch look.State {
	case windows.TaskAbsent:
		return setupBegin(ctx, w, task, look)
	case windows.TaskPrepared:
		return setupCreate(ctx, w, task, look)
	case windows.TaskCreated:
		return setupRun(ctx, w, task, look)
	case windows.TaskStarted:
		return setupFollow(ctx, w, task, look)
	default:
		return setupJudge(ctx, w, task, look)
	}
}

// outOfReach is a host that does not answer: while the task may run nothing
// else is known and nothing else is done.
func outOfReach(w *Work, doing string, err error) (Outcome, error) {
	out, err := trouble(doing, err)
	if err == nil && out.Kind == Again && !out.Barred && w.Memory["created"] != "" {
		out.Kind = OutOfSight
		if out.Headline != "" {
			out.Headline += "; Setup may be running"
		}
		out.Message = "Setup may be running out of sight: " + out.Message
	}
	return out, err
}

// The ledger's names of the two values that Setup's task changes.
const (
	revocationUser   = "run-as"
	revocationSystem = "S-1-5-18"
)
