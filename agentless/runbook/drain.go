package runbook

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// The kinds of ledger entries of draining.
const (
	UMEntry     = "um"     // Name = the server; Before: status
	PausedEntry = "paused" // Name = the service that was told to pause
)

// How draining is waited for where no policy says otherwise: a call of half an
// hour is long, and mail that does not leave in that time goes on after Setup.
const (
	drainPause = 15 * time.Second
)

// pausesAtMost bounds how often a transport is told to pause that does not.
const pausesAtMost = 3

const transport = "MSExchangeTransport"

// The states in between of a service that was told to pause, or to go on (states
// of Win32_Service).
const (
	pausePending    = "Pause Pending"
	continuePending = "Continue Pending"
)

func (w *Work) drainFor() time.Duration {
	if w.Policy.DrainFor > 0 {
		return w.Policy.DrainFor
	}
	return PolicyOf(nil).DrainFor
}

// drainUM has Unified Messaging take no new call and lets those in progress come
// to their ends. Source: Disable-UMServer with -Immediate $false, white paper
// bb738116.
func drainUM(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if !w.holds(exchange.UnifiedMessaging) {
		return notHere("The server has no Unified Messaging"), nil
	}
	before := w.note("record")[recordedUM]
	if before == umDisabled {
		return notHere("Unified Messaging took no calls before, and stays so"), nil
	}
	if err := w.change(ctx, Entry{
		Kind: UMEntry, Name: w.Server.Name, Before: map[string]string{"status": before}, Meant: map[string]string{"status": umDisabled},
	}); err != nil {
		return Outcome{}, err
	}
	told, known, out, err := cmdlet(ctx, w, "um-disable", "Unified Messaging takes no new calls", "disable-um")
	switch {
	case err != nil || !known:
		return out, err
	case told.Trouble != "":
		return Outcome{
			Kind: Failed, Message: "Unified Messaging could not be told to take no new calls: " + told.Trouble,
			Remedy: "See that the run-as account may manage the server (Exchange Server Administrator), then run again.",
		}, nil
	}
	look := "um-look-" + strconv.Itoa(w.count("looks"))
	told, known, out, err = cmdlet(ctx, w, look, "the calls in progress are looked at", "um-status")
	if err != nil || !known {
		return out, err
	}
	if told.Said["um"] == umDisabled {
		return Outcome{Kind: Done, Percent: 100, Message: "Unified Messaging takes no calls any more, and none is in progress"}, nil
	}
	if w.since("draining") > w.drainFor() {
		return Outcome{Kind: Done, Percent: 100, Message: fmt.Sprintf("Calls are still in progress after %s: they end with Setup", w.drainFor())}, nil
	}
	w.raise("looks")
	delete(w.Memory, look)
	out = again("Unified Messaging takes no new calls; those in progress are waited for")
	out.After = drainPause
	return out, nil
}

const umDisabled = "Disabled"

// drainTransport pauses the transport, which then takes nothing new and delivers
// what it has, until few messages are left or the time is over. Those of the poison queue do
// not count: nothing delivers them. Source for the pause: remembered; what the
// queues hold is Get-Queue's; poison: itprotoday, "Handling Poison Messages with
// Exchange 2007".
func drainTransport(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if !w.holds(exchange.HubTransport, exchange.EdgeTransport) {
		return notHere("The server has no transport"), nil
	}
	s, found, err := w.Host.Service(ctx, transport)
	if err != nil {
		return trouble("look at the transport", err)
	}
	switch {
	case !found || s.State == windows.Stopped:
		return notHere("The transport does not run"), nil
	case s.State == windows.Running && w.Memory["paused"] == "":
		if w.raise("asked") > pausesAtMost {
			w.Memory["paused"] = "no"
			return again("The transport does not pause: it delivers what it has, and goes on taking mail"), nil
		}
		if err := w.change(ctx, Entry{
			Kind: PausedEntry, Name: s.Name, Before: map[string]string{"state": s.State}, Meant: map[string]string{"state": windows.Paused},
		}); err != nil {
			return Outcome{}, err
		}
		if err := w.intend(ctx, "pause service "+s.Name); err != nil {
			return Outcome{}, err
		}
		if err := w.Host.PauseService(ctx, s.Name); err != nil {
			return trouble("pause the transport", err)
		}
		return again("The transport is told to take nothing new"), nil
	}
	look := "queues-" + strconv.Itoa(w.count("looks"))
	told, known, out, err := cmdlet(ctx, w, look, "the queues are looked at", "queues")
	if err != nil || !known {
		return out, err
	}
	limit := w.Policy.QueueLimit
	if w.Policy.DrainFor == 0 { // no policy was given
		limit = PolicyOf(nil).QueueLimit
	}
	total, err := strconv.Atoi(told.Said["total"])
	poison := 0
	if text := told.Said["poison"]; text != "" && err == nil { // what nobody resumes never leaves
		poison, err = strconv.Atoi(text)
	}
	total -= poison
	takes := "The transport takes nothing new"
	if w.Memory["paused"] == "no" {
		takes = "The transport did not pause and goes on taking mail until Setup stops it"
	}
	if poison > 0 {
		takes += fmt.Sprintf(" (%d messages of the poison queue stay there)", poison)
	}
	over := w.since("draining") > w.drainFor()
	switch {
	case err == nil && total <= limit:
		return Outcome{Kind: Done, Percent: 100, Message: fmt.Sprintf("%s; %d messages are left, at most %d may be", takes, total, limit)}, nil
	case over && err == nil:
		return Outcome{Kind: Done, Percent: 100, Message: fmt.Sprintf("%s; %d messages are left after %s: they are delivered after Setup", takes, total, w.drainFor())}, nil
	case over:
		return Outcome{Kind: Done, Percent: 100, Message: fmt.Sprintf("The queues could not be read in %s: what is in them is delivered after Setup", w.drainFor())}, nil
	}
	w.raise("looks")
	delete(w.Memory, look)
	out = again("The transport delivers what it has: %d messages are left", total)
	if err != nil {
		out.Message = "The queues could not be read: " + told.Trouble
	}
	out.After = drainPause
	return out, nil
}

