package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5"

	"wavekeeper/server/store/db"
)

// SessionPerson is the key under which a session keeps its person's id, an
// int64. The store copies it into a column, so that disabling a person ends
// the person's sessions.
const SessionPerson = "person"

// SessionStamp is the key under which a session keeps the person's stamp of
// the moment of signing in. It ends a session that a request, which was under
// way while the password was changed, wrote once more.
const SessionStamp = "stamp"

// Sessions keeps scs sessions in Postgres; it is an scs.CtxStore. The manager
// should have HashTokenInStore set.
type Sessions struct{ s *Store }

var _ scs.CtxStore = Sessions{}

// Sessions returns the store of sessions.
func (s *Store) Sessions() Sessions { return Sessions{s} }

// FindCtx returns a session's data; expired ones are not found.
func (v Sessions) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	data, err := v.s.q.FindSession(ctx, token)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find session: %w", err)
	}
	return data, true, nil
}

// CommitCtx adds or replaces a session. A session of a disabled person is not
// written.
func (v Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, values, err := scs.GobCodec{}.Decode(data)
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	row := db.CommitSessionParams{Token: token, Data: data, Expiry: expiry}
	if person, ok := values[SessionPerson].(int64); ok {
		row.PersonID = &person
	}
	if err := v.s.q.CommitSession(ctx, row); err != nil {
		return fmt.Errorf("keep session: %w", err)
	}
	return nil
}

// DeleteCtx removes a session.
func (v Sessions) DeleteCtx(ctx context.Context, token string) error {
	if err := v.s.q.DeleteSession(ctx, token); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// Find is FindCtx without a context, which scs asks for and never calls.
func (v Sessions) Find(token string) ([]byte, bool, error) {
	return v.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (v Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return v.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a context.
func (v Sessions) Delete(token string) error { return v.DeleteCtx(context.Background(), token) }
