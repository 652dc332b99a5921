package windows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wavekeeper/agentless/winrm"
)

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
