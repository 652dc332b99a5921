package windows

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Chunk is a part of a file.
type Chunk struct {
	Exists bool
	Length int64 // of the whole file now
	Offset int64 // where Data begins; less than asked for when the file is shorter
	Data   []byte
}

const (
	maxRead    = 48 << 10 // of raw bytes in one answer
	writeChunk = 6000     // of raw bytes in one command line: 8,000 characters of base64
)

// ReadFile reads at most max bytes from offset, also of a file that another
// program writes to.
func (h *Host) ReadFile(ctx context.Context, path string, offset int64, limit int) (Chunk, error) {
	if limit <= 0 || limit > maxRead {
		limit = maxRead
	}
	r, err := h.script(ctx, "file-read", path, strconv.FormatInt(offset, 10), strconv.Itoa(limit))
	if err != nil {
		return Chunk{}, fmt.Errorf("read file %s: %w", path, err)
	}
	if r.Get("exists") != "1" {
		return Chunk{}, nil
	}
	c := Chunk{Exists: true}
	if c.Length, err = strconv.ParseInt(r.Get("length"), 10, 64); err == nil {
		c.Offset, err = strconv.ParseInt(r.Get("offset"), 10, 64)
	}
	if err == nil {
		c.Data, err = base64.StdEncoding.DecodeString(r.Get("data"))
	}
	if err == nil && len(c.Data) > limit {
		err = fmt.Errorf("%d bytes came, %d were asked for", len(c.Data), limit)
	}
	if err != nil {
		return Chunk{}, fmt.Errorf("read file %s: %w", path, err)
	}
	return c, nil
}

// WriteFile writes a small file: into a .part beside it, compared by SHA-256,
// then renamed. A repeated call starts again.
func (h *Host) WriteFile(ctx context.Context, path string, data []byte) error {
	sum := sha256.Sum256(data)
	want := hex.EncodeToString(sum[:])
	for offset := 0; ; offset += writeChunk {
		end := min(offset+writeChunk, len(data))
		last := "0"
		if end == len(data) {
			last = "1"
		}
		r, err := h.script(ctx, "file-write", path, strconv.Itoa(offset), base64.StdEncoding.EncodeToString(data[offset:end]), last)
		if err != nil {
			return fmt.Errorf("write file %s: %w", path, err)
		}
		if last == "1" {
			if got := r.Get("sha256"); got != want {
				return fmt.Errorf("write file %s: SHA-256 on the host is %s, want %s", path, got, want)
			}
			return nil
		}
	}
}

// DirEntry is one entry of a folder.
type DirEntry struct {
	Name     string
	Folder   bool
	Length   int64
	Modified time.Time
}

// List lists a folder; false when it does not exist.
func (h *Host) List(ctx context.Context, path string) ([]DirEntry, bool, error) {
	r, err := h.script(ctx, "folder-list", path)
	if err != nil {
		return nil, false, fmt.Errorf("list folder %s: %w", path, err)
	}
	if r.Get("exists") != "1" {
		return nil, false, nil
	}
	var out []DirEntry
	for _, line := range r.All("entry") {
		f := strings.Split(line, "|")
		if len(f) != 4 {
			return nil, false, fmt.Errorf("list folder %s: entry %q", path, line)
		}
		length, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return nil, false, fmt.Errorf("list folder %s: entry %q: %w", path, line, err)
		}
		when, err := time.Parse(time.RFC3339Nano, f[3])
		if err != nil {
			return nil, false, fmt.Errorf("list folder %s: entry %q: %w", path, line, err)
		}
		out = append(out, DirEntry{Name: f[0], Folder: f[1] == "d", Length: length, Modified: when})
	}
	return out, true, nil
}

// ForeignFolderError says that a folder of ours exists with another owner,
// other entries in its DACL or as a junction: somebody else made it, so
// nothing may be put into it.
type ForeignFolderError struct{ Path, Owner, Entries string }

// Error names the folder and what was found.
func (e *ForeignFolderError) Error() string {
	return fmt.Sprintf("folder %s was not made by Wavekeeper: owner %s, entries %s", e.Path, e.Owner, e.Entries)
}

// MakeFolder makes a folder that only SYSTEM and the local administrators can
// use, or checks that an existing one is like that.
func (h *Host) MakeFolder(ctx context.Context, path string) error {
	r, err := h.script(ctx, "folder-make", path)
	if err != nil {
		return fmt.Errorf("make folder %s: %w", path, err)
	}
	switch r.Get("state") {
	case "made", "present":
		return nil
	case "foreign":
		return &ForeignFolderError{Path: path, Owner: r.Get("owner"), Entries: r.Get("entries")}
	default:
		return fmt.Errorf("make folder %s: state %q", path, r.Get("state"))
	}
}

// removable is what RemoveFolder may touch: a folder of one host task, never
// anything above.
func removable(path string) bool {
	name, below := strings.CutPrefix(path, Tasks+`\`)
	return below && taskName.MatchString(name)
}

// RemoveFolder deletes the folder of a host task with everything in it; one
// that is not there is fine. Whether it is gone, only a list says: rd gives no
// exit code. A folder that stays, since a program holds a file of it open or has
// it as its current one, is an error.
func (h *Host) RemoveFolder(ctx context.Context, path string) error {
	if !removable(path) {
		return fmt.Errorf("remove folder %s: it is no folder of a host task", path)
	}
	if _, err := h.Run(ctx, `rd /s /q "`+path+`"`); err != nil {
		return fmt.Errorf("remove folder %s: %w", path, err)
	}
	left, there, err := h.List(ctx, path)
	if err != nil {
		return fmt.Errorf("remove folder %s: %w", path, err)
	}
	if there {
		return fmt.Errorf("remove folder %s: it is still there with %d entries; a program holds it or a file in it open", path, len(left))
	}
	return nil
}
