package windows

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Task Scheduler 2.0 (Windows Server 2008 and later) is spoken to through its
// COM interface for scripts, Schedule.Service, which knows what schtasks.exe of
// 2008 cannot be told: no trigger at all, no time limit, normal priority, and a
// password that is on no command line.

// The HRESULTs that mean "it is so already".
const (
	codeTaskExists uint32 = 0x800700b7 // ERROR_ALREADY_EXISTS
	codeNoTask     uint32 = 0x80070002 // ERROR_FILE_NOT_FOUND
)

// registerTask registers a task by its description. One that is registered
// already is left as it is.
func (h *Host) registerTask(ctx context.Context, t Task) error {
	text, err := taskXML(t)
	if err != nil {
		return err
	}
	if t.Account == "" {
		_, err = h.script(ctx, "task-register", t.Name, text, "")
	} else {
		_, err = h.scriptWithSecret(ctx, "task-register", t.Password, t.Name, text, t.Account)
	}
	if code := scriptCode(err); code == codeTaskExists {
		return nil
	} else if refused := refusal(t.Name, t.Account, code); refused != nil {
		return refused
	}
	return err
}

// scriptCode is the HRESULT of a script's exception, 0 when err is none.
func scriptCode(err error) uint32 {
	var script *ScriptError
	if errors.As(err, &script) {
		return script.Code()
	}
	return 0
}

// taskXML describes a task to Task Scheduler 2.0 on one line: no trigger, the
// full token, no time limit (PT0S), Priority 4 (the default, 7, is below normal
// and with low priority for the disk), mains power and idleness do not matter,
// and a second start while it runs is ignored. Source: Task Scheduler Schema;
// the rules of host tasks. SYSTEM has no LogonType, as Windows exports it.
func taskXML(t Task) (string, error) {
	if !taskName.MatchString(t.Name) {
		return "", fmt.Errorf("%q is no name of a host task", t.Name)
	}
	who := `<UserId>S-1-5-18</UserId>`
	if t.Account != "" {
		if err := printable("run-as account", t.Account); err != nil {
			return "", err
		}
		if t.Password == "" {
			return "", fmt.Errorf("run-as account %s has no password", t.Account)
		}
		if !utf8.ValidString(t.Password) || strings.ContainsRune(t.Password, 0) {
			return "", ErrPassword
		}
		var b strings.Builder
		if err := xml.EscapeText(&b, []byte(t.Account)); err != nil {
			return "", fmt.Errorf("run-as account: %w", err)
		}
		who = `<UserId>` + b.String() + `</UserId><LogonType>Password</LogonType>`
	}
	return `<?xml version="1.0" encoding="UTF-16"?>` +
		`<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">` +
		`<RegistrationInfo><Description>Wavekeeper</Description></RegistrationInfo>` +
		`<Triggers />` +
		`<Principals><Principal id="Author">` + who + `<RunLevel>HighestAvailable</RunLevel></Principal></Principals>` +
		`<Settings>` +
		`<MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>` +
		`<DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>` +
		`<StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>` +
		`<AllowHardTerminate>true</AllowHardTerminate>` +
		`<StartWhenAvailable>false</StartWhenAvailable>` +
		`<RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>` +
		`<IdleSettings><StopOnIdleEnd>false</StopOnIdleEnd><RestartOnIdle>false</RestartOnIdle></IdleSettings>` +
		`<AllowStartOnDemand>true</AllowStartOnDemand>` +
		`<Enabled>true</Enabled>` +
		`<Hidden>false</Hidden>` +
		`<RunOnlyIfIdle>false</RunOnlyIfIdle>` +
		`<WakeToRun>false</WakeToRun>` +
		`<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>` +
		`<Priority>4</Priority>` +
		`</Settings>` +
		`<Actions Context="Author"><Exec><Command>cmd.exe</Command><Arguments>/d /c "` + t.Folder() + `\body.cmd"</Arguments></Exec></Actions>` +
		`</Task>`, nil
}

// printable refuses text that holds control characters or is not UTF-8.
func printable(what, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s is not UTF-8", what)
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == 0xfffe || r == 0xffff {
			return fmt.Errorf("%s holds the control character %U", what, r)
		}
	}
	return nil
}

// scheduledTask is what Task Scheduler 2.0 says of one task.
type scheduledTask struct {
	name  string
	state int    // TASK_STATE: 1 disabled, 2 queued, 3 ready, 4 running
	last  uint32 // of the last run: exit code or HRESULT
}

// scheduled lists the tasks whose names begin so.
func (h *Host) scheduled(ctx context.Context, prefix string) ([]scheduledTask, error) {
	records, err := h.script(ctx, "task-list", prefix)
	if err != nil {
		return nil, err
	}
	var out []scheduledTask
	for _, line := range records.All("task") {
		t, err := scheduledOf(line)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// scheduledOf reads one line of task-list and task-look.
func scheduledOf(line string) (scheduledTask, error) {
	f := strings.Split(line, "|")
	if len(f) != 3 {
		return scheduledTask{}, fmt.Errorf("task %q of the scheduler was not understood", line)
	}
	state, err := strconv.Atoi(f[1])
	if err != nil {
		return scheduledTask{}, fmt.Errorf("task %q of the scheduler: %w", line, err)
	}
	last, err := strconv.ParseUint(f[2], 16, 32)
	if err != nil {
		return scheduledTask{}, fmt.Errorf("task %q of the scheduler: %w", line, err)
	}
	return scheduledTask{f[0], state, uint32(last)}, nil
}
