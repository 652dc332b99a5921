package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// TwinCmd runs simulated hosts for a fleet.
type TwinCmd struct {
	Fleet             string   `required:"" type:"existingfile" placeholder:"CSV" help:"Inventory file; one host per server, for clusters one per node."`
	User              string   `required:"" help:"WinRM account of every host: a local administrator that AD does not know."`
	PasswordFile      string   `required:"" type:"existingfile" placeholder:"FILE" help:"File with the WinRM account's password."`
	Runas             string   `help:"Account of host tasks, DOMAIN\\name: the only one that reaches AD."`
	RunasPasswordFile string   `type:"existingfile" placeholder:"FILE" help:"File with that account's password."`
	Speed             float64  `default:"1" help:"Divides durations; host clocks run at real speed."`
	Journal           string   `type:"path" placeholder:"FILE" help:"Ground truth as JSON lines, appended."`
	State             string   `type:"path" placeholder:"DIR" help:"Hosts survive a restart of the twin here."`
	TLS               string   `name:"tls" type:"path" placeholder:"DIR" help:"Speak https; the CA is written to ca.pem in DIR."`
	Access            []string `sep:"none" placeholder:"HOSTS=WORDS" help:"How hosts are reached, by name or pattern, such as 'BR-*=https,basic,tls1.0'; repeated, the last that fits counts. Words: http, https, basic, ntlm, kerberos, certificate, plain, tls1.0, ca, self-signed, expired, wrong-name, sha1, binding, forgets."`
	Account           []string `sep:"none" placeholder:"NAME=FILE" help:"Another administrator of every host, DOMAIN\\name or a local name, with the file of its password; without a file it logs on by Kerberos only. Repeated."`
	Keytab            string   `type:"existingfile" placeholder:"FILE" help:"Keytab with the keys of HTTP/FQDN of the hosts that offer Kerberos."`
	ClientCertificate string   `type:"existingfile" placeholder:"FILE" help:"PEM of the client certificate that the hosts have mapped to --user."`
	Lockout           int      `placeholder:"N" help:"Lock an account after N wrong passwords in a row; 0 never."`
	NoCRL             bool     `name:"no-crl" help:"The revocation list is unreachable: Setup takes hours while the check is on."`
	WinRM             string   `name:"winrm" default:"2.0" enum:"1.1,2.0" help:"WinRM of the hosts; the tag winrm-1.1 of a row says it of one."`
	WindowsLanguage   string   `default:"" enum:",en-US,de-DE,ja-JP" help:"Display language of the hosts' Windows. Empty: the row's language where it is one of these, else en-US."`
	LocalizedSetup    bool     `help:"Setup's log is in that language too; whether a real one is, is not known."`
	Faults            string   `type:"existingfile" placeholder:"FILE" help:"Declared faults per host and step, JSON; agentless/twin/FAULTS.md lists them."`
}

// Run starts the hosts, prints "ready" when all listen, and ends on a signal.
func (c *TwinCmd) Run(g *Globals) (err error) {
	if c.Speed <= 0 {
		return fmt.Errorf("--speed %v: a number above 0 is wanted", c.Speed)
	}
	servers, err := c.servers()
	if err != nil {
		return err
	}
	o := twin.Options{
		Servers: servers, User: c.User, RunAs: c.Runas, Speed: c.Speed, StateDir: c.State, TLSDir: c.TLS,
		RevocationListUnreachable: c.NoCRL, WinRM: c.WinRM, Language: c.WindowsLanguage, LocalizedSetup: c.LocalizedSetup,
		LockoutThreshold: c.Lockout,
	}
	if err := c.access(&o); err != nil {
		return usage(g, err)
	}
	if err := fitting(o.Access, servers); err != nil {
		return usage(g, err)
	}
	if o.Faults, err = readFaults(c.Faults, servers); err != nil {
		return usage(g, err)
	}
	if o.Password, err = readPassword(c.PasswordFile); err != nil {
		return err
	}
	if c.Runas != "" {
		if c.RunasPasswordFile == "" {
			return errors.New("--runas needs --runas-password-file")
		}
		if o.RunAsPassword, err = readPassword(c.RunasPasswordFile); err != nil {
			return err
		}
	}
	if c.Journal != "" {
		file, err := os.OpenFile(c.Journal, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("open journal: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		o.Journal = io.Writer(file)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fleet, err := twin.Start(ctx, o)
	if err != nil {
		return fmt.Errorf("start simulated hosts: %w", err)
	}
	if _, err := fmt.Fprintln(g.Stdout, "ready"); err != nil {
		return errors.Join(err, fleet.Close())
	}
	<-ctx.Done()
	return fleet.Close()
}

// access reads how hosts are reached, and by whom.
func (c *TwinCmd) access(o *twin.Options) error {
	for _, text := range c.Access {
		a, err := twin.ParseAccess(text)
		if err != nil {
			return fmt.Errorf("--access: %w", err)
		}
		o.Access = append(o.Access, a)
	}
	for _, text := range c.Account {
		name, file, _ := strings.Cut(text, "=")
		a := twin.Account{Name: name, Admin: true}
		if file != "" {
			var err error
			if a.Password, err = readPassword(file); err != nil {
				return fmt.Errorf("--account %s: %w", name, err)
			}
		}
		o.Accounts = append(o.Accounts, a)
	}
	for _, file := range []struct {
		path string
		into *[]byte
	}{{c.Keytab, &o.Keytab}, {c.ClientCertificate, &o.ClientCertificate}} {
		if file.path == "" {
			continue
		}
		raw, err := os.ReadFile(file.path)
		if err != nil {
			return fmt.Errorf("read what hosts are reached by: %w", err)
		}
		*file.into = raw
	}
	return nil
}

// servers reads the fleet; a faulty line stops everything.
func (c *TwinCmd) servers() ([]exchange.Server, error) {
	file, err := os.Open(c.Fleet)
	if err != nil {
		return nil, fmt.Errorf("open fleet: %w", err)
	}
	inventory, faults := exchange.ReadInventory(file)
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("read fleet: %w", err)
	}
	if len(faults) > 0 {
		all := []error{fmt.Errorf("the fleet %s has faulty lines", c.Fleet)}
		for _, f := range faults {
			all = append(all, f)
		}
		return nil, errors.Join(all...)
	}
	return inventory.Servers, nil
}

// fitting refuses an access whose pattern fits no host of the fleet.
func fitting(access []twin.HostAccess, servers []exchange.Server) error {
	hosts := hostNames(servers)
	for _, a := range access {
		if !slices.ContainsFunc(hosts, a.Fits) {
			return fmt.Errorf("--access %s: it fits no host of the fleet%s", a.Hosts, exchange.Near(a.Hosts, hosts, ": the nearest is"))
		}
	}
	return nil
}
