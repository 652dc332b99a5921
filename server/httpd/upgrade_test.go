package httpd

import (
	"testing"

	"wavekeeper/server/store"
)

// TestRolloutPageLeavesOutSingleActions: what a person follows for hours is
// milestones; the actions on hosts are on the page of each upgrade.
func TestRolloutPageLeavesOutSingleActions(t *testing.T) {
	t.Parallel()
	var events []store.Event
	for n, kind := range []string{store.EventUpgrade, store.EventIntent, store.EventStep, store.EventWave, store.EventChanged, store.EventRestored, store.EventRollout, store.EventHeld} {
		events = append(events, store.Event{Number: int64(n), Kind: kind})
	}
	var got []int64
	for _, e := range milestones(events, 3) {
		got = append(got, e.Number)
	}
	if len(got) != 3 || got[0] != 0 || got[1] != 3 || got[2] != 6 {
		t.Errorf("milestones = %v, want 0, 3, 6", got)
	}
}

func TestLedgerStateIsSaidInWords(t *testing.T) {
	t.Parallel()
	for want, values := range map[string]map[string]string{
		"kept on the host by the task wk-1": {"task": "wk-1", "file": "revocation-system"},
		"value State 0x23c00":               {"task": "wk-1", "file": "revocation-system", "value": "0x23c00"},
		"no value State":                    {"task": "wk-1", "file": "revocation-user", "value": "absent"},
		"switched off (bit 0x200)":          {"bit": "0x200"},
	} {
		if got := ledgerWords("revocation", values); got != want {
			t.Errorf("ledgerWords(%v) = %q, want %q", values, got, want)
		}
	}
	if got := ledgerWords("service", map[string]string{"start": "Auto", "state": "Running"}); got != "start Auto, state Running" {
		t.Errorf("ledgerWords of a service = %q", got)
	}
}
