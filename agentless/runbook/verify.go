package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

const (
	servicesNudge = 3 * time.Minute  // services get this long before they are started by us
	servicesLimit = 15 * time.Minute // and this long before the step fails
)

// verify proves the target: every role configured there, no sign of a broken
// Setup, and Exchange's services as they ran before. It polls: services start
// in the order that Windows knows.
func verify(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return trouble("read the roles", err)
	}
	lowest, err := lowestBuild(roles)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: damagedKeys}, nil
	}
	if wrong := append(below(roles, w.Server, w.Package.Target), markers(roles)...); len(wrong) > 0 {
		l, err := alive(ctx, w)
		if err != nil {
			return trouble("look for a running Setup", err)
		}
		if len(l.setup) > 0 { // somebody's word that it is repaired came too early
			out := again("Setup is still at work, nothing is judged under it: %s", l.who())
			out.After, out.Build, out.running = later, lowest.String(), true
			return unseen(out), nil
		}
		return Outcome{
			Kind: Failed, Build: lowest.String(), Message: "The server is not at the target: " + list(wrong),
			Remedy: "Read the setup log; running again lets Setup resume.", Evidence: collect(ctx, w),
		}, nil
	}
	program, out, err := exSetupAt(ctx, w)
	if err != nil || out.Kind != Done {
		out.Build = lowest.String()
		return out, err
	}
	out, err = servicesAgain(ctx, w, lowest.String())
	if out.Kind == Done {
		out.Message = fmt.Sprintf("Every role is at %s, %s, %s", lowest, program, out.Message)
		out.Facts = append(out.Facts, Fact{Name: "roles", Value: roles, Source: "role keys of Exchange in the registry", At: w.Now.UTC()})
	}
	return out, err
}

// exSetupAt is Done when the file version of ExSetup.exe, which Setup copies with
// all other programs, is at the target or later: a second witness beside the role
// keys. Where the host does not tell it (its version is WMI's to say), the words
// say so, and the keys alone count.
func exSetupAt(ctx context.Context, w *Work) (words string, out Outcome, err error) {
	version, err := w.Host.ExSetupVersion(ctx)
	if err != nil {
		var no *windows.NoWMI
		if !errors.As(err, &no) {
			out, err := trouble("read the version of ExSetup.exe", err)
			return "", out, err
		}
		return "the version of ExSetup.exe could not be read without WMI", Outcome{Kind: Done}, nil
	}
	build, bad := exchange.ParseBuild(version)
	switch {
	case version == "" || bad != nil:
		return "the version of ExSetup.exe is not known", Outcome{Kind: Done}, nil
	case build.Compare(w.Package.Target) < 0:
		return "", Outcome{
			Kind: Failed, Message: fmt.Sprintf("The role keys are at the target, and bin\\ExSetup.exe is still %s, below %s: programs were not replaced", build, w.Package.Target),
			Remedy: "Read the setup log for files in use, restart the host, and run again: Setup proves the files anew.", Evidence: collect(ctx, w),
		}, nil
	}
	return "ExSetup.exe at " + build.String(), Outcome{Kind: Done}, nil
}

// servicesAgain is Done when Exchange's services run as they ran before: it waits,
// asks once for each that does not come back, and fails in the end.
func servicesAgain(ctx context.Context, w *Work, build string) (Outcome, error) {
	all, err := w.Host.Services(ctx)
	if err != nil {
		return trouble("read the services", err)
	}
	ran, err := mustRun(w, all)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Look at the start types of Exchange's services on the host."}, nil
	}
	var missing []string
	for _, name := range ran {
		s, ok := windows.FindService(all, name)
		if !ok || s.State != windows.Running && !w.pausedByUs(s) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return Outcome{
			Kind: Done, Build: build, Percent: 100,
			Message: fmt.Sprintf("%d services of Exchange run", len(ran)),
			Facts: []Fact{
				{Name: "services", Value: all, Source: "Win32_Service", At: w.Now.UTC()},
			},
		}, nil
	}
	waited := w.since("since")
	if waited > servicesLimit {
		out := Outcome{
			Kind: Failed, Build: build, Message: "Services that have to run do not: " + list(missing),
			Remedy: "Start them on the host and read the event log; then run again.",
		}
		if said := timedOut(ctx, w); said != "" {
			known, _ := exchange.KnownErrorByRule("service-timeout")
			out.Message += fmt.Sprintf("; event %d says %q: %s", timeoutEvent, said, known.Words)
			out.Remedy = known.Remedy + " Then run again."
		}
		return out, nil
	}
	if at := slices.IndexFunc(missing, func(name string) bool { return w.Memory["asked."+name] == "" }); waited > servicesNudge && at >= 0 {
		return startMissing(ctx, w, missing[at])
	}
	out := again("Waits for %d services of Exchange: %s", len(missing), list(missing))
	out.After, out.Build = 2*time.Second, build
	return out, nil
}

// startMissing asks a service that did not come back, once.
func startMissing(ctx context.Context, w *Work, name string) (Outcome, error) {
	if err := w.intend(ctx, "start service "+name); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.StartService(ctx, name); err != nil {
		var full *windows.ShellsFull
		if errors.As(err, &full) {
			return trouble("start service "+name, err)
		}
		w.Memory["refused."+name] = err.Error() // the step's limit decides
	}
	w.Memory["asked."+name] = "yes"
	return again("Service %s is asked to start", name), nil
}
