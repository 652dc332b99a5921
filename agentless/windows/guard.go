package windows

import (
	"context"
	"fmt"
)

// Closed is the file that says that a task's guard was taken by CloseTask, not
// by its body.
const Closed = "closed"

// CloseTask takes the guard of a host task, as its body does when it begins: md
// is atomic, so either the body began before, or it never will, however late
// somebody starts it. Who was first, the file Closed in the task's folder says.
func (h *Host) CloseTask(ctx context.Context, name string) error {
	if !taskName.MatchString(name) {
		return fmt.Errorf("%q is no name of a host task", name)
	}
	folder := TaskFolder(name)
	if _, err := h.Run(ctx, `md "`+folder+`\started" 2>nul && >"`+folder+`\`+Closed+`" echo closed`); err != nil {
		return fmt.Errorf("close task %s: %w", name, err)
	}
	return nil
}
