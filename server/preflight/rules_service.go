package preflight

import (
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// The words of Win32_Service that rules compare with.
const (
	running  = "Running"
	disabled = "Disabled"
)

// The names of fixes: safe, reversible, and done only when two persons want it.
const (
	StartMSDTC        = "start-msdtc"
	CleanStreamingKey = "clean-streaming-key"
)

var (
	clientAccess = string(exchange.ClientAccess)
	hubTransport = string(exchange.HubTransport)
	mailbox      = string(exchange.Mailbox)
	um           = string(exchange.UnifiedMessaging)
	edge         = string(exchange.EdgeTransport)
)

// serviceRules ask for the services that Setup needs, and for those of others.
var serviceRules = []Rule{
	{
		Name: "services", Words: "The third-party services of the inventory are on the host", Source: "inventory",
		Severity: Blocker, Unknown: Blocker, Needs: []string{"services"},
		test: func(s Subject) verdict {
			var unknown []string
			for _, name := range s.Server.Services {
				if _, ok := service(s.Facts.Services.Value, name); !ok {
					unknown = append(unknown, name)
				}
			}
			if len(unknown) > 0 {
				return blocks("The host has no service "+list(unknown), fmt.Sprintf("%d services", len(s.Facts.Services.Value)), "Correct the server's services in the inventory.")
			}
			return pass("The services are there", list(s.Server.Services))
		},
	},
	{
		Name: "msdtc", Words: "The Distributed Transaction Coordinator runs", Source: "topic 280ca216 of the Exchange Best Practices Analyzer (CAS and UM)",
		Severity: Blocker, Unknown: Blocker, Kinds: []string{ServicePack}, Roles: []string{clientAccess, um}, Needs: []string{"services"}, Fix: StartMSDTC,
		test: func(s Subject) verdict { return runs(s, "MSDTC", "Set MSDTC to start automatically and start it.") },
	},
	{
		Name: "com-event-system", Words: "The COM+ Event System runs", Source: "Setup's rule EventSystemStopped (MicrosoftDocs, readiness rules)",
		Severity: Blocker, Unknown: Blocker, Kinds: []string{ServicePack}, Roles: []string{clientAccess}, Needs: []string{"services"},
		test: func(s Subject) verdict { return runs(s, "EventSystem", "Start the service EventSystem.") },
	},
	{
		Name: "w3svc", Words: "The World Wide Web service is there and not disabled", Source: "Setup's rule W3SVCDisabledOrNotInstalled (MicrosoftDocs, readiness rules)",
		Severity: Blocker, Unknown: Blocker, Kinds: []string{ServicePack}, Roles: []string{clientAccess, mailbox}, Needs: []string{"services"},
		test: func(s Subject) verdict {
			found, ok := service(s.Facts.Services.Value, "W3SVC")
			switch {
			case !ok:
				return blocks("The service W3SVC is missing", "", "Install IIS.")
			case found.StartMode == disabled:
				return blocks("The service W3SVC is disabled", found.State, "Set its start type to automatic.")
			}
			return pass("The World Wide Web service is there", found.State+", "+found.StartMode)
		},
	},
	{
		Name: "iis", Words: "IIS is there with the parts that Exchange needs",
		Source:   "Setup's rules Longhorn* (MicrosoftDocs, readiness rules); the names below InetStp\\Components are remembered",
		Severity: Blocker, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack}, Roles: []string{clientAccess, mailbox}, Needs: []string{"os", "iis"}, test: ruleIIS,
	},
	{
		Name: "iis-64bit", Words: "IIS does not run in 32-bit mode", Source: "Setup's rule IIS32BitMode (MicrosoftDocs, readiness rules)",
		Severity: Blocker, Unknown: Warning, Kinds: []string{ServicePack}, Roles: []string{clientAccess}, Needs: []string{"iis"},
		test: func(s Subject) verdict {
			iis := s.Facts.IIS.Value
			switch {
			case iis.Version >= 7:
				return pass("IIS does not run in 32-bit mode as a whole", fmt.Sprintf("IIS %d sets that for each application pool", iis.Version))
			case iis.Version > 0 && iis.WOW32 == nil:
				return unread("Whether IIS runs in 32-bit mode could not be read of its metabase", "", "Ask cscript adsutil.vbs GET W3SVC/AppPools/Enable32BitAppOnWin64: it is 0, or not set.")
			case iis.WOW32 != nil && *iis.WOW32:
				return blocks("IIS runs its programs in 32-bit mode", "Enable32BitAppOnWin64 is set", "cscript adsutil.vbs SET W3SVC/AppPools/Enable32BitAppOnWin64 0, once nothing else needs it.")
			}
			return pass("IIS does not run in 32-bit mode", "")
		},
	},
	{
		Name: "foreign-services", Words: "The services of others that hook into Exchange are known to the inventory",
		Source:   "founding document (\"Dienste beenden\": Backup Exec, ScanMail)",
		Severity: Warning, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack, Rollup}, Needs: []string{"foreign_services"}, test: ruleForeign,
	},
	{
		Name: "monitoring", Words: "No monitoring holds performance counters open", Source: "founding document (\"Monitoring stoppen\"); the services' names are remembered",
		Severity: Info, Unknown: Info, Waivable: true, Kinds: []string{ServicePack, Rollup}, Needs: []string{"services"},
		test: func(s Subject) verdict {
			var at []string
			for _, name := range exchange.Monitoring() {
				if found, ok := service(s.Facts.Services.Value, name); ok && found.State == running {
					at = append(at, found.Name)
				}
			}
			if len(at) > 0 {
				return notes("Monitoring is at work, and holds performance counters that Setup replaces: "+list(at), "", "The runbook stops it for the while of Setup.")
			}
			return pass("No monitoring is at work", "")
		},
	},
}

