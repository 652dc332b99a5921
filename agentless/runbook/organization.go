package runbook

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// Organization returns the runbook that prepares Active Directory for a package,
// once, on a host in the schema master's site and domain. Order and rights:
// "How to Prepare Active Directory and Domains" (technet bb125224, Exchange 2007
// to SP3): legacy permissions where Exchange 2003 needs them, schema, PrepareAD,
// every domain, and replication awaited between and after. Display templates are
// exported first, since Setup deletes them (the founding document:
// "Deleteting DS object .../cn=Display-Templates").
//
// All domains are prepared by one /PrepareAllDomains: it wants Enterprise Admins,
// which PrepareAD wants as well, and every domain to be reachable, which the step
// ready asks first; /PrepareDomain once for each domain would be as many runs of
// Setup as there are domains.
//
// Times: a preparation takes minutes, as remembered. Replication between sites runs
// by schedule, at most once in three hours by default ("Active Directory
// Replication Topology": the default interval of a site link is 180 minutes).
func Organization() Table {
	prepare := func(name, words string, tick func(context.Context, *Work) (Outcome, error)) Step {
		return Step{rollout.Step{
			Name: name, Words: words,
			Expected: 15 * time.Minute, Soft: time.Hour, Hard: 4 * time.Hour, Silence: 45 * time.Minute,
			NoReturn: true, Undone: true,
		}, tick}
	}
	return Table{
		Name:    rollout.OrganizationRunbook,
		Version: 1,
		Words:   "Active Directory is prepared for a package, once for the organization",
		Steps: []Step{
			factsStep(),
			hookStep(HookAnnounce),
			stageStep(),
			{rollout.Step{
				Name: "before", Words: "Versions, servers and display templates are read from Active Directory and kept",
				Expected: 3 * time.Minute, Soft: 20 * time.Minute, Hard: 2 * time.Hour, Silence: 30 * time.Minute,
				Repeatable: true,
			}, organizationBefore},
			{rollout.Step{
				Name: "ready", Words: "The host, its place and the account's rights are proven for the preparation",
				Expected: time.Minute, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute,
				Repeatable: true,
			}, organizationReady},
			prepare(stepPrepareLegacy, "Exchange 2003 keeps its rights: Setup /PrepareLegacyExchangePermissions, where it is needed", preparing(exchange.PrepareLegacy)),
			prepare(stepPrepareSchema, "The schema is extended: Setup /PrepareSchema", preparing(exchange.PrepareSchema)),
			prepare(stepPrepareAD, "The organization is prepared: Setup /PrepareAD", preparing(exchange.PrepareAD)),
			prepare(stepPrepareDomains, "Every domain is prepared: Setup /PrepareAllDomains", preparing(exchange.PrepareDomains)),
			{rollout.Step{
				Name: "replicate", Words: "Every domain controller has the new versions",
				Expected: 30 * time.Minute, Soft: 4 * time.Hour, Hard: 48 * time.Hour, Silence: 8 * time.Hour,
				Repeatable: true,
			}, organizationReplicate},
			{rollout.Step{
				Name: "after", Words: "Versions and display templates are read again and kept beside those of before",
				Expected: 3 * time.Minute, Soft: 20 * time.Minute, Hard: 2 * time.Hour, Silence: 30 * time.Minute,
				Repeatable: true,
			}, organizationAfter},
			putBackStep(),
			tidyStep(),
		},
		Decisions: decisions()[:1], // to look again; no role's marks are touched by a preparation
	}
}

// The steps that prepare, in their order.
const (
	stepPrepareLegacy  = "prepare-legacy"
	stepPrepareSchema  = "prepare-schema"
	stepPrepareAD      = "prepare-ad"
	stepPrepareDomains = "prepare-domains"
)

// versionsWords are the versions of schema, organization and domains.
func versionsWords(o windows.Organization) string {
	words := []string{fmt.Sprintf("schema %d", o.Schema), fmt.Sprintf("organization %d", o.Version)}
	for _, domain := range o.Domains {
		words = append(words, fmt.Sprintf("%s %d", domain.Name, domain.Version))
	}
	return list(words)
}

// The kinds of evidence of an organization.
const (
	DirectoryEvidence = "directory" // versions, domains and servers, as JSON
	TemplatesEvidence = "templates" // display templates as LDIF that puts them back, in pieces
)

// packageOf is the catalogue's entry for what is installed.
func packageOf(w *Work) (exchange.Package, error) {
	p, err := exchange.PackageByName(w.Package.Name)
	if err != nil {
		return p, fmt.Errorf("find what the package asks of the organization: %w", err)
	}
	return p, nil
}

