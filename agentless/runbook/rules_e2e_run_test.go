package runbook_test

import (
	stdcmp "cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
)

// hosts hands out addresses that nobody else listens on.
type hosts struct{ n int }

func (h *hosts) free(t *testing.T) (string, int) {
	t.Helper()
	h.n++
	address := fmt.Sprintf("127.0.160.%d", 10+h.n)
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal("no TCP address")
	}
	return address, at.Port
}

// row is the inventory's row of a host, or of a cluster, on which rules are tried.
func (h *hosts) row(t *testing.T, r ruled) exchange.Server {
	t.Helper()
	s := exchange.Server{
		Name: r.name, FQDN: strings.ToLower(r.name) + ".lab.test", Site: "HQ", OS: r.os, Language: stdcmp.Or(r.language, "en-US"), Arch: "x64", Profile: "default", Services: r.services, UMLanguages: r.packs,
	}
	if r.cluster != "" {
		s.Cluster, s.Roles = exchange.CCR, []exchange.Role{exchange.Mailbox}
		for _, name := range strings.Split(r.cluster, "+") {
			address, port := h.free(t)
			s.Nodes = append(s.Nodes, exchange.Node{Name: name, Address: address, Port: port})
		}
	} else {
		s.Address, s.Port = h.free(t)
		for _, word := range strings.Split(r.roles, "+") {
			role, err := exchange.ParseRole(word)
			if err != nil {
				t.Fatal(err)
			}
			s.Roles = append(s.Roles, role)
		}
	}
	if r.build != "" {
		var err error
		if s.Build, err = exchange.ParseBuild(r.build); err != nil {
			t.Fatal(err)
		}
	}
	if r.winrm == "1.1" {
		s.Tags = append(s.Tags, "winrm-1.1")
	}
	for _, trait := range r.traits {
		s.Tags = append(s.Tags, twin.TagTrait+trait)
	}
	return s
}

// TestEveryRuleHasAHostThatTripsItAndOneThatJustDoesNot walks a check of every host of the fleet, over the
// wire as it is, and holds what the rules said against the table: each rule is
// tripped by the host that it names, and passes on the one that is near it.
func TestEveryRuleHasAHostThatTripsItAndOneThatJustDoesNot(t *testing.T) {
	t.Parallel()
	o := twin.Options{
		User: user, Password: password, RunAs: runas, RunAsPassword: runasPass, Speed: 5000, ShellSpeed: 10,
		Platforms: map[string]twin.Platform{},
	}
	free := &hosts{}
	for _, r := range ruledHosts {
		o.Servers = append(o.Servers, free.row(t, r))
		if r.fault != "" {
			o.Faults = append(o.Faults, twin.Fault{Host: r.name, Name: r.fault, Lasts: 9000 * time.Hour})
		}
	}
	fleet, err := twin.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fleet.Close() })
	for n, r := range ruledHosts {
		if r.stops != "" {
			stopped(t, o.Servers[n].Nodes[0], r.stops)
		}
	}
	var mu sync.Mutex
	said := map[string]map[string]runbook.Finding{}
	t.Run("hosts", func(t *testing.T) {
		for n, r := range ruledHosts {
			nodes := o.Servers[n].Nodes
			if r.cluster == "" {
				nodes = []exchange.Node{{Name: r.name, Address: o.Servers[n].Address, Port: o.Servers[n].Port}}
			}
			for _, node := range nodes {
				t.Run(node.Name, func(t *testing.T) {
					t.Parallel()
					found, _ := checkedHost(t, o.Servers[n], node, r)
					mu.Lock()
					defer mu.Unlock()
					said[node.Name] = found
				})
			}
		}
	})
	if t.Failed() {
		return
	}
	for _, rule := range slices.Sorted(maps.Keys(tried)) {
		want := tried[rule]
		if got, ok := said[want.trips][rule]; !ok || got.Severity == preflight.Pass {
			t.Errorf("%s: %s does not trip it: %s %s", rule, want.trips, got.Severity, got.Text)
		} else if got.Unknown && rule != "no-rodc" {
			t.Errorf("%s: %s does not trip it, it is not known: %s", rule, want.trips, got.Text)
		}
		if got, ok := said[want.near][rule]; !ok || got.Severity != preflight.Pass {
			t.Errorf("%s: %s should just not trip it: %s %s (%s)", rule, want.near, got.Severity, got.Text, got.Evidence)
		}
	}
	for host, found := range said {
		if f := found["facts-understood"]; f.Severity != preflight.Pass && host != tried["facts-understood"].trips {
			t.Errorf("%s: a fact is not of its shape: %s %s", host, f.Text, f.Evidence)
		}
	}
	for _, r := range ruledHosts {
		for _, f := range said[r.name] {
			if r.language != "" && (f.Severity == preflight.Blocker || f.Unknown && f.Severity != preflight.Info) {
				t.Errorf("%s, which is healthy: %s: %s %s (%s)", r.name, f.Rule, f.Severity, f.Text, f.Evidence)
			}
		}
	}
	for _, r := range preflight.Rules() {
		if _, ok := tried[r.Name]; !ok && untried[r.Name] == "" {
			t.Errorf("rule %s is tried on no host", r.Name)
		}
	}
	for name := range untried {
		if _, ok := tried[name]; ok {
			t.Errorf("rule %s is tried, and said not to be", name)
		}
	}
}

