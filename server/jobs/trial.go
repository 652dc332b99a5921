package jobs

import (
	"context"
	"slices"
	"time"

	"wavekeeper/server/store"
)

// trial is a use of a secret of which it is not known whether it is right.
type trial struct {
	began      time.Time
	unanswered int
	took       bool // the host took this version before
}

// try makes sure that a secret of which it is not known that it is right is shown
// to one host at a time, by one coordinator: one that no host took yet, and, of an
// account of a domain, one that this process has not seen taken, or that a host has
// refused since. A connection that is in use (alive) shows nothing.
func (w *way) try(ctx context.Context, took, alive bool) error {
	cred := w.access.cred
	last, doubted := w.access.account.Good()
	switch {
	case !took && !cred.Proven && last.IsZero():
	case cred.Digest != "" && !alive && (last.IsZero() || len(doubted) > 0 && w.access.tickets == nil):
	default:
		return nil
	}
	begun := trial{began: time.Now(), unanswered: w.access.unanswered(), took: took}
	got, err := w.engine.store.BeginTrial(ctx, w.engine.owner, cred, w.host.ID)
	if err != nil {
		return err
	}
	if got.Host != "" {
		return triedAt(cred.Account, got.Host)
	}
	if got.Mine {
		w.trial = &begun
		return nil
	}
	// Taken or refused a moment ago.
	against, err := w.engine.store.StandingAt(ctx, cred, w.host.ID)
	if err != nil {
		return err
	}
	if r, ok := against.Against(w.host.ID); ok {
		return refusedBy(r, w.profile.Name, w.host.Name)
	}
	return nil
}

// done ends the use of the way: others learn what came of a trial, and one that
// came to nothing is another host's.
func (w *way) done(ctx context.Context) {
	if pin, ok := w.shown.again(); ok {
		w.withdraw(ctx, pin)
	}
	w.engine.conns.used(w.host.ID, w.conn)
	if w.trial == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteLimit)
	defer cancel()
	err := w.access.account.Told(ctx) // a refusal must stand before the next one tries
	if err == nil {
		err = w.engine.store.EndTrial(ctx, w.engine.owner, w.access.cred, w.host.ID, w.came())
	}
	if err != nil {
		w.engine.log.Warn("trial of a credential not ended, it runs out by itself", "account", w.access.cred.Account, "err", err)
	}
}

// came is what came of the trial.
func (w *way) came() store.Tried {
	last, doubted := w.access.account.Good()
	switch {
	case last.After(w.trial.began):
		return store.TriedTaken
	case w.trial.took && w.access.cred.Digest != "" && w.access.tickets == nil && slices.Contains(doubted, w.name):
		return store.TriedDoubt
	case w.access.unanswered() > w.trial.unanswered:
		return store.TriedLost
	}
	return store.TriedNothing
}
