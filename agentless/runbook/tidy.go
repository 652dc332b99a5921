package runbook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// tidy removes the tasks and folders of this upgrade, one a tick: the task
// first, since the scheduler keeps the run-as password as long as it is there.
// A folder that an open ledger entry names stays, and the step fails: it is what
// is left to put the change back with.
func tidy(ctx context.Context, w *Work) (Outcome, error) {
	names, err := ourTasks(ctx, w.Host, w.prefix())
	if err != nil {
		return trouble("look for our tasks", err)
	}
	var kept []string
	left := slices.DeleteFunc(names, func(name string) bool {
		keep := slices.ContainsFunc(w.Ledger, func(e Entry) bool { return e.Before[ofSetup] == name })
		if keep {
			kept = append(kept, name)
		}
		return keep
	})
	for _, name := range kept {
		if out, err := unregister(ctx, w, name); err != nil || out.Kind != Done {
			return out, err
		}
	}
	if len(left) == 0 && len(kept) > 0 {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("Not everything is put back: the folders of %s are kept on the host", list(kept)),
			Remedy: "Cure what keeps it from being put back and run again.",
		}, nil
	}
	if len(left) == 0 {
		return Outcome{Kind: Done, Message: "Nothing of this upgrade is left on the host", Percent: 100}, nil
	}
	name := left[0]
	if out, err := runsNot(ctx, w, name); err != nil || out.Kind != Done {
		return out, err
	}
	if err := w.intend(ctx, "remove host task "+name); err != nil {
		return Outcome{}, err
	}
	if err := remove(ctx, w.Host, name); err != nil {
		return trouble("remove task "+name, err)
	}
	return onward("Removed task %s, %d are left", name, len(left)-1), nil
}

// runsNot is Done unless a program of the task runs.
func runsNot(ctx context.Context, w *Work, name string) (Outcome, error) {
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		return trouble("look for running tasks", err)
	}
	look, err := w.Host.LookTask(ctx, name)
	if err != nil {
		return trouble("look at task "+name, err)
	}
	if len(ofTask(processes, name)) > 0 || look.Life == windows.LifeLives {
		out := again("Task %s still runs", name)
		out.After = later
		return out, nil
	}
	return Outcome{Kind: Done}, nil
}

// unregister takes a task out of the scheduler whose folder stays.
func unregister(ctx context.Context, w *Work, name string) (Outcome, error) {
	registered, err := w.Host.TaskRegistered(ctx, name)
	if err != nil {
		return trouble("look for task "+name, err)
	}
	if !registered {
		return Outcome{Kind: Done}, nil
	}
	if out, err := runsNot(ctx, w, name); err != nil || out.Kind != Done {
		return out, err
	}
	if err := w.intend(ctx, "delete host task "+name); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.DeleteTask(ctx, name); err != nil {
		return trouble("delete task "+name, err)
	}
	return onward("Task %s is out of the scheduler", name), nil
}

func remove(ctx context.Context, h *windows.Host, name string) error {
	if err := h.DeleteTask(ctx, name); err != nil {
		return err
	}
	return h.RemoveFolder(ctx, windows.TaskFolder(name))
}

// ourTasks lists the host tasks whose names begin so, by folder and by the
// scheduler's own files.
func ourTasks(ctx context.Context, h *windows.Host, prefix string) ([]string, error) {
	os, err := h.OS(ctx)
	if err != nil {
		return nil, err
	}
	folders, err := h.TaskFolders(ctx)
	if err != nil {
		return nil, err
	}
	registered, err := h.RegisteredTasks(ctx, os.WindowsDirectory)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var names []string
	for _, name := range append(folders, registered...) {
		if strings.HasPrefix(name, prefix) && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}

// Sweep removes every task and folder of an installation from a host, but those
// that run and those that keep wants to stay. It returns what it removed.
func Sweep(ctx context.Context, h *windows.Host, installation string, keep func(task string) bool) ([]string, error) {
	names, err := ourTasks(ctx, h, "wk-"+installation+"-u")
	if err != nil {
		return nil, fmt.Errorf("look for tasks of %s: %w", installation, err)
	}
	if len(names) == 0 {
		return nil, nil
	}
	processes, err := h.Processes(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for running tasks: %w", err)
	}
	var removed []string
	for _, name := range names {
		look, err := h.LookTask(ctx, name)
		if err != nil {
			return removed, fmt.Errorf("look at task %s: %w", name, err)
		}
		if len(ofTask(processes, name)) > 0 || look.Life == windows.LifeLives || keep != nil && keep(name) {
			continue
		}
		if err := remove(ctx, h, name); err != nil {
			return removed, fmt.Errorf("remove task %s: %w", name, err)
		}
		removed = append(removed, name)
	}
	return removed, nil
}
