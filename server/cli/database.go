package cli

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"wavekeeper/server/store"
)

// DatabaseFlags name the database for commands that use it.
type DatabaseFlags struct {
	Database string `name:"database-url" help:"The program's database and role (a Postgres URL)." env:"DATABASE_URL" placeholder:"URL"`
}

// open connects as the program's role.
func (f DatabaseFlags) open(ctx context.Context) (*store.Store, error) {
	if f.Database == "" {
		return nil, errors.New("no database named: set DATABASE_URL or --database-url (a Postgres URL; `wavekeeper demo` brings its own)")
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
