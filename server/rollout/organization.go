package rollout

import (
	"slices"

	"wavekeeper/server/exchange"
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
