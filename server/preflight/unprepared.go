package preflight

import (
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// Unprepared lists in words what of the organization the first Setup of a package
// would still change by itself, by what is known of it; of what a person entered
// it says so. What is not known is not listed: that is for a person's record to
// say. Of the organization's domains those count where the servers' hosts are
// members, by their DNS names; all of them where one of these names is none of
// the organization's, or none is given.
func Unprepared(p exchange.Package, facts map[string]Fact, domains []string) []string {
	o, _ := ReadOrganization(facts) // of another shape is not known
	if !o.Schema.Known || !o.Version.Known {
		return nil
	}
	d := o.directory()
	d.Domains = wanted(d.Domains, domains)
	var words []string
	for _, need := range exchange.PreparedFor(p, d) {
		text := need.Text
		if source := o.ByHand[factOf[need.What]]; source != "" {
			text += " (" + source + ")"
		}
		words = append(words, text)
	}
	return words
}

func wanted(all []exchange.DirectoryDomain, names []string) []exchange.DirectoryDomain {
	var of []exchange.DirectoryDomain
	for _, name := range names {
		i := slices.IndexFunc(all, func(one exchange.DirectoryDomain) bool { return strings.EqualFold(name, one.Name) })
		if i < 0 {
			return all
		}
		of = append(of, all[i])
	}
	if len(of) == 0 {
		return all
	}
	slices.SortFunc(of, func(a, b exchange.DirectoryDomain) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(of, func(a, b exchange.DirectoryDomain) bool { return a.Name == b.Name })
}

// factOf is the fact by which a preparation is judged.
var factOf = map[exchange.Preparation]string{
	exchange.PrepareLegacy: "domains", exchange.PrepareSchema: "schema", exchange.PrepareAD: "organization", exchange.PrepareDomains: "domains",
}

// Wanted lists what any service pack would still change of the organization, by
// what is known of it: what servers are held for.
func Wanted(facts map[string]Fact) []string {
	var all []string
	for _, p := range exchange.Packages() {
		if p.Kind == exchange.ServicePack {
			for _, need := range Unprepared(p, unsigned(facts), nil) {
				all = append(all, p.Name+": "+need)
			}
		}
	}
	return all
}

// unsigned are facts without whose word they are.
func unsigned(facts map[string]Fact) map[string]Fact {
	out := map[string]Fact{}
	for name, f := range facts {
		out[name] = Fact{Value: f.Value, At: f.At}
	}
	return out
}
