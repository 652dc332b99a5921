package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// Migrated says what Migrate did.
type Migrated struct {
	Applied []string // names of the program's migrations that ran now
	River   []int    // versions of River's own migrations that ran now
	Granted string   // the program's role that got its rights; "" = one role for both
}

// riverLock keeps two migrators apart while River's own tables are made; goose
// holds a lock of its own.
const riverLock = 0x7761766b // "wavk"

// Migrate brings the database at ownerURL up to date: the program's tables
// (NNNN_name.sql in files), River's tables, and the rights of the program's
// role. program is that role's name; "" or the owner's own name grants nothing.
// Several may run at once; one works and the others wait.
func Migrate(ctx context.Context, ownerURL, program string, files fs.FS) (Migrated, error) {
	var done Migrated
	pool, err := pgxpool.New(ctx, ownerURL)
	if err != nil {
		return done, fmt.Errorf("connect as the database's owner: %w", err)
	}
	defer pool.Close()
	if done.Applied, err = migrateTables(ctx, pool, files); err != nil {
		return done, fmt.Errorf("migrate: %w", err)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(riverLock)); err != nil {
			return err
		}
		// Beside this transaction, which only holds the lock: River's versions
		// need commits of their own (a new enum value cannot be used before).
		if done.River, err = migrateRiver(ctx, pool); err != nil {
			return fmt.Errorf("migrate River's tables: %w", err)
		}
		if done.Granted, err = grant(ctx, tx, program); err != nil {
			return fmt.Errorf("grant rights to %s: %w", program, err)
		}
		return nil
	})
	return done, err
}

func migrateTables(ctx context.Context, pool *pgxpool.Pool, files fs.FS) ([]string, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, err
	}
	plain := stdlib.OpenDBFromPool(pool)
	defer plain.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, plain, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	var applied []string
	for _, r := range results {
		applied = append(applied, r.Source.Path)
	}
	return applied, err
}

func migrateRiver(ctx context.Context, pool *pgxpool.Pool) ([]int, error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return nil, err
	}
	var versions []int
	for _, v := range result.Versions {
		versions = append(versions, v.Version)
	}
	return versions, nil
}

// grant gives the program's role what it needs and no more: no DDL, and on
// events, audit, evidence and what was approved only reading and appending. It returns ""
// when there is nothing to grant.
func grant(ctx context.Context, tx pgx.Tx, program string) (string, error) {
	var owner string
	if err := tx.QueryRow(ctx, "SELECT current_user").Scan(&owner); err != nil {
		return "", err
	}
	if program == "" || program == owner {
		return "", nil
	}
	var known bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)", program).Scan(&known); err != nil {
		return "", err
	}
	if !known {
		return "", errors.New("there is no such role; create it (CREATE ROLE ... LOGIN PASSWORD ...) or use one role for both")
	}
	// Only what this owner owns: a database may hold tables of others.
	var tables, sequences string
	err := tx.QueryRow(ctx, `
		SELECT COALESCE(string_agg(quote_ident(c.relname), ', ') FILTER (WHERE c.relkind IN ('r', 'p')), ''),
		       COALESCE(string_agg(quote_ident(c.relname), ', ') FILTER (WHERE c.relkind = 'S'), '')
		FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace
		  AND c.relowner = current_user::regrole`).Scan(&tables, &sequences)
	if err != nil {
		return "", err
	}
	if err := noTemporaryTables(ctx, tx); err != nil {
		return "", err
	}
	role := pgx.Identifier{program}.Sanitize()
	for _, statement := range []string{
		"GRANT USAGE ON SCHEMA public TO " + role,
		"REVOKE CREATE ON SCHEMA public FROM PUBLIC",
		"REVOKE ALL ON " + tables + " FROM " + role,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON " + tables + " TO " + role,
		"REVOKE UPDATE, DELETE ON event, audit, approval_server, evidence FROM " + role,
		"REVOKE UPDATE, DELETE ON revision, approval FROM " + role,
		"GRANT UPDATE (state, submitted_by, submitted_at) ON revision TO " + role,
		"GRANT UPDATE (withdrawn_at) ON approval TO " + role,
		"REVOKE UPDATE, DELETE ON marker FROM " + role,
		"GRANT UPDATE (put_back_at) ON marker TO " + role,
		"REVOKE UPDATE, DELETE ON media FROM " + role,
		"REVOKE INSERT, DELETE ON audit_head FROM " + role,
		"REVOKE INSERT, UPDATE, DELETE ON goose_db_version, river_migration FROM " + role,
		"GRANT USAGE, SELECT ON SEQUENCE " + sequences + " TO " + role,
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return "", fmt.Errorf("%s: %w", statement, err)
		}
	}
	return program, nil
}

// noTemporaryTables takes from everybody what Postgres gives to everybody: a
// temporary table stands before the real one of the same name, also before the
// record's. Only the database's owner can; elsewhere its administrator decides.
func noTemporaryTables(ctx context.Context, tx pgx.Tx) error {
	var database string
	var owned bool
	err := tx.QueryRow(ctx, "SELECT datname, datdba = current_user::regrole FROM pg_database WHERE datname = current_database()").Scan(&database, &owned)
	if err != nil || !owned {
		return err
	}
	_, err = tx.Exec(ctx, "REVOKE TEMPORARY ON DATABASE "+pgx.Identifier{database}.Sanitize()+" FROM PUBLIC")
	return err
}
