package windows

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/winrm"
)

// Task is a host task: one thing, done once, by the Windows task scheduler.
// Rules: winrm.md 2.4. On Windows Server 2003 a task is registered with
// schtasks.exe; its output is localized and never read, the files of its
// folder say what happened.
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
}

// Has reports whether a file or folder of that name lies in the task's folder.
func (l TaskLook) Has(name string) bool { _, ok := l.Files[name]; return ok }

// ErrTaskCOM says that this Windows needs registration through Schedule.Service.
var ErrTaskCOM = errors.New("host tasks on Windows Server 2008 and later (registration by COM) are not built yet")

// ErrMidnight says that the host's clock is so near midnight that a start time
// of 00:00:00 could lie in the future or fire; come back in two minutes.
var ErrMidnight = errors.New("the host's clock is too near midnight to register a task")

// ErrPlainChannel says that what a host task is made of, a password among it,
// would cross the network readable and changeable.
var ErrPlainChannel = errors.New("host tasks are made over https or on the loopback address only")

// ErrPassword says that a password cannot stand on a command line of schtasks.exe.
var ErrPassword = errors.New("the run-as password holds a double quote or a control character, which schtasks.exe cannot be given")

// LookTask asks what became of a host task.
func (h *Host) LookTask(ctx context.Context, name string) (TaskLook, error) {
	if !taskName.MatchString(name) {
		return TaskLook{}, fmt.Errorf("%q is no name of a host task", name)
	}
	entries, exists, err := h.List(ctx, TaskFolder(name))
	if err != nil {
		return TaskLook{}, fmt.Errorf("look at task %s: %w", name, err)
	}
	look := TaskLook{State: TaskAbsent, Files: map[string]int64{}}
	for _, e := range entries {
		look.Files[strings.ToLower(e.Name)] = e.Length
	}
	if look.Has("rc") {
		chunk, err := h.ReadFile(ctx, TaskFolder(name)+`\rc`, 0, 64)
		if err != nil {
			return TaskLook{}, fmt.Errorf("look at task %s: %w", name, err)
		}
		if look.Exit, err = strconv.Atoi(strings.TrimSpace(string(chunk.Data))); err != nil {
			return TaskLook{}, fmt.Errorf("look at task %s: result %q is no exit code", name, chunk.Data)
		}
	}
	if look.Job, err = h.taskRegistered(ctx, name); err != nil {
		return TaskLook{}, fmt.Errorf("look at task %s: %w", name, err)
	}
	look.State = taskState(exists, look)
	return look, nil
}

// taskState decides from what is there. A registered task without a folder
// counts as absent: its body is gone, so it can do nothing.
func taskState(folder bool, look TaskLook) TaskState {
	switch {
	case !folder:
		return TaskAbsent
	case look.Has("rc"):
		return TaskEnded
	case look.Has("started"):
		return TaskStarted
	case look.Job:
		return TaskCreated
	default:
		return TaskPrepared
	}
}

