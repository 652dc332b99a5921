package preflight

import (
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// organizationRules ask how far the organization is prepared, and what else is in it.
var organizationRules = []Rule{
	{
		Name: "organization-prepared", Words: "The organization is recorded as prepared for the package", Source: "founding document (PrepareAD, PrepareDomain); recorded on the plan's page; the first Setup would extend the schema unasked",
		Severity: Blocker, Unknown: Blocker, Kinds: []string{ServicePack},
		test: func(s Subject) verdict {
			if !s.Prepared {
				return blocks("The organization is not recorded as prepared for "+s.Package.Words, "", "Prepare it by a plan of its own (Plans, Prepare the organization), or record on a plan's page that others did.")
			}
			return pass("The organization is recorded as prepared", "")
		},
	},
	{
		Name: "organization-versions", Words: "Schema, organization and domains have the versions that the package wants", Source: "\"Exchange schema versions\" of the TechNet wiki (2772); technet bb125224",
		Severity: Blocker, Unknown: Warning, Kinds: []string{ServicePack},
		Needs: []string{OfOrganization + "schema", OfOrganization + "organization", OfOrganization + "domains"},
		Also:  []string{OfOrganization + "exchange_2003", OfOrganization + "exchange_2000"},
		test: func(s Subject) verdict {
			evidence := fmt.Sprintf("schema %d, organization %d, %s", s.Organization.Schema.Value, s.Organization.Version.Value, count(len(s.Organization.Domains.Value), "domain", "domains"))
			var needs []string
			for _, n := range exchange.PreparedFor(s.Package, s.Organization.directory()) {
				needs = append(needs, fmt.Sprintf("%s (%s)", n.What, n.Text))
			}
			if len(needs) > 0 {
				return blocks("The first Setup would change the organization: "+strings.Join(needs, "; "), evidence, "Prepare the organization for "+s.Package.Words+" first, and read its versions again.")
			}
			return pass("The organization has the versions that the package wants", evidence)
		},
	},
	{
		Name: "organization-replicated", Words: "Every domain controller has the new versions", Source: "remembered practice; the founding document has administrators prepare apart from the servers",
		Severity: Blocker, Unknown: Warning, Waivable: true, Begin: true, Kinds: []string{ServicePack}, Needs: []string{OfOrganization + "replication"},
		test: func(s Subject) verdict {
			r := s.Organization.Replication.Value
			at, err := time.Parse(time.RFC3339, r.CheckedAt)
			switch {
			case len(r.Behind) > 0:
				return blocks("Domain controllers do not have the organization's new versions yet: "+list(r.Behind), "looked at "+utcWords(r.CheckedAt), "Wait for replication, or see why it does not come.")
			case err != nil:
				return unread("When replication was looked at is not known", r.CheckedAt, "Look at it again.")
			case s.Now.Sub(at) > time.Duration(s.Policy.Of(ReplicationAge))*time.Hour && !s.Prepared:
				return warns("Replication was looked at long ago", utcWords(r.CheckedAt), "Look at it again.")
			}
			return pass("Every domain controller has the new versions", "looked at "+utcWords(r.CheckedAt))
		},
	},
	{
		Name: "exchange-2003-sp2", Words: "Every Exchange 2003 server has Service Pack 2", Source: "founding document (\"Exchange 2003 SP2 auf allen Exchange 2003 Servern\")",
		Severity: Blocker, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack, PrepareOrganization}, Needs: []string{OfOrganization + "exchange_2003"},
		test: func(s Subject) verdict {
			var behind []string
			for _, o := range s.Organization.Exchange2003.Value {
				if !o.SP2 {
					behind = append(behind, o.Name+" "+o.Version)
				}
			}
			if len(behind) > 0 {
				return blocks("Exchange 2003 servers lack Service Pack 2: "+list(behind), count(len(s.Organization.Exchange2003.Value), "server", "servers")+" of Exchange 2003", "Install Service Pack 2 there, or remove what is left in Active Directory of a server that is gone.")
			}
			return pass("Every Exchange 2003 server has Service Pack 2", count(len(s.Organization.Exchange2003.Value), "server", "servers"))
		},
	},
	{
		Name: "exchange-2000", Words: "There is no Exchange 2000 server, or a person saw that it has SP3 and its rollup", Source: "book4u.org.ua 65348 (Exchange 2000 needs SP3 and KB870540)",
		Severity: Blocker, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack, PrepareOrganization}, Needs: []string{OfOrganization + "exchange_2000"},
		test: func(s Subject) verdict {
			var all []string
			for _, o := range s.Organization.Exchange2000.Value {
				all = append(all, o.Name+" "+o.Version)
			}
			if len(all) > 0 {
				return blocks("There are Exchange 2000 servers: "+list(all), "", "See that each has Service Pack 3 and KB870540; then a person may waive this.")
			}
			return pass("There is no Exchange 2000 server", "")
		},
	},
	{
		Name: "schema-master", Words: "The host is in the schema master's site and domain", Source: "technet bb288907; Setup's rule NotInSchemaMasterSite (MicrosoftDocs, readiness rules)",
		Severity: Blocker, Unknown: Blocker, Kinds: []string{PrepareOrganization}, Needs: []string{"ad_site", "domain", OfOrganization + "schema_master"},
		test: func(s Subject) verdict {
			m := s.Organization.SchemaMaster.Value
			evidence := fmt.Sprintf("schema master %s in site %s of %s; host in site %s of %s", m.Host, m.Site, m.Domain, s.Facts.ADSite.Value, s.Facts.Domain.Value.Name)
			if !strings.EqualFold(m.Site, s.Facts.ADSite.Value) || !strings.EqualFold(m.Domain, s.Facts.Domain.Value.Name) {
				return blocks("The host is not in the schema master's site and domain", evidence, "Choose a host that is.")
			}
			return pass("The host is in the schema master's site and domain", evidence)
		},
	},
}

// directory is the organization in the words of exchange.PreparedFor.
func (o Organization) directory() exchange.Directory {
	d := exchange.Directory{Schema: o.Schema.Value, Organization: o.Version.Value, Legacy: len(o.Exchange2003.Value)+len(o.Exchange2000.Value) > 0}
	for _, one := range o.Domains.Value {
		d.Domains = append(d.Domains, exchange.DirectoryDomain{Name: one.Name, Version: one.Version, Prepared2003: one.Prepared2003})
	}
	return d
}
