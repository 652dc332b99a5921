package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"wavekeeper/agentless/winrm"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// PinCmd is the commands for the certificates by which hosts are known, where a
// profile trusts by pin or on first use.
type PinCmd struct {
	List    PinListCmd    `cmd:"" help:"List certificates that wait for a person; with a host, all of that host."`
	Add     PinAddCmd     `cmd:"" help:"Make a certificate known before its host shows it, beside those that are known."`
	Confirm PinConfirmCmd `cmd:"" help:"Trust the certificate that a host offers, in place of those known before."`
	Reject  PinRejectCmd  `cmd:"" help:"Do not trust the certificate that a host offers: nothing is sent there while it shows it."`
}

// PinListCmd lists certificates.
type PinListCmd struct {
	DatabaseFlags
	Host string `arg:"" optional:"" help:"One host."`
}

// Run prints one line per certificate.
func (c *PinListCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	pins, err := s.OpenPins(ctx)
	if c.Host != "" {
		var host store.HostAddress
		if host, err = s.HostNamed(ctx, c.Host); err != nil {
			return err
		}
		pins, err = s.PinsOf(ctx, host.ID)
		for i := range pins {
			pins[i].Host = host.Name
		}
	}
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tSTATE\tSHA-256\tSUBJECT\tUNTIL\tSEEN\tDECIDED BY\tREASON")
	for _, p := range pins {
		until := ""
		if !p.NotAfter.IsZero() {
			until = p.NotAfter.UTC().Format(time.DateOnly)
		}
		sum := p.SHA256
		if pin, err := winrm.ParsePin(sum); err == nil {
			sum = winrm.Fingerprint(pin)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Host, p.State, sum, printable(p.Subject), until, p.SeenAt.UTC().Format(time.RFC3339), p.DecidedBy, p.Reason)
	}
	return w.Flush()
}

// PinAddCmd makes a certificate known.
type PinAddCmd struct {
	DatabaseFlags
	Host   string `arg:"" help:"The host."`
	SHA256 string `arg:"" name:"sha256" help:"SHA-256 of the certificate, read on the host itself."`
	Reason string `required:"" help:"Why, such as where it was read; kept on record."`
}

// Run adds the certificate.
func (c *PinAddCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.AddPin(ctx, commandLine(), c.Host, c.SHA256, c.Reason); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "%s is known by that certificate, too\n", strings.ToUpper(c.Host))
	return err
}

// PinDecision names an offered certificate and why it is decided so.
type PinDecision struct {
	DatabaseFlags
	Host   string `arg:"" help:"The host."`
	SHA256 string `arg:"" name:"sha256" help:"SHA-256 of the certificate that it offers, as pin list or the server's page shows it."`
	Reason string `required:"" help:"Why, such as where it was compared; kept on record."`
}

// offered finds the certificate that is decided about.
func (c *PinDecision) offered(ctx context.Context, s *store.Store) (store.Pin, error) {
	sum, err := store.Fingerprint(c.SHA256)
	if err != nil {
		return store.Pin{}, err
	}
	host, err := s.HostNamed(ctx, c.Host)
	if err != nil {
		return store.Pin{}, err
	}
	pins, err := s.PinsOf(ctx, host.ID)
	if err != nil {
		return store.Pin{}, err
	}
	for _, p := range pins {
		if p.SHA256 == sum {
			return p, nil
		}
	}
	return store.Pin{}, rollout.NotFound("%s never showed that certificate. See: wavekeeper pin list %s.", host.Name, host.Name)
}

// PinConfirmCmd trusts an offered certificate.
type PinConfirmCmd struct{ PinDecision }

// Run confirms the certificate.
func (c *PinConfirmCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := c.offered(ctx, s)
	if err != nil {
		return err
	}
	if err := s.ConfirmPin(ctx, commandLine(), p.ID, p.SHA256, c.Reason); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "%s is known by that certificate now\n", strings.ToUpper(c.Host))
	return err
}

// PinRejectCmd does not trust an offered certificate.
type PinRejectCmd struct{ PinDecision }

// Run rejects the certificate.
func (c *PinRejectCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := c.offered(ctx, s)
	if err != nil {
		return err
	}
	if err := s.RejectPin(ctx, commandLine(), p.ID, p.SHA256, c.Reason); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "nothing is sent to %s while it shows that certificate\n", strings.ToUpper(c.Host))
	return err
}
