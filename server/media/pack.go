package media

import (
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// file is one file of a tree before it is packed.
type file struct {
	path    string // below the folder, with slashes
	windows string // with backslashes
	size    int64
}

// walk lists the files below the root in the order of their names. It refuses
// links, names that Windows cannot take and names that differ in case only.
func walk(root *os.Root) ([]file, error) {
	var files []file
	seen := map[string]string{}
	err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
		windows := strings.ReplaceAll(path, "/", `\`)
		if err := badPath(windows); err != nil {
			return err
		}
		low := strings.ToLower(windows)
		if other := seen[low]; other != "" {
			return fmt.Errorf("%s and %s are one file on Windows", other, windows)
		}
		seen[low] = windows
		info, err := d.Info()
		if err != nil {
			return err
		}
		files = append(files, file{path, windows, info.Size()})
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("there are no files in it")
	}
	return files, err
}

// Pack writes the files below dir as one bundle and returns their manifest.
// progress, which may be nil, is told how many bytes of how many are packed.
func Pack(ctx context.Context, dir string, out io.Writer, progress func(done, all int64)) (Manifest, error) {
	root, err := os.OpenRoot(dir) // no link leads out of it
	if err != nil {
		return Manifest{}, told(dir, err)
	}
	defer root.Close()
	files, err := walk(root)
	if err != nil {
		return Manifest{}, told(dir, err)
	}
	var all int64
	for _, f := range files {
		all += f.size
	}
	var m Manifest
	bundle := &counter{w: out}
	for _, f := range files {
		e, err := packFile(ctx, root, f, bundle)
		if err != nil {
			return Manifest{}, told(dir+"/"+f.path, err)
		}
		m.Entries, m.Size = append(m.Entries, e), m.Size+e.Size
		if progress != nil {
			progress(m.Size, all)
		}
	}
	// At the end: what is stored is known only now, and a bundle stays one stream.
	if _, err := bundle.Write(m.Bytes()); err != nil {
		return Manifest{}, fmt.Errorf("write the manifest: %w", err)
	}
	return m, nil
}

func packFile(ctx context.Context, root *os.Root, f file, out io.Writer) (Entry, error) {
	in, err := root.Open(f.path)
	if err != nil {
		return Entry{}, err
	}
	defer in.Close()
	e := Entry{Path: f.windows, How: Plain}
	if helps(in) {
		e.How = Deflate
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return Entry{}, err
	}
	hash, stored := sha256.New(), &counter{w: out}
	from := &reader{ctx: ctx, r: in}
	if e.How == Plain {
		e.Size, err = io.Copy(io.MultiWriter(hash, stored), from)
	} else {
		e.Size, err = deflate(hash, stored, from)
	}
	e.SHA256, e.Stored = hex.EncodeToString(hash.Sum(nil)), stored.n
	return e, err
}

// deflate compresses what is read to out, and passes it to also as it is.
func deflate(also, out io.Writer, in io.Reader) (int64, error) {
	z, err := flate.NewWriter(out, flate.DefaultCompression)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.MultiWriter(also, z), in)
	if err != nil {
		return n, err
	}
	return n, z.Close()
}

// helps tries the first megabyte: .msi and .cab are compressed already.
func helps(r io.Reader) bool {
	stored := &counter{w: io.Discard}
	n, err := deflate(io.Discard, stored, io.LimitReader(r, 1<<20))
	return err == nil && stored.n < n-n/10
}

// counter counts, and refuses what no bundle may be.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	if c.n+int64(len(p)) > MaxBundle {
		return 0, ErrTooBig
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
