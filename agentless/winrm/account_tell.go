package winrm

import (
	"context"
	"fmt"
)

// news tells of a refusal; the lock must be held.
func (a *Account) news(r Refusal) {
	if a.cfg.Tell != nil {
		a.tell(func() { a.cfg.Tell(r) })
	}
}

// tell has something told, in order, by a goroutine that ends when there is
// nothing more: who listens may take longer than the call that found it out has.
// The lock must be held.
func (a *Account) tell(what func()) {
	a.untold = append(a.untold, what)
	if a.telling == nil {
		a.telling = make(chan struct{})
		go a.deliver()
	}
}

func (a *Account) deliver() {
	for {
		a.mu.Lock()
		if len(a.untold) == 0 {
			close(a.telling)
			a.telling = nil
			a.mu.Unlock()
			return
		}
		next := a.untold[0]
		a.untold = a.untold[1:]
		a.mu.Unlock()
		next()
	}
}

// Told waits until Tell and TellAccepted have heard of everything that was found
// out so far, or until ctx ends: before a program ends, or lets others try.
func (a *Account) Told(ctx context.Context) error {
	a.mu.Lock()
	telling := a.telling
	a.mu.Unlock()
	if telling == nil {
		return nil
	}
	select {
	case <-telling:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait until a refused credential is kept: %w", ctx.Err())
	}
}
