package twin_test

import (
	"slices"
	"testing"

	"wavekeeper/agentless/twin"
)

// faultsAround are the faults of what stands around Setup. That each does what
// FAULTS.md says is shown over the runbook (TestFaultsOfWhatStandsAroundSetup in
// agentless/runbook); here, that they can be declared, and where.
var faultsAround = []twin.Fault{
	{Host: "*", Name: "transport-does-not-pause"},
	{Host: "*", Name: "queue-stays"},
	{Host: "*", Name: "settings-unreadable"},
	{Host: "*", Name: "settings-do-not-stay"},
	{Host: "*", Name: "forefront-stays"},
	{Host: "*", Name: "firewall-cuts-off"},
	{Host: "*", Name: "service-stays-stopped", At: "service:ScanMail_Master"},
	{Host: "*", Name: "um-stays-disabled"},
	{Host: "*", Name: "service-times-out", At: "service:MSExchangeTransport"},
}

// TestServicesThatEndAtOnceAndTransportsThatDoNotPause as Windows tells it.
func TestServicesThatEndAtOnceAndTransportsThatDoNotPause(t *testing.T) {
	t.Parallel()
	for _, f := range faultsAround {
		if !slices.Contains(twin.FaultNames(), f.Name) {
			t.Errorf("%s is not declared", f.Name)
		}
	}
	c, _, _ := faulty(t, 6000, "HT", faultsAround[0], faultsAround[5])
	if code, out, _ := c.run(`sc.exe pause MSExchangeTransport`); code != "1061" {
		t.Errorf("pause: %s %s", code, out)
	}
}
