package runbook

import (
	"context"
	"fmt"
	"strings"

	"wavekeeper/agentless/windows"
)

// clearMarkers deletes Action and Watermark of the role keys, as a named person
// decided: Setup refuses to begin while they say that another one is at work.
// Liveness is asked in every tick before anything is deleted; evidence is on
// record before the first value goes, and each value before it goes. It may be
// killed anywhere and goes on with what is left.
func clearMarkers(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	refused, err := nobodyAtWork(ctx, w, "Nothing was cleared")
	if err != nil || refused.Kind != "" {
		return refused, err
	}
	found, err := w.Host.Markers(ctx)
	if err != nil {
		return trouble("read Action and Watermark", err)
	}
	if len(found) == 0 {
		return cleared(w), nil
	}
	for _, m := range found {
		if !m.Exact() {
			return Outcome{
				Kind: Failed, Message: fmt.Sprintf("Nothing was cleared: %s is %s, which could not be put back exactly", m.Path(), m.Kind),
				Remedy: "Export the key with regedit.exe and delete the value by hand.",
			}, nil
		}
	}
	if w.Memory["kept"] == "" {
		w.Memory["kept"] = "yes"
		out := onward("What the host shows is kept before %d values are cleared", len(found))
		out.Evidence = collect(ctx, w)
		return out, nil
	}
	m := found[0]
	if err := w.Book.Cleared(ctx, markerOf(m)); err != nil {
		return Outcome{}, &bookError{fmt.Errorf("record %s: %w", m.Path(), err)}
	}
	if err := w.intend(ctx, "delete "+m.Path()); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.DeleteMarker(ctx, m); err != nil {
		return trouble("clear Action and Watermark", err)
	}
	w.Memory["cleared"] = strings.TrimPrefix(w.Memory["cleared"]+", "+m.Key+" "+m.Name, ", ")
	return onward("Cleared: %s", m.Path()), nil
}

// cleared is the end: the host was read again and no value is left.
func cleared(w *Work) Outcome {
	out := Outcome{Kind: Done, Percent: 100, Message: "No role carries Action or Watermark any more"}
	switch {
	case w.Memory["cleared"] != "":
		out.Message = "Cleared and read again: " + w.Memory["cleared"]
		out.Remedy = "Run again: Setup begins anew now, it does not go on where it stopped; verification then shows what is missing. The values can be put back."
	case len(w.Markers) == 0:
		out.Message = "Nothing was cleared: no role carries Action or Watermark"
	}
	return out
}

func markerOf(m windows.Marker) Marker {
	return Marker{Role: m.Key, Name: m.Name, Kind: m.Kind, Value: m.Value}
}

// nobodyAtWork refuses a change of what Setup rests on while any Setup, a task
// of this upgrade or Windows Installer is alive, or may come alive by what was
// sent already.
func nobodyAtWork(ctx context.Context, w *Work, nothing string) (Outcome, error) {
	l, err := alive(ctx, w)
	if err != nil {
		return trouble("look for a running Setup", err)
	}
	if !l.nothing() {
		remedy := "Wait for its end, then decide again."
		if len(l.setup) == 0 {
			remedy = "Wait for its end, then decide again: Windows Installer ends by itself some ten minutes after its last work."
		}
		return Outcome{Kind: Failed, Message: nothing + ": " + l.who(), Remedy: remedy}, nil
	}
	names, err := programTasks(ctx, w)
	if err != nil {
		return trouble("look for Setup tasks", err)
	}
	for _, name := range names {
		look, err := w.Host.LookTask(ctx, name)
		if err != nil {
			return trouble("look at a Setup task", err)
		}
		if look.State == windows.TaskStarted && look.Life == windows.LifeLives {
			return Outcome{
				Kind: Failed, Message: fmt.Sprintf("%s: Setup task %s is at work", nothing, name),
				Remedy: "Wait for its end, then decide again.",
			}, nil
		}
		if look.State == windows.TaskCreated && look.Has("go") {
			return Outcome{
				Kind: Failed, Message: fmt.Sprintf("%s: Setup task %s was told to run and may begin yet", nothing, name),
				Remedy: "Look again in some minutes, then decide again.",
			}, nil
		}
	}
	return Outcome{}, nil
}
