package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// MediaGrant is what one host may fetch while its staging is in work.
type MediaGrant struct {
	Staging      int64
	Host         string
	Addresses    []netip.Addr // from which the host may come
	Until        time.Time
	BundleSHA256 string
	BundleSize   int64
}

// Grant lets the host of a staging fetch the medium with the token whose SHA-256
// (64 hex digits) is given, from these addresses, for at most so long. It takes
// the place of the staging's earlier grant, and ends with the staging.
func (s *Store) Grant(ctx context.Context, lease Lease, staging int64, tokenSHA256 string, addresses []netip.Addr, lasts time.Duration) error {
	known := make([]netip.Addr, 0, len(addresses))
	for _, a := range addresses {
		known = append(known, a.Unmap().WithZone(""))
	}
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.hold(ctx, lease); err != nil {
			return err
		}
		return t.q.SetGrant(ctx, db.SetGrantParams{StagingID: staging, TokenSha256: strings.ToLower(tokenSHA256), Addresses: known, Seconds: lasts.Seconds()})
	})
	if err != nil {
		return fmt.Errorf("let staging %d fetch: %w", staging, err)
	}
	return nil
}

// RevokeGrants ends what the host of a staging may fetch.
func (s *Store) RevokeGrants(ctx context.Context, staging int64) error {
	if err := s.q.RevokeGrants(ctx, staging); err != nil {
		return fmt.Errorf("end what staging %d may fetch: %w", staging, err)
	}
	return nil
}

// GrantByToken returns the grant of a token by its SHA-256; ErrNotFound when
// there is none, or its staging is not in work any more.
func (s *Store) GrantByToken(ctx context.Context, tokenSHA256 string) (MediaGrant, error) {
	r, err := s.q.GrantByToken(ctx, tokenSHA256)
	if errors.Is(err, pgx.ErrNoRows) {
		return MediaGrant{}, fmt.Errorf("load a grant: %w", rollout.NotFound("Nothing in work has this token."))
	}
	if err != nil {
		return MediaGrant{}, fmt.Errorf("load a grant: %w", err)
	}
	return MediaGrant{
		Staging: r.StagingID, Host: r.Host, Addresses: r.Addresses, Until: r.Until, BundleSHA256: r.BundleSha256, BundleSize: r.BundleSize,
	}, nil
}

// NoteMediaRefused keeps, for the staging's page, what the listener refused to
// its host last. It holds no token.
func (s *Store) NoteMediaRefused(ctx context.Context, staging int64, words string) error {
	if err := s.q.MediaServed(ctx, db.MediaServedParams{ID: staging, Refused: words}); err != nil {
		return fmt.Errorf("note what staging %d was refused: %w", staging, err)
	}
	return nil
}
