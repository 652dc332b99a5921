package runbook_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
)

// shapedHosts tell every fact there is, one or the other.
var shapedHosts = []ruled{
	{
		name: "SHAPE1", os: "2003", roles: "CAS+HT+MBX+UM", build: "8.1.240.6", services: []string{"ScanMail_Master"},
		traits: []string{"forefront", "streaming-backup=1", "patch=Update Rollup 4 for Exchange Server 2007 (KB940006)", `logged-on=LAB\ann`, "interrupted-setup"},
	},
	{name: "SHAPE2", os: "2008", roles: "CAS+HT+MBX+UM", build: "8.0.685.25", traits: []string{"firewall-policy=1", "dotnet20-absent"}},
	{name: "SHAPE3", os: "2003", cluster: "SHAPEA+SHAPEB", build: "8.0.685.25"},
}

// TestFactsThatAreReadHaveTheShapesThatRulesKnow: what a round over real hosts
// tells of each is read into preflight's type without a field too many, and
// nothing of it is lost: written again it is the same. The types on both sides
// stand apart, since neither package may import the other.
func TestFactsThatAreReadHaveTheShapesThatRulesKnow(t *testing.T) {
	t.Parallel()
	o := twin.Options{User: user, Password: password, RunAs: runas, RunAsPassword: runasPass, Speed: 5000, ShellSpeed: 10, Platforms: map[string]twin.Platform{}}
	free := &hosts{n: 200}
	for _, r := range shapedHosts {
		o.Servers = append(o.Servers, free.row(t, r))
	}
	fleet, err := twin.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fleet.Close() })
	seen := map[string]bool{}
	for i, r := range shapedHosts {
		at := exchange.Node{Name: r.name, Address: o.Servers[i].Address, Port: o.Servers[i].Port}
		if r.cluster != "" {
			at = o.Servers[i].Nodes[0]
		}
		_, told := checkedHost(t, o.Servers[i], at, r)
		facts := factsByName(t, told)
		read, errs := preflight.ReadFacts(facts)
		for _, err := range errs {
			t.Errorf("%s: %v", r.name, err)
		}
		sameShapes(t, r.name, facts, preflight.FactNames(), reflect.ValueOf(read), seen)
	}
	for _, name := range preflight.FactNames() {
		if !seen[name] {
			t.Errorf("fact %s is told by no host: its shape is not tried", name)
		}
	}
}

// TestFactsOfTheOrganizationHaveTheShapesThatRulesKnow is the same for what is
// read of Active Directory, and holds the names of both sides together.
func TestFactsOfTheOrganizationHaveTheShapesThatRulesKnow(t *testing.T) {
	t.Parallel()
	f := organizationFixture(t, nil)
	if step, out := f.walkTable(t, runbook.Organization(), ""); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	facts := factsByName(t, f.out["after"].Facts)
	read, errs := preflight.ReadOrganization(facts)
	for _, err := range errs {
		t.Error(err)
	}
	seen := map[string]bool{}
	sameShapes(t, "the organization", facts, preflight.OrganizationNames(), reflect.ValueOf(read), seen)
	for _, name := range preflight.OrganizationNames() {
		if !seen[name] {
			t.Errorf("fact %s is not told: its shape is not tried", name)
		}
	}
	var lines []string
	for _, row := range windows.OrganizationFactTable() {
		if !slices.Contains(preflight.FactNames(), row.Name) { // smtp_domains is a host's as well
			lines = append(lines, row.Name)
		}
	}
	known := preflight.OrganizationNames()
	slices.Sort(lines)
	slices.Sort(known)
	if diff := cmp.Diff(known, lines); diff != "" {
		t.Error(diff)
	}
}

// factsByName are facts as they are kept: as JSON, and none where nothing was told.
func factsByName(t *testing.T, told []runbook.Fact) map[string]preflight.Fact {
	t.Helper()
	out := map[string]preflight.Fact{}
	for _, f := range told {
		if f.Value == nil {
			continue
		}
		raw, err := json.Marshal(f.Value)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = preflight.Fact{Value: raw, Source: f.Source, At: f.At}
	}
	return out
}

// sameShapes compares each fact with what preflight read of it, written again;
// the fields of read stand in the order of names.
func sameShapes(t *testing.T, whose string, facts map[string]preflight.Fact, names []string, read reflect.Value, seen map[string]bool) {
	t.Helper()
	for i, name := range names {
		fact, ok := facts[name]
		if !ok {
			continue
		}
		seen[name] = true
		if string(fact.Value) == "null" { // dotnet20_sp: it is not installed
			continue
		}
		if !read.Field(i).FieldByName("Known").Bool() {
			t.Errorf("%s: fact %s was told and is not known: %s", whose, name, fact.Value)
			continue
		}
		again, err := json.Marshal(read.Field(i).FieldByName("Value").Interface())
		if err != nil {
			t.Fatal(err)
		}
		var was, is any
		if err := json.Unmarshal(fact.Value, &was); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &is); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(was, is); diff != "" {
			t.Errorf("%s: fact %s is not what rules read:\n%s", whose, name, diff)
		}
	}
}
