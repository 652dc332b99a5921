package media

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The ways in which a file lies in a bundle.
const (
	Plain   = "plain"
	Deflate = "deflate"
)

// Entry is one unpacked file.
type Entry struct {
	SHA256 string // 64 hex digits, of the unpacked file
	Size   int64  // unpacked
	Stored int64  // in the bundle
	How    string // Plain or Deflate
	Path   string // with backslashes, below the folder
}

// Manifest is the unpacked files of a package, in the bundle's order.
type Manifest struct {
	Entries []Entry
	Size    int64 // of all files, unpacked
}

// manifestHead is the first word of a manifest. The format, ASCII with CRLF:
// head|count|size, and for each file sha256|size|stored|how|path.
const manifestHead = "wavekeeper-media/1"

// Bytes is the manifest as it is hashed and sent.
func (m Manifest) Bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s|%d|%d\r\n", manifestHead, len(m.Entries), m.Size)
	for _, e := range m.Entries {
		fmt.Fprintf(&b, "%s|%d|%d|%s|%s\r\n", e.SHA256, e.Size, e.Stored, e.How, e.Path)
	}
	return b.Bytes()
}

var hex64 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ParseManifest reads what Bytes wrote, and nothing else.
func ParseManifest(raw []byte) (Manifest, error) {
	var m Manifest
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<16)
	seen := map[string]bool{}
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			continue // the head is compared below, with everything else
		}
		e, err := parseEntry(lines.Text())
		if low := strings.ToLower(e.Path); err == nil && seen[low] {
			err = errors.New("a path that was there already")
		} else {
			seen[low] = true
		}
		if err != nil {
			return Manifest{}, fmt.Errorf("manifest, line %d: %w", n, err)
		}
		m.Entries, m.Size = append(m.Entries, e), m.Size+e.Size
	}
	if err := lines.Err(); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	if !bytes.Equal(m.Bytes(), raw) {
		return Manifest{}, errors.New("manifest: its head does not fit its lines, or it is cut off")
	}
	return m, nil
}

func parseEntry(line string) (Entry, error) {
	f := strings.Split(line, "|")
	if len(f) != 5 || !hex64.MatchString(f[0]) || f[3] != Plain && f[3] != Deflate {
		return Entry{}, fmt.Errorf("%.80q is no file's line", line)
	}
	size, err1 := strconv.ParseInt(f[1], 10, 64)
	stored, err2 := strconv.ParseInt(f[2], 10, 64)
	if err := errors.Join(err1, err2, badPath(f[4])); err != nil {
		return Entry{}, err
	}
	if size < 0 || stored < 0 {
		return Entry{}, errors.New("a negative size")
	}
	return Entry{SHA256: f[0], Size: size, Stored: stored, How: f[3], Path: f[4]}, nil
}

// maxPath leaves room for the folder in front: Windows stops at 260 characters.
const maxPath = 180

var safeName = regexp.MustCompile(`^[A-Za-z0-9 _.,()+=@~{}\[\]$#&!;'^%-]+$`)

// badPath refuses what Windows cannot store under this very name (CreateFile,
// "Naming Files, Paths, and Namespaces": reserved devices, a dot or blank at the
// end), what leads out of the folder, and what the manifest cannot carry.
func badPath(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("%q: longer than %d characters; Windows stops at 260 with the folder in front", path, maxPath)
	}
	for part := range strings.SplitSeq(path, `\`) {
		if !safeName.MatchString(part) || strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") || device(part) {
			return fmt.Errorf("%q: a name that Windows cannot take", path)
		}
	}
	return nil
}

// device reports a name that Windows takes for a device, whatever its extension.
func device(name string) bool {
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	base = strings.TrimRight(base, " ")
	numbered := len(base) == 4 && (strings.HasPrefix(base, "com") || strings.HasPrefix(base, "lpt")) && base[3] >= '0' && base[3] <= '9'
	return numbered || slices.Contains([]string{"con", "prn", "aux", "nul", "conin$", "conout$"}, base)
}
