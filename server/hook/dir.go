// Package hook runs what users bind to the points of a runbook: programs in a
// directory that only the system's administrator writes, and webhooks to hosts
// that an admin allowed. It knows no rollouts and no database: which hooks may
// run, and with which hash, is its caller's to say.
package hook

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// points are those of a runbook, in the order in which an upgrade comes to them.
var points = []string{"announce", "drain", "cms-stop", "cms-online", "undrain", "after"}

// Points lists the points that a hook may be bound to, in their order.
func Points() []string { return slices.Clone(points) }

// File is one program of a directory of hooks.
type File struct {
	Point  string
	Name   string // of the file: "drain.10-balancer"
	SHA256 string // of its bytes, lower-case hex
}

// Dir is a directory of hooks. The zero Dir holds none.
type Dir struct {
	// Path is absolute, or empty for none.
	Path string
}

// ErrOthersWrite says that somebody besides the system's administrator and the
// account of this program could put a program of his own in a hook's place.
var ErrOthersWrite = errors.New("others may write there")

// most bounds what one directory may hold and how long a hook's file may be.
const (
	mostFiles = 100
	mostBytes = 64 << 20
)

// fileName is a point, and after a dot anything that is safe in a log: the
// names decide the order of the hooks of one point.
var fileName = regexp.MustCompile(`^([a-z][a-z-]*)(\.[A-Za-z0-9][A-Za-z0-9._-]*)?$`)

// Open takes a directory of hooks after checking that nobody but the system's
// administrator, or the account of this program, can change it or what lies on
// the way to it. Every file in it is checked, too.
func Open(path string) (Dir, error) {
	if path == "" {
		return Dir{}, nil
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return Dir{}, fmt.Errorf("find the directory of hooks: %w", err)
	}
	d := Dir{Path: full}
	if _, err := d.List(); err != nil {
		return Dir{}, err
	}
	return d, nil
}

// List returns the hooks of the directory with their hashes, by point and name.
// A file that is no hook, that others may write, or that lies elsewhere by a
// link, is an error: a hook that is silently left out is worse than none. Names
// that begin with a dot are not looked at.
func (d Dir) List() ([]File, error) {
	if d.Path == "" {
		return nil, nil
	}
	real, err := d.check()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return nil, fmt.Errorf("read the directory of hooks: %w", err)
	}
	var files []File
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(strings.ToUpper(e.Name()), "README") {
			continue
		}
		f, err := d.file(real, e.Name())
		if err != nil {
			return nil, err
		}
		if files = append(files, f); len(files) > mostFiles {
			return nil, fmt.Errorf("the directory of hooks %s holds more than %d files", d.Path, mostFiles)
		}
	}
	slices.SortFunc(files, func(a, b File) int { return Order(a.Point, a.Name, b.Point, b.Name) })
	return files, nil
}

// Order compares two hooks as they run: by point, then by name.
func Order(point, name, otherPoint, otherName string) int {
	if by := slices.Index(points, point) - slices.Index(points, otherPoint); by != 0 {
		return by
	}
	return strings.Compare(name, otherName)
}

// check follows the directory's links and looks at all that leads to it.
func (d Dir) check() (real string, err error) {
	real, err = filepath.EvalSymlinks(d.Path)
	if err != nil {
		return "", fmt.Errorf("find the directory of hooks: %w", err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", fmt.Errorf("look at the directory of hooks: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("the directory of hooks %s is a file", d.Path)
	}
	if err := onlyAdmin(real, info, false); err != nil {
		return "", fmt.Errorf("the directory of hooks %s is refused: %w", d.Path, err)
	}
	for at := filepath.Dir(real); ; at = filepath.Dir(at) {
		above, err := os.Stat(at)
		if err != nil {
			return "", fmt.Errorf("look at what leads to the directory of hooks: %w", err)
		}
		if err := onlyAdmin(at, above, true); err != nil {
			return "", fmt.Errorf("the directory of hooks %s is refused, since it could be replaced: %w", d.Path, err)
		}
		if at == filepath.Dir(at) {
			return real, nil
		}
	}
}

// onlyAdmin refuses what others may write. Above a directory of hooks the
// sticky bit is enough: there nobody replaces what is not his.
func onlyAdmin(path string, info fs.FileInfo, above bool) error {
	if info.Mode().Perm()&0o022 != 0 && (!above || info.Mode()&fs.ModeSticky == 0) {
		return fmt.Errorf("%s has the mode %04o: %w; take the right to write from group and others (chmod go-w)", path, info.Mode().Perm(), ErrOthersWrite)
	}
	if owner, known := foreignOwner(info); known {
		return fmt.Errorf("%s belongs to the account with the number %d: %w; give it to root (chown root)", path, owner, ErrOthersWrite)
	}
	return nil
}

// file checks one file and takes its hash.
func (d Dir) file(real, name string) (File, error) {
	m := fileName.FindStringSubmatch(name)
	if m == nil || !slices.Contains(points, m[1]) {
		return File{}, fmt.Errorf("%s in the directory of hooks is no hook: its name is a point (%s), and may go on after a dot, such as drain.10-balancer", name, strings.Join(points, ", "))
	}
	path, err := inside(real, name)
	if err != nil {
		return File{}, err
	}
	sum, err := hash(path)
	if err != nil {
		return File{}, fmt.Errorf("read the hook %s: %w", name, err)
	}
	return File{Point: m[1], Name: name, SHA256: sum}, nil
}

// inside is the real path of a hook: a link may lead to another file of the
// directory, as volumes of Kubernetes do, but not out of it.
func inside(real, name string) (string, error) {
	path, err := filepath.EvalSymlinks(filepath.Join(real, name))
	if err != nil {
		return "", fmt.Errorf("find the hook %s: %w", name, err)
	}
	rel, err := filepath.Rel(real, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("the hook %s is refused: it is a link to %s, which lies outside of the directory of hooks", name, path)
	}
	for at := path; at != real; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		if err != nil {
			return "", fmt.Errorf("look at the hook %s: %w", name, err)
		}
		if err := onlyAdmin(at, info, false); err != nil {
			return "", fmt.Errorf("the hook %s is refused: %w", name, err)
		}
		if at != path {
			continue
		}
		switch {
		case !info.Mode().IsRegular():
			return "", fmt.Errorf("the hook %s is refused: it is no file", name)
		case info.Mode().Perm()&0o100 == 0:
			return "", fmt.Errorf("the hook %s is refused: it may not be executed (chmod u+x)", name)
		case info.Size() > mostBytes:
			return "", fmt.Errorf("the hook %s is refused: it is longer than %d MB", name, mostBytes>>20)
		}
	}
	return path, nil
}

func hash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
