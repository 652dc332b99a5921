package runbook

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wavekeeper/agentless/windows"
)

// begin is a host without the task: it sees to it that no earlier task of a
// program can begin any more, asks whether there is anything to do and whether
// anything is in the way, and prepares the task.
func (p program) begin(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	if w.Memory["created"] != "" || look.Job {
		return Outcome{
			Kind:    Unknown,
			Message: fmt.Sprintf("The %s task was registered, and its folder is gone from the host: it cannot be said whether %s ran", p.who, p.who),
			Remedy: fmt.Sprintf("Look at the setup log and the builds on the host. Run again where %s did not run or broke; ", p.who) +
				"mark the server as repaired where it is at the target: that is verified.",
			Evidence: collect(ctx, w),
		}, nil
	}
	if out, err := disarm(ctx, w, task.Name); err != nil || out.Kind != Done {
		return out, err
	}
	if slices.Contains(strings.Split(w.Memory[ranKeys], ","), p.key) {
		w.Memory[setupRan] = "yes"
	}
	goal, err := p.found(ctx)
	if err != nil {
		return trouble("read how far the goal is", err)
	}
	if goal.reached {
		if goal.damaged != nil {
			return Outcome{Kind: Failed, Message: goal.damaged.Error(), Remedy: damagedKeys}, nil
		}
		return Outcome{Kind: Done, Message: p.already, Build: goal.build}, nil
	}
	if out, err := othersSetup(ctx, w, goal.marked); err != nil || out.Kind != "" {
		return out, err
	}
	if p.first != nil {
		if out, err := p.first(ctx); err != nil || out.Kind != Done {
			return out, err
		}
	}
	w.stamp(beganAt)
	if err := p.markLog(ctx, w); err != nil {
		return trouble("look at the log", err)
	}
	if err := w.Host.MakeTaskFolder(ctx, task.Name); err != nil {
		return trouble("make the folder of the "+p.who+" task", err)
	}
	return onward("The folder of the %s task is made", p.who), nil
}

// markLog remembers where the log ends before the program runs.
func (p program) markLog(ctx context.Context, w *Work) error {
	if p.log == "" || w.Memory["log"] != "" {
		return nil
	}
	head, err := w.Host.ReadFile(ctx, p.log, 0, 4)
	if err != nil {
		return err
	}
	p.markLists(ctx, w)
	w.Memory["log"] = strconv.FormatInt(head.Length, 10)
	w.Memory["order"] = byteOrder(head.Data)
	return nil
}

// create is a prepared task: everything that will run is compared with what is
// meant once more, the revocation switch goes into the ledger, and the task is
// registered.
func (p program) create(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	if err := p.markLog(ctx, w); err != nil {
		return trouble("look at the log", err)
	}
	if look.Files["body.cmd"] != int64(len(task.Body)) || !complete(look, task) {
		if err := w.Host.PrepareTask(ctx, task); err != nil {
			return trouble("prepare the "+p.who+" task", err)
		}
		return onward("The %s task is prepared", p.who), nil
	}
	if out, err := p.asApproved(ctx, w, task); err != nil || out.Kind != Done {
		return out, err
	}
	if p.switches {
		if out := othersRevocation(w); out.Kind != "" {
			return out, nil
		}
		for _, e := range []Entry{
			{Name: revocationUser, Before: map[string]string{ofSetup: task.Name, inFile: "revocation-user", ofAccount: task.Account}},
			{Name: revocationSystem, Before: map[string]string{ofSetup: task.Name, inFile: "revocation-system"}},
		} {
			if e.Name == revocationUser && task.Account == "" { // SYSTEM's own is the other one
				continue
			}
			e.Kind, e.Meant = RevocationEntry, map[string]string{"bit": "0x200"}
			if err := w.change(ctx, e); err != nil {
				return Outcome{}, err
			}
		}
	}
	if err := w.intend(ctx, "create host task "+task.Name); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.CreateTask(ctx, task); err != nil {
		return trouble("register the "+p.who+" task", err)
	}
	w.Memory["created"] = "yes"
	return onward("The %s task is registered", p.who), nil
}

// asApproved is Done when what the task would run is what was approved, byte for
// byte: asked before it is registered and again right before it runs, since the
// wave may have been approved anew, or a file changed, in between.
func (p program) asApproved(ctx context.Context, w *Work, task windows.Task) (Outcome, error) {
	checks := []wantedFile{{task.Folder() + `\body.cmd`, hashOf(task.Body)}}
	for _, f := range p.files {
		checks = append(checks, wantedFile{f.path, strings.ToLower(f.sum)})
	}
	for name, data := range task.Files { // media-check: it compares all else, right before Setup
		checks = append(checks, wantedFile{task.Folder() + `\` + name, hashOf(data)})
	}
	for _, check := range checks {
		got, exists, err := w.Host.HashFile(ctx, check.path)
		if err != nil {
			return trouble("compare what will run", err)
		}
		if !exists || check.sum != "" && got != check.sum {
			return Outcome{
				Kind: Failed, Message: fmt.Sprintf("%s is not what was approved: its SHA-256 is %s, want %s", check.path, said(got), said(check.sum)),
				Remedy: "Put the right media on the host and find out who changed the file; then run again.",
			}, nil
		}
	}
	return Outcome{Kind: Done}, nil
}

// othersSetup is a Setup that this upgrade did not begin: one that runs, or one
// that broke and left its marks. Neither is touched. Its kind is empty where
// there is none.
func othersSetup(ctx context.Context, w *Work, marked []string) (Outcome, error) {
	l, err := alive(ctx, w)
	if err != nil {
		return trouble("look for a running Setup", err)
	}
	if len(l.setup) > 0 {
		return Outcome{
			Kind: Failed, Message: "A Setup that is not ours runs on the host: " + l.who(),
			Remedy: "Let it come to its end, or have its owner end it; then run again.",
		}, nil
	}
	if len(marked) > 0 && w.Memory[setupRan] == "" {
		return Outcome{
			Kind: Interrupted, Message: "An earlier Setup, which is not ours, began and did not finish: " + list(marked),
			Remedy: foreignRemedy, Evidence: collect(ctx, w),
		}, nil
	}
	return Outcome{}, nil
}

const foreignRemedy = "Find out whose Setup it was and run it to its end on the host, then mark the server as repaired or run again. " +
	"Where it refuses to begin, clear Action and Watermark: the old values are kept and can be put back."
