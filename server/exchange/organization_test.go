package exchange

import (
	"strings"
	"testing"
)

// words are the switches of needs.
func needWords(needs []Need) string {
	var all []string
	for _, n := range needs {
		all = append(all, string(n.What))
	}
	return strings.Join(all, " ")
}

func TestPreparationIsComparedWithAtLeast(t *testing.T) {
	t.Parallel()
	domain := func(version int) []DirectoryDomain {
		return []DirectoryDomain{{Name: "corp.example", Version: version}}
	}
	for _, c := range []struct {
		words   string
		pkg     string
		d       Directory
		want    string
		because string
	}{
		{"RTM for SP1", "sp1", Directory{Schema: 10637, Organization: 10666, Domains: domain(10628)}, "/PrepareSchema /PrepareAD /PrepareAllDomains", "10637"},
		{"SP1 for SP1", "sp1", Directory{Schema: 11116, Organization: 11221, Domains: domain(11221)}, "", ""},
		{"one domain behind", "sp1", Directory{Schema: 11116, Organization: 11221, Domains: append(domain(11221), DirectoryDomain{Name: "child.corp.example", Version: 10628})}, "/PrepareAllDomains", "child.corp.example"},
		{"a domain never prepared", "sp1", Directory{Schema: 11116, Organization: 11221, Domains: domain(0)}, "/PrepareAllDomains", "none"},
		{"SP1 for SP2", "sp2", Directory{Schema: 11116, Organization: 11221, Domains: domain(11221)}, "/PrepareSchema /PrepareAD", "14622"},
		{"Exchange 2010 RTM satisfies SP2, whose schema it is", "sp2", Directory{Schema: 14622, Organization: 12640, Domains: domain(12639)}, "", ""},
		{"and does not satisfy SP3", "sp3", Directory{Schema: 14622, Organization: 12640, Domains: domain(12639)}, "/PrepareSchema", "14625"},
		{"the schema of SP2 alone says nothing of the organization", "sp2", Directory{Schema: 14622, Organization: 11221, Domains: domain(11221)}, "/PrepareAD", "11222"},
		{"SP2 for SP3: the organization's number is the same", "sp3", Directory{Schema: 14622, Organization: 11222, Domains: domain(11221)}, "/PrepareSchema", "14625"},
		{"SP3 satisfies SP1", "sp1", Directory{Schema: 14625, Organization: 11222, Domains: domain(11221)}, "", ""},
		{"a rollup asks for nothing", "sp1-ru4", Directory{}, "", ""},
		{"2003 servers before the first schema of 2007", "sp1", Directory{Schema: 6870, Organization: 6903, Domains: domain(6936), Legacy: true}, "/PrepareLegacyExchangePermissions /PrepareSchema /PrepareAD /PrepareAllDomains", "2003"},
		{"2003 servers beside 2007", "sp1", Directory{Schema: 10637, Organization: 10666, Domains: domain(10628), Legacy: true}, "/PrepareSchema /PrepareAD /PrepareAllDomains", "10637"},
		{
			"a domain prepared for 2003 after 2007 came", "sp1",
			Directory{Schema: 11116, Organization: 11221, Legacy: true, Domains: append(domain(11221), DirectoryDomain{Name: "new.corp.example", Version: 6936, Prepared2003: true})},
			"/PrepareLegacyExchangePermissions /PrepareAllDomains", "new.corp.example",
		},
	} {
		p, err := PackageByName(c.pkg)
		if err != nil {
			t.Fatal(err)
		}
		needs := PreparedFor(p, c.d)
		if got := needWords(needs); got != c.want {
			t.Errorf("%s: %s needs %q, want %q", c.words, c.pkg, got, c.want)
		}
		if len(needs) > 0 && !strings.Contains(needs[0].Text, c.because) && !strings.Contains(needs[len(needs)-1].Text, c.because) {
			t.Errorf("%s: %+v does not speak of %q", c.words, needs, c.because)
		}
	}
}

func TestExchange2003IsToldFromItsServicePacks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version     string
		sp2, is2003 bool
		is2000      bool
	}{
		{"Version 6.5 (Build 7638.2: Service Pack 2)", true, true, false},
		{"Version 6.5 (Build 7226.6: Service Pack 1)", false, true, false},
		{"Version 6.5 (Build 6944.4)", false, true, false},
		{"6.5.7683.25", true, true, false},
		{"Version 6.0 (Build 6249.4: Service Pack 3)", false, false, true},
		{"Version 5.5 (Build 2653.23: Service Pack 4)", false, false, true},
		{"Version 8.0 (Build 30685.25)", false, false, false},
		{"", false, false, false},
		{"Version 6.5", false, false, false},
	} {
		sp2, is2003 := SP2003(c.version)
		if sp2 != c.sp2 || is2003 != c.is2003 || Legacy2000(c.version) != c.is2000 {
			t.Errorf("%q: SP2 %t, 2003 %t, 2000 %t; want %t %t %t", c.version, sp2, is2003, Legacy2000(c.version), c.sp2, c.is2003, c.is2000)
		}
	}
}
