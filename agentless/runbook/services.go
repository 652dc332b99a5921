package runbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// recordServices keeps which of the server's services run, and how they start,
// before anything is touched. A record of an earlier attempt is made anew once that
// attempt was put back in full, since what is otherwise now was changed by people
// meanwhile; before, what it found is the state to come back to.
func recordServices(ctx context.Context, w *Work) (Outcome, bool, error) {
	all, err := w.Host.Services(ctx)
	if err != nil {
		out, err := trouble("read the services", err)
		return out, false, err
	}
	found := map[string]windows.Service{}
	for _, name := range append(servicesOf(w.Server), setupTouches...) {
		if s, ok := windows.FindService(all, name); ok {
			found[s.Name] = s
		}
	}
	attempt := strconv.Itoa(w.Attempt)
	if w.Memory["services"] == "" || w.Memory["attempt"] != attempt && len(w.Ledger) == 0 && asRecorded(w, w.note(PutBack)) {
		text, err := json.Marshal(found)
		if err != nil {
			return Outcome{}, false, fmt.Errorf("encode services: %w", err)
		}
		var delayed []string
		for _, name := range append(slices.Clone(w.Server.Services), setupTouches...) { // Exchange's own never are
			s, ok := windows.FindService(all, name)
			if !ok {
				continue
			}
			before, err := stateOf(ctx, w, s)
			if err != nil {
				out, err := trouble("read how the services start", err)
				return out, false, err
			}
			if before[delayedStart] != "" {
				delayed = append(delayed, s.Name)
			}
		}
		w.Memory["services"], w.Memory[delayedStart] = string(text), strings.Join(delayed, ",")
		w.Memory["attempt"] = attempt
	}
	out := onward("The state of %d services is recorded", len(found))
	out.Facts = []Fact{{Name: "services", Value: all, Source: "Win32_Service", At: w.Now.UTC()}}
	return out, true, nil
}

// delayedStart stands in Before of an entry of a service that starts by itself,
// and with a delay; and for the list of those in the record.
const delayedStart = "delayed"

// stateOf is a service as it has to be put back.
func stateOf(ctx context.Context, w *Work, s windows.Service) (map[string]string, error) {
	state := map[string]string{"state": s.State, "start": s.StartMode}
	if s.StartMode != windows.StartAuto {
		return state, nil
	}
	delayed, err := w.Host.Delayed(ctx, s.Name)
	if delayed {
		state[delayedStart] = "yes"
	}
	return state, err
}

// servicesOf are the services that matter on a server: Exchange's own by its
// roles, IIS, and the third-party ones of the inventory.
func servicesOf(s exchange.Server) []string {
	var names []string
	for _, service := range exchange.Services(s.Roles) {
		names = append(names, service.Name)
	}
	return append(append(names, "IISADMIN", "W3SVC"), s.Services...)
}

// setupTouches are services of Windows that a Setup of Exchange stops and
// disables while it works, and leaves so when it is broken off. Source: the
// services that later Setups name in their logs; for 2007 as remembered.
var setupTouches = []string{"Winmgmt", "RemoteRegistry", "MSDTC", "SysmonLog", "pla"}

// recorded is what the step record found; false when it never ran.
func recorded(w *Work) (map[string]windows.Service, bool, error) {
	services := map[string]windows.Service{}
	text := w.note("record")["services"]
	if text == "" {
		return nil, false, nil
	}
	if err := json.Unmarshal([]byte(text), &services); err != nil {
		return nil, false, fmt.Errorf("read recorded services: %w", err)
	}
	return services, true, nil
}

// mustRun are the services of Exchange that a server at the target runs: those
// that ran when the state was recorded. Where it never was, since somebody
// upgraded or repaired the server by hand, those that start by themselves.
func mustRun(w *Work, all []windows.Service) ([]string, error) {
	recorded, ok, err := recorded(w)
	if err != nil {
		return nil, err
	}
	var names []string
	if !ok {
		for _, service := range exchange.Services(w.Server.Roles) {
			if s, ok := windows.FindService(all, service.Name); ok && s.StartMode == windows.StartAuto {
				names = append(names, s.Name)
			}
		}
		if len(names) == 0 {
			return nil, errors.New("no service of Exchange starts by itself on this host")
		}
		return names, nil
	}
	for _, service := range exchange.Services(w.Server.Roles) {
		for _, s := range recorded { // the host may spell it otherwise
			if strings.EqualFold(s.Name, service.Name) && s.State == windows.Running {
				names = append(names, s.Name)
			}
		}
	}
	return names, nil
}

