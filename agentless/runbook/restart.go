package runbook

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Exit codes of Setup and Windows Installer that want a restart. Source: Windows
// Installer's error codes (ERROR_SUCCESS_REBOOT_REQUIRED).
const exitRestart = "3010"

// restartsAtMost bounds how often a host is told to restart that answers and
// does not do it.
const (
	restartsAtMost = 3
	restartRetold  = 5 * time.Minute
)

// restart restarts Windows where the Setup that ran wants it, and never
// otherwise: a pending restart, or its exit code. What is restarted is seen by
// the time at which Windows started, and by nothing else.
func restart(ctx context.Context, w *Work) (Outcome, error) {
	return restartIf(ctx, w, w.note("setup"), false)
}

// restartIf restarts after a program whose memory is given, or in any case.
func restartIf(ctx context.Context, w *Work, program map[string]string, always bool) (Outcome, error) {
	return restartWhere(ctx, w, program, always, nil)
}

// restartWhere is restartIf where free has to be Done right before Windows is told.
func restartWhere(ctx context.Context, w *Work, program map[string]string, always bool, free func(context.Context, *Work) (Outcome, error)) (Outcome, error) {
	w.fresh()
	os, err := w.Host.OS(ctx)
	if err != nil {
		out, err := trouble("look when Windows started", err)
		if w.Memory["told"] != "" && out.Unheard {
			out.Message = "Windows restarts; twenty minutes without an answer are normal: " + out.Message
			out.Headline = "Windows restarts"
		}
		return out, err
	}
	if w.Memory["boot"] == "" {
		why := ""
		switch pending, err := w.Host.PendingRestart(ctx); {
		case err != nil:
			return trouble("look whether Windows wants a restart", err)
		case always:
			why = "the procedure wants it"
		case program[exitCode] == exitRestart:
			why = "Setup's exit code says so"
		case len(pending) > 0 && program[setupRan] != "":
			why = "Windows waits for it: " + list(pending)
		}
		if why == "" {
			return notHere("No restart is wanted"), nil
		}
		w.Memory["boot"] = strconv.FormatInt(os.Boot.Unix(), 10)
		w.Memory["why"] = why
		return onward("Windows is restarted: %s", why), nil
	}
	before, err := strconv.ParseInt(w.Memory["boot"], 10, 64)
	if err != nil {
		return Outcome{}, fmt.Errorf("read when Windows had started: %w", err)
	}
	// The time of start is computed from the clock on some hosts, and moves by
	// seconds when the clock is set.
	if os.Boot.Unix() > before+30 {
		return Outcome{Kind: Done, Percent: 100, Message: fmt.Sprintf("Windows was restarted (%s) and started at %s", w.Memory["why"], os.Boot.UTC().Format("15:04:05 UTC"))}, nil
	}
	if w.Memory["told"] != "" && w.since("told_at") < restartRetold {
		out := again("Windows is on its way down")
		out.After = later
		return out, nil
	}
	if w.count("told") >= restartsAtMost {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("Windows was told to restart %d times, and has not", restartsAtMost),
			Remedy: "See what keeps Windows from going down and restart it by hand, then run again.",
		}, nil
	}
	if free != nil {
		if out, err := free(ctx, w); err != nil || out.Kind != Done {
			return out, err
		}
	}
	if err := w.intend(ctx, "restart Windows: "+w.Memory["why"]); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.Restart(ctx); err != nil {
		return trouble("restart Windows", err)
	}
	w.raise("told")
	w.stamp("told_at")
	out := again("Windows is told to restart: %s", w.Memory["why"])
	out.After = later
	return out, nil
}
