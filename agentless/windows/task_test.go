package windows

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTaskStateFollowsTheFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		folder, job bool
		files       string
		want        TaskState
	}{
		{false, false, "", TaskAbsent},
		{false, true, "", TaskAbsent},
		{true, false, "", TaskPrepared},
		{true, false, "body.cmd", TaskPrepared},
		{true, false, "body.cmd.part", TaskPrepared},
		{true, true, "body.cmd", TaskCreated},
		{true, true, "body.cmd started", TaskStarted},
		{true, false, "body.cmd started", TaskStarted},
		{true, true, "body.cmd started rc.tmp", TaskStarted},
		{true, true, "body.cmd started rc", TaskEnded},
		{true, false, "body.cmd started rc", TaskEnded},
	} {
		look := TaskLook{Job: c.job, Files: map[string]int64{}}
		for _, f := range strings.Fields(c.files) {
			look.Files[f] = 1
		}
		if got := taskState(c.folder, look); got != c.want {
			t.Errorf("taskState(folder %t, job %t, %q) = %s, want %s", c.folder, c.job, c.files, got, c.want)
		}
	}
}

func TestTaskNamesCarryNoMeaningForCmd(t *testing.T) {
	t.Parallel()
	if name := TaskName("demo", 17, "stop-services", 2); !taskName.MatchString(name) {
		t.Errorf("%s does not look like a task's name", name)
	}
	for _, name := range []string{"", "wk-a b-u1-setup-a1", "wk-a-u1-setup-a1&calc", `wk-a-u1-..\x-a1`, "wk-a-u1-%x%-a1", "other"} {
		if taskName.MatchString(name) {
			t.Errorf("%q passes for a task's name", name)
		}
		if removable(Tasks + `\` + name) {
			t.Errorf("folder of %q passes for removable", name)
		}
	}
	for _, path := range []string{`C:\`, Root, Tasks, Tasks + `\`, `C:\Windows`} {
		if removable(path) {
			t.Errorf("%s passes for removable", path)
		}
	}
}

func TestSchtasksGetsWhatWindows2003Knows(t *testing.T) {
	t.Parallel()
	name := TaskName("demo", 17, "setup", 1)
	system, err := createArguments(Task{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/create", "/tn", name, "/tr", `"C:\Wavekeeper\tasks\` + name + `\body.cmd"`, "/sc", "ONCE", "/st", "00:00:00", "/ru", "SYSTEM"}
	if diff := cmp.Diff(want, system); diff != "" {
		t.Error(diff)
	}
	runas, err := createArguments(Task{Name: name, Account: `LAB\svc exchange`, Password: `pa ss%PATH%^&\`})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(want[:9:9], "/ru", `"LAB\svc exchange"`, "/rp", `"pa ss%PATH%^&\\"`), runas); diff != "" {
		t.Error(diff)
	}
	for _, password := range []string{`a"b`, "a\nb", "a\x00b", "*"} {
		if _, err := createArguments(Task{Name: name, Account: "a", Password: password}); !errors.Is(err, ErrPassword) {
			t.Errorf("password %q: %v, want ErrPassword", password, err)
		}
	}
	if _, err := createArguments(Task{Name: name, Account: "a"}); err == nil {
		t.Error("an account without a password was accepted")
	}
	long := TaskName(strings.Repeat("i", 32), 1<<59, "stop-services", 999999999)
	args, err := createArguments(Task{Name: long})
	if err != nil {
		t.Fatal(err)
	}
	if len(args[4]) > 262 {
		t.Errorf("/tr of %d characters, schtasks.exe takes 262", len(args[4]))
	}
}

func TestNoTaskIsRegisteredAroundMidnight(t *testing.T) {
	t.Parallel()
	for clock, want := range map[string]time.Duration{
		"23:59:29": 0, "23:59:30": 150 * time.Second, "00:00:00": 2 * time.Minute, "00:01:59": time.Second, "00:02:00": 0, "12:00:00": 0,
	} {
		at, err := time.Parse("15:04:05", clock)
		if err != nil {
			t.Fatal(err)
		}
		if got := midnightWait(at); got != want {
			t.Errorf("midnightWait(%s) = %v, want %v", clock, got, want)
		}
	}
}

func TestRegQueryIsReadByItsTokens(t *testing.T) {
	t.Parallel()
	out := "\r\n! REG.EXE VERSION 3.0\r\n\r\n" +
		"HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Exchange\\v8.0\r\n\r\n" +
		"HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Exchange\\v8.0\\AdminTools\r\n    ConfiguredVersion\tREG_SZ\t8.1.240.6\r\n    UnpackedVersion\tREG_SZ\t8.1.240.6\r\n\r\n" +
		"HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Exchange\\v8.0\\MailboxRole\r\n    ConfiguredVersion    REG_SZ    8.0.685.25\r\n    Action    REG_SZ    BuildToBuildUpgrade\r\n    Watermark    REG_SZ    a b\r\n\r\n" +
		"HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Exchange\\v8.0\\UnifiedMessagingRole\\LanguagePacks\r\n    ConfiguredVersion    REG_SZ    9\r\n\r\n" +
		"HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Exchange\\v8.0\\Setup\r\n    MsiInstallPath    REG_SZ    C:\\Program Files\\Microsoft\\Exchange Server\\\r\n"
	want := map[string]Role{
		"AdminTools": {Configured: "8.1.240.6", Unpacked: "8.1.240.6"},
		"Mailbox":    {Configured: "8.0.685.25", Action: "BuildToBuildUpgrade", Watermark: "a b"},
	}
	if diff := cmp.Diff(want, rolesOf(regKeys(out))); diff != "" {
		t.Error(diff)
	}
}
