package exchange

import (
	"fmt"
	"strings"
)

// PackageKind says what a package is: its rules of order and its command differ.
type PackageKind string

// The kinds of packages. Original is RTM, which is never installed over anything.
const (
	Original    PackageKind = "original"
	ServicePack PackageKind = "service-pack"
	Rollup      PackageKind = "rollup"
)

// Package is what is installed: a service pack or an update rollup. Media
// (folder, hash, language, architecture) are not known here.
type Package struct {
	Name      string // "sp1", "sp1-ru4"
	Words     string // "SP1", "SP1 RU4"
	Kind      PackageKind
	Target    Build  // what ConfiguredVersion is at least when it succeeded
	Released  string // date, or month where the day is not known
	KB        string // Microsoft's article; "" when not known
	KBSeen    bool   // the number was read in a source; otherwise it is as remembered
	Withdrawn bool   // Microsoft took it back

	// MustKnow is what whoever submits it confirms to have read; Needs what has to
	// be there first; Links are the pages of Microsoft and others. Shared: read only.
	MustKnow []Point
	Needs    []Point
	Links    []Link
}

// Packages lists what can be installed: the service packs and all rollups, in
// the order of their builds.
func Packages() []Package {
	out := make([]Package, 0, len(releases))
	for _, p := range releases {
		if p.Kind != Original {
			out = append(out, p)
		}
	}
	return out
}

// PackageByName finds a package by its name ("sp1") or words ("SP1 RU4"),
// without regard to case. The error names the nearest.
func PackageByName(name string) (Package, error) {
	wanted := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "-")
	var names []string
	for _, p := range Packages() {
		if p.Name == wanted {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Package{}, fmt.Errorf("unknown package %q%s", name, Near(wanted, names, ": the nearest is"))
}

// Applies reports whether the package can be installed over a build: a service
// pack over anything older, a rollup only over its own service pack level (the
// series are independent). An unknown build is taken as one that fits.
func (p Package) Applies(b Build) bool {
	if b.IsZero() {
		return true
	}
	if p.Kind == Rollup && b.ServicePack() != p.Target.ServicePack() {
		return false
	}
	return b.Compare(p.Target) < 0
}
