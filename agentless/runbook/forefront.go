package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// ForefrontEntry is the kind of a ledger entry of Forefront Security for Exchange
// Server that was taken out of Exchange's way; Before: state, and the services
// that ran, by comma.
const ForefrontEntry = "forefront"

// forefrontOrder is in which order services stop before fscutility takes or
// gives Exchange's dependence on Forefront. Source: the Exchange team's sample
// script to disable and enable Forefront during patching.
var forefrontOrder = []string{"MSExchangeSA", "MSExchangeTransport", "MSExchangeIS", forefrontController}

// fscutility is Forefront's own program for it, beside its service's (remembered).
const fscutility = "fscutility.exe"

// forefrontOff takes Forefront out of Exchange's way: services stopped in
// Microsoft's order, then fscutility /disable.
func forefrontOff(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	all, err := w.Host.Services(ctx)
	if err != nil {
		return trouble("look for Forefront", err)
	}
	if _, found := windows.FindService(all, forefrontController); !found {
		return notHere("Forefront is not installed"), nil
	}
	managed := strings.Split(strings.ToLower(w.note("record")[recordedManaged]), ",")
	if slices.Contains(managed, strings.ToLower(forefrontController)) {
		return Outcome{
			Kind: Failed, Message: "Forefront is managed by the cluster, where it is taken off by hand only",
			Remedy: "Have Forefront disabled on the node as its documentation says, then run again.",
		}, nil
	}
	var ran []string
	for _, s := range all {
		if (strings.HasPrefix(s.Name, "MSExchange") || s.Name == forefrontController) && s.State != windows.Stopped {
			ran = append(ran, s.Name)
		}
	}
	if err := w.change(ctx, Entry{
		Kind: ForefrontEntry, Name: forefrontController, Before: map[string]string{"state": "enabled", "ran": strings.Join(ran, ",")}, Meant: map[string]string{"state": "disabled"},
	}); err != nil {
		return Outcome{}, err
	}
	if out, err := stopInOrder(ctx, w, all); err != nil || out.Kind != Done {
		return out, err
	}
	out, err := runFSCUtility(ctx, w, "fsc-disable", "/disable", "Forefront is taken out of Exchange's way")
	if err == nil && out.Kind == Done {
		out = Outcome{Kind: Done, Percent: 100, Message: "Forefront is taken out of Exchange's way by fscutility /disable"}
	}
	return out, err
}

// stopInOrder stops the services of forefrontOrder one after the other; those
// that need one of them stop before it.
func stopInOrder(ctx context.Context, w *Work, all []windows.Service) (Outcome, error) {
	for _, name := range forefrontOrder {
		s, found := windows.FindService(all, name)
		if !found || s.State == windows.Stopped {
			continue
		}
		if s.State == stopPending {
			return again("Service %s is being stopped", s.Name), nil
		}
		if err := w.intend(ctx, "stop service "+s.Name); err != nil {
			return Outcome{}, err
		}
		switch err := w.Host.StopService(ctx, s.Name); {
		case errors.Is(err, windows.ErrDependents):
			continue // one of those that come after needs it
		case err != nil:
			return trouble("stop service "+s.Name, err)
		}
		return again("Service %s is being stopped", s.Name), nil
	}
	for _, name := range forefrontOrder {
		if s, found := windows.FindService(all, name); found && s.State != windows.Stopped {
			for _, other := range all { // what Exchange has beside them
				if strings.HasPrefix(other.Name, "MSExchange") && other.State == windows.Running && !slices.Contains(forefrontOrder, other.Name) && other.Name != "MSExchangeADTopology" {
					if err := w.intend(ctx, "stop service "+other.Name); err != nil {
						return Outcome{}, err
					}
					if err := w.Host.StopService(ctx, other.Name); err != nil && !errors.Is(err, windows.ErrDependents) {
						return trouble("stop service "+other.Name, err)
					}
				}
			}
			return again("Service %s waits for others that need it", s.Name), nil
		}
	}
	return Outcome{Kind: Done}, nil
}

// runFSCUtility runs fscutility as a host task.
func runFSCUtility(ctx context.Context, w *Work, key, argument, words string) (Outcome, error) {
	folder := w.Memory["fsc"]
	if folder == "" {
		path, err := w.Host.ServiceProgram(ctx, forefrontController)
		if err != nil {
			return trouble("look where Forefront is installed", err)
		}
		if folder = path[:max(strings.LastIndex(path, `\`), 0)]; folder == "" {
			return Outcome{Kind: Failed, Message: fmt.Sprintf("The program of %s, %q, is in no folder", forefrontController, path), Remedy: "Run fscutility by hand, then run again."}, nil
		}
		w.Memory["fsc"] = folder
	}
	task := windows.Task{Name: windows.TaskName(w.Installation, w.Upgrade, key, w.Attempt)}
	body, err := windows.CommandBody(task.Folder(), folder+`\`+fscutility, argument)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Run fscutility by hand, then run again."}, nil
	}
	task.Body = body
	out, look, err := drive(ctx, w, task, words)
	if err == nil && out.Kind == Done && look.Exit != 0 {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("fscutility %s ended with %d", argument, look.Exit),
			Remedy: "See what keeps it from it: the services of Exchange and Forefront have to be stopped. Run it by hand, then run again.",
		}, nil
	}
	return out, err
}

// putBackForefront gives Exchange its dependence on Forefront back, with the
// services stopped in the same order, and starts those that ran.
func putBackForefront(ctx context.Context, w *Work, e Entry) (out Outcome, closed bool, err error) {
	key := entryKey(e) + ".enabled"
	all, err := w.Host.Services(ctx)
	if err != nil {
		out, err := trouble("look at Forefront", err)
		return out, false, err
	}
	if w.Memory[key] == "" {
		if out, err := stopInOrder(ctx, w, all); err != nil || out.Kind != Done {
			return out, false, err
		}
		out, err := runFSCUtility(ctx, w, "fsc-enable", "/enable", "Forefront is given back to Exchange")
		if err != nil || out.Kind != Done {
			return out, false, err
		}
		w.Memory[key] = "yes"
		return onward("Forefront is given back to Exchange by fscutility /enable"), false, nil
	}
	deviation := ""
	names := append([]string{forefrontController}, strings.Split(e.Before["ran"], ",")...)
	for _, name := range names {
		s, found := windows.FindService(all, name)
		if name == "" || !found || s.State == windows.Running || !slices.Contains(strings.Split(e.Before["ran"], ","), name) || s.StartMode == windows.StartDisabled {
			continue
		}
		if w.since(key+".since") > startPatient {
			deviation = join(deviation, fmt.Sprintf("service %s ran before and is %s now", name, s.State))
			continue
		}
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
	return Outcome{}, true, w.restored(ctx, e, deviation)
}