// undrain has the server take calls and mail again.
func undrain(ctx context.Context, w *Work) (Outcome, error) {
	return putBackOf(ctx, w, "The server takes calls and mail again", UMEntry, PausedEntry)
}

// putBackUM has Unified Messaging take calls again: it looks, tells it to, and
// looks again. The cmdlet's word is not taken for it.
func putBackUM(ctx context.Context, w *Work, e Entry) (out Outcome, closed bool, err error) {
	looks, trouble := entryKey(e)+".looks", entryKey(e)+".trouble"
	n := w.count(looks)
	seen, known, out, err := cmdlet(ctx, w, w.backTask(fmt.Sprintf("um-seen-%d", n)), "whether Unified Messaging takes calls is looked at", "um-status")
	if err != nil || !known {
		return out, false, err
	}
	if seen.Trouble == "" && seen.Said["um"] == umEnabled {
		return Outcome{}, true, w.restored(ctx, e, "")
	}
	if n == umTries {
		why := w.Memory[trouble]
		if why == "" {
			why = cmp.Or(seen.Trouble, "it is "+cmp.Or(seen.Said["um"], "in no state that was told")+" although Enable-UMServer had no complaint")
		}
		return Outcome{
			Kind: Failed, Message: "Unified Messaging takes no calls, and could not be told to: " + why,
			Remedy: "Run Enable-UMServer on the server, or cure what keeps the run-as account from it and run again.",
		}, false, nil
	}
	said, known, out, err := cmdlet(ctx, w, w.backTask(fmt.Sprintf("um-enable-%d", n)), "Unified Messaging takes calls again", "enable-um")
	if err != nil || !known {
		return out, false, err
	}
	w.raise(looks)
	w.Memory[trouble] = said.Trouble
	if said.Trouble != "" {
		out = again("Unified Messaging could not be told to take calls: %s", said.Trouble)
		out.After, out.troubled = later, true
		return out, false, nil
	}
	return again("Unified Messaging was told to take calls, and is looked at"), false, nil
}

const (
	umEnabled = "Enabled"
	umTries   = 3 // times that it is told to
)

// putBackPaused has a paused service go on; one that was restarted since is not
// paused any more.
func putBackPaused(ctx context.Context, w *Work, e Entry) (out Outcome, closed bool, err error) {
	s, found, err := w.Host.Service(ctx, e.Name)
	if err != nil {
		out, err := trouble("look at service "+e.Name, err)
		return out, false, err
	}
	switch {
	case found && (s.State == pausePending || s.State == continuePending) && w.since(entryKey(e)+".since") < startPatient:
		return again("Service %s is on its way: %s", s.Name, s.State), false, nil // one that pauses still would stay so
	case found && (s.State == pausePending || s.State == continuePending):
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("Service %s is %s for %s", s.Name, s.State, startPatient),
			Remedy: "See what keeps the transport, let it go on or restart it by hand; then run again.",
		}, false, nil
	case !found || s.State != windows.Paused:
		return Outcome{}, true, w.restored(ctx, e, "")
	}
	if err := w.intend(ctx, "continue service "+s.Name); err != nil {
		return Outcome{}, false, err
	}
	if err := w.Host.ContinueService(ctx, s.Name); err != nil {
		out, err := trouble("let service "+s.Name+" go on", err)
		return out, false, err
	}
	return again("Service %s goes on", s.Name), false, nil
}

// pausedByUs reports whether a service is paused as we left it: it runs, and is
// undrained at the end.
func (w *Work) pausedByUs(s windows.Service) bool {
	return s.State == windows.Paused && slices.ContainsFunc(w.Ledger, func(e Entry) bool { return e.Kind == PausedEntry && strings.EqualFold(e.Name, s.Name) })
}
