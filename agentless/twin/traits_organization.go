package twin

import (
	"fmt"
	"strings"
	"time"
)

// organizationTraits are what differs of the forest, which all hosts of a fleet
// share: it does not matter which host has them.
var organizationTraits = []trait{
	{name: "organization", words: "what the forest is prepared for: organization=rtm, 2003, sp1, sp2, sp3 or 2010 (domain.md 4.3)"},
	{name: "forest-domain", words: "a further domain: forest-domain=child.corp.example; with @2003 behind it one that Exchange 2003 prepared and 2007 never did"},
	{name: "exchange-2003", words: "a server of Exchange 2003 or 2000: exchange-2003=OLD1=6.5.7638.2 (SP2) or OLD1=6.5.7226.6 (SP1)"},
	{name: "schema-master", words: "where the schema master is: schema-master=SITE or SITE/domain"},
	{name: "replication-delay", words: "how long a change takes to domain controllers of other sites: replication-delay=3h"},
	{name: "no-schema-admin", words: "the run-as account is not in Schema Admins"},
	{name: "no-enterprise-admin", words: "the run-as account is not in Enterprise Admins"},
}

// traits takes what hosts' traits say of the forest into its options.
func (d *directory) traits(places []place) error {
	for _, p := range places {
		given, err := traitsOf(d.fleet.opt, p)
		if err != nil {
			return err
		}
		for _, t := range given {
			switch t.name {
			case "organization":
				d.opt.Level = t.value
			case "forest-domain":
				d.opt.Domains = append(d.opt.Domains, t.value)
			case "exchange-2003":
				d.opt.Old = append(d.opt.Old, t.value)
			case "schema-master":
				d.opt.MasterSite, d.opt.MasterDomain, _ = strings.Cut(t.value, "/")
			case "replication-delay":
				if d.opt.Delay, err = time.ParseDuration(t.value); err != nil {
					return fmt.Errorf("trait %s: %w", t.name, err)
				}
			case "no-schema-admin":
				d.opt.NoSchemaAdmin = true
			case "no-enterprise-admin":
				d.opt.NoEnterpriseAdmin = true
			}
		}
	}
	return nil
}
