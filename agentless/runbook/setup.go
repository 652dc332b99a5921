package runbook

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// setupLog is where Setup of Exchange 2007 writes; it is appended to across runs.
const setupLog = `C:\ExchangeSetupLogs\ExchangeSetup.log`

const setupWords = "Exchange Setup"

// setupTask is the host task that runs Setup in this attempt.
func setupTask(w *Work, account Account) (windows.Task, error) {
	name := windows.TaskName(w.Installation, w.Upgrade, "setup", w.Attempt)
	body, err := windows.SetupBody(windows.TaskFolder(name), w.Media.Folder+`\setup.com`, "/mode:Upgrade")
	if err != nil {
		return windows.Task{}, err
	}
	return windows.Task{Name: name, Body: body, Account: account.Name, Password: account.Password}, nil
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
	switch look.State {
	case windows.TaskAbsent:
		return setupBegin(ctx, w, task, look)
	case windows.TaskPrepared:
		return setupCreate(ctx, w, task, look)
	case windows.TaskCreated:
		return setupRun(ctx, w, task)
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
	if err == nil && out.Kind == Again && w.Memory["created"] != "" {
		out.Kind = OutOfSight
		out.Message = "Setup may be running out of sight: " + out.Message
	}
	return out, err
}

// setupBegin is a host without the task: it sees to it that no earlier Setup
// task can begin any more, asks whether there is anything to do and whether
// anything is in the way, and prepares the task.
func setupBegin(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	if w.Memory["created"] != "" || look.Job {
		return Outcome{
			Kind:    Unknown,
			Message: "The Setup task was registered, and its folder is gone from the host: it cannot be said whether Setup ran",
			Remedy:  "Look at the setup log and the builds on the host, then retry or mark the server as repaired.",
		}, nil
	}
	if out, err := disarm(ctx, w, task.Name); err != nil || out.Kind != Done {
		return out, err
	}
	if w.Memory[lastRan] != "" {
		w.Memory[setupRan] = "yes"
	}
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return trouble("read the roles", err)
	}
	if len(below(roles, w.Server, w.Package.Target)) == 0 && len(markers(roles)) == 0 {
		lowest, err := lowestBuild(roles)
		if err != nil {
			return Outcome{Kind: Failed, Message: err.Error()}, nil
		}
		return Outcome{Kind: Done, Message: "Every role is at the target already; Setup was not run", Build: lowest.String()}, nil
	}
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		return trouble("look for a running Setup", err)
	}
	if alive := windows.SetupProcesses(processes); len(alive) > 0 {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("A Setup that is not ours runs on the host: %s, process %d", alive[0].Name, alive[0].ID),
			Remedy: "Wait for its end, then retry.",
		}, nil
	}
	if out, err := stopServices(ctx, w); err != nil || out.Kind != Done {
		return out, err // a retry may begin here, with the services put back
	}
	if err := markLog(ctx, w); err != nil {
		return trouble("look at the setup log", err)
	}
	if err := w.Host.MakeTaskFolder(ctx, task.Name); err != nil {
		return trouble("make the folder of the Setup task", err)
	}
	return onward("The folder of the Setup task is made"), nil
}

// markLog remembers where the log ends before Setup runs.
func markLog(ctx context.Context, w *Work) error {
	if w.Memory["log"] != "" {
		return nil
	}
	head, err := w.Host.ReadFile(ctx, setupLog, 0, 4)
	if err != nil {
		return err
	}
	w.Memory["log"] = strconv.FormatInt(head.Length, 10)
	w.Memory["order"] = byteOrder(head.Data)
	return nil
}

// setupCreate is a prepared task: everything that will run is compared with
// what is meant once more, the revocation switch goes into the ledger, and the
// task is registered.
func setupCreate(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	if err := markLog(ctx, w); err != nil {
		return trouble("look at the setup log", err)
	}
	if look.Files["body.cmd"] != int64(len(task.Body)) {
		if err := w.Host.PrepareTask(ctx, task); err != nil {
			return trouble("prepare the Setup task", err)
		}
		return onward("The Setup task is prepared"), nil
	}
	for _, check := range []struct{ path, want string }{
		{task.Folder() + `\body.cmd`, hashOf(task.Body)},
		{w.Media.Folder + `\setup.com`, strings.ToLower(w.Media.SetupSHA256)},
	} {
		got, exists, err := w.Host.HashFile(ctx, check.path)
		if err != nil {
			return trouble("compare what will run", err)
		}
		if !exists || got != check.want {
			return Outcome{
				Kind: Failed, Message: fmt.Sprintf("%s is not what was approved: its SHA-256 is %s, want %s", check.path, said(got), check.want),
				Remedy: "Put the right media on the host and find out who changed the file.",
			}, nil
		}
	}
	for _, value := range []struct{ name, file string }{{revocationUser, "revocation-user"}, {revocationSystem, "revocation-system"}} {
		if err := w.change(ctx, Entry{
			Kind: RevocationEntry, Name: value.name,
			Before: map[string]string{ofSetup: task.Name, inFile: value.file},
			Meant:  map[string]string{"bit": "0x200"},
		}); err != nil {
			return Outcome{}, err
		}
	}
	if err := w.intend(ctx, "create host task "+task.Name); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.CreateTask(ctx, task); err != nil {
		return trouble("register the Setup task", err)
	}
	w.Memory["created"] = "yes"
	return onward("The Setup task is registered"), nil
}

