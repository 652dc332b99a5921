package windows

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Task is a host task: one thing, done once, by the Windows task scheduler.
// Rules: winrm.md 2.4. On Windows Server 2003 a task is registered with
// schtasks.exe, whose output is localized and never read, later with the
// scheduler's COM interface; the files of its folder say what happened.
type Task struct {
	Name     string            // from TaskName
	Body     []byte            // body.cmd
	Files    map[string][]byte // beside the body: scripts
	Account  string            // empty = SYSTEM
	Password string
}

// Folder is where the task's files lie.
func (t Task) Folder() string { return TaskFolder(t.Name) }

// ScriptTask is a host task that runs one embedded script.
func ScriptTask(name, script, account, password string, args ...string) (Task, error) {
	// A fixed nonce: the files of a task must come out the same whenever a
	// killed tick is repeated. The folder is protected, nobody else writes there.
	text, err := call(script, taskNonce, args...)
	if err != nil {
		return Task{}, err
	}
	body, err := ScriptBody(TaskFolder(name), script)
	if err != nil {
		return Task{}, err
	}
	return Task{
		Name: name, Body: body, Account: account, Password: password,
		Files: map[string][]byte{script + ".ps1": []byte(text)},
	}, nil
}

const taskNonce = "7461736b7461736b"

// TaskState is how far a host task has come, as its files say.
type TaskState string

// The states of a host task.
const (
	TaskAbsent   TaskState = "absent"   // no folder: never prepared, or already removed
	TaskPrepared TaskState = "prepared" // folder there, not registered
	TaskCreated  TaskState = "created"  // registered, did not begin
	TaskStarted  TaskState = "started"  // began, has no result: it runs or it died
	TaskEnded    TaskState = "ended"    // has a result
)

// TaskLook is what one look at a host task showed.
type TaskLook struct {
	State TaskState
	Job   bool             // registered with the scheduler
	Files map[string]int64 // lengths by name
	Exit  int              // of the body, when State is TaskEnded
	Last  uint32           // HRESULT or exit code of the scheduler's last run; 0 when it is not told
	Life  Life             // of the body

	torn bool // there is a result that is no exit code
}

// Refused is why the scheduler could not start the task, nil when it says
// nothing of that kind: a task that was run and does not begin is refused.
func (l TaskLook) Refused(name, account string) error { return refusedStart(name, account, l.Last) }

// Has reports whether a file or folder of that name lies in the task's folder.
func (l TaskLook) Has(name string) bool { _, ok := l.Files[name]; return ok }

// MidnightError says that the host's clock is so near midnight that a start time
// of 00:00:00 could lie in the future or fire.
type MidnightError struct {
	For time.Duration // until it is over, by the host's clock
}

// Error says for how long.
func (m *MidnightError) Error() string {
	return fmt.Sprintf("the host's clock is too near midnight to register a task, for another %s", m.For.Round(time.Second))
}

// ErrPlainChannel says that what a host task is made of, a password among it,
// would cross the network readable and changeable.
var ErrPlainChannel = errors.New("host tasks are made over https or on the loopback address only")

// ErrPassword says that a password cannot stand on a command line of schtasks.exe.
var ErrPassword = errors.New("the run-as password is a star or holds a double quote or a control character, which schtasks.exe cannot be given")

// The lengths that no Windows takes; ask with errors.Is.
var (
	ErrLongAccount  = errors.New("the run-as account's name is too long")
	ErrLongPassword = errors.New("the run-as password is too long")
)

// Life is whether a host task's body lives, as far as its file alive tells.
type Life string

// The lives of a body.
const (
	LifeUntold Life = ""     // there is no such file: the body did not come so far, or it is none of ours
	LifeLives  Life = "held" // the body, or something that it started, holds the file open
	LifeOver   Life = "over" // nobody holds it: the body and what inherited its handles are gone
)

// sharingViolation is ERROR_SHARING_VIOLATION as HRESULT: somebody has a file open.
const sharingViolation uint32 = 0x80070020

// LookTask asks what became of a host task, without WMI.
func (h *Host) LookTask(ctx context.Context, name string) (TaskLook, error) {
	if !taskName.MatchString(name) {
		return TaskLook{}, fmt.Errorf("%q is no name of a host task", name)
	}
	old, err := h.oldScheduler(ctx)
	if err != nil {
		return TaskLook{}, fmt.Errorf("look at task %s: %w", name, err)
	}
	word := "0"
	if old {
		word = "1"
	}
	records, err := h.script(ctx, "task-look", TaskFolder(name), name, word)
	if err != nil {
		return TaskLook{}, fmt.Errorf("look at task %s: %w", name, err)
	}
	look, err := lookOf(records)
	if err != nil {
		return TaskLook{}, fmt.Errorf("look at task %s: %w", name, err)
	}
	return look, nil
}

