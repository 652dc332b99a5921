package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// MaxEvidence is how large one piece of evidence may be; what is longer keeps
// its end.
const MaxEvidence = 1 << 20

// mostName is how long a piece's name may be, in bytes; a longer one keeps its end.
const mostName = 512

// EvidenceRow is one thing read from a host in trouble, without its data.
type EvidenceRow struct {
	ID      int64
	Host    string
	At      time.Time
	Attempt int    // of the step
	Step    string // in which it was read
	Kind    string // see Evidence
	Name    string
	Size    int    // in bytes
	SHA256  string // lower-case hex, of the data as kept
}

// EvidenceContent is one piece of evidence with its data.
type EvidenceContent struct {
	EvidenceRow
	Data []byte
}

// MarkerRow is an Action or Watermark value that a person had deleted.
type MarkerRow struct {
	Marker
	Host      string
	ClearedAt time.Time
	ClearedBy string
	PutBackAt *time.Time
	Open      bool // the newest of its value, and not put back: it can be
}

// Evidence returns what was read from the upgrade's hosts, the oldest first.
func (s *Store) Evidence(ctx context.Context, upgrade int64) ([]EvidenceRow, error) {
	rows, err := s.q.EvidenceOfUpgrade(ctx, upgrade)
	if err != nil {
		return nil, fmt.Errorf("load evidence of upgrade %d: %w", upgrade, err)
	}
	out := make([]EvidenceRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, EvidenceRow{
			ID: r.ID, Host: r.Host, At: r.At, Attempt: r.Attempt, Step: r.Step, Kind: r.Kind, Name: r.Name, Size: int(r.Size), SHA256: r.Sha256,
		})
	}
	return out, nil
}

// EvidenceFile returns one piece of the upgrade's evidence.
func (s *Store) EvidenceFile(ctx context.Context, upgrade, id int64) (EvidenceContent, error) {
	r, err := s.q.EvidenceFile(ctx, db.EvidenceFileParams{UpgradeID: upgrade, ID: id})
	if err != nil {
		return EvidenceContent{}, fmt.Errorf("load evidence %d: %w", id, missing(err, "There is no such evidence."))
	}
	return EvidenceContent{
		EvidenceRow: EvidenceRow{
			ID: r.ID, Host: r.Host, At: r.At, Attempt: r.Attempt, Step: r.Step, Kind: r.Kind, Name: r.Name, Size: len(r.Data), SHA256: r.Sha256,
		},
		Data: r.Data,
	}, nil
}

// Markers returns what was cleared on the upgrade's hosts, the oldest first.
func (s *Store) Markers(ctx context.Context, upgrade int64) ([]MarkerRow, error) {
	rows, err := s.q.MarkersOfUpgrade(ctx, upgrade)
	if err != nil {
		return nil, fmt.Errorf("load cleared values of upgrade %d: %w", upgrade, err)
	}
	out := make([]MarkerRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, MarkerRow{
			Marker: Marker{Role: r.Role, Name: r.Name, Kind: r.Kind, Value: r.Value},
			Host:   r.Host, ClearedAt: r.ClearedAt, ClearedBy: r.ClearedBy, PutBackAt: r.PutBackAt, Open: r.Open,
		})
	}
	return out, nil
}

