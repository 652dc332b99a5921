package runbook

import (
	"context"
	"time"

	"wavekeeper/agentless/windows"
)

// refused is a task whose body found the media changed and did not begin
// Setup: nothing was changed, so that it is a failure like one of preflight.
func (p program) refused(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	w.Memory["created"] = "yes"
	if left, err := unschedule(ctx, w, task.Name, look); err != nil || left.Kind != "" {
		return left, err
	}
	if err := settle(ctx, w, task.Name, look); err != nil {
		return Outcome{}, err
	}
	said, err := w.Host.RefusedRecords(ctx, task.Name)
	if err != nil && windows.Unreached(err) {
		return trouble("read what was found in the media", err)
	}
	what := "the comparison came to no result"
	if err == nil {
		what = differences(said)
	} else if text := err.Error(); text != "" {
		what += " (" + text + ")"
	}
	return Outcome{
		Kind: Failed, Message: "The media changed after it was proven, and Setup was not begun: " + what,
		Remedy: "Find out who changed it. Then remove " + w.Media.Folder + " and run again: it is fetched anew.",
	}, nil
}

// checking is a task that compares the media and did not come to Setup yet.
func (p program) checking(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		return p.outOfReach(w, "look for the task's program", err)
	}
	if len(ofTask(processes, task.Name)) > 0 || look.Life == windows.LifeLives || look.Life == windows.LifeUntold && unreadable(processes) {
		delete(w.Memory, "dead")
		out := again("Every file of the media is compared once more, right before Setup")
		out.After, out.Phase = 2*time.Second, "media"
		return out, nil
	}
	if w.raise("dead") < deathCertain+1 {
		out := again("The comparison of the media has no result yet, and its program is not seen")
		out.After = 5 * time.Second
		return out, nil
	}
	out := Outcome{
		Kind: Interrupted, Message: "The task that runs Setup ended while it compared the media" + restarted(ctx, w, task) + "; nothing says that Setup began",
		Remedy: "Look at the host and the end of the setup log, then run again: Setup begins, or resumes where it stopped.", Evidence: collect(ctx, w),
	}
	if left, err := unschedule(ctx, w, task.Name, look); err != nil || left.Kind != "" {
		return sightless(left), err
	}
	return out, nil
}