// lookOf reads what task-look said.
func lookOf(records Records) (TaskLook, error) {
	look := TaskLook{Files: map[string]int64{}}
	for _, r := range records {
		switch r.Name {
		case "entry":
			f := strings.Split(r.Value, "|")
			if len(f) != 3 {
				return TaskLook{}, fmt.Errorf("entry %q", r.Value)
			}
			length, err := strconv.ParseInt(f[2], 10, 64)
			if err != nil {
				return TaskLook{}, fmt.Errorf("entry %q: %w", r.Value, err)
			}
			name := strings.ToLower(f[0])
			look.Files[name] = length
			if name == started && f[1] != "d" {
				look.Files[Closed] = 0
			}
		case "rc":
			raw, err := base64.StdEncoding.DecodeString(r.Value)
			if err != nil {
				return TaskLook{}, fmt.Errorf("result: %w", err)
			}
			look.Exit, err = strconv.Atoi(strings.TrimSpace(string(raw)))
			look.torn = err != nil
		case "held":
			switch {
			case r.Value == "no":
				look.Life = LifeOver
			case (&ScriptError{What: r.Value}).Code() == sharingViolation:
				look.Life = LifeLives
			}
		case "job":
			look.Job = true
			raw, err := base64.StdEncoding.DecodeString(r.Value)
			if err != nil {
				return TaskLook{}, fmt.Errorf("file of the scheduler: %w", err)
			}
			look.Last = lastOfJob(raw)
		case "task":
			t, err := scheduledOf(r.Value)
			if err != nil {
				return TaskLook{}, err
			}
			look.Job, look.Last = true, t.last
		}
	}
	look.State = taskState(records.Get("exists") == "1", look)
	return look, nil
}

// taskState decides from what is there. A registered task without a folder
// counts as absent: its body is gone, so it can do nothing. A result that is no
// exit code is none: Windows makes a file's length lasting before its bytes, so
// a power loss right after the end leaves it empty or full of zeros.
func taskState(folder bool, look TaskLook) TaskState {
	switch {
	case !folder:
		return TaskAbsent
	case look.Has("rc") && !look.torn:
		return TaskEnded
	case look.Has(started):
		return TaskStarted
	case look.Job:
		return TaskCreated
	default:
		return TaskPrepared
	}
}

// MakeTaskFolder makes the protected folders of a task, or checks that they are
// ours.
func (h *Host) MakeTaskFolder(ctx context.Context, name string) error {
	if !taskName.MatchString(name) {
		return fmt.Errorf("%q is no name of a host task", name)
	}
	for _, folder := range []string{Root, Tasks, TaskFolder(name)} {
		if err := h.MakeFolder(ctx, folder); err != nil {
			return fmt.Errorf("prepare task %s: %w", name, err)
		}
	}
	return nil
}

// PrepareTask makes the protected folders and writes the task's files, the
// body last. Nothing runs. It may be repeated.
func (h *Host) PrepareTask(ctx context.Context, t Task) error {
	if err := t.check(); err != nil {
		return fmt.Errorf("prepare task: %w", err)
	}
	if err := h.MakeTaskFolder(ctx, t.Name); err != nil {
		return err
	}
	var names []string
	for name := range t.Files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := h.WriteFile(ctx, t.Folder()+`\`+name, t.Files[name]); err != nil {
			return fmt.Errorf("prepare task %s: %w", t.Name, err)
		}
	}
	if err := h.WriteFile(ctx, t.Folder()+`\`+bodyFile, t.Body); err != nil {
		return fmt.Errorf("prepare task %s: %w", t.Name, err)
	}
	return nil
}

// TaskRecords reads what a script in a host task said.
func (h *Host) TaskRecords(ctx context.Context, name, script string) (Records, error) {
	return h.taskRecords(ctx, name, "out.txt", script)
}

func (h *Host) taskRecords(ctx context.Context, name, file, script string) (Records, error) {
	chunk, err := h.ReadFile(ctx, TaskFolder(name)+`\`+file, 0, maxRead)
	if err != nil {
		return nil, fmt.Errorf("output of task %s: %w", name, err)
	}
	records, err := parseRecords(chunk.Data, taskNonce)
	if err != nil {
		return nil, fmt.Errorf("output of task %s: %w", name, err)
	}
	if what := records.Get("error"); what != "" {
		return nil, &ScriptError{Script: script, What: what}
	}
	return records, nil
}

// HashFile reads a file's SHA-256 in a WinRM shell: for small files.
func (h *Host) HashFile(ctx context.Context, path string) (sum string, exists bool, err error) {
	r, err := h.script(ctx, "file-hash", path)
	if err != nil {
		return "", false, fmt.Errorf("hash file %s: %w", path, err)
	}
	return r.Get("sha256"), r.Get("exists") == "1", nil
}

// TaskFolders lists the names of host tasks that have a folder on the host.
func (h *Host) TaskFolders(ctx context.Context) ([]string, error) {
	entries, _, err := h.List(ctx, Tasks)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Folder && taskName.MatchString(e.Name) {
			names = append(names, e.Name)
		}
	}
	return names, nil
}

// RegisteredTasks lists the names of host tasks that the scheduler knows, also
// those whose folder is gone.
func (h *Host) RegisteredTasks(ctx context.Context, windowsDirectory string) ([]string, error) {
	old, err := h.oldScheduler(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	if !old {
		tasks, err := h.scheduled(ctx, "wk-")
		for _, t := range tasks {
			if taskName.MatchString(t.name) {
				names = append(names, t.name)
			}
		}
		return names, err
	}
	entries, _, err := h.List(ctx, windowsDirectory+`\Tasks`)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, job := strings.CutSuffix(e.Name, ".job")
		if !e.Folder && job && taskName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}
