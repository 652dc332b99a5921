package preflight

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// transportRules ask for connectors, agents, queues and certificates.
var transportRules = []Rule{
	{
		Name: "receive-connector-fqdn", Words: "Receive connectors that authenticate Exchange servers name the server", Source: "topic 2e6d2fc3 of the Exchange help (SP1 Setup fails with the AuthMechanism ExchangeServer)",
		Severity: Blocker, Unknown: Warning, Kinds: []string{ServicePack}, Roles: []string{hubTransport}, Needs: []string{"receive_connectors", "fqdn"},
		test: func(s Subject) verdict {
			var bad []string
			for _, c := range s.Facts.ReceiveConnectors.Value {
				short, _, _ := strings.Cut(s.Facts.FQDN.Value, ".")
				if containsFold(c.Auth, "ExchangeServer") && c.FQDN != "" && !strings.EqualFold(c.FQDN, s.Facts.FQDN.Value) && !strings.EqualFold(c.FQDN, short) {
					bad = append(bad, fmt.Sprintf("%s has %s", c.Name, c.FQDN))
				}
			}
			if len(bad) > 0 {
				return blocks("Receive connectors that authenticate Exchange servers have another FQDN than the server: "+list(bad), s.Facts.FQDN.Value, "Set-ReceiveConnector -Fqdn to the server's FQDN, its NetBIOS name or $null; use -Banner for what others see.")
			}
			return pass("Receive connectors name the server", count(len(s.Facts.ReceiveConnectors.Value), "connector", "connectors"))
		},
	},
	{
		Name: "receive-connector-name", Words: "No receive connector is named like the domain", Source: "founding document (\"Name des Receive Connectors\")",
		Severity: Blocker, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack}, Roles: []string{hubTransport, edge}, Needs: []string{"receive_connectors", "domain"}, Also: []string{"smtp_domains"},
		test: func(s Subject) verdict {
			full := s.Facts.Domain.Value.Name
			short, _, _ := strings.Cut(full, ".")
			var bad []string
			for _, c := range s.Facts.ReceiveConnectors.Value {
				if strings.EqualFold(c.Name, full) || strings.EqualFold(c.Name, short) || containsFold(s.Facts.SMTPDomains.Value, c.Name) {
					bad = append(bad, c.Name)
				}
			}
			if len(bad) > 0 {
				return blocks("Receive connectors are named like the domain, which Setup does not take: "+list(bad), full, "Rename them, and give them their names again afterwards.")
			}
			return pass("No receive connector is named like the domain", count(len(s.Facts.ReceiveConnectors.Value), "connector", "connectors"))
		},
	},
	{
		Name: "transport-agents", Words: "No transport agent of others is installed", Source: "remembered practice: agents of others may not know the new build",
		Severity: Info, Unknown: Info, Waivable: true, Kinds: []string{ServicePack, Rollup}, Roles: []string{hubTransport, edge}, Needs: []string{"transport_agents"},
		test: func(s Subject) verdict {
			var theirs []string
			for _, a := range s.Facts.TransportAgents.Value {
				if a.Enabled && !a.Microsoft {
					theirs = append(theirs, fmt.Sprintf("%s (%s)", a.Name, a.Assembly))
				}
			}
			if len(theirs) > 0 {
				return notes("Transport agents of others are at work: "+list(theirs), count(len(s.Facts.TransportAgents.Value), "agent", "agents"), "See that their maker supports the package.")
			}
			return pass("No transport agent of others is at work", count(len(s.Facts.TransportAgents.Value), "agent", "agents"))
		},
	},
	{
		Name: "transport-queue", Words: "Little mail waits in the queues", Source: "remembered practice; a policy value",
		Severity: Warning, Unknown: Info, Waivable: true, Kinds: []string{ServicePack, Rollup}, Roles: []string{hubTransport, edge}, Needs: []string{"queues"},
		test: func(s Subject) verdict {
			q := s.Facts.Queues.Value
			evidence := fmt.Sprintf("%d messages, %d of them for submission", q.Total, q.Submission)
			if q.Total > s.Policy.Of(TransportQueue) {
				return warns(fmt.Sprintf("%d messages wait in the queues: draining may take long", q.Total), evidence, "Find out what they wait for.")
			}
			return pass("Little mail waits in the queues", evidence)
		},
	},
	{
		Name: "certificates", Words: "Certificates in use have a private key and are valid still", Source: "founding document (\"Maschinenzertifikate\"); the article behind its link is not to be had",
		Severity: Blocker, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack}, Roles: []string{clientAccess, hubTransport, um, edge}, Needs: []string{"certificates"}, test: ruleCertificates,
	},
}

