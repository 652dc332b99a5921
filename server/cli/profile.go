package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"wavekeeper/server/store"
)

// ProfileCmd is the commands for profiles: how hosts are reached, and which.
type ProfileCmd struct {
	Set  ProfileSetCmd  `cmd:"" help:"Add a profile, or replace the one of that name."`
	List ProfileListCmd `cmd:"" help:"List profiles and the hosts they may be used for."`
}

// ProfileSetCmd saves a profile.
type ProfileSetCmd struct {
	DatabaseFlags
	Name       string   `arg:"" help:"The profile's name; the inventory's column profile names it."`
	Range      []string `help:"Address range that it may be used for, such as 10.1.0.0/16; several with commas." placeholder:"CIDR"`
	Suffix     []string `help:"DNS suffix that it may be used for, such as contoso.com; several with commas." placeholder:"SUFFIX"`
	CA         string   `name:"ca" help:"PEM file of the authorities that issued the hosts' certificates. Empty: the system's." type:"existingfile" placeholder:"FILE"`
	PlainBasic bool     `name:"plain-basic" help:"Use http: passwords travel unencrypted. Only for a demo or an isolated network."`
}

// Run saves the profile.
func (c *ProfileSetCmd) Run(g *Globals) error {
	ctx := context.Background()
	p := store.Profile{Name: c.Name, Auth: "basic", HTTPS: !c.PlainBasic, PlainBasic: c.PlainBasic, Ranges: c.Range, Suffixes: c.Suffix}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return fmt.Errorf("read --ca: %w", err)
		}
		p.CAPEM = string(pem)
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.SaveProfile(ctx, commandLine(), p); err != nil {
		return err
	}
	_, err = fmt.Fprintln(g.Stdout, "saved profile", c.Name)
	return err
}

// ProfileListCmd lists profiles.
type ProfileListCmd struct{ DatabaseFlags }

// Run prints one line per profile.
func (c *ProfileListCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	all, err := s.Profiles(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROFILE\tAUTH\tCHANNEL\tRANGES\tSUFFIXES")
	for _, p := range all {
		channel := map[bool]string{true: "https", false: "http, unencrypted"}[p.HTTPS]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.Name, p.Auth, channel, strings.Join(p.Ranges, ","), strings.Join(p.Suffixes, ","))
	}
	return w.Flush()
}
