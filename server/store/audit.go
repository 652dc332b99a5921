package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/audit"
	"wavekeeper/server/store/db"
)

// Record is what a mutating method writes down of a decision.
type Record struct {
	What    string // "plan.submit"
	Subject string // "plan 3 revision 2"
	Rollout int64  // 0 = none
	Reason  string
	Detail  map[string]any // strings, integers, bools, lists, maps; never a secret
}

type entry struct {
	actor Actor
	Record
}

// record collects an audit entry; inTx writes it at the transaction's end.
func (t *txn) record(actor Actor, r Record) {
	t.records = append(t.records, entry{actor, r})
}

func (t *txn) writeRecords(ctx context.Context) error {
	if len(t.records) == 0 {
		return nil
	}
	head, err := t.q.LockAuditHead(ctx)
	if err != nil {
		return fmt.Errorf("lock the record's head: %w", err)
	}
	seq, hash := head.Seq, head.Hash
	for _, r := range t.records {
		seq++
		e := audit.Entry{
			Seq: seq, At: t.now, Who: r.actor.Name, Person: r.actor.PersonID, Roles: r.actor.Roles, From: r.actor.From,
			What: r.What, Subject: r.Subject, Rollout: r.Rollout, Reason: r.Reason, Detail: r.Detail,
		}
		bytes, err := e.Bytes()
		if err != nil {
			return err
		}
		row := db.AppendAuditParams{
			Seq: seq, Prev: hash, Hash: audit.Hash(hash, bytes), Bytes: string(bytes),
			At: t.now, Who: e.Who, What: e.What, Subject: e.Subject,
		}
		if e.Rollout != 0 {
			row.Rollout = &e.Rollout
		}
		if err := t.q.AppendAudit(ctx, row); err != nil {
			return fmt.Errorf("append audit entry %d: %w", seq, err)
		}
		hash = row.Hash
	}
	if err := t.q.MoveAuditHead(ctx, db.MoveAuditHeadParams{Seq: seq, Hash: hash}); err != nil {
		return fmt.Errorf("move the record's head: %w", err)
	}
	return nil
}

// Note appends one audit entry by itself: sign-ins, refused attempts, exports.
func (s *Store) Note(ctx context.Context, actor Actor, r Record) error {
	return s.inTx(ctx, func(t *txn) error {
		t.record(actor, r)
		return nil
	})
}

// VerifyAudit reads the whole record in order and returns how many entries are
// good; the error is an *audit.Broken when one is not.
func (s *Store) VerifyAudit(ctx context.Context) (int64, error) {
	const page = 5000
	var chain audit.Chain
	// One snapshot, so that the head belongs to the rows.
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.pool, snapshot, func(tx pgx.Tx) error {
		q := db.New(tx)
		head, err := q.AuditHead(ctx)
		if err != nil {
			return fmt.Errorf("read the record's head: %w", err)
		}
		for {
			rows, err := q.AuditAfter(ctx, db.AuditAfterParams{After: chain.Len(), MaxRows: page})
			if err != nil {
				return fmt.Errorf("read the record: %w", err)
			}
			for _, r := range rows {
				if err := chain.Add(auditRow(r)); err != nil {
					return err
				}
			}
			if len(rows) < page {
				return chain.End(head.Seq, head.Hash)
			}
		}
	})
	return chain.Len(), err
}

func auditRow(r db.Audit) audit.Row {
	row := audit.Row{Seq: r.Seq, Prev: r.Prev, Hash: r.Hash, Bytes: r.Bytes, At: r.At, Who: r.Who, What: r.What, Subject: r.Subject}
	if r.Rollout != nil {
		row.RolloutID = *r.Rollout
	}
	return row
}

// ProtectedRecord reports whether the database's rights keep the program from
// changing events and audit entries that are written. False when the program
// runs as their owner or with more rights than it needs; the triggers refuse
// even then, but an owner can drop triggers.
func (s *Store) ProtectedRecord(ctx context.Context) (bool, error) {
	var could bool
	err := s.pool.QueryRow(ctx, `
		SELECT bool_or(
			pg_has_role(current_user, c.relowner, 'MEMBER')
			OR has_table_privilege(current_user, c.oid, 'UPDATE')
			OR has_table_privilege(current_user, c.oid, 'DELETE')
			OR has_table_privilege(current_user, c.oid, 'TRUNCATE')
			OR has_table_privilege(current_user, c.oid, 'TRIGGER'))
		FROM pg_class c
		WHERE c.oid IN ('event'::regclass, 'audit'::regclass)`).Scan(&could)
	if err != nil {
		return false, fmt.Errorf("read the rights on the record: %w", err)
	}
	return !could, nil
}
