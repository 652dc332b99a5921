package rollout

import (
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// class is all units of one scope that hold the same roles: the order cannot
// tell them apart. There are at most sixteen in a scope, so that predecessors
// are kept by group and never as pairs.
type class struct {
	scope    string // "organization" or the site's name
	scopeKey string
	roles    []exchange.Role
	rank     Rank
	facing   bool // its site has an internet-facing server; scope site only
	units    []*unit
	old      bool    // one of its units is where the rules of strength breaks hold
	before   []group // what comes before it
	tension  int     // number of its tension group of strength breaks; 0 = none
	wave     int
	tail     int // minutes from its first start to the end of what waits for it
}

// group is the classes that precede a class by one rule in one scope.
type group struct {
	rule     Rule
	strength Strength
	scope    string
	chain    bool // the rule only follows from others
	classes  []*class
	servers  []string // names, sorted
}

// order is the classes of a fleet with the groups that precede them.
type order struct {
	rules   RuleSet
	chains  []Rule
	pkg     exchange.Package
	bySite  bool
	every   bool
	classes []*class
	facing  []*class // classes with ClientAccess in internet-facing sites
}

// newOrder builds the order of units; takes decides which of them count. every
// keeps the groups of rules that only follow from others even where direct
// rules lead to the same servers: once some of them are verified, they do not
// lead there any more.
func newOrder(list []*unit, rules RuleSet, scope string, p exchange.Package, every bool, takes func(*unit) bool) *order {
	o := &order{every: every, rules: rules, chains: rules.chains(), pkg: p, bySite: scope == ScopeSite}
	facing := map[string]bool{}
	if o.bySite {
		for _, u := range list {
			for _, site := range u.facing {
				facing[site] = true
			}
		}
	}
	byKey := map[string]*class{}
	for _, u := range list {
		if !takes(u) {
			continue
		}
		scopeKey, scopeName := "", ScopeOrganization
		if o.bySite {
			scopeKey, scopeName = u.siteKey, u.site
		}
		key := scopeKey + "\x00" + roleKey(u.server.Roles)
		c, ok := byKey[key]
		if !ok {
			c = &class{scope: scopeName, scopeKey: scopeKey, roles: u.server.Roles, rank: rules.Rank(u.server.Roles), facing: facing[scopeKey]}
			byKey[key] = c
			o.classes = append(o.classes, c)
		}
		c.units = append(c.units, u)
		u.class = c
		if clientAccessBeforeMailbox.strength(p, u.build) == Breaks {
			c.old = true
		}
	}
	slices.SortStableFunc(o.classes, compareClasses)
	for _, c := range o.classes {
		slices.SortFunc(c.units, func(a, b *unit) int { return strings.Compare(a.name, b.name) })
		if c.facing && slices.Contains(c.roles, exchange.ClientAccess) {
			o.facing = append(o.facing, c)
		}
	}
	for _, scoped := range o.scopes() {
		o.linkScope(scoped)
	}
	o.linkFacing()
	return o
}

// compareClasses orders classes so that whatever precedes a class comes before
// it: internet-facing sites, then the scope's name, then the rank.
func compareClasses(a, b *class) int {
	switch {
	case a.facing != b.facing && a.facing:
		return -1
	case a.facing != b.facing:
		return 1
	case a.scopeKey != b.scopeKey:
		return strings.Compare(a.scopeKey, b.scopeKey)
	case a.rank != b.rank:
		return a.rank.compare(b.rank)
	default:
		return strings.Compare(roleKey(a.roles), roleKey(b.roles))
	}
}

func roleKey(roles []exchange.Role) string {
	var b strings.Builder
	for _, r := range roles {
		b.WriteString(r.Short())
		b.WriteByte('+')
	}
	return b.String()
}

// scopes cuts the classes into runs of one scope.
func (o *order) scopes() [][]*class {
	var out [][]*class
	for i := 0; i < len(o.classes); {
		j := i
		for j < len(o.classes) && o.classes[j].scopeKey == o.classes[i].scopeKey {
			j++
		}
		out = append(out, o.classes[i:j])
		i = j
	}
	return out
}

func (c *class) has(r exchange.Role) bool { return slices.Contains(c.roles, r) }

// linkScope finds for each class of one scope the groups that precede it. A
// rule that only follows from others gets a group of its own only for those
// that the direct rules do not lead to.
func (o *order) linkScope(scoped []*class) {
	for _, c := range scoped { // ranks ascend, so what precedes is linked already
		reached := map[*class]bool{}
		for _, r := range o.rules.Rules {
			o.link(c, scoped, r, nil, reached)
		}
		for _, r := range o.chains {
			except := reached
			if o.every {
				except = nil
			}
			o.link(c, scoped, r, except, reached)
		}
	}
}

func (o *order) link(c *class, scoped []*class, r Rule, except, reached map[*class]bool) {
	if !c.has(r.After) {
		return
	}
	g := group{rule: r, strength: Recommended, scope: c.scope, chain: r.chain}
	for _, p := range scoped {
		if !p.has(r.Before) || p.rank.compare(c.rank) >= 0 || except[p] {
			continue
		}
		g.classes = append(g.classes, p)
		if r.Breaks && p.old {
			g.strength = Breaks
		}
	}
	for _, p := range g.classes {
		markReached(p, reached)
	}
	c.add(g)
}

func markReached(p *class, reached map[*class]bool) {
	if reached[p] {
		return
	}
	reached[p] = true
	for _, g := range p.before {
		for _, q := range g.classes {
			markReached(q, reached)
		}
	}
}

func (c *class) add(g group) {
	if len(g.classes) == 0 {
		return
	}
	for _, p := range g.classes {
		for _, u := range p.units {
			g.servers = append(g.servers, u.name)
		}
	}
	slices.Sort(g.servers)
	c.before = append(c.before, g)
}

// linkFacing puts client access of internet-facing sites before client access
// of the others. All of the others share one group.
func (o *order) linkFacing() {
	if len(o.facing) == 0 {
		return
	}
	shared := &class{}
	shared.add(group{
		rule:     Rule{Name: internetFacingFirst, Before: exchange.ClientAccess, After: exchange.ClientAccess, Reason: "the proxying client access server is never older than the one it hands over to"},
		strength: Recommended, scope: ScopeOrganization, classes: o.facing,
	})
	for _, c := range o.classes {
		if !c.facing && c.has(exchange.ClientAccess) {
			c.before = append(c.before, shared.before...)
		}
	}
}

// number gives every class its wave: one more than the highest of what
// precedes it; a tension group of strength breaks moves to its highest.
func (o *order) number() {
	for changed := true; changed; {
		changed = false
		highestFacing := 0
		for _, c := range o.facing {
			highestFacing = max(highestFacing, c.wave)
		}
		highest := map[int]int{}
		for _, c := range o.classes {
			wave := 1
			for _, g := range c.before {
				if g.rule.Name == internetFacingFirst {
					wave = max(wave, highestFacing+1)
					continue
				}
				for _, p := range g.classes {
					if c.tension == 0 || p.tension != c.tension {
						wave = max(wave, p.wave+1)
					}
				}
			}
			if wave > c.wave {
				c.wave, changed = wave, true
			}
			if c.tension != 0 {
				highest[c.tension] = max(highest[c.tension], c.wave)
			}
		}
		for _, c := range o.classes {
			if h := highest[c.tension]; c.tension != 0 && c.wave < h {
				c.wave, changed = h, true
			}
		}
	}
}
