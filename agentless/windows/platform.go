package windows

import (
	"context"
	"fmt"

	"wavekeeper/agentless/winrm"
)

// Culture is the language of Windows, "en-US"; Exchange's own may be another.
func (o OS) Culture() string { return culture(o.Language) }

// Arch is the processor architecture of Windows: x64, x86, or what the host says.
func (h *Host) Arch(ctx context.Context) (string, error) {
	value, err := readArch(ctx, &asked{host: h})
	if err != nil {
		return "", fmt.Errorf("read the architecture: %w", err)
	}
	word, _ := value.(string)
	return word, nil
}

// version is the version of Windows, asked for once: Identify tells it with
// credentials, WMI where it does not.
func (h *Host) version(ctx context.Context) (winrm.OSVersion, error) {
	h.known.mu.Lock()
	known := h.known.windows
	h.known.mu.Unlock()
	if known.Known() {
		return known, nil
	}
	id, err := h.conn.Identity(ctx)
	if err != nil {
		return winrm.OSVersion{}, fmt.Errorf("read the version of Windows: %w", err)
	}
	version := id.OS
	if !version.Known() {
		os, err := h.OS(ctx)
		if err != nil {
			return winrm.OSVersion{}, fmt.Errorf("read the version of Windows: %w", err)
		}
		version = os.version()
	}
	if !version.Known() {
		return winrm.OSVersion{}, fmt.Errorf("read the version of Windows: the host does not tell it")
	}
	h.known.mu.Lock()
	h.known.windows = version
	h.known.mu.Unlock()
	return version, nil
}

// oldScheduler reports whether the host has Task Scheduler 1.0, which has no
// interface for scripts; Windows Server 2008 and later have 2.0.
func (h *Host) oldScheduler(ctx context.Context) (bool, error) {
	version, err := h.version(ctx)
	return version.Before(6, 0), err
}
