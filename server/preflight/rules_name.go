package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// nameRules ask for the names and the domain of the host.
var nameRules = []Rule{
	{
		Name: "fqdn", Words: "The host's full name is maintained", Source: "founding document (\"FQDN nicht gepflegt\": Setup stops)",
		Severity: Blocker, Unknown: Warning, Waivable: true, Needs: []string{"fqdn", "domain"},
		test: func(s Subject) verdict {
			d := s.Facts.Domain.Value
			evidence := fmt.Sprintf("full name %s, primary DNS suffix %s", s.Facts.FQDN.Value, orNone(d.DNSSuffix))
			if d.DNSSuffix == "" || !strings.Contains(s.Facts.FQDN.Value, ".") {
				return blocks("The host's full name is not maintained; Setup can hang", evidence, "Set the primary DNS suffix and restart the host.")
			}
			return pass("The host's full name is maintained", evidence)
		},
	},
	{
		Name: "fqdn-is-no-smtp-domain", Words: "The host's full name is no domain of a recipient policy", Source: "Setup's rule ServerFQDNMatchesSMTPPolicy (MicrosoftDocs, readiness rules)",
		Severity: Blocker, Unknown: Warning, Kinds: []string{ServicePack}, Roles: []string{clientAccess, hubTransport, mailbox, um}, Needs: []string{"fqdn", "smtp_domains"},
		test: func(s Subject) verdict {
			if containsFold(s.Facts.SMTPDomains.Value, s.Facts.FQDN.Value) {
				return blocks("The host's full name is an SMTP domain of a recipient policy", s.Facts.FQDN.Value, "Change the policy, or rename the server.")
			}
			return pass("The host's full name is no SMTP domain", s.Facts.FQDN.Value)
		},
	},
	{
		Name: "domain-member", Words: "The host is a member of a domain, and an Edge Transport server has a DNS suffix all the same", Source: "system requirements of Exchange 2007",
		Severity: Blocker, Unknown: Warning, Roles: []string{clientAccess, hubTransport, mailbox, um}, Needs: []string{"domain"},
		test: func(s Subject) verdict {
			if !s.Facts.Domain.Value.Member {
				return blocks("The host is no member of a domain", s.Facts.Domain.Value.Name, "Check the server's address.")
			}
			return pass("The host is a member of a domain", s.Facts.Domain.Value.Name)
		},
	},
	{
		Name: "single-label-domain", Words: "The domain's DNS name is no single label", Source: "founding document (\"Kein kurzer DNS-Namensraum\", KB300684)",
		Severity: Blocker, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack, PrepareOrganization}, Needs: []string{"domain"}, Also: []string{OfOrganization + "single_label"},
		test: func(s Subject) verdict {
			if s.Facts.Domain.Value.SingleLabel || s.Organization.SingleLabel.Value {
				return blocks("The domain's DNS name is a single label", s.Facts.Domain.Value.Name, "Configure Windows for it as KB300684 says; then a person may waive this.")
			}
			return pass("The domain's DNS name is no single label", s.Facts.Domain.Value.Name)
		},
	},
	{
		Name: "no-rodc", Words: "The host is no read-only domain controller", Source: "Setup's rule ComputerRODC (MicrosoftDocs, readiness rules)",
		Severity: Blocker, Unknown: Warning, Needs: []string{"domain_controller"},
		test: func(s Subject) verdict {
			d := s.Facts.DomainController.Value
			switch {
			case !d.Controller:
				return pass("The host is no domain controller", "")
			case d.ReadOnly == nil:
				return unread("The host is a domain controller; whether it is a read-only one was not read", "", "Look at its computer account: primary group 521 is that of read-only ones.")
			case *d.ReadOnly:
				return blocks("The host is a read-only domain controller", "", "Exchange cannot be there.")
			}
			return pass("The host is a domain controller that can be written", "")
		},
	},
	{
		Name: "static-controller", Words: "The domain controller that Exchange is told to use is the one that Setup is told to use", Source: "Setup's rule ConfigDCHostNameMismatch (MicrosoftDocs, readiness rules)",
		Severity: Blocker, Unknown: Info, Kinds: []string{ServicePack, PrepareOrganization}, Roles: []string{clientAccess, hubTransport, mailbox, um}, Needs: []string{"static_dc"},
		test: func(s Subject) verdict {
			config := s.Facts.StaticDC.Value.Config
			switch {
			case config == "" || sameHost(config, s.Controller):
				return pass("No domain controller is in conflict with Setup's", orNone(config))
			case s.Controller == "":
				return notes("Exchange is told to use the domain controller "+config+": Setup uses it, too", "", "Make sure that it stays reachable while Setup runs.")
			}
			return blocks("Exchange is told to use another domain controller than Setup", config+" and "+s.Controller, "Give Setup the same one, or none.")
		},
	},
}

