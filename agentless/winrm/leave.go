package winrm

import (
	"context"
	"sync"
)

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
	kept, lost := shells.pickAt(c.shelfKey(), func(one *shell) bool { return one.owner == c })
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
