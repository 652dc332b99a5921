package cli

import (
	"errors"
	"fmt"

	"wavekeeper/server/exchange"
	"wavekeeper/server/media"
	"wavekeeper/server/store"
)

// runs is the file of a package that hosts run.
func runs(p exchange.Package) string {
	if p.Kind == exchange.Rollup {
		return media.RollupFile
	}
	return "setup.com"
}

// fits refuses a FILE that is not of the kind that --package says, and a rollup of
// another article or architecture.
func (c *MediaAddCmd) fits(known exchange.Package) error {
	switch {
	case known.Kind == exchange.ServicePack && media.IsPatch(c.File):
		return fmt.Errorf("%s is an update rollup, and %s a service pack: name the rollup with --package, such as %s-ru1", c.File, known.Words, known.Name)
	case known.Kind == exchange.ServicePack:
		return nil
	case c.File == "":
		return fmt.Errorf("%s is an update rollup: name its one FILE, such as Exchange2007-KB%s-x64-EN.msp", known.Words, known.KB)
	case !media.IsPatch(c.File):
		return fmt.Errorf("%s is no .msp, and %s is an update rollup: take the file as Microsoft delivered it, or correct --package", c.File, known.Words)
	case len(c.UMLanguage) > 0:
		return errors.New("an update rollup holds no language packs: leave --um-language out")
	}
	found, err := media.RecogniseRollup(c.File)
	switch {
	case err != nil:
		return err
	case found.Arch != c.Arch:
		return fmt.Errorf("%s is for %s, and --arch says %s: get the other file, or correct --arch", c.File, found.Arch, c.Arch)
	case found.Arch != "x64":
		return fmt.Errorf("%s is of 32 bit: no server that Exchange supports takes it (technet ff772434)", c.File)
	case known.KB != "" && known.KB != found.KB && known.KBSeen:
		return fmt.Errorf("%s is of article KB%s, and %s is KB%s: get the other file, or correct --package", c.File, found.KB, known.Words, known.KB)
	}
	for _, other := range exchange.Packages() {
		if other.Kind == exchange.Rollup && other.KB == found.KB && other.KBSeen && other.Name != known.Name && known.KB != found.KB {
			return fmt.Errorf("%s is of article KB%s, which is %s, and --package says %s", c.File, found.KB, other.Words, known.Words)
		}
	}
	return nil
}

// sayRollup prints what is registered now, and what a person should look at.
func sayRollup(g *Globals, file string, m store.Medium, known exchange.Package, shelf *media.Shelf) error {
	if found, err := media.RecogniseRollup(file); err == nil && found.KB != known.KB {
		fmt.Fprintf(g.Stderr, "warning: the file is of article KB%s, and %s is remembered as KB%s\n", found.KB, known.Words, orDash(known.KB))
	}
	if known.Withdrawn {
		fmt.Fprintf(g.Stderr, "warning: Microsoft took %s back\n", known.Words)
	}
	fmt.Fprintf(g.Stdout, "registered media %d: %s %s\n", m.ID, m.Package, m.Arch)
	fmt.Fprintf(g.Stdout, "  file      %s, %d bytes, SHA-256 %s\n", m.FileName, m.FileSize, m.FileSHA256)
	fmt.Fprintf(g.Stdout, "  on hosts  %s, build %s\n", media.RollupFile, known.Target)
	fmt.Fprintf(g.Stdout, "  manifest  SHA-256 %s\n", m.ManifestSHA256)
	fmt.Fprintf(g.Stdout, "  bundle    %s\n", shelf.Path(m.BundleSHA256))
	for _, u := range m.Uses {
		fmt.Fprintf(g.Stdout, "  hosts     of servers in %s: %s\n", u.Language, u.Folder)
	}
	return nil
}