// saveEvidence keeps what a tick read from its host.
func (t *txn) saveEvidence(ctx context.Context, k TickSave) error {
	for _, e := range k.Evidence {
		if over := len(e.Data) - MaxEvidence; over > 0 {
			e.Data = e.Data[over:]
		}
		if e.Data == nil {
			e.Data = []byte{}
		}
		if over := len(e.Name) - mostName; over > 0 { // a host names its files as it likes
			e.Name = strings.ToValidUTF8(e.Name[over:], "")
		}
		if err := t.q.InsertEvidence(ctx, db.InsertEvidenceParams{
			UpgradeID: k.Upgrade, HostID: k.Host, Step: k.Step, Kind: e.Kind, Name: e.Name, Data: e.Data,
		}); err != nil {
			return fmt.Errorf("keep evidence %s %s: %w", e.Kind, e.Name, err)
		}
	}
	if len(k.Evidence) == 0 {
		return nil
	}
	text := fmt.Sprintf("%d pieces of evidence of %s are kept", len(k.Evidence), k.Server)
	if len(k.Evidence) == 1 {
		text = "1 piece of evidence of " + k.Server + " is kept"
	}
	return t.appendEvent(ctx, Event{
		Rollout: k.Rollout, Kind: EventEvidence, Wave: k.Wave, Server: k.Server, Step: k.Step,
		Text: text,
		Data: map[string]any{"upgrade": k.Upgrade, "pieces": len(k.Evidence)},
	})
}

// ClearMarker records a value that is about to be deleted on the page's host by
// a person's decision. A value that is on record as cleared is not recorded again.
func (s *Store) ClearMarker(ctx context.Context, p Page, m Marker) error {
	err := s.onPage(ctx, p, func(t *txn) error {
		up, err := t.q.LockUpgrade(ctx, p.Upgrade)
		if err != nil {
			return err
		}
		if up.Decision != rollout.DecideClear {
			return rollout.Conflict("nobody decided to clear values on %s", p.Server)
		}
		last, err := t.q.LastMarker(ctx, db.LastMarkerParams{UpgradeID: p.Upgrade, HostID: p.Host, Role: m.Role, Name: m.Name})
		switch {
		case err == nil && last.PutBackAt == nil && last.Kind == m.Kind && last.Value == m.Value:
			return nil
		case err != nil && !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		if err := t.q.InsertMarker(ctx, db.InsertMarkerParams{
			UpgradeID: p.Upgrade, HostID: p.Host, Role: m.Role, Name: m.Name, Kind: m.Kind, Value: m.Value, ClearedBy: up.DecidedBy,
		}); err != nil {
			return err
		}
		return t.appendEvent(ctx, p.event(EventMarker, fmt.Sprintf("%s of %s is cleared for %s; it was %q", m.Name, m.Role, up.DecidedBy, m.Value),
			map[string]any{"role": m.Role, "name": m.Name, "kind": m.Kind, "value": m.Value}))
	})
	if err != nil {
		return fmt.Errorf("record %s of %s on %s before it is cleared: %w", m.Name, m.Role, p.Server, err)
	}
	return nil
}

// PutBackMarker records that a cleared value is on the page's host again.
func (s *Store) PutBackMarker(ctx context.Context, p Page, m Marker) error {
	err := s.onPage(ctx, p, func(t *txn) error {
		last, err := t.q.LastMarker(ctx, db.LastMarkerParams{UpgradeID: p.Upgrade, HostID: p.Host, Role: m.Role, Name: m.Name})
		if err != nil {
			return missing(err, "%s of %s was not cleared", m.Name, m.Role)
		}
		n, err := t.q.PutBackMarker(ctx, last.ID)
		if err != nil || n == 0 {
			return err
		}
		return t.appendEvent(ctx, p.event(EventMarker, fmt.Sprintf("%s of %s is put back: %q", m.Name, m.Role, last.Value),
			map[string]any{"role": m.Role, "name": m.Name, "kind": last.Kind, "value": last.Value, "put_back": true}))
	})
	if err != nil {
		return fmt.Errorf("record that %s of %s is put back on %s: %w", m.Name, m.Role, p.Server, err)
	}
	return nil
}

// openMarkers are what was cleared on one of the upgrade's hosts and not put back.
func (s *Store) openMarkers(ctx context.Context, upgrade int64) ([]Marker, error) {
	rows, err := s.Markers(ctx, upgrade)
	var open []Marker
	for _, r := range rows {
		if r.Open {
			m := r.Marker
			m.Host = r.Host
			open = append(open, m)
		}
	}
	return open, err
}
