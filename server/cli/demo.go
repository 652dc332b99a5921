package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/deploy/demo"
	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// DemoCmd runs the whole product on this machine. It binds 127.0.0.1 only, has
// a database of its own, and its profile allows loopback addresses only.
type DemoCmd struct {
	Database string `name:"database-url" help:"Use this empty database (or an earlier demo's) instead of a private Postgres." env:"DATABASE_URL" placeholder:"URL"`
	Owner    string `name:"migrate-database-url" help:"With --database-url: the role that owns it. Empty: the same." env:"MIGRATE_DATABASE_URL" placeholder:"URL"`

	Dir    string  `help:"Folder of the demo: database, hosts, accounts. Empty: wavekeeper-demo in the user's data folder (root: /var/lib), with the fleet's name behind it where --fleet is given." env:"WAVEKEEPER_DEMO_DIR" type:"path" placeholder:"DIR"`
	Listen string  `default:"127.0.0.1:8080" help:"Address of the console; loopback only." env:"WAVEKEEPER_DEMO_LISTEN" placeholder:"HOST:PORT"`
	Speed  float64 `default:"200" help:"Divides how long the simulated hosts take." env:"WAVEKEEPER_DEMO_SPEED"`
	Fleet  string  `help:"Inventory file of the simulated hosts. Empty: the demo's own twelve servers." env:"WAVEKEEPER_DEMO_FLEET" type:"existingfile" placeholder:"FILE"`
	Faults string  `help:"Declared faults of the simulated hosts, JSON; agentless/twin/FAULTS.md lists them." env:"WAVEKEEPER_DEMO_FAULTS" type:"existingfile" placeholder:"FILE"`
}

// The demo's accounts on the simulated hosts.
const (
	demoUser  = "wavekeeper"
	demoRunAs = `DEMO\wk-setup`
)

// fleetFile is the inventory of the simulated hosts, in the demo's folder.
const fleetFile = "fleet.csv"

// databaseFile holds the address of the demo's database for other commands.
const databaseFile = "database.url"

// certificatesDir is where the simulated hosts' certificates and their CA are.
const certificatesDir = "certificates"

// demoPeople are the sample accounts, in the order in which they are shown.
var demoPeople = []struct{ name, words string }{
	{"admin", "people, profiles, credentials"},
	{"lead", "planner: imports, plans, submits"},
	{"operator", "approves, runs, decides"},
	{"auditor", "reads everything"},
}

func demoRoles(name string) []string {
	if name == "lead" {
		return []string{"planner"}
	}
	return []string{name}
}

// demoSecrets are generated once and kept in the demo's folder, mode 0600.
type demoSecrets struct {
	People map[string]string `json:"people"`
	WinRM  string            `json:"winrm"`
	RunAs  string            `json:"runas"`
}

// Run starts database, hosts and console, and keeps them running until it is
// told to stop.
func (c *DemoCmd) Run(g *Globals) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.checkFaults(); err != nil {
		return usage(g, err)
	}
	if err := c.check(); err != nil {
		return err
	}
	secrets, err := c.secrets()
	if err != nil {
		return err
	}
	url, stopDatabase, err := c.database(ctx, g)
	if err != nil {
		return err
	}
	defer stopDatabase()
	if err := os.WriteFile(c.path(databaseFile), []byte(url+"\n"), 0o600); err != nil { // the address holds a password
		return fmt.Errorf("keep the address of the demo's database: %w", err)
	}
	if err := c.furnish(ctx, url, secrets); err != nil {
		return fmt.Errorf("furnish the demo: %w", err)
	}

	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	fmt.Fprintln(g.Stdout, "starting the simulated hosts ...")
	hosts, err := startHosts(ctx, g, self, c)
	if err != nil {
		return err
	}
	defer hosts.stop()
	media, err := c.mediaListen(ctx)
	if err != nil {
		return err
	}
	console := startConsole(ctx, g, self, c, url, media)
	defer console.stop()
	if err := c.awaitConsole(ctx); err != nil {
		return err
	}
	c.welcome(g, secrets)
	<-ctx.Done()
	fmt.Fprintln(g.Stdout, "stopping ...")
	return nil
}

func (c *DemoCmd) path(parts ...string) string {
	return filepath.Join(append([]string{c.Dir}, parts...)...)
}

// check makes the folder, and refuses anything that is not loopback.
func (c *DemoCmd) check() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", c.Listen, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("--listen %s: the demo listens on loopback addresses only", c.Listen)
	}
	if c.Speed <= 0 {
		return fmt.Errorf("--speed %v: a number above 0 is wanted", c.Speed)
	}
	if c.Dir == "" {
		dir, err := dataDir()
		if err != nil {
			return err
		}
		c.Dir = filepath.Join(dir, "wavekeeper-demo")
		if c.Fleet != "" { // one fleet's servers are not another's
			c.Dir += "-" + strings.TrimSuffix(filepath.Base(c.Fleet), filepath.Ext(c.Fleet))
		}
	}
	// The database's system user must get through; what is secret inside is 0600 or deeper.
	if err := os.MkdirAll(c.Dir, 0o711); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("the console's address is taken (another demo? choose one with --listen or WAVEKEEPER_DEMO_LISTEN): %w", err)
	}
	return listener.Close()
}

// dataDir is where programs keep their data: for root a folder that the
// database's system user can reach.
func dataDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib", nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the demo (set --dir): %w", err)
	}
	return filepath.Join(home, ".local", "share"), nil
}

