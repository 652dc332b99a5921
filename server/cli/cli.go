// Package cli is the commands of the one binary, one file each, and the wiring
// of the program's parts. Rules live elsewhere; nothing imports cli but main.
package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// Globals is what every command gets: the streams that a test can replace.
type Globals struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Root lists the commands. One field, one file.
type Root struct {
	Config kong.ConfigFlag `help:"YAML file with settings; keys are the flags' names." env:"WAVEKEEPER_CONFIG" type:"path" placeholder:"FILE"`

	Serve        ServeCmd        `cmd:"" help:"Run the console and the coordinator."`
	Demo         DemoCmd         `cmd:"" help:"Run the whole product on this machine: private database, simulated hosts, console, sample accounts."`
	Migrate      MigrateCmd      `cmd:"" help:"Bring the database up to date and grant the program's role its rights."`
	User         UserCmd         `cmd:"" help:"Add and list people, change their roles, disable them."`
	Profile      ProfileCmd      `cmd:"" help:"Say how hosts are reached, and which hosts may be."`
	Pin          PinCmd          `cmd:"" help:"Say which certificates hosts are known by."`
	Credential   CredentialCmd   `cmd:"" help:"Store accounts; their passwords are sealed and never shown."`
	Package      PackageCmd      `cmd:"" help:"Register where a package's media lie on the hosts."`
	Media        MediaCmd        `cmd:"" help:"Bring packages' media to the hosts: take them in, list them, say from where hosts fetch them."`
	Hook         HookCmd         `cmd:"" help:"Say which programs and webhooks run at points of upgrades, and try them."`
	Preflight    PreflightCmd    `cmd:"" help:"Check servers for a package outside upgrades; exit status 3 when something blocks."`
	Waiver       WaiverCmd       `cmd:"" help:"List, ask for and withdraw waivers of findings."`
	Policy       PolicyCmd       `cmd:"" help:"Show and set the values that rules of preflight compare with."`
	Import       ImportCmd       `cmd:"" help:"Add and change servers from an inventory file."`
	Organization OrganizationCmd `cmd:"" help:"Show, read and enter what is known of the organization."`
	Health       HealthCmd       `cmd:"" help:"Ask a running console whether it works; exit status 0 if so."`
	Version      VersionCmd      `cmd:"" help:"Print the version and what it was built from."`
	Plan         PlanCmd         `cmd:"" help:"Plan a rollout from an inventory file, without a database."`
	Exec         ExecCmd         `cmd:"" help:"Run one command on each host over WinRM."`
	Probe        ProbeCmd        `cmd:"" help:"Ask each host for its facts."`
	SetupLog     SetupLogCmd     `cmd:"" name:"setuplog" help:"Say what a log of Exchange Setup says: how its newest run ended, how far it came, which errors are known and what helps."`
	Twin         TwinCmd         `cmd:"" help:"Run simulated hosts for a fleet, for tests and the demonstration."`
}

// Exit is an error that only carries the process's exit status; its cause was
// already said.
type Exit int

// Error names the status.
func (e Exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// newParser reads the command line into a Root; exit is called for --help.
func newParser(stdout, stderr io.Writer, exit func(int)) (*kong.Kong, error) {
	return kong.New(&Root{},
		kong.Name("wavekeeper"),
		kong.Description("Takes a fleet of Exchange Server 2007 machines through a service pack without breaking mail."),
		kong.Writers(stdout, stderr),
		kong.Configuration(yamlSettings),
		kong.DefaultEnvars("WAVEKEEPER"),
		durations,
		kong.Exit(exit),
		kong.UsageOnError(),
	)
}

// Main runs one command and returns the exit status: 0 success, 1 failure,
// 2 wrong usage.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	status := -1
	parser, err := newParser(stdout, stderr, func(code int) { status = code })
	if err != nil {
		fmt.Fprintln(stderr, "wavekeeper:", err)
		return 2
	}
	ctx, err := parser.Parse(args)
	if status == 0 { // --help was answered
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "wavekeeper:", cmp.Or(belowZero(args), err))
		return 2
	}
	err = ctx.Run(&Globals{Stdin: stdin, Stdout: stdout, Stderr: stderr})
	var exit Exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	default:
		fmt.Fprintln(stderr, "wavekeeper:", err)
		return 1
	}
}
