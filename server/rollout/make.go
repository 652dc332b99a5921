package rollout

import (
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// Options are what a person chooses beside the servers and the package.
type Options struct {
	Scope   string // ScopeOrganization (default when empty) or ScopeSite
	RuleSet string // "" = standard
	Policy  *Policy
	Then    *exchange.Package // a second package, installed after the first; nil = none
	Full    bool              // the report lists every server in "after", not only 20
	// Outside holds servers of the organization that are not in the plan; they
	// count for the floor, and what they hold back is a finding.
	Outside []exchange.Server
}

// Make puts servers into waves. The result does not depend on the order in
// which the servers are given. The error is ErrInvalid.
func Make(servers []exchange.Server, p exchange.Package, opt Options) (Plan, Report, error) {
	rules, err := RuleSetByName(opt.RuleSet)
	if err != nil {
		return Plan{}, Report{}, err
	}
	scope := opt.Scope
	if scope == "" {
		scope = ScopeOrganization
	}
	if scope != ScopeOrganization && scope != ScopeSite {
		return Plan{}, Report{}, Invalid("unknown scope %q: organization or site", scope)
	}
	policy := DefaultPolicy()
	if opt.Policy != nil {
		policy = *opt.Policy
	}
	if err := follows(p, opt.Then); err != nil {
		return Plan{}, Report{}, err
	}
	plan := Plan{Package: p, Then: opt.Then, Scope: scope, RuleSet: rules.Ref, Policy: policy, Servers: oneSpelling(servers)}
	m := maker{plan: &plan, rules: rules, units: units(plan.Servers, plan.goal())}
	m.outside = units(opt.Outside, plan.goal())
	m.order = newOrder(m.units, rules, scope, p, false, (*unit).todo)
	m.tensions = m.order.tensions()
	m.order.number()
	m.order.rankTails()
	plan.Waves = m.waves()
	hash, err := plan.Hash()
	if err != nil {
		return Plan{}, Report{}, err
	}
	return plan, m.report(hash, opt.Full), nil
}

// follows refuses a second package that does not go over the first: a rollup of
// the very service pack.
func follows(p exchange.Package, then *exchange.Package) error {
	switch {
	case then == nil:
		return nil
	case p.Kind != exchange.ServicePack || then.Kind != exchange.Rollup:
		return Invalid("A plan takes one package, or a service pack and a rollup of it.")
	case then.Target.ServicePack() != p.Target.ServicePack() || !then.Target.AtLeast(p.Target):
		return Invalid("%s is no rollup of %s.", then.Words, p.Words)
	case then.Withdrawn:
		return Invalid("%s was withdrawn by Microsoft.", then.Words)
	}
	return nil
}

// maker holds what Make knows while it writes the report.
type maker struct {
	plan     *Plan
	rules    RuleSet
	units    []*unit
	outside  []*unit
	order    *order
	tensions []Tension
}

// oneSpelling sorts servers by name and gives each AD site the spelling that
// its first server has.
func oneSpelling(servers []exchange.Server) []exchange.Server {
	out := slices.Clone(servers)
	slices.SortFunc(out, func(a, b exchange.Server) int { return strings.Compare(a.Name, b.Name) })
	spelling := map[string]string{}
	for i, s := range out {
		key := siteKey(s.Site)
		if _, ok := spelling[key]; !ok {
			spelling[key] = s.Site
		}
		out[i].Site = spelling[key]
	}
	return out
}

// waves lists names by wave.
func (m *maker) waves() [][]string {
	waves := [][]string{}
	for _, u := range m.units {
		if !u.todo() {
			continue
		}
		for len(waves) < u.class.wave {
			waves = append(waves, nil)
		}
		waves[u.class.wave-1] = append(waves[u.class.wave-1], u.name)
	}
	for _, names := range waves {
		slices.Sort(names)
	}
	return waves
}
