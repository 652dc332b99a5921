package runbook_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// walkTable walks a table's steps from one on, as the engine does, until one does
// not end in Done; after a failure the steps that put back are walked.
func (f *fixture) walkTable(t *testing.T, table runbook.Table, from string) (string, runbook.Outcome) {
	t.Helper()
	begun, unwinding := from == "", false
	f.unwinding = false
	ended, last := "", runbook.Outcome{}
	for _, s := range table.Steps {
		begun = begun || s.Name == from
		if !begun || unwinding && !s.PutBack {
			continue
		}
		out := f.step(t, s)
		switch {
		case out.Kind == runbook.Done && !unwinding:
			ended, last = s.Name, out
		case out.Kind == runbook.Failed && !unwinding:
			unwinding, ended, last = true, s.Name, out
			f.unwinding = true
		case out.Kind != runbook.Done:
			return s.Name, out
		}
	}
	return ended, last
}

// organizationFixture is a host in a forest of Exchange 2007 RTM with two domains,
// two sites and a server of Exchange 2003, whose package is SP1.
func organizationFixture(t *testing.T, change func(*twin.Options)) *fixture {
	t.Helper()
	return newFixture(t, func(o *twin.Options) {
		o.Organization = twin.Organization{
			Level: "rtm", Domains: []string{"child.lab.test", "new.lab.test@2003"}, Old: []string{"OLD1=6.5.7638.2"}, Delay: 30 * time.Minute, Templates: 40,
		}
		if change != nil {
			change(o)
		}
	})
}

// commands are the command lines of every Setup that began, in order.
func (f *fixture) commands(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, e := range f.journal.entries(t) {
		if e.What == "setup-started" {
			_, arguments, _ := strings.Cut(fmt.Sprint(e.Detail["command"]), "setup.com\" ")
			all = append(all, strings.TrimSpace(arguments))
		}
	}
	return all
}

// TestOrganizationIsPreparedAsMicrosoftAsks walks the runbook to its end and
// compares what happened with Microsoft's procedure, written here on its own.
// Sources: technet bb125224 ("How to Prepare Active Directory and Domains":
// /PrepareLegacyExchangePermissions where Exchange 2003's groups are, then
// /PrepareSchema, /PrepareAD, and every domain; each step's changes replicate
// before the next is relied upon); the founding document (display templates are
// deleted: keep them first); SCHEMA wiki 2772 for the numbers.
func TestOrganizationIsPreparedAsMicrosoftAsks(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"en-US", "de-DE"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			f := organizationFixture(t, func(o *twin.Options) { o.Language = language })
			templates := map[string]int{}
			f.lost = func(step string, _ int) bool {
				for _, e := range f.out[step].Evidence {
					if e.Kind == runbook.TemplatesEvidence {
						templates[step] += strings.Count(string(e.Data), "addressEntryDisplayTable:: ")
					}
				}
				return false
			}
			if step, out := f.walkTable(t, runbook.Organization(), ""); step != "tidy" || out.Kind != runbook.Done {
				t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			procedure := []string{"/PrepareLegacyExchangePermissions", "/PrepareSchema", "/PrepareAD", "/PrepareAllDomains"}
			if got := f.commands(t); !slices.Equal(got, procedure) {
				t.Errorf("Setup ran %q, Microsoft's procedure is %q", got, procedure)
			}
			schema, version, domains := f.fleet.Directory()
			if schema != 11116 || version != 11221 || domains["lab.test"] != 11221 || domains["child.lab.test"] != 11221 || domains["new.lab.test"] != 11221 {
				t.Errorf("schema %d, organization %d, domains %v", schema, version, domains)
			}
			var changed []string
			for _, e := range f.journal.entries(t) {
				if e.What == "directory-changed" {
					changed = append(changed, fmt.Sprint(e.Detail["what"]))
				}
			}
			if got := strings.Join(slices.Compact(changed), " "); got != "legacy-permissions schema organization domain" {
				t.Errorf("Active Directory was changed in the order %s", got)
			}
			if got, want := f.revocation(t), "146432>146944 146432>146944 146944>146432 146944>146432"; strings.Count(got, want) != len(procedure) {
				t.Errorf("revocation switch %s, want %s for each of %d runs", got, want, len(procedure))
			}
			if len(f.book.deviations) > 0 {
				t.Errorf("deviations: %v", f.book.deviations)
			}
			f.clean(t)
			facts := map[string]bool{}
			for _, fact := range f.out["after"].Facts {
				facts[fact.Name] = true
			}
			for _, name := range []string{"schema", "organization", "domains", "schema_master", "exchange_2003", "single_label", "cms", "display_templates", "servers_2007", "replication"} {
				if !facts[name] {
					t.Errorf("no fact %s at the end", name)
				}
			}
			t.Logf("%d ticks; %v", f.ticks, f.out["replicate"].Message)
		})
	}
}

// TestWhatIsPreparedIsNotPreparedAgain: nothing of Setup is begun.
func TestWhatIsPreparedIsNotPreparedAgain(t *testing.T) {
	t.Parallel()
	f := organizationFixture(t, func(o *twin.Options) { o.Organization = twin.Organization{Level: "sp2"} })
	if step, out := f.walkTable(t, runbook.Organization(), ""); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	if got := f.commands(t); len(got) > 0 {
		t.Errorf("Setup ran: %q", got)
	}
	f.clean(t)
}

