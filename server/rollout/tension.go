package rollout

import (
	"fmt"
	"slices"
)

// Tension is what ranks cannot satisfy, grouped by rule and scope.
type Tension struct {
	Rule     string   `json:"rule"`
	Strength Strength `json:"strength"`
	Scope    string   `json:"scope"`
	Servers  []string `json:"servers"`
	Text     string   `json:"text"`
}

// tensions finds, scope by scope, servers whose roles should come in an order
// that their ranks do not give, and numbers the groups of strength breaks. A
// pair that a direct rule names is not named again by a rule that follows.
func (o *order) tensions() []Tension {
	out := []Tension{}
	number := 0
	for _, scoped := range o.scopes() {
		named := map[[2]*class]bool{}
		for i, r := range slices.Concat(o.rules.Rules, o.chains) {
			members := o.tense(scoped, r, i >= len(o.rules.Rules), named)
			for _, strength := range []Strength{Breaks, Recommended} {
				classes := members[strength]
				if len(classes) == 0 {
					continue
				}
				var list []*unit
				for _, c := range classes {
					list = append(list, c.units...)
				}
				out = append(out, Tension{r.Name, strength, scoped[0].scope, names(list), o.tensionText(r, strength, list)})
				if strength == Breaks {
					number++
					for _, c := range classes {
						c.tension = number
					}
				}
			}
		}
	}
	return out
}

// tense returns the classes of one scope that are in tension by a rule.
func (o *order) tense(scoped []*class, r Rule, chain bool, named map[[2]*class]bool) map[Strength][]*class {
	members := map[Strength][]*class{}
	for _, a := range scoped {
		for _, b := range scoped {
			if !a.has(r.Before) || !b.has(r.After) || a.rank.compare(b.rank) < 0 || (a == b && len(a.units) < 2) {
				continue
			}
			pair := [2]*class{a, b}
			if chain && named[pair] {
				continue
			}
			named[pair] = true
			strength := Recommended
			if r.Breaks && a.old {
				strength = Breaks
			}
			for _, c := range pair {
				if !slices.Contains(members[strength], c) {
					members[strength] = append(members[strength], c)
				}
			}
		}
	}
	return members
}

func (o *order) tensionText(r Rule, strength Strength, list []*unit) string {
	text := fmt.Sprintf("%s should come before %s (%s), but these servers hold roles that cannot be ordered that way: %s.",
		r.Before, r.After, r.Reason, shortList(names(list)))
	if strength != Breaks {
		return text + " The plan takes them in the order of their ranks; nothing is documented to break."
	}
	minutes := 0
	for _, u := range list {
		minutes += u.minutes
	}
	return text + fmt.Sprintf(" They are in one wave and are taken as close together as the limits allow; until the last is done, client access on one may not reach mailboxes on another (up to %d minutes one after the other).", minutes)
}

// shortList names at most ten servers.
func shortList(names []string) string {
	const most = 10
	rest := ""
	if len(names) > most {
		rest = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	text := ""
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += n
	}
	return text + rest
}
