package windows

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// CreateTask registers a prepared task with the scheduler, without a trigger
// that can fire. Registering one that is registered already changes nothing. A
// *TaskRefusedError says that Windows will not have the account.
func (h *Host) CreateTask(ctx context.Context, t Task) error {
	if !h.conn.Private() {
		return fmt.Errorf("create task %s: %w", t.Name, ErrPlainChannel)
	}
	if err := t.check(); err != nil {
		return fmt.Errorf("create task: %w", err)
	}
	old, err := h.oldScheduler(ctx)
	switch {
	case err != nil:
	case old:
		err = h.createTask(ctx, t)
	default:
		err = h.registerTask(ctx, t)
	}
	if err != nil {
		return fmt.Errorf("create task %s: %w", t.Name, err)
	}
	return nil
}

// createTask is CreateTask on Windows Server 2003: its start time is the
// midnight that has passed by the host's own clock, since there has to be one.
func (h *Host) createTask(ctx context.Context, t Task) error {
	args, err := createArguments(t)
	if err != nil {
		return err
	}
	os, err := h.OS(ctx)
	if err != nil {
		return err
	}
	if wait := midnightWait(os.Now.In(os.Zone)); wait > 0 {
		return &MidnightError{For: wait}
	}
	registered, err := h.taskRegistered(ctx, t.Name)
	if err != nil || registered {
		return err
	}
	exit := 0
	for _, start := range startTimes {
		result, err := h.program(ctx, "schtasks.exe", startingAt(args, start)...)
		if err != nil {
			return err
		}
		registered, err = h.taskRegistered(ctx, t.Name)
		if err != nil || registered {
			return err
		}
		exit = result.Exit
	}
	return fmt.Errorf("schtasks.exe ended with %d and there is no task", exit)
}

// startTimes are the forms of midnight that schtasks.exe may want: Windows XP
// asks for seconds, Windows Vista and later refuse them, and what was read does
// not agree on Windows Server 2003. A form that is refused registers nothing.
var startTimes = []string{"00:00:00", "00:00"}

// startingAt is args with another /st.
func startingAt(args []string, start string) []string {
	out := slices.Clone(args)
	if i := slices.Index(out, "/st"); i >= 0 {
		out[i+1] = start
	}
	return out
}

// midnightWait is how long no task is registered from now on: from half a minute
// before midnight to two minutes after. It is 0 at other times.
func midnightWait(local time.Time) time.Duration {
	const before, after = 30 * time.Second, 2 * time.Minute
	h, m, s := local.Clock()
	clock := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	switch {
	case clock >= 24*time.Hour-before:
		return 24*time.Hour - clock + after
	case clock < after:
		return after - clock
	default:
		return 0
	}
}

// createArguments are those of schtasks.exe /create on Windows Server 2003:
// no /rl /xml /v1 /np /delay, /tr at most 262 characters, /st HH:MM:SS, no /sd
// (its form depends on the locale), no /f (it replaces silently).
func createArguments(t Task) ([]string, error) {
	if !taskName.MatchString(t.Name) {
		return nil, fmt.Errorf("%q is no name of a host task", t.Name)
	}
	args := []string{"/create", "/tn", t.Name, "/tr", `"` + t.Folder() + `\body.cmd"`, "/sc", "ONCE", "/st", startTimes[0]}
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
	if err != nil || t.Password == "*" { // with a star it asks, and nobody is there
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

// RunTask lets a registered task begin and starts it. Its body's guard makes a
// start before this, by whatever cause, and a second one harmless.
func (h *Host) RunTask(ctx context.Context, name string) error {
	if !taskName.MatchString(name) {
		return fmt.Errorf("%q is no name of a host task", name)
	}
	old, err := h.oldScheduler(ctx)
	if err != nil {
		return fmt.Errorf("run task %s: %w", name, err)
	}
	if !old {
		_, err := h.script(ctx, "task-run", name, TaskFolder(name)+`\go`)
		if refused := refusal(name, "", scriptCode(err)); refused != nil {
			err = refused
		}
		if err != nil {
			return fmt.Errorf("run task %s: %w", name, err)
		}
		return nil
	}
	result, err := h.Run(ctx, `echo go>"`+TaskFolder(name)+`\go"&&schtasks.exe /run /tn `+name)
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
	old, err := h.oldScheduler(ctx)
	if err != nil {
		return fmt.Errorf("delete task %s: %w", name, err)
	}
	if !old {
		if _, err = h.script(ctx, "task-delete", name); err != nil && scriptCode(err) != codeNoTask {
			return fmt.Errorf("delete task %s: %w", name, err)
		}
	} else if _, err = h.Run(ctx, "schtasks.exe /delete /tn "+name+" /f"); err != nil {
		return fmt.Errorf("delete task %s: %w", name, err)
	}
	if registered, err = h.TaskRegistered(ctx, name); err != nil {
		return err
	}
	if registered {
		return fmt.Errorf("delete task %s: it is still there", name)
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

// taskRegistered asks the scheduler: Task Scheduler 1.0 keeps one file per task,
// 2.0 is asked.
func (h *Host) taskRegistered(ctx context.Context, name string) (bool, error) {
	old, err := h.oldScheduler(ctx)
	if err != nil {
		return false, err
	}
	if !old {
		tasks, err := h.scheduled(ctx, name)
		return slices.ContainsFunc(tasks, func(t scheduledTask) bool { return strings.EqualFold(t.name, name) }), err
	}
	result, err := h.Run(ctx, `if exist "%windir%\Tasks\`+name+`.job" (exit 0) else (exit 1)`)
	if err != nil {
		return false, err
	}
	return result.Exit == 0, nil
}
