package exchange

import "fmt"

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
