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
	value, err := readArch(ctx, &asked{host: h, rows: map[string][]winrm.Instance{}})
	if err != nil {
		return "", fmt.Errorf("read the architecture: %w", err)
	}
	word, _ := value.(string)
	return word, nil
}
