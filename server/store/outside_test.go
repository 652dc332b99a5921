package store_test

import (
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestAServerOutsideIsJudgedByAllItsRoles reads what a host said of its roles
// into what Next looks at: a build at the target alone is not enough.
func TestAServerOutsideIsJudgedByAllItsRoles(t *testing.T) {
	t.Parallel()
	d := submit(t)
	importCSV(t, d.Store, "server,roles,site,build,address,port\nBOTH,CAS+MBX,HQ,8.1.240.6,127.0.77.3,5985\n")
	both, err := d.Store.ServerByName(t.Context(), "BOTH")
	if err != nil {
		t.Fatal(err)
	}
	for fact, want := range map[string]int{
		`{"ClientAccess":{"configured":"8.1.240.6"},"Mailbox":{"configured":"8.1.240.6"}}`:                                     0,
		`{"ClientAccess":{"configured":"8.1.240.6"}}`:                                                                          1,
		`{"ClientAccess":{"configured":"8.1.240.6"},"Mailbox":{"configured":"?"}}`:                                             1,
		`{"ClientAccess":{"configured":"8.1.240.6"},"Mailbox":{"configured":"8.1.240.6","action":"Install","watermark":"W3"}}`: 1,
	} {
		facts := []store.Fact{{Name: "roles", Value: []byte(fact), Source: "test", At: time.Now()}}
		if err := d.Store.SaveProbe(t.Context(), both.Hosts[0].Asked(), "done", "", facts); err != nil {
			t.Fatal(err)
		}
		s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
		if err != nil {
			t.Fatal(err)
		}
		var found []rollout.OutsideServer
		for _, o := range s.Outside {
			if o.Server.Name == "BOTH" {
				found = append(found, o)
			}
		}
		if len(found) != 1 || len(found[0].Doubts) != want || found[0].Build.String() != "8.1.240.6" {
			t.Errorf("%s: outside are %+v, want %d doubts", fact, found, want)
		}
	}
}
