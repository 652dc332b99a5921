package rollout

import (
	"slices"

	"wavekeeper/server/exchange"
)

// Strength says what happens when a rule of order is broken.
type Strength string

// The strengths.
const (
	Breaks      Strength = "breaks"      // documented breakage for users
	Recommended Strength = "recommended" // the order that the sources give
)

// Rule says that servers with one role come before servers with another.
type Rule struct {
	Name          string
	Before, After exchange.Role
	Breaks        bool // strength breaks where the levels are so, else recommended
	FromLevel     int  // service pack level of the earlier server at which it breaks
	Reason        string
	Source        string
	chain         bool // it only follows from others
}

// RuleSet is a named, versioned list of rules; plans record which they used.
type RuleSet struct {
	Name   string // "standard"
	Ref    string // "standard@1"
	Order  []exchange.Role
	Rules  []Rule
	Source string
}

// The rule of scope "site" that no role pair expresses.
const internetFacingFirst = "internet-facing-sites-first"

var clientAccessBeforeMailbox = Rule{
	Name: "client-access-before-mailbox", Before: exchange.ClientAccess, After: exchange.Mailbox, Breaks: true, FromLevel: 0,
	Reason: "a client access server at RTM cannot reach a mailbox server at a service pack",
	Source: "founding document",
}

var ruleSets = []RuleSet{
	{
		Name: "standard", Ref: "standard@1",
		Order:  []exchange.Role{exchange.ClientAccess, exchange.HubTransport, exchange.Mailbox, exchange.UnifiedMessaging, exchange.EdgeTransport},
		Source: "founding document",
		Rules: []Rule{
			clientAccessBeforeMailbox,
			{Name: "client-access-before-hub-transport", Before: exchange.ClientAccess, After: exchange.HubTransport, Reason: "client access servers come first", Source: "founding document"},
			{Name: "hub-transport-before-mailbox", Before: exchange.HubTransport, After: exchange.Mailbox, Reason: "hub transport servers come before mailbox servers", Source: "founding document"},
			{Name: "mailbox-before-unified-messaging", Before: exchange.Mailbox, After: exchange.UnifiedMessaging, Reason: "unified messaging servers come last", Source: "founding document"},
			{Name: "hub-transport-before-edge-transport", Before: exchange.HubTransport, After: exchange.EdgeTransport, Reason: "edge transport servers follow the hub transport servers that they deliver to", Source: "the founding document does not name Edge; most sources put it after hub transport"},
		},
	},
	{
		Name: "microsoft-2007", Ref: "microsoft-2007@1",
		Order:  []exchange.Role{exchange.ClientAccess, exchange.UnifiedMessaging, exchange.HubTransport, exchange.EdgeTransport, exchange.Mailbox},
		Source: "Microsoft's release notes of 2007 as remembered; not confirmed",
		Rules: []Rule{
			clientAccessBeforeMailbox,
			{Name: "client-access-before-unified-messaging", Before: exchange.ClientAccess, After: exchange.UnifiedMessaging, Reason: "client access servers come first", Source: "as remembered"},
			{Name: "unified-messaging-before-hub-transport", Before: exchange.UnifiedMessaging, After: exchange.HubTransport, Reason: "unified messaging servers come before hub transport servers", Source: "as remembered"},
			{Name: "hub-transport-before-mailbox", Before: exchange.HubTransport, After: exchange.Mailbox, Reason: "hub transport servers come before mailbox servers", Source: "as remembered"},
			{Name: "hub-transport-before-edge-transport", Before: exchange.HubTransport, After: exchange.EdgeTransport, Reason: "edge transport servers follow the hub transport servers that they deliver to", Source: "as remembered"},
		},
	},
}

// RuleSets lists the rule sets, the default first.
func RuleSets() []RuleSet { return slices.Clone(ruleSets) }

// RuleSetByName finds a rule set by name or by name@version; the empty name is
// the default.
func RuleSetByName(name string) (RuleSet, error) {
	if name == "" {
		return ruleSets[0], nil
	}
	var names []string
	for _, r := range ruleSets {
		if name == r.Name || name == r.Ref {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return RuleSet{}, Invalid("unknown rule set %q%s", name, exchange.Near(name, names, ": the nearest is"))
}

// strength of a rule for one earlier server: breakage is documented for the
// way from RTM to a service pack; an unknown build is taken as RTM.
func (r Rule) strength(p exchange.Package, earlier exchange.Build) Strength {
	if r.Breaks && p.Kind == exchange.ServicePack && (earlier.IsZero() || earlier.ServicePack() == r.FromLevel) {
		return Breaks
	}
	return Recommended
}

// chains are the pairs that the rules among the four inner roles imply and no
// rule names itself. Nothing follows from EdgeTransport.
func (s RuleSet) chains() []Rule {
	direct := map[[2]exchange.Role]bool{}
	reach := map[[2]exchange.Role]bool{}
	for _, r := range s.Rules {
		direct[[2]exchange.Role{r.Before, r.After}] = true
		if r.Before != exchange.EdgeTransport && r.After != exchange.EdgeTransport {
			reach[[2]exchange.Role{r.Before, r.After}] = true
		}
	}
	for _, via := range s.Order {
		for _, a := range s.Order {
			for _, b := range s.Order {
				if reach[[2]exchange.Role{a, via}] && reach[[2]exchange.Role{via, b}] {
					reach[[2]exchange.Role{a, b}] = true
				}
			}
		}
	}
	var out []Rule
	for _, a := range slices.Backward(s.Order) { // the nearest first: it may lead to the farther ones
		for _, b := range s.Order {
			if pair := [2]exchange.Role{a, b}; reach[pair] && !direct[pair] {
				out = append(out, Rule{
					Name: roleSlug(a) + "-before-" + roleSlug(b), Before: a, After: b,
					Reason: "it follows from the rules between them", Source: s.Source, chain: true,
				})
			}
		}
	}
	return out
}

var roleSlugs = map[exchange.Role]string{
	exchange.ClientAccess: "client-access", exchange.HubTransport: "hub-transport", exchange.Mailbox: "mailbox",
	exchange.UnifiedMessaging: "unified-messaging", exchange.EdgeTransport: "edge-transport",
}

func roleSlug(r exchange.Role) string { return roleSlugs[r] }

// Rank orders servers: earliest role, whether it holds Mailbox, latest role,
// in the rule set's order of roles. Ranks cannot be circular.
type Rank [3]int

// Rank of a set of roles.
func (s RuleSet) Rank(roles []exchange.Role) Rank {
	rank := Rank{len(s.Order), 0, -1}
	for i, r := range s.Order {
		if !slices.Contains(roles, r) {
			continue
		}
		rank[0] = min(rank[0], i)
		rank[2] = i
		if r == exchange.Mailbox {
			rank[1] = 1
		}
	}
	return rank
}

func (r Rank) compare(other Rank) int { return slices.Compare(r[:], other[:]) }
