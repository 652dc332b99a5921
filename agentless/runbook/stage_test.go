package runbook_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

const mediaToken = "7f6d656469612d746f6b656e2d6f662d612d686f73742d666f722d746573747a"

// medium is a package as it was registered, and where hosts fetch it from.
type medium struct {
	bundle, manifest []byte
	served           atomic.Int64 // bytes
	asked            atomic.Int64
	at               runbook.Medium
	folder           string
}

func sum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// newMedium is a medium that a listener on the loopback address gives to who has
// the token.
func newMedium(t testing.TB) *medium {
	t.Helper()
	tree := twin.MediaTree("sp1", "en-US", "x64")
	m := &medium{}
	var err error
	if m.bundle, m.manifest, err = twin.Bundle(tree); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.129.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &httptest.Server{Listener: l, Config: &http.Server{Handler: m}}
	web.Start()
	t.Cleanup(web.Close)
	size := int64(0)
	for _, b := range tree {
		size += int64(len(b))
	}
	m.folder = windows.Media + `\sp1-x64-` + sum(m.manifest)[:8]
	m.at = runbook.Medium{
		ManifestSHA256: sum(m.manifest), ManifestSize: int64(len(m.manifest)), TreeSize: size, BundleSHA256: sum(m.bundle),
		BundleSize: int64(len(m.bundle)), Staging: 5, Attempt: 1, From: web.URL + "/media/" + sum(m.bundle), Token: mediaToken, Source: "the console",
	}
	return m
}

func (m *medium) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.asked.Add(1)
	if r.Header.Get("X-Wavekeeper-Token") != mediaToken || r.URL.RawQuery != "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", `"`+sum(m.bundle)+`"`)
	http.ServeContent(counted{w, &m.served}, r, "", time.Time{}, bytes.NewReader(m.bundle))
}

type counted struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

// withMedium is a fixture whose host holds no package and whose work has one.
func withMedium(t *testing.T, change func(*twin.Options)) (*fixture, *medium) {
	t.Helper()
	m := newMedium(t)
	f := newFixture(t, func(o *twin.Options) {
		o.NoMedia = true
		if change != nil {
			change(o)
		}
	})
	f.change = func(w *runbook.Work) {
		at := m.at
		at.Staging += int64(w.Attempt - 1)
		w.Media = runbook.Media{Folder: m.folder, SetupSHA256: twin.SetupSHA256("sp1", "en-US", "x64"), Medium: at}
	}
	return f, m
}

func TestMediaIsFetchedUnpackedAndProvenBeforeSetup(t *testing.T) {
	t.Parallel()
	f, m := withMedium(t, nil)
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	if got := f.journal.count(t, "setup-started"); got != 1 {
		t.Errorf("Setup started %d times, want once", got)
	}
	if got, want := m.served.Load(), int64(len(m.bundle)); got != want {
		t.Errorf("%d bytes were fetched, want %d", got, want)
	}
	for _, found := range f.out["preflight"].Findings {
		if found.Rule == "media" && found.Severity != runbook.Pass {
			t.Errorf("media: %+v", found)
		}
	}
	f.clean(t)
	entries, _, err := f.host.List(context.Background(), windows.Media)
	if err != nil || len(entries) != 2 {
		t.Errorf("left in the folder of media: %+v, %v, want the tree and its manifest", entries, err)
	}
	f.noToken(t)
}

func TestADiskThatIsTooSmallIsSaidBeforeAnythingComes(t *testing.T) {
	t.Parallel()
	f, m := withMedium(t, nil)
	m.at.TreeSize = 1 << 50
	step, out := f.walk(t, "facts")
	if step != "stage" || out.Kind != runbook.Failed || !strings.Contains(out.Message, "too little room") || out.Remedy == "" {
		t.Errorf("ended in %s: %+v", step, out)
	}
	if got := m.asked.Load(); got > 0 {
		t.Errorf("the host asked %d times", got)
	}
	f.clean(t)
}

// noToken fails when the token stands in what was said, kept or run.
func (f *fixture) noToken(t *testing.T) {
	t.Helper()
	text := fmt.Sprintf("%+v %+v %+v %v", f.memory, f.out, f.book, f.logged)
	for _, e := range f.journal.entries(t) {
		text += fmt.Sprintf("%+v\n", e)
	}
	if strings.Contains(text, mediaToken) {
		t.Error("the token is said somewhere")
	}
}