// stopServices stops and disables the third-party services: those of the
// inventory, then those that the record found in the way.
func stopServices(ctx context.Context, w *Work) (Outcome, error) {
	names := slices.Clone(w.Server.Services)
	for _, name := range strings.Split(w.note("record")[recordedForeign], ",") {
		if name != "" {
			names = append(names, name)
		}
	}
	return stopAll(ctx, w, names, "Third-party services")
}

// stopMonitoring stops and disables what watches performance counters or sends
// alarms, where it runs or starts by itself.
func stopMonitoring(ctx context.Context, w *Work) (Outcome, error) {
	if w.Memory == nil {
		w.Memory = map[string]string{}
	}
	all, err := w.Host.Services(ctx)
	if err != nil {
		return trouble("read the services", err)
	}
	var names []string
	for _, name := range exchange.Monitoring() {
		s, found := windows.FindService(all, name)
		open := slices.ContainsFunc(w.Ledger, func(e Entry) bool { return e.Kind == ServiceEntry && strings.EqualFold(e.Name, name) })
		if found && (open || s.State != windows.Stopped || s.StartMode == windows.StartAuto) {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return notHere("No monitoring runs on the host"), nil
	}
	return stopAll(ctx, w, names, "Monitoring services")
}

// stopAll stops and disables services, one action a tick: the state found goes
// into the ledger, then disable, then stop, then look again. A service that is
// only stopped comes back by itself when it starts automatically. One that the
// cluster manages is never touched by the service control manager.
func stopAll(ctx context.Context, w *Work, names []string, what string) (Outcome, error) {
	if w.Memory == nil {
		w.Memory = map[string]string{}
	}
	all, err := w.Host.Services(ctx)
	if err != nil {
		return trouble("read the services", err)
	}
	managed := strings.Split(strings.ToLower(w.note("record")[recordedManaged]), ",")
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return w.ofCluster(name) || slices.Contains(managed, strings.ToLower(name)) })
	stopping := ""
	var held error // a service that others need: they stop first, wherever they stand in the inventory
	for _, name := range names {
		s, ok := windows.FindService(all, name)
		if !ok {
			return trouble("stop service "+name, fmt.Errorf("%s: %w", name, windows.ErrNoService))
		}
		if s.StartMode == windows.StartDisabled && s.State == windows.Stopped {
			continue
		}
		before, err := stateOf(ctx, w, s)
		if err != nil {
			return trouble("read how service "+s.Name+" starts", err)
		}
		if err := w.change(ctx, Entry{
			Kind: ServiceEntry, Name: s.Name, Before: before,
			Meant: map[string]string{"state": windows.Stopped, "start": windows.StartDisabled},
		}); err != nil {
			return Outcome{}, err
		}
		if s.StartMode != windows.StartDisabled {
			if err := w.intend(ctx, "disable service "+s.Name); err != nil {
				return Outcome{}, err
			}
			if err := w.Host.SetStartMode(ctx, s.Name, windows.StartDisabled); err != nil {
				return trouble("disable service "+s.Name, err)
			}
		}
		if s.State == windows.Stopped || s.State == stopPending {
			stopping = s.Name
			continue
		}
		if err := w.intend(ctx, "stop service "+s.Name); err != nil {
			return Outcome{}, err
		}
		switch err := w.Host.StopService(ctx, s.Name); {
		case errors.Is(err, windows.ErrDependents):
			held = err
			continue
		case err != nil:
			return trouble("stop service "+s.Name, err)
		}
		return stops(s.Name), nil
	}
	if held != nil && stopping == "" {
		out, err := trouble("stop the services", held)
		out.Remedy = "Add the services that need it to the server's services in the inventory, or stop them."
		return out, err
	}
	if held != nil {
		return again("Service %s stops, others wait for it", stopping), nil
	}
	if stopping != "" {
		return stops(stopping), nil
	}
	if len(names) == 0 {
		return Outcome{Kind: Done, Message: what + ": none to stop"}, nil
	}
	return Outcome{Kind: Done, Message: what + " stopped and disabled: " + list(names)}, nil
}

