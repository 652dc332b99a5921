package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
)

// Bounds of a short host task: Task Scheduler 1.0 begins within seconds.
const (
	runAgainAfter = 40 * time.Second // a run that shows nothing is sent again
	runsAtMost    = 3
	deathCertain  = 2 // looks in a row without a live process
)

// prefix is what the names of all host tasks of this upgrade begin with.
func (w *Work) prefix() string { return fmt.Sprintf("wk-%s-u%d-", w.Installation, w.Upgrade) }

// fresh empties the memory of an earlier attempt of this step.
func (w *Work) fresh() {
	if w.Memory == nil {
		w.Memory = map[string]string{}
	}
	attempt := strconv.Itoa(w.Attempt)
	if w.Memory["attempt"] == attempt {
		return
	}
	clear(w.Memory)
	w.Memory["attempt"] = attempt
}

func (w *Work) count(key string) int {
	n, err := strconv.Atoi(w.Memory[key])
	if err != nil {
		return 0
	}
	return n
}

func (w *Work) raise(key string) int {
	n := w.count(key) + 1
	w.Memory[key] = strconv.Itoa(n)
	return n
}

// drive moves a short, repeat-safe host task on by one action. The outcome is
// Done when it has a result, Failed when it cannot come to one, else Again.
func drive(ctx context.Context, w *Work, t windows.Task, words string) (Outcome, windows.TaskLook, error) {
	look, err := w.Host.LookTask(ctx, t.Name)
	if err != nil {
		out, err := trouble("look at the task: "+words, err)
		return out, look, err
	}
	out, err := step(ctx, w, t, look, words)
	if err == nil && t.Account != "" && (out.Kind == Done || out.Kind == Failed) {
		if left, err := unschedule(ctx, w, t.Name, look); err != nil || left.Kind != "" {
			return left, look, err
		}
	}
	return out, look, err
}

// unscheduledAtMost bounds how often a task that has ended is tried to be taken
// out of the scheduler by a host that answers and does not do it.
const unscheduledAtMost = 3

// unschedule takes a task that has a result, or is dead, or cannot start, out of
// the scheduler, which keeps the run-as password as long as the task is
// registered. The folder stays: it says what happened and holds the guard. Its
// kind is empty when the step may go on. A scheduler that does not do it keeps
// the step from nothing: tidy asks again.
func unschedule(ctx context.Context, w *Work, name string, look windows.TaskLook) (Outcome, error) {
	tries := name + ".unscheduled"
	if !look.Job || w.count(tries) >= unscheduledAtMost {
		return Outcome{}, nil
	}
	if err := w.intend(ctx, "delete host task "+name); err != nil {
		return Outcome{}, err
	}
	err := w.Host.DeleteTask(ctx, name)
	if err == nil {
		return Outcome{}, nil
	}
	out, err := trouble("take task "+name+", which has ended, out of the scheduler", err)
	if err != nil || out.Unheard || out.Barred {
		return out, err
	}
	if w.raise(tries) >= unscheduledAtMost {
		return Outcome{}, nil
	}
	out.Kind, out.After, out.troubled = Again, max(out.After, later), true
	return out, nil
}

func step(ctx context.Context, w *Work, t windows.Task, look windows.TaskLook, words string) (Outcome, error) {
	switch look.State {
	case windows.TaskEnded:
		return Outcome{Kind: Done}, nil
	case windows.TaskStarted:
		return waitFor(ctx, w, t, look, words)
	case windows.TaskCreated:
		if out := refusedStart(w, t, look, words); out.Kind != "" {
			return out, nil
		}
		return run(ctx, w, t, words)
	case windows.TaskAbsent, windows.TaskPrepared:
	}
	if look.Files["body.cmd"] != int64(len(t.Body)) || look.Has("body.cmd.part") || !complete(look, t) {
		if err := w.Host.PrepareTask(ctx, t); err != nil {
			return trouble("prepare the task: "+words, err)
		}
		return onward("Prepared: %s", words), nil
	}
	return create(ctx, w, t, words)
}

// complete reports whether all files of the task are there in their length.
func complete(look windows.TaskLook, t windows.Task) bool {
	for name, data := range t.Files {
		if look.Files[strings.ToLower(name)] != int64(len(data)) {
			return false
		}
	}
	return true
}

func create(ctx context.Context, w *Work, t windows.Task, words string) (Outcome, error) {
	if err := w.intend(ctx, "create host task "+t.Name); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.CreateTask(ctx, t); err != nil {
		return trouble("register the task: "+words, err)
	}
	return onward("Registered: %s", words), nil
}