func TestWhatIsStagedIsNotFetchedAgain(t *testing.T) {
	t.Parallel()
	f, m := withMedium(t, nil)
	ahead := runbook.Staging()
	for _, s := range ahead.Steps {
		if out := f.step(t, s); out.Kind != runbook.Done {
			t.Fatalf("%s: %+v", s.Name, out)
		}
	}
	f.clean(t)
	asked := m.asked.Load()
	f.memory = map[string]map[string]string{}
	m.at.Staging, m.at.From, m.at.Token = 9, "", "" // days later, and nobody gives it any more
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	if got := m.asked.Load(); got != asked {
		t.Errorf("the host asked %d times more", got-asked)
	}
}

// TestKillWhileMediaIsBrought: a coordinator that dies between any two commands,
// and one that dies before it saves, fetch once and leave nothing.
func TestKillWhileMediaIsBrought(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*fixture){
		"between commands": func(f *fixture) { f.kill.on = true },
		"before saving":    func(f *fixture) { f.lost = func(_ string, tick int) bool { return tick%2 == 0 } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, m := withMedium(t, nil)
			kill(f)
			for _, s := range runbook.Staging().Steps {
				if out := f.step(t, s); out.Kind != runbook.Done {
					t.Fatalf("%s: %+v", s.Name, out)
				}
			}
			f.kill.on, f.lost = false, nil
			if got, want := m.served.Load(), int64(len(m.bundle)); got != want {
				t.Errorf("%d bytes were fetched, want %d", got, want)
			}
			f.clean(t)
			t.Logf("%d kills in %d ticks", f.kill.kills, f.ticks)
		})
	}
}

// TestMediaComesThroughFaults: each fault ends as FAULTS.md says, and nothing is
// half done.
func TestMediaComesThroughFaults(t *testing.T) {
	t.Parallel()
	all := func(name string, times int) []twin.Fault {
		return []twin.Fault{{Host: "*", Name: name, Step: "stage", Times: times}}
	}
	for name, c := range map[string]struct {
		faults []twin.Fault
		kind   runbook.Kind
		words  []string
	}{
		"cut once":        {all("media-cut", 1), runbook.Done, nil},
		"cut ten times":   {all("media-cut", 10), runbook.Done, nil},
		"changed once":    {all("media-changed", 1), runbook.Done, nil},
		"changed twice":   {all("media-changed", 2), runbook.Failed, []string{"the console", "another SHA-256"}},
		"away":            {all("media-away", 1), runbook.Done, nil},
		"truncated":       {[]twin.Fault{{Host: "*", Name: "media-cut", Step: "stage", Times: 3}, {Host: "*", Name: "media-truncated", Step: "stage", At: "request:14"}}, runbook.Done, nil},
		"power loss":      {[]twin.Fault{{Host: "*", Name: "power-loss", Step: "stage", At: "request:9", Times: 2}}, runbook.Done, nil},
		"a vanished host": {[]twin.Fault{{Host: "*", Name: "address-lost", Step: "stage", At: "request:8", Lasts: 10 * time.Minute}}, runbook.Done, nil},
		"disk full":       {[]twin.Fault{{Host: "*", Name: "disk-full", Step: "stage", Lasts: 1000 * time.Hour}}, runbook.Failed, []string{"disk is full", "Free disk space"}},
		"fips":            {[]twin.Fault{{Host: "*", Name: "fips-policy", Step: "stage"}}, runbook.Failed, []string{"FIPS"}},
		"tree changed":    {[]twin.Fault{{Host: "*", Name: "tree-changed", Step: "preflight"}}, runbook.Failed, []string{"has another"}},
		"tree extra":      {[]twin.Fault{{Host: "*", Name: "tree-extra", Step: "preflight"}}, runbook.Failed, []string{"planted.dll does not belong there"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := withMedium(t, func(o *twin.Options) { o.Faults = c.faults })
			step, out := f.walk(t, "facts")
			if out.Kind != c.kind {
				t.Fatalf("ended in %s: %+v, want %s", step, out, c.kind)
			}
			said := out.Message + " " + out.Remedy
			for _, w := range c.words {
				if !strings.Contains(said, w) {
					t.Errorf("it says %q, want %q in it", said, w)
				}
			}
			if c.kind == runbook.Failed && (out.Remedy == "" || f.journal.count(t, "setup-started") > 0) {
				t.Errorf("remedy %q, Setup started %d times", out.Remedy, f.journal.count(t, "setup-started"))
			}
			if c.kind == runbook.Done && f.journal.count(t, "setup-started") != 1 {
				t.Errorf("Setup started %d times", f.journal.count(t, "setup-started"))
			}
			t.Log(step, said, f.journal.count(t, "fault"), "faults")
		})
	}
}

