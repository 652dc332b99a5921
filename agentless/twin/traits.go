package twin

import (
	"fmt"
	"slices"
	"strings"
)

// trait is one way in which a simulated host differs from a healthy one: what
// an administrator of 2007 would have found on one machine and not on the next.
// It shapes the machine once, when it is made; what changes while it runs is a
// Fault.
type trait struct {
	name  string // stable, lower case, "wmf3"
	words string // what it is, and where that is known from
	// platform changes what Windows is, before the machine is made; mostly nil.
	platform func(p *platform, value string) error
	// shape changes the healthy machine; nil where h.trait is asked later.
	shape func(h *host, value string) error
}

// TagTrait begins the inventory tag that gives a host a trait: "trait:wmf3", or
// with a value "trait:um-pack=de-DE".
const TagTrait = "trait:"

// traits are all traits. Each subject has a list in a file of its own.
func traits() []trait {
	return slices.Concat(systemTraits, exchangeTraits, ruleTraits, standaloneTraits, clusterTraits, organizationTraits)
}

// TraitNames lists the traits that a host can be given, in the tables' order.
func TraitNames() []string {
	var names []string
	for _, t := range traits() {
		names = append(names, t.name)
	}
	return names
}

// TraitWords says what a trait is; empty when there is none of that name.
func TraitWords(name string) string {
	t, _ := traitOf(name)
	return t.words
}

func traitOf(name string) (trait, bool) {
	for _, t := range traits() {
		if strings.EqualFold(t.name, name) {
			return t, true
		}
	}
	return trait{}, false
}

// givenTrait is a trait that a host has, with what stands behind its "=".
type givenTrait struct {
	trait
	value string
}

// traitsOf are the traits of a place: the tags of its rows, then what the
// options say of the host.
func traitsOf(o Options, p place) ([]givenTrait, error) {
	var words []string
	for _, row := range p.rows {
		for _, tag := range row.Tags {
			if len(tag) > len(TagTrait) && strings.EqualFold(tag[:len(TagTrait)], TagTrait) {
				words = append(words, tag[len(TagTrait):])
			}
		}
	}
	for name, more := range o.Traits {
		if strings.EqualFold(name, p.host) {
			words = append(words, more...)
		}
	}
	var given []givenTrait
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		t, ok := traitOf(name)
		if !ok {
			return nil, fmt.Errorf("%s: there is no trait %q", p.host, name)
		}
		if !slices.ContainsFunc(given, func(g givenTrait) bool { return g.name == t.name && g.value == value }) {
			given = append(given, givenTrait{t, value})
		}
	}
	return given, nil
}

// traited is the platform with what a host's traits change of it.
func (p platform) traited(given []givenTrait) (platform, error) {
	for _, t := range given {
		if t.platform == nil {
			continue
		}
		if err := t.platform(&p, t.value); err != nil {
			return p, fmt.Errorf("trait %s: %w", t.name, err)
		}
	}
	return p, nil
}

// shape gives a healthy machine its traits.
func (h *host) shape() error {
	for _, t := range h.traits {
		if t.shape == nil {
			continue
		}
		if err := t.shape(h, t.value); err != nil {
			return fmt.Errorf("host %s: trait %s: %w", h.name, t.name, err)
		}
	}
	return nil
}

// trait reports whether the host has a trait, and its value; the last counts.
func (h *host) trait(name string) (value string, has bool) {
	for _, t := range h.traits {
		if t.name == name {
			value, has = t.value, true
		}
	}
	return value, has
}
