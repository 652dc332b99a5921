package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"wavekeeper/server/media"
	"wavekeeper/server/store"
)

// MediaCmd is the commands for media that are brought to the hosts.
type MediaCmd struct {
	Add    MediaAddCmd    `cmd:"" help:"Take a service pack's file, or an unpacked folder, so that hosts can fetch it: what is inside is recognized, packed and recorded with the hash of every file."`
	List   MediaListCmd   `cmd:"" help:"List media, what is inside, and on how many hosts they lie."`
	Stage  MediaStageCmd  `cmd:"" help:"Bring media to hosts now or from a time on, ahead of their upgrades. Nothing but the program's own folder is changed there."`
	Cancel MediaCancelCmd `cmd:"" help:"Take back what was asked for and has not come, or failed: no upgrade waits for it any more. What came to a host stays there and is used the next time."`
	Hosts  MediaHostsCmd  `cmd:"" help:"List how media stand on hosts."`
	Export MediaExportCmd `cmd:"" help:"Copy what hosts fetch into a folder, for a share or a mirror."`
	Forget MediaForgetCmd `cmd:"" help:"Take media out of use and remove them from this machine's disk."`
	Source MediaSourceCmd `cmd:"" help:"Say from where the hosts of an AD site fetch media."`
}

// MediaFlags name the folder with media.
type MediaFlags struct {
	MediaDir string `name:"media-dir" help:"Folder of this machine that holds media, up to 2 GB for each. Consoles that share one folder share their media. Empty: media, beside wavekeeper.key in the user's configuration folder." env:"WAVEKEEPER_MEDIA_DIR" placeholder:"DIR"`
}

// shelf opens the folder, making it when there is none.
func (f MediaFlags) shelf() (*media.Shelf, error) {
	dir := f.MediaDir
	if dir == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return nil, fmt.Errorf("find a place for media (set --media-dir): %w", err)
		}
		dir = filepath.Join(config, "wavekeeper", "media")
	}
	return media.OpenShelf(dir)
}

// MediaListCmd lists media.
type MediaListCmd struct {
	DatabaseFlags
	MediaFlags
	Check bool `help:"Read what lies on this machine and compare its hash; without it, HERE compares the size alone."`
}

// Run prints one line per medium.
func (c *MediaListCmd) Run(g *Globals) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	shelf, err := c.shelf()
	if err != nil {
		return err
	}
	all, err := s.MediaList(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tPACKAGE\tARCH\tFOR\tBUILD\tUM LANGUAGES\tFILES\tUNPACKED\tTO FETCH\tFROM\tHERE\tON HOSTS\tADDED\tBY")
	for _, m := range all {
		there := here(shelf, m)
		if c.Check && there == "yes" {
			if there, err = checked(ctx, shelf, m); err != nil {
				return err
			}
		}
		hosts := 0
		for _, u := range m.Uses {
			hosts += u.Hosts
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%d of %d\t%s\t%s\n", m.ID, m.Package, m.Arch, uses(m), orDash(m.Build),
			orDash(strings.Join(m.UMLanguages, ",")), m.Files, megabytes(m.TreeSize), megabytes(m.BundleSize), orDash(m.FileName), there, m.Staged, hosts,
			m.AddedAt.UTC().Format(time.RFC3339), m.AddedBy)
	}
	return w.Flush()
}

// uses is the languages whose package a medium is.
func uses(m store.Medium) string {
	switch {
	case m.ForgottenAt != nil:
		return "forgotten by " + m.ForgottenBy
	case m.Arch == "x86":
		return "the organization only"
	case len(m.Uses) == 0:
		return "replaced"
	}
	languages := make([]string, 0, len(m.Uses))
	for _, u := range m.Uses {
		languages = append(languages, u.Language)
	}
	return strings.Join(languages, ",")
}

// here says whether a medium's bundle is on this machine, without reading it.
func here(shelf *media.Shelf, m store.Medium) string {
	info, err := os.Stat(shelf.Path(m.BundleSHA256))
	switch {
	case err != nil:
		return "no"
	case info.Size() != m.BundleSize:
		return "damaged"
	}
	return "yes"
}

// checked says whether what lies here is what was registered, by its hash.
func checked(ctx context.Context, shelf *media.Shelf, m store.Medium) (string, error) {
	switch _, err := shelf.File(ctx, m.BundleSHA256); {
	case errors.Is(err, media.ErrChanged):
		return "damaged", nil
	case err != nil:
		return "", fmt.Errorf("compare media %d: %w", m.ID, err)
	}
	return "yes, compared", nil
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// megabytes writes a size as people read it.
func megabytes(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%d MB", n/1e6)
	}
	return fmt.Sprintf("%d kB", (n+999)/1000)
}

// MediaExportCmd copies a bundle.
type MediaExportCmd struct {
	DatabaseFlags
	MediaFlags
	ID  int64  `arg:"" help:"Number of the media, see media list."`
	Dir string `arg:"" help:"Folder to copy into, which is made when it is missing. On a share every host's own account must be able to read it (Domain Computers)." placeholder:"DIR"`
}

// Run copies the bundle and says how it is called.
func (c *MediaExportCmd) Run(g *Globals) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	m, err := s.MediaByID(ctx, c.ID)
	if err != nil {
		return err
	}
	shelf, err := c.shelf()
	if err != nil {
		return err
	}
	if here(shelf, m) == "no" { // asked first: a folder that cannot be made is no missing file
		return fmt.Errorf("%s is not on this machine, in %s: add it here again, or export it where it was added", m.Words(), shelf.Dir())
	}
	to, err := shelf.Export(ctx, m.BundleSHA256, c.Dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "copied %s, %s, to %s\n", m.Words(), megabytes(m.BundleSize), to)
	return err
}

// MediaForgetCmd takes media out of use.
type MediaForgetCmd struct {
	DatabaseFlags
	MediaFlags
	ID     int64  `arg:"" help:"Number of the media, see media list."`
	Reason string `required:"" help:"Why they are not needed any more; it stands on the record." placeholder:"TEXT"`
}

// Run forgets the medium first: a file without a use is only in the way.
func (c *MediaForgetCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	shelf, err := c.shelf()
	if err != nil {
		return err
	}
	m, err := s.MediaByID(ctx, c.ID)
	if err != nil {
		return err
	}
	last, err := s.ForgetMedia(ctx, commandLine(), c.ID, c.Reason)
	if err != nil {
		return err
	}
	if last {
		if err := shelf.Remove(m.BundleSHA256); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(g.Stdout, "forgot %s; what lies on hosts stays there\n", m.Words())
	return err
}