func ruleCertificates(s Subject) verdict {
	const remedy = "Renew it and enable the new one for the same services (Enable-ExchangeCertificate)."
	var bad, soon []string
	for _, c := range s.Facts.Certificates.Value {
		if len(c.Services) == 0 {
			continue
		}
		name := fmt.Sprintf("%s for %s", c.Thumbprint, list(c.Services))
		end, err := time.Parse(time.RFC3339, c.NotAfter)
		switch {
		case err != nil:
			return unread("How long a certificate is valid was not understood", name+" "+c.NotAfter, remedy)
		case !c.PrivateKey:
			bad = append(bad, name+" has no private key")
		case !end.After(s.Now):
			bad = append(bad, name+" ended "+utcWords(c.NotAfter))
		case end.Sub(s.Now) < time.Duration(s.Policy.Of(CertificateDays))*24*time.Hour:
			soon = append(soon, name+" ends "+utcWords(c.NotAfter))
		}
	}
	switch evidence := count(len(s.Facts.Certificates.Value), "certificate", "certificates"); {
	case len(bad) > 0:
		return blocks("Certificates in use are not valid: "+list(bad), evidence, remedy)
	case len(soon) > 0:
		return warns("Certificates in use end soon: "+list(soon), evidence, remedy)
	default:
		return pass("Certificates in use are valid", evidence)
	}
}

// clientRules ask for what clients use.
var clientRules = []Rule{
	{
		Name: "pop3-imap4", Words: "POP3 and IMAP4 are set as Setup sets them", Source: "founding document (\"POP3/IMAP4 Sicherheit wieder auf Default\"); topic b098b991 of the Exchange help",
		Severity: Info, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack}, Roles: []string{clientAccess}, Needs: []string{"pop3", "imap4"},
		test: func(s Subject) verdict {
			evidence := fmt.Sprintf("POP3 %s, IMAP4 %s", s.Facts.POP3.Value.LoginType, s.Facts.IMAP4.Value.LoginType)
			if s.Facts.POP3.Value.LoginType == "" || s.Facts.IMAP4.Value.LoginType == "" {
				return notes("How POP3 and IMAP4 let people log in cannot be asked before SP1, and Setup sets it anew", evidence, "The runbook keeps their configuration files; compare them afterwards.")
			}
			if !strings.EqualFold(s.Facts.POP3.Value.LoginType, "SecureLogin") || !strings.EqualFold(s.Facts.IMAP4.Value.LoginType, "SecureLogin") {
				return notes("POP3 or IMAP4 allows weaker logins, which Setup takes back", evidence, "The runbook puts the values back after Setup.")
			}
			return pass("POP3 and IMAP4 are set as Setup sets them", evidence)
		},
	},
}

