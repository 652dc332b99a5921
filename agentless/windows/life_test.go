package windows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// TestABodyIsSeenToLiveWithoutAListOfProcesses: its file alive is held while it
// runs, and free when the power was gone.
func TestABodyIsSeenToLiveWithoutAListOfProcesses(t *testing.T) {
	t.Parallel()
	for _, os := range []string{"2003", "2008"} {
		h, ctx := hostWith(t, func(o *twin.Options) { o.Servers[0].OS = os }), context.Background()
		const name = "wk-test-u1-setup-a1"
		body, err := windows.SetupBody(windows.TaskFolder(name), `C:\Windows\system32\ping.exe`, "-n 90000000 127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		task := windows.Task{Name: name, Body: body}
		if err := h.PrepareTask(ctx, task); err != nil {
			t.Fatal(err)
		}
		if err := h.CreateTask(ctx, task); errors.As(err, new(*windows.MidnightError)) {
			continue // the test's own clock
		} else if err != nil {
			t.Fatal(err)
		}
		if look, err := h.LookTask(ctx, name); err != nil || look.Life != windows.LifeUntold || look.State != windows.TaskCreated || look.Last != 0x41303 {
			t.Errorf("%s: before it began: %+v, %v", os, look, err)
		}
		if err := h.RunTask(ctx, name); err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "the body runs", func() bool {
			look, err := h.LookTask(ctx, name)
			return err == nil && look.State == windows.TaskStarted && look.Life == windows.LifeLives && look.Has("out.txt")
		})
		if err := h.RemoveFolder(ctx, task.Folder()); err == nil {
			t.Errorf("%s: the folder of a body that lives was removed", os)
		}
		if look, err := h.LookTask(ctx, name); err != nil || look.State == windows.TaskAbsent || look.Life != windows.LifeLives {
			t.Errorf("%s: after an attempt to remove its folder: %+v, %v", os, look, err)
		}
		if err := h.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "the body is seen dead", func() bool {
			look, err := h.LookTask(ctx, name)
			return err == nil && look.State != windows.TaskAbsent && look.Life == windows.LifeOver
		})
		if err := h.RemoveFolder(ctx, task.Folder()); err != nil {
			t.Errorf("%s: %v", os, err)
		}
	}
}

// TestATaskThatCannotStartSaysWhyOnWindows2003: schtasks.exe of 2003 takes a
// wrong password and says so in words only; the scheduler's file tells.
func TestATaskThatCannotStartSaysWhyOnWindows2003(t *testing.T) {
	t.Parallel()
	h, ctx := host(t), context.Background()
	task, err := windows.ScriptTask("wk-test-u1-canary-a1", "canary", `LAB\svc`, "wrong")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.PrepareTask(ctx, task); err != nil {
		t.Fatal(err)
	}
	if err := h.CreateTask(ctx, task); errors.As(err, new(*windows.MidnightError)) {
		return
	} else if err != nil {
		t.Fatal(err)
	}
	if err := h.RunTask(ctx, task.Name); err != nil {
		t.Fatal(err)
	}
	look, err := h.LookTask(ctx, task.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := look.Refused(task.Name, task.Account); !errors.Is(err, windows.ErrLogon) || look.State != windows.TaskCreated {
		t.Errorf("%+v: %v, want ErrLogon", look, err)
	}
}
