package winrm

import (
	"context"
	"slices"
	"sync"
	"time"
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
	for key, h := range s.hosts {
		k, l := s.pickOf(key, h, fits)
		kept, lost = append(kept, k...), append(lost, l...)
	}
	return kept, lost
}

// pickAt is pick for one host.
func (s *shelf) pickAt(key string, fits func(*shell) bool) (kept, lost []*shell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hosts[key]; h != nil {
		return s.pickOf(key, h, fits)
	}
	return nil, nil
}

// pickOf is pick for a host that has shells; the caller holds the lock.
func (s *shelf) pickOf(key string, h *hostShells, fits func(*shell) bool) (kept, lost []*shell) {
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
	h.kept = split(h.kept, &kept)
	h.lost = split(h.lost, &lost)
	s.tidy(key, h)
	return kept, lost
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
