package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavekeeper/server/exchange"
)

// TestMediaAddTakesARollup: hosts find its one file under a fixed name, by its hash.
func TestMediaAddTakesARollup(t *testing.T) {
	t.Parallel()
	m := newMediaAt(t)
	path := filepath.Join(t.TempDir(), "Exchange2007-KB968012-x64-EN.msp")
	patch := []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1patch")
	if err := os.WriteFile(path, patch, 0o600); err != nil {
		t.Fatal(err)
	}
	status, said, problems := m.add(t, path, "--package", "sp1-ru8", "--language", "en,de", "--arch", "x64")
	if status != 0 || problems != "" || !strings.Contains(said, "registered media 1: sp1-ru8 x64") || !strings.Contains(said, "rollup.msp, build 8.1.375.2") {
		t.Fatalf("media add: %d, %q, %q", status, said, problems)
	}
	kept, folder, err := m.Store.MediaOf(t.Context(), "sp1-ru8", "de-DE", "x64")
	sum := sha256.Sum256(patch)
	if err != nil || kept.SetupSHA256 != hex.EncodeToString(sum[:]) || kept.Files != 1 || kept.FileName != "Exchange2007-KB968012-x64-EN.msp" {
		t.Errorf("kept as %+v in %s, %v", kept, folder, err)
	}
	if list := must(t, "", m.args("list", "--check")...); !strings.Contains(list, "yes, compared") {
		t.Errorf("media list --check is\n%s", list)
	}
}

// TestRollupsFileHasToBeWhatTheCommandLineSays: each refusal says what to do.
func TestRollupsFileHasToBeWhatTheCommandLineSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := file("Exchange2007-KB968012-x64-EN.msp")
	for _, c := range []struct {
		pkg, file, arch string
		um              []string
		want            string // of the refusal; "" = it is taken
	}{
		{"sp1-ru8", right, "x64", nil, ""},
		{"sp1-ru4", file("Exchange2007-KB952580-x64-EN.msp"), "x64", nil, ""},
		{"sp1-ru4", file("Exchange2007-KB999999-x64-EN.msp"), "x64", nil, ""}, // the number is remembered only: a warning
		{"sp1-ru4", right, "x64", nil, "which is SP1 RU8"},
		{"sp1-ru8", file("Exchange2007-KB960384-x64-EN.msp"), "x64", nil, "SP1 RU8 is KB968012"},
		{"sp1", right, "x64", nil, "is an update rollup, and SP1 a service pack"},
		{"sp1-ru8", file("E2K7SP1EN64.exe"), "x64", nil, "is no .msp"},
		{"sp1-ru8", "", "x64", nil, "name its one FILE"},
		{"sp1-ru8", right, "x86", nil, "--arch says x86"},
		{"sp1-ru8", file("Exchange2007-KB968012-x86-EN.msp"), "x86", nil, "of 32 bit"},
		{"sp1-ru8", right, "x64", []string{"de-DE"}, "leave --um-language out"},
	} {
		known, err := exchange.PackageByName(c.pkg)
		if err != nil {
			t.Fatal(err)
		}
		cmd := MediaAddCmd{File: c.file, Arch: c.arch, UMLanguage: c.um}
		err = cmd.fits(known)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s with %s for %s: %v, want %q", c.pkg, filepath.Base(c.file), c.arch, err, c.want)
		}
	}
}