// mediaRules ask whether the package's media fits.
var mediaRules = []Rule{
	{
		Name: "media", Words: "The media on the host is the registered package", Source: "the files of the media, or setup.com where none is registered, read by SYSTEM on the host",
		Severity: Blocker, Unknown: Info, Kinds: []string{ServicePack, Rollup, PrepareOrganization},
		test: func(s Subject) verdict {
			switch m := s.Media; {
			case !m.Compared && s.Unread:
				return unread("The media is compared on the host only", "", "")
			case m.Absent && s.Ahead:
				return notes("The media is not on the host yet", m.Evidence, "An approved wave brings it; it can be brought before, on the page Media.")
			case !m.Right:
				return blocks(cmp.Or(m.Text, "The media on the host is not the registered package"), m.Evidence, cmp.Or(m.Remedy, "Put the right media on the host."))
			default:
				return pass("The media is the registered package", m.Evidence)
			}
		},
	},
	{
		Name: "language", Words: "The media's language is the server's", Source: "inventory, media and Win32_OperatingSystem.OSLanguage",
		Severity: Blocker, Unknown: Warning, Kinds: []string{ServicePack, PrepareOrganization}, Needs: []string{"language"}, test: ruleLanguage,
	},
	{
		Name: "architecture", Words: "The media's architecture is the host's", Source: "inventory, media and PROCESSOR_ARCHITECTURE; technet ff772434 on a package of the other one",
		Severity: Blocker, Unknown: Blocker, Needs: []string{"arch"}, test: ruleArchitecture,
	},
}

// ruleLanguage: Exchange's own language is known from the inventory only; the
// host says that of Windows, which is mostly the same.
func ruleLanguage(s Subject) verdict {
	culture := s.Facts.Language.Value
	evidence := fmt.Sprintf("inventory %s, media %s, Windows %s", s.Server.Language, s.Media.Language, culture)
	switch {
	case differ(s.Server.Language, s.Media.Language):
		return blocks("The media's language is not the server's", evidence, "Register media that fits the server.")
	case differ(s.Media.Language, culture):
		return warns("Windows speaks another language than the media", evidence, "See on the host in which language Exchange is installed; where it is not the media's, correct the inventory.")
	}
	return pass("The media's language is the server's", evidence)
}

func ruleArchitecture(s Subject) verdict {
	evidence := fmt.Sprintf("inventory %s, media %s, Windows %s", s.Server.Arch, s.Media.Arch, s.Facts.Arch.Value)
	switch {
	case differ(s.Media.Arch, s.Facts.Arch.Value):
		return blocks("The media's architecture is not that of the host", evidence, "Correct the server's architecture in the inventory.")
	case differ(s.Server.Arch, s.Media.Arch):
		return blocks("The media's architecture is not the server's", evidence, "Register media that fits the server.")
	}
	return pass("The media's architecture is the host's", evidence)
}

// accessRules ask what the run-as account can do.
var accessRules = []Rule{
	{
		Name: "canary", Words: "The run-as account can run Setup", Source: "a host task under the run-as account",
		Severity: Blocker, Unknown: Info, test: ruleCanary,
	},
	{
		Name: "organization-rights", Words: "The run-as account may change schema and organization", Source: "technet bb288907 (Enterprise Admins); Schema Admins for the schema is remembered; RIDs 518 and 519 are well known",
		Severity: Blocker, Unknown: Info, Kinds: []string{PrepareOrganization},
		test: func(s Subject) verdict {
			if !s.Canary.Ran {
				return unread("What the run-as account may do is shown on the host only", "", "")
			}
			has := func(rid string) bool {
				return slices.ContainsFunc(s.Canary.SIDs, func(sid string) bool {
					return strings.HasPrefix(sid, "S-1-5-21-") && strings.HasSuffix(sid, rid)
				})
			}
			var missing []string
			if !has("-518") {
				missing = append(missing, "Schema Admins")
			}
			if !has("-519") {
				missing = append(missing, "Enterprise Admins")
			}
			if len(missing) > 0 {
				return blocks("The run-as account is not a member of "+list(missing), s.Canary.User, "Use an account that is, for this plan only.")
			}
			return pass("The run-as account may change schema and organization", s.Canary.User)
		},
	},
}

// ruleCanary is the only proof that Setup can run under the run-as account.
func ruleCanary(s Subject) verdict {
	c := s.Canary
	evidence := fmt.Sprintf("user %s, elevated %t, hkcu %s, ldap %s", c.User, c.Elevated, c.Hive, c.LDAP)
	onEdge := slices.ContainsFunc(s.Server.Roles, func(r exchange.Role) bool { return r == exchange.EdgeTransport }) // it is no member of a domain
	switch {
	case !c.Ran && s.Unread:
		return unread("What the run-as account can do is shown on the host only", "", "")
	case c.Trouble != "":
		remedy := c.Remedy
		if remedy == "" {
			remedy = "Check " + c.Account + ": that it is not locked out, its password, and its right to log on as a batch job."
		}
		return blocks("The run-as account could not run a task: "+c.Trouble, c.Trouble, remedy)
	case c.LDAP != "ok" && !onEdge:
		return blocks("The run-as account does not reach Active Directory", evidence, "Check the account, DNS and the domain controllers.")
	case !c.Elevated || !slices.Contains(c.SIDs, "S-1-5-32-544"):
		return blocks("The run-as account is not a local administrator with full rights", evidence, "Put "+c.Account+" into the local Administrators group.")
	case c.Hive == "" || strings.EqualFold(c.Hive, ".DEFAULT"):
		return blocks("The run-as account's own registry is not loaded in a task", evidence, "Log on once with the account, or repair its profile.")
	case c.LDAP != "ok":
		return pass("The run-as account can run Setup: a task ran; an Edge server needs no Active Directory", evidence)
	}
	return pass("The run-as account can run Setup: a task ran, Active Directory answered", evidence)
}
