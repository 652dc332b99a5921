package windows_test

import (
	"context"
	"testing"

	"wavekeeper/agentless/windows"
)

func TestAClosedTaskNeverBegins(t *testing.T) {
	t.Parallel()
	h, ctx := host(t), context.Background()
	name := windows.TaskName("test", 1, "canary", 1)
	task, err := windows.ScriptTask(name, "canary", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.PrepareTask(ctx, task); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time changes nothing
		if err := h.CloseTask(ctx, name); err != nil {
			t.Fatal(err)
		}
		if look, err := h.LookTask(ctx, name); err != nil || !look.Has("started") || !look.Has(windows.Closed) {
			t.Fatalf("%+v, %v", look, err)
		}
	}
	// Nothing but the guard says who took it: a power loss, or a shell that ends,
	// right after it was taken leaves no doubt.
	if _, err := h.Run(ctx, `del "`+windows.TaskFolder(name)+`\closed"`); err != nil {
		t.Fatal(err)
	}
	if look, err := h.LookTask(ctx, name); err != nil || !look.Has(windows.Closed) {
		t.Errorf("with nothing but the guard taken: %+v, %v", look, err)
	}
	if result, err := h.Run(ctx, `md "`+windows.TaskFolder(name)+`\started"`); err != nil || result.Exit == 0 {
		t.Errorf("the guard is taken a second time, as a body does: %+v, %v", result, err)
	}
	if err := h.CloseTask(ctx, "canary"); err == nil {
		t.Error("what is no name of a host task is closed")
	}
}

func TestATaskThatBeganIsNotClosed(t *testing.T) {
	t.Parallel()
	h, ctx := host(t), context.Background()
	name := windows.TaskName("test", 1, "canary", 1)
	if err := h.MakeTaskFolder(ctx, name); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Run(ctx, `md "`+windows.TaskFolder(name)+`\started"`); err != nil {
		t.Fatal(err)
	}
	if err := h.CloseTask(ctx, name); err != nil {
		t.Fatal(err)
	}
	if look, err := h.LookTask(ctx, name); err != nil || look.Has(windows.Closed) {
		t.Errorf("%+v, %v", look, err)
	}
}
