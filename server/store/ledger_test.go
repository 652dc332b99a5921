package store_test

import (
	"maps"
	"testing"

	"wavekeeper/server/store"
)

func TestLedgerLearnsWhatWasNotKnown(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, _, err := d.Store.AcquireLeases(t.Context(), "worker", tick.Upgrade)
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
	if err != nil {
		t.Fatal(err)
	}
	page := store.Page{Lease: lease, Upgrade: w.ID, Rollout: d.rollout, Generation: w.Generation, Host: w.Hosts[0].ID, Wave: 1, Server: "CAS1", Step: "setup"}
	want := map[string]string{"task": "a1"}
	for _, found := range []map[string]string{{"task": "a1"}, {"task": "a2", "value": "0x23c00"}, {"value": "0x23e00"}} {
		if _, err := d.Store.OpenLedger(t.Context(), page, store.LedgerEntry{Kind: "revocation", Name: "run-as", Before: found, Meant: map[string]string{}}); err != nil {
			t.Fatal(err)
		}
		if w, _, err = d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation); err != nil || len(w.Ledger) != 1 || !maps.Equal(w.Ledger[0].Before, want) {
			t.Fatalf("after %v the ledger is %+v, %v, want %v", found, w.Ledger, err, want)
		}
		want = map[string]string{"task": "a1", "value": "0x23c00"}
	}
}