// TestPrepareADIsRunWhereNoNumberTellsThatItWas: SP2 and SP3 share the number of
// the organization, so that a schema which another plan extended proves nothing.
func TestPrepareADIsRunWhereNoNumberTellsThatItWas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		level    string
		recorded bool
		want     string
	}{{"sp3", false, "/PrepareAD"}, {"sp3", true, ""}} {
		t.Run(fmt.Sprintf("%s recorded %v", c.level, c.recorded), func(t *testing.T) {
			t.Parallel()
			f := organizationFixture(t, func(o *twin.Options) {
				o.Organization = twin.Organization{Level: c.level}
				o.Servers[0].OS = "2008"
			})
			f.change = func(w *runbook.Work) {
				w.Prepared = c.recorded
				w.Package = runbook.Package{Name: "SP3", Target: exchange.Build{Major: 8, Minor: 3, Build: 83, Revision: 6}, Language: "en-US", Arch: "x64"}
				w.Media = runbook.Media{Folder: `C:\Wavekeeper\media\sp3-en-US-x64`, SetupSHA256: twin.SetupSHA256("sp3", "en-US", "x64")}
			}
			for _, name := range []string{"facts", "before", "prepare-schema", "prepare-ad", "put-back", "tidy"} {
				s, ok := runbook.Organization().Step(name)
				if !ok {
					t.Fatalf("no step %s", name)
				}
				if out := f.step(t, s); out.Kind != runbook.Done {
					t.Fatalf("%s: %s: %s", name, out.Kind, out.Message)
				}
			}
			if got := strings.Join(f.commands(t), " "); got != c.want {
				t.Errorf("Setup ran %q, want %q", got, c.want)
			}
			f.clean(t)
		})
	}
}

// TestReadinessBlocksBeforeAnythingOfTheDirectoryIsTouched has a cause for each.
func TestReadinessBlocksBeforeAnythingOfTheDirectoryIsTouched(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule   string
		change func(*twin.Options)
	}{
		{"schema-master", func(o *twin.Options) { o.Organization.MasterSite = "BRANCH" }},
		{"schema-master", func(o *twin.Options) { o.Organization.MasterDomain = "child.lab.test" }},
		{"organization-rights", func(o *twin.Options) { o.Organization.NoSchemaAdmin = true }},
		{"organization-rights", func(o *twin.Options) { o.Organization.NoEnterpriseAdmin = true }},
		{"exchange-2003-sp2", func(o *twin.Options) { o.Organization.Old = []string{"OLD1=6.5.7226.6"} }},
		{"organization-reach", func(o *twin.Options) {
			o.Faults = []twin.Fault{{Host: "MBX1", Name: "dc-unreachable", At: "controller:dc1.child.lab.test", Lasts: 9000 * time.Hour}}
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			f := organizationFixture(t, c.change)
			step, out := f.walkTable(t, runbook.Organization(), "")
			var blocked []string
			for _, finding := range out.Findings {
				if finding.Severity == runbook.Blocker {
					blocked = append(blocked, finding.Rule)
				}
			}
			if step != "ready" || !slices.Equal(blocked, []string{c.rule}) || out.Remedy == "" {
				t.Errorf("ended in %s with %v, want ready with %s: %s", step, blocked, c.rule, out.Message)
			}
			if got := f.commands(t); len(got) > 0 || f.journal.count(t, "directory-changed") > 0 {
				t.Errorf("Setup ran: %q", got)
			}
			f.clean(t)
		})
	}
}

// TestReplicationIsWaitedFor: the step goes on once every domain controller has
// the new versions, and one that is away is waited for as well.
func TestReplicationIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"replication-held", "dc-unreachable"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			f := organizationFixture(t, func(o *twin.Options) { o.Organization.Domains = []string{"child.lab.test"} })
			waited := ""
			f.lost = func(step string, tick int) bool {
				if step == "replicate" {
					if tick == 0 {
						if err := f.fleet.Inject(twin.Fault{Host: "MBX1", Name: fault, At: "controller:dc1.child.lab.test", Lasts: time.Hour}); err != nil {
							t.Error(err)
						}
					}
					if out := f.out["replicate"]; strings.Contains(out.Message, "dc1.child.lab.test") {
						waited = out.Message
					}
				}
				return false
			}
			if step, out := f.walkTable(t, runbook.Organization(), ""); step != "tidy" || out.Kind != runbook.Done {
				t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			if waited == "" {
				t.Error("it was not waited for dc1.child.lab.test")
			}
		})
	}
}

// TestPreparationThatFailedGoesOnWhereItStopped: the second attempt does only what
// Active Directory lacks.
func TestPreparationThatFailedGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	f := organizationFixture(t, func(o *twin.Options) { o.Organization.Domains, o.Organization.Old = nil, nil })
	f.lost = func(step string, tick int) bool {
		if step == "prepare-ad" && tick == 0 && f.attempt[step] == 0 {
			if err := f.fleet.Inject(twin.Fault{Host: "MBX1", Name: "setup-fails", At: "phase:5"}); err != nil {
				t.Error(err)
			}
		}
		return false
	}
	table := runbook.Organization()
	if step, out := f.walkTable(t, table, ""); step != "prepare-ad" || out.Kind != runbook.Failed || out.Remedy == "" {
		t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	f.clean(t)
	for _, s := range table.Steps {
		f.attempt[s.Name] = 1
	}
	if step, out := f.walkTable(t, table, "prepare-legacy"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("the second attempt ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	if got := strings.Join(f.commands(t), " "); got != "/PrepareSchema /PrepareAD /PrepareAD" {
		t.Errorf("Setup ran %s", got)
	}
	f.clean(t)
}
