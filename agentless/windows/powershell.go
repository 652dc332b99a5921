package windows

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"wavekeeper/agentless/winrm"
)

// runPowerShell runs powershell.exe. It is looked for in the path that WinRM's
// service had when it began, which does not lead to PowerShell where that was
// installed later and nobody restarted the host: the fault then says that nothing
// ran, and it is started by its full name.
func (h *Host) runPowerShell(ctx context.Context, command winrm.Command) (winrm.Result, error) {
	h.known.mu.Lock()
	full := h.known.shell
	h.known.mu.Unlock()
	if full != "" {
		command.Line = full
	}
	result, err := h.run(ctx, command)
	if full != "" || !notFound(err) {
		return result, err
	}
	full, unread := h.powerShellName(ctx)
	if unread != nil {
		return winrm.Result{}, fmt.Errorf("%w; its full name: %w", err, unread)
	}
	command.Line = full
	if result, err = h.run(ctx, command); err == nil {
		h.known.mu.Lock()
		h.known.shell = full
		h.known.mu.Unlock()
	}
	return result, err
}

// notFound reports whether a program was not started because there is none of
// that name.
func notFound(err error) bool {
	code, ok := winrm.FaultCode(err)
	return ok && (code == winrm.CodeFileNotFound || code == winrm.CodePathNotFound) && winrm.Outcome(err) != winrm.OutcomeUnknown
}

// powerShellName is where Windows keeps powershell.exe, of all versions: the
// folder is called v1.0 for ever.
func (h *Host) powerShellName(ctx context.Context) (string, error) {
	result, err := h.Run(ctx, "echo %windir%")
	if err != nil {
		return "", fmt.Errorf("ask for Windows' folder: %w", err)
	}
	out, _ := result.Text()
	folder := strings.TrimSpace(out)
	if err := safePath(folder); err != nil || len(folder) < 4 || folder[1:3] != `:\` || strings.Contains(folder, " ") {
		return "", errors.Join(fmt.Errorf("%.80q is no folder of Windows", folder), err)
	}
	return folder + strings.TrimPrefix(powershellProgram, "%SystemRoot%"), nil
}
