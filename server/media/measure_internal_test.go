package media

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMeasureReadsWhatCabextractLists uses a cabinet that gcab made.
func TestMeasureReadsWhatCabextractLists(t *testing.T) {
	t.Parallel()
	gcab, err := exec.LookPath("gcab")
	if err != nil {
		t.Skip("no gcab here (Debian: gcab)")
	}
	program, err := exec.LookPath("cabextract")
	if err != nil {
		t.Skip("no cabextract here (Debian: cabextract)")
	}
	dir := t.TempDir()
	pack := exec.CommandContext(t.Context(), gcab, "-z", "-c", filepath.Join(dir, "x.cab"))
	pack.Dir = dir
	for name, size := range map[string]int{"setup.com": 70_001, "größe 1 | 2.txt": 29_999} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		pack.Args = append(pack.Args, name)
	}
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("gcab: %v %s", err, out)
	}
	if size, err := measure(t.Context(), program, filepath.Join(dir, "x.cab"), dir); err != nil || size != 100_000 {
		t.Errorf("measure = %d, %v, want 100000", size, err)
	}
}
