package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
)

// PackageCmd is the commands for packages that lie on the hosts already: where,
// and how setup.com is recognized. See MediaCmd for those that are brought there.
type PackageCmd struct {
	Set  PackageSetCmd  `cmd:"" help:"Register what lies on the hosts already for one language and architecture, in place of what was registered before, media among it."`
	List PackageListCmd `cmd:"" help:"List registered media."`
}

// PackageSetCmd registers media.
type PackageSetCmd struct {
	DatabaseFlags
	Package     string `required:"" help:"Package by name: sp1, sp2 or sp3." placeholder:"NAME"`
	Language    string `default:"en-US" help:"Exchange's installed language that the media are for, a Windows culture." placeholder:"CULTURE"`
	Arch        string `default:"x64" enum:"x64" help:"Architecture: ${enum}; the 32-bit version is not upgraded here."`
	Folder      string `help:"Folder on the hosts that holds setup.com. Empty: C:\\Wavekeeper\\media\\PACKAGE-LANGUAGE-ARCH." placeholder:"PATH"`
	SetupSHA256 string `name:"setup-sha256" required:"" help:"SHA-256 of setup.com, 64 hex digits; each host's is compared with it before Setup starts." placeholder:"HEX"`
}

// Run registers the media.
func (c *PackageSetCmd) Run(g *Globals) error {
	ctx := context.Background()
	known, err := exchange.PackageByName(c.Package)
	if err != nil {
		return err
	}
	language, err := exchange.Culture(c.Language)
	if err != nil {
		return fmt.Errorf("--language: %w", err)
	}
	folder := strings.TrimSuffix(c.Folder, `\`)
	if folder == "" {
		folder = store.DefaultFolder(known.Name, language, c.Arch)
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	p := store.Package{Name: known.Name, Language: language, Arch: c.Arch, Folder: folder, SetupSHA256: c.SetupSHA256}
	if err := s.SavePackage(ctx, commandLine(), p); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "registered %s %s %s in %s\n", known.Words, language, c.Arch, folder)
	return err
}

// PackageListCmd lists media.
type PackageListCmd struct{ DatabaseFlags }

// Run prints one line per registration.
func (c *PackageListCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	all, err := s.Packages(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PACKAGE\tLANGUAGE\tARCH\tFOLDER\tSHA-256 OF SETUP.COM\tMEDIA\tSET\tBY")
	for _, p := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, p.Language, p.Arch, p.Folder, p.SetupSHA256, mediaOf(p), p.AddedAt.UTC().Format(time.RFC3339), p.AddedBy)
	}
	return w.Flush()
}

// mediaOf is the number of a package's media, and "there" where it lies on the
// hosts already.
func mediaOf(p store.Package) string {
	if p.Media == 0 {
		return "there"
	}
	return strconv.FormatInt(p.Media, 10)
}