// untried are the rules that a host of this fleet cannot trip, and why.
var untried = map[string]string{
	"reachable":           "a host that does not answer has no findings: the step says so",
	"schema-master":       "a fleet is one forest: TestReadinessBlocksBeforeAnythingOfTheDirectoryIsTouched has both",
	"organization-rights": "the same",
	"facts-fresh":         "a check asks anew; it is about facts that were kept",
}

// stopped stops a service and waits until it has.
func stopped(t *testing.T, at exchange.Node, service string) {
	t.Helper()
	conn, err := winrm.New(winrm.Config{Address: at.Address, Port: at.Port, Account: winrm.Basic(user, password)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	host := windows.New(conn)
	if err := host.StopService(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; pause(t.Context(), 5*time.Millisecond) {
		s, there, err := host.Service(t.Context(), service)
		if err != nil || !there || time.Now().After(deadline) {
			t.Fatalf("%s on %s: %+v %v", service, at.Name, s, err)
		}
		if s.State == windows.Stopped {
			return
		}
	}
}

// checkedHost walks a check of one host and returns what each rule said, and the
// facts that were told.
func checkedHost(t *testing.T, s exchange.Server, at exchange.Node, r ruled) (map[string]runbook.Finding, []runbook.Fact) {
	t.Helper()
	conn, err := winrm.New(winrm.Config{Address: at.Address, Port: at.Port, Account: winrm.Basic(user, password)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	host, notes := windows.New(conn), map[string]map[string]string{}
	book := &book{}
	deadline := time.Now().Add(60 * time.Second)
	out, told := map[string]runbook.Finding{}, []runbook.Fact{}
	for _, step := range runbook.Checking().Steps {
		memory := map[string]string{}
		for {
			if time.Now().After(deadline) {
				t.Fatalf("step %s does not end", step.Name)
			}
			w := &runbook.Work{
				Host: host, Server: s, RunAs: runbook.Account{Name: runas, Password: runasPass}, Installation: "test", Run: 5, Attempt: 1, Prepared: true,
				Package: runbook.Package{Name: "SP1", Target: sp1, Language: s.Language, Arch: "x64"},
				Media:   runbook.Media{Folder: `C:\Wavekeeper\media\sp1-` + s.Language + `-x64`, SetupSHA256: twin.SetupSHA256("sp1", s.Language, "x64")},
				Memory:  memory, Notes: notes, Book: book, Now: time.Now(), Fleet: preflight.Fleet{Known: true},
			}
			w.Server.Roles = slices.Clone(s.Roles)
			if s.Cluster != exchange.Standalone {
				w.Node, w.Servers = at.Name, []exchange.Server{s}
				for _, n := range s.Nodes {
					w.Nodes = append(w.Nodes, n.Name)
				}
				w.Known = knownAt(s.Nodes[0].Name, "8.0.685.25")
			}
			if r.work != nil {
				r.work(w)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 28*time.Second)
			got, err := step.Tick(ctx, w)
			cancel()
			if err != nil {
				t.Fatalf("step %s: %v", step.Name, err)
			}
			memory = w.Memory
			if got.Kind == runbook.Again {
				pause(context.Background(), 5*time.Millisecond)
				continue
			}
			told = append(told, got.Facts...)
			for _, f := range got.Findings {
				if have, ok := out[f.Rule]; !ok || have.Severity == preflight.Pass {
					out[f.Rule] = f
				}
			}
			if got.Kind != runbook.Done && step.Name != "preflight" {
				t.Fatalf("step %s: %s %s", step.Name, got.Kind, got.Message)
			}
			break
		}
		notes[step.Name] = memory
	}
	return out, told
}

// TestTheFactsThatAreReadAreThoseThatRulesKnow: one table says how each is read,
// another what it looks like.
func TestTheFactsThatAreReadAreThoseThatRulesKnow(t *testing.T) {
	t.Parallel()
	read, known := windows.FactNames(), preflight.FactNames()
	slices.Sort(read)
	slices.Sort(known)
	if diff := cmp.Diff(known, read); diff != "" {
		t.Error(diff)
	}
}

// TestMediaThatAreNotOnTheHostYetHaveThePacksOfTheirRegistration, so that a check
// before an approval tells what lacks, too.
func TestMediaThatAreNotOnTheHostYetHaveThePacksOfTheirRegistration(t *testing.T) {
	t.Parallel()
	r := ruled{name: "EARLY1", roles: "UM", os: "2003", traits: []string{"um-pack=de-DE", "um-pack=fr-FR"}, work: func(w *runbook.Work) {
		w.Media = runbook.Media{
			Folder: `C:\Wavekeeper\media\none`,
			Medium: runbook.Medium{ManifestSHA256: strings.Repeat("a", 64), Packs: []string{"fr-FR"}},
		}
	}}
	row := (&hosts{n: 200}).row(t, r)
	fleet, err := twin.Start(context.Background(), twin.Options{
		User: user, Password: password, RunAs: runas, RunAsPassword: runasPass, Speed: 5000, ShellSpeed: 10, Servers: []exchange.Server{row},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fleet.Close() })
	found, _ := checkedHost(t, row, exchange.Node{Name: r.name, Address: row.Address, Port: row.Port}, r)
	if f := found["um-packs-in-media"]; f.Severity != preflight.Warning || f.Unknown || !strings.Contains(f.Text, "language pack de-DE:") {
		t.Errorf("%+v", f)
	}
}
