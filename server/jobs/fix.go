package jobs

import (
	"context"
	"fmt"
	"maps"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/store"
)

// fixBook writes what a fix must have on record before an effect: the state
// found before each change.
type fixBook struct {
	store   *store.Store
	page    store.FixPage
	lease   store.Lease
	now     func() time.Time
	secrets secrets
}

// Intend lets an effect happen while the lease lasts and the run is this one.
func (b *fixBook) Intend(ctx context.Context, _ string) error {
	if err := b.lease.Lasts(b.now()); err != nil {
		return err
	}
	return b.store.IntendFix(ctx, b.page)
}

// Change records the state found before a change.
func (b *fixBook) Change(ctx context.Context, e runbook.Entry) (int64, error) {
	return b.store.ChangeFix(ctx, b.page, store.FixChange{
		Kind: e.Kind, Name: b.secrets.redact(e.Name), Before: b.secrets.redactMap(maps.Clone(e.Before)), Meant: b.secrets.redactMap(maps.Clone(e.Meant)),
	})
}

// Restored records that a change was put back.
func (b *fixBook) Restored(ctx context.Context, id int64, deviation string) error {
	return b.store.RestoreFix(ctx, b.page, id, b.secrets.redact(deviation))
}

// Cleared refuses: no fix touches what Setup remembers.
func (b *fixBook) Cleared(context.Context, runbook.Marker) error { return errNoMarkers }

// PutBackMarker refuses.
func (b *fixBook) PutBackMarker(context.Context, runbook.Marker) error { return errNoMarkers }

var errNoMarkers = fmt.Errorf("a fix: %w", errNoLedger)
