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
	Set  MediaSourceSetCmd  `cmd:"" help:"Set the source of an AD site."`
	List MediaSourceListCmd `cmd:"" help:"List the sources of AD sites."`
}

// MediaSourceSetCmd sets one site's source.
type MediaSourceSetCmd struct {
	DatabaseFlags
	Site    string `arg:"" help:"AD site as the inventory has it; '*' is all sites that have no source of their own."`
	Share   string `xor:"kind" help:"A share that holds what media export wrote, such as \\\\fs1\\wavekeeper: hosts read it with their own account. Servers outside of the domain (Edge) cannot." placeholder:"UNC"`
	Mirror  string `xor:"kind" help:"A web server that holds what media export wrote, such as http://fs1.contoso.com/wavekeeper." placeholder:"URL"`
	Console bool   `xor:"kind" help:"The console's own listener, see --media-listen of serve."`
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
	if m.Site != "" {
		if err := knownSite(ctx, s, m.Site); err != nil {
			fmt.Fprintln(g.Stderr, "wavekeeper:", err)
		}
	}
	if err := s.SetMediaSource(ctx, commandLine(), m); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "hosts of %s fetch media from %s\n", siteWords(m.Site), sourceWords(m))
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

// knownSite says which site was meant when the inventory has none of that name.
// It is only said: a source may be set before the servers come.
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
		known = append(known, one.Site)
	}
	if nearest := exchange.Nearest(site, known); nearest != "" {
		return fmt.Errorf("no server is in the site %q; the nearest is %q", site, nearest)
	}
	return nil
}
