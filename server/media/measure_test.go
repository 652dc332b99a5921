package media_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wavekeeper/server/media"
)

// unpacker puts a program of cabextract's name on the path: a real cabinet cannot
// lie about its size, and one of 6 GB is too large for a test.
func unpacker(t *testing.T, list, rest string) (ran string) {
	t.Helper()
	bin := t.TempDir()
	ran = filepath.Join(bin, "ran")
	script := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = --list ]; then\n%s\nexit 0\nfi\n: > %s\n%s\n", list, ran, rest)
	if err := os.WriteFile(filepath.Join(bin, "cabextract"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	return ran
}

func TestWhatUnpacksToTooMuchIsNotBegun(t *testing.T) {
	file := filepath.Join(tree(t, sp1()), "setup.com")
	for name, list := range map[string]string{
		"bytes":          "echo ' 3000000000 | 24.11.2007 02:00:00 | a'\necho ' 3000000001 | 24.11.2007 02:00:00 | b'",
		"one number":     "echo ' 9999999999999999999 | 24.11.2007 02:00:00 | a'",
		"files":          "i=0; while [ $i -le 50000 ]; do echo \"      1 | 24.11.2007 02:00:00 | f$i\"; i=$((i+1)); done",
		"without an end": "while :; do echo '      1 | 24.11.2007 02:00:00 | f'; done",
	} {
		ran := unpacker(t, list, "")
		if err := media.Unpack(t.Context(), file, t.TempDir()); !errors.Is(err, media.ErrTooMuch) {
			t.Errorf("%s: Unpack = %v, want %v", name, err, media.ErrTooMuch)
		}
		if _, err := os.Stat(ran); err == nil {
			t.Errorf("%s: it was unpacked", name)
		}
	}
}

func TestWhatTheDiskHasNoRoomForIsNotBegun(t *testing.T) {
	small := "/dev/shm"
	dir, err := os.MkdirTemp(small, "wavekeeper")
	if err != nil {
		t.Skip("no small disk here:", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if free(t, dir) > 11e9 {
		t.Skipf("%s has more room than the largest package", small)
	}
	ran := unpacker(t, "echo ' 5900000000 | 24.11.2007 02:00:00 | a'", "")
	err = media.Unpack(t.Context(), filepath.Join(tree(t, sp1()), "setup.com"), dir)
	if !errors.Is(err, media.ErrNoRoom) || !strings.Contains(err.Error(), "12068 MB are needed") {
		t.Errorf("Unpack = %v, want %v", err, media.ErrNoRoom)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("it was unpacked")
	}
}

func free(t *testing.T, dir string) float64 {
	t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		t.Fatal(err)
	}
	return float64(disk.Bavail) * float64(disk.Bsize)
}

func TestWhatWritesMoreThanItListsIsEnded(t *testing.T) {
	unpacker(t, "echo '  100 | 24.11.2007 02:00:00 | a'", `dd if=/dev/zero of="$3/a" bs=1k count=200 status=none; exec sleep 60`)
	if err := media.Unpack(t.Context(), filepath.Join(tree(t, sp1()), "setup.com"), t.TempDir()); !errors.Is(err, media.ErrTooMuch) {
		t.Errorf("Unpack = %v, want %v", err, media.ErrTooMuch)
	}
}