// secrets loads what an earlier start generated, or generates it.
func (c *DemoCmd) secrets() (demoSecrets, error) {
	var s demoSecrets
	raw, err := os.ReadFile(c.path("secrets.json"))
	switch {
	case err == nil:
		if err := json.Unmarshal(raw, &s); err != nil {
			return s, fmt.Errorf("read %s: %w", c.path("secrets.json"), err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return s, fmt.Errorf("read the demo's secrets: %w", err)
	default:
		s = demoSecrets{People: map[string]string{}, WinRM: auth.NewPassword(), RunAs: auth.NewPassword()}
		for _, p := range demoPeople {
			s.People[p.name] = strings.ToLower(auth.NewPassword()[:16])
		}
		if raw, err = json.MarshalIndent(s, "", "  "); err != nil {
			return s, fmt.Errorf("keep the demo's secrets: %w", err)
		}
		if err := os.WriteFile(c.path("secrets.json"), raw, 0o600); err != nil {
			return s, fmt.Errorf("keep the demo's secrets: %w", err)
		}
	}
	fleet := demo.Fleet
	if c.Fleet != "" {
		if fleet, err = os.ReadFile(c.Fleet); err != nil {
			return s, fmt.Errorf("read --fleet: %w", err)
		}
	}
	for name, content := range map[string][]byte{"winrm.password": []byte(s.WinRM), "runas.password": []byte(s.RunAs), fleetFile: fleet} {
		mode := fs.FileMode(0o600)
		if name == fleetFile {
			mode = 0o644
			if _, err := os.Stat(c.path(name)); err == nil && c.Fleet == "" {
				continue // an earlier demo's hosts stay as they were imported
			}
		}
		if err := os.WriteFile(c.path(name), content, mode); err != nil {
			return s, fmt.Errorf("write the demo's files: %w", err)
		}
	}
	return s, nil
}

// furnish makes the accounts, the profile, its credentials and the packages,
// as far as they are missing. The inventory stays empty: a person imports it.
func (c *DemoCmd) furnish(ctx context.Context, url string, secrets demoSecrets) error {
	s, err := store.Open(ctx, url)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Installation(ctx, true); err != nil {
		return err
	}
	actor := store.Actor{Name: "demo", From: "command line", Roles: []string{"admin"}}
	for _, p := range demoPeople {
		if _, err := s.PersonByName(ctx, p.name); err == nil {
			continue
		} else if !errors.Is(err, rollout.ErrNotFound) {
			return err
		}
		hash, err := auth.HashPassword(secrets.People[p.name])
		if err != nil {
			return err
		}
		if _, err := s.AddPerson(ctx, actor, store.NewPerson{Name: p.name, Hash: hash, Roles: demoRoles(p.name)}); err != nil {
			return err
		}
	}
	kept, err := s.Credentials(ctx)
	if err != nil {
		return err
	}
	if len(kept) == 0 { // not furnished before
		if err := furnishHosts(ctx, s, actor, c.path("wavekeeper.key"), secrets); err != nil {
			return err
		}
	}
	fleet, err := os.ReadFile(c.path(fleetFile))
	if err != nil {
		return fmt.Errorf("read the demo's fleet: %w", err)
	}
	if err := furnishWays(ctx, s, actor, fleet, c.path("wavekeeper.key"), c.path(certificatesDir), secrets); err != nil {
		return err
	}
	return furnishMedia(ctx, s, actor, fleet, c.path(mediaFolder))
}

// furnishHosts makes what the coordinator needs to reach the simulated hosts.
func furnishHosts(ctx context.Context, s *store.Store, actor store.Actor, keyFile string, secrets demoSecrets) error {
	for _, pkg := range []string{"sp1", "sp2", "sp3"} {
		if err := s.SavePackage(ctx, actor, store.Package{
			Name: pkg, Language: "en-US", Arch: "x64", SetupSHA256: twin.SetupSHA256(pkg, "en-US", "x64"),
		}); err != nil {
			return err
		}
	}
	p := demoWays[0].profile
	return furnishProfile(ctx, s, actor, p, keyFile, secrets)
}

// awaitConsole waits until the console answers.
func (c *DemoCmd) awaitConsole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", c.Listen)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return errors.New("the console does not answer; see what it said above")
		case <-every.C:
		}
	}
}

func (c *DemoCmd) welcome(g *Globals, secrets demoSecrets) {
	fmt.Fprintf(g.Stdout, "\nThe demo runs. Open http://%s\n\n", c.Listen)
	for _, p := range demoPeople {
		fmt.Fprintf(g.Stdout, "  %-9s %s   %s\n", p.name, secrets.People[p.name], p.words)
	}
	fmt.Fprintf(g.Stdout, `
A rollout from its beginning to its end:
  1. lead: Servers, Import: %s
     then Plans, Prepare the organization for SP1 on a server of the first site, and
     a new plan of all servers for SP1; submit both.
  2. operator: approve the organization's plan, and when it is done the waves.
  3. auditor: History.

Commands such as wavekeeper preflight reach it, in another shell, by
  export DATABASE_URL="$(cat %s)"

Killing the serve process leaves the hosts running; it is started again here and
finds them as they are. What really happened on the hosts: %s
Stop with Ctrl-C. Everything is kept in %s.
`, c.path(fleetFile), c.path(databaseFile), c.path("journal.jsonl"), c.Dir)
}
