package twin_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// forestFleet is one server of Exchange 2007 in a forest.
func forestFleet(t *testing.T, change func(*twin.Options)) (*twin.Fleet, *windows.Host, *truth) {
	t.Helper()
	s := server(t, "mbx1", "MBX")
	s.Site = "HQ"
	o := twin.Options{
		Servers: []exchange.Server{s}, Speed: 2000,
		Organization: twin.Organization{Level: "rtm", Domains: []string{"child.corp.example", "old.corp.example@2003"}, Old: []string{"OLD1=6.5.7226.6"}, Delay: 2 * time.Hour},
	}
	if change != nil {
		change(&o)
	}
	fleet, truth := start(t, o)
	return fleet, host(t, s), truth
}

// ranTask runs a host task to its end.
func ranTask(t *testing.T, h *windows.Host, task windows.Task) windows.TaskLook {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, step := range []func() error{
		func() error { return h.PrepareTask(ctx, task) },
		func() error { return h.CreateTask(ctx, task) },
		func() error { return h.RunTask(ctx, task.Name) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	var look windows.TaskLook
	within(t, 40*time.Second, "task "+task.Name+" has ended", func() bool {
		var err error
		if look, err = h.LookTask(ctx, task.Name); err != nil {
			t.Fatal(err)
		}
		return look.State == windows.TaskEnded
	})
	return look
}

// organization reads the forest as a host task does.
func organization(t *testing.T, h *windows.Host, n int, what string) windows.Organization {
	t.Helper()
	name := windows.TaskName("test", int64(n), "organization-look", 1)
	task, err := windows.ScriptTask(name, windows.OrganizationLook, runAs, runAsPass, windows.OrganizationLookArguments(what)...)
	if err != nil {
		t.Fatal(err)
	}
	ranTask(t, h, task)
	o, err := h.ReadOrganization(context.Background(), name, what)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestForestIsReadByTheProductsScript(t *testing.T) {
	t.Parallel()
	_, h, _ := forestFleet(t, nil)
	o := organization(t, h, 1, windows.OrganizationAll)
	if o.Schema != 10637 || o.Version != 10666 || o.Master.Site != "HQ" || o.Master.Domain != "corp.example" || o.Domain != "corp.example" {
		t.Errorf("%+v", o)
	}
	var domains []string
	for _, d := range o.Domains {
		domains = append(domains, fmt.Sprintf("%s %d %t", d.Name, d.Version, d.Prepared2003))
	}
	if got, want := strings.Join(domains, ", "), "corp.example 10628 true, child.corp.example 10628 true, old.corp.example 6936 true"; got != want {
		t.Errorf("domains %s, want %s", got, want)
	}
	var servers []string
	for _, s := range o.Servers {
		servers = append(servers, s.Name+" "+s.Serial)
	}
	if got, want := strings.Join(servers, ", "), "OLD1 Version 6.5 (Build 7226.6), MBX1 Version 8.0 (Build 30685.25)"; got != want {
		t.Errorf("servers %s, want %s", got, want)
	}
	behind, unasked := o.Behind()
	if len(o.Controllers) != 3 || len(behind)+len(unasked) > 0 {
		t.Errorf("%+v: behind %v, unasked %v", o.Controllers, behind, unasked)
	}
}

// prepared runs Setup with a switch as the run-as account and returns its exit code.
func prepared(t *testing.T, h *windows.Host, n int, pkg, arguments string) int {
	t.Helper()
	name := windows.TaskName("test", int64(n), "prepare", 1)
	body, err := windows.SetupBody(windows.TaskFolder(name), `C:\Wavekeeper\media\`+pkg+`-en-US-x64\setup.com`, arguments)
	if err != nil {
		t.Fatal(err)
	}
	return ranTask(t, h, windows.Task{Name: name, Body: body, Account: runAs, Password: runAsPass}).Exit
}

func TestSetupPreparesTheForestAndReplicationTakesTime(t *testing.T) {
	t.Parallel()
	fleet, h, seen := forestFleet(t, func(o *twin.Options) { o.Organization.Domains = nil; o.Organization.MasterSite = "" })
	if exit := prepared(t, h, 1, "sp1", "/PrepareSchema"); exit != 0 {
		t.Fatalf("PrepareSchema ended with %d", exit)
	}
	if schema, version, _ := fleet.Directory(); schema != 11116 || version != 10666 {
		t.Errorf("schema %d, organization %d", schema, version)
	}
	if exit := prepared(t, h, 2, "sp1", "/PrepareAD"); exit != 0 {
		t.Fatalf("PrepareAD ended with %d", exit)
	}
	if exit := prepared(t, h, 3, "sp1", "/PrepareAllDomains"); exit != 0 {
		t.Fatalf("PrepareAllDomains ended with %d", exit)
	}
	schema, version, domains := fleet.Directory()
	if schema != 11116 || version != 11221 || domains["corp.example"] != 11221 {
		t.Errorf("schema %d, organization %d, domains %v", schema, version, domains)
	}
	if got := len(seen.entries(t, "directory-changed")); got != 3 {
		t.Errorf("%d changes, want 3", got)
	}
}

// TestSetupRefusesToPrepareFromElsewhereOrWithoutRights: each with the forest as
// it was afterwards.
func TestSetupRefusesToPrepareFromElsewhereOrWithoutRights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words, arguments string
		pkg              string
		change           func(*twin.Options)
	}{
		{"another site", "/PrepareSchema", "sp1", func(o *twin.Options) { o.Organization.MasterSite = "BRANCH" }},
		{"another domain", "/PrepareAD", "sp1", func(o *twin.Options) { o.Organization.MasterDomain = "child.corp.example" }},
		{"no schema admin", "/PrepareSchema", "sp1", func(o *twin.Options) { o.Organization.NoSchemaAdmin = true }},
		{"no enterprise admin", "/PrepareAllDomains", "sp1", func(o *twin.Options) { o.Organization.NoEnterpriseAdmin = true }},
		{"a domain that is away", "/PrepareAllDomains", "sp1", func(o *twin.Options) {
			o.Faults = []twin.Fault{{Host: "MBX1", Name: "dc-unreachable", At: "controller:dc1.corp.example"}}
		}},
		{"no Windows Installer 4.5 for SP2", "/PrepareSchema", "sp2", func(o *twin.Options) {
			o.Traits = map[string][]string{"MBX1": {"installer-old"}}
		}},
	} {
		t.Run(c.words, func(t *testing.T) {
			t.Parallel()
			fleet, h, seen := forestFleet(t, c.change)
			if exit := prepared(t, h, 1, c.pkg, c.arguments); exit != 1 {
				t.Errorf("%s ended with %d, want 1", c.arguments, exit)
			}
			if schema, version, domains := fleet.Directory(); schema != 10637 || version != 10666 || domains["corp.example"] != 10628 || len(seen.entries(t, "directory-changed")) > 0 {
				t.Errorf("changed: schema %d, organization %d, %v", schema, version, domains)
			}
		})
	}
}

// TestReplicationHeldKeepsOtherControllersBehind and comes through afterwards.
func TestReplicationHeldKeepsOtherControllersBehind(t *testing.T) {
	t.Parallel()
	_, h, _ := forestFleet(t, func(o *twin.Options) {
		o.Organization.Delay = time.Second
		o.Faults = []twin.Fault{{Host: "MBX1", Name: "replication-held", Lasts: 4 * time.Hour}}
	})
	if exit := prepared(t, h, 1, "sp1", "/PrepareSchema"); exit != 0 {
		t.Fatalf("PrepareSchema ended with %d", exit)
	}
	behind, _ := organization(t, h, 2, windows.OrganizationReplication).Behind()
	if len(behind) != 2 || slices.Contains(behind, "dc1.corp.example") {
		t.Errorf("behind %v, want the two that are not the schema master", behind)
	}
	deadline := time.Now().Add(30 * time.Second)
	for n := 3; ; n++ {
		behind, unasked := organization(t, h, n, windows.OrganizationReplication).Behind()
		if len(behind)+len(unasked) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still behind: %v %v", behind, unasked)
		}
	}
}

// TestUpgradeOfAnUnpreparedForestPreparesItItself is what the founding document
// saw, and what no coordinator may let happen.
func TestUpgradeOfAnUnpreparedForestPreparesItItself(t *testing.T) {
	t.Parallel()
	fleet, h, seen := forestFleet(t, nil)
	if exit := prepared(t, h, 1, "sp1", "/mode:Upgrade"); exit != 0 {
		t.Fatalf("the upgrade ended with %d", exit)
	}
	if schema, version, _ := fleet.Directory(); schema != 11116 || version != 11221 || len(seen.entries(t, "organization-violation")) != 1 {
		t.Errorf("schema %d, organization %d, %d violations", schema, version, len(seen.entries(t, "organization-violation")))
	}
}
