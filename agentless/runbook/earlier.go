package runbook

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
)

// What disarming remembers for its step.
const (
	disarmed = "disarmed"  // "yes": no program's task but that of this attempt can begin any more
	lastRan  = "last_ran"  // the last of the programs' tasks that began, of those disarmed, or several
	setupRan = "setup_ran" // in the memory of a program's step, over all attempts: it began in one of them

	ranKeys = "ran_keys" // the keys of the programs that began, of those disarmed

	// several is no task's name: which of those that began was the last one is not
	// told by their names.
	several = "several"
)

// disarm makes sure that no program's task of this upgrade but one can begin any
// more, whoever starts it and however late: a task that did not begin loses its
// guard to us, each is taken out of the scheduler and looked for again, and one
// that still runs is waited for. What the tasks found before their change goes
// into the ledger. Folders stay: put-back needs them.
func disarm(ctx context.Context, w *Work, but string) (Outcome, error) {
	if w.Memory[disarmed] != "" {
		return Outcome{Kind: Done}, nil
	}
	names, err := programTasks(ctx, w)
	if err != nil {
		return trouble("look for earlier Setup tasks", err)
	}
	last, keys := "", ""
	for _, name := range names {
		if name == but {
			continue
		}
		look, out, err := disarmOne(ctx, w, name)
		if err != nil || out.Kind != Done {
			return out, err
		}
		if began(look) && !look.MediaRefused() {
			keys += keyOf(w, name) + ","
			if last != "" && keyOf(w, last) != keyOf(w, name) {
				last = several
				continue
			}
			last = name
		}
	}
	w.Memory[lastRan], w.Memory[ranKeys], w.Memory[disarmed] = last, keys, "yes"
	return Outcome{Kind: Done}, nil
}

// programTasks are the tasks of programs of this upgrade that the host knows, by
// attempt.
func programTasks(ctx context.Context, w *Work) ([]string, error) {
	names, err := ourTasks(ctx, w.Host, w.prefix())
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !w.isProgram(name) })
	attempt := func(name string) int {
		n, err := strconv.Atoi(name[strings.LastIndex(name, "-a")+2:])
		if err != nil {
			return 0
		}
		return n
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(attempt(a), attempt(b)), cmp.Compare(a, b)) })
	return names, nil
}

// keyOf is the key of the program that a task was made for.
func keyOf(w *Work, task string) string {
	rest := strings.TrimPrefix(task, w.prefix())
	return rest[:max(strings.LastIndex(rest, "-a"), 0)]
}

// began reports whether a task's body ran, not only its guard was taken by us.
func began(look windows.TaskLook) bool { return look.Has("started") && !look.Has(windows.Closed) }

func disarmOne(ctx context.Context, w *Work, name string) (windows.TaskLook, Outcome, error) {
	look, err := w.Host.LookTask(ctx, name)
	if err != nil {
		out, err := trouble("look at an earlier Setup task", err)
		return look, out, err
	}
	if look.State == windows.TaskPrepared || look.State == windows.TaskCreated {
		if look, err = closeTask(ctx, w, name); err != nil {
			out, err := trouble("close an earlier Setup task", err)
			return look, out, err
		}
		if !look.Has("started") {
			out := again("The earlier Setup task %s is not closed yet", name)
			out.After, out.troubled = later, true
			return look, out, nil
		}
	}
	if err := learn(ctx, w, name, look); err != nil {
		out, err := trouble("read what an earlier Setup changes", err)
		return look, out, err
	}
	if began(look) {
		if out, err := waitForEnd(ctx, w, name, look); err != nil || out.Kind != Done {
			return look, out, err
		}
	}
	if look.Job {
		if err := w.intend(ctx, "delete host task "+name); err != nil {
			return look, Outcome{}, err
		}
		if err := w.Host.DeleteTask(ctx, name); err != nil {
			out, err := trouble("delete an earlier Setup task", err)
			return look, out, err
		}
	}
	return look, Outcome{Kind: Done}, settle(ctx, w, name, look)
}

func closeTask(ctx context.Context, w *Work, name string) (windows.TaskLook, error) {
	if err := w.intend(ctx, "close host task "+name); err != nil {
		return windows.TaskLook{}, err
	}
	if err := w.Host.CloseTask(ctx, name); err != nil {
		return windows.TaskLook{}, err
	}
	return w.Host.LookTask(ctx, name)
}

// waitForEnd is a Setup task that began: while it or any Setup lives nothing
// else is done. Without a result and without a program it was interrupted; that
// it is taken up again was a person's decision.
func waitForEnd(ctx context.Context, w *Work, name string, look windows.TaskLook) (Outcome, error) {
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		return trouble("look for the programs of an earlier Setup", err)
	}
	dead := name + ".dead"
	if l := livingOf(w, processes); len(l.setup) > 0 || look.Life == windows.LifeLives {
		delete(w.Memory, dead)
		out := again("Setup still runs: what task %s began is waited for; %s", name, l.who())
		out.After, out.running = later, true
		return out, nil
	}
	if look.State == windows.TaskStarted && !foundDead(w, dead) && w.raise(dead) <= deathCertain {
		out := again("The program of the earlier Setup task %s is not seen", name)
		out.After = 5 * time.Second
		return out, nil
	}
	return Outcome{Kind: Done}, nil
}

// foundDead reports whether another step saw for long enough that nothing of the
// task lives: it began once and cannot begin again.
func foundDead(w *Work, key string) bool {
	for _, notes := range w.Notes {
		if n, err := strconv.Atoi(notes[key]); err == nil && n > deathCertain {
			return true
		}
	}
	return false
}

// unseen turns the wait for a Setup that runs into one that no limit cuts short:
// a step that may be repeated would else fail under it.
func unseen(out Outcome) Outcome {
	if out.running {
		out.Kind, out.Answers = OutOfSight, true
	}
	return out
}