func TestMediaComesFromAShareOrAMirror(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		share fs.FS
		kind  runbook.Kind
		words string
	}{
		"share":                  {nil, runbook.Done, ""},
		"share that refuses":     {nil, runbook.Failed, "computer accounts"},
		"share without the file": {fstest.MapFS{}, runbook.Failed, "80070002"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const server = `\\files1\media`
			var m *medium
			files := map[string]fs.FS{server: c.share}
			f, m := withMedium(t, func(o *twin.Options) { o.Shares = files })
			if c.kind == runbook.Done {
				files[server] = fstest.MapFS{"wk/" + m.at.BundleSHA256 + ".wkm": &fstest.MapFile{Data: m.bundle}}
			}
			m.at.From, m.at.Token, m.at.Source = server+`\wk\`+m.at.BundleSHA256+".wkm", "", "the share "+server
			step, out := f.walk(t, "facts")
			if out.Kind != c.kind || !strings.Contains(out.Message+out.Remedy, c.words) {
				t.Errorf("ended in %s: %+v, want %s with %q", step, out, c.kind, c.words)
			}
		})
	}
}

// TestAChangedByteNeverReachesSetup: any file, any byte, at any moment between
// staging and Setup's start. The last of them is inside Setup's own task, right
// before it compares, when nobody looks any more.
func TestAChangedByteNeverReachesSetup(t *testing.T) {
	t.Parallel()
	if err := errors.Join(flag.Set("rapid.checks", "12"), flag.Set("rapid.shrinktime", "5s")); err != nil {
		t.Fatal(err)
	}
	tree := twin.MediaTree("sp1", "en-US", "x64")
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(tree))).Draw(r, "file")
		at := rapid.IntRange(0, max(0, len(tree[name])-1)).Draw(r, "byte")
		step := rapid.SampledFrom([]string{"preflight", "record", "stop-services", "setup", "body"}).Draw(r, "moment")
		tick := rapid.IntRange(0, 6).Draw(r, "tick")
		bad := append([]byte(nil), tree[name]...)
		if len(bad) == 0 {
			bad = []byte{1}
		} else {
			bad[at] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
		}
		var f *fixture
		var m *medium
		changed := false
		spoil := func() {
			if !changed {
				changed = true
				if err := f.host.WriteFile(context.Background(), m.folder+`\`+name, bad); err != nil {
					t.Error(err)
				}
			}
		}
		f, m = withMedium(t, func(o *twin.Options) {
			o.Speed = 20000
			kill := o.Observe
			o.Observe = func(seen twin.Observation) {
				kill(seen)
				line := fmt.Sprint(seen.Detail["line"])
				if step == "body" && seen.What == "command" && strings.Contains(line, "media-check.ps1") && strings.Contains(line, "-u17-setup-") {
					spoil()
				}
			}
		})
		f.lost = func(now string, n int) bool {
			told := slices.ContainsFunc(f.book.intended, func(s string) bool { return strings.HasPrefix(s, "run host task wk-test-u17-setup") })
			if now == step && n >= tick && !told {
				spoil()
			}
			return false
		}
		ended, out := f.walk(t, "facts")
		started := f.journal.count(t, "setup-started")
		if !changed && (out.Kind != runbook.Done || started != 1) || changed && (out.Kind != runbook.Failed || started > 0) {
			r.Fatalf("%s byte %d, %s tick %d, changed %t: ended in %s: %+v, Setup started %d times", name, at, step, tick, changed, ended, out, started)
		}
		if len(f.book.deviations) > 0 || strings.Contains(f.revocation(t), "0x") && changed {
			r.Fatalf("deviations: %v, revocation switch %s", f.book.deviations, f.revocation(t))
		}
	})
}
