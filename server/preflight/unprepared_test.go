package preflight

import (
	"encoding/json"
	"strings"
	"testing"

	"wavekeeper/server/exchange"
)

// TestUnpreparedTakesTheDomainsOfTheHosts, and all of them where one of these is
// none of the organization's: in a disjoint namespace a host's DNS name ends in
// another one.
func TestUnpreparedTakesTheDomainsOfTheHosts(t *testing.T) {
	t.Parallel()
	p, err := exchange.PackageByName("sp1")
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string]Fact{
		"schema":       {Value: json.RawMessage("11116")},
		"organization": {Value: json.RawMessage("11221")},
		"domains":      {Value: json.RawMessage(`[{"name":"contoso.com","version":11221},{"name":"emea.contoso.com","version":10628}]`)},
	}
	for names, want := range map[string]bool{
		"contoso.com": false, "emea.contoso.com": true, "Contoso.com EMEA.contoso.com": true, "": true, "dns.example": true, "contoso.com dns.example": true,
	} {
		if got := Unprepared(p, facts, strings.Fields(names)); (len(got) > 0) != want {
			t.Errorf("hosts in %q: %v", names, got)
		}
	}
	facts["schema"] = Fact{Value: json.RawMessage("10637"), Source: ByHand + " by lead"}
	if got := Unprepared(p, facts, []string{"contoso.com"}); len(got) != 1 || !strings.Contains(got[0], "entered by hand by lead") {
		t.Errorf("%v does not say whose word it is", got)
	}
}
