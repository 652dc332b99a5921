package hook

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hookFile makes a directory with one hook, the text of a script.
func hookFile(t *testing.T, script string) (Dir, File) {
	t.Helper()
	d, err := Open(hooks(t, map[string]string{"drain": "#!/bin/sh\n" + script}))
	if err != nil {
		t.Fatal(err)
	}
	files, err := d.List()
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	return d, files[0]
}

var call = Call{ID: "i-u7-a1-drain", Point: "drain", Server: "CAS1", Host: "CAS1", Package: "SP1", Rollout: 3, Upgrade: 7, Attempt: 1}

func TestHookGetsTheCallAndACleanEnvironment(t *testing.T) {
	t.Setenv("WAVEKEEPER_TEST_SECRET", "do not show")
	d, f := hookFile(t, "echo args \"$@\"; cat; env | sort\n")
	r, err := d.Run(context.Background(), f, call)
	if err != nil || r.State != Done {
		t.Fatal(r, err)
	}
	out := string(r.Output)
	for _, want := range []string{
		"args drain\n",
		`{"format":1,"id":"i-u7-a1-drain","point":"drain","server":"CAS1","host":"CAS1","package":"SP1","rollout":3,"upgrade":7,"attempt":1}`,
		"LANG=C.UTF-8\n", "TZ=UTC\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	for _, never := range []string{"do not show", "HOME=", "DATABASE_URL"} {
		if strings.Contains(out, never) {
			t.Errorf("%q reaches a hook", never)
		}
	}
}

func TestExitCodeOfAHookSaysHowItEnded(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]State{
		"exit 0": Done, "exit 1": Failed, "exit 75": Later, "kill -9 $$": Failed,
	} {
		d, f := hookFile(t, script)
		if r, err := d.Run(context.Background(), f, call); err != nil || r.State != want {
			t.Errorf("%s: %+v, %v; want %s", script, r, err, want)
		}
	}
}

func TestHookThatWasChangedSinceTheApprovalIsNotRun(t *testing.T) {
	t.Parallel()
	ran := filepath.Join(t.TempDir(), "ran")
	d, f := hookFile(t, "exit 0")
	if err := os.WriteFile(filepath.Join(d.Path, f.Name), []byte("#!/bin/sh\ntouch "+ran+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := d.Run(context.Background(), f, call)
	if err != nil || r.State != Failed || !strings.Contains(r.Words, "changed since the approval") {
		t.Errorf("%+v, %v", r, err)
	}
	if err := os.Chmod(filepath.Join(d.Path, f.Name), 0o777); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Run(context.Background(), f, call); err != nil || r.State != Failed || !strings.Contains(r.Words, "others may write") {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(ran); !os.IsNotExist(err) {
		t.Error("the changed hook was run")
	}
}

// TestAHookThatIsChangedWhileItRunsHasFailed: what ran is not known, since an
// interpreter reads the file after it was compared.
func TestAHookThatIsChangedWhileItRunsHasFailed(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"echo '# more' >>\"$0\"\nexit 0", "rm \"$0\"", "echo '# more' >>\"$0\"\nexit 75"} {
		d, f := hookFile(t, script)
		r, err := d.Run(context.Background(), f, call)
		if err != nil || r.State != Failed || !strings.Contains(r.Words, "changed since the approval, while it ran") {
			t.Errorf("%s: %+v, %v", script, r, err)
		}
	}
}

func TestOutputOfAHookIsBounded(t *testing.T) {
	t.Parallel()
	d, f := hookFile(t, "head -c 300000 /dev/zero | tr '\\0' x; echo end >&2\n")
	r, err := d.Run(context.Background(), f, call)
	if err != nil || r.State != Done || len(r.Output) != MostOutput || !bytes.Contains(r.Output, []byte("more bytes were not kept")) {
		t.Errorf("%s, %d bytes, %v", r.Words, len(r.Output), err)
	}
}

// TestWhatAHookLeavesRunningEndsWithIt: a process that it started in the
// background neither keeps the run from its end nor outlives it.
func TestWhatAHookLeavesRunningEndsWithIt(t *testing.T) {
	t.Parallel()
	d, f := hookFile(t, "sleep 600 & echo $!\nexit 0\n")
	began := time.Now()
	r, err := d.Run(context.Background(), f, call)
	if err != nil || r.State != Done || time.Since(began) > 10*time.Second {
		t.Fatalf("%+v, %v after %s", r, err, time.Since(began))
	}
	pid := strings.TrimSpace(string(r.Output))
	for deadline := time.Now().Add(10 * time.Second); ; {
		state, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || bytes.Contains(state, []byte(") Z ")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %s still runs", pid)
		}
	}
}

func TestHookEndsWithTheTick(t *testing.T) {
	t.Parallel()
	d, f := hookFile(t, "sleep 600\n")
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if r, err := d.Run(ctx, f, call); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("%+v, %v after %s", r, err, time.Since(began))
	}
}
