package twin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// node, server and group find by name; the caller holds the lock, as for every
// function with a small first letter below.
func (s *clusterState) node(name string) *clusterNode {
	for _, n := range s.Nodes {
		if strings.EqualFold(n.Name, name) {
			return n
		}
	}
	return nil
}

func (s *clusterState) server(name string) *clusteredServer {
	for _, cms := range s.Servers {
		if strings.EqualFold(cms.Name, name) {
			return cms
		}
	}
	return nil
}

// change changes the cluster, saves it and lets the services on the nodes follow.
func (c *cluster) change(fn func(*clusterState)) {
	c.mu.Lock()
	fn(&c.s)
	err := c.save()
	c.mu.Unlock()
	if err != nil {
		c.fleet.journal.note(err)
	}
	c.fleet.goRun(c.mirror)
}

func (c *cluster) look(fn func(*clusterState)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(&c.s)
}

// mirror starts and stops on each node what the cluster wants to run there.
func (c *cluster) mirror() {
	for _, h := range c.hosts {
		h.update(func() {
			if h.boot.Err() != nil {
				return
			}
			on := false
			c.look(func(s *clusterState) {
				for _, cms := range s.Servers {
					on = on || cms.Owner == h.name && (cms.State == cmsOnline || cms.State == cmsPartial)
				}
			})
			for _, name := range clusterManaged {
				svc := h.service(name)
				switch {
				case svc == nil:
				case on && svc.StartMode != disabled:
					h.serviceStarted(svc)
				case !on:
					h.serviceStopped(svc)
				}
			}
		})
	}
}

// later does something after d, unless the server was changed meanwhile.
func (c *cluster) later(server string, turn int, d time.Duration, fn func(*clusterState, *clusteredServer)) {
	c.fleet.goRun(func() {
		if !sleep(c.fleet.ctx, c.lasts(d)) {
			return
		}
		c.change(func(s *clusterState) {
			if cms := s.server(server); cms != nil && cms.Turn == turn {
				fn(s, cms)
			}
		})
	})
}

func (c *cluster) lasts(d time.Duration) time.Duration { return c.hosts[0].lasts(d) }

// happened writes the journal for a node or a server.
func (c *cluster) happened(who, what string, detail map[string]any) {
	if c.fleet.ctx.Err() == nil {
		o := c.fleet.journal.write(who, what, detail)
		if c.fleet.opt.Observe != nil {
			c.fleet.goRun(func() { c.fleet.opt.Observe(o) })
		}
	}
}

func (c *cluster) file() string {
	return filepath.Join(c.fleet.opt.StateDir, "cluster-"+c.hosts[0].name+".json")
}

// save writes the state atomically; the caller holds the lock or is alone.
func (c *cluster) save() error {
	if c.fleet.opt.StateDir == "" || c.fleet.ctx.Err() != nil {
		return nil
	}
	raw, err := json.Marshal(c.s)
	if err == nil {
		err = os.WriteFile(c.file()+".new", raw, 0o600)
	}
	if err == nil {
		err = os.Rename(c.file()+".new", c.file())
	}
	if err != nil {
		return fmt.Errorf("save cluster %s: %w", c.s.Name, err)
	}
	return nil
}

// load reads the cluster as an earlier run left it; fresh says that there is none.
// What was on its way has arrived.
func (c *cluster) load() (fresh bool, err error) {
	if c.fleet.opt.StateDir == "" {
		return true, nil
	}
	raw, err := os.ReadFile(c.file())
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &c.s)
	}
	if err != nil {
		return false, fmt.Errorf("load cluster from %s: %w", c.file(), err)
	}
	for _, n := range c.s.Nodes {
		n.Up, n.Joining = true, false
	}
	for _, cms := range c.s.Servers {
		switch cms.State {
		case cmsOnlinePending:
			cms.State = cmsOnline
		case cmsOfflinePending:
			cms.State = cmsOffline
		}
	}
	return false, nil
}
