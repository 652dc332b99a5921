package windows

import (
	"context"
	"fmt"
	"strconv"

	"wavekeeper/agentless/winrm"
)

// keyCodePage holds OEMCP, the code page of programs in a console (technet
// cc775938, "OEMCP").
const keyCodePage = `SYSTEM\CurrentControlSet\Control\Nls\CodePage`

// unitedStates is the code page that every Windows has.
const unitedStates = 437

// OEMCodePage is the code page in which the host's programs write: 437, 850,
// 932 and so on.
func (h *Host) OEMCodePage(ctx context.Context) (int, error) {
	h.known.mu.Lock()
	known := h.known.oem
	h.known.mu.Unlock()
	if known != 0 {
		return known, nil
	}
	text, err := h.stringValue(ctx, unnoted, LocalMachine, keyCodePage, "OEMCP", String)
	if err != nil {
		return 0, fmt.Errorf("read the code page: %w", err)
	}
	page, err := strconv.Atoi(text)
	if err != nil || page < 1 || page > 65535 {
		return 0, fmt.Errorf("read the code page: OEMCP is %q", text)
	}
	h.known.mu.Lock()
	h.known.oem = page
	h.known.mu.Unlock()
	return page, nil
}

// RunReadable is Run for output that a person reads: Windows before 6.1 writes
// it in the host's own code page, so that nothing of its language is lost; 437
// where that cannot be read. Later versions write UTF-8. Nothing is decided by
// such text, and what decides is ASCII, so Run does without the question.
func (h *Host) RunReadable(ctx context.Context, line string) (winrm.Result, error) {
	command := winrm.Command{Line: line}
	id, err := h.conn.Identity(ctx)
	if err != nil {
		return winrm.Result{}, fmt.Errorf("read the code page: %w", err)
	}
	if id.CodePage() == unitedStates {
		if command.CodePage, err = h.OEMCodePage(ctx); err != nil {
			if gone(err) {
				return winrm.Result{}, err
			}
			command.CodePage = unitedStates
		}
	}
	return h.run(ctx, command)
}

// run is the one way to a shell: where the host does not have the code page that
// its version calls for, its own is taken. No shell came about then, and nothing
// ran.
func (h *Host) run(ctx context.Context, command winrm.Command) (winrm.Result, error) {
	result, err := h.conn.Run(ctx, command)
	if code, _ := winrm.FaultCode(err); code != winrm.CodeCodePage || winrm.Outcome(err) == winrm.OutcomeUnknown {
		return result, err
	}
	page, unread := h.OEMCodePage(ctx)
	if unread != nil || page == command.CodePage {
		return result, err
	}
	command.CodePage = page
	return h.conn.Run(ctx, command)
}
