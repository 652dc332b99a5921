package preflight

import "wavekeeper/server/exchange"

// Builds are the lowest configured builds of hosts by the facts that are kept of
// each; a host whose roles are not known, or say no build, is left out.
func Builds(hosts map[string]map[string]Fact) map[string]exchange.Build {
	out := map[string]exchange.Build{}
	for host, facts := range hosts {
		roles, ok := facts["roles"]
		if !ok {
			continue
		}
		f, errs := ReadFacts(map[string]Fact{"roles": roles})
		if len(errs) > 0 {
			continue // of another shape is not known
		}
		if c := configured(Subject{Facts: f}); len(c.Unreadable) == 0 && !c.Lowest.IsZero() {
			out[host] = c.Lowest
		}
	}
	return out
}
