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
// Server that was taken out of Exchange's way; Before: state, the services that
// ran, and those that needed Forefront, by comma.
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
		if ofForefront(s.Name) && s.State != windows.Stopped {
			ran = append(ran, s.Name)
		}
	}
	needed, err := needForefront(ctx, w, all)
	if err != nil {
		return trouble("read what needs Forefront", err)
	}
	if len(needed) == 0 && !slices.ContainsFunc(w.Ledger, func(e Entry) bool { return e.Kind == ForefrontEntry }) {
		return notHere("No service of Exchange needs Forefront: it is out of Exchange's way already, and stays so"), nil
	}
	if err := w.change(ctx, Entry{
		Kind: ForefrontEntry, Name: forefrontController, Before: map[string]string{"state": "enabled", "ran": strings.Join(ran, ","), "needed": strings.Join(needed, ",")}, Meant: map[string]string{"state": "disabled"},
	}); err != nil {
		return Outcome{}, err
	}
	if out, err := stopInOrder(ctx, w, all); err != nil || out.Kind != Done {
		return out, err
	}
	return runFSCUtility(ctx, w, "fsc-disable", "/disable", "Forefront is taken out of Exchange's way", func(needed []string) string {
		if len(needed) > 0 {
			return list(needed) + " still cannot start without " + forefrontController
		}
		return ""
	})
}

// ofForefront are Exchange's services and Forefront's, by their names
// (technet bb795067 lists FSCController, FSEIMC and the others).
func ofForefront(name string) bool {
	return slices.ContainsFunc([]string{"MSExchange", "FSC", "FSE"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// needForefront are those of Exchange's services that depend on Forefront, by
// themselves or by FSEIMC, which fscutility takes and gives. Source: technet
// bb795067 (FSEIMC needs FSCController, the information store starts it).
func needForefront(ctx context.Context, w *Work, all []windows.Service) ([]string, error) {
	var needed []string
	for _, name := range forefrontOrder {
		s, found := windows.FindService(all, name)
		if !found || name == forefrontController {
			continue
		}
		on, err := w.Host.ServiceNeeds(ctx, s.Name)
		if err != nil {
			return nil, err
		}
		for _, n := range slices.Clone(on) {
			if strings.HasPrefix(strings.ToUpper(n), "FSE") {
				more, err := w.Host.ServiceNeeds(ctx, n)
				if err != nil {
					return nil, err
				}
				on = append(on, more...)
			}
		}
		if slices.ContainsFunc(on, func(n string) bool { return strings.EqualFold(n, forefrontController) }) {
			needed = append(needed, s.Name)
		}
	}
	return needed, nil
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
			for _, other := range all { // what Exchange and Forefront have beside them
				if ofForefront(other.Name) && other.State == windows.Running && !slices.Contains(forefrontOrder, other.Name) && other.Name != "MSExchangeADTopology" {
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

// runFSCUtility runs fscutility as a host task. What it came to is decided by
// which services need Forefront then; wrong says what is not as it was meant. How
// the program ended is told only: nobody documents its exit codes.
func runFSCUtility(ctx context.Context, w *Work, key, argument, words string, wrong func(needed []string) string) (Outcome, error) {
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
	if err != nil || out.Kind != Done {
		return out, err
	}
	all, err := w.Host.Services(ctx)
	if err != nil {
		return trouble("look at Forefront", err)
	}
	needed, err := needForefront(ctx, w, all)
	if err != nil {
		return trouble("read what needs Forefront", err)
	}
	ended := fmt.Sprintf("fscutility %s ended with %d", argument, look.Exit)
	if text := wrong(needed); text != "" {
		return Outcome{
			Kind: Failed, Message: ended + ", and " + text,
			Remedy: "See what keeps it from it: the services of Exchange and Forefront have to be stopped. Run it by hand, then run again.",
		}, nil
	}
	return Outcome{Kind: Done, Percent: 100, Message: fmt.Sprintf("%s: %s", words, ended)}, nil
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
		out, err := runFSCUtility(ctx, w, w.backTask("fsc-enable"), "/enable", "Forefront is given back to Exchange", func(needed []string) string {
			for _, name := range strings.Split(e.Before["needed"], ",") { // absent where an older version recorded it
				if _, there := windows.FindService(all, name); there && !slices.Contains(needed, name) {
					return name + " does not need " + forefrontController + " again, as it did before"
				}
			}
			return ""
		})
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