// umRules ask for Unified Messaging.
var umRules = []Rule{
	{
		Name: "um-language-packs", Words: "No Unified Messaging language pack but en-US is installed", Source: "founding document; Setup's rule AdditionalUMLangPackExists (MicrosoftDocs, readiness rules)",
		Severity: Blocker, Unknown: Warning, Kinds: []string{ServicePack}, Roles: []string{um}, Needs: []string{"um_packs"}, test: rulePacks,
	},
	{
		Name: "um-packs-in-media", Words: "The media holds the Unified Messaging language packs that come back in",
		Source:   "founding document (packs are added again after the service pack); Microsoft's table of Unified Messaging languages (those of RTM fit no service pack)",
		Severity: Warning, Unknown: Info, Waivable: true, Kinds: []string{ServicePack}, Roles: []string{um}, Needs: []string{"um_packs"}, test: rulePacksInMedia,
	},
	{
		Name: "um-default-language", Words: "No dial plan speaks a language whose pack has to leave", Source: "remembered: the default language has to be another before a pack is removed",
		Severity: Warning, Unknown: Info, Waivable: true, Kinds: []string{ServicePack}, Roles: []string{um}, Needs: []string{"um"},
		test: func(s Subject) verdict {
			var speak []string
			for plan, culture := range s.Facts.UM.Value.DefaultLanguages {
				if !strings.EqualFold(culture, "en-US") {
					speak = append(speak, plan+" "+culture)
				}
			}
			slices.Sort(speak)
			if len(speak) > 0 {
				return warns("Dial plans speak a language whose pack has to leave for the while of Setup: "+list(speak), "", "Callers hear English meanwhile; where the pack does not leave, set the dial plan's default language to en-US first.")
			}
			return pass("No dial plan speaks a language whose pack has to leave", "")
		},
	},
	{
		Name: "um-calls", Words: "No call is under way", Source: "Disable-UMServer (Exchange help): calls under way end first",
		Severity: Warning, Unknown: Info, Waivable: true, Kinds: []string{ServicePack, Rollup}, Roles: []string{um}, Needs: []string{"um"},
		test: func(s Subject) verdict {
			if n := s.Facts.UM.Value.Calls; n > 0 {
				return warns(count(n, "call is", "calls are")+" under way", s.Facts.UM.Value.Status, "The runbook takes no new ones and waits for these to end.")
			}
			return pass("No call is under way", s.Facts.UM.Value.Status)
		},
	},
}

// otherPacks are the language packs that have to leave before a service pack.
func otherPacks(packs []string) []string {
	var out []string
	for _, p := range packs {
		if !strings.EqualFold(p, "en-US") {
			out = append(out, p)
		}
	}
	return out
}

// rulePacks: a server with the role and no pack at all is one whose registry was
// not understood: the key is known from later versions of Exchange only.
func rulePacks(s Subject) verdict {
	const remedy = "Setup.com /RemoveUmLanguagePack for each, and record which they were."
	packs := s.Facts.UMPacks.Value
	if len(packs) == 0 && s.Server.Has(exchange.UnifiedMessaging) {
		return unread("Which Unified Messaging language packs are installed could not be read; Setup refuses to begin while one other than en-US is",
			fmt.Sprintf("no pack in the registry; the inventory names %d: %s", len(s.Server.UMLanguages), list(s.Server.UMLanguages)), remedy)
	}
	switch more := otherPacks(packs); {
	case len(more) == 0:
		return pass("No Unified Messaging language pack is in the way", list(packs))
	case s.RemovesPacks:
		return warns("Unified Messaging language packs are taken out before Setup and those of the new level brought in after it, which costs time: "+list(more), list(packs), "")
	default:
		return blocks("Unified Messaging language packs have to be removed first: "+list(more), list(packs), remedy)
	}
}

// rulePacksInMedia: the packs that leave come back from the media alone, since
// those of the installed level do not fit the new one.
func rulePacksInMedia(s Subject) verdict {
	more := otherPacks(s.Facts.UMPacks.Value)
	evidence := fmt.Sprintf("installed %s; in the media %s", orNone(list(more)), orNone(list(s.Media.Packs.Value)))
	switch {
	case len(more) == 0:
		return pass("No Unified Messaging language pack has to come back in", "")
	case !s.Media.Packs.Known:
		return unread("Which Unified Messaging language packs the media holds is not known yet", "installed "+list(more), "Check the server again when the media is on the host.")
	}
	lacking := slices.DeleteFunc(more, func(culture string) bool { return containsFold(s.Media.Packs.Value, culture) })
	if len(lacking) > 0 {
		return warns("The media holds no Unified Messaging language pack "+list(lacking)+": Unified Messaging speaks without it after the upgrade", evidence,
			"Register media that hold the language packs of this service pack beside Setup, or add each by hand afterwards (Setup.com /AddUmLanguagePack); one of an older level does not fit.")
	}
	return pass("The media holds the Unified Messaging language packs that come back in", evidence)
}
