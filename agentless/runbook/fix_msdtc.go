package runbook

import (
	"context"
	"errors"
	"fmt"

	"wavekeeper/agentless/windows"
)

// msdtc is the Distributed Transaction Coordinator, without which Setup does not
// take a server with ClientAccess or UnifiedMessaging ("CAS/UM readiness fails on
// MSDTC", topic 280ca216 of the Exchange Analyzer).
const msdtc = "MSDTC"

// startMSDTC starts the service and leaves its start type alone.
func startMSDTC(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	s, ok, err := w.Host.Service(ctx, msdtc)
	switch {
	case err != nil:
		return trouble("read the service "+msdtc, err)
	case !ok:
		return Outcome{
			Kind: Failed, Message: "The host has no service " + msdtc,
			Remedy: "It belongs to every Windows Server: see what became of it (msdtc -install), which is no work for this program.",
		}, nil
	case s.State == windows.Running:
		words := "The service " + msdtc + " runs already: nothing was done"
		if len(w.Ledger) > 0 {
			words = "The service " + msdtc + " runs; its start type is " + s.StartMode + " as before"
		}
		return Outcome{Kind: Done, Percent: 100, Message: words}, nil
	case s.StartMode == windows.StartDisabled:
		return Outcome{
			Kind: Failed, Message: "The service " + msdtc + " is disabled: somebody decided so, and it is not touched",
			Remedy: "Find out why it is disabled. Where nothing speaks against it, enable it by hand and ask again.",
		}, nil
	}
	if err := w.change(ctx, Entry{
		Kind: ServiceEntry, Name: s.Name, Before: map[string]string{"state": s.State, "start": s.StartMode},
		Meant: map[string]string{"state": windows.Running, "start": s.StartMode},
	}); err != nil {
		return Outcome{}, err
	}
	if s.State == windows.Stopped {
		if w.since("starts") > startPatient {
			return Outcome{
				Kind: Failed, Message: fmt.Sprintf("The service %s does not start: it was told to for %s", s.Name, startPatient),
				Remedy: "Look at the event log of the host for why it does not start.",
			}, nil
		}
		if err := w.intend(ctx, "start service "+s.Name); err != nil {
			return Outcome{}, err
		}
		if err := w.Host.StartService(ctx, s.Name); err != nil {
			return trouble("start service "+s.Name, err)
		}
	}
	return again("Service %s starts", s.Name), nil
}

// stopMSDTC stops the service that a fix started.
func stopMSDTC(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if len(w.Ledger) == 0 {
		return Outcome{Kind: Done, Percent: 100, Message: "Nothing is left to undo"}, nil
	}
	e := w.Ledger[0]
	s, ok, err := w.Host.Service(ctx, e.Name)
	switch {
	case err != nil:
		return trouble("read the service "+e.Name, err)
	case !ok:
		return again("Service %s no longer exists on the host", e.Name), w.restored(ctx, e, "service "+e.Name+" no longer exists on the host")
	case s.State == windows.Stopped:
		deviation := ""
		if s.StartMode != e.Before["start"] {
			deviation = fmt.Sprintf("its start type was %s and is %s: somebody else changed it", e.Before["start"], s.StartMode)
		}
		return again("Service %s is stopped", s.Name), w.restored(ctx, e, deviation)
	case s.State == windows.Running:
		if err := w.intend(ctx, "stop service "+s.Name); err != nil {
			return Outcome{}, err
		}
		switch err := w.Host.StopService(ctx, s.Name); {
		case errors.Is(err, windows.ErrDependents):
			return Outcome{
				Kind: Failed, Message: "The service " + s.Name + " is needed by others that run now", Remedy: "Leave it running, or stop what needs it.",
			}, nil
		case err != nil:
			return trouble("stop service "+s.Name, err)
		}
	}
	return again("Service %s is being stopped", s.Name), nil
}
