package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// OrganizationCmd shows and enters what is known of the organization.
type OrganizationCmd struct {
	Show OrganizationShowCmd `cmd:"" help:"List what is known of the organization, with its source and age."`
	Look OrganizationLookCmd `cmd:"" help:"Have the organization read from Active Directory, by a host task on a server that you name."`
	Set  OrganizationSetCmd  `cmd:"" help:"Enter a fact of the organization by hand, with how it is known."`
	Drop OrganizationDropCmd `cmd:"" help:"Take a fact of the organization back that is not known any more."`
}

// OrganizationShowCmd lists facts.
type OrganizationShowCmd struct {
	DatabaseFlags
	JSON bool `name:"json" help:"One JSON object per fact."`
}

// Run prints one line per fact.
func (c *OrganizationShowCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	facts, err := s.OrganizationFacts(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		for _, f := range facts {
			line := struct {
				Name      string          `json:"name"`
				Value     json.RawMessage `json:"value"`
				Source    string          `json:"source"`
				Confirmed string          `json:"confirmed_by,omitempty"`
				At        string          `json:"at"`
				EnteredBy string          `json:"entered_by"`
				Reason    string          `json:"reason"`
			}{f.Name, f.Value, f.Source, f.ConfirmedBy, f.At.UTC().Format(time.RFC3339), f.EnteredBy, f.Reason}
			if err := json.NewEncoder(g.Stdout).Encode(line); err != nil {
				return err
			}
		}
		return nil
	}
	if len(facts) == 0 {
		fmt.Fprintln(g.Stdout, "nothing is known of the organization yet; see organization look --help")
		return nil
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FACT\tVALUE\tSOURCE\tREAD OR ENTERED\tBY\tREASON")
	for _, f := range facts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, printable(string(f.Value)), f.Fact().Source, f.At.UTC().Format(time.RFC3339), f.EnteredBy, printable(f.Reason))
	}
	return w.Flush()
}

// OrganizationLookCmd has the organization read.
type OrganizationLookCmd struct {
	DatabaseFlags
	Server string        `required:"" help:"Server on whose host it is read, by name." placeholder:"SERVER"`
	Reason string        `required:"" help:"Why; it stands on the record." placeholder:"TEXT"`
	Wait   bool          `default:"true" negatable:"" help:"Wait until it was read. --no-wait only asks: a running coordinator does it."`
	Within time.Duration `default:"30m" help:"How long to wait at the most."`
}

// Run asks and waits.
func (c *OrganizationLookCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	one, err := s.ServerByName(ctx, c.Server)
	if err != nil {
		return err
	}
	id, err := s.AskOrganization(ctx, commandLine(), one.ID, c.Reason)
	if err != nil {
		return err
	}
	if !c.Wait {
		fmt.Fprintf(g.Stdout, "asked for the organization on %s, run %d\n", one.Name, id)
		return nil
	}
	runs, err := awaitRuns(ctx, s, []int64{id}, c.Within)
	if err != nil {
		return err
	}
	r := runs[0]
	fmt.Fprintf(g.Stdout, "%s: %s\n", r.State, printable(r.Message))
	if r.State != rollout.Done {
		if r.Remedy != "" {
			fmt.Fprintln(g.Stdout, printable(r.Remedy))
		}
		return Exit(1)
	}
	return nil
}

// OrganizationSetCmd enters a fact.
type OrganizationSetCmd struct {
	DatabaseFlags
	Name   string `arg:"" help:"Fact: schema, organization, domains, ..."`
	Value  string `arg:"" help:"Its value as JSON: 10637, true, [\"CONTOSO\"]."`
	Reason string `required:"" help:"How it is known; it stands on the record." placeholder:"TEXT"`
	As     string `help:"Account of the console that asks, where a second person has to confirm it. Without it the one named as the system's user." placeholder:"NAME"`
}

// Run checks the fact's shape and keeps it.
func (c *OrganizationSetCmd) Run(g *Globals) error {
	ctx := context.Background()
	if err := checkOrganizationFact(c.Name, c.Value); err != nil {
		return usage(g, err)
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	asks, err := asksFor(ctx, s, c.As)
	if err != nil {
		return err
	}
	waits, err := s.EnterOrganizationFact(ctx, asks, c.Name, json.RawMessage(c.Value), c.Reason)
	if err != nil {
		return err
	}
	if waits {
		fmt.Fprintf(g.Stdout, "%s would release servers that are held: another operator confirms it in the console\n", c.Name)
		return nil
	}
	fmt.Fprintf(g.Stdout, "%s is %s\n", c.Name, c.Value)
	return nil
}

// asksFor is the account that is named; without one the command line, which may
// do what nobody has to confirm, unless the system's user has an account.
func asksFor(ctx context.Context, s *store.Store, as string) (store.Actor, error) {
	if as == "" {
		if own, err := ownAccount(ctx, s); err != nil || own == nil {
			return commandLine(), err
		}
	}
	return personAsks(ctx, s, as)
}

// checkOrganizationFact refuses a fact that cannot be.
func checkOrganizationFact(name, value string) error {
	if err := preflight.CheckOrganization(name, json.RawMessage(value)); err != nil {
		return fmt.Errorf("%w; nothing was entered", err)
	}
	return nil
}

// OrganizationDropCmd takes a fact back.
type OrganizationDropCmd struct {
	DatabaseFlags
	Name   string `arg:"" help:"Fact, see organization show."`
	Reason string `required:"" help:"Why it is not known any more; it stands on the record." placeholder:"TEXT"`
	As     string `help:"Account of the console that asks, where a second person has to confirm it. Without it the one named as the system's user." placeholder:"NAME"`
}

// Run takes it back.
func (c *OrganizationDropCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	asks, err := asksFor(ctx, s, c.As)
	if err != nil {
		return err
	}
	waits, err := s.DropOrganizationFact(ctx, asks, c.Name, c.Reason)
	if err != nil {
		return err
	}
	if waits {
		fmt.Fprintf(g.Stdout, "without %s servers that are held would be released: another operator confirms it in the console\n", c.Name)
		return nil
	}
	fmt.Fprintf(g.Stdout, "%s is not known any more\n", c.Name)
	return nil
}
