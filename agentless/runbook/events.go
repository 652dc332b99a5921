package runbook

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
)

// EventsEvidence is what the host's event logs say of an upgrade, as text. It is
// kept for people and never judged: Setup writes errors that prove no failure.
const EventsEvidence = "events"

const (
	beganAt      = "began_at"      // in the memory of a program's step: when its task was prepared
	eventsMargin = 2 * time.Minute // what is read before that
	eventsAtMost = 24 * time.Hour  // and no further back than this
)

// withEvents adds the events since the program began to a verification that ends.
func withEvents(tick func(context.Context, *Work) (Outcome, error)) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		out, err := tick(ctx, w)
		if err == nil && (out.Kind == Done || out.Kind == Failed) {
			out.Evidence = append(out.Evidence, eventsOf(ctx, w))
		}
		return out, err
	}
}

// eventsOf reads them; what cannot be read is said, and nothing fails for it.
func eventsOf(ctx context.Context, w *Work) Evidence {
	back := w.sinceProgram()
	kept := Evidence{Kind: EventsEvidence, Name: "events of " + strings.Join(windows.EventSources, ", ")}
	text, err := readEvents(ctx, w, back)
	var no *windows.NoWMI
	switch {
	case errors.As(err, &no):
		text = fmt.Sprintf("not read: the event logs are WMI's to tell, and it does not answer: %v\r\n", err)
	case err != nil:
		text = fmt.Sprintf("not read: %v\r\n", err)
	}
	kept.Data = []byte(text)
	return kept
}

// timeoutEvent is what the service control manager writes where a service did not
// answer it in time (KB944752).
const timeoutEvent = 7009

// timedOut is what the newest such event since the program began says, in the host's
// words; "" = there is none, or the host does not tell. It explains services that do
// not run, and judges nothing.
func timedOut(ctx context.Context, w *Work) string {
	_, all, _, err := eventsSince(ctx, w, w.sinceProgram())
	if err != nil {
		return "" // the failure is told without it
	}
	for _, e := range all {
		if e.Code == timeoutEvent && strings.HasSuffix(e.Source, windows.EventSources[2]) {
			return clip(strings.Join(strings.Fields(e.Message), " "))
		}
	}
	return ""
}

// eventsSince goes by the host's own clock: as far back from its now as the program
// lies back from ours.
func eventsSince(ctx context.Context, w *Work, back time.Duration) (since time.Time, all []windows.Event, more bool, err error) {
	os, err := w.Host.OS(ctx)
	if err != nil {
		return since, nil, false, err
	}
	since = os.Now.Add(-back)
	all, more, err = w.Host.Events(ctx, since)
	return since, all, more, err
}

func readEvents(ctx context.Context, w *Work, back time.Duration) (string, error) {
	since, all, more, err := eventsSince(ctx, w, back)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "since %s by the host's clock, as it wrote them; nothing is judged by them\r\n", since.UTC().Format(time.RFC3339))
	for _, e := range all {
		fmt.Fprintf(&b, "%s %s %s %d type %d: %s\r\n", e.At.UTC().Format(time.RFC3339), e.Log, e.Source, e.Code, e.Type, strings.Join(strings.Fields(e.Message), " "))
	}
	if len(all) == 0 {
		b.WriteString("no event\r\n")
	}
	if more {
		b.WriteString("older ones are not kept here\r\n")
	}
	return b.String(), nil
}

// sinceProgram is how long ago Setup or Windows Installer was prepared on this
// host, the longest of several.
func (w *Work) sinceProgram() time.Duration {
	longest := time.Duration(0)
	for _, step := range []string{"setup", RollupName} {
		if unix, err := strconv.ParseInt(w.note(step)[beganAt], 10, 64); err == nil {
			longest = max(longest, w.Now.Sub(time.Unix(unix, 0)))
		}
	}
	if longest == 0 || longest > eventsAtMost-eventsMargin {
		return eventsAtMost
	}
	return longest + eventsMargin
}
