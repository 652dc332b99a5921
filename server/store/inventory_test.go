package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

func read(t *testing.T, csv string) exchange.Inventory {
	t.Helper()
	inv, faults := exchange.ReadInventory(strings.NewReader(csv))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return inv
}

func TestMovedHostLosesItsFacts(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	importCSV(t, s, twoServers)
	host := func() store.Host {
		t.Helper()
		server, err := s.ServerByName(t.Context(), "cas1")
		if err != nil {
			t.Fatal(err)
		}
		return server.Hosts[0]
	}
	id := host().ID
	if err := s.SaveProbe(t.Context(), host().Asked(), "done", "", []store.Fact{{Name: "os", Value: []byte(`"2003"`), Source: "probed", At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	importCSV(t, s, "server,roles,site\nCAS1,CAS,Elsewhere\n")
	facts, err := s.Facts(t.Context(), id)
	if err != nil || len(facts) != 1 || facts["os"].Source != "probed" || host().FactsAt == nil {
		t.Errorf("facts after another site: %v, %v, want the probed one", facts, err)
	}
	importCSV(t, s, "server,roles,port\nCAS1,CAS,5986\n")
	facts, err = s.Facts(t.Context(), id)
	if err != nil || len(facts) != 0 || host().FactsAt != nil || host().Outcome != "" {
		t.Errorf("facts after another port: %v, %v, host %+v, want none", facts, err, host())
	}
}

func TestServerInWorkStaysWhereItIs(t *testing.T) {
	t.Parallel()
	d, _ := started(t)
	result, err := d.Store.ImportInventory(t.Context(), erika, read(t, "server,roles,address,tags\nCAS1,CAS,127.0.77.9,a\nMBX1,MBX,127.0.77.8,b\n"), nil, store.ImportOptions{GoodLines: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Faults) != 1 || result.Faults[0].Line != 2 || result.Faults[0].Column != "address" || result.Changed != 1 {
		t.Errorf("import = %+v, want a fault for CAS1, which is in work, and MBX1 changed", result)
	}
	if _, err := d.Store.ImportInventory(t.Context(), erika, read(t, "server,roles,tags\nCAS1,CAS,a\n"), nil, store.ImportOptions{}); err != nil {
		t.Errorf("a new tag for a server in work: %v, want it taken", err)
	}
}

func TestFailedImportLeavesNothing(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	inv, faults := exchange.ReadInventory(strings.NewReader("server,roles\nA,CAS\nB,WEB\n"))
	result, err := s.ImportInventory(t.Context(), erika, inv, faults, store.ImportOptions{})
	if err != nil || result.Applied || result.Added != 1 {
		t.Errorf("import with a fault = %+v, %v, want nothing applied", result, err)
	}
	servers, err := s.Servers(t.Context())
	if err != nil || len(servers) != 0 {
		t.Errorf("the inventory holds %v, %v, want nothing", servers, err)
	}
	if n, err := s.VerifyAudit(t.Context()); n != 0 || err != nil {
		t.Errorf("the record holds %d entries, %v, want none", n, err)
	}
}

func TestTwoThousandServersAreImportedAtOnce(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	var csv strings.Builder
	csv.WriteString("server,roles,site,address\n")
	for i := range 2000 {
		fmt.Fprintf(&csv, "S%d,MBX,Site %d,10.0.%d.%d\n", i, i%40, i/250, i%250+1)
	}
	importCSV(t, s, csv.String())
	result, err := s.ImportInventory(t.Context(), erika, read(t, csv.String()), nil, store.ImportOptions{})
	if err != nil || result.Unchanged != 2000 || result.Applied {
		t.Errorf("the second import = %d unchanged, applied %v, %v, want all unchanged", result.Unchanged, result.Applied, err)
	}
}
