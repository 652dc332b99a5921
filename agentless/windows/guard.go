package windows

import (
	"context"
	"fmt"
)

// Closed stands in TaskLook.Files where a task's guard was taken by CloseTask,
// not by its body.
const Closed = "closed"

// started is a task's guard: a folder where its body took it, a file where
// CloseTask did.
const started = "started"

// CloseTask takes the guard of a host task: either its body began before, or it
// never will, however late somebody starts it. Who was first, the guard itself
// says, so that nothing can come between taking it and saying so: the body makes
// a folder (md is atomic and fails on a file of that name: "A subdirectory or
// file already exists"), CloseTask a file (CREATE_ALWAYS, which is atomic, too,
// and fails on a folder of that name with ERROR_ACCESS_DENIED; learn.microsoft.com,
// CreateFileW).
func (h *Host) CloseTask(ctx context.Context, name string) error {
	if !taskName.MatchString(name) {
		return fmt.Errorf("%q is no name of a host task", name)
	}
	folder := TaskFolder(name)
	if _, err := h.Run(ctx, `>"`+folder+`\`+started+`" echo closed`); err != nil {
		return fmt.Errorf("close task %s: %w", name, err)
	}
	return nil
}
