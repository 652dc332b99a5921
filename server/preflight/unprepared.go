package preflight

import (
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// Unprepared lists in words what of the organization the first Setup of a package
// would still change by itself, by what was read of it. What is not known is not
// listed: that is for a person's record to say. Of domains those count that hold
// one of the servers, by their full names; without such names all do.
func Unprepared(p exchange.Package, facts map[string]Fact, servers []exchange.Server) []string {
	o, _ := ReadOrganization(facts) // of another shape is not known
	if !o.Schema.Known || !o.Version.Known {
		return nil
	}
	d := o.directory()
	var wanted []string
	for _, s := range servers {
		if _, domain, ok := strings.Cut(strings.ToLower(s.FQDN), "."); ok {
			wanted = append(wanted, domain)
		}
	}
	d.Domains = slices.DeleteFunc(d.Domains, func(one exchange.DirectoryDomain) bool {
		return len(wanted) > 0 && !slices.Contains(wanted, strings.ToLower(one.Name))
	})
	var words []string
	for _, need := range exchange.PreparedFor(p, d) {
		words = append(words, need.Text)
	}
	return words
}
