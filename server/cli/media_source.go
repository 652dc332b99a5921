package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
)

// MediaSourceCmd is the commands for where hosts fetch media from.
type MediaSourceCmd struct {
	Set    MediaSourceSetCmd    `cmd:"" help:"Set the source of an AD site."`
	Remove MediaSourceRemoveCmd `cmd:"" help:"Remove the source of an AD site: its hosts fetch as those of sites without one."`
	List   MediaSourceListCmd   `cmd:"" help:"List the sources of AD sites."`
}

// MediaSourceSetCmd sets one site's source.
type MediaSourceSetCmd struct {
	DatabaseFlags
	Site    string `arg:"" help:"AD site as the inventory has it; '*' is all sites that have no source of their own."`
	Share   string `xor:"kind" help:"A share that holds what media export wrote, such as \\\\fs1\\wavekeeper: hosts read it with their own account. Servers outside of the domain (Edge) cannot." placeholder:"UNC"`
	Mirror  string `xor:"kind" help:"A web server that holds what media export wrote, such as http://fs1.contoso.com/wavekeeper." placeholder:"URL"`
	Console bool   `xor:"kind" help:"The console's own listener, see --media-listen of serve."`
	Unknown bool   `name:"unknown-site" help:"Set it though the inventory has no server in that site yet."`
}

// Run sets the source.
func (c *MediaSourceSetCmd) Run(g *Globals) error {
	m := store.MediaSource{Site: c.Site}
	if c.Site == "*" {
		m.Site = ""
	}
	switch {
	case c.Share != "":
		m.Kind, m.Base = store.SourceShare, c.Share
	case c.Mirror != "":
		m.Kind, m.Base = store.SourceMirror, c.Mirror
	case c.Console:
		m.Kind = store.SourceConsole
	default:
		return errors.New("say from where: --share UNC, --mirror URL or --console")
	}
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if m.Site != "" && !c.Unknown {
		if err := knownSite(ctx, s, m.Site); err != nil {
			return err
		}
	}
	if err := s.SetMediaSource(ctx, commandLine(), m); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "hosts of %s fetch media from %s\n", siteWords(m.Site), sourceWords(m))
	return err
}

// MediaSourceRemoveCmd removes one site's source.
type MediaSourceRemoveCmd struct {
	DatabaseFlags
	Site string `arg:"" help:"AD site; '*' is what all sites without a source of their own use: then they use the console."`
}

// Run removes it, and says from where its hosts fetch now.
func (c *MediaSourceRemoveCmd) Run(g *Globals) error {
	site := c.Site
	if site == "*" {
		site = ""
	}
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	removed, err := s.RemoveMediaSource(ctx, commandLine(), site)
	if err != nil {
		return err
	}
	now, err := s.MediaSourceFor(ctx, site)
	if err != nil {
		return err
	}
	words := sourceWords(now)
	if site != "" {
		words += ", as all sites without a source of their own"
	}
	_, err = fmt.Fprintf(g.Stdout, "hosts of %s fetch media from %s\n", siteWords(removed.Site), words)
	return err
}

// MediaSourceListCmd lists sources.
type MediaSourceListCmd struct{ DatabaseFlags }

// Run prints one line per site.
func (c *MediaSourceListCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	all, err := s.MediaSources(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SITE\tSOURCE\tSET\tBY")
	for _, m := range all {
		site := m.Site
		if site == "" {
			site = "*"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", site, sourceWords(m), m.SetAt.UTC().Format(time.RFC3339), m.SetBy)
	}
	return w.Flush()
}

func sourceWords(m store.MediaSource) string {
	if m.Kind == store.SourceConsole {
		return "the console"
	}
	return m.Kind + " " + m.Base
}

func siteWords(site string) string {
	if site == "" {
		return "all sites without a source of their own"
	}
	return "site " + site
}

// knownSite refuses a site that the inventory does not have, where it has any:
// its hosts would fetch from elsewhere, and nobody would know why.
func knownSite(ctx context.Context, s *store.Store, site string) error {
	servers, err := s.Servers(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, one := range servers {
		if strings.EqualFold(one.Site, site) {
			return nil
		}
		if one.Site != "" {
			known = append(known, one.Site)
		}
	}
	if len(known) == 0 {
		return nil
	}
	return fmt.Errorf("no server is in the site %q%s: correct it, or say --unknown-site when its servers come later", site, exchange.Near(site, known, "; the nearest is"))
}
