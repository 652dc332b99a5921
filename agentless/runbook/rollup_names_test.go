package runbook_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wavekeeper/agentless/runbook"
)

// The steps of the runbooks that are made out of another's, in full and on their
// own: what their code leaves out or puts in goes by a step's name, and a step
// that gets another name would slip past it.
const (
	rollupNames = `facts hook-announce stage inspect preflight record drain-um hook-drain drain-transport
		stop-monitoring stop-services forefront rollup restart rollup-services rollup-verify
		services-back functional undrain hook-undrain hook-after put-back tidy`

	bothNames = `facts hook-announce stage stage-second inspect preflight record drain-um hook-drain drain-transport
		um-out stop-monitoring stop-services forefront firewall setup restart verify
		rollup rollup-restart rollup-services rollup-verify um-in um-config settings-back
		services-back functional undrain hook-undrain hook-after put-back tidy`

	ccrRollupNames = `facts-1 facts-2 choose hook-announce stage-1 stage-2 inspect-1 inspect-2 preflight-1 preflight-2 streaming-1 streaming-2
		groups-1 record-1 stop-monitoring-1 stop-services-1 forefront-1 passive-1 rollup-1 restart-1 rollup-services-1 after-1 ready-1
		hook-cms-stop-1 stop-cms-1 move-cms-1 online-1 hook-cms-online-1
		groups-2 record-2 look-again-2 preflight-again-2 stop-monitoring-2 stop-services-2 forefront-2 passive-2 rollup-2 restart-2 rollup-services-2 after-2 ready-2
		copies-2 verify verify-1 verify-2 functional-1 hook-after put-back-1 put-back-2 tidy-1 tidy-2`

	ccrBothNames = `facts-1 facts-2 choose hook-announce stage-1 stage-2 stage-second-1 stage-second-2
		inspect-1 inspect-2 preflight-1 preflight-2 streaming-1 streaming-2
		groups-1 record-1 stop-monitoring-1 stop-services-1 forefront-1 firewall-1 passive-1 setup-1 restart-1 after-1 settings-back-1 ready-1
		hook-cms-stop-1 stop-cms-1 move-cms-1 upgrade-cms-1 online-1 hook-cms-online-1
		groups-2 record-2 look-again-2 preflight-again-2 stop-monitoring-2 stop-services-2 forefront-2 firewall-2 passive-2 setup-2 restart-2
		after-2 settings-back-2 ready-2 copies-2 service-pack-verify service-pack-verify-1 service-pack-verify-2
		facts-second-1 facts-second-2 choose-second
		groups-second-1 look-again-second-1 preflight-again-second-1 stop-monitoring-second-1 stop-services-second-1 forefront-second-1 passive-second-1
		rollup-1 restart-second-1 rollup-services-1 after-second-1 ready-second-1
		hook-cms-stop-second-1 stop-cms-second-1 move-cms-second-1 online-second-1 hook-cms-online-second-1
		groups-second-2 look-again-second-2 preflight-again-second-2 stop-monitoring-second-2 stop-services-second-2 forefront-second-2 passive-second-2
		rollup-2 restart-second-2 rollup-services-2 after-second-2 ready-second-2
		copies-second-2 verify verify-1 verify-2 functional-1 hook-after put-back-1 put-back-2 tidy-1 tidy-2`
)

func TestRollupsHaveTheStepsThatTheyShould(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"standalone-rollup": rollupNames, "standalone-service-pack-and-rollup": bothNames, "ccr-rollup": ccrRollupNames, "scc-2-1-rollup": ccrRollupNames,
		"ccr-service-pack-and-rollup": ccrBothNames, "scc-2-1-service-pack-and-rollup": ccrBothNames,
	} {
		if diff := cmp.Diff(strings.Fields(want), stepNames(t, name)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// TestRollupsDifferFromServicePacksAsTheyShould: what a rollup leaves out is in the
// service pack's runbook, and what it has besides is not.
func TestRollupsDifferFromServicePacksAsTheyShould(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pack, rollup, without, besides string }{
		{"standalone-service-pack", "standalone-rollup", "um-out firewall setup verify um-in um-config settings-back", "rollup rollup-services rollup-verify"},
		{"standalone-service-pack", "standalone-service-pack-and-rollup", "", "stage-second rollup rollup-restart rollup-services rollup-verify"},
		{
			"ccr-service-pack", "ccr-rollup", "firewall-1 setup-1 settings-back-1 upgrade-cms-1 firewall-2 setup-2 settings-back-2",
			"rollup-1 rollup-services-1 rollup-2 rollup-services-2",
		},
	} {
		pack, rollup := stepNames(t, c.pack), stepNames(t, c.rollup)
		if diff := cmp.Diff(strings.Fields(c.without), missingOf(pack, rollup)); diff != "" {
			t.Errorf("%s leaves out of %s:\n%s", c.rollup, c.pack, diff)
		}
		if diff := cmp.Diff(strings.Fields(c.besides), missingOf(rollup, pack)); diff != "" {
			t.Errorf("%s has besides %s:\n%s", c.rollup, c.pack, diff)
		}
	}
}

func stepNames(t *testing.T, runbookName string) []string {
	t.Helper()
	table, ok := runbook.ByName(runbookName)
	if !ok {
		t.Fatalf("no runbook %s", runbookName)
	}
	names := make([]string, len(table.Steps))
	for i, s := range table.Steps {
		names[i] = s.Name
	}
	return names
}

// missingOf are those of all that some lacks.
func missingOf(all, some []string) []string {
	out := []string{}
	for _, name := range all {
		if !slices.Contains(some, name) {
			out = append(out, name)
		}
	}
	return out
}
