package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/store/db"
)

// LeaseTTL is how long a lease lives without being renewed. It is longer than
// one request to a host (10 s) with a margin.
const LeaseTTL = 15 * time.Second

// errRollBack ends a transaction that must write nothing, without being an error.
var errRollBack = errors.New("roll back")

// ErrLeaseLost says that another worker has, or may have, taken the hosts: stop
// at once, nothing that was to be written is written.
var ErrLeaseLost = errors.New("the lease on the host is lost")

// Lease is what a worker holds while it works on an upgrade: one epoch for each
// of its hosts. The epoch only grows, so a worker that slept too long is told.
type Lease struct {
	Owner   string
	Upgrade int64
	hosts   []heldHost
}

type heldHost struct{ id, epoch int64 }

// AcquireLeases takes the leases of all hosts of the upgrade's server, in name
// order, all or none. It reports false when another worker holds one of them.
func (s *Store) AcquireLeases(ctx context.Context, owner string, upgrade int64) (Lease, bool, error) {
	lease := Lease{Owner: owner, Upgrade: upgrade}
	taken := true
	err := s.inTx(ctx, func(t *txn) error {
		hosts, err := t.q.HostsOfUpgrade(ctx, upgrade)
		if err != nil {
			return err
		}
		for _, h := range hosts {
			epoch, err := t.q.AcquireLease(ctx, db.AcquireLeaseParams{HostID: h.ID, Owner: owner, TtlSeconds: LeaseTTL.Seconds()})
			if errors.Is(err, pgx.ErrNoRows) {
				taken = false
				return errRollBack
			}
			if err != nil {
				return err
			}
			lease.hosts = append(lease.hosts, heldHost{h.ID, epoch})
		}
		return nil
	})
	if !taken {
		return Lease{}, false, nil
	}
	if err != nil {
		return Lease{}, false, fmt.Errorf("take leases for upgrade %d: %w", upgrade, err)
	}
	return lease, true, nil
}

// RenewLease prolongs all the lease's hosts. ErrLeaseLost means: stop at once.
func (s *Store) RenewLease(ctx context.Context, lease Lease) error {
	err := s.inTx(ctx, func(t *txn) error {
		for _, h := range lease.hosts {
			n, err := t.q.RenewLease(ctx, db.RenewLeaseParams{HostID: h.id, Owner: lease.Owner, Epoch: h.epoch, TtlSeconds: LeaseTTL.Seconds()})
			if err != nil {
				return err
			}
			if n == 0 {
				return ErrLeaseLost
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("renew leases for upgrade %d: %w", lease.Upgrade, err)
	}
	return nil
}

// ReleaseLease gives the hosts free. A lease that was lost is left alone.
func (s *Store) ReleaseLease(ctx context.Context, lease Lease) error {
	err := s.inTx(ctx, func(t *txn) error {
		for _, h := range lease.hosts {
			if _, err := t.q.ReleaseLease(ctx, db.ReleaseLeaseParams{HostID: h.id, Owner: lease.Owner, Epoch: h.epoch}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("release leases for upgrade %d: %w", lease.Upgrade, err)
	}
	return nil
}

// hold is the fence of every write: the lease is still this worker's, and stays
// so until the transaction ends.
func (t *txn) hold(ctx context.Context, lease Lease) error {
	if len(lease.hosts) == 0 {
		return ErrLeaseLost
	}
	for _, h := range lease.hosts {
		_, err := t.q.HoldLease(ctx, db.HoldLeaseParams{HostID: h.id, Owner: lease.Owner, Epoch: h.epoch})
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrLeaseLost
		}
		if err != nil {
			return fmt.Errorf("check lease: %w", err)
		}
	}
	return nil
}
