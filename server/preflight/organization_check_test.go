package preflight_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
)

// What a person enters of the organization is refused when it cannot be, in words
// that say where.
func TestImpossibleValuesOfAnOrganizationAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"schema", `11116`, ""},
		{"schema", `-1`, "cannot be -1"},
		{"schema", `"x"`, "a text is not what it can be; it is written as a whole number"},
		{"schema", `null`, "null says nothing"},
		{"schema", `11116 2`, "something follows"},
		{"shema", `1`, "the nearest is"},
		{"organization", `0`, "cannot be 0"},
		{"domains", `[{"name":"contoso.com","version":11221,"prepared_2003":false}]`, ""},
		{"domains", `[{"name":"contoso.com","version":0}]`, ""},
		{"domains", `[]`, "at least one domain"},
		{"schema", `{"version":11116}`, "an object is not what it can be"},
		{"schema", `11116.5`, "the number 11116.5 is not"},
		{"schema_master", `["dc1"]`, "a list is not what it can be; it is written as an object, such as"},
		{"domains", `[{"name":"contoso.com"}]`, "entry 1: name and version are wanted"},
		{"domains", `[{"name":"","version":11221}]`, "entry 1 has no name"},
		{"domains", `[{"name":"a.b","version":11221},{"name":"A.b","version":11221}]`, "twice"},
		{"domains", `[{"name":"a.b","release":11221}]`, `there is no "release"`},
		{"domains", `[{"name":"a.b","version":"new"}]`, "version holds a text"},
		{"exchange_2003", `[]`, ""},
		{"exchange_2003", `[{"name":"OLD1","version":"6.5.7638.2","sp2":true}]`, ""},
		{"exchange_2003", `[{"name":"OLD1","version":"banana","sp2":true}]`, `the version of OLD1 is "banana"`},
		{"exchange_2003", `[{"name":"OLD1","version":"6.5.7226.6","sp2":true}]`, "contradict"},
		{"exchange_2000", `[{"name":"OLD0","version":"6.0.6249.4","sp2":false}]`, ""},
		{"exchange_2000", `[{"name":"OLD0","version":"6.5.7638.2","sp2":false}]`, "not one such as 6.0."},
		{"schema_master", `{"host":"dc1"}`, "host, site and domain"},
		{"cms", `[{"name":"CMS1","kind":"DAG","nodes":["A"]}]`, "CCR or SCC"},
		{"single_label", `"no"`, "a text is not"},
		{"replication", `{"checked_at":"yesterday","behind":[]}`, "no time"},
		{"replication", `{"checked_at":"2010-05-01T10:00:00Z","behind":[]}`, ""},
	} {
		err := preflight.CheckOrganization(c.name, json.RawMessage(c.value))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s %s is refused: %v", c.name, c.value, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s %s: %v, want %q", c.name, c.value, err, c.want)
		case err != nil && (strings.Contains(err.Error(), "unmarshal") || strings.Contains(err.Error(), "json:")):
			t.Errorf("%s %s: the words of the language: %v", c.name, c.value, err)
		}
	}
	for _, name := range preflight.OrganizationNames() {
		if preflight.OrganizationShape(name) == "" {
			t.Errorf("nothing says how %s is written", name)
		}
	}
}

// No source that a user reads says "the founding document".
func TestSourcesAreNamed(t *testing.T) {
	t.Parallel()
	var all []string
	for _, r := range preflight.Rules() {
		all = append(all, r.Source)
	}
	for _, p := range exchange.Packages() {
		for _, one := range slices.Concat(p.MustKnow, p.Needs) {
			all = append(all, one.Source, one.Text)
		}
	}
	for _, text := range all {
		if strings.Contains(strings.ToLower(text), "founding") {
			t.Errorf("%q", text)
		}
	}
}

// What is shown of an organization is words, not the shape that programs read.
func TestAnOrganizationIsShownInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"schema", `11116`, "11116"},
		{"domains", `[{"name":"a.b","version":11221,"prepared_2003":true},{"name":"c.b","version":0}]`, "a.b 11221 (has the groups of Exchange 2003); c.b, not prepared"},
		{"exchange_2003", `[]`, "none"},
		{"single_label", `false`, "no"},
		{"servers_2007", `[{"name":"MBX1","roles":4,"serial":"Version 8.1","site":"HQ"},{"name":"X","roles":36,"serial":"s","site":"HQ"}]`, "MBX1 (ClientAccess, Version 8.1, site HQ); X (ClientAccess+HubTransport, s, site HQ)"},
		{"replication", `{"checked_at":"2010-05-01T10:00:00Z","behind":["dc2"]}`, "behind: dc2; looked at 1 May 2010, 10:00 UTC"},
	} {
		if got := preflight.OrganizationWords(c.name, json.RawMessage(c.value)); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.name, c.value, got, c.want)
		}
	}
}
