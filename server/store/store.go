// Package store is Postgres: every query (query/*.sql, made into db/ by sqlc)
// and every transaction. It owns no rule: what may happen is decided by rollout
// and auth; what is written here is guarded again by the WHERE of the statement
// and by the schema's constraints. It must not know hosts, pages or secrets.
//
// Every transaction takes its locks in this order, so that none waits in a ring:
//
//  0. who acts: LockPeople where people are changed, then the person's row (see
//     txn.acts);
//  1. the plan's row, then the rows of its revisions;
//  2. the rollout's row, or several in the order of their ids: who holds it is
//     alone with the rollout's waves, upgrades, steps, events and ledger (the
//     sweep, which does not, skips what is locked);
//  3. LockFleet, which keeps all starts and imports apart;
//  4. the leases, in the order of their hosts' names;
//  5. rows of servers, in the order of their ids;
//  6. rows of hosts, in the order of their ids, then their facts;
//  7. LockMedia, then rows of stagings, in the order of their hosts' ids, and grants;
//  8. a profile's row, then a credential's with its refusals and trial, or a
//     host's certificates;
//  9. the head of the record, when everything else is written (see txn).
//
// Advance may ask the host of one server and then start another: it is alone
// by 3, and who else holds a server's row (SaveTick) has that server in work,
// which is neither asked nor started.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Store is the program's database.
type Store struct {
	pool  *pgxpool.Pool
	q     *db.Queries
	river *river.Client[pgx.Tx] // inserts jobs and works none
	ttl   time.Duration         // of leases
	hooks Hooks                 // nil = there are none
}

// Open connects to the database at url (a Postgres URL or key=value string)
// and checks that it answers.
func Open(ctx context.Context, url string, with ...Option) (*Store, error) {
	o := options{ttl: LeaseTTL}
	for _, one := range with {
		one(&o)
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database's address: %w", err)
	}
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// A program that stands still in a transaction must not hold up the others.
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "30s"
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "wavekeeper"
	}
	for _, change := range o.pool {
		change(config)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	inserter, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("make the inserter of jobs: %w", err)
	}
	return &Store{pool: pool, q: db.New(pool), river: inserter, ttl: o.ttl}, nil
}

// Close ends all connections.
func (s *Store) Close() { s.pool.Close() }

// Pool is for River and for the one LISTEN connection; nothing else writes
// beside the store.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	return nil
}

// txn is one transaction. Audit entries are collected by record and written
// last, since the record's head is the last of all locks.
type txn struct {
	s       *Store
	tx      pgx.Tx
	q       *db.Queries
	now     time.Time // the transaction's time, in UTC; the same for every row
	records []entry
}

// inTx runs f in one transaction: all of it, with its audit entries, is
// committed, or none. An error that is one of the database's own rules becomes
// a conflict.
func (s *Store) inTx(ctx context.Context, f func(*txn) error) error {
	written := false
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		t := &txn{s: s, tx: tx, q: db.New(tx)}
		if err := tx.QueryRow(ctx, "SELECT now()").Scan(&t.now); err != nil {
			return err
		}
		t.now = t.now.UTC()
		if err := f(t); err != nil {
			return err
		}
		if err := t.writeRecords(ctx); err != nil {
			return err
		}
		written = true
		return nil
	})
	if err != nil && written {
		err = unsettled(err)
	}
	return explained(err)
}

// explained turns the database's refusal into a kind that people see.
func explained(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case "40001", "40P01": // serialization failure, deadlock
		return fmt.Errorf("%w (%w)", rollout.Conflict("something else changed at the same moment; try again"), err)
	case "23505", "23514", "23503": // unique, check, foreign key
		if text, ok := refusedBecause[pg.ConstraintName]; ok {
			return fmt.Errorf("%w (%w)", rollout.Conflict("%s", text), err)
		}
		return fmt.Errorf("%w (%w)", rollout.Conflict("the database refuses it: %s", words(pg.ConstraintName)), err)
	case "22021", "22P05": // a NUL, bytes that are not UTF-8
		return fmt.Errorf("%w (%w)", rollout.Invalid("A text holds characters that cannot be kept."), err)
	}
	return err
}

// refusedBecause are the rules of the database that a person meets by being second.
var refusedBecause = map[string]string{
	"one_open_fix_per_host_and_name":    "This fix is asked for on this host already, or under way: that comes to its end first.",
	"one_waiver_is_asked_for_at_a_time": "Somebody asked already that this finding be accepted: that is granted, refused or withdrawn first.",
}

// words reads a constraint's name as the rule it is.
func words(constraint string) string {
	b := []byte(constraint)
	for i := range b {
		if b[i] == '_' {
			b[i] = ' '
		}
	}
	return string(b)
}

// missing turns "no rows" into the kind not found, with its text.
func missing(err error, format string, args ...any) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return rollout.NotFound(format, args...)
	}
	return err
}
