package runbook_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"wavekeeper/agentless/runbook"
)

// book is the database's part, in memory.
type book struct {
	entries    []runbook.Entry
	closed     map[int64]string
	intended   []string
	refuse     string // what is not allowed
	deviations []string
	markers    []runbook.Marker // cleared and not put back
}

var errRefused = errors.New("lease lost")

func (b *book) Intend(_ context.Context, what string) error {
	if b.refuse != "" && strings.Contains(what, b.refuse) {
		return errRefused
	}
	b.intended = append(b.intended, what)
	return nil
}

func (b *book) Change(_ context.Context, e runbook.Entry) (int64, error) {
	for _, open := range b.open() {
		if open.Kind == e.Kind && open.Name == e.Name {
			merged := maps.Clone(e.Before)
			maps.Copy(merged, open.Before)
			b.entries[open.ID-1].Before = merged
			return open.ID, nil
		}
	}
	e.ID = int64(len(b.entries) + 1)
	b.entries = append(b.entries, e)
	return e.ID, nil
}

func (b *book) Restored(_ context.Context, id int64, deviation string) error {
	if b.closed == nil {
		b.closed = map[int64]string{}
	}
	b.closed[id] = deviation
	if deviation != "" {
		b.deviations = append(b.deviations, deviation)
	}
	return nil
}

func (b *book) Cleared(_ context.Context, m runbook.Marker) error {
	if b.refuse != "" && strings.Contains("clear "+m.Role, b.refuse) {
		return errRefused
	}
	if !slices.Contains(b.markers, m) {
		b.markers = append(b.markers, m)
	}
	return nil
}

func (b *book) PutBackMarker(_ context.Context, m runbook.Marker) error {
	b.markers = slices.DeleteFunc(b.markers, func(have runbook.Marker) bool { return have == m })
	return nil
}

func (b *book) open() []runbook.Entry {
	var out []runbook.Entry
	for _, e := range b.entries {
		if _, closed := b.closed[e.ID]; !closed {
			out = append(out, e)
		}
	}
	return out
}
