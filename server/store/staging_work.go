package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Now returns the database's time, by which everything on record goes.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	now, err := s.q.DatabaseTime(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the time: %w", err)
	}
	return now, nil
}

// HostInWork returns a server that is in work on the host of that name, "" when
// none is: nothing else is done on a host meanwhile.
func (s *Store) HostInWork(ctx context.Context, host string) (string, error) {
	server, err := s.q.ServerInWorkOnHost(ctx, host)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ask who is in work on %s: %w", host, err)
	}
	return server, nil
}

// SiteOfHost returns the AD site of a host's server; of several, the first by
// name counts.
func (s *Store) SiteOfHost(ctx context.Context, host int64) (string, error) {
	site, err := s.q.SiteOfHost(ctx, host)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("load the site of host %d: %w", host, err)
	}
	return site, nil
}
