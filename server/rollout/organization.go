package rollout

import (
	"slices"

	"wavekeeper/server/exchange"
)

// The steps of the organization's runbook that read it before and after, and the
// key of their memory under which the versions stand in words: "schema 10637,
// organization 10666, contoso.com 10628".
const (
	OrganizationBefore   = "before"
	OrganizationAfter    = "after"
	OrganizationVersions = "versions"
)

// MakeOrganization plans the preparation of the organization for a package: one
// wave with the one server on which Setup prepares schema, organization and every
// domain. The error is ErrInvalid.
func MakeOrganization(unit []exchange.Server, p exchange.Package) (Plan, error) {
	switch {
	case len(unit) == 0:
		return Plan{}, Invalid("Name the server on which the organization is prepared.")
	case p.Kind != exchange.ServicePack:
		return Plan{}, Invalid("%s changes nothing in Active Directory: only service packs have to be prepared for.", p.Words)
	case slices.ContainsFunc(unit, func(s exchange.Server) bool { return s.Cluster != exchange.Standalone }):
		return Plan{}, Invalid("%s is clustered: Setup would run on one of its nodes, and which one that is changes. Choose a standalone server in the schema master's site and domain.", unit[0].Name)
	case slices.ContainsFunc(unit, func(s exchange.Server) bool { return s.Arch == "x86" }):
		return Plan{}, Invalid("The 32-bit version of Exchange 2007 is for test systems.")
	}
	policy := DefaultPolicy()
	servers := oneSpelling(unit)
	return Plan{
		Kind: OfOrganization, Package: p, Scope: ScopeOrganization, RuleSet: ruleSets[0].Ref, Policy: policy,
		Servers: servers, Waves: [][]string{{servers[0].Name}},
	}, nil
}

// What a preparation takes, in minutes: readings, up to four runs of Setup and
// replication within a site. An estimate; between sites replication takes hours.
const organizationMinutes, organizationSlow = 90, 360

// ReportOf explains a plan that was made before; outside are the servers of the
// organization that are not in it, as they are now.
func ReportOf(p Plan, outside []exchange.Server) (Report, error) {
	if p.Kind != OfOrganization {
		_, report, err := Make(p.Servers, p.Package, Options{Scope: p.Scope, RuleSet: p.RuleSet, Policy: &p.Policy, Then: p.Then, Outside: outside})
		return report, err
	}
	hash, err := p.Hash()
	if err != nil {
		return Report{}, err
	}
	report := Report{
		Package: p.Package.Name, Target: p.Package.Target.String(), Scope: p.Scope, RuleSet: p.RuleSet, Hash: hash, Tensions: []Tension{}, Findings: []PlanFinding{},
		Forecast: Forecast{P50Minutes: organizationMinutes, P90Minutes: organizationSlow, PlannedMinutes: organizationMinutes, LowerBoundMinutes: organizationMinutes, CriticalPath: []string{}},
	}
	for i, names := range p.Waves {
		wave := WaveReport{Number: i + 1, Name: "organization"}
		for _, name := range names {
			wave.Servers = append(wave.Servers, ServerReport{Server: name, After: []After{}, P50Minutes: organizationMinutes, P90Minutes: organizationSlow})
			report.Forecast.CriticalPath = append(report.Forecast.CriticalPath, name)
		}
		report.Waves = append(report.Waves, wave)
	}
	return report, nil
}

// Unconfirmed lists the must-know points of a preparation that whoever submits it
// did not confirm, by their texts. Plans of servers ask for none.
func (p Plan) Unconfirmed(confirmed []string) []string {
	var missing []string
	if p.Kind != OfOrganization {
		return nil
	}
	for _, point := range p.Package.MustKnow {
		if !slices.Contains(confirmed, point.Text) {
			missing = append(missing, point.Text)
		}
	}
	return missing
}