// The ledger's names of the two values that Setup's task changes.
const (
	revocationUser   = "run-as"
	revocationSystem = "S-1-5-18"
)

// setupRun is a registered task that did not begin.
func setupRun(ctx context.Context, w *Work, task windows.Task) (Outcome, error) {
	w.Memory["created"] = "yes"
	if err := markLog(ctx, w); err != nil {
		return outOfReach(w, "look at the setup log", err)
	}
	out, err := run(ctx, w, task, setupWords)
	if err == nil && out.Kind == Again && out.troubled {
		out.Kind = OutOfSight // the command may have arrived
	}
	return out, err
}

// setupFollow is a task that began and has no result: its log is read on, and
// its programs are looked for.
func setupFollow(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	w.Memory["created"], w.Memory[setupRan] = "yes", "yes"
	if err := learn(ctx, w, task.Name, look); err != nil {
		return outOfReach(w, "read what Setup's task changes", err)
	}
	out, _, err := follow(ctx, w, false)
	if err != nil {
		return outOfReach(w, "read the setup log", err)
	}
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		lost, err := outOfReach(w, "look for Setup's programs", err)
		lost.Log, lost.Phase, lost.Percent = out.Log, out.Phase, out.Percent
		return lost, err
	}
	alive := append(ofTask(processes, task.Name), windows.SetupProcesses(processes)...)
	if len(alive) > 0 {
		delete(w.Memory, "dead")
		out.After = 2 * time.Second
		if w.since("began") > 5*time.Minute {
			out.After = 5 * time.Second
		}
		return out, nil
	}
	if w.raise("dead") < deathCertain+1 {
		out.After = 5 * time.Second
		out.Message = "Setup has no result yet, and its program is not seen"
		return out, nil
	}
	out.Kind = Interrupted
	out.Message = "Setup began and ended without a result; none of its programs runs"
	out.Remedy = "Look at the host, the setup log and the roles' Action and Watermark values. A retry lets Setup resume; it is a person's decision."
	return out, nil
}

// setupJudge is a task with a result: success is the last sentence of the log,
// the exit code and the registry, all three.
func setupJudge(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	w.Memory["created"], w.Memory[setupRan] = "yes", "yes"
	if err := learn(ctx, w, task.Name, look); err != nil {
		return outOfReach(w, "read what Setup's task changed", err)
	}
	out, whole, err := follow(ctx, w, true)
	if err != nil {
		return outOfReach(w, "read the end of the setup log", err)
	}
	if !whole {
		return out, nil
	}
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		lost, err := outOfReach(w, "look for Setup's programs after its end", err)
		lost.Log = out.Log
		return lost, err
	}
	if alive := windows.SetupProcesses(processes); len(alive) > 0 {
		out.After = 5 * time.Second
		out.Message = fmt.Sprintf("setup.com ended with %d, and %s still runs as process %d", look.Exit, alive[0].Name, alive[0].ID)
		return out, nil
	}
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		lost, err := outOfReach(w, "read the roles after Setup", err)
		lost.Log = out.Log
		return lost, err
	}
	if lowest, err := lowestBuild(roles); err == nil {
		out.Build = lowest.String()
	}
	verdict := exchange.Verdict(w.Memory["verdict"])
	wrong := setupWrong(look.Exit, verdict, below(roles, w.Server, w.Package.Target), markers(roles))
	if len(wrong) == 0 {
		out.Kind, out.Percent, out.Message = Done, 100, "Setup completed: every role is at "+w.Package.Target.String()
		return out, nil
	}
	out.Kind = Failed
	out.Message = "Setup did not succeed: " + strings.Join(wrong, "; ")
	out.Remedy = "Read the end of the setup log, cure the cause and retry: Setup resumes where it stopped."
	if len(wrong) == 1 && verdict == exchange.VerdictNone {
		out.Remedy = "Exit code and registry speak for success. Read the end of the setup log: it may be in another language. A retry proves the roles and does not run Setup again."
	}
	return out, nil
}

// setupWrong lists what speaks against success.
func setupWrong(exit int, verdict exchange.Verdict, below, markers []string) []string {
	var wrong []string
	if exit != 0 {
		wrong = append(wrong, fmt.Sprintf("its exit code is %d", exit))
	}
	switch verdict {
	case exchange.VerdictSuccess:
	case exchange.VerdictFailure:
		wrong = append(wrong, "its log ends with a failure")
	case exchange.VerdictNone:
		wrong = append(wrong, "its log has no last sentence")
	}
	if len(below) > 0 {
		wrong = append(wrong, list(below))
	}
	if len(markers) > 0 {
		wrong = append(wrong, list(markers))
	}
	return wrong
}
