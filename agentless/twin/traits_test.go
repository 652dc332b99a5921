package twin_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

func TestATraitIsGivenByATagOrByTheOptions(t *testing.T) {
	t.Parallel()
	tagged, named, healthy := server(t, "ht1", "HT"), server(t, "ht2", "HT"), server(t, "ht3", "HT")
	tagged.Tags = []string{"demo", "Trait:wmf3", "trait:disk-free=C:900"}
	start(t, twin.Options{
		Servers: []exchange.Server{tagged, named, healthy},
		Traits:  map[string][]string{"ht2": {"dotnet20-absent"}},
	})
	const net20, wmf3 = `SOFTWARE\Microsoft\NET Framework Setup\NDP\v2.0.50727`, `SOFTWARE\Microsoft\PowerShell\3`
	for _, c := range []struct {
		server     exchange.Server
		wmf, net20 string
		small      bool
	}{{tagged, "0", "0", true}, {named, "2", "2", false}, {healthy, "2", "0", false}} {
		host := dial(t, c.server)
		if got := host.registry("EnumValues", wmf3, "").one("ReturnValue"); got != c.wmf {
			t.Errorf("%s: WMF 3.0: code %s, want %s", c.server.Name, got, c.wmf)
		}
		if got := host.registry("EnumValues", net20, "").one("ReturnValue"); got != c.net20 {
			t.Errorf("%s: .NET 2.0: code %s, want %s", c.server.Name, got, c.net20)
		}
		_, answers := host.query("SELECT FreeSpace FROM Win32_LogicalDisk WHERE DeviceID='C:'", 10)
		if small := len(answers[0].one("FreeSpace")) == len("943718400"); small != c.small {
			t.Errorf("%s: free space %s", c.server.Name, answers[0].one("FreeSpace"))
		}
	}
}

func TestATraitThatDoesNotExistOrFitIsRefused(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"no-such-trait", "disk-free=X:1", "service-stopped=NoSuchService"} {
		s := server(t, "mbx1", "MBX")
		s.Tags = []string{twin.TagTrait + word}
		if f, err := twin.Start(context.Background(), twin.Options{Servers: []exchange.Server{s}}); err == nil {
			t.Errorf("trait %q was taken: %v", word, f.Close())
		}
	}
}

func TestEveryTraitSaysWhatItIs(t *testing.T) {
	t.Parallel()
	names := twin.TraitNames()
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != len(names) {
		t.Errorf("two traits have one name: %v", names)
	}
	for _, name := range names {
		if twin.TraitWords(name) == "" || strings.ToLower(name) != name || strings.ContainsAny(name, " =:;") {
			t.Errorf("trait %q: words %q", name, twin.TraitWords(name))
		}
	}
}
