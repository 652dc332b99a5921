package windows

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got), see the flag -update:\n%s", name, diff)
	}
}

func TestBodiesAreAsReviewed(t *testing.T) {
	t.Parallel()
	folder := TaskFolder(TaskName("demo", 17, "setup", 1))
	setup, err := SetupBody(folder, Root+`\media\sp1-en-US-x64\setup.com`, "/mode:Upgrade")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "setup.cmd", setup)
	checked, err := CheckedSetupBody(folder, Root+`\media\sp1-x64-0123abcd\setup.com`, "/mode:Upgrade", strings.Repeat("0123abcd", 8))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "setup-checked.cmd", checked)
	repair, err := RepairBody(TaskFolder(TaskName("demo", 17, "put-back", 1)), folder)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "repair.cmd", repair)
	script, err := ScriptBody(TaskFolder(TaskName("demo", 17, "canary", 1)), "canary")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "script.cmd", script)
	for _, body := range [][]byte{setup, checked, repair, script} {
		if got := bytes.Count(body, []byte("\n")); got != bytes.Count(body, []byte("\r\n")) {
			t.Errorf("a body has lines that do not end in CRLF")
		}
		lines := strings.Split(string(body), "\r\n")
		if !strings.HasPrefix(lines[1], "if not exist ") || !strings.HasSuffix(lines[1], `\go" exit /b 0`) {
			t.Errorf("first command is %q, want the look for leave to begin", lines[1])
		}
		if !strings.HasPrefix(lines[2], "md ") || !strings.HasSuffix(lines[2], "|| exit /b 0") {
			t.Errorf("second command is %q, want the guard", lines[2])
		}
	}
}

func TestBodiesRefuseWhatCmdWouldExpand(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", `C:\a"b`, `C:\%TEMP%`, "C:\\a\r\nb", `C:\a&b`, `C:\a|b`, `C:\ä`} {
		if _, err := CheckedSetupBody(path, `C:\x`, "", strings.Repeat("0", 64)); err == nil {
			t.Errorf("SetupBody(%q) was accepted as folder", path)
		}
		if _, err := ScriptBody(path, "canary"); err == nil {
			t.Errorf("ScriptBody(%q) was accepted", path)
		}
	}
}
