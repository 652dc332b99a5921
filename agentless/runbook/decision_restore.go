package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// restoreMarkers puts Action and Watermark back that were cleared in this
// upgrade: kind and value exactly. A value that exists again with other content
// is somebody's newer doing and stays; that is said. One action a tick, and each
// is read again before it counts.
func restoreMarkers(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	refused, err := nobodyAtWork(ctx, w, "Nothing was put back")
	if err != nil || refused.Kind != "" {
		return refused, err
	}
	found, err := w.Host.Markers(ctx)
	if err != nil {
		return trouble("read Action and Watermark", err)
	}
	var kept []string
	for i, m := range w.Markers {
		if slices.ContainsFunc(w.Markers[i+1:], func(later Marker) bool { return later.Role == m.Role && later.Name == m.Name }) {
			continue // cleared a second time: what was there last comes back
		}
		at := slices.IndexFunc(found, func(f windows.Marker) bool {
			return strings.EqualFold(f.Key, m.Role) && strings.EqualFold(f.Name, m.Name)
		})
		meant := windows.Marker{Key: m.Role, Name: m.Name, Kind: m.Kind, Value: m.Value}
		switch {
		case at < 0:
			return putMarker(ctx, w, meant)
		case found[at].Kind == m.Kind && found[at].Value == m.Value:
			if err := w.Book.PutBackMarker(ctx, m); err != nil {
				return Outcome{}, &bookError{fmt.Errorf("record that %s is put back: %w", meant.Path(), err)}
			}
			w.raise("back")
		default:
			kept = append(kept, fmt.Sprintf("%s is %q now and was %q", meant.Path(), found[at].Value, m.Value))
		}
	}
	if len(kept) > 0 {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("Put back: %d; not put back, since somebody has written them anew: %s", w.count("back"), strings.Join(kept, "; ")),
			Remedy: "Find out what wrote them: another Setup began after they were cleared. The old values stay on record.",
		}, nil
	}
	if w.count("back") == 0 {
		return Outcome{Kind: Done, Percent: 100, Message: "Nothing was put back: no cleared value is on record"}, nil
	}
	return Outcome{
		Kind: Done, Percent: 100, Message: fmt.Sprintf("Put back and read again: %d values of Action and Watermark", w.count("back")),
		Remedy: "Run again: Setup is meant to go on from its Watermark. Where it refuses to begin, clear Action and Watermark.",
	}, nil
}

func putMarker(ctx context.Context, w *Work, m windows.Marker) (Outcome, error) {
	if err := w.intend(ctx, "write "+m.Path()); err != nil {
		return Outcome{}, err
	}
	err := w.Host.PutMarker(ctx, m)
	switch {
	case errors.Is(err, windows.ErrNoKey), errors.Is(err, windows.ErrInexact):
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("%s cannot be put back: %v", m.Path(), err),
			Remedy: "Look at the role keys on the host. The old values stay on record.",
		}, nil
	case err != nil:
		return trouble("put Action and Watermark back", err)
	}
	return onward("Written: %s", m.Path()), nil
}
