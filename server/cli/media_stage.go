package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// MediaStageCmd asks for media on hosts ahead of their upgrades.
type MediaStageCmd struct {
	DatabaseFlags
	Wave      string   `xor:"which" help:"Wave whose servers' hosts get their package, as ROLLOUT/NUMBER: 12/1. This or --host." placeholder:"ROLLOUT/N"`
	Host      []string `xor:"which" help:"Servers whose hosts get the package, by name; several with commas, or * for the whole inventory. Needs --package. This or --wave." placeholder:"SERVER"`
	Package   string   `help:"Package by name, with --host: sp1, sp2 or sp3." placeholder:"NAME"`
	NotBefore string   `name:"not-before" help:"When it may begin, such as 2026-05-02T22:00:00+02:00. Empty: at once." placeholder:"TIME"`
	Reason    string   `required:"" help:"Why they are brought there now; it stands on the record." placeholder:"TEXT"`
}

// Run asks, and says which hosts it was not asked for.
func (c *MediaStageCmd) Run(g *Globals) error {
	ctx := context.Background()
	ask := store.StagingAsk{Reason: c.Reason}
	if c.NotBefore != "" {
		var err error
		if ask.NotBefore, err = time.Parse(time.RFC3339, c.NotBefore); err != nil {
			return usage(g, fmt.Errorf("--not-before %s: a time with its zone is wanted, such as 2026-05-02T22:00:00+02:00", c.NotBefore))
		}
	}
	switch {
	case c.Wave == "" && len(c.Host) == 0:
		return usage(g, errors.New("say for which hosts: --wave or --host"))
	case c.Wave != "" && c.Package != "":
		return usage(g, errors.New("--package is for --host: a wave's plan says its package"))
	case c.Wave == "" && c.Package == "":
		return usage(g, errors.New("--host needs --package: name the package, such as sp1"))
	}
	if c.Wave != "" {
		if _, _, err := waveName(c.Wave); err != nil {
			return usage(g, err)
		}
	}
	if c.Package != "" {
		known, err := exchange.PackageByName(c.Package)
		if err != nil {
			return err
		}
		ask.Package = known.Name
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if c.Wave != "" {
		ask.Wave, err = namedWave(ctx, s, c.Wave)
	} else {
		ask.Servers, err = namedServers(ctx, s, c.Host)
	}
	if err != nil {
		return err
	}
	asked, err := s.AskStaging(ctx, commandLine(), ask)
	if err != nil {
		return err
	}
	fmt.Fprintf(g.Stdout, "asked for media on %d hosts\n", asked.Hosts)
	if len(asked.Moved) > 0 {
		fmt.Fprintf(g.Stdout, "another time for: %s\n", strings.Join(asked.Moved, ", "))
	}
	if len(asked.Open) > 0 {
		fmt.Fprintf(g.Stdout, "on their way already: %s\n", strings.Join(asked.Open, ", "))
	}
	if len(asked.NoMedia) > 0 {
		fmt.Fprintf(g.Stdout, "no media for: %s; see media list and package list\n", strings.Join(asked.NoMedia, ", "))
	}
	return nil
}

// waveName reads a rollout and the number of its wave, "12/1".
func waveName(name string) (id int64, number int, err error) {
	first, second, _ := strings.Cut(name, "/")
	id, err1 := strconv.ParseInt(first, 10, 64)
	number, err2 := strconv.Atoi(second)
	if err1 != nil || err2 != nil || id < 1 || number < 1 {
		return 0, 0, fmt.Errorf("--wave %s: a rollout and the number of its wave are wanted, such as 12/1", name)
	}
	return id, number, nil
}

// namedWave returns the id of a wave by rollout and number.
func namedWave(ctx context.Context, s *store.Store, name string) (int64, error) {
	id, number, err := waveName(name)
	if err != nil {
		return 0, err
	}
	r, err := s.Rollout(ctx, id)
	if err != nil {
		return 0, err
	}
	for _, w := range r.Waves {
		if w.Number == number {
			return w.ID, nil
		}
	}
	return 0, fmt.Errorf("--wave %s: the rollout has the waves 1 to %d", name, len(r.Waves))
}

// namedServers returns the ids of servers by name; "*" is all.
func namedServers(ctx context.Context, s *store.Store, names []string) ([]int64, error) {
	all, err := s.Servers(ctx)
	if err != nil {
		return nil, err
	}
	var ids []int64
	var known []string
	by := map[string]int64{}
	for _, one := range all {
		ids, known, by[strings.ToUpper(one.Name)] = append(ids, one.ID), append(known, one.Name), one.ID
	}
	if len(names) == 1 && names[0] == "*" {
		return ids, nil
	}
	ids = nil
	for _, name := range names {
		id, ok := by[strings.ToUpper(strings.TrimSpace(name))]
		if !ok {
			return nil, fmt.Errorf("there is no server %q%s", name, exchange.Near(name, known, ": the nearest is"))
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// MediaHostsCmd lists how media stand on hosts.
type MediaHostsCmd struct {
	DatabaseFlags
	ID int64 `arg:"" optional:"" help:"Number of the media, see media list; without it all."`
}

// Run prints one line per host and medium: the newest that was asked for.
func (c *MediaHostsCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	all, err := s.Stagings(ctx, c.ID, 0)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tMEDIA\tSTATE\tPHASE\tFETCHED\tFROM\tMESSAGE\tASKED FOR BY")
	for _, one := range all {
		message := one.Message
		if one.State == rollout.Waiting && one.NotBefore.After(time.Now()) {
			message = strings.TrimSpace("not before " + one.NotBefore.UTC().Format(time.RFC3339) + " " + message)
		}
		if one.Refused != "" && one.State != rollout.Done {
			message += " (" + one.Refused + ")"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d %%\t%s\t%s\t%s\n", one.Host.Name, one.Media, one.State, orDash(one.Phase), one.Percent(), orDash(one.Source),
			orDash(strings.Join(strings.Fields(message), " ")), one.AskedBy)
	}
	return w.Flush()
}
