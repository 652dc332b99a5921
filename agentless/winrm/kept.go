package winrm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A shell is kept between commands: three requests instead of five, and a host
// that allows 5 shells and 15 operations of shells to an account (WinRM 2.0,
// msdn ee309367) is not asked for more. The limits hold for a host and an
// account over all connections of the process.
const (
	// shellsPerHost is how many are open at once: each kill of this program leaves
	// at most so many behind.
	shellsPerHost = 2
	// commandsPerShell stays below the 15 operations per user of WinRM 2.0, which a
	// text shell gives back only when it is deleted (MS-WSMV, note 118; quoted in
	// ansible pull request 83656); operationsAtOnce is for all shells together.
	commandsPerShell = 10
	operationsAtOnce = 14
	// keptFor is how long a shell may wait for its next command.
	keptFor = 20 * time.Second
	// leaversAtOnce bounds what is ended in the background in the whole process.
	leaversAtOnce = 64
	// closeTime is how long Close waits for the shells that it deletes.
	closeTime = 2 * time.Second
	sweepers  = 8
)

// shell is one shell on a host.
type shell struct {
	id    string // "" until it was created
	page  int    // code page
	used  int    // commands that were given to it
	last  time.Time
	lost  bool  // its end did not arrive
	owner *Conn // the connection that used it last
}

// hostShells are the shells of one host and account.
type hostShells struct {
	open    int           // in use, kept, being created or being deleted
	used    int           // commands that the open ones were given
	kept    []*shell      // waiting for a command, the one used last at the end
	lost    []*shell      // those whose Delete did not arrive; last is when
	changed chan struct{} // closed when one is given back; nil when nobody waits
}

// shelf holds the shells of this process by host and account.
type shelf struct {
	mu      sync.Mutex
	hosts   map[string]*hostShells
	leavers chan struct{}
}

var shells = &shelf{hosts: map[string]*hostShells{}, leavers: make(chan struct{}, leaversAtOnce)}

// keeping is a connection's part in the shelf, guarded by the shelf's mutex.
type keeping struct {
	closed  bool
	leaving map[*shell]context.CancelFunc // ended in the background
	left    chan struct{}                 // closed when one of those is through; nil when nobody waits
}

// ShellCount is how many shells this process has on hosts.
type ShellCount struct {
	InUse   int // running a command, being created, or being deleted
	Kept    int // waiting for the next command
	Leaving int // being ended in the background, after a cancel or an error
	Lost    int // their end did not arrive; it is sent again with the next call to the host
}

// Shells counts the shells of all connections of this process.
func Shells() ShellCount {
	shells.mu.Lock()
	defer shells.mu.Unlock()
	var n ShellCount
	for _, h := range shells.hosts {
		n.Kept += len(h.kept)
		n.InUse += h.open - len(h.kept)
		n.Lost += len(h.lost)
	}
	n.Leaving = len(shells.leavers)
	n.InUse -= min(n.Leaving, n.InUse)
	return n
}

func (c *Conn) user() string { return c.cfg.Account.cfg.User }

// shelfKey is the host and account that the limits hold for.
func (c *Conn) shelfKey() string {
	return net.JoinHostPort(c.cfg.Address, strconv.Itoa(c.cfg.Port)) + " " + strings.ToLower(c.user())
}

// take gives a shell in the code page: a kept one, or one without id that has
// to be created. It waits while the host has as many as may be.
func (c *Conn) take(ctx context.Context, page int) (*shell, error) {
	for {
		ready, worn, changed := shells.get(c, page, time.Now())
		if ready != nil {
			return ready, nil
		}
		if worn != nil {
			c.remove(ctx, worn)
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: waiting for one of %d shells: %w", ErrTimeout, shellsPerHost, ctx.Err())
		}
	}
}

