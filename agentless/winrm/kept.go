package winrm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
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
			if ctx.Err() != nil {
				return nil, fmt.Errorf("%w: deleting a shell that had its time: %w", ErrTimeout, ctx.Err())
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: waiting for one of %d shells: %w", ErrTimeout, shellsPerHost, ctx.Err())
		}
	}
}

// remove deletes a shell that runs nothing, and gives its place back.
func (c *Conn) remove(ctx context.Context, one *shell) {
	shells.drop(one, !c.delete(ctx, one.id))
}

// parting outlives the caller's context a little: it is for all that a call has to
// delete, together.
func parting(ctx context.Context) (context.Context, context.CancelFunc) {
	return grace(unguarded(ctx), leaveTime, leaveTimeCancelled)
}

// delete sends Delete and reports whether the host has the shell no more. It
// outlives the caller's context a little, and asks no guard.
func (c *Conn) delete(ctx context.Context, id string) bool {
	lasting, cancel := parting(ctx)
	defer cancel()
	return c.deleted(lasting, id)
}

// deleted is delete with a context that outlives the caller's already.
func (c *Conn) deleted(lasting context.Context, id string) bool {
	err := c.say(lasting, deleteMessage(id), heard)
	var fault *Fault
	// A fault that names the shell's id as unknown is as good; after any other the
	// host's own idle limit has to do.
	return err == nil || errors.As(err, &fault) && fault.Blame != ""
}

// bury sends the end of shells once more that were lost on this host.
func (c *Conn) bury(ctx context.Context) {
	key := c.shelfKey()
	_, lost := shells.pickAt(key, func(one *shell) bool { return one.lost })
	lasting, cancel := parting(ctx)
	defer cancel()
	for _, one := range lost {
		one.owner = c
		if ctx.Err() != nil || !c.deleted(lasting, one.id) {
			shells.lose(key, one)
		}
	}
}

// giveBack deletes the shells that are kept on this host.
func (c *Conn) giveBack(ctx context.Context) {
	key := c.shelfKey()
	kept, _ := shells.pickAt(key, func(one *shell) bool { return !one.lost })
	lasting, cancel := parting(ctx)
	defer cancel()
	for _, one := range kept {
		one.owner = c
		shells.drop(one, ctx.Err() != nil || !c.deleted(lasting, one.id))
	}
}
