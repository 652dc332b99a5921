package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"wavekeeper/agentless/kerberos"
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
	Auth       string   `help:"Authentication: ${enum}. Basic is for accounts of the hosts themselves; a certificate is mapped to one there." enum:"basic,ntlm,kerberos,certificate" default:"basic"`
	HTTP       bool     `name:"http" help:"Use http, each message sealed by NTLM or Kerberos; without this, https."`
	PlainBasic bool     `name:"plain-basic" help:"Use http with Basic: passwords travel unencrypted. Only for a demo or an isolated network."`
	TLS10      bool     `name:"tls10" help:"Also TLS 1.0 and the cipher suites of Windows Server 2003 and 2008."`
	Trust      string   `help:"What a host's certificate is checked against: ${enum}. pin: its SHA-256, known before (--pin, wavekeeper pin add); first-use: its SHA-256, which a person confirms on the server's page when it was first seen." enum:"ca,pin,first-use" default:"ca"`
	CA         string   `name:"ca" help:"PEM file of the authorities that issued the hosts' certificates. Empty: the system's." type:"existingfile" placeholder:"FILE"`
	Pin        []string `help:"SHA-256 of a certificate that any of its hosts may show; several with commas. Means --trust pin. For single hosts: wavekeeper pin add." placeholder:"SHA256"`
	Realm      string   `help:"Kerberos realm, in capitals. Empty: the account's, or that of --krb5-conf." placeholder:"REALM"`
	KDC        []string `name:"kdc" help:"Kerberos server; several with commas. Empty: by --krb5-conf, then by DNS." placeholder:"HOST[:PORT]"`
	Krb5Conf   string   `name:"krb5-conf" help:"File in the format of krb5.conf; its text is kept with the profile." type:"existingfile" placeholder:"FILE"`
	SPN        string   `name:"spn" help:"Service of the hosts' principal names (${default}); WSMAN where HTTP/HOST belongs to another account." default:"HTTP" placeholder:"SERVICE"`
}

// Run saves the profile.
func (c *ProfileSetCmd) Run(g *Globals) error {
	ctx := context.Background()
	p := store.Profile{
		Name: c.Name, Auth: c.Auth, HTTPS: !c.PlainBasic && !c.HTTP, PlainBasic: c.PlainBasic, Ranges: c.Range, Suffixes: c.Suffix,
		TLS10: c.TLS10, Trust: c.Trust, Pins: c.Pin, Realm: c.Realm, KDCs: c.KDC, SPNService: c.SPN,
	}
	if len(c.Pin) > 0 && p.Trust == store.TrustCA {
		p.Trust = store.TrustPin
	}
	for _, file := range []struct {
		flag, path string
		into       *string
	}{{"--ca", c.CA, &p.CAPEM}, {"--krb5-conf", c.Krb5Conf, &p.Krb5Conf}} {
		if file.path == "" {
			continue
		}
		text, err := os.ReadFile(file.path)
		if err != nil {
			return fmt.Errorf("read %s: %w", file.flag, err)
		}
		*file.into = string(text)
	}
	if p.Krb5Conf != "" {
		if err := kerberos.CheckConf(p.Krb5Conf); err != nil {
			return usage(g, fmt.Errorf("--krb5-conf %s: %w", c.Krb5Conf, err))
		}
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.SaveProfile(ctx, commandLine(), p); err != nil {
		return err
	}
	words := "saved profile " + c.Name
	if len(p.Ranges)+len(p.Suffixes) == 0 {
		words += "; it may be used for no host so far: say for which with --range or --suffix"
	}
	_, err = fmt.Fprintln(g.Stdout, words)
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
	fmt.Fprintln(w, "PROFILE\tAUTH\tCHANNEL\tTRUST\tREALM\tRANGES\tSUFFIXES")
	for _, p := range all {
		channel, trust := "http, sealed", "-"
		switch {
		case p.PlainBasic:
			channel = "http, unencrypted"
		case p.HTTPS:
			channel, trust = "https", p.Trust
			if p.TLS10 {
				channel = "https, also TLS 1.0"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, p.Auth, channel, trust, p.Realm, strings.Join(p.Ranges, ","), strings.Join(p.Suffixes, ","))
	}
	return w.Flush()
}
