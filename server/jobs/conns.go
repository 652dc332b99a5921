package jobs

import (
	"sync"

	"wavekeeper/agentless/winrm"
)

// conns keeps one connection per host between ticks, for as long as the way to
// the host stays the same.
type conns struct {
	mu sync.Mutex
	by map[int64]cachedConn
}

type cachedConn struct {
	way  string // everything that the connection was made from, hashed
	conn *winrm.Conn
}

// of returns the kept connection, or makes one.
func (c *conns) of(host int64, way string, make func() (*winrm.Conn, error)) (*winrm.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, ok := c.by[host]
	if ok && kept.way == way {
		return kept.conn, nil
	}
	conn, err := make()
	if err != nil {
		return nil, err
	}
	if ok {
		kept.conn.Close()
	}
	c.by[host] = cachedConn{way: way, conn: conn}
	return conn, nil
}

func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kept := range c.by {
		kept.conn.Close()
	}
	c.by = map[int64]cachedConn{}
}
