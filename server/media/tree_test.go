package media_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"wavekeeper/server/media"
)

// program is a PE file as far as Recognise looks: a machine and a version.
func program(machine uint16, version ...uint16) []byte {
	b := make([]byte, 256)
	copy(b, "MZ")
	b[60] = 128
	copy(b[128:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[132:], machine)
	if len(version) == 4 {
		copy(b[160:], []byte{0xbd, 0x04, 0xef, 0xfe, 0, 0, 1, 0})
		for i, v := range []uint16{version[1], version[0], version[3], version[2]} {
			binary.LittleEndian.PutUint16(b[168+2*i:], v)
		}
	}
	return b
}

const (
	amd64 = 0x8664
	i386  = 0x14c
)

// sp1 is what is recognised of a service pack, and something large enough to be
// packed smaller.
func sp1() map[string][]byte {
	return map[string][]byte{
		"setup.com":          program(amd64),
		"EXCHANGESERVER.MSI": noise(5000),
		"Setup/ServerRoles/Common/en/ExBPA.PreReqs.xml":                      []byte(strings.Repeat("<rule/>\r\n", 900)),
		"Setup/ServerRoles/Common/ExSetup.exe":                               program(amd64, 8, 1, 240, 6),
		"Setup/ServerRoles/UnifiedMessaging/German/UMLanguagePack.de-DE.msi": noise(3000),
		"Setup/ServerRoles/UnifiedMessaging/umlang_ja-JP.exe":                noise(10),
		"empty.txt": {},
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

func tree(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRecogniseSaysWhatIsInside(t *testing.T) {
	t.Parallel()
	got, err := media.Recognise(tree(t, sp1()))
	if err != nil {
		t.Fatal(err)
	}
	want := media.Contents{Machine: "x64", Build: "8.1.240.6", UMLanguages: []string{"de-DE", "ja-JP"}, Languages: []string{"en"}, Files: 7, Size: got.Size}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Recognise = %+v, want %+v", got, want)
	}
	for name, c := range map[string]struct {
		files map[string][]byte
		want  media.Contents
		words string
	}{
		"32-bit":          {map[string][]byte{"SETUP.COM": program(i386)}, media.Contents{Machine: "x86", Files: 1, Size: 256}, ""},
		"no program":      {map[string][]byte{"setup.com": []byte("MZ")}, media.Contents{Files: 1, Size: 2}, ""},
		"Itanium":         {map[string][]byte{"setup.com": program(0x200)}, media.Contents{Files: 1, Size: 256}, ""},
		"no setup.com":    {map[string][]byte{"a.txt": {1}}, media.Contents{}, "no setup.com at the top"},
		"a DVD":           {map[string][]byte{"AMD64/setup.com": program(amd64), "I386/setup.com": program(i386)}, media.Contents{}, "it is in AMD64: name that folder"},
		"an empty folder": {nil, media.Contents{}, "no files"},
	} {
		got, err := media.Recognise(tree(t, c.files))
		if c.words != "" {
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%s: %v, want %q", name, err, c.words)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

// unpack takes a bundle apart as a host does.
func unpack(t *testing.T, bundle []byte, manifest []byte) map[string][]byte {
	t.Helper()
	if !bytes.HasSuffix(bundle, manifest) {
		t.Fatal("the manifest is not the bundle's tail")
	}
	m, err := media.ParseManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	at := int64(0)
	for _, e := range m.Entries {
		content := bundle[at : at+e.Stored]
		at += e.Stored
		if e.How == media.Deflate {
			if content, err = io.ReadAll(flate.NewReader(bytes.NewReader(content))); err != nil {
				t.Fatal(err)
			}
		}
		if hash(content) != e.SHA256 || int64(len(content)) != e.Size {
			t.Errorf("%s is not as the manifest says", e.Path)
		}
		files[strings.ReplaceAll(e.Path, `\`, "/")] = content
	}
	if at != int64(len(bundle)-len(manifest)) {
		t.Errorf("the files take %d bytes of %d", at, len(bundle)-len(manifest))
	}
	return files
}

func TestABundleHoldsTheTree(t *testing.T) {
	t.Parallel()
	var bundle bytes.Buffer
	var said []int64
	m, err := media.Pack(t.Context(), tree(t, sp1()), &bundle, func(done, all int64) { said = append(said, done, all) })
	if err != nil {
		t.Fatal(err)
	}
	got := unpack(t, bundle.Bytes(), m.Bytes())
	want := sp1()
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
	for name, content := range want {
		if !bytes.Equal(got[name], content) {
			t.Errorf("%s differs", name)
		}
	}
	if len(said) == 0 || said[len(said)-1] != m.Size || said[len(said)-2] != m.Size {
		t.Errorf("progress was %v, want %d of %d at the end", said, m.Size, m.Size)
	}
	hows := map[string]int{}
	for _, e := range m.Entries {
		hows[e.How]++
	}
	if hows[media.Plain] == 0 || hows[media.Deflate] == 0 {
		t.Errorf("files lie as %v, want both ways", hows)
	}
	var again bytes.Buffer
	if _, err := media.Pack(t.Context(), tree(t, sp1()), &again, nil); err != nil || !bytes.Equal(again.Bytes(), bundle.Bytes()) {
		t.Errorf("the same tree makes another bundle, %v", err)
	}
}

func TestPackRefusesWhatWindowsCannotHold(t *testing.T) {
	t.Parallel()
	for name, words := range map[string]string{
		"a:b": "cannot take", "con": "cannot take", "COM1.txt": "cannot take", "x/nul.dll": "cannot take", "end.": "cannot take", "end ": "cannot take",
		"a|b": "cannot take", "ä.txt": "cannot take", `a\b`: "", strings.Repeat("d/", 95) + "f": "longer than 180", "Setup.Com": "one file on Windows",
	} {
		dir := tree(t, map[string][]byte{"setup.com": {1}, name: {2}})
		_, err := media.Pack(t.Context(), dir, io.Discard, nil)
		if words != "" && (err == nil || !strings.Contains(err.Error(), words)) {
			t.Errorf("%q: %v, want %q", name, err, words)
		}
	}
	dir := tree(t, map[string][]byte{"setup.com": {1}})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := media.Pack(t.Context(), dir, io.Discard, nil); err == nil || !strings.Contains(err.Error(), "neither a file nor a folder") {
		t.Errorf("a link: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := media.Pack(ctx, tree(t, sp1()), io.Discard, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// fullDisk takes so many bytes.
type fullDisk struct{ left int }

func (f *fullDisk) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

func TestPackSaysThatTheDiskIsFull(t *testing.T) {
	t.Parallel()
	_, err := media.Pack(t.Context(), tree(t, sp1()), &fullDisk{4000}, nil)
	if !errors.Is(err, media.ErrNoRoom) {
		t.Errorf("Pack onto a full disk: %v, want %v", err, media.ErrNoRoom)
	}
}

func TestManifestIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := media.Manifest{Size: 5, Entries: []media.Entry{
			{SHA256: strings.Repeat("ab", 32), Size: 3, Stored: 2, How: media.Deflate, Path: `a\b.txt`},
			{SHA256: strings.Repeat("cd", 32), Size: 2, Stored: 2, How: media.Plain, Path: `c`},
		}}.Bytes()
		at := rapid.IntRange(0, len(raw)-1).Draw(t, "at")
		changed := slices.Clone(raw)
		switch rapid.IntRange(0, 2).Draw(t, "how") {
		case 0:
			changed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		case 1:
			changed = changed[:at]
		case 2:
			changed = slices.Insert(changed, at, rapid.Byte().Draw(t, "byte"))
		}
		m, err := media.ParseManifest(changed)
		if err == nil && !bytes.Equal(m.Bytes(), changed) {
			t.Fatalf("%q was read as %+v", changed, m)
		}
	})
	for _, bad := range []string{
		"", "x|0|0\r\n", "wavekeeper-media/1|1|0\r\n", "wavekeeper-media/1|0|0\n",
		"wavekeeper-media/1|1|3\r\n" + strings.Repeat("ab", 32) + "|3|3|plain|..\\up\r\n",
		"wavekeeper-media/1|1|3\r\n" + strings.Repeat("ab", 32) + "|3|3|plain|C:\\up\r\n",
		"wavekeeper-media/1|1|3\r\n" + strings.Repeat("ab", 32) + "|3|3|zip|a\r\n",
		"wavekeeper-media/1|2|6\r\n" + strings.Repeat(strings.Repeat("ab", 32)+"|3|3|plain|a\r\n", 2),
	} {
		if m, err := media.ParseManifest([]byte(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, m)
		}
	}
}

// selfExtractor is a program with a cabinet and a signature behind it, made by
// gcab, which is not ours.
func selfExtractor(t *testing.T, files map[string][]byte) string {
	t.Helper()
	gcab, err := exec.LookPath("gcab")
	if err != nil {
		t.Skip("no gcab here (Debian: gcab): no cabinet can be made to be unpacked")
	}
	if _, err := exec.LookPath("cabextract"); err != nil {
		t.Skip("no cabextract here (Debian: cabextract)")
	}
	cabinet := filepath.Join(t.TempDir(), "x.cab")
	make := exec.CommandContext(t.Context(), gcab, "-z", "-c", cabinet)
	make.Dir = tree(t, files)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	make.Args = append(make.Args, names...)
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("gcab: %v %s", err, out)
	}
	raw, err := os.ReadFile(cabinet)
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(t.TempDir(), "-E2K7SP1EN64.exe") // a name that is no option
	if err := os.WriteFile(exe, slices.Concat(program(amd64), noise(40000), raw, noise(7000)), 0o600); err != nil {
		t.Fatal(err)
	}
	return exe
}

func TestSelfExtractorIsUnpackedHere(t *testing.T) {
	t.Parallel()
	exe := selfExtractor(t, sp1())
	to := t.TempDir()
	if err := media.Unpack(t.Context(), exe, to); err != nil {
		t.Fatal(err)
	}
	for name, content := range sp1() {
		got, err := os.ReadFile(filepath.Join(to, name))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %v, %d bytes, want %d", name, err, len(got), len(content))
		}
	}
	raw, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(t.TempDir(), "cut.exe")
	if err := os.WriteFile(short, raw[:len(raw)-9000], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := media.Unpack(t.Context(), short, t.TempDir()); !errors.Is(err, media.ErrDamaged) {
		t.Errorf("cut off: %v", err)
	}
	text := filepath.Join(t.TempDir(), "page.exe")
	if err := os.WriteFile(text, []byte("<html>not found</html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := media.Unpack(t.Context(), text, t.TempDir()); !errors.Is(err, media.ErrDamaged) {
		t.Errorf("a page of a proxy: %v", err)
	}
	if err := media.Unpack(t.Context(), filepath.Join(to, "away"), t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestPackageOfDifferencesIsRefused(t *testing.T) {
	t.Parallel()
	exe := selfExtractor(t, map[string][]byte{"_sfx_manifest_": {1}, "_sfx_0000._p": {2}})
	if err := media.Unpack(t.Context(), exe, t.TempDir()); !errors.Is(err, media.ErrDelta) {
		t.Errorf("Unpack = %v, want %v", err, media.ErrDelta)
	}
}

func TestWithoutCabextractTheWayOutIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := media.Unpack(t.Context(), "x.exe", t.TempDir()); !errors.Is(err, media.ErrNoUnpacker) {
		t.Errorf("Unpack = %v, want %v", err, media.ErrNoUnpacker)
	}
}

// TestFullDiskIsNoDamagedFile lets a program of cabextract's name say what it
// says there: its words in the C locale are the system's.
func TestFullDiskIsNoDamagedFile(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	script := "#!/bin/sh\n[ \"$1\" = --list ] && exit 0\necho 'out/exchangeserver.msi: No space left on device' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "cabextract"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(tree(t, sp1()), "setup.com")
	if err := media.Unpack(t.Context(), file, t.TempDir()); !errors.Is(err, media.ErrNoRoom) || errors.Is(err, media.ErrDamaged) {
		t.Errorf("Unpack = %v, want %v", err, media.ErrNoRoom)
	}
}
