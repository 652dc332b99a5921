package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"wavekeeper/migrations"
	"wavekeeper/server/localpg"
	"wavekeeper/server/store"
)

// database starts the private Postgres, or takes the database that was named,
// and migrates it. It returns the address for the program's role.
func (c *DemoCmd) database(ctx context.Context, g *Globals) (url string, stop func(), err error) {
	if c.Database == "" {
		fmt.Fprintln(g.Stdout, "starting the private database ...")
		pg, err := localpg.Start(ctx, localpg.Options{Dir: c.path("postgres")})
		if err != nil {
			return "", nil, err
		}
		if _, err := store.Migrate(ctx, pg.OwnerURL(), localpg.AppRole, migrations.FS); err != nil {
			pg.Stop()
			return "", nil, err
		}
		return pg.AppURL(), pg.Stop, nil
	}
	fmt.Fprintln(g.Stdout, "using the database that DATABASE_URL names ...")
	if err := ours(ctx, c.Database); err != nil {
		return "", nil, err
	}
	migrate := MigrateCmd{DatabaseFlags: DatabaseFlags{Database: c.Database}, Owner: c.Owner}
	if err := migrate.Run(&Globals{Stdout: io.Discard, Stderr: g.Stderr}); err != nil {
		return "", nil, err
	}
	return c.Database, func() {}, nil
}

// ours refuses a database that is neither empty nor an earlier demo's: the demo
// never writes into anybody else's.
func ours(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing was written
	var tables int
	var known bool
	if err := conn.QueryRow(ctx, "SELECT count(*), to_regclass('public.installation') IS NOT NULL FROM pg_tables WHERE schemaname = 'public'").Scan(&tables, &known); err != nil {
		return fmt.Errorf("look into the database: %w", err)
	}
	demo := false
	if known {
		if err := conn.QueryRow(ctx, "SELECT COALESCE(bool_and(demo), true) FROM installation").Scan(&demo); err != nil {
			return fmt.Errorf("look into the database: %w", err)
		}
	}
	if tables > 0 && !demo {
		return errors.New("the database that DATABASE_URL names is neither empty nor an earlier demo's; unset DATABASE_URL, or name another")
	}
	return nil
}
