package store_test

import (
	"errors"
	"strings"
	"testing"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

func TestFirstContactIsKeptWithWhatTheHostSaid(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ctx := t.Context()
	importCSV(t, db.Store, "server,roles,site,build,address,port\nCAS1,ClientAccess,HQ,8.0.685.25,127.0.77.1,5985\nMBX1,Mailbox,HQ,8.0.685.25,127.0.77.2,5985\n")
	hosts, err := db.Store.HostsOfProfile(ctx, "default")
	if err != nil || len(hosts) != 2 {
		t.Fatalf("%v %v", hosts, err)
	}
	if _, there, err := db.Store.ContactOf(ctx, hosts[0].ID); err != nil || there {
		t.Fatalf("a contact before the first: %v %v", there, err)
	}
	note := func(host store.HostAddress, windows string, checks ...store.ConstantCheck) error {
		return db.Store.NoteContact(ctx, erika, host, store.Contact{
			Outcome: "done", Windows: windows, Checks: checks,
			Steps: []store.ContactStep{{Name: "port", State: "ok", Words: "a\x00b\xff" + strings.Repeat("x", 2000)}},
		})
	}
	check := func(name, verdict, found string) store.ConstantCheck {
		return store.ConstantCheck{Name: name, Verdict: verdict, Expected: "e", Found: found}
	}
	if err := note(hosts[0], "2003", check("a", "holds", "there"), check("b", "differs", "7"), check("old", "holds", "x")); err != nil {
		t.Fatal(err)
	}
	if err := note(hosts[0], "2003", check("a", "holds", "there"), check("b", "differs", "8")); err != nil {
		t.Fatal(err)
	}
	if err := note(hosts[1], "2008", check("a", "holds", "there"), check("b", "moot", "no")); err != nil {
		t.Fatal(err)
	}
	c, there, err := db.Store.ContactOf(ctx, hosts[0].ID)
	if err != nil || !there {
		t.Fatal(there, err)
	}
	if c.By != erika.Name || c.Windows != "2003" || len(c.Checks) != 2 || c.Checks[1].Found != "8" || len(c.Steps) != 1 || len(c.Steps[0].Words) > 1010 || strings.Contains(c.Steps[0].Words, "\x00") {
		t.Errorf("kept %+v", c)
	}
	counts, err := db.Store.ConstantCounts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(counts["a"]) != 2 || counts["a"][0].Hosts != 1 || len(counts["old"]) != 0 {
		t.Errorf("counts %+v", counts)
	}
	against, err := db.Store.Contradictions(ctx)
	if err != nil || len(against) != 1 || len(against["b"]) != 1 || against["b"][0].Found != "8" || against["b"][0].Host != hosts[0].Name {
		t.Errorf("contradictions %+v, %v", against, err)
	}
	if err := note(store.HostAddress{ID: hosts[0].ID, Name: hosts[0].Name, Address: "127.0.77.9", Port: 5985}, "2003"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("what another machine said: %v, want a conflict", err)
	}
	if err := note(hosts[0], "2003", check("a", "perhaps", "x")); err == nil {
		t.Error("a verdict that is none was kept")
	}
	if n, err := db.Store.RequestContacts(ctx, erika, []int64{1, 2}); err != nil || n != 2 {
		t.Errorf("%d hosts are asked, %v, want 2", n, err)
	}
	auditor := person(t, db.Store, "auditor", "auditor")
	if _, err := db.Store.RequestContacts(ctx, auditor, []int64{1}); !errors.Is(err, rollout.ErrForbidden) {
		t.Errorf("an auditor asks: %v, want forbidden", err)
	}
}
