package media

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// RollupFile is the name of an update rollup's one file in its tree, whatever it
// was delivered as: hosts are told this name only.
const RollupFile = "rollup.msp"

// Rollup is what the name of an update rollup's file says.
type Rollup struct {
	KB       string // Microsoft's article, "952580"
	Arch     string // "x64" or "x86"
	Language string // "EN": one package serves every language
	Size     int64
}

// What may be wrong with the file of an update rollup.
var (
	// ErrNoPatch says that a file is no Windows Installer package.
	ErrNoPatch = errors.New("it is no Windows Installer package: it is damaged, cut off, or a page that a browser saved in its place")
	// ErrRollupName says that a file's name is not one of Microsoft's.
	ErrRollupName = errors.New("its name is none such as Exchange2007-KB952580-x64-EN.msp: name it as Microsoft does, so that article and architecture can be compared")
)

// rollupName is how Microsoft names them ("Installing Update Rollups on Clustered
// Mailbox Servers", technet bb885047: Exchange2007-KBXXXXXX-x64-EN.msp); browsers
// add (1) to a second download.
var rollupName = regexp.MustCompile(`(?i)^Exchange2007-KB([0-9]{6,7})(?:-v[0-9])?-(x64|x86)-([a-z]{2})(?: ?\([0-9]+\))?\.msp$`)

// compound begins every Windows Installer package: a compound file (MS-CFB 2.2).
var compound = []byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1}

// IsPatch reports whether a name is that of a Windows Installer patch.
func IsPatch(name string) bool { return strings.EqualFold(filepath.Ext(name), ".msp") }

// RecogniseRollup reads what a file's name and first bytes say. ErrNoPatch and
// ErrRollupName say what to do.
func RecogniseRollup(path string) (Rollup, error) {
	f, err := os.Open(path)
	if err != nil {
		return Rollup{}, told(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Rollup{}, told(path, err)
	}
	head := make([]byte, len(compound))
	if _, err := io.ReadFull(f, head); err != nil || !info.Mode().IsRegular() || !bytes.Equal(head, compound) {
		return Rollup{}, fmt.Errorf("%s: %w", path, ErrNoPatch)
	}
	m := rollupName.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return Rollup{}, fmt.Errorf("%s: %w", path, ErrRollupName)
	}
	return Rollup{KB: m[1], Arch: strings.ToLower(m[2]), Language: strings.ToUpper(m[3]), Size: info.Size()}, nil
}

// PlaceRollup copies an update rollup's file into an empty folder under the name
// that hosts know, so that Pack and everything after it take it as any package.
func PlaceRollup(path, dir string) error {
	from, err := os.Open(path)
	if err != nil {
		return told(path, err)
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, RollupFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return told(dir, err)
	}
	_, err = io.Copy(to, from)
	return told(dir, errors.Join(err, to.Close()))
}
