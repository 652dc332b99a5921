package media

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Shelf is the folder of a console that holds bundles by their hashes. Any
// number of processes may use it at once; a bundle is there whole or not at all.
type Shelf struct {
	dir string

	mu    sync.Mutex
	known map[string]known
	bad   map[string]known // as they were when their hash was wrong: they are not hashed for each host that asks
}

// known is a bundle as it was when its hash was last right.
type known struct {
	size     int64
	modified time.Time
	inode    uint64
}

// File is one bundle on this machine's disk, as it was when its hash was right.
type File struct {
	SHA256   string
	Path     string
	Size     int64
	Modified time.Time
}

// Bundle is a tree as it was packed.
type Bundle struct {
	SHA256         string
	Size           int64
	Manifest       Manifest
	ManifestBytes  []byte
	ManifestSHA256 string
}

// Sum is the SHA-256 of one file of the bundle, by its path without regard to
// case; "" = it is not there.
func (b Bundle) Sum(path string) string {
	for _, e := range b.Manifest.Entries {
		if strings.EqualFold(e.Path, path) {
			return e.SHA256
		}
	}
	return ""
}

// workPrefix names folders of work that is not done.
const workPrefix = ".adding-"

// OpenShelf makes the folder when it is missing, and removes what programs left
// in it that ended in the middle of their work.
func OpenShelf(dir string) (*Shelf, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, told("make the folder for media "+dir, err)
	}
	if err := clearAway(dir); err != nil {
		return nil, err
	}
	return &Shelf{dir: dir, known: map[string]known{}, bad: map[string]known{}}, nil
}

// clearAway removes work that is not done and that no process is at.
func clearAway(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, workPrefix+"*"))
	if err != nil {
		return told(dir, err)
	}
	for _, work := range left {
		held, err := lock(work)
		if err != nil {
			continue
		}
		if err := errors.Join(os.RemoveAll(work), held.Close()); err != nil {
			return told("remove what was left in "+work, err)
		}
	}
	return nil
}

// Dir is the shelf's folder.
func (s *Shelf) Dir() string { return s.dir }

// Work makes a folder on the shelf's disk for something large, which the second
// value removes. When the program is killed, the next OpenShelf does.
func (s *Shelf) Work() (string, func(), error) {
	for range 10 {
		work, err := os.MkdirTemp(s.dir, workPrefix)
		if err != nil {
			return "", nil, told(s.dir, err)
		}
		held, err := lock(work)
		if err != nil {
			continue // somebody cleared it away before it was locked
		}
		return work, func() {
			os.RemoveAll(work)
			held.Close()
		}, nil
	}
	return "", nil, fmt.Errorf("%s: no folder to work in can be kept", s.dir)
}

// lock holds a folder or file for this process; it fails when another one does.
func lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Path is where a bundle lies, or would.
func (s *Shelf) Path(sha256 string) string { return filepath.Join(s.dir, sha256+Extension) }

// Add packs a tree and puts the bundle on the shelf. It is there whole or not at
// all, whenever the program is killed.
func (s *Shelf) Add(ctx context.Context, tree string, progress func(done, all int64)) (Bundle, error) {
	work, done, err := s.Work()
	if err != nil {
		return Bundle{}, err
	}
	defer done()
	var b Bundle
	err = s.put(work, func(out io.Writer) (name string, err error) {
		hash := sha256.New()
		all := &counter{w: io.MultiWriter(out, hash)}
		if b.Manifest, err = Pack(ctx, tree, all, progress); err != nil {
			return "", err
		}
		b.ManifestBytes = b.Manifest.Bytes()
		sum := sha256.Sum256(b.ManifestBytes)
		b.SHA256, b.Size, b.ManifestSHA256 = hex.EncodeToString(hash.Sum(nil)), all.n, hex.EncodeToString(sum[:])
		return s.Path(b.SHA256), nil
	})
	if err != nil {
		return Bundle{}, err
	}
	return b, nil
}

