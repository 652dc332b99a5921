package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/store"
)

// UserCmd is the commands for people.
type UserCmd struct {
	Add     UserAddCmd     `cmd:"" help:"Add a person. The password is read from a file or standard input, or made and printed."`
	List    UserListCmd    `cmd:"" help:"List people and their roles."`
	Roles   UserRolesCmd   `cmd:"" help:"Replace a person's roles: those given stay, all others are taken away. They count from the person's next click on."`
	Disable UserDisableCmd `cmd:"" help:"Let a person in no longer; ends the person's sessions."`
	Enable  UserEnableCmd  `cmd:"" help:"Let a disabled person in again."`
	Passwd  UserPasswdCmd  `cmd:"" help:"Replace a person's password; ends the person's sessions."`
}

// PasswordFlags say where a new password comes from, never the command line.
type PasswordFlags struct {
	Generate     bool   `help:"Make a password and print it."`
	PasswordFile string `name:"password-file" help:"File with the password in its first line; - or nothing is standard input." placeholder:"FILE"`
}

func (f PasswordFlags) password(g *Globals) (string, error) {
	if f.Generate {
		return auth.NewPassword(), nil
	}
	return readSecret(g, f.PasswordFile)
}

// UserAddCmd adds a person.
type UserAddCmd struct {
	DatabaseFlags
	PasswordFlags
	Name        string   `arg:"" help:"Name to sign in with."`
	Role        []string `required:"" help:"admin, planner, operator or auditor; several with commas." placeholder:"ROLE"`
	DisplayName string   `name:"display-name" help:"Full name."`
}

// Run adds the person.
func (c *UserAddCmd) Run(g *Globals) error {
	ctx := context.Background()
	password, err := c.password(g)
	if err != nil {
		return err
	}
	hash, err := auth.HashPassword(password)
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.AddPerson(ctx, commandLine(), store.NewPerson{Name: c.Name, DisplayName: c.DisplayName, Hash: hash, Roles: c.Role}); err != nil {
		return err
	}
	return c.tell(g, "added "+strings.ToLower(c.Name), password)
}

func (f PasswordFlags) tell(g *Globals, what, password string) error {
	if f.Generate {
		what += ", password " + password
	}
	_, err := fmt.Fprintln(g.Stdout, what)
	return err
}

// UserListCmd lists people.
type UserListCmd struct{ DatabaseFlags }

// Run prints one line per person.
func (c *UserListCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	people, err := s.People(ctx)
	if err != nil {
		return err
	}
	for _, p := range people {
		state := ""
		if p.Disabled {
			state = "\tdisabled"
		}
		fmt.Fprintf(g.Stdout, "%s\t%s%s\n", p.Name, strings.Join(p.Roles, ","), state)
	}
	return nil
}

// UserRolesCmd replaces a person's roles.
type UserRolesCmd struct {
	DatabaseFlags
	Name string   `arg:""`
	Role []string `required:"" help:"admin, planner, operator or auditor; several with commas." placeholder:"ROLE"`
}

// Run replaces the roles and says what they were.
func (c *UserRolesCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := s.PersonByName(ctx, c.Name)
	if err != nil {
		return err
	}
	if err := s.SetRoles(ctx, commandLine(), p.ID, c.Role); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "%s is now %s, was %s\n", p.Name, strings.Join(c.Role, ","), strings.Join(p.Roles, ","))
	return err
}

// UserDisableCmd disables a person.
type UserDisableCmd struct {
	DatabaseFlags
	Name string `arg:""`
}

// Run disables the person.
func (c *UserDisableCmd) Run(g *Globals) error {
	return setDisabled(g, c.DatabaseFlags, c.Name, true)
}

// UserEnableCmd enables a person.
type UserEnableCmd struct {
	DatabaseFlags
	Name string `arg:""`
}

// Run enables the person.
func (c *UserEnableCmd) Run(g *Globals) error {
	return setDisabled(g, c.DatabaseFlags, c.Name, false)
}

func setDisabled(g *Globals, f DatabaseFlags, name string, disabled bool) error {
	ctx := context.Background()
	s, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := s.PersonByName(ctx, name)
	if err != nil {
		return err
	}
	if err := s.SetDisabled(ctx, commandLine(), p.ID, disabled); err != nil {
		return err
	}
	word := map[bool]string{true: "disabled", false: "enabled"}[disabled]
	_, err = fmt.Fprintln(g.Stdout, word, p.Name)
	return err
}

// UserPasswdCmd replaces a password.
type UserPasswdCmd struct {
	DatabaseFlags
	PasswordFlags
	Name string `arg:""`
}

// Run replaces the password.
func (c *UserPasswdCmd) Run(g *Globals) error {
	ctx := context.Background()
	password, err := c.password(g)
	if err != nil {
		return err
	}
	hash, err := auth.HashPassword(password)
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := s.PersonByName(ctx, c.Name)
	if err != nil {
		return err
	}
	if err := s.SetPassword(ctx, commandLine(), p.ID, hash); err != nil {
		return err
	}
	return c.tell(g, "changed the password of "+p.Name, password)
}

// maxSecret bounds what is read as a secret.
const maxSecret = 4096

// readSecret reads the first line of a file, or of standard input for "" and
// "-". It is never shown.
func readSecret(g *Globals, path string) (string, error) {
	in := io.Reader(g.Stdin)
	if path != "" && path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		in = file
	}
	content, err := io.ReadAll(io.LimitReader(in, maxSecret))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(string(content), "\uFEFF"), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", errors.New("read the password: its first line is empty")
	}
	return line, nil
}
