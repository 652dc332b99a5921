package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"wavekeeper/migrations"
	"wavekeeper/server/store"
)

// MigrateCmd brings the database up to date.
type MigrateCmd struct {
	DatabaseFlags
	Owner string `name:"migrate-database-url" help:"The role that owns the database. Without it the program's own role migrates, and rights do not protect the record." env:"MIGRATE_DATABASE_URL" placeholder:"URL"`
}

// Run migrates as the owner and grants the program's role what it needs.
func (c *MigrateCmd) Run(g *Globals) error {
	owner, program := c.Owner, ""
	if c.Database != "" {
		config, err := pgx.ParseConfig(c.Database)
		if err != nil {
			return fmt.Errorf("read DATABASE_URL: %w", err)
		}
		program = config.User
	}
	if owner == "" {
		owner = c.Database
	}
	if owner == "" {
		return errors.New("no database named: set MIGRATE_DATABASE_URL (the owner's role) and DATABASE_URL (the program's role)")
	}
	done, err := store.Migrate(context.Background(), owner, program, migrations.FS)
	if err != nil {
		return err
	}
	for _, name := range done.Applied {
		fmt.Fprintln(g.Stdout, "applied", name)
	}
	for _, version := range done.River {
		fmt.Fprintln(g.Stdout, "applied River's migration", version)
	}
	if len(done.Applied)+len(done.River) == 0 {
		fmt.Fprintln(g.Stdout, "the database is up to date")
	}
	if done.Granted == "" {
		fmt.Fprintln(g.Stdout, "one role owns and uses the database: rights do not protect the record of decisions (see README, two database roles)")
	} else {
		fmt.Fprintf(g.Stdout, "granted role %s what the program needs; events and audit entries it can only read and append\n", done.Granted)
	}
	return nil
}