// get finds a shell that is ready, or one that has to be deleted first, or what
// to wait for.
func (s *shelf) get(c *Conn, page int, now time.Time) (ready, worn *shell, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[c.shelfKey()]
	if h == nil {
		h = &hostShells{}
		s.hosts[c.shelfKey()] = h
	}
	old := func(k *shell) bool { return now.Sub(k.last) >= keptFor || h.used >= operationsAtOnce }
	fits := func(k *shell) bool { return k.page == page && !old(k) }
	if k := h.pop(fits); k != nil {
		k.used, k.owner = k.used+1, c
		h.used++
		return k, nil, nil
	}
	if k := h.pop(old); k != nil {
		return nil, k, nil
	}
	if h.open < shellsPerHost {
		h.open++
		h.used++
		return &shell{page: page, used: 1, owner: c}, nil, nil
	}
	if k := h.pop(func(*shell) bool { return true }); k != nil {
		return nil, k, nil
	}
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return nil, nil, h.changed
}

// keep puts a shell back that ended its command well; false when it may not run
// another, and has to be deleted.
func (s *shelf) keep(one *shell, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.owner.keeping.closed || one.used >= commandsPerShell {
		return false
	}
	h := s.hosts[one.owner.shelfKey()]
	one.last = now
	h.kept = append(h.kept, one)
	h.wake()
	return true
}

// drop forgets a shell; one whose end did not arrive is remembered as lost.
func (s *shelf) drop(one *shell, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := one.owner.shelfKey()
	h := s.hosts[key]
	if h == nil {
		return
	}
	h.open--
	h.used -= one.used
	if lost && !one.owner.keeping.closed {
		one.last, one.lost = time.Now(), true
		h.lost = append(h.lost, one)
	}
	h.wake()
	s.tidy(key, h)
}

// tidy forgets a host without shells; the caller holds the lock.
func (s *shelf) tidy(key string, h *hostShells) {
	if h.open == 0 && len(h.lost) == 0 {
		delete(s.hosts, key)
	}
}

// pop takes the kept shell that fits and was not used for longest; nil for none.
func (h *hostShells) pop(fits func(*shell) bool) *shell {
	i := slices.IndexFunc(h.kept, fits)
	if i < 0 {
		return nil
	}
	found := h.kept[i]
	h.kept = slices.Delete(h.kept, i, i+1)
	return found
}

