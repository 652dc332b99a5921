package exchange

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Build is a version of Exchange: 8.1.240.6 is SP1. The zero Build is "unknown".
type Build struct {
	Major, Minor, Build, Revision int
}

// IsZero reports whether the build is unknown.
func (b Build) IsZero() bool { return b == Build{} }

// String returns the short form, "8.1.240.6", or "" when unknown.
func (b Build) String() string {
	if b.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d.%d", b.Major, b.Minor, b.Build, b.Revision)
}

// ServicePack is the service pack level: 0 for RTM, 1 for SP1. It is 0 for an
// unknown build too; ask IsZero first where the difference matters.
func (b Build) ServicePack() int { return b.Minor }

// Serial returns the form that Active Directory's serialNumber has,
// "Version 8.1 (Build 30240.6)".
func (b Build) Serial() string {
	if b.IsZero() {
		return ""
	}
	return fmt.Sprintf("Version %d.%d (Build %d.%d)", b.Major, b.Minor, serialOffset+b.Build, b.Revision)
}

// serialOffset is what Exchange adds to the build in serialNumber.
const serialOffset = 30000

var (
	dottedBuild   = regexp.MustCompile(`^(\d{1,2})\.(\d{1,2})\.(\d{1,5})\.(\d{1,5})$`)
	versionNumber = regexp.MustCompile(`^\d{10}$`)
	serialBuild   = regexp.MustCompile(`(?i)^version\s+(\d{1,2})\.(\d{1,2})\s*\(build\s+(\d{1,5})\.(\d{1,5})\)$`)
)

// ParseBuild reads "8.0.685.25", the file form "8.00.0685.025",
// "Version 8.0 (Build 30685.25)" with and without the 30000 that Active
// Directory adds, or the number of Active Directory's versionNumber,
// "1912701168". That number holds no revision: it is that of the oldest release
// with the build, or 0. An empty string is the unknown build.
func ParseBuild(s string) (Build, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Build{}, nil
	}
	if number := versionNumber.FindString(s); number != "" {
		return numberedBuild(number)
	}
	m := dottedBuild.FindStringSubmatch(s)
	serial := m == nil
	if serial {
		m = serialBuild.FindStringSubmatch(s)
	}
	if m == nil {
		return Build{}, fmt.Errorf("%q is no build such as 8.0.685.25, Version 8.0 (Build 30685.25) or 1912636077", s)
	}
	var n [4]int
	for i := range n {
		v, err := strconv.Atoi(m[i+1])
		if err != nil {
			return Build{}, fmt.Errorf("read build %q: %w", s, err)
		}
		n[i] = v
	}
	if serial && n[2] >= serialOffset {
		n[2] -= serialOffset
	}
	return Build{n[0], n[1], n[2], n[3]}, nil
}

// numberedBuild reads a versionNumber: from the top four bits 7, six of the major
// and six of the minor version, a set bit, fifteen of the build. Source: public
// code; each number of Microsoft's build list fits.
func numberedBuild(s string) (Build, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n>>28 != 7 || n>>15&1 != 1 {
		return Build{}, fmt.Errorf("%q is no versionNumber of Exchange such as 1912636077", s)
	}
	b := Build{Major: int(n >> 22 & 0x3f), Minor: int(n >> 16 & 0x3f), Build: int(n & 0x7fff)}
	for _, p := range releases {
		if t := p.Target; t.Major == b.Major && t.Minor == b.Minor && t.Build == b.Build {
			return t, nil
		}
	}
	return b, nil
}

// sameBuild lists builds that public sources write differently for one
// release; they compare as equal (RTM .24/.25, SP1 .5/.6, SP1 RU4, SP3 RU13).
var sameBuild = map[Build]Build{
	{8, 0, 685, 24}: {8, 0, 685, 25},
	{8, 1, 240, 5}:  {8, 1, 240, 6},
	{8, 1, 311, 2}:  {8, 1, 311, 3},
	{8, 3, 348, 1}:  {8, 3, 348, 2},
}

// Compare orders two builds: negative when b is older. Builds that sources
// write differently for one release are equal. The unknown build is the oldest.
func (b Build) Compare(other Build) int {
	b, other = b.settled(), other.settled()
	return cmp.Or(
		cmp.Compare(b.Major, other.Major),
		cmp.Compare(b.Minor, other.Minor),
		cmp.Compare(b.Build, other.Build),
		cmp.Compare(b.Revision, other.Revision),
	)
}

// AtLeast reports whether a known build is the target or newer.
func (b Build) AtLeast(target Build) bool { return !b.IsZero() && b.Compare(target) >= 0 }

func (b Build) settled() Build {
	if same, ok := sameBuild[b]; ok {
		return same
	}
	return b
}

// Words names the release: "RTM", "SP1", "SP1 RU4"; a build between two
// releases is its service pack and the digits; an unknown build is "unknown".
func (b Build) Words() string {
	if b.IsZero() {
		return "unknown"
	}
	for _, p := range releases {
		if p.Target.Compare(b) == 0 {
			return p.Words
		}
	}
	return fmt.Sprintf("%s (%s)", levelWords(b.Minor), b)
}

// levelWords names a service pack level.
func levelWords(level int) string {
	if level == 0 {
		return "RTM"
	}
	return fmt.Sprintf("SP%d", level)
}