// taskRegistered looks for the file that Task Scheduler 1.0 keeps per task.
func (h *Host) taskRegistered(ctx context.Context, name string) (bool, error) {
	result, err := h.Run(ctx, `if exist "%windir%\Tasks\`+name+`.job" (exit 0) else (exit 1)`)
	if err != nil {
		return false, err
	}
	return result.Exit == 0, nil
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
	if err := h.WriteFile(ctx, t.Folder()+`\body.cmd`, t.Body); err != nil {
		return fmt.Errorf("prepare task %s: %w", t.Name, err)
	}
	return nil
}

// CreateTask registers a prepared task with the scheduler, without a trigger
// that can fire: its start time is the midnight that has passed by the host's
// own clock. Registering one that is registered already changes nothing.
func (h *Host) CreateTask(ctx context.Context, t Task) error {
	args, err := createArguments(t)
	if err != nil {
		return fmt.Errorf("create task %s: %w", t.Name, err)
	}
	if !h.conn.Private() {
		return fmt.Errorf("create task %s: %w", t.Name, ErrPlainChannel)
	}
	os, err := h.OS(ctx)
	if err != nil {
		return fmt.Errorf("create task %s: %w", t.Name, err)
	}
	if !os.before6() {
		return fmt.Errorf("create task %s: %w", t.Name, ErrTaskCOM)
	}
	if nearMidnight(os.Now.In(os.Zone)) {
		return fmt.Errorf("create task %s: %w", t.Name, ErrMidnight)
	}
	registered, err := h.taskRegistered(ctx, t.Name)
	if err != nil {
		return fmt.Errorf("create task %s: %w", t.Name, err)
	}
	if registered {
		return nil
	}
	result, err := h.program(ctx, "schtasks.exe", args...)
	if err != nil {
		return fmt.Errorf("create task %s: %w", t.Name, err)
	}
	if registered, err = h.taskRegistered(ctx, t.Name); err != nil {
		return fmt.Errorf("create task %s: %w", t.Name, err)
	}
	if !registered {
		return fmt.Errorf("create task %s: schtasks.exe ended with %d and there is no task", t.Name, result.Exit)
	}
	return nil
}

// nearMidnight: half a minute before, two minutes after.
func nearMidnight(local time.Time) bool {
	h, m, s := local.Clock()
	return h == 23 && m == 59 && s >= 30 || h == 0 && m < 2
}

// createArguments are those of schtasks.exe /create on Windows Server 2003:
// no /rl /xml /v1 /np /delay, /tr at most 262 characters, /st HH:MM:SS, no /sd
// (its form depends on the locale), no /f (it replaces silently).
func createArguments(t Task) ([]string, error) {
	if !taskName.MatchString(t.Name) {
		return nil, fmt.Errorf("%q is no name of a host task", t.Name)
	}
	args := []string{"/create", "/tn", t.Name, "/tr", `"` + t.Folder() + `\body.cmd"`, "/sc", "ONCE", "/st", "00:00:00"}
	if t.Account == "" {
		return append(args, "/ru", "SYSTEM"), nil
	}
	account, err := argument(t.Account)
	if err != nil {
		return nil, fmt.Errorf("run-as account: %w", err)
	}
	if t.Password == "" {
		return nil, fmt.Errorf("run-as account %s has no password", t.Account)
	}
	password, err := argument(t.Password)
	if err != nil {
		return nil, ErrPassword
	}
	return append(args, "/ru", account, "/rp", password), nil
}

// argument quotes a word for the C runtime's rules: in double quotes, with the
// backslashes at its end doubled. A double quote is refused.
func argument(s string) (string, error) {
	for _, r := range s {
		if r == '"' || r < ' ' || r == 0x7f {
			return "", fmt.Errorf("a character that cannot be quoted")
		}
	}
	trailing := len(s) - len(strings.TrimRight(s, `\`))
	return `"` + s + strings.Repeat(`\`, trailing) + `"`, nil
}

// RunTask starts a registered task. Its body's guard makes a second start
// harmless.
func (h *Host) RunTask(ctx context.Context, name string) error {
	if !taskName.MatchString(name) {
		return fmt.Errorf("%q is no name of a host task", name)
	}
	result, err := h.Run(ctx, "schtasks.exe /run /tn "+name)
	if err != nil {
		return fmt.Errorf("run task %s: %w", name, err)
	}
	if result.Exit != 0 {
		return fmt.Errorf("run task %s: schtasks.exe ended with %d", name, result.Exit)
	}
	return nil
}

// DeleteTask takes a task out of the scheduler, and with it the stored
// password; one that is not there is fine.
func (h *Host) DeleteTask(ctx context.Context, name string) error {
	registered, err := h.TaskRegistered(ctx, name)
	if err != nil || !registered {
		return err
	}
	result, err := h.Run(ctx, "schtasks.exe /delete /tn "+name+" /f")
	if err != nil {
		return fmt.Errorf("delete task %s: %w", name, err)
	}
	if registered, err = h.TaskRegistered(ctx, name); err != nil {
		return err
	}
	if registered {
		return fmt.Errorf("delete task %s: schtasks.exe ended with %d and the task is still there", name, result.Exit)
	}
	return nil
}

// TaskRegistered reports whether the scheduler knows a task.
func (h *Host) TaskRegistered(ctx context.Context, name string) (bool, error) {
	if !taskName.MatchString(name) {
		return false, fmt.Errorf("%q is no name of a host task", name)
	}
	registered, err := h.taskRegistered(ctx, name)
	if err != nil {
		return false, fmt.Errorf("look for task %s: %w", name, err)
	}
	return registered, nil
}

// TaskRecords reads what a script in a host task said.
func (h *Host) TaskRecords(ctx context.Context, name, script string) (Records, error) {
	chunk, err := h.ReadFile(ctx, TaskFolder(name)+`\out.txt`, 0, maxRead)
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

// RegisteredTasks lists the names of host tasks that Task Scheduler 1.0 knows,
// also those whose folder is gone.
func (h *Host) RegisteredTasks(ctx context.Context, windowsDirectory string) ([]string, error) {
	entries, _, err := h.List(ctx, windowsDirectory+`\Tasks`)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name, job := strings.CutSuffix(e.Name, ".job")
		if !e.Folder && job && taskName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Restart asks Windows to restart in five seconds. That it happened is told by
// the boot time alone: a fast restart can be missed by any other means.
func (h *Host) Restart(ctx context.Context) error {
	result, err := h.Run(ctx, "shutdown.exe -r -t 5")
	var lost *winrm.UnknownOutcome
	if errors.As(err, &lost) {
		return nil // the host may be on its way down: the boot time says
	}
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	if result.Exit != 0 {
		return fmt.Errorf("restart: shutdown.exe ended with %d", result.Exit)
	}
	return nil
}

// BootTime is when Windows started.
func (h *Host) BootTime(ctx context.Context) (time.Time, error) {
	os, err := h.OS(ctx)
	return os.Boot, err
}