func (h *hostShells) wake() {
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

// pick takes the kept and the lost shells that fit off the shelf; the kept ones
// still count as open, the lost ones do not.
func (s *shelf) pick(fits func(*shell) bool) (kept, lost []*shell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	split := func(all []*shell, into *[]*shell) []*shell {
		stay := all[:0]
		for _, one := range all {
			if fits(one) {
				*into = append(*into, one)
				continue
			}
			stay = append(stay, one)
		}
		return stay
	}
	for key, h := range s.hosts {
		h.kept = split(h.kept, &kept)
		h.lost = split(h.lost, &lost)
		s.tidy(key, h)
	}
	return kept, lost
}

// remove deletes a shell that runs nothing, and gives its place back.
func (c *Conn) remove(ctx context.Context, one *shell) {
	shells.drop(one, !c.delete(ctx, one.id))
}

// delete sends Delete and reports whether the host has the shell no more. It
// outlives the caller's context a little, and asks no guard.
func (c *Conn) delete(ctx context.Context, id string) bool {
	lasting, cancel := grace(unguarded(ctx), leaveTime, leaveTimeCancelled)
	defer cancel()
	err := c.say(lasting, deleteMessage(id), heard)
	var fault *Fault
	// A fault that names the shell's id as unknown is as good; after any other the
	// host's own idle limit has to do.
	return err == nil || errors.As(err, &fault) && fault.Blame != ""
}

// bury sends the end of shells once more that were lost on this host.
func (c *Conn) bury(ctx context.Context) {
	key := c.shelfKey()
	_, lost := shells.pick(func(one *shell) bool { return one.lostOn(key) })
	for _, one := range lost {
		one.owner = c
		if !c.delete(ctx, one.id) {
			shells.lose(key, one)
		}
	}
}

// lostOn reports whether a shell was given up on that host.
func (s *shell) lostOn(key string) bool { return s.lost && s.owner.shelfKey() == key }

// leave ends a command, if it has an id, and its shell, in the background: the
// caller's context may be over, and a host that does not answer must not hold
// it. What cannot be begun at once is lost, and sent with the next call.
func (c *Conn) leave(ctx context.Context, one *shell, command string) {
	select {
	case shells.leavers <- struct{}{}:
	default:
		shells.drop(one, true)
		return
	}
	lasting, cancel := context.WithTimeout(unguarded(context.WithoutCancel(ctx)), leaveTime)
	shells.mu.Lock()
	if c.keeping.leaving == nil {
		c.keeping.leaving = map[*shell]context.CancelFunc{}
	}
	c.keeping.leaving[one] = cancel
	shells.mu.Unlock()
	go func() {
		if command != "" {
			half, cancel := context.WithTimeout(lasting, leaveTime/2)
			// Delete, which follows, ends the command too.
			_ = c.say(half, signalMessage(one.id, command), heard)
			cancel()
		}
		gone := c.delete(lasting, one.id)
		cancel()
		<-shells.leavers
		shells.drop(one, !gone)
		shells.mu.Lock()
		delete(c.keeping.leaving, one)
		if c.keeping.left != nil {
			close(c.keeping.left)
			c.keeping.left = nil
		}
		shells.mu.Unlock()
	}()
}

// closeShells deletes the shells that this connection keeps and waits for those
// that are ended in the background, for two seconds at most.
func (c *Conn) closeShells() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	shells.mu.Lock()
	c.keeping.closed = true
	shells.mu.Unlock()
	kept, lost := shells.pick(func(one *shell) bool { return one.owner == c })
	var all sync.WaitGroup
	for _, one := range kept {
		all.Go(func() { c.remove(ctx, one) })
	}
	for _, one := range lost {
		all.Go(func() { c.delete(ctx, one.id) })
	}
	all.Wait()
	c.awaitLeaving(ctx.Done())
	shells.mu.Lock()
	for _, stop := range c.keeping.leaving {
		stop()
	}
	shells.mu.Unlock()
	c.awaitLeaving(nil)
}

// awaitLeaving waits until nothing is ended in the background.
func (c *Conn) awaitLeaving(enough <-chan struct{}) {
	for {
		shells.mu.Lock()
		if len(c.keeping.leaving) == 0 {
			shells.mu.Unlock()
			return
		}
		if c.keeping.left == nil {
			c.keeping.left = make(chan struct{})
		}
		left := c.keeping.left
		shells.mu.Unlock()
		select {
		case <-left:
		case <-enough:
			return
		}
	}
}

// Sweep deletes the shells of all connections of this process that no command
// came for in 20 s, and those whose end did not arrive before; it returns how
// many. A process that keeps connections calls it every few seconds: there is
// no goroutine that would. It lasts 5 s at most, less when ctx ends.
func Sweep(ctx context.Context, now time.Time) int {
	return sweep(ctx, func(one *shell) bool { return one.lost || now.Sub(one.last) >= keptFor })
}

// sweep is Sweep for the shells that are due.
func sweep(ctx context.Context, due func(*shell) bool) int {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	kept, lost := shells.pick(due)
	work := make(chan *shell)
	var all sync.WaitGroup
	for range min(sweepers, len(kept)+len(lost)) {
		all.Go(func() {
			for one := range work {
				switch {
				case !one.lost:
					one.owner.remove(ctx, one)
				case !one.owner.delete(ctx, one.id):
					shells.lose(one.owner.shelfKey(), one)
				}
			}
		})
	}
	for _, one := range append(kept, lost...) {
		work <- one
	}
	close(work)
	all.Wait()
	return len(kept) + len(lost)
}

// lose remembers a shell once more, until the host itself has ended it.
func (s *shelf) lose(key string, one *shell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.owner.keeping.closed || time.Since(one.last) > defaultIdle11 {
		return
	}
	h := s.hosts[key]
	if h == nil {
		h = &hostShells{}
		s.hosts[key] = h
	}
	h.lost = append(h.lost, one)
}