// run starts a registered task that did not begin. When it never does, it is
// taken out of the scheduler and looked at once more, so that a task that was
// given up cannot begin afterwards.
func run(ctx context.Context, w *Work, t windows.Task, words string) (Outcome, error) {
	runs, at := t.Name+".runs", t.Name+".run_at"
	if w.count(runs) > 0 && w.since(at) < runAgainAfter {
		return again("Started, waits for the scheduler: %s", words), nil
	}
	if w.count(runs) >= runsAtMost {
		if err := w.Host.DeleteTask(ctx, t.Name); err != nil {
			return trouble("give the task up: "+words, err)
		}
		look, err := w.Host.LookTask(ctx, t.Name)
		if err != nil {
			return trouble("look at the task that was given up: "+words, err)
		}
		if look.Has("started") {
			return again("Began late: %s", words), nil
		}
		return Outcome{
			Kind:    Failed,
			Message: fmt.Sprintf("The scheduler did not begin the task in %d runs: %s", runsAtMost, words),
			Remedy:  "Check the run-as account's password, its right to log on as a batch job (0x80070569 in SchedLgU.txt) and the Task Scheduler service.",
		}, nil
	}
	if w.count(runs) == 0 { // the last moment before it may begin
		wrong, err := w.Host.CheckTask(ctx, t)
		if err != nil {
			return trouble("compare the task's files with what was sent: "+words, err)
		}
		if len(wrong) > 0 {
			return Outcome{
				Kind:    Failed,
				Message: fmt.Sprintf("The task was not started: %s in its folder is not what was sent: %s", list(wrong), words),
				Remedy:  "A power loss at that moment does this, or an administrator of the host who changed it. Find out, then run again: the next attempt writes its own files.",
			}, nil
		}
	}
	if err := w.intend(ctx, "run host task "+t.Name); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.RunTask(ctx, t.Name); err != nil {
		return trouble("start the task: "+words, err)
	}
	w.raise(runs)
	w.stamp(at)
	return again("Started: %s", words), nil
}

// refusedStart is a task that was told to run and that the scheduler could not
// start, as it says: it need not be waited for. Its kind is empty when the
// scheduler says nothing of that.
func refusedStart(w *Work, t windows.Task, look windows.TaskLook, words string) Outcome {
	if w.count(t.Name+".runs") == 0 {
		return Outcome{}
	}
	var refused *windows.TaskRefusedError
	if err := look.Refused(t.Name, t.Account); errors.As(err, &refused) {
		return Outcome{Kind: Failed, Message: fmt.Sprintf("%s: %v", words, err), Remedy: refused.Remedy()}
	}
	return Outcome{}
}

// waitFor is a task that began and has no result yet. Its own file says whether
// its body lives; where that does not tell, the list of programs does.
func waitFor(ctx context.Context, w *Work, t windows.Task, look windows.TaskLook, words string) (Outcome, error) {
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		return trouble("look for the task's program: "+words, err)
	}
	dead := t.Name + ".dead"
	if look.Life == windows.LifeLives || len(ofTask(processes, t.Name)) > 0 || look.Life == windows.LifeUntold && unreadable(processes) {
		delete(w.Memory, dead)
		return again("Runs: %s", words), nil
	}
	if w.raise(dead) <= deathCertain {
		return again("Its program is not seen: %s", words), nil
	}
	return Outcome{
		Kind:    Failed,
		Message: "The task began and ended without a result: " + words,
		Remedy:  "Look for a restart or a crash of the host at this time, then run again.",
	}, nil
}

// unreadable reports whether a command interpreter runs whose command line the
// host does not show to us: it may be any task's.
func unreadable(processes []windows.Process) bool {
	return slices.ContainsFunc(processes, func(p windows.Process) bool {
		return p.CommandLine == "" && strings.EqualFold(p.Name, "cmd.exe")
	})
}

// ofTask are the processes that a task's body is or has started: their command
// lines name the task's folder. What we ask of a task names it, too, and may hang
// without the task being alive: it is left out.
func ofTask(processes []windows.Process, task string) []windows.Process {
	var out []windows.Process
	for _, p := range processes {
		if strings.Contains(strings.ToLower(p.CommandLine), strings.ToLower(windows.TaskFolder(task))) && !asksOfTask(p) {
			out = append(out, p)
		}
	}
	return out
}

// asksOfTask is a program of ours around a task rather than of it: schtasks.exe,
// whose command line holds the body's path as what is to run, or a line of
// cmd.exe that does not run the body ("md ...\started", "rd /s /q ...").
func asksOfTask(p windows.Process) bool {
	line := strings.ToLower(p.CommandLine)
	switch strings.ToLower(p.Name) {
	case "schtasks.exe":
		return true
	case "cmd.exe":
		return !strings.Contains(line, `\body.cmd`) || strings.Contains(line, "schtasks.exe")
	}
	return false
}
