package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/store"
)

// WaiverCmd lists, asks for and withdraws waivers. They are granted in the
// console, by a person who signed in.
type WaiverCmd struct {
	List     WaiverListCmd     `cmd:"" help:"List waivers: what was accepted, by whom and until when."`
	Ask      WaiverAskCmd      `cmd:"" help:"Ask that a finding be accepted; an operator grants it in the console."`
	Withdraw WaiverWithdrawCmd `cmd:"" help:"Take a waiver back before its end."`
}

// WaiverListCmd lists waivers.
type WaiverListCmd struct {
	DatabaseFlags
	Server string `help:"Only those of this server." placeholder:"SERVER"`
	Past   bool   `help:"Those that are over, too."`
}

// Run prints one line per waiver.
func (c *WaiverListCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	var server int64
	if c.Server != "" {
		one, err := s.ServerByName(ctx, c.Server)
		if err != nil {
			return err
		}
		server = one.ID
	}
	all, err := s.Waivers(ctx, server, c.Past)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSERVER\tPACKAGE\tRULE\tSTATE\tUNTIL\tASKED BY\tDECIDED BY\tREASON\tACCEPTED")
	for _, one := range all {
		state := one.State
		if one.Over {
			state += ", over"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", one.ID, one.Server, one.Package, one.Rule, state, one.Until.UTC().Format(time.RFC3339),
			one.AskedBy, orDash(one.DecidedBy), printable(one.Reason), printable(one.Severity+": "+one.Text))
	}
	return w.Flush()
}

// WaiverAskCmd asks for a waiver.
type WaiverAskCmd struct {
	DatabaseFlags
	Server  string `arg:"" help:"Server, by name."`
	Rule    string `arg:"" help:"Rule whose finding is to be accepted, see preflight."`
	Package string `required:"" help:"Package that the server is judged for." placeholder:"NAME"`
	Days    int    `default:"7" help:"For how many days, 30 at the most."`
	Reason  string `required:"" help:"Why it may be accepted; it stands on the record." placeholder:"TEXT"`
	As      string `help:"Account of the console that asks, and so does not grant it. Without it the one named as the system's user." placeholder:"NAME"`
}

// Run asks for what the last check of the server found.
func (c *WaiverAskCmd) Run(g *Globals) error {
	ctx := context.Background()
	known, err := exchange.PackageByName(c.Package)
	if err != nil {
		return usage(g, fmt.Errorf("--package: %w", err))
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	one, err := s.ServerByName(ctx, c.Server)
	if err != nil {
		return err
	}
	f, err := s.FindingToWaive(ctx, one, known.Name, c.Rule)
	if err != nil {
		return err
	}
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	asks, err := personAsks(ctx, s, c.As)
	if err != nil {
		return err
	}
	id, err := s.AskWaiver(ctx, asks, waiverAsk(one.ID, known.Name, f, c.Reason, now.AddDate(0, 0, c.Days)))
	if err != nil {
		return err
	}
	fmt.Fprintf(g.Stdout, "asked for waiver %d of %s on %s; an operator who did not plan the upgrade grants it in the console\n", id, c.Rule, one.Name)
	return nil
}

func waiverAsk(server int64, pkg string, f preflight.Finding, reason string, until time.Time) store.WaiverAsk {
	return store.WaiverAsk{
		Server: server, Package: pkg, Rule: f.Rule, Severity: string(f.Severity), Text: f.Text, Evidence: f.Evidence, Waivable: f.Waivable,
		Reason: reason, Until: until,
	}
}

// WaiverWithdrawCmd takes a waiver back.
type WaiverWithdrawCmd struct {
	DatabaseFlags
	ID     int64  `arg:"" help:"Number of the waiver, see waiver list."`
	Reason string `required:"" help:"Why; it stands on the record." placeholder:"TEXT"`
}

// Run takes it back.
func (c *WaiverWithdrawCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.WithdrawWaiver(ctx, commandLine(), c.ID, c.Reason); err != nil {
		return err
	}
	fmt.Fprintf(g.Stdout, "waiver %d is withdrawn\n", c.ID)
	return nil
}
