package localpg

import (
	"fmt"
	"os"
	"path/filepath"
)

// DefaultDir returns where a private database of this name lives when no
// folder is asked for: for root below /var/lib, since the system user postgres
// cannot enter root's home; for anybody else below the user's data folder.
func DefaultDir(name string) (string, error) {
	if os.Getuid() == 0 {
		return filepath.Join("/var/lib/wavekeeper", name), nil
	}
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "wavekeeper", name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the private database: %w", err)
	}
	return filepath.Join(home, ".local", "share", "wavekeeper", name), nil
}
