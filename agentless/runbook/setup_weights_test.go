package runbook_test

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// TestSetupsPercentageRisesByTheWeightsOfItsOwnLists walks a host whose folder
// holds a list of an earlier run: while roles are configured, each percentage is
// one that weights and watermark give.
func TestSetupsPercentageRisesByTheWeightsOfItsOwnLists(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.Speed = 350 })
	ctx := context.Background()
	if err := f.host.MakeFolder(ctx, `C:\ExchangeSetupLogs`); err != nil {
		t.Fatal(err)
	}
	if err := f.host.WriteFile(ctx, `C:\ExchangeSetupLogs\Install-MailboxRole-20070101-1.ps1`, []byte("# [ID = 00000000, Wt = 900, isFatal = False]\r\n")); err != nil {
		t.Fatal(err)
	}
	const roles = 3 // and the administration tools
	allowed := map[int]bool{}
	for done := range roles + 1 {
		for _, weight := range []int{0, 1, 3, 6} {
			allowed[exchange.RolesPercent(done, roles, float64(weight)/10)] = true
		}
	}
	var seen []int
	known := false
	f.change = func(w *runbook.Work) {
		if percent, err := strconv.Atoi(f.memory["setup"]["percent"]); err == nil && (len(seen) == 0 || seen[len(seen)-1] != percent) {
			seen = append(seen, percent)
		}
		known = known || f.memory["setup"]["weights"] == "known"
	}
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	between := 0
	for _, percent := range seen {
		if first, last := exchange.RolesPercent(0, roles, 0), exchange.RolesPercent(roles, roles, 0); percent > first && percent < last {
			between++
			if !allowed[percent] {
				t.Errorf("%d %% is not of the lists' weights; seen: %v", percent, seen)
			}
		}
	}
	if !slices.IsSorted(seen) || between < 4 || !known {
		t.Errorf("percentages %v, %d of them while roles were configured, weights known: %t", seen, between, known)
	}
}
