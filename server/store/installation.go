package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Installation is this installation's identity: its id is part of every name
// that is left on a host.
type Installation struct {
	ID   string // eight hex digits
	Demo bool
}

// Installation returns the identity. It is made on first use; whether it is a
// demo is decided then, and asking for the other kind is a conflict: a demo's
// database never becomes a real one.
func (s *Store) Installation(ctx context.Context, demo bool) (Installation, error) {
	have, err := s.q.Installation(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		raw := make([]byte, 4)
		if _, err := rand.Read(raw); err != nil {
			return Installation{}, fmt.Errorf("make the installation's id: %w", err)
		}
		if err := s.q.AddInstallation(ctx, db.AddInstallationParams{ID: hex.EncodeToString(raw), Demo: demo}); err != nil {
			return Installation{}, fmt.Errorf("keep the installation's id: %w", err)
		}
		have, err = s.q.Installation(ctx)
	}
	if err != nil {
		return Installation{}, fmt.Errorf("load the installation's id: %w", err)
	}
	if have.Demo != demo {
		return Installation{}, rollout.Conflict("This database belongs to %s.", map[bool]string{true: "a demo", false: "an installation that is no demo"}[have.Demo])
	}
	return Installation{ID: have.ID, Demo: have.Demo}, nil
}
