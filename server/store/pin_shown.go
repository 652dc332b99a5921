package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/store/db"
)

// KeepPinForWindows keeps the SHA-1 thumbprint and the serial number of a
// certificate that a host showed, both hexadecimal: Windows Server 2003 and 2008
// show these, not its SHA-256. They are to compare by and never trusted.
func (s *Store) KeepPinForWindows(ctx context.Context, host int64, sha256, thumbprint, serial string) error {
	row := db.KeepPinForWindowsParams{HostID: host, Sha256: sha256, Thumbprint: thumbprint, Serial: serial}
	if err := s.q.KeepPinForWindows(ctx, row); err != nil {
		return fmt.Errorf("keep how Windows shows the certificate of host %d: %w", host, err)
	}
	return nil
}

// PinForWindows returns what KeepPinForWindows kept; both are "" when nothing is
// known of the certificate but its SHA-256.
func (s *Store) PinForWindows(ctx context.Context, host int64, sha256 string) (thumbprint, serial string, err error) {
	row, err := s.q.PinForWindows(ctx, db.PinForWindowsParams{HostID: host, Sha256: sha256})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("load how Windows shows the certificate of host %d: %w", host, err)
	}
	return row.Thumbprint, row.Serial, nil
}

// ProfilePin is a certificate that any host of a profile may show.
type ProfilePin struct{ Profile, SHA256 string }

// ProfilePinsOf returns the certificates that a host may show by its profile,
// beside its own; none where pins do not count.
func (s *Store) ProfilePinsOf(ctx context.Context, host int64) ([]ProfilePin, error) {
	rows, err := s.q.ProfilePinsOf(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("load the profile's certificates for host %d: %w", host, err)
	}
	var pins []ProfilePin
	for _, r := range rows {
		pins = append(pins, ProfilePin{Profile: r.Profile, SHA256: r.Sha256})
	}
	return pins, nil
}

// KnownBy returns the sums of all certificates that a host may show: those
// confirmed for itself, then those of its profile.
func (s *Store) KnownBy(ctx context.Context, host int64) ([]string, error) {
	own, err := s.PinsOf(ctx, host)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, p := range own {
		if p.State == PinConfirmed {
			known = append(known, p.SHA256)
		}
	}
	of, err := s.ProfilePinsOf(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, p := range of {
		if !slices.Contains(known, p.SHA256) {
			known = append(known, p.SHA256)
		}
	}
	return known, nil
}

// RejectedPinsInTheWay returns, by host, the rejected certificates because of
// which upgrades are out of sight: an admin may take the rejection back.
func (s *Store) RejectedPinsInTheWay(ctx context.Context) ([]Pin, error) {
	rows, err := s.q.RejectedPinsInTheWay(ctx)
	if err != nil {
		return nil, fmt.Errorf("load rejected certificates that upgrades wait for: %w", err)
	}
	var pins []Pin
	for _, r := range rows {
		var decided time.Time
		if r.DecidedAt != nil {
			decided = *r.DecidedAt
		}
		pin := pinOf(db.HostPin{
			ID: r.ID, HostID: r.HostID, Sha256: r.Sha256, Subject: r.Subject, Issuer: r.Issuer, NotBefore: r.NotBefore, NotAfter: r.NotAfter,
			State: PinRejected, SeenAt: r.SeenAt, DecidedAt: &decided, DecidedBy: r.DecidedBy, Reason: r.Reason,
		}, r.Host)
		pins = append(pins, pin)
	}
	return pins, nil
}