// directoryOf is the organization as PreparedFor asks for it. An error says what
// is not known: nothing may be concluded from a domain that was not reached.
func directoryOf(o windows.Organization, legacy bool) (exchange.Directory, error) {
	d := exchange.Directory{Schema: o.Schema, Organization: o.Version, Legacy: legacy}
	var away []string
	for _, domain := range o.Domains {
		if domain.Trouble != "" {
			away = append(away, fmt.Sprintf("%s (%s)", domain.Name, domain.Trouble))
		}
		d.Domains = append(d.Domains, exchange.DirectoryDomain{Name: domain.Name, Version: domain.Version, Prepared2003: domain.Prepared2003})
	}
	if len(away) > 0 {
		return d, fmt.Errorf("domains that were not reached: %s", list(away))
	}
	if len(o.More) > 0 {
		return d, fmt.Errorf("the forest is larger than what is read of it: %s", list(o.More))
	}
	return d, nil
}

// legacyServers reports whether the organization holds servers of Exchange 2000
// or 2003.
func legacyServers(o windows.Organization) bool {
	for _, s := range o.Servers {
		if _, old := exchange.SP2003(s.Serial); old || exchange.Legacy2000(s.Serial) {
			return true
		}
	}
	return false
}

// organizationBefore reads everything and keeps it: facts, evidence and the
// display templates, of which Setup deletes every one.
func organizationBefore(ctx context.Context, w *Work) (Outcome, error) {
	return organizationKept(ctx, w, "before", func(o windows.Organization) error {
		if err := keepLooked(w, o.Facts(w.Now)); err != nil {
			return err
		}
		w.Memory["legacy"] = ""
		if legacyServers(o) {
			w.Memory["legacy"] = "yes"
		}
		return nil
	})
}

// organizationAfter reads everything once more.
func organizationAfter(ctx context.Context, w *Work) (Outcome, error) {
	return organizationKept(ctx, w, "after", func(o windows.Organization) error {
		p, err := packageOf(w)
		if err != nil {
			return err
		}
		d, err := directoryOf(o, w.Notes["before"]["legacy"] != "")
		if err != nil {
			return err
		}
		if needs := exchange.PreparedFor(p, d); len(needs) > 0 {
			return fmt.Errorf("the organization is not prepared for %s: %s: %s", p.Words, needs[0].What, needs[0].Text)
		}
		return nil
	})
}

// organizationKept is before and after: look, export, keep. see judges what was
// read; its error fails the step.
func organizationKept(ctx context.Context, w *Work, when string, see func(windows.Organization) error) (Outcome, error) {
	w.fresh()
	out, o, err := lookAtOrganization(ctx, w, "org-"+when, windows.OrganizationAll)
	if err != nil || out.Kind != Done {
		return out, err
	}
	exported, templates, task, err := exportTemplates(ctx, w, "org-templates-"+when)
	if err != nil || exported.Kind != Done {
		return exported, err
	}
	if out, err := keepTemplates(ctx, w, task, when); err != nil || out.Kind != Done {
		return out, err
	}
	raw, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return Outcome{}, fmt.Errorf("encode the organization: %w", err)
	}
	out = Outcome{
		Kind: Done, Percent: 100, Facts: append(o.Facts(w.Now), templates.Fact(w.Now)),
		Message:  fmt.Sprintf("%s; %d display templates", organizationWords(o), templates.Count),
		Evidence: []Evidence{{Kind: DirectoryEvidence, Name: "organization-" + when + ".json", Data: raw}},
	}
	if !templates.All {
		out.Message += ", which are not all"
	}
	w.Memory[rollout.OrganizationVersions] = versionsWords(o)
	if err := see(o); err != nil {
		out.Kind, out.Message, out.Remedy = Failed, err.Error(), "Read the setup log and the versions above, cure the cause and run again: what is prepared is not prepared again."
	}
	return out, nil
}

// Bounds of the display templates that are kept.
const (
	templatesPieces = 16                 // pieces of evidence
	templatesTick   = 8                  // readings of a tick
	templatesKept   = "templates.kept."  // begins the key of how many bytes were kept
	templatesPart   = evidenceBytes / 22 // a reading of the host is 48 kB; a piece holds whole readings
)

// keepTemplates brings the file with the display templates to the coordinator, as
// evidence, a piece a tick.
func keepTemplates(ctx context.Context, w *Work, task, when string) (Outcome, error) {
	key := templatesKept + when
	at := int64(w.count(key))
	path := windows.TaskFolder(task) + `\` + windows.TemplatesFile
	var piece []byte
	length := int64(0)
	for range templatesTick {
		chunk, err := w.Host.ReadFile(ctx, path, at+int64(len(piece)), templatesPart)
		if err != nil {
			return trouble("read the display templates", err)
		}
		piece, length = append(piece, chunk.Data...), chunk.Length
		if len(chunk.Data) == 0 || at+int64(len(piece)) >= length {
			break
		}
	}
	number := w.count(key+".n") + 1
	if len(piece) == 0 || number > templatesPieces {
		return Outcome{Kind: Done}, nil
	}
	w.Memory[key] = fmt.Sprint(at + int64(len(piece)))
	w.raise(key + ".n")
	out := onward("Display templates: %d of %d bytes are kept", at+int64(len(piece)), length)
	out.Evidence = []Evidence{{Kind: TemplatesEvidence, Name: fmt.Sprintf("display-templates-%s-%02d.ldf", when, number), Data: piece}}
	return out, nil
}
