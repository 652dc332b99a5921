package rollout_test

import (
	"strings"
	"testing"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// A cluster's Setup would run on one of its nodes: none is named for a preparation.
func TestNoClusterPreparesTheOrganization(t *testing.T) {
	t.Parallel()
	p, err := exchange.PackageByName("sp1")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []exchange.ClusterType{exchange.Standalone, exchange.CCR, exchange.SCC} {
		unit := []exchange.Server{{Name: "CMS1", Roles: []exchange.Role{exchange.Mailbox}, Site: "HQ", Arch: "x64", Cluster: kind}}
		_, err := rollout.MakeOrganization(unit, p)
		if clustered := kind != exchange.Standalone; clustered != (err != nil) || clustered && !strings.Contains(err.Error(), "clustered") {
			t.Errorf("%q: %v", kind, err)
		}
	}
}
