package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wavekeeper/agentless/windows"
)

// tidy removes the tasks and folders of this upgrade, one a tick: the task
// first, since the scheduler keeps the run-as password as long as it is there.
// A folder that an open ledger entry names stays, and the step fails: it is what
// is left to put the change back with.
// A folder of that name that is not ours stays, too, and is said.
func tidy(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	names, err := ourTasks(ctx, w.Host, w.prefixes()...)
	if err != nil {
		return trouble("look for our tasks", err)
	}
	var kept []string
	var foreign []string
	left := slices.DeleteFunc(names, func(name string) bool {
		if why := w.Memory[name+notOurs]; why != "" {
			foreign = append(foreign, why)
			return true
		}
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
	if len(left) == 0 {
		if out, err := tidyMedia(ctx, w); err != nil || out.Kind != Done {
			return out, err
		}
	}
	if len(left) == 0 && len(kept) > 0 {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("Not everything is put back: the folders of %s are kept on the host", list(kept)),
			Remedy: "Cure what keeps it from being put back and run again.",
		}, nil
	}
	if len(left) == 0 && len(foreign) > 0 {
		return Outcome{
			Kind: Done, Message: "Nothing that Wavekeeper made in this upgrade is left on the host; left alone: " + list(foreign),
			Remedy: foreignFolder, Percent: 100,
		}, nil
	}
	if len(left) == 0 {
		return Outcome{Kind: Done, Message: "Nothing of this upgrade is left on the host", Percent: 100}, nil
	}
	return tidyOne(ctx, w, left[0], len(left)-1)
}

// notOurs ends the key under which tidy remembers what a folder is that bears
// the name of a task of ours and that somebody else made.
const notOurs = ".not-ours"

// tidyOne removes one task with its folder, or only the task where the folder is
// not ours.
func tidyOne(ctx context.Context, w *Work, name string, others int) (Outcome, error) {
	look, err := w.Host.LookTask(ctx, name)
	if err != nil {
		return trouble("look at task "+name, err)
	}
	planted, err := plantedFolder(ctx, w.Host, name, look)
	if err != nil {
		return trouble("see whose folder that of task "+name+" is", err)
	}
	if planted == nil {
		if out, err := runsNot(ctx, w, name, look); err != nil || out.Kind != Done {
			return out, err
		}
	}
	if err := w.intend(ctx, "remove host task "+name); err != nil {
		return Outcome{}, err
	}
	if err := remove(ctx, w.Host, name, look, planted); err != nil {
		return trouble("remove task "+name, err)
	}
	if planted != nil {
		w.Memory[name+notOurs] = planted.Error()
		return onward("Left alone: %v", planted), nil
	}
	return onward("Removed task %s, %d are left", name, others), nil
}

// plantedFolder is what a folder is that bears the name of a task and was not
// made by us, nil where it was or where there is none: whoever made it may have
// put there what is not ours to delete. It is asked as when a folder is made.
func plantedFolder(ctx context.Context, h *windows.Host, name string, look windows.TaskLook) (*windows.ForeignFolderError, error) {
	if look.State == windows.TaskAbsent {
		return nil, nil
	}
	err := h.MakeFolder(ctx, windows.TaskFolder(name))
	var planted *windows.ForeignFolderError
	if errors.As(err, &planted) {
		return planted, nil
	}
	return nil, err
}

// runsNot is Done unless a program of the task runs.
func runsNot(ctx context.Context, w *Work, name string, look windows.TaskLook) (Outcome, error) {
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		return trouble("look for running tasks", err)
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
	look, err := w.Host.LookTask(ctx, name)
	if err != nil {
		return trouble("look at task "+name, err)
	}
	if !look.Job {
		return Outcome{Kind: Done}, nil
	}
	if out, err := runsNot(ctx, w, name, look); err != nil || out.Kind != Done {
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

// remove takes a task out of the scheduler and deletes its folder, if it is ours.
func remove(ctx context.Context, h *windows.Host, name string, look windows.TaskLook, planted *windows.ForeignFolderError) error {
	if look.Job {
		if err := h.DeleteTask(ctx, name); err != nil {
			return err
		}
	}
	if planted != nil || look.State == windows.TaskAbsent {
		return nil
	}
	return h.RemoveFolder(ctx, windows.TaskFolder(name))
}

// prefixes are what the names of all host tasks of this upgrade begin with, those
// of bringing its medium to the host among them.
func (w *Work) prefixes() []string {
	var all []string
	if w.Upgrade != 0 {
		all = append(all, w.prefix())
	}
	if w.Run != 0 {
		all = append(all, fmt.Sprintf("wk-%s-r%d-", w.Installation, w.Run))
	}
	var numbers []string
	for _, step := range []string{Stage, stageSecond} { // a plan of two packages brings two media
		if number := w.note(step)[stageNumber]; number != "" {
			numbers = append(numbers, number)
		}
	}
	if len(numbers) == 0 && w.Media.Medium.Staging != 0 {
		numbers = append(numbers, strconv.FormatInt(w.Media.Medium.Staging, 10))
	}
	for _, number := range numbers {
		all = append(all, fmt.Sprintf("wk-%s-s%s-", w.Installation, number))
	}
	return all
}

// ourTasks lists the host tasks whose names begin so, by folder and by the
// scheduler's own files.
func ourTasks(ctx context.Context, h *windows.Host, prefixes ...string) ([]string, error) {
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
		ours := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		if ours && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}

// Sweep removes every task and folder of an installation from a host, but those
// that run, those that keep wants to stay and folders that somebody else made. It returns what it removed.
func Sweep(ctx context.Context, h *windows.Host, installation string, keep func(task string) bool) ([]string, error) {
	names, err := ourTasks(ctx, h, "wk-"+installation+"-u", "wk-"+installation+"-s", "wk-"+installation+"-r")
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
		planted, err := plantedFolder(ctx, h, name, look)
		if err != nil {
			return removed, fmt.Errorf("see whose folder that of task %s is: %w", name, err)
		}
		if err := remove(ctx, h, name, look, planted); err != nil {
			return removed, fmt.Errorf("remove task %s: %w", name, err)
		}
		if planted != nil {
			continue
		}
		removed = append(removed, name)
	}
	return removed, nil
}
