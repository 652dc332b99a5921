package runbook

import (
	"context"
	"fmt"
	"time"

	"wavekeeper/agentless/windows"
)

// run is a registered task that did not begin. Before it is told to, it is
// compared with what is approved once more, and another person's Setup is looked
// for; a task of an earlier approval, or one that came second, is closed, so that
// it never can.
func (p program) run(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	w.Memory["created"] = "yes"
	if out := refusedStart(w, task, look, p.words); out.Kind != "" {
		return out, nil
	}
	if err := p.markLog(ctx, w); err != nil {
		return p.outOfReach(w, "look at the log", err)
	}
	if told := w.count(task.Name + ".runs"); told == 0 || told < runsAtMost && w.since(task.Name+".run_at") >= runAgainAfter {
		if out := othersRevocation(w); p.switches && out.Kind != "" { // registered for an account that is not the approved one any more
			return p.otherThanApproved(ctx, w, task, out)
		}
		out, err := p.asApproved(ctx, w, task)
		switch {
		case err != nil:
			return out, err
		case out.Kind == Failed:
			return p.otherThanApproved(ctx, w, task, out)
		case out.Kind != Done:
			return sightless(out), nil
		}
		processes, err := w.Host.Processes(ctx)
		if err != nil {
			return p.outOfReach(w, "look for a running Setup", err)
		}
		if theirs := windows.SetupProcesses(processes); len(theirs) > 0 {
			return p.otherThanApproved(ctx, w, task, Outcome{
				Kind: Failed, Message: "A Setup that is not ours began while ours was prepared: " + running(theirs[0]),
				Remedy: "Let it come to its end, or have its owner end it; then run again.",
			})
		}
		if p.last != nil {
			switch out, err := p.last(ctx); {
			case err != nil:
				return out, err
			case out.Kind == Failed:
				return p.otherThanApproved(ctx, w, task, out)
			case out.Kind != Done:
				return sightless(out), nil
			}
		}
	}
	out, err := run(ctx, w, task, p.words)
	if err == nil {
		out = sightless(out)
	}
	return out, err
}

// sightless is a trouble while the task is registered: what was sent may have
// arrived.
func sightless(out Outcome) Outcome {
	if out.Kind == Again && out.troubled && !out.Barred {
		out.Kind = OutOfSight
	}
	return out
}

// otherThanApproved takes a task that must not begin, and did not, out of its
// reach for good.
func (p program) otherThanApproved(ctx context.Context, w *Work, task windows.Task, why Outcome) (Outcome, error) {
	look, out, err := disarmOne(ctx, w, task.Name)
	switch {
	case err != nil:
		return out, err
	case out.Kind != Done:
		return unseen(sightless(out)), nil
	case began(look):
		return onward("The %s task had begun before it was closed", p.who), nil
	}
	delete(w.Memory, "created")
	return why, nil
}

// closedBefore is a task whose guard was taken before it began: by a tick that
// found that it is not what is approved or that another Setup runs, or by a
// later attempt.
func (p program) closedBefore() Outcome {
	return Outcome{
		Kind:    Failed,
		Message: fmt.Sprintf("The %s task of this attempt was closed before it began, since it was not what is approved or another Setup ran; %s did not run", p.who, p.who),
		Remedy:  "See what the wave's approval binds and that no other Setup runs, then run again.",
	}
}

// installerPatience is how long Windows Installer alone is taken for Setup's:
// its service ends by itself some ten minutes after its last work.
const installerPatience = 15 * time.Minute

// follow is a task that began and has no result: its log is read on, and
// its programs are looked for.
func (p program) follow(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	w.Memory["created"] = "yes"
	if p.media && !look.MediaChecked() {
		return p.checking(ctx, w, task, look)
	}
	w.Memory[setupRan] = "yes"
	if err := learn(ctx, w, task.Name, look); err != nil {
		return p.outOfReach(w, "read what the "+p.who+" task changes", err)
	}
	out, _, err := p.read(ctx, w, false)
	if err != nil {
		return p.outOfReach(w, "read the setup log", err)
	}
	p.weigh(ctx, w)
	out.Percent = w.count("percent")
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		lost, err := p.outOfReach(w, "look for Setup's programs", err)
		lost.Log, lost.Phase, lost.Percent = out.Log, out.Phase, out.Percent
		return lost, err
	}
	l := livingOf(w, processes)
	if len(l.setup) > 0 || look.Life == windows.LifeLives {
		delete(w.Memory, "dead")
		w.unstamp("installer")
		out.After = 2 * time.Second
		if w.since("began") > 5*time.Minute {
			out.After = 5 * time.Second
		}
		return out, nil
	}
	if len(l.installer) > 0 && w.since("installer") < installerPatience {
		delete(w.Memory, "dead")
		out.After = 5 * time.Second
		out.Message = "None of Setup's own programs is seen, but " + l.who() + "; it is waited for"
		return out, nil
	}
	if w.raise("dead") < deathCertain+1 {
		out.After = 5 * time.Second
		out.Message = p.who + " has no result yet, and its program is not seen"
		return out, nil
	}
	out.Kind = Interrupted
	anew := restarted(ctx, w, task)
	if anew != "" {
		w.Memory[RestartedNote] = "yes"
	}
	out.Message = p.who + " began and ended without a result; none of its programs runs" + anew
	out.Remedy = p.broken
	out.Evidence = collect(ctx, w)
	if left, err := unschedule(ctx, w, task.Name, look); err != nil || left.Kind != "" {
		left.Log, left.Phase, left.Percent = out.Log, out.Phase, out.Percent
		return sightless(left), err
	}
	return out, nil
}

// RestartedNote is where a step remembers that Windows was started anew while its
// program ran: "yes".
const RestartedNote = "restarted"

// restarted says that Windows was started after Setup was seen to run: the cause
// of most interruptions. It compares lengths of time, so that the host's clock
// may be off.
func restarted(ctx context.Context, w *Work, task windows.Task) string {
	os, err := w.Host.OS(ctx)
	if err != nil {
		return ""
	}
	told := max(w.ago(task.Name+".run_at"), w.ago("began"))
	if up := os.Now.Sub(os.Boot); up >= 0 && up < told {
		return fmt.Sprintf("; Windows was started anew %s ago, after Setup had begun", up.Round(time.Second))
	}
	return ""
}
