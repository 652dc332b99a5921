package runbook

import (
	"context"
	"fmt"
	"strings"

	"wavekeeper/agentless/windows"
)

// tidy removes the tasks and folders of this upgrade, one a tick: the task
// first, since the scheduler keeps the run-as password as long as it is there.
func tidy(ctx context.Context, w *Work) (Outcome, error) {
	names, err := ourTasks(ctx, w.Host, w.prefix())
	if err != nil {
		return trouble("look for our tasks", err)
	}
	if len(names) == 0 {
		return Outcome{Kind: Done, Message: "Nothing of this upgrade is left on the host", Percent: 100}, nil
	}
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		return trouble("look for running tasks", err)
	}
	name := names[0]
	if len(ofTask(processes, name)) > 0 {
		out := again("Task %s still runs", name)
		out.After = later
		return out, nil
	}
	if err := w.intend(ctx, "remove host task "+name); err != nil {
		return Outcome{}, err
	}
	if err := remove(ctx, w.Host, name); err != nil {
		return trouble("remove task "+name, err)
	}
	return onward("Removed task %s, %d are left", name, len(names)-1), nil
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
		if keep != nil && keep(name) || len(ofTask(processes, name)) > 0 {
			continue
		}
		if err := remove(ctx, h, name); err != nil {
			return removed, fmt.Errorf("remove task %s: %w", name, err)
		}
		removed = append(removed, name)
	}
	return removed, nil
}
