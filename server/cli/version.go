package cli

import (
	"fmt"
	"runtime/debug"
)

// VersionCmd prints the version.
type VersionCmd struct{}

// Run prints the module's version and the Go version it was built with.
func (VersionCmd) Run(g *Globals) error {
	version, goVersion := "devel", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		if v := info.Main.Version; v != "" && v != "(devel)" {
			version = v
		}
	}
	_, err := fmt.Fprintf(g.Stdout, "wavekeeper %s %s\n", version, goVersion)
	return err
}
