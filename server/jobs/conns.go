package jobs

import (
	"sync"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
)

// conns keeps one connection per host between ticks, for as long as the way to
// the host stays the same.
type conns struct {
	mu     sync.Mutex
	by     map[int64]cachedConn
	ending sync.WaitGroup // of those that were replaced
}

// lively is how long after its use a connection is taken for alive: lanes without
// a request are ended after 60 s.
const lively = 45 * time.Second

type cachedConn struct {
	way    string // everything that the connection was made from, hashed
	access *access
	dial   string    // the address
	last   time.Time // of its use
	conn   *winrm.Conn
	shown  *shown // what the host shows on this connection
	host   *windows.Host
}

// of returns the kept connection with what its host showed, or makes one.
func (c *conns) of(host int64, way, dial string, a *access, s *shown, make func(*shown) (*winrm.Conn, error)) (*winrm.Conn, *shown, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, ok := c.by[host]
	if ok && kept.way == way && kept.access == a {
		return kept.conn, kept.shown, nil
	}
	conn, err := make(s)
	if err != nil {
		return nil, nil, err
	}
	if ok {
		c.ending.Go(kept.conn.Close) // it deletes the shells that it keeps, at a host that may not answer
	}
	c.by[host] = cachedConn{way: way, dial: dial, access: a, conn: conn, shown: s, host: windows.New(conn)}
	return conn, s, nil
}

// at is the address that the host's connection leads to, and whether it was in use
// a moment ago.
func (c *conns) at(host int64) (address string, alive bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.by[host]
	return kept.dial, time.Since(kept.last) < lively
}

// used notes that the host's connection was in use until now.
func (c *conns) used(host int64, conn *winrm.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.by[host]; ok && kept.conn == conn {
		kept.last = time.Now()
		c.by[host] = kept
	}
}

// drop ends the connections of an access that is used no more.
func (c *conns) drop(a *access) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for host, kept := range c.by {
		if kept.access == a {
			delete(c.by, host)
			c.ending.Go(kept.conn.Close)
		}
	}
}

// round is the host behind a connection for one tick: it knows what earlier ones
// learned, its version and that its WMI hangs.
func (c *conns) round(host int64, conn *winrm.Conn) *windows.Host {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept := c.by[host]; kept.conn == conn {
		return kept.host.Round()
	}
	return windows.New(conn) // it was replaced meanwhile
}

// windows is the host at the way's end.
func (w *way) windows() *windows.Host { return w.engine.conns.round(w.host.ID, w.conn) }

// close ends all connections, at the same time: each deletes the shells that it
// keeps, at hosts that may not answer. It waits for those that were replaced, too.
func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kept := range c.by {
		c.ending.Go(kept.conn.Close)
	}
	c.ending.Wait()
	c.by = map[int64]cachedConn{}
}
