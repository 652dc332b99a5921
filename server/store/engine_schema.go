package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// ErrNotMigrated says that the database's schema is not the program's.
var ErrNotMigrated = errors.New("the database is not at this program's version; run `wavekeeper migrate` (it needs MIGRATE_DATABASE_URL, the owner's role) and start again")

// CheckSchema compares the database with the migrations that the program
// carries (NNNN_name.sql), and with River's.
func (s *Store) CheckSchema(ctx context.Context, files fs.FS) error {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return fmt.Errorf("list migrations: %w", err)
	}
	var want int64
	for _, name := range names {
		digits, _, _ := strings.Cut(name, "_")
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n > want {
			want = n
		}
	}
	var have int64
	err = s.pool.QueryRow(ctx, "SELECT COALESCE(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&have)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42P01" { // undefined table
		return fmt.Errorf("%w: it has no tables", ErrNotMigrated)
	}
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if have != want {
		return fmt.Errorf("%w: it is at %d, this program is made for %d", ErrNotMigrated, have, want)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(s.pool), nil)
	if err != nil {
		return fmt.Errorf("read the job tables' version: %w", err)
	}
	valid, err := migrator.Validate(ctx, nil)
	if err != nil {
		return fmt.Errorf("read the job tables' version: %w", err)
	}
	if !valid.OK {
		return fmt.Errorf("%w: %s", ErrNotMigrated, strings.Join(valid.Messages, "; "))
	}
	return nil
}
