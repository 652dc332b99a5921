package runbook

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"wavekeeper/agentless/windows"
)

// Firewall is the step that starts the firewall's service, and the rule by whose
// waiver a person lets it start to filter.
const (
	Firewall     = "firewall"
	firewallRule = "firewall"
)

// firewallReturn is how long the host waits for a word from us before it stops
// the service again. Source: the project's procedure for clusters, which is the
// same here.
const firewallReturn = 3 * time.Minute

// firewall has the firewall's service run, which Setup writes its exceptions
// with: without it Setup fails with 0x800706D9 (the founding document; log 29 of
// the corpus). Setup needs the service, not the filtering. A host task starts it
// and stops it again unless we are heard of in time, since a service that begins
// to filter may cut the host off. Where it would filter and does not now, a
// person decides first.
func firewall(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	fw, found, err := w.Host.Firewall(ctx)
	if err != nil {
		return trouble("look at the firewall", err)
	}
	if !found {
		return notHere("The host has no firewall service"), nil
	}
	name := w.Memory["service"]
	if name == "" {
		if fw.State == windows.Running {
			return Outcome{Kind: Done, Percent: 100, Message: "The firewall's service runs already, and is left alone"}, nil
		}
		if profiles := wouldFilter(fw); len(profiles) > 0 && !slices.Contains(w.Waived, firewallRule) {
			return Outcome{
				Kind: Failed, Message: "The firewall's service does not run, and would filter if it did: " + list(profiles) + ". It was not started",
				Remedy: "Decide: turn the firewall off for these profiles (netsh firewall set opmode disable; on Windows Server 2008 netsh advfirewall set allprofiles state off), " +
					"or open WinRM in it, accept the finding " + firewallRule + " for this server with a reason, and run again: it is then started, and stopped again where it cuts the host off.",
			}, nil
		}
		name = fw.Service
		w.Memory["service"] = name
	}
	service, _, err := w.Host.Service(ctx, name)
	if err != nil {
		return trouble("look at the firewall's service", err)
	}
	before, err := stateOf(ctx, w, service)
	if err != nil {
		return trouble("read how the firewall's service starts", err)
	}
	if err := w.change(ctx, Entry{
		Kind: ServiceEntry, Name: service.Name, Before: before,
		Meant: map[string]string{"state": windows.Running, "start": startable(service.StartMode)},
	}); err != nil {
		return Outcome{}, err
	}
	if service.StartMode == windows.StartDisabled {
		if err := w.intend(ctx, "set start type of service "+service.Name+" to "+windows.StartManual); err != nil {
			return Outcome{}, err
		}
		if err := w.Host.SetStartMode(ctx, service.Name, windows.StartManual); err != nil {
			return trouble("let the firewall's service start", err)
		}
		return onward("The firewall's service may be started"), nil
	}
	return firewallTask(ctx, w, service)
}

func startable(mode string) string {
	if mode == windows.StartDisabled {
		return windows.StartManual
	}
	return mode
}

// firewallTask drives the host task with the switch. When the service is seen to
// run a second time, over a connection that was opened since (a firewall may let
// those go on that were open before), our word goes to the host.
func firewallTask(ctx context.Context, w *Work, service windows.Service) (Outcome, error) {
	name := windows.TaskName(w.Installation, w.Upgrade, Firewall+w.Turn, w.Attempt)
	task, err := windows.ScriptTask(name, windows.FirewallStart, "", "", service.Name, windows.TaskFolder(name), strconv.Itoa(int(firewallReturn/time.Second)))
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Start the firewall's service by hand, then run again."}, nil
	}
	w.Host.Anew()
	look, err := w.Host.LookTask(ctx, name)
	if err != nil {
		return trouble("look whether the firewall lets us in", err)
	}
	if look.State == windows.TaskStarted && service.State == windows.Running && w.Memory["runs"] == "" {
		w.Memory["runs"] = "yes"
		return again("The firewall's service runs; whether it lets us in is asked again"), nil
	}
	if look.State == windows.TaskStarted && service.State == windows.Running && w.Memory["here"] == "" {
		if err := w.Host.WriteFile(ctx, windows.TaskFolder(name)+`\`+windows.FirewallHere, []byte("here\r\n")); err != nil {
			return trouble("tell the host that it is still reached", err)
		}
		w.Memory["here"] = "yes"
		return onward("The firewall's service runs, and the host is still reached"), nil
	}
	out, _, err := drive(ctx, w, task, "the firewall's service is started")
	if err != nil || out.Kind == Again {
		return out, err
	}
	if service.State == windows.Running {
		return Outcome{Kind: Done, Percent: 100, Message: "The firewall's service runs, and the host is still reached"}, nil
	}
	message := "The firewall's service does not run: " + out.Message
	if look.State == windows.TaskEnded {
		message = fmt.Sprintf("The firewall's service was started, and stopped again since nothing was heard of us in %s", firewallReturn)
	}
	return Outcome{
		Kind: Failed, Message: message,
		Remedy: "Let the firewall let WinRM through, or turn it off for the profile of this network; start its service by hand and see that the host is reached, then run again.",
	}, nil
}

// wouldFilter lists the profiles in which the firewall would filter. Where nobody
// said so, Windows' default counts, which is to filter.
func wouldFilter(f windows.FirewallFact) []string {
	var profiles []string
	for _, p := range []struct {
		name string
		on   *bool
	}{{"domain", f.Enabled.Domain}, {"standard", f.Enabled.Standard}} {
		switch {
		case p.on == nil:
			profiles = append(profiles, p.name+" (not said, which means yes)")
		case *p.on:
			profiles = append(profiles, p.name)
		}
	}
	if f.Enabled.Public != nil && *f.Enabled.Public {
		profiles = append(profiles, "public")
	}
	return profiles
}
