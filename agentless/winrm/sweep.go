package winrm

import (
	"context"
	"sync"
	"time"
)

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
