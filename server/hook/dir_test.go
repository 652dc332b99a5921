package hook

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hooks makes a directory of hooks; a name that ends in "@" is a link to what it holds.
func hooks(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hooks")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(dir, strings.TrimSuffix(name, "@"))
		var err error
		if strings.HasSuffix(name, "@") {
			err = os.Symlink(content, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestListNamesEachHookByPointAndName(t *testing.T) {
	t.Parallel()
	dir := hooks(t, map[string]string{
		"undrain.20-balancer": "u", "drain.20-balancer": "d", "drain.10-tell": "", "announce": "a", ".keep": "", "README.md": "",
		"after.mail@": "announce",
	})
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, 0, len(files))
	for _, f := range files {
		got = append(got, f.Point+" "+f.Name+" "+f.SHA256[:8])
	}
	want := []string{
		"announce announce ca978112", "drain drain.10-tell e3b0c442", "drain drain.20-balancer 18ac3e73",
		"undrain undrain.20-balancer 0bfe935e", "after after.mail ca978112",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNoDirectoryIsNoHook(t *testing.T) {
	t.Parallel()
	d, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	if files, err := d.List(); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestWhatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"directory": func(dir string) error { return os.Chmod(dir, 0o775) },
		"above":     func(dir string) error { return os.Chmod(filepath.Dir(dir), 0o777) },
		"file":      func(dir string) error { return os.Chmod(filepath.Join(dir, "drain"), 0o722) },
	} {
		dir := hooks(t, map[string]string{"drain": "x"})
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, ErrOthersWrite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNoHookIsRefused(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(outside, []byte("x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for want, files := range map[string]map[string]string{
		"lies outside":     {"drain@": outside},
		"is no hook":       {"drian.sh": "x"},
		"no hook: its":     {"drain.sh~": "x"},
		"find the hook":    {"drain@": "nowhere"},
		"it is no file":    {"drain@": ".."},
		"may not be execu": {"drain": "x"},
	} {
		dir := hooks(t, files)
		if want == "may not be execu" {
			if err := os.Chmod(filepath.Join(dir, "drain"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want == "it is no file" {
			if err := os.Mkdir(filepath.Join(dir, ".inner"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, "drain")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(".inner", filepath.Join(dir, "drain")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", files, err, want)
		}
	}
}