// stops is a service that was told to stop, or comes back after it did.
func stops(name string) Outcome {
	out := again("Service %s is being stopped", name)
	out.Remedy = fmt.Sprintf("Stop service %s by hand and see what starts it again, or end its process; then run again.", name)
	return out
}

const (
	stopPending  = "Stop Pending"
	startPending = "Start Pending"
	startPatient = 5 * time.Minute // until a service that does not start is a deviation
)

// asLeft remembers, before anything is put back, whether a service is as we
// left it.
func asLeft(w *Work, all []windows.Service, e Entry) {
	s, ok := windows.FindService(all, e.Name)
	now := map[string]string{"state": s.State, "start": s.StartMode}
	restarted := e.Meant["state"] == windows.Running && now["state"] == e.Before["state"] && now["start"] == e.Meant["start"] // with Windows, it is not started by itself
	if !ok || same(now, e.Meant) || same(now, e.Before) || restarted {
		w.Memory[entryKey(e)] = asMeant
		return
	}
	w.Memory[entryKey(e)] = fmt.Sprintf("it was found %s with start type %s, we had left it %s with %s",
		s.State, s.StartMode, e.Meant["state"], e.Meant["start"])
}

const asMeant = "as meant"

func entryKey(e Entry) string { return fmt.Sprintf("entry.%d", e.ID) }

// putBackService puts one service back as the ledger says, one action a tick;
// closed reports that its entry is closed.
func putBackService(ctx context.Context, w *Work, all []windows.Service, e Entry) (out Outcome, closed bool, err error) {
	key := entryKey(e)
	s, ok := windows.FindService(all, e.Name)
	if !ok {
		return Outcome{}, true, w.restored(ctx, e, fmt.Sprintf("service %s no longer exists on the host", e.Name))
	}
	if s.StartMode != e.Before["start"] && !keeps(s, e) {
		out, err := putBackStart(ctx, w, s, e)
		return out, false, err
	}
	deviation := w.Memory[key]
	if deviation == asMeant {
		deviation = ""
	}
	ran := e.Before["state"] == windows.Running || e.Before["state"] == startPending
	if ran && e.Before["start"] == windows.StartDisabled {
		ran = false
		deviation = join(deviation, "it ran though it was disabled; Windows does not start a disabled service")
	}
	if ran && s.State != windows.Running && w.since(key+".since") < startPatient {
		if s.State == windows.Stopped {
			if err := w.intend(ctx, "start service "+s.Name); err != nil {
				return Outcome{}, false, err
			}
			if err := w.Host.StartService(ctx, s.Name); err != nil {
				out, err := trouble("start service "+s.Name, err)
				return out, false, err
			}
		}
		return again("Service %s starts", s.Name), false, nil
	}
	if e.Before["state"] == windows.Stopped && e.Meant["state"] == windows.Running && s.State != windows.Stopped && w.since(key+".since") < startPatient {
		if s.State == windows.Running { // we had started it
			if err := w.intend(ctx, "stop service "+s.Name); err != nil {
				return Outcome{}, false, err
			}
			if err := w.Host.StopService(ctx, s.Name); err != nil {
				out, err := trouble("stop service "+s.Name, err)
				return out, false, err
			}
		}
		return again("Service %s stops, as it was", s.Name), false, nil
	}
	if e.Before["state"] == windows.Stopped && e.Meant["state"] == windows.Running && s.State != windows.Stopped {
		deviation = join(deviation, fmt.Sprintf("it was stopped before and is %s now; stopping it did not help for %s", s.State, startPatient))
	}
	if ran && s.State != windows.Running {
		deviation = join(deviation, fmt.Sprintf("it ran before and is %s now; starting it did not help for %s", s.State, startPatient))
	}
	return Outcome{}, true, w.restored(ctx, e, deviation)
}

// keeps reports whether a service that a broken Setup left disabled has another
// start type since: a later Setup gave it, or a person.
func keeps(s windows.Service, e Entry) bool {
	return e.Meant[byWhom] == bySetup && s.StartMode != windows.StartDisabled
}

// What Meant of an entry says of a service that a broken Setup left so.
const (
	byWhom  = "by"
	bySetup = "setup"
)

func same(a, b map[string]string) bool { return a["state"] == b["state"] && a["start"] == b["start"] }

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
