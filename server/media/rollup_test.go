package media_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"wavekeeper/server/media"
)

const compound = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

func TestRollupsAreRecognisedByNameAndFirstBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		name, data string
		want       media.Rollup
		err        error
	}{
		{"Exchange2007-KB952580-x64-EN.msp", compound + "patch", media.Rollup{KB: "952580", Arch: "x64", Language: "EN", Size: 13}, nil},
		{"exchange2007-kb4011325-X64-en (1).MSP", compound, media.Rollup{KB: "4011325", Arch: "x64", Language: "EN", Size: 8}, nil},
		{"Exchange2007-KB2530488-v2-x64-EN.msp", compound, media.Rollup{KB: "2530488", Arch: "x64", Language: "EN", Size: 8}, nil},
		{"Exchange2007-KB952580-x86-EN.msp", compound, media.Rollup{KB: "952580", Arch: "x86", Language: "EN", Size: 8}, nil},
		{"Exchange2007-KB952581-x64-EN.msp", "<html>", media.Rollup{}, media.ErrNoPatch},
		{"Exchange2007-KB952582-x64-EN.msp", "", media.Rollup{}, media.ErrNoPatch},
		{"rollup4.msp", compound, media.Rollup{}, media.ErrRollupName},
		{"Exchange2010-KB952580-x64-EN.msp", compound, media.Rollup{}, media.ErrRollupName},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := media.RecogniseRollup(path)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %+v, %v, want %+v, %v", c.name, got, err, c.want, c.err)
		}
	}
	if _, err := media.RecogniseRollup(filepath.Join(dir, "absent.msp")); err == nil {
		t.Error("a file that is not there was recognised")
	}
}

func TestRollupIsPlacedUnderTheNameThatHostsKnow(t *testing.T) {
	t.Parallel()
	from, dir := filepath.Join(t.TempDir(), "Exchange2007-KB952580-x64-EN.msp"), t.TempDir()
	if err := os.WriteFile(from, []byte(compound+"patch"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := media.PlaceRollup(from, dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, media.RollupFile))
	if err != nil || string(got) != compound+"patch" {
		t.Errorf("%q, %v", got, err)
	}
	if err := media.PlaceRollup(from, dir); err == nil {
		t.Error("a file was written over")
	}
}
