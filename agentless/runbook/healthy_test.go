package runbook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
)

// preparedFor is an organization that is prepared for every service pack, as its
// facts are kept.
func preparedFor(w *runbook.Work) {
	w.Organization = map[string]preflight.Fact{}
	for name, value := range map[string]string{
		"schema": `14625`, "organization": `11222`, "domains": `[{"name":"lab.test","version":11221,"prepared_2003":false}]`,
		"exchange_2003": `[]`, "exchange_2000": `[]`, "single_label": `false`, "replication": `{"checked_at":"2010-01-01T00:00:00Z","behind":[]}`,
	} {
		w.Organization[name] = preflight.Fact{Value: json.RawMessage(value), Source: "test", At: w.Now}
	}
	w.Fleet = preflight.Fleet{Known: true, PublicFolders: []string{"PF1"}}
}

// checked runs the check of a host that differs from a healthy one by traits:
// "2003 CAS,HT,MBX,UM sp1: wmf3, disk-free=C:900".
func checked(t *testing.T, words string, change func(*runbook.Work)) []runbook.Finding {
	t.Helper()
	head, traits, _ := strings.Cut(words, ":")
	parts := strings.Fields(head)
	var roles []exchange.Role
	for _, short := range strings.Split(parts[1], ",") {
		role, err := exchange.ParseRole(short)
		if err != nil {
			t.Fatal(err)
		}
		roles = append(roles, role)
	}
	var tags []string
	for _, trait := range strings.Split(traits, ", ") {
		if trait = strings.TrimSpace(trait); trait != "" {
			tags = append(tags, twin.TagTrait+trait)
		}
	}
	build := exchange.Build{Major: 8, Minor: 0, Build: 685, Revision: 25}
	if parts[0] != "2003" { // RTM was never on it
		build = exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 6}
	}
	f := newFixture(t, func(o *twin.Options) {
		o.Servers[0].OS, o.Servers[0].Roles, o.Servers[0].Tags, o.Servers[0].Build = parts[0], roles, tags, build
		o.WinRM = map[string]string{"2003": "1.1"}[parts[0]]
	})
	f.server.OS, f.server.Roles = parts[0], roles
	target, err := exchange.PackageByName(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	f.change = func(w *runbook.Work) {
		w.Package = runbook.Package{Name: target.Words, Target: target.Target, Language: "en-US", Arch: "x64"}
		preparedFor(w)
		if change != nil {
			change(w)
		}
	}
	for _, s := range runbook.Checking().Steps {
		out := f.step(t, s)
		if s.Name == "preflight" {
			return out.Findings
		}
		if out.Kind != runbook.Done {
			t.Fatalf("%s: step %s ended %+v", words, s.Name, out)
		}
	}
	t.Fatal("a check has no preflight")
	return nil
}

func TestAHealthyHostPassesEveryRuleThatItsFactsCanAnswer(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"2003 CAS,HT,MBX,UM sp1", "2008 CAS,HT,MBX,UM sp2", "2008R2 CAS,HT,MBX sp3", "2003 ET sp1"} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			for _, f := range checked(t, words, nil) {
				if f.Severity != runbook.Pass && (f.Severity != runbook.Info || f.Unknown) {
					t.Errorf("%s: %s: %s (%s)", f.Rule, f.Severity, f.Text, f.Evidence)
				}
			}
		})
	}
}
