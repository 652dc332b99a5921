package store_test

import (
	"maps"
	"slices"
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
	if err := d.Store.CloseLedger(t.Context(), page, w.Ledger[0].ID, ""); err != nil {
		t.Fatal(err)
	}
	events, err := d.Store.Events(t.Context(), d.rollout, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range events {
		if e.Kind == store.EventChanged || e.Kind == store.EventRestored {
			told = append(told, e.Text)
		}
	}
	const check = "Certificate revocation check of the run-as account"
	if words := []string{check + " is changed for a while", check + ": the state before the change is known", check + " is put back"}; !slices.Equal(told, words) {
		t.Errorf("events say %q, want %q", told, words)
	}
}

func TestLedgerIsSaidInWords(t *testing.T) {
	t.Parallel()
	for want, entry := range map[string][2]string{
		"Service ScanMail_Master":                            {"service", "ScanMail_Master"},
		"Certificate revocation check of the system account": {"revocation", "S-1-5-18"},
		"Certificate revocation check of the run-as account": {"revocation", "run-as"},
		"firewall domain":                                    {"firewall", "domain"},
		"Settings of CAS1 that Setup resets":                 {"settings", "CAS1"},
	} {
		if got := store.LedgerThing(entry[0], entry[1]); got != want {
			t.Errorf("LedgerThing%q = %q, want %q", entry, got, want)
		}
	}
}
