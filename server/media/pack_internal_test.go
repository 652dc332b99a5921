package media

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestNoBundleOf2GiB lets one file reach the end of what is left.
func TestNoBundleOf2GiB(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "setup.com"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f := file{path: "setup.com", windows: "setup.com", size: 10}
	for left, want := range map[int64]error{10: nil, 9: ErrTooBig} {
		_, err := packFile(t.Context(), root, f, &counter{w: io.Discard, n: MaxBundle - left})
		if !errors.Is(err, want) {
			t.Errorf("10 bytes where %d are left: %v, want %v", left, err, want)
		}
	}
}
