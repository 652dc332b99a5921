package cli

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// DatabaseFlags name the database for commands that use it.
type DatabaseFlags struct {
	Database string `name:"database-url" help:"The program's database and role (a Postgres URL)." env:"DATABASE_URL" placeholder:"URL"`
}

// open connects as the program's role.
func (f DatabaseFlags) open(ctx context.Context) (*store.Store, error) {
	if f.Database == "" {
		return nil, errors.New("no database named: set DATABASE_URL or --database-url (a Postgres URL; a running demo prints its own)")
	}
	return store.Open(ctx, f.Database)
}

// commandLine is who changes things from a shell: the system's user, with all
// that the database's role may do.
func commandLine() store.Actor {
	name := "command line"
	if u, err := user.Current(); err == nil {
		name = fmt.Sprintf("command line (%s)", u.Username)
	}
	return store.Actor{Name: name, From: "command line", Roles: []string{"admin"}}
}

// personAsks is who asks from a shell for what a second person answers: the
// account that as names, else the one named as the system's user. A system's user
// with an account of his own asks for nobody else.
func personAsks(ctx context.Context, s *store.Store, as string) (store.Actor, error) {
	shell := commandLine()
	own, err := ownAccount(ctx, s)
	switch {
	case err != nil:
		return store.Actor{}, err
	case own == nil && as == "":
		return store.Actor{}, errors.New("name who asks with --as: an account of the console, so that the second person is another one")
	case own != nil && as != "" && !strings.EqualFold(own.Name, as):
		return store.Actor{}, fmt.Errorf("--as %s: %s asks for himself, with the account %s", as, shell.Name, own.Name)
	}
	if own == nil {
		one, err := s.PersonByName(ctx, as)
		if err != nil {
			return store.Actor{}, fmt.Errorf("--as: %w", err)
		}
		own = &one
	}
	return own.Actor(shell.Name), nil
}

// ownAccount is the account named as the system's user; nil = there is none.
func ownAccount(ctx context.Context, s *store.Store) (*store.Person, error) {
	u, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("ask for the system's user: %w", err)
	}
	one, err := s.PersonByName(ctx, u.Username)
	switch {
	case errors.Is(err, rollout.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &one, nil
}