func runs(s Subject, name, remedy string) verdict {
	found, ok := service(s.Facts.Services.Value, name)
	switch evidence := found.State + ", " + found.StartMode; {
	case !ok:
		return blocks("The service "+name+" is missing", "", remedy)
	case found.State != running:
		return blocks("The service "+name+" does not run", evidence, remedy)
	default:
		return pass("The service "+name+" runs", evidence)
	}
}

// iisParts are the parts of IIS 7 by role. Sources: the list of prerequisites
// for Windows Server 2008 in the help of Exchange 2007 SP1, as remembered; the
// rules that Setup has for them (LonghornIIS6MetabaseNotInstalled and others).
var iisParts = map[exchange.Role][]string{
	exchange.Mailbox:      {"Metabase", "LegacySnapin", "BasicAuthentication", "WindowsAuthentication"},
	exchange.ClientAccess: {"Metabase", "LegacySnapin", "BasicAuthentication", "DigestAuthentication", "WindowsAuthentication", "HttpCompressionDynamic"},
}

func ruleIIS(s Subject) verdict {
	i := s.Facts.IIS.Value
	evidence := fmt.Sprintf("version %d: %s", i.Version, list(i.Components))
	if i.Version == 0 {
		return blocks("IIS is not installed", evidence, "Install it as the help of Exchange 2007 says.")
	}
	if s.Facts.OS.Value == "2003" {
		return pass("IIS is there", evidence)
	}
	var missing []string
	for _, role := range exchange.Roles() {
		if !s.Server.Has(role) {
			continue
		}
		for _, part := range iisParts[role] {
			if !containsFold(i.Components, part) && !slices.Contains(missing, part) {
				missing = append(missing, part)
			}
		}
	}
	if len(missing) > 0 {
		return blocks("Parts of IIS are missing: "+list(missing), evidence, "Install the role services of IIS, IIS 6 metabase and console compatibility among them.")
	}
	return pass("IIS has the parts that Exchange needs", evidence)
}

func containsFold(all []string, one string) bool {
	return slices.ContainsFunc(all, func(s string) bool { return strings.EqualFold(s, one) })
}

// ruleForeign names services that run, start by themselves and depend on
// Exchange's, and that nobody listed to be stopped. Those that a cluster keeps
// are never stopped.
func ruleForeign(s Subject) verdict {
	var unlisted, listed []string
	for _, f := range s.Facts.ForeignServices.Value {
		if containsFold(s.Server.Services, f.Name) {
			listed = append(listed, f.Name)
			continue
		}
		hooks := slices.ContainsFunc(f.DependsOn, func(on string) bool {
			return strings.HasPrefix(strings.ToLower(on), "msexchange") || strings.EqualFold(on, "W3SVC")
		})
		if f.State == running && !f.ClusterManaged && hooks {
			unlisted = append(unlisted, fmt.Sprintf("%s (%s)", f.Name, orNone(f.Company)))
		}
	}
	evidence := fmt.Sprintf("%d services of others; in the inventory: %s", len(s.Facts.ForeignServices.Value), orNone(list(listed)))
	if len(unlisted) > 0 {
		return warns("Services that hook into Exchange run and are not in the inventory: "+list(unlisted), evidence, "Add them to the server's services, so that they are stopped and started again, or make sure that they may run.")
	}
	return pass("No unknown service hooks into Exchange", evidence)
}
