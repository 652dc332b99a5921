package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/store"
)

// fillRun gives the step of a run what is known.
func (e *Engine) fillRun(ctx context.Context, r store.Run, lease store.Lease, work *prepared, knows store.RunTarget, runas runbook.Account, now time.Time) error {
	first := knows.Servers[0].Server
	work.Work = runbook.Work{
		Host: work.way.windows(), Node: r.Host.Name, Nodes: []string{r.Host.Name}, Server: first, RunAs: runas, Installation: knows.Installation,
		Run: r.ID, Attempt: 1, Prepared: knows.Prepared, Memory: work.Memory, Notes: notesOfRun(r.Memory), Now: now,
		Organization: knows.Known.Organization, Known: knows.Known.Hosts, Fleet: knows.Known.Fleet, Policy: runbook.PolicyOf(knows.Known.Policy), Book: stagingBook{lease: lease, now: e.now},
	}
	for _, s := range knows.Servers {
		work.Servers = append(work.Servers, s.Server)
	}
	if r.Fix != 0 {
		page := store.FixPage{Lease: lease, Run: r.ID, Generation: r.Generation, Fix: r.Fix, Host: r.Host.Name}
		work.Book = &fixBook{store: e.store, page: page, lease: lease, now: e.now, secrets: work.secrets}
		work.Notes[runbook.FixChoice] = knows.Fix.Choice
		for _, c := range knows.Fix.Changes {
			if c.RestoredAt == nil {
				work.Ledger = append(work.Ledger, runbook.Entry{ID: c.ID, Kind: c.Kind, Name: c.Name, Before: c.Before, Meant: c.Meant})
			}
		}
	}
	if r.Package == "" {
		return nil
	}
	target, err := exchange.PackageByName(r.Package)
	if err != nil {
		return fmt.Errorf("check %s: %w", r.Host.Name, err)
	}
	work.Package = runbook.Package{Name: target.Words, Target: target.Target, Language: first.Language, Arch: first.Arch}
	work.Media = runbook.Media{Folder: knows.Package.Folder, SetupSHA256: knows.Package.SetupSHA256}
	if knows.Package.Media != 0 {
		m, err := e.store.Bundle(ctx, knows.Package.Media)
		if err != nil {
			return err
		}
		work.Media.Medium = mediumOf(m)
	}
	return nil
}

// notesOfRun is the memory of all steps of a run, by step.
func notesOfRun(memory map[string]string) map[string]map[string]string {
	notes := map[string]map[string]string{}
	for k, v := range memory {
		step, key, ok := strings.Cut(k, "/")
		if !ok {
			continue
		}
		if notes[step] == nil {
			notes[step] = map[string]string{}
		}
		notes[step][key] = v
	}
	return notes
}

// ofOrganization takes the facts of the organization out of those of a host.
func ofOrganization(facts []store.Fact) (host []store.Fact, organization []store.OrganizationFact) {
	names := preflight.OrganizationNames()
	for _, f := range facts {
		if slices.Contains(names, f.Name) {
			organization = append(organization, store.OrganizationFact{Name: f.Name, Value: f.Value, At: f.At})
			continue
		}
		host = append(host, f)
	}
	return host, organization
}

// countFindings says in words what a check found.
func countFindings(found []preflight.Finding) string {
	blockers, warnings := 0, 0
	for _, f := range found {
		switch f.Severity {
		case preflight.Blocker:
			blockers++
		case preflight.Warning:
			warnings++
		case preflight.Info, preflight.Pass:
		}
	}
	if blockers+warnings == 0 {
		return fmt.Sprintf("Nothing stands in the way: %d rules passed or were noted", len(found))
	}
	return fmt.Sprintf("%s, %s of %d rules", counted(blockers, "blocker"), counted(warnings, "warning"), len(found))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
