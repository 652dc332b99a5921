package media_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"wavekeeper/server/media"
)

func openShelf(t *testing.T, dir string) *media.Shelf {
	t.Helper()
	s, err := media.OpenShelf(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShelfKeepsBundlesByTheirHash(t *testing.T) {
	t.Parallel()
	s := openShelf(t, filepath.Join(t.TempDir(), "media"))
	b, err := s.Add(t.Context(), tree(t, sp1()), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(s.Path(b.SHA256))
	if err != nil || hash(raw) != b.SHA256 || int64(len(raw)) != b.Size || hash(b.ManifestBytes) != b.ManifestSHA256 {
		t.Fatalf("on the shelf are %d bytes, %v, want %+v", len(raw), err, b)
	}
	if again, err := s.Add(t.Context(), tree(t, sp1()), nil); err != nil || again.SHA256 != b.SHA256 {
		t.Errorf("added again: %v, %v", again.SHA256, err)
	}
	f, err := s.File(t.Context(), b.SHA256)
	if err != nil || f.Size != b.Size {
		t.Errorf("File = %+v, %v", f, err)
	}
	share := filepath.Join(t.TempDir(), "share")
	to, err := s.Export(t.Context(), b.SHA256, share)
	if copied, _ := os.ReadFile(to); err != nil || hash(copied) != b.SHA256 {
		t.Errorf("exported to %s: %v", to, err)
	}
	if _, err := s.File(t.Context(), "../"+b.SHA256); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("File of a path: %v", err)
	}
	if all, err := s.Bundles(); err != nil || len(all) != 1 || all[0] != b.SHA256 {
		t.Errorf("Bundles = %v, %v", all, err)
	}
	raw[9]++
	if err := os.WriteFile(s.Path(b.SHA256), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.File(t.Context(), b.SHA256); !errors.Is(err, media.ErrChanged) {
		t.Errorf("File of what was changed: %v", err)
	}
	if _, err := s.Export(t.Context(), b.SHA256, share); !errors.Is(err, media.ErrChanged) {
		t.Errorf("Export of what was changed: %v", err)
	}
	if err := s.Remove(b.SHA256); err != nil {
		t.Fatal(err)
	}
	if _, err := s.File(t.Context(), b.SHA256); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("File after Remove: %v", err)
	}
	left(t, s.Dir())
	left(t, share, b.SHA256+media.Extension)
}

// left fails the test unless a folder holds these names only.
func left(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if len(got) != len(want) || len(got) == 1 && got[0] != want[0] {
		t.Errorf("%s holds %v, want %v", dir, got, want)
	}
}

func TestUnreadableShelfIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := media.OpenShelf(filepath.Join(file, "media")); err == nil {
		t.Error("a shelf below a file was opened")
	}
	s := openShelf(t, t.TempDir())
	if _, err := s.Add(t.Context(), filepath.Join(t.TempDir(), "away"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Add of nothing: %v", err)
	}
	left(t, s.Dir())
}

// TestKilledInTheMiddle runs itself as a process that is killed while it packs:
// nothing that looks whole is there, and the next one clears away the rest.
func TestKilledInTheMiddle(t *testing.T) {
	if dir := os.Getenv("WAVEKEEPER_TEST_SHELF"); dir != "" {
		s := openShelf(t, dir)
		work, _, err := s.Work()
		if err == nil {
			err = os.WriteFile(filepath.Join(work, "half"), noise(1000), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Add(t.Context(), os.Getenv("WAVEKEEPER_TEST_TREE"), func(int64, int64) {
			self, _ := os.FindProcess(os.Getpid())
			self.Kill()
			select {}
		})
		return
	}
	t.Parallel()
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledInTheMiddle$")
	child.Env = append(os.Environ(), "WAVEKEEPER_TEST_SHELF="+dir, "WAVEKEEPER_TEST_TREE="+tree(t, sp1()))
	if out, err := child.CombinedOutput(); err == nil {
		t.Fatalf("the process came to its end: %s", out)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Fatalf("the killed process left %v, %v, want two folders of work", entries, err)
	}
	if all, err := openShelf(t, dir).Bundles(); err != nil || len(all) != 0 {
		t.Errorf("bundles are %v, %v", all, err)
	}
	left(t, dir)

	s := openShelf(t, dir)
	work, done, err := s.Work()
	if err != nil {
		t.Fatal(err)
	}
	openShelf(t, dir)
	if _, err := os.Stat(work); err != nil {
		t.Errorf("work that somebody is at was cleared away: %v", err)
	}
	done()
	left(t, dir)
}
