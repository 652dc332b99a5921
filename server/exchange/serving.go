package exchange

import (
	"slices"
	"strings"
)

// serving lists for each role the services without which it serves nobody: those
// of Exchange that the others of the role need, and IIS for client access. Short
// names as in services.
var serving = map[Role][]string{
	Mailbox:          {"MSExchangeADTopology", "MSExchangeSA", "MSExchangeIS"},
	HubTransport:     {"MSExchangeADTopology", "MSExchangeTransport"},
	ClientAccess:     {"MSExchangeADTopology", "W3SVC"},
	UnifiedMessaging: {"MSExchangeADTopology", "MSExchangeUM"},
	EdgeTransport:    {"ADAM_MSExchange", "MSExchangeTransport"},
}

// ServiceState is a service as WMI's Win32_Service tells it; its words are the
// same in every display language.
type ServiceState struct {
	Name      string `json:"name"`
	State     string `json:"state"`      // Running, Stopped, Start Pending, ...
	StartMode string `json:"start_mode"` // Auto, Manual, Disabled, ...
}

// ServicesDown returns the short names of services without which a role serves
// nobody and which do not run although they should: they start by themselves, or
// were disabled as a Setup that was interrupted leaves them. One that is started
// by hand or by a cluster is none of them. The list is sorted and never nil.
func ServicesDown(all []ServiceState) []string {
	down := []string{}
	for _, s := range all {
		if s.State == "Running" || s.StartMode != "Auto" && s.StartMode != "Disabled" {
			continue
		}
		for _, names := range serving {
			for _, name := range names {
				if strings.EqualFold(name, s.Name) && !slices.Contains(down, name) {
					down = append(down, name)
				}
			}
		}
	}
	slices.Sort(down)
	return down
}

// RolesDown returns those of the roles that serve nobody while these services
// do not run.
func RolesDown(roles []Role, down []string) []Role {
	var out []Role
	for _, r := range roles {
		if slices.ContainsFunc(serving[r], func(name string) bool { return slices.Contains(down, name) }) {
			out = append(out, r)
		}
	}
	return out
}
