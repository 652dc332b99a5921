//go:build !race

package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"wavekeeper/server/store/storetest"
)

// TestClockJumps sets clocks by hours, forward and back, while a rollout runs:
// the coordinators' own, and the database's (every time that its rows hold is
// moved the other way, which is what a clock that was set looks like).
func TestClockJumps(t *testing.T) {
	t.Parallel()
	if !*fullFlag {
		t.Skip("make torture runs it")
	}
	random := chance(t)
	for i, c := range []struct {
		name string
		jump func(*testing.T, *arena, []*coordinator) error
	}{
		{"coordinator's clock ahead", func(_ *testing.T, _ *arena, two []*coordinator) error { return tell(two, clockAhead) }},
		{"coordinator's clock back", func(_ *testing.T, _ *arena, two []*coordinator) error { return tell(two, clockBack) }},
		{"database's clock ahead", func(t *testing.T, a *arena, _ []*coordinator) error { return shift(t.Context(), a.DB, -2*time.Hour) }},
		{"database's clock back", func(t *testing.T, a *arena, _ []*coordinator) error { return shift(t.Context(), a.DB, 2*time.Hour) }},
	} {
		seed := random.Uint64()
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			a := newArena(t, fleet4(fmt.Sprintf("127.107.%d", 30+i)), packed)
			a.approveAll(t)
			two := []*coordinator{a.coordinator(t), a.coordinator(t)}
			jumps := 0
			a.untilDone(t, func() {
				wait(time.Duration(700+random.IntN(800)) * time.Millisecond)
				if jumps < 5 {
					must(t, c.jump(t, a, two))
					jumps++
				}
			})
			a.check(t)
			ledger.injected(c.name+" by hours", jumps)
		})
	}
}

func tell(all []*coordinator, s syscall.Signal) error {
	for _, c := range all {
		if err := c.cmd.Process.Signal(s); err != nil {
			return err
		}
	}
	return nil
}

// shift moves every time in every row, as one transaction. What may never
// change (the record, events) keeps its times: they are only shown.
func shift(ctx context.Context, d storetest.DB, by time.Duration) error {
	conn, err := pgx.Connect(ctx, d.AdminURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT format('UPDATE %I SET %s', c.table_name, string_agg(format('%1$I = %1$I + $1::interval', c.column_name), ', '))
		FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
		WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.data_type = 'timestamp with time zone'
		  AND c.is_generated = 'NEVER' AND c.table_name NOT IN ('audit', 'event', 'goose_db_version')
		GROUP BY c.table_name ORDER BY c.table_name`)
	if err != nil {
		return err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	move := func() error { return moveTimes(ctx, conn, statements, by) }
	// It takes locks in an order of its own: who loses tries again.
	for try := 0; ; try++ {
		err := move()
		if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "40P01" && try < 20 {
			continue
		}
		return err
	}
}

func moveTimes(ctx context.Context, conn *pgx.Conn, statements []string, by time.Duration) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// No trigger says no, no other transaction sees one half.
		if _, err := tx.Exec(ctx, "SET LOCAL session_replication_role = replica"); err != nil {
			return err
		}
		for _, s := range statements {
			if _, err := tx.Exec(ctx, s, by.String()); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		// A step's memory holds seconds of 1970 as text.
		_, err := tx.Exec(ctx, `UPDATE step SET memory = (
			SELECT jsonb_object_agg(k, CASE WHEN v ~ '^1[0-9]{9}$' THEN (v::bigint + $1)::text ELSE v END) FROM jsonb_each_text(memory) AS m(k, v))
			WHERE memory <> '{}'`, int64(by/time.Second))
		return err
	})
}
