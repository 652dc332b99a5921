package runbook_test

import (
	"bytes"
	"context"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// mirrorOf is a web server that hosts fetch from without a token.
func mirrorOf(t *testing.T, m *medium, handler http.HandlerFunc) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.138.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	web.Start()
	t.Cleanup(web.Close)
	m.at.From, m.at.Token, m.at.Source = web.URL+"/wk/"+m.at.BundleSHA256+".wkm", "", "the mirror"
}

// stages ticks the step until it ends, and hands every outcome to seen.
func (f *fixture) stages(t *testing.T, seen func(runbook.Outcome)) runbook.Outcome {
	t.Helper()
	s := runbook.Staging().Steps[0]
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); {
		w := f.work(s.Name)
		ctx, cancel := context.WithTimeout(context.Background(), 28*time.Second)
		out, err := s.Tick(ctx, w)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		f.memory[s.Name], f.out[s.Name] = w.Memory, out
		seen(out)
		if out.Kind == runbook.Done || out.Kind == runbook.Failed {
			return out
		}
		pause(context.Background(), 5*time.Millisecond)
	}
	t.Fatalf("no end: %+v", f.out[s.Name])
	return runbook.Outcome{}
}

// TestASourceThatCannotGiveTheMediaIsSaidAtOnce: another length, another answer,
// no file: the host asks a few times, nothing is fetched over and over, and the
// message says which.
func TestASourceThatCannotGiveTheMediaIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	serve := func(of func([]byte) []byte) func(*medium) http.HandlerFunc {
		return func(m *medium) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(of(m.bundle)))
			}
		}
	}
	status := func(code int) func(*medium) http.HandlerFunc {
		return func(*medium) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.138.1/elsewhere")
				w.WriteHeader(code)
			}
		}
	}
	for name, c := range map[string]struct {
		mirror func(*medium) http.HandlerFunc
		part   int // bytes that the host has already
		asked  int64
		words  []string
	}{
		"a truncated mirror":                     {serve(func(b []byte) []byte { return b[:len(b)-100] }), 0, 1, []string{"not the registered media", "bytes there, not"}},
		"a truncated mirror, with a part":        {serve(func(b []byte) []byte { return b[:len(b)-100] }), 1000, 1, []string{"bytes there, not"}},
		"a mirror that ends before the part":     {serve(func(b []byte) []byte { return b[:500] }), 1000, 2, []string{"bytes there, not"}},
		"a longer mirror":                        {serve(func(b []byte) []byte { return append(bytes.Clone(b), 1) }), 0, 1, []string{"bytes there, not"}},
		"a mirror that refuses every range":      {status(http.StatusRequestedRangeNotSatisfiable), 1000, 2, []string{"it ends before"}},
		"a mirror that sends elsewhere":          {status(http.StatusFound), 0, 3, []string{"does not give the media", "HTTP 302"}},
		"a mirror that wants a login":            {status(http.StatusUnauthorized), 0, 3, []string{"does not give the media", "HTTP 401"}},
		"a mirror that does not have the bundle": {status(http.StatusNotFound), 0, 1, []string{"does not give the media", "HTTP 404"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, m := withMedium(t, nil)
			var asked atomic.Int64
			handler := c.mirror(m)
			mirrorOf(t, m, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); handler(w, r) })
			if c.part > 0 {
				if err := f.host.WriteFile(t.Context(), windows.Media+`\`+m.at.BundleSHA256+".wkm.part", m.bundle[:c.part]); err != nil {
					t.Fatal(err)
				}
			}
			out := f.stages(t, func(runbook.Outcome) {})
			if out.Kind != runbook.Failed || out.Remedy == "" {
				t.Errorf("ended %+v, want a failure with a remedy", out)
			}
			for _, w := range c.words {
				if !strings.Contains(out.Message, w) {
					t.Errorf("said %q, want %q in it", out.Message, w)
				}
			}
			if got := asked.Load(); got > c.asked {
				t.Errorf("the host asked %d times, want at most %d", got, c.asked)
			}
		})
	}
}

// opened counts how often a share was asked.
type opened struct {
	fs.FS
	n *atomic.Int64
}

func (o opened) Open(name string) (fs.File, error) {
	o.n.Add(1)
	return o.FS.Open(name)
}

func TestAShareThatCannotGiveTheMediaIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	const server = `\\files1\media`
	for name, c := range map[string]struct {
		files func(*medium) fs.FS
		from  string
		asked int64
		words string
	}{
		"without the file":    {func(*medium) fs.FS { return fstest.MapFS{} }, server, 3, "there is no such file (80070002)"},
		"with a shorter file": {func(m *medium) fs.FS { return fstest.MapFS{"wk/" + m.at.BundleSHA256 + ".wkm": {Data: m.bundle[:99]}} }, server, 1, "it has 99 bytes there"},
		"of another name":     {func(*medium) fs.FS { return fstest.MapFS{} }, `\\files1\wrong`, 0, "the server of the share is not found (80070035)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			shares := map[string]fs.FS{}
			f, m := withMedium(t, func(o *twin.Options) { o.Shares = shares })
			shares[server] = opened{c.files(m), &asked}
			m.at.From, m.at.Token, m.at.Source = c.from+`\wk\`+m.at.BundleSHA256+".wkm", "", "the share "+c.from
			out := f.stages(t, func(runbook.Outcome) {})
			if out.Kind != runbook.Failed || !strings.Contains(out.Message, c.words) || out.Remedy == "" {
				t.Errorf("ended %+v, want a failure with %q", out, c.words)
			}
			if got := asked.Load(); got > c.asked {
				t.Errorf("the share was asked %d times, want at most %d", got, c.asked)
			}
		})
	}
}

// TestASourceThatIsAwayIsShownAndGivenUp: why nothing comes is told while the
// task runs, and five minutes without a word end it; three such tasks in a row
// are enough. When the source is back in between, it goes on.
func TestASourceThatIsAwayIsShownAndGivenUp(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"for ever": false, "for a while": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, m := withMedium(t, nil)
			var away atomic.Bool
			var asked atomic.Int64
			away.Store(true)
			mirrorOf(t, m, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1); away.Load() {
					panic(http.ErrAbortHandler) // the connection ends without an answer
				}
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(m.bundle))
			})
			shown, again := false, 0
			out := f.stages(t, func(out runbook.Outcome) {
				shown = shown || strings.Contains(out.Message, "it waits: no connection comes about: nothing listens there, or something on the way refuses it (80131509-2)")
				if out.Kind == runbook.Again && strings.Contains(out.Message, "hears nothing") {
					again++
					away.Store(!back)
				}
			})
			if !shown {
				t.Error("why nothing comes was not told while the task ran")
			}
			if back && (out.Kind != runbook.Done || again != 1) {
				t.Errorf("ended %+v after %d tries, want done after one", out, again)
			}
			if !back && (out.Kind != runbook.Failed || again != 2 || !strings.Contains(out.Message, "five minutes: no connection") || out.Remedy == "") {
				t.Errorf("ended %+v after %d tries, want a failure after two", out, again)
			}
			if got := asked.Load(); got > 400 {
				t.Errorf("the host asked %d times", got)
			}
		})
	}
}

// TestAStagingThatBeginsAnewLooksAtTheHostFirst: the step's memory is of another
// staging, which came to its end: the tree is there and the bundle is gone.
func TestAStagingThatBeginsAnewLooksAtTheHostFirst(t *testing.T) {
	t.Parallel()
	f, m := withMedium(t, nil)
	s := runbook.Staging().Steps[0]
	ctx := t.Context()
	for done := false; !done && ctx.Err() == nil; { // the last tick is not saved
		w := f.work(s.Name)
		out, err := s.Tick(ctx, w)
		if err != nil || out.Kind == runbook.Failed {
			t.Fatal(out, err)
		}
		if done = out.Kind == runbook.Done; !done {
			f.memory[s.Name] = w.Memory
		}
		pause(ctx, 5*time.Millisecond)
	}
	if f.memory[s.Name]["phase"] != "unpack" {
		t.Fatalf("memory %v, want the phase unpack", f.memory[s.Name])
	}
	served := m.served.Load()
	m.at.Staging = 6
	if out := f.step(t, s); out.Kind != runbook.Done || !strings.Contains(out.Message, "already") {
		t.Errorf("the other staging ended %+v, want that it found the tree", out)
	}
	if got := m.served.Load(); got != served || got != int64(len(m.bundle)) {
		t.Errorf("%d bytes were fetched, want %d once", got, len(m.bundle))
	}
}

// TestWhatAKilledUnpackingLeftIsNotInItsWay: room is asked for after what is half
// unpacked is gone.
func TestWhatAKilledUnpackingLeftIsNotInItsWay(t *testing.T) {
	t.Parallel()
	f, m := withMedium(t, nil)
	ctx := t.Context()
	for path, data := range map[string][]byte{
		windows.Media + `\` + m.at.BundleSHA256 + ".wkm": m.bundle,
		m.folder + `.new\half.cab`:                       bytes.Repeat([]byte{7}, 300<<10),
	} {
		if err := f.host.MakeFolder(ctx, path[:strings.LastIndex(path, `\`)]); err != nil {
			t.Fatal(err)
		}
		if err := f.host.WriteFile(ctx, path, data); err != nil {
			t.Fatal(err)
		}
	}
	disks, err := f.host.Disks(ctx)
	if err != nil || len(disks) == 0 {
		t.Fatal(disks, err)
	}
	m.at.TreeSize = disks[0].Free - 256<<20 + 150<<10 // more than there is, less than there is without the half
	if out := f.stages(t, func(runbook.Outcome) {}); out.Kind != runbook.Done {
		t.Errorf("ended %+v", out)
	}
	entries, _, err := f.host.List(ctx, windows.Media)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name, ".new") || strings.HasSuffix(e.Name, ".wkm") {
			t.Errorf("%s is left", e.Name)
		}
	}
}

// TestSetupWantsTheProofAndNotOnlyNoComplaint: a media-check that ends with 0 and
// compared nothing leaves no proof, or that of another manifest.
func TestSetupWantsTheProofAndNotOnlyNoComplaint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		folder, manifest string // of the proof
		begins           bool
	}{
		"with the proof":          {"wk-test-u17-setup-a1", "", true},
		"without a proof":         {"wk-test-u17-other-a1", "", false},
		"proof of another medium": {"wk-test-u17-setup-a1", strings.Repeat("ab", 32), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, m := withMedium(t, nil)
			if out := f.step(t, runbook.Staging().Steps[0]); out.Kind != runbook.Done {
				t.Fatalf("%+v", out)
			}
			ctx := t.Context()
			tree := f.work(runbook.Stage).Media.Tree()
			task := windows.Task{Name: "wk-test-u17-setup-a1", Account: runas, Password: runasPass}
			var err error
			if task.Files, err = tree.CheckFiles(windows.TaskFolder(c.folder)); err != nil {
				t.Fatal(err)
			}
			want := tree.ManifestSHA256
			if c.manifest != "" {
				want = c.manifest
			}
			if task.Body, err = windows.CheckedSetupBody(task.Folder(), m.folder+`\setup.com`, "/mode:Upgrade", want); err != nil {
				t.Fatal(err)
			}
			if err := f.host.MakeFolder(ctx, windows.TaskFolder(c.folder)); err != nil {
				t.Fatal(err)
			}
			for _, do := range []func() error{
				func() error { return f.host.PrepareTask(ctx, task) },
				func() error { return f.host.CreateTask(ctx, task) },
				func() error { return f.host.RunTask(ctx, task.Name) },
			} {
				if err := do(); err != nil {
					t.Fatal(err)
				}
			}
			f.until(t, "the body ends", func() bool {
				look, err := f.host.LookTask(ctx, task.Name)
				return err == nil && look.State == windows.TaskEnded
			})
			look, err := f.host.LookTask(ctx, task.Name)
			if err != nil || look.MediaChecked() != c.begins || look.MediaRefused() == c.begins {
				t.Errorf("checked %t, refused %t, %v; want Setup to begin: %t", look.MediaChecked(), look.MediaRefused(), err, c.begins)
			}
			if got := f.journal.count(t, "setup-started"); (got == 1) != c.begins {
				t.Errorf("Setup started %d times", got)
			}
		})
	}
}
