package rollout

import (
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// MakeOrganization plans the preparation of the organization for a package: one
// wave with the one server on which Setup prepares it. domains are those to be
// prepared, by their full names; none means all. The error is ErrInvalid.
func MakeOrganization(unit []exchange.Server, p exchange.Package, domains []string) (Plan, error) {
	switch {
	case len(unit) == 0:
		return Plan{}, Invalid("Name the server on which the organization is prepared.")
	case p.Kind != exchange.ServicePack:
		return Plan{}, Invalid("%s changes nothing in Active Directory: only service packs have to be prepared for.", p.Words)
	case slices.ContainsFunc(unit, func(s exchange.Server) bool { return s.Arch == "x86" }):
		return Plan{}, Invalid("The 32-bit version of Exchange 2007 is for test systems.")
	}
	seen := map[string]bool{}
	var all []string
	for _, d := range domains {
		d = strings.ToLower(strings.TrimSpace(d))
		if d == "" || seen[d] {
			continue
		}
		if !domainName(d) {
			return Plan{}, Invalid("%q is no full name of a domain, such as contoso.com.", d)
		}
		seen[d] = true
		all = append(all, d)
	}
	slices.Sort(all)
	policy := DefaultPolicy()
	servers := oneSpelling(unit)
	return Plan{
		Kind: OfOrganization, Package: p, Domains: all, Scope: ScopeOrganization, RuleSet: ruleSets[0].Ref, Policy: policy,
		Servers: servers, Waves: [][]string{{servers[0].Name}},
	}, nil
}

// domainName reports whether a text can be the DNS name of a domain: letters,
// digits, hyphens, underscores and dots, at most 255 bytes (KB909264).
func domainName(s string) bool {
	return len(s) <= 255 && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..") &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}
