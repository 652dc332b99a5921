package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wavekeeper/server/exchange"
	"wavekeeper/server/media"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// peFile is a PE file as far as media are recognized by it: a machine, and a
// file version when one is given.
func peFile(machine uint16, version ...uint16) []byte {
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

const exsetup = "Setup/ServerRoles/Common/ExSetup.exe"

// servicePack is the least that is taken for SP1, 64-bit, in English.
func servicePack() map[string][]byte {
	return map[string][]byte{
		"setup.com":                   peFile(0x8664),
		exsetup:                       peFile(0x8664, 8, 1, 240, 6),
		"exchangeserver.msi":          []byte("not a real one"),
		"de/UMLanguagePack.de-DE.msi": []byte("pack"),
		"Setup/ServerRoles/Common/en/ExBPA.PreReqs.xml": bytes.Repeat([]byte("<rule/>"), 900),
	}
}

func folder(t *testing.T, files map[string][]byte) string {
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

// mediaAt runs media commands with one database and one folder of media.
type mediaAt struct {
	storetest.DB
	dir string
}

func newMediaAt(t *testing.T) mediaAt {
	t.Helper()
	return mediaAt{storetest.New(t), filepath.Join(t.TempDir(), "media")}
}

func (m mediaAt) args(words ...string) []string {
	return append(append([]string{"media"}, words...), "--database-url", m.URL, "--media-dir", m.dir)
}

func (m mediaAt) add(t *testing.T, words ...string) (int, string, string) {
	t.Helper()
	return run(t, "", m.args(append([]string{"add"}, words...)...)...)
}

func TestMediaAdd(t *testing.T) {
	t.Parallel()
	m := newMediaAt(t)
	status, said, problems := m.add(t, "--unpacked", folder(t, servicePack()), "--package", "SP1", "--language", "en", "--arch", "x64")
	if status != 0 || problems != "" || !strings.Contains(said, "registered media 1: sp1 x64 for en-US\n  5 files, 7 kB unpacked") {
		t.Fatalf("media add: %d, %q, %q", status, said, problems)
	}
	status, said, problems = m.add(t, "--unpacked", folder(t, servicePack()), "--package", "sp1", "--language", "de-DE,fr-FR", "--arch", "x64", "--um-language", "de-de")
	if status != 0 || !strings.Contains(said, "registered media 1: ") || !strings.Contains(problems, "warning: for de-DE, and inside is only en") {
		t.Errorf("the same again for others: %d, %q, %q", status, said, problems)
	}
	small := servicePack()
	small["setup.com"] = peFile(0x14c)
	if status, said, problems = m.add(t, "--unpacked", folder(t, small), "--package", "sp1", "--language", "en", "--arch", "x86", "--um-language", "de-de,ja-jp"); status != 0 {
		t.Fatalf("32-bit media: %d, %q, %q", status, said, problems)
	}
	list := must(t, "", m.args("list")...)
	list = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(list, "TIME")
	list = regexp.MustCompile(`(?m)^3 `).ReplaceAllString(list, "2 ")
	list = regexp.MustCompile(` +`).ReplaceAllString(regexp.MustCompile(`command line.*`).ReplaceAllString(list, "command line"), " ")
	want := `ID PACKAGE ARCH FOR BUILD UM LANGUAGES FILES UNPACKED TO FETCH FROM HERE ON HOSTS ADDED BY
1 sp1 x64 de-DE,en-US,fr-FR 8.1.240.6 de-DE 5 7 kB 1 kB - yes 0 of 0 TIME command line
2 sp1 x86 the organization only 8.1.240.6 de-DE,ja-JP 5 7 kB 1 kB - yes 0 of 0 TIME command line
`
	if list != want {
		t.Errorf("media list is\n%swant\n%s", list, want)
	}
	if list := must(t, "", m.args("list", "--check")...); strings.Count(list, "yes, compared") != 2 {
		t.Errorf("media list --check is\n%s", list)
	}
	first, err := m.Store.MediaByID(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(m.dir, first.BundleSHA256+media.Extension)
	raw, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2]++
	if err := os.WriteFile(bundle, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if list := must(t, "", m.args("list", "--check")...); strings.Count(list, "yes, compared") != 1 || strings.Count(list, "damaged") != 1 {
		t.Errorf("media list --check of a changed byte is\n%s", list)
	}
	kept, folder, err := m.Store.MediaOf(t.Context(), "sp1", "fr-FR", "x64")
	if err != nil || folder != store.MediumFolder("sp1", "x64", kept.ManifestSHA256) {
		t.Errorf("hosts have it in %s, %v", folder, err)
	}
	raw, err = m.Store.MediaManifest(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if manifest, err := media.ParseManifest(raw); err != nil || len(manifest.Entries) != 5 {
		t.Errorf("the manifest is %+v, %v", manifest, err)
	}
	if packages := must(t, "", "package", "list", "--database-url", m.URL); strings.Count(packages, "  1   ") != 3 {
		t.Errorf("package list does not say that three packages have media 1:\n%s", packages)
	}
}

// TestMediaAddTakesASelfExtractor uses cabinets made by gcab, which is not ours.
func TestMediaAddTakesASelfExtractor(t *testing.T) {
	t.Parallel()
	gcab, err := exec.LookPath("gcab")
	if err != nil {
		t.Skip("no gcab here (Debian: gcab): no self-extracting package can be made")
	}
	if _, err := exec.LookPath("cabextract"); err != nil {
		t.Skip("no cabextract here (Debian: cabextract)")
	}
	pack := func(name string, files map[string][]byte) string {
		cabinet := filepath.Join(t.TempDir(), "x.cab")
		c := exec.CommandContext(t.Context(), gcab, "-z", "-c", cabinet)
		c.Dir = folder(t, files)
		for name := range files {
			c.Args = append(c.Args, name)
		}
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("gcab: %v %s", err, out)
		}
		raw, err := os.ReadFile(cabinet)
		if err != nil {
			t.Fatal(err)
		}
		exe := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(exe, slices.Concat(peFile(0x14c), make([]byte, 5000), raw, []byte("a signature")), 0o600); err != nil {
			t.Fatal(err)
		}
		return exe
	}
	m := newMediaAt(t)
	exe := pack("E2K7SP1EN64.exe", servicePack())
	status, said, problems := m.add(t, exe, "--package", "sp1", "--language", "en", "--arch", "x64")
	if status != 0 || !strings.Contains(said, "file      E2K7SP1EN64.exe, ") {
		t.Fatalf("media add %s: %d, %q, %q", exe, status, said, problems)
	}
	kept, err := m.Store.MediaByID(t.Context(), 1)
	raw, _ := os.ReadFile(exe)
	if err != nil || kept.FileSHA256 != sha256Hex(raw) || kept.FileSize != int64(len(raw)) {
		t.Errorf("recorded is %+v, %v", kept, err)
	}
	cut := filepath.Join(t.TempDir(), "cut.exe")
	if err := os.WriteFile(cut, raw[:len(raw)-200], 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ file, want string }{
		"cut off":     {cut, "compare its size and hash with the download's"},
		"differences": {pack("ipd.exe", map[string][]byte{"_sfx_manifest_": {1}}), "which only Windows puts together: unpack it there and name the folder with --unpacked"},
		"no setup":    {pack("other.exe", map[string][]byte{"readme.txt": {1}}), "no setup.com at the top"},
		"wrong arch":  {exe, "its setup.com is for x64, and --arch says x86"},
		"away":        {exe + ".gone", "no such file"},
		"a folder":    {t.TempDir(), "name a folder with --unpacked"},
	} {
		arch := "x64"
		if what == "wrong arch" {
			arch = "x86"
		}
		status, _, problems := m.add(t, c.file, "--package", "sp1", "--language", "en", "--arch", arch)
		if status != 1 || !strings.Contains(problems, c.want) || !strings.Contains(problems, c.file) {
			t.Errorf("%s: %d, %q, want %q and %s", what, status, problems, c.want, c.file)
		}
	}
	if all, err := m.Store.MediaList(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("registered are %+v, %v, want one", all, err)
	}
	if entries, err := os.ReadDir(m.dir); err != nil || len(entries) != 1 {
		t.Errorf("in the folder are %v, %v, want one bundle", entries, err)
	}
}

func TestMediaAddSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	m := newMediaAt(t)
	with := func(name string, content []byte) string {
		files := servicePack()
		if delete(files, name); content != nil {
			files[name] = content
		}
		return folder(t, files)
	}
	unreadable := with("x", []byte("x"))
	if err := os.Symlink("/etc/passwd", filepath.Join(unreadable, "link")); err != nil {
		t.Fatal(err)
	}
	good := folder(t, servicePack())
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no setup.com":     {[]string{"--unpacked", with("setup.com", nil), "--arch", "x64"}, 1, "no setup.com at the top: this is no unpacked service pack"},
		"a DVD":            {[]string{"--unpacked", folder(t, map[string][]byte{"AMD64/setup.com": peFile(0x8664)}), "--arch", "x64"}, 1, "it is in AMD64: name that folder"},
		"wrong arch":       {[]string{"--unpacked", good, "--arch", "x86"}, 1, "its setup.com is for x64, and --arch says x86: get the other package, or correct --arch"},
		"Itanium":          {[]string{"--unpacked", with("setup.com", peFile(0x200)), "--arch", "x64"}, 1, "no program for x64 or x86"},
		"wrong SP":         {[]string{"--unpacked", good, "--arch", "x64", "--package", "sp2"}, 1, "its ExSetup.exe is SP1, and --package says SP2 (8.2.176.2): get the other package"},
		"RTM":              {[]string{"--unpacked", with(exsetup, peFile(0x8664, 8, 0, 685, 24)), "--arch", "x64"}, 1, "and --package says SP1"},
		"no known package": {[]string{"--unpacked", good, "--arch", "x64", "--package", "sp9"}, 1, `unknown package "sp9"`},
		"a rollup":         {[]string{"--unpacked", good, "--arch", "x64", "--package", "sp1-ru4"}, 1, "name its one FILE"},
		"a link":           {[]string{"--unpacked", unreadable, "--arch", "x64"}, 1, "link is neither a file nor a folder"},
		"no folder":        {[]string{"--unpacked", good + "/away", "--arch", "x64"}, 1, "no such file"},
		"nothing":          {[]string{"--arch", "x64"}, 2, "name one: the service pack's FILE, or --unpacked DIR"},
		"both":             {[]string{"x.exe", "--unpacked", good, "--arch", "x64"}, 2, "name one"},
		"no culture":       {[]string{"--unpacked", good, "--arch", "x64", "--language", "german"}, 1, `--language: "german" is no Windows culture`},
		"half a culture":   {[]string{"--unpacked", good, "--arch", "x64", "--language", "nl"}, 1, "Windows has several; name one, such as nl-NL"},
		"no UM culture":    {[]string{"--unpacked", good, "--arch", "x64", "--um-language", "german"}, 1, `--um-language: "german"`},
		"no arch":          {[]string{"--unpacked", good}, 2, "--arch"},
	} {
		args := c.args
		if !slices.Contains(args, "--package") {
			args = append(args, "--package", "sp1")
		}
		if !slices.Contains(args, "--language") {
			args = append(args, "--language", "en")
		}
		status, _, problems := m.add(t, args...)
		if status != c.status || !strings.Contains(problems, c.want) {
			t.Errorf("%s: %d, %q, want %d and %q", name, status, problems, c.status, c.want)
		}
	}
	if all, err := m.Store.MediaList(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("registered are %+v, %v, want none", all, err)
	}
	status, _, problems := m.add(t, "--unpacked", with(exsetup, nil), "--package", "sp1", "--language", "en", "--arch", "x64")
	if status != 0 || !strings.Contains(problems, "nothing says which service pack this is") {
		t.Errorf("without ExSetup.exe: %d, %q, want a warning", status, problems)
	}
}

func TestMediaGoToSharesAndAreForgotten(t *testing.T) {
	t.Parallel()
	m := newMediaAt(t)
	if status, _, problems := m.add(t, "--unpacked", folder(t, servicePack()), "--package", "sp1", "--language", "en", "--arch", "x64"); status != 0 {
		t.Fatal(problems)
	}
	share := filepath.Join(t.TempDir(), "share")
	said := must(t, "", m.args("export", "1", share)...)
	kept, err := m.Store.MediaByID(t.Context(), 1)
	if err != nil || !strings.Contains(said, filepath.Join(share, kept.BundleSHA256+".wkm")) {
		t.Fatalf("media export says %q, %v", said, err)
	}
	if raw, err := os.ReadFile(filepath.Join(share, kept.BundleSHA256+".wkm")); err != nil || sha256Hex(raw) != kept.BundleSHA256 {
		t.Errorf("exported are %d bytes, %v", len(raw), err)
	}
	if status, _, problems := run(t, "", m.args("export", "1", "/proc/nope")...); status != 1 || strings.Contains(problems, "this machine") || !strings.Contains(problems, "make the folder /proc/nope") {
		t.Errorf("export where no folder can be made: %d, %q", status, problems)
	}
	set := func(words ...string) (int, string, string) {
		return run(t, "", append(append([]string{"media", "source", "set"}, words...), "--database-url", m.URL)...)
	}
	inventory, _ := exchange.ReadInventory(strings.NewReader("server,roles,site\nCAS1,CAS,Berlin\nHUB1,HT,HQ\n"))
	if _, err := m.Store.ImportInventory(t.Context(), commandLine(), inventory, nil, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"Berlin", "--share", `\\fs1\wk`}, "hosts of site Berlin fetch media from share \\\\fs1\\wk\n"},
		{[]string{"*", "--mirror", "http://fs1/wk/"}, "hosts of all sites without a source of their own fetch media from mirror http://fs1/wk"},
		{[]string{"HQ", "--console"}, "hosts of site HQ fetch media from the console\n"},
		{[]string{"HQ"}, "say from where: --share UNC, --mirror URL or --console"},
		{[]string{"Berln", "--console"}, `no server is in the site "Berln"; the nearest is "Berlin": correct it, or say --unknown-site`},
		{[]string{"Oslo", "--console", "--unknown-site"}, "hosts of site Oslo fetch media from the console"},
		{[]string{"HQ", "--share", "fs1"}, "no share"},
		{[]string{"HQ", "--console", "--share", `\\fs1\wk`}, "can't be used together"},
	} {
		if status, said, problems := set(c.words...); !strings.Contains(said+problems, strings.TrimRight(c.want, "/\n")) {
			t.Errorf("source set %v: %d, %q, %q, want %q", c.words, status, said, problems, c.want)
		}
	}
	if list := must(t, "", "media", "source", "list", "--database-url", m.URL); !strings.Contains(list, "Berlin  share \\\\fs1\\wk") || !strings.Contains(list, "*       mirror http://fs1/wk") {
		t.Errorf("source list is\n%s", list)
	}
	remove := func(site string) (int, string, string) {
		return run(t, "", "media", "source", "remove", site, "--database-url", m.URL)
	}
	if status, said, problems := remove("BERLIN"); status != 0 || said != "hosts of site Berlin fetch media from mirror http://fs1/wk, as all sites without a source of their own\n" {
		t.Errorf("source remove: %d, %q, %q", status, said, problems)
	}
	if status, said, problems := remove("*"); status != 0 || said != "hosts of all sites without a source of their own fetch media from the console\n" {
		t.Errorf("source remove '*': %d, %q, %q", status, said, problems)
	}
	if status, _, problems := remove("Berlin"); status != 1 || !strings.Contains(problems, "Berlin has no source of its own") {
		t.Errorf("source remove, twice: %d, %q", status, problems)
	}
	if status, _, problems := run(t, "", m.args("forget", "1", "--reason", "over")...); status != 1 || !strings.Contains(problems, "is what packages point to") {
		t.Errorf("forget what is used: %d, %q", status, problems)
	}
	must(t, "", "package", "set", "--package", "sp1", "--setup-sha256", strings.Repeat("ab", 32), "--database-url", m.URL)
	must(t, "", m.args("forget", "1", "--reason", "over")...)
	if entries, err := os.ReadDir(m.dir); err != nil || len(entries) != 0 {
		t.Errorf("after forget the folder holds %v, %v", entries, err)
	}
	if list := must(t, "", m.args("list")...); !strings.Contains(list, "forgotten by command line") {
		t.Errorf("media list is\n%s", list)
	}
	if status, _, problems := run(t, "", m.args("export", "1", share)...); status != 1 || !strings.Contains(problems, "is not on this machine") {
		t.Errorf("export what was forgotten: %d, %q", status, problems)
	}
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestMediaStageAsksForHostsByName(t *testing.T) {
	t.Parallel()
	m := newMediaAt(t)
	if status, _, problems := m.add(t, "--unpacked", folder(t, servicePack()), "--package", "sp1", "--language", "en", "--arch", "x64"); status != 0 {
		t.Fatal(problems)
	}
	inventory, _ := exchange.ReadInventory(strings.NewReader("server,roles,language,address\nCAS1,CAS,en-US,127.0.137.41\nHUB1,HT,en-US,127.0.137.42\nMBX1,MBX,ja-JP,127.0.137.43\n"))
	if _, err := m.Store.ImportInventory(t.Context(), commandLine(), inventory, nil, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	stage := func(words ...string) (int, string, string) {
		return run(t, "", append(append([]string{"media", "stage", "--reason", "early"}, words...), "--database-url", m.URL)...)
	}
	for _, c := range []struct {
		words  []string
		status int
		want   string
	}{
		{[]string{"--host", "cas1", "--package", "sp1", "--not-before", "2040-01-02T03:04:05Z"}, 0, "asked for media on 1 hosts\n"},
		{[]string{"--host", "*", "--package", "SP1"}, 0, "asked for media on 1 hosts\nanother time for: CAS1\nno media for: MBX1"},
		{[]string{"--host", "hub1", "--package", "sp1", "--not-before", "2040-01-02T03:04:05Z"}, 0, "asked for media on 0 hosts\nanother time for: HUB1\n"},
		{[]string{"--host", "CAS2", "--package", "sp1"}, 1, `there is no server "CAS2": the nearest is "CAS1"`},
		{[]string{"--host", "CAS1", "--package", "sp9"}, 1, `unknown package "sp9"`},
		{[]string{"--host", "CAS1"}, 2, "--package"},
		{[]string{"--wave", "1/1", "--package", "sp1"}, 2, "--package"},
		{[]string{"--wave", "1"}, 2, "such as 12/1"},
		{[]string{"--wave", "7/1"}, 1, "There is no such rollout"},
		{[]string{"--wave", "1/1", "--host", "CAS1"}, 2, "--wave and --host can't be used together"},
		{nil, 2, "--wave"},
		{[]string{"--host", "CAS1", "--package", "sp1", "--not-before", "tomorrow"}, 2, "a time with its zone is wanted"},
	} {
		if status, said, problems := stage(c.words...); status != c.status || !strings.Contains(said+problems, c.want) {
			t.Errorf("media stage %v: %d, %q, %q, want %d %q", c.words, status, said, problems, c.status, c.want)
		}
	}
	list := must(t, "", "media", "hosts", "--database-url", m.URL)
	if strings.Count(list, "not before 2040-01-02T03:04:05Z") != 1 {
		t.Errorf("media hosts does not say when HUB1 gets it:\n%s", list)
	}
	if strings.Count(list, "waiting") != 2 || !strings.Contains(list, "CAS1") || !strings.Contains(list, "HUB1") {
		t.Errorf("media hosts is\n%s", list)
	}
}
