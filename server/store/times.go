package store

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Option changes how Open makes a Store.
type Option func(*options)

type options struct {
	ttl  time.Duration
	pool []func(*pgxpool.Config)
}

// WithLease gives leases another life than LeaseTTL, and all the times that
// follow from it. Every process at one database must have the same. A
// simulated fleet can live with a short one; real hosts cannot, since one
// request to them may last 10 s.
func WithLease(ttl time.Duration) Option { return func(o *options) { o.ttl = ttl } }

// WithPool changes the pool's configuration before it connects: a tracer, say.
func WithPool(change func(*pgxpool.Config)) Option {
	return func(o *options) { o.pool = append(o.pool, change) }
}

// Lease is how long a lease of this store lives without being renewed.
func (s *Store) Lease() time.Duration { return s.ttl }

// Beat is how often leases are renewed and lost work is looked for: 5 s.
func (s *Store) Beat() time.Duration { return s.ttl / 3 }

// grace is how long past its time a tick or an advance must be before the
// sweep takes it for lost: 5 s. A live job is never that late on an idle
// machine, and on a busy one the row's generation keeps the second from harm.
func (s *Store) grace() time.Duration { return s.ttl / 3 }

// far is how long before its end a lease can be found at the most, 20 s: one that
// lives longer was given before the database's clock was set back.
func (s *Store) far() time.Duration { return s.ttl + s.ttl/3 }

// lost is after how long an asked host of which no process says anything is
// asked again: 15 s.
func (s *Store) lost() time.Duration { return s.ttl }

// clockSlack is how far in the future a time may lie without the clock having
// been set back: what was written while the reader's transaction ran.
const clockSlack = 5 * time.Second

// longestPause is how far ahead a tick can be due.
const longestPause = 15 * time.Minute

// lookAgain is how often a rollout is looked at at least: 30 s.
func (s *Store) lookAgain() time.Duration { return 2 * s.ttl }

// askedFor is how long an asked host is waited for before it is asked again: 60 s.
func (s *Store) askedFor() time.Duration { return 4 * s.ttl }

// actReserve is how much of a lease must be left when something is sent to a
// host, 3 s: the request is to arrive, and to be acted on, before another
// worker can take the host.
func actReserve(ttl time.Duration) time.Duration { return ttl / 5 }
