package rollout_test

import (
	"slices"
	"strings"
	"testing"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// TestAClusterGetsBothPackages: by a runbook of its own, with time for both moves;
// one that is at the service pack is planned with the rollup alone, as every server.
func TestAClusterGetsBothPackages(t *testing.T) {
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
	made := func(build exchange.Build, then *exchange.Package) (rollout.Plan, rollout.Report) {
		for i := range inv.Servers {
			if inv.Servers[i].Name == "CMS1" {
				inv.Servers[i].Build = build
			}
		}
		plan, report, err := rollout.Make(inv.Servers, sp1, rollout.Options{Then: then})
		if err != nil {
			t.Fatal(err)
		}
		return plan, report
	}
	planned := func(p rollout.Plan) bool {
		return slices.ContainsFunc(p.Waves, func(w []string) bool { return slices.Contains(w, "CMS1") })
	}
	rtm := exchange.Build{Major: 8, Build: 685, Revision: 25}
	plan, both := made(rtm, &then)
	if !planned(plan) {
		t.Errorf("both for a cluster: waves %v", plan.Waves)
	}
	if name := rollout.RunbookName(plan.Package, plan.Then, plan.Kind, plan.Unit("CMS1")); name != "ccr-service-pack-and-rollup" {
		t.Errorf("it goes by %s", name)
	}
	_, one := made(rtm, nil)
	if both.Forecast.P50Minutes <= one.Forecast.P50Minutes {
		t.Errorf("both take %d minutes, the service pack alone %d", both.Forecast.P50Minutes, one.Forecast.P50Minutes)
	}
	plan, report := made(sp1.Target, &then)
	if planned(plan) || !slices.ContainsFunc(report.Findings, func(f rollout.PlanFinding) bool {
		return f.Rule == "only-the-second-package-is-missing" && slices.Contains(f.Servers, "CMS1")
	}) {
		t.Errorf("a cluster at the service pack: waves %v, findings %+v", plan.Waves, report.Findings)
	}
	if plan, _ := made(then.Target, &then); planned(plan) {
		t.Errorf("a cluster at the target: waves %v", plan.Waves)
	}
}
