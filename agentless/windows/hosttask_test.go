package windows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// registered prepares and registers a task; false around the host's midnight.
func registered(t *testing.T, h *windows.Host, task windows.Task) bool {
	t.Helper()
	if err := h.PrepareTask(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	if err := h.CreateTask(t.Context(), task); errors.As(err, new(*windows.MidnightError)) {
		return false // the test's own clock
	} else if err != nil {
		t.Fatal(err)
	}
	return true
}

// TestAHostTaskIsTheSameInEveryLanguage, with WMI and without: no word that
// Windows translates decides anything on its way.
func TestAHostTaskIsTheSameInEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range oldHosts {
		for _, wmi := range []bool{true, false} {
			t.Run(fmt.Sprint(c, wmi), func(t *testing.T) {
				t.Parallel()
				port, fleet := startFleet(t, func(o *twin.Options) {
					o.Servers[0].OS = c.os
					o.Platforms = map[string]twin.Platform{"MBX1": {OS: c.os, WinRM: c.winrm, Language: c.language}}
				})
				if !wmi {
					if err := fleet.Inject(twin.Fault{Host: "MBX1", Name: "wmi-damaged"}); err != nil {
						t.Fatal(err)
					}
				}
				h, ctx := dialled(t, port), context.Background()
				task, err := windows.ScriptTask("wk-test-u1-canary-a1", "canary", `LAB\svc`, "x")
				if err != nil {
					t.Fatal(err)
				}
				if !registered(t, h, task) {
					return
				}
				for range 2 { // ours is known again
					if err := h.MakeTaskFolder(ctx, task.Name); err != nil {
						t.Fatal(err)
					}
				}
				if wrong, err := h.CheckTask(ctx, task); err != nil || len(wrong) > 0 {
					t.Errorf("files that are not what was sent: %v, %v", wrong, err)
				}
				if err := h.RunTask(ctx, task.Name); err != nil {
					t.Fatal(err)
				}
				within(t, 20*time.Second, "the task ends", func() bool {
					look, err := h.LookTask(ctx, task.Name)
					return err == nil && look.State == windows.TaskEnded && look.Exit == 0 && look.Job
				})
				records, err := h.TaskRecords(ctx, task.Name, "canary")
				if err != nil {
					t.Fatal(err)
				}
				if user := records.Get("user"); user != `LAB\svc` || records.Get("ldap") != "ok" || records.Get("elevated") != "1" || !strings.HasPrefix(records.Get("hkcu"), "S-1-5-21-") ||
					!slices.Contains(strings.Split(records.Get("sids"), ","), "S-1-5-32-544") {
					t.Errorf("the canary says %v", records)
				}
				os, err := h.OS(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if names, err := h.RegisteredTasks(ctx, os.WindowsDirectory); err != nil || len(names) != 1 {
					t.Errorf("registered: %v, %v", names, err)
				}
				if err := h.DeleteTask(ctx, task.Name); err != nil {
					t.Fatal(err)
				}
				if names, err := h.RegisteredTasks(ctx, os.WindowsDirectory); err != nil || len(names) != 0 {
					t.Errorf("still registered: %v, %v", names, err)
				}
				if err := h.RemoveFolder(ctx, task.Folder()); err != nil {
					t.Fatal(err)
				}
				if names, err := h.TaskFolders(ctx); err != nil || len(names) != 0 {
					t.Errorf("folders are left: %v, %v", names, err)
				}
			})
		}
	}
}

// TestThePasswordIsOnOneCommandLineOnWindows2003: that of schtasks.exe /create,
// started without cmd.exe, and nowhere else on the host, ever.
func TestThePasswordIsOnOneCommandLineOnWindows2003(t *testing.T) {
	t.Parallel()
	const secret = `pa ss %PATH% ^&|<>'x\`
	var (
		mu   sync.Mutex
		seen []string
	)
	h, ctx := hostWith(t, func(o *twin.Options) {
		o.RunAsPassword = secret
		o.Observe = func(it twin.Observation) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, fmt.Sprint(it.What, it.Detail))
		}
	}), context.Background()
	task, err := windows.ScriptTask("wk-test-u1-canary-a1", "canary", `LAB\svc`, secret)
	if err != nil {
		t.Fatal(err)
	}
	if !registered(t, h, task) {
		return
	}
	if err := h.RunTask(ctx, task.Name); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, "the task ends", func() bool {
		look, err := h.LookTask(ctx, task.Name)
		return err == nil && look.State == windows.TaskEnded && look.Exit == 0
	})
	entries, _, err := h.List(ctx, task.Folder())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if chunk, err := h.ReadFile(ctx, task.Folder()+`\`+e.Name, 0, 48<<10); err != nil || strings.Contains(string(chunk.Data), "pa ss") {
			t.Errorf("%s holds the password, or %v", e.Name, err)
		}
	}
	if chunk, err := h.ReadFile(ctx, `C:\WINDOWS\Tasks\`+task.Name+`.job`, 0, 48<<10); err != nil || !chunk.Exists || strings.Contains(string(chunk.Data), "pa ss") {
		t.Errorf("the scheduler's file is there %t, holds the password, or %v", chunk.Exists, err)
	}
	mu.Lock()
	defer mu.Unlock()
	var lines []string
	for _, line := range seen {
		if strings.Contains(line, "pa ss") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "schtasks.exe /create ") || strings.Contains(lines[0], "cmd.exe /c") {
		t.Errorf("the password is in %q", lines)
	}
}

// TestATaskWhoseFilesAreOthersIsSeen, whatever became of them and however long
// they are.
func TestATaskWhoseFilesAreOthersIsSeen(t *testing.T) {
	t.Parallel()
	h, ctx := host(t), context.Background()
	task, err := windows.ScriptTask("wk-test-u1-canary-a1", "canary", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.PrepareTask(ctx, task); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		data []byte
		want []string
	}{
		{`\body.cmd`, make([]byte, len(task.Body)), []string{"body.cmd"}}, // what a power loss leaves
		{`\canary.ps1`, []byte("calc"), []string{"body.cmd", "canary.ps1"}},
		{`\body.cmd`, task.Body, []string{"canary.ps1"}},
	} {
		if err := h.WriteFile(ctx, task.Folder()+c.path, c.data); err != nil {
			t.Fatal(err)
		}
		if wrong, err := h.CheckTask(ctx, task); err != nil || !cmp.Equal(wrong, c.want) {
			t.Errorf("after %s: %v, %v, want %v", c.path, wrong, err, c.want)
		}
	}
	if err := h.RemoveFolder(ctx, task.Folder()); err != nil {
		t.Fatal(err)
	}
	if wrong, err := h.CheckTask(ctx, task); err != nil || len(wrong) != 2 {
		t.Errorf("without a folder: %v, %v", wrong, err)
	}
}

// TestAPlantedFolderStopsATask: one that an ordinary user made first, in any
// language, and a junction, even to a folder that is protected as ours are.
func TestAPlantedFolderStopsATask(t *testing.T) {
	t.Parallel()
	for _, c := range oldHosts {
		for _, at := range []string{"", "junction"} {
			port, fleet := startFleet(t, func(o *twin.Options) {
				o.Servers[0].OS = c.os
				o.Platforms = map[string]twin.Platform{"MBX1": {OS: c.os, WinRM: c.winrm, Language: c.language}}
			})
			if err := fleet.Inject(twin.Fault{Host: "MBX1", Name: "planted-folder", At: at}); err != nil {
				t.Fatal(err)
			}
			h := dialled(t, port)
			task, err := windows.ScriptTask("wk-test-u1-canary-a1", "canary", "", "")
			if err != nil {
				t.Fatal(err)
			}
			var foreign *windows.ForeignFolderError
			if err := h.PrepareTask(t.Context(), task); !errors.As(err, &foreign) || foreign.Path != task.Folder() || at == "" && !strings.HasPrefix(foreign.Owner, "S-1-5-21-") {
				t.Errorf("%v %q: %v", c, at, err)
			}
		}
	}
}

// TestAnAccountThatNoWindowsTakesIsRefusedBeforeAnythingIsSent.
func TestAnAccountThatNoWindowsTakesIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	h := dialled(t, 9) // where nobody listens
	long := strings.Repeat("x", 273)
	for _, c := range []struct {
		account, password string
		want              error
	}{{long, "p", windows.ErrLongAccount}, {strings.Repeat("\U0001f600", 137), "p", windows.ErrLongAccount}, {"a", long, windows.ErrLongPassword}, {"a\nb", "p", nil}} {
		task, err := windows.ScriptTask("wk-test-u1-canary-a1", "canary", c.account, c.password)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{h.PrepareTask(t.Context(), task), h.CreateTask(t.Context(), task)} {
			if err == nil || windows.Unreached(err) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%.20q: %v, want %v", c.account, err, c.want)
			}
		}
	}
}
