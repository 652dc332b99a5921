package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/store/db"
)

// LeaseTTL is how long a lease lives without being renewed. It is longer than
// one request to a host (10 s) with a margin. The other times by which lost work
// is found are parts and multiples of it (see times.go).
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
	Upgrade int64 // 0 = a host is swept
	hosts   []heldHost
	ttl     time.Duration
	taken   *atomic.Pointer[time.Time] // when it was asked for last; it lasts for ttl from then on at least
}

// Lasts is asked right before something is sent to a host: is the lease still
// good at the time? ErrLeaseLost says that it may have run out: this process
// slept, or could not renew it. Neither clock may say so, since one stands still
// while a machine sleeps and the other can be set.
func (l Lease) Lasts(now time.Time) error {
	if l.taken == nil {
		return ErrLeaseLost
	}
	taken := *l.taken.Load()
	if now.Sub(taken) > l.ttl-actReserve(l.ttl) || now.Round(0).Sub(taken.Round(0)) > l.ttl-actReserve(l.ttl) {
		return ErrLeaseLost
	}
	return nil
}

// renewed notes from when on the lease lasts anew.
func (l Lease) renewed(asked time.Time) {
	if l.taken != nil {
		l.taken.Store(&asked)
	}
}

type heldHost struct{ id, epoch int64 }

// AcquireLeases takes the leases of all hosts of the upgrade's server, in name
// order, all or none. It reports false when another worker holds one of them.
func (s *Store) AcquireLeases(ctx context.Context, owner string, upgrade int64) (Lease, bool, error) {
	lease, taken, err := s.acquire(ctx, Lease{Owner: owner, Upgrade: upgrade}, func(t *txn) ([]int64, error) {
		hosts, err := t.q.HostsOfUpgrade(ctx, upgrade)
		ids := make([]int64, 0, len(hosts))
		for _, h := range hosts {
			ids = append(ids, h.ID)
		}
		return ids, err
	})
	if err != nil {
		return Lease{}, false, fmt.Errorf("take leases for upgrade %d: %w", upgrade, err)
	}
	return lease, taken, nil
}

// AcquireHost takes the lease of one host. It reports false when another worker
// holds it.
func (s *Store) AcquireHost(ctx context.Context, owner string, host int64) (Lease, bool, error) {
	lease, taken, err := s.acquire(ctx, Lease{Owner: owner}, func(*txn) ([]int64, error) { return []int64{host}, nil })
	if err != nil {
		return Lease{}, false, fmt.Errorf("take the lease of host %d: %w", host, err)
	}
	return lease, taken, nil
}

func (s *Store) acquire(ctx context.Context, lease Lease, hosts func(*txn) ([]int64, error)) (Lease, bool, error) {
	lease.ttl, lease.taken = s.ttl, &atomic.Pointer[time.Time]{}
	taken := true
	err := s.inTx(ctx, func(t *txn) error {
		ids, err := hosts(t)
		if err != nil {
			return err
		}
		lease.renewed(time.Now())
		for _, id := range ids {
			epoch, err := t.q.AcquireLease(ctx, db.AcquireLeaseParams{HostID: id, Owner: lease.Owner, TtlSeconds: s.ttl.Seconds(), FarSeconds: s.far().Seconds()})
			if errors.Is(err, pgx.ErrNoRows) {
				taken = false
				return errRollBack
			}
			if err != nil {
				return err
			}
			lease.hosts = append(lease.hosts, heldHost{id, epoch})
		}
		return nil
	})
	if !taken {
		return Lease{}, false, nil
	}
	if err != nil {
		return Lease{}, false, err
	}
	return lease, true, nil
}

// RenewLease prolongs all the lease's hosts. ErrLeaseLost means: stop at once.
func (s *Store) RenewLease(ctx context.Context, lease Lease) error {
	asked := time.Now()
	err := s.inTx(ctx, func(t *txn) error {
		for _, h := range lease.hosts {
			n, err := t.q.RenewLease(ctx, db.RenewLeaseParams{HostID: h.id, Owner: lease.Owner, Epoch: h.epoch, TtlSeconds: s.ttl.Seconds()})
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
	lease.renewed(asked)
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
