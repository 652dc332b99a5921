package jobs

import (
	"sync"

	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
)

// conns keeps one connection per host between ticks, for as long as the way to
// the host stays the same.
type conns struct {
	mu sync.Mutex
	by map[int64]cachedConn
}

type cachedConn struct {
	way    string // everything that the connection was made from, hashed
	access *access
	conn   *winrm.Conn
	shown  *shown // what the host shows on this connection
	host   *windows.Host
}

// of returns the kept connection with what its host showed, or makes one.
func (c *conns) of(host int64, way string, a *access, s *shown, make func(*shown) (*winrm.Conn, error)) (*winrm.Conn, *shown, error) {
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
		go kept.conn.Close() // it deletes the shells that it keeps, at a host that may not answer
	}
	c.by[host] = cachedConn{way: way, access: a, conn: conn, shown: s, host: windows.New(conn)}
	return conn, s, nil
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
// keeps, at hosts that may not answer.
func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ending sync.WaitGroup
	for _, kept := range c.by {
		ending.Go(kept.conn.Close)
	}
	ending.Wait()
	c.by = map[int64]cachedConn{}
}
