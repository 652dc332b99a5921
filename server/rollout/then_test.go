package rollout_test

import (
	"errors"
	"strings"
	"testing"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// TestAClusterGetsOnePackageAtATime: said when it is planned, not at submission,
// and not of one that has nothing to do.
func TestAClusterGetsOnePackageAtATime(t *testing.T) {
	t.Parallel()
	inv, faults := exchange.ReadInventory(strings.NewReader(`server,fqdn,roles,site,build,os,cluster,nodes
MBX1,mbx1.demo.test,Mailbox,HQ,8.0.685.25,2003,,
CMS1,cms1.demo.test,Mailbox,HQ,8.0.685.25,2003,CCR,NODEA=127.0.77.1:5985;NODEB=127.0.77.2:5985
`))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	sp1, err := exchange.PackageByName("sp1")
	if err != nil {
		t.Fatal(err)
	}
	then, err := exchange.PackageByName("sp1-ru9")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := rollout.Make(inv.Servers, sp1, rollout.Options{Then: &then}); !errors.Is(err, rollout.ErrInvalid) || !strings.Contains(err.Error(), "CMS1 is clustered") {
		t.Errorf("both for a cluster: %v", err)
	}
	for i := range inv.Servers {
		if inv.Servers[i].Name == "CMS1" {
			inv.Servers[i].Build = then.Target
		}
	}
	if _, _, err := rollout.Make(inv.Servers, sp1, rollout.Options{Then: &then}); err != nil {
		t.Errorf("a cluster at the target: %v", err)
	}
}
