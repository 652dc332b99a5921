package runbook

import (
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/rollout"
)

// tables makes the runbooks that have one name each. Those of single copy
// clusters are made for their numbers of nodes and servers, see ByName.
var tables = map[string]func() Table{
	rollout.StandaloneServicePack:        Standalone,
	"ccr-service-pack":                   ccrServicePack,
	"ccr-rollup":                         ccrRollup,
	"ccr-service-pack-and-rollup":        ccrBoth,
	"staging":                            Staging,
	"standalone-rollup":                  StandaloneRollup,
	"standalone-service-pack-and-rollup": StandaloneServicePackAndRollup,
	OrganizationLook:                     LookingAtTheOrganization,
	rollout.OrganizationRunbook:          Organization,
	CheckingTable:                        Checking,
}

// sized makes the runbooks whose names hold how many nodes and clustered mailbox
// servers they are for: "scc-3-2-service-pack".
var sized = map[string]func(nodes, servers int) Table{
	"scc-#-service-pack":            sccServicePack,
	"scc-#-rollup":                  sccRollup,
	"scc-#-service-pack-and-rollup": sccBoth,
}

// ByName returns the runbook of that name.
func ByName(name string) (Table, bool) {
	if make, ok := tables[name]; ok {
		return make(), true
	}
	if make, ok := fixTables[name]; ok {
		return make(), true
	}
	for form, make := range sized {
		prefix, suffix, _ := strings.Cut(form, "#")
		var nodes, servers int
		middle, ok := strings.CutPrefix(name, prefix)
		if !ok || !strings.HasSuffix(middle, suffix) {
			continue
		}
		middle = strings.TrimSuffix(middle, suffix)
		if n, err := fmt.Sscanf(middle, "%d-%d", &nodes, &servers); err != nil || n != 2 || fmt.Sprintf("%d-%d", nodes, servers) != middle {
			continue
		}
		if nodes < 2 || nodes > mostNodes || servers < 1 || servers >= nodes {
			continue
		}
		return make(nodes, servers), true
	}
	return Table{}, false
}

// mostNodes is how many nodes a cluster of Windows Server 2003 has at most, and
// of Exchange 2007 on Windows Server 2008 ("Planning for Single Copy Clusters",
// Exchange 2007 documentation: up to eight nodes, one of them passive at least).
const mostNodes = 8

// Names lists the runbooks that have one name each, in order.
func Names() []string {
	names := make([]string, 0, len(tables))
	for name := range tables {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Books finds the plain data of a runbook by its name.
type Books struct{}

// Book returns the runbook of that name without its functions.
func (Books) Book(name string) (rollout.Runbook, bool) {
	t, ok := ByName(name)
	if !ok {
		return rollout.Runbook{}, false
	}
	return t.Plain(), true
}
