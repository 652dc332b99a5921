package runbook

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// program is one run of Setup or of Windows Installer as a host task that never
// starts twice: what a step of a runbook ticks until it ends. It is made anew
// for each tick; all that it remembers is in the step's memory, so that a step
// has one program at a time (see programs, for a step with several).
//
// In one attempt its body begins at most once, whatever dies when; while it may
// run and the host does not answer it is out of sight, and nothing else is done;
// what began and has no result is a person's decision. Its goal is asked of the
// host before it is prepared and after it ended.
type program struct {
	key     string  // of its host task, of programKeys: "setup", "um-out-de-de", "upgrade-cms-1"
	who     string  // what runs, in sentences: "Setup"
	words   string  // what the task does: "Exchange Setup"
	account Account // zero = SYSTEM

	// body is the task's batch file and the files beside it. It begins with the
	// guard of every body, as those of agentless/windows do.
	body func(folder string) (body []byte, files map[string][]byte, err error)
	// media is true when the body compares the package's media first
	// (windows.CheckedSetupBody): it may then end without having begun.
	media bool
	// switches is true when the body turns the revocation check off and on again:
	// both values go into the ledger.
	switches bool
	// files are compared on the host right before the task is registered and again
	// before it runs, besides the body and its files: path and SHA-256. "" = it has
	// to be there.
	files []wantedFile

	log   string // of the program, followed while it runs; "" = none
	final bool   // the log's last sentence counts for the verdict
	exits []int  // exit codes besides 0 that speak for success: 3010 of Windows Installer

	// found reads from the host how far the goal is.
	found func(ctx context.Context) (found, error)
	// first is done before anything is prepared, until it is Done; nil = nothing.
	first func(ctx context.Context) (Outcome, error)
	// last has to be Done right before the task is told to run, however long ago it
	// was registered; nil = nothing. Where it is Failed the task is closed.
	last func(ctx context.Context) (Outcome, error)

	already   string // the message where there is nothing to do
	completed string // the message where the goal was reached
	resume    string // the remedy of a failure
	broken    string // the remedy of an interruption
}

// wantedFile is a file that a program runs or reads, with its SHA-256.
type wantedFile struct{ path, sum string }

// found is how far a program's goal is.
type found struct {
	reached bool
	wrong   []string // what speaks against success after it ran: roles below the target, marks
	marked  []string // Action and Watermark: a Setup began and did not end
	build   string   // lowest build configured, when it could be read
	damaged error    // the host's keys cannot be understood
}

// programKeys are what the keys of programs begin with: by their tasks' names
// they are known on a host, whichever step or attempt made them.
var programKeys = []string{"setup", "um-out", "um-in", "upgrade-cms", "prepare", "rollup"}

// programSteps are the steps that run programs, without their turns: what they
// remember says whether one began.
var programSteps = []string{"setup", "um-out", "um-in", "upgrade-cms", "rollup"}

var programWord = regexp.MustCompile(`^(` + strings.Join(programKeys, "|") + `)(-[a-z0-9-]+)?-a[0-9]{1,9}$`)

// isProgram reports whether a host task of this upgrade is a program's.
func (w *Work) isProgram(task string) bool {
	rest, ours := strings.CutPrefix(task, w.prefix())
	return ours && programWord.MatchString(rest)
}

// ofPrograms are the processes that a program's body is or has started.
func (w *Work) ofPrograms(processes []windows.Process) []windows.Process {
	in := strings.ToLower(windows.TaskFolder(w.prefix()))
	var out []windows.Process
	for _, p := range ofTask(processes, w.prefix()) {
		_, rest, _ := strings.Cut(strings.ToLower(p.CommandLine), in)
		end := strings.IndexAny(rest, `\" `)
		if end < 0 {
			end = len(rest)
		}
		if programWord.MatchString(rest[:end]) {
			out = append(out, p)
		}
	}
	return out
}

// ranOnce reports whether a program of this upgrade began on the step's host, in
// any attempt.
func (w *Work) ranOnce() bool {
	return slices.ContainsFunc(programSteps, func(step string) bool { return w.note(step)[setupRan] != "" })
}

// task is the host task of this attempt.
func (p program) task(w *Work) (windows.Task, error) {
	t := windows.Task{
		Name:    windows.TaskName(w.Installation, w.Upgrade, p.key, w.Attempt),
		Account: p.account.Name, Password: p.account.Password,
	}
	if !w.isProgram(t.Name) {
		return t, fmt.Errorf("%q is no key of a program", p.key)
	}
	var err error
	t.Body, t.Files, err = p.body(t.Folder())
	return t, err
}

// tick prepares, registers and runs the program's host task, follows its log and
// judges its end. Each tick asks the host how far the task has come and moves it
// on by one action; in one attempt the program begins at most once, whatever
// dies when (the body's own guard sees to it).
func (p program) tick(ctx context.Context, w *Work) (Outcome, error) {
	ran := w.Memory[setupRan]
	w.fresh()
	if ran != "" {
		w.Memory[setupRan] = ran
	}
	task, err := p.task(w)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Correct the folder of the package."}, nil
	}
	look, err := w.Host.LookTask(ctx, task.Name)
	if err != nil {
		return p.outOfReach(w, "look at the "+p.who+" task", err)
	}
	if look.Has(windows.Closed) {
		delete(w.Memory, "created") // it cannot begin any more
		return p.closedBefore(), nil
	}
	if look.MediaRefused() && look.State == windows.TaskEnded {
		return p.refused(ctx, w, task, look)
	}
	switch look.State {
	case windows.TaskAbsent:
		return p.begin(ctx, w, task, look)
	case windows.TaskPrepared:
		return p.create(ctx, w, task, look)
	case windows.TaskCreated:
		return p.run(ctx, w, task, look)
	case windows.TaskStarted:
		return p.follow(ctx, w, task, look)
	default:
		return p.judge(ctx, w, task, look)
	}
}

// outOfReach is a host that does not answer: while the task may run nothing
// else is known and nothing else is done.
func (p program) outOfReach(w *Work, doing string, err error) (Outcome, error) {
	out, err := trouble(doing, err)
	if err == nil && out.Kind == Again && !out.Barred && w.Memory["created"] != "" {
		out.Kind = OutOfSight
		if out.Headline != "" {
			out.Headline += "; " + p.who + " may be running"
		}
		out.Message = p.who + " may be running out of sight: " + out.Message
	}
	return out, err
}
