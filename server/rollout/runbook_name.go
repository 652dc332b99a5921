package rollout

import (
	"fmt"
	"strings"

	"wavekeeper/server/exchange"
)

// PlanKind says what a plan is about.
type PlanKind string

// The kinds of plans.
const (
	OfServers      PlanKind = ""             // servers get a package
	OfOrganization PlanKind = "organization" // the organization is prepared for a package, on one server that a person names
)

// Names of runbooks that others than RunbookName ask for.
const (
	StandaloneServicePack = "standalone-service-pack"
	OrganizationRunbook   = "organization"
)

// RunbookName names the runbook by which a unit gets a package and, when then is
// not nil, a second one after it. servers is the unit: a standalone server, or
// every clustered mailbox server of one cluster. Which names there are is for
// agentless/runbook to say; the steps of a single copy cluster depend on how many
// nodes and servers it has, so that its names hold both.
func RunbookName(p exchange.Package, then *exchange.Package, kind PlanKind, servers []exchange.Server) string {
	if kind == OfOrganization {
		return OrganizationRunbook
	}
	unit := "standalone"
	if len(servers) > 0 && servers[0].Cluster != exchange.Standalone {
		unit = strings.ToLower(string(servers[0].Cluster))
		if servers[0].Cluster == exchange.SCC {
			unit = fmt.Sprintf("scc-%d-%d", len(servers[0].Nodes), len(servers))
		}
	}
	what := "service-pack"
	if p.Kind == exchange.Rollup {
		what = "rollup"
	}
	if then != nil {
		what += "-and-" + string(then.Kind)
	}
	return unit + "-" + what
}
