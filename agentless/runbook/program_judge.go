package runbook

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// judge is a task with a result: success is the last sentence of the log, the
// exit code and what the host says, all three.
func (p program) judge(ctx context.Context, w *Work, task windows.Task, look windows.TaskLook) (Outcome, error) {
	w.Memory["created"], w.Memory[setupRan] = "yes", "yes"
	if err := learn(ctx, w, task.Name, look); err != nil {
		return p.outOfReach(w, "read what the "+p.who+" task changed", err)
	}
	if left, err := unschedule(ctx, w, task.Name, look); err != nil || left.Kind != "" {
		return sightless(left), err
	}
	out, whole, err := p.read(ctx, w, true)
	if err != nil {
		return p.outOfReach(w, "read the end of the log", err)
	}
	if !whole {
		return out, nil
	}
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		lost, err := p.outOfReach(w, "look for Setup's programs after its end", err)
		lost.Log = out.Log
		return lost, err
	}
	if alive := windows.SetupProcesses(processes); len(alive) > 0 {
		out.After = 5 * time.Second
		out.Message = fmt.Sprintf("%s ended with %d, and %s", p.who, look.Exit, running(alive[0]))
		return out, nil
	}
	goal, err := p.found(ctx)
	if err != nil {
		lost, err := p.outOfReach(w, "read what became of the goal", err)
		lost.Log = out.Log
		return lost, err
	}
	out.Build = goal.build
	w.Memory[exitCode] = strconv.Itoa(look.Exit)
	verdict := exchange.Verdict(w.Memory["verdict"])
	wrong := p.against(look.Exit, verdict, goal)
	if len(wrong) == 0 {
		out.Kind, out.Percent, out.Message = Done, 100, p.completed
		return out, nil
	}
	out.Kind = Failed
	out.Message = p.who + " did not succeed: " + strings.Join(wrong, "; ")
	if len(w.Host.Without()) > 0 {
		out.Message = p.who + " did not succeed, and WMI does not answer on the host: " + strings.Join(wrong, "; ")
	}
	if line := lastError(w); line != "" {
		out.Message += "; its log's last error: " + line
	}
	out.Evidence = collect(ctx, w)
	out.Remedy = p.resume
	if p.final && len(wrong) == 1 && verdict == exchange.VerdictNone {
		out.Remedy = "Exit code and registry speak for success. Read the end of the setup log: it may be in another language. Running again proves the roles and does not run Setup again."
	} else if known, ok := knownCause(w); ok {
		out.Message += "; this is a known error: " + known.Words
		out.Remedy = known.Remedy + " " + p.resume
	}
	if full := fullDisks(ctx, w); len(full) > 0 {
		out.Message += "; " + list(full)
		out.Remedy = "Free disk space and run again: Setup resumes where it stopped."
	}
	return out, nil
}

// fullBelow is so little free space that Setup cannot have written its log.
const fullBelow = 64 << 20

// fullDisks says which disks of the host are full: of a disk that is, a setup
// log tells nothing. A host that cannot say so now is not asked again.
func fullDisks(ctx context.Context, w *Work) []string {
	disks, err := w.Host.Disks(ctx)
	if err != nil {
		return nil // Setup's failure is told without it
	}
	var full []string
	for _, d := range disks {
		if d.Size > 0 && d.Free < fullBelow {
			full = append(full, fmt.Sprintf("disk %s has %d MB free", d.Name, d.Free>>20))
		}
	}
	return full
}

// exitCode is where a step remembers the exit code of its program.
const exitCode = "exit"

// against lists what speaks against success.
func (p program) against(exit int, verdict exchange.Verdict, goal found) []string {
	var wrong []string
	if exit != 0 && !slices.Contains(p.exits, exit) {
		wrong = append(wrong, fmt.Sprintf("its exit code is %d", exit))
	}
	if p.final {
		switch verdict {
		case exchange.VerdictSuccess:
		case exchange.VerdictFailure:
			wrong = append(wrong, "its log ends with a failure")
		case exchange.VerdictNone, exchange.VerdictRunning, exchange.VerdictInterrupted, exchange.VerdictUnknown:
			wrong = append(wrong, "its log has no last sentence")
		}
	}
	return append(wrong, goal.wrong...)
}
