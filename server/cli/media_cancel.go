package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/rollout"
)

// MediaCancelCmd takes back what was asked for with media stage, on a wave's
// page or by an approval, also what failed: no upgrade waits for it any more. Upgrades in work end what they do as a step themselves.
type MediaCancelCmd struct {
	DatabaseFlags
	Host   []string `required:"" help:"Servers on whose hosts it is taken back, by name; several with commas, or * for the whole inventory." placeholder:"SERVER"`
	Reason string   `required:"" help:"Why; it stands on the record." placeholder:"TEXT"`
}

// Run takes it back host by host, and says where.
func (c *MediaCancelCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	ids, err := namedServers(ctx, s, c.Host)
	if err != nil {
		return err
	}
	servers, err := s.Servers(ctx)
	if err != nil {
		return err
	}
	var hosts []int64
	for _, one := range servers {
		if !slices.Contains(ids, one.ID) {
			continue
		}
		for _, h := range one.Hosts {
			hosts = append(hosts, h.ID)
		}
	}
	all, err := s.Stagings(ctx, 0, 0)
	if err != nil {
		return err
	}
	var ended, kept []string
	for _, one := range all {
		switch {
		case !one.Open() && (one.State != rollout.Failed || one.Upgrade != 0) || !slices.Contains(hosts, one.Host.ID):
		case one.Upgrade != 0:
			kept = append(kept, one.Host.Name)
		default:
			if err := s.CancelStaging(ctx, commandLine(), one.ID, c.Reason); err != nil {
				return err
			}
			ended = append(ended, one.Host.Name)
		}
	}
	fmt.Fprintf(g.Stdout, "cancelled on %d hosts%s\n", len(ended), named(ended))
	if len(kept) > 0 {
		fmt.Fprintf(g.Stdout, "in the work of an upgrade, which ends it%s\n", named(kept))
	}
	return nil
}

func named(hosts []string) string {
	if len(hosts) == 0 {
		return ""
	}
	return ": " + strings.Join(hosts, ", ")
}
