package cli

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// TestTheMixedFleetStarts finds hosts of every kind in the mixed fleet's file.
func TestTheMixedFleetStarts(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "deploy", "demo", "fleet-mixed.csv"))
	if err != nil {
		t.Fatal(err)
	}
	inventory, faults := exchange.ReadInventory(strings.NewReader(strings.ReplaceAll(string(raw), "127.0.13.", "127.0.102.")))
	if len(faults) > 0 || len(inventory.Servers) != 12 {
		t.Fatalf("%d servers, %v", len(inventory.Servers), faults)
	}
	fleet, err := twin.Start(t.Context(), twin.Options{Servers: inventory.Servers, User: demoUser, Password: "Secret-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Close() })
	kinds := map[string]int{}
	for _, s := range inventory.Servers {
		conn, err := winrm.New(winrm.Config{Address: s.Address, Port: s.Port, Account: winrm.Basic(demoUser, "Secret-1")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		host := windows.New(conn)
		id, err := host.Identify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		system, err := host.OS(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		kinds[system.Name()+" "+system.Culture()+" "+id.Stack]++
	}
	want := map[string]int{"2003 de-DE 1.1": 4, "2008 ja-JP 2.0": 4, "2003 en-US 2.0": 2, "2008 en-US 1.1": 2}
	if !maps.Equal(kinds, want) {
		t.Errorf("hosts: %v, want %v", kinds, want)
	}
}

func TestTheDemoRegistersMediaInEveryLanguageOfItsFleet(t *testing.T) {
	t.Parallel()
	fleet, err := os.ReadFile(filepath.Join("..", "..", "deploy", "demo", "fleet-mixed.csv"))
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.New(t).Store
	actor := store.Actor{Name: "demo", From: "command line", Roles: []string{"admin"}}
	dir := t.TempDir()
	for range 2 { // a second start changes nothing
		if err := furnishMedia(t.Context(), s, actor, fleet, dir); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Packages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range all {
		wanted := twin.SetupSHA256(p.Name, p.Language, p.Arch)
		if strings.Contains(p.Name, "-ru") {
			wanted = twin.RollupSHA256(p.Name, p.Arch)
		}
		if p.SetupSHA256 != wanted {
			t.Errorf("%s %s: another hash than the simulated hosts'", p.Name, p.Language)
		}
		m, _, err := s.MediaOf(t.Context(), p.Name, p.Language, p.Arch)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, m.BundleSHA256+".wkm")); err != nil || info.Size() != m.BundleSize || m.ID != p.Media {
			t.Errorf("%s %s: hosts find no bundle of it: %v", p.Name, p.Language, err)
		}
		got = append(got, p.Name+" "+p.Language)
	}
	slices.Sort(got)
	const want = "sp1 de-DE, sp1 en-US, sp1 ja-JP, sp1-ru10 de-DE, sp1-ru10 en-US, sp1-ru10 ja-JP, sp2 de-DE, sp2 en-US, sp2 ja-JP, " +
		"sp2-ru5 de-DE, sp2-ru5 en-US, sp2-ru5 ja-JP, sp3 de-DE, sp3 en-US, sp3 ja-JP, sp3-ru23 de-DE, sp3-ru23 en-US, sp3-ru23 ja-JP"
	if strings.Join(got, ", ") != want {
		t.Errorf("media: %s, want %s", strings.Join(got, ", "), want)
	}
	if media, err := s.MediaList(t.Context()); err != nil || len(media) != 12 || media[0].Build == "" {
		t.Errorf("%d media, %v, want 12 with their builds", len(media), err)
	}
	if _, err := demoMedia([]byte("server,rolls\nA,MBX\n")); err == nil || !strings.Contains(err.Error(), "rolls") {
		t.Errorf("a faulty fleet: %v", err)
	}
}