// Export copies a bundle into a folder, a share or a mirror, under its own name.
func (s *Shelf) Export(ctx context.Context, sha string, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", told("make the folder "+dir, err)
	}
	if err := clearAway(dir); err != nil {
		return "", err
	}
	in, err := os.Open(s.Path(sha))
	if err != nil {
		return "", told(s.Path(sha), err)
	}
	defer in.Close()
	to := filepath.Join(dir, sha+Extension)
	err = s.put(dir, func(out io.Writer) (string, error) {
		hash := sha256.New()
		if _, err := io.Copy(io.MultiWriter(out, hash), &reader{ctx: ctx, r: in}); err != nil {
			return "", told(to, err)
		}
		if got := hex.EncodeToString(hash.Sum(nil)); got != sha {
			return "", fmt.Errorf("%s: %w", s.Path(sha), ErrChanged)
		}
		return to, nil
	})
	return to, err
}

// put writes a file beside its place and moves it there when it is on the disk.
// write returns the place, or an error that says where already.
func (s *Shelf) put(work string, write func(io.Writer) (string, error)) (err error) {
	f, err := os.CreateTemp(work, workPrefix+"file-")
	if err != nil {
		return told(work, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(told(f.Name(), err), f.Close())
	}
	buffered := bufio.NewWriterSize(f, 1<<20)
	to, err := write(buffered)
	if err == nil {
		err = told(f.Name(), buffered.Flush())
	}
	if err = errors.Join(err, told(f.Name(), f.Chmod(0o644)), told(f.Name(), f.Sync()), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), to); err != nil {
		return told(to, err)
	}
	return told(filepath.Dir(to), syncDir(filepath.Dir(to)))
}

// syncDir makes a file's name last as its content does.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Remove takes a bundle from the shelf; one that is not there is no error.
func (s *Shelf) Remove(sha256 string) error {
	if err := os.Remove(s.Path(sha256)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return told(s.Path(sha256), err)
	}
	return nil
}

// File returns a bundle that this process has hashed since it last changed:
// fs.ErrNotExist when it is not here, ErrChanged when its content is not what its
// name says.
func (s *Shelf) File(ctx context.Context, sha string) (File, error) {
	if !hex64.MatchString(sha) {
		return File{}, fmt.Errorf("%.80q: %w", sha, fs.ErrNotExist)
	}
	s.mu.Lock()
	defer s.mu.Unlock() // one at a time: the second who asks finds it known
	f, err := os.Open(s.Path(sha))
	if err != nil {
		return File{}, told(s.Path(sha), err)
	}
	defer f.Close()
	now, err := look(f)
	if err != nil {
		return File{}, told(s.Path(sha), err)
	}
	if s.bad[sha] == now {
		return File{}, fmt.Errorf("%s: %w", s.Path(sha), ErrChanged)
	}
	if s.known[sha] != now {
		hash := sha256.New()
		if _, err := io.Copy(hash, &reader{ctx: ctx, r: f}); err != nil {
			return File{}, told(s.Path(sha), err)
		}
		if hex.EncodeToString(hash.Sum(nil)) != sha {
			s.bad[sha] = now
			return File{}, fmt.Errorf("%s: %w", s.Path(sha), ErrChanged)
		}
		s.known[sha] = now
		delete(s.bad, sha)
	}
	return File{SHA256: sha, Path: s.Path(sha), Size: now.size, Modified: now.modified}, nil
}

// Doubt lets the next File hash a bundle again: a host had all of it, and it was
// not what its name says. A disk that gives other bytes than before changes no time.
func (s *Shelf) Doubt(sha string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, sha)
}

func look(f *os.File) (known, error) {
	info, err := f.Stat()
	if err != nil {
		return known{}, err
	}
	if !info.Mode().IsRegular() {
		return known{}, errors.New("no regular file")
	}
	k := known{size: info.Size(), modified: info.ModTime()}
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		k.inode = system.Ino
	}
	return k, nil
}

// Bundles lists what is on the shelf, by hash.
func (s *Shelf) Bundles() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(s.dir, "*"+Extension))
	if err != nil {
		return nil, told(s.dir, err)
	}
	var all []string
	for _, name := range names {
		if sum := strings.TrimSuffix(filepath.Base(name), Extension); hex64.MatchString(sum) {
			all = append(all, sum)
		}
	}
	return all, nil
}
