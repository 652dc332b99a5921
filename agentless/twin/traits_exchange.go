package twin

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// storeKey is the information store's key.
const storeKey = servicesKey + `\MSExchangeIS`

// exchangeTraits are what differs of Exchange on the host.
var exchangeTraits = []trait{
	{name: "um-pack", words: "a Unified Messaging language pack beside en-US: um-pack=de-DE", shape: func(h *host, culture string) error {
		h.putPack(culture, h.build())
		return nil
	}},
	{name: "streaming-backup", words: "remote streaming backup is switched: streaming-backup=1", shape: func(h *host, value string) error {
		h.regPut(storeKey+`\ParametersSystem`, dword("Enable Remote Streaming Backup", uint32(atoi(value))))
		return nil
	}},
	{name: "streaming-wrong-key", words: "the founding document's second spelling was imported: a key ParametersSystem/Enable with a value that does nothing", shape: func(h *host, _ string) error {
		h.regPut(storeKey+`\ParametersSystem/Enable`, dword("Remote Streaming Backup", 1))
		return nil
	}},
	{name: "patch", words: "a patch of Exchange: patch=Update Rollup 4 for Exchange Server 2007 (KB940006)", shape: func(h *host, name string) error {
		h.addPatch(name, h.state.Installed.AddDate(0, 6, 0), true)
		return nil
	}},
	{name: "patch-not-cached", words: "the same, and its cached .msp is gone (KB2784788)", shape: func(h *host, name string) error {
		h.addPatch(name, h.state.Installed.AddDate(0, 6, 0), false)
		return nil
	}},
	{name: "interim-update", words: "an interim update, which blocks service packs and rollups (the Exchange team on SP2)", shape: func(h *host, _ string) error {
		h.addPatch("Interim Update for Exchange Server 2007 (KB940012)", h.state.Installed.AddDate(0, 5, 0), true)
		return nil
	}},
	{name: "exsetup-version", words: "ExSetup.exe is of another build than the role keys say: exsetup-version=8.1.291.2", shape: func(h *host, version string) error {
		h.versionFile(h.platform.installPath()+`bin\ExSetup.exe`, version, "Microsoft Corporation")
		return nil
	}},
	{name: "forefront", words: "Forefront Security for Exchange Server (technet bb795071; the Exchange team's script); forefront=deaf: its fscutility does nothing and ends with 0; forefront=grumbling: it works and ends with 3", shape: func(h *host, how string) error {
		folder := `C:\Program Files (x86)\Microsoft Forefront Security\Exchange Server\`
		h.regPut(`HKLM\SOFTWARE\Wow6432Node\Microsoft\Forefront Server Security\Exchange Server`, text("InstalledPath", folder))
		h.makeFolder(folder[:len(folder)-1])
		h.writeFile(folder+`fscutility.exe`, []byte("MZ fscutility "+how))
		for _, name := range []string{"FSCController", "FSCMonitor", "FSCStatisticsService", "FSCEventing"} {
			h.addService(&service{Name: name, Display: "Microsoft Forefront Server Security " + name[3:], Path: `"` + folder + name + `.exe"`, Account: "LocalSystem", StartMode: automatic})
		}
		h.addService(&service{Name: "FSEIMC", Display: "Microsoft Forefront Server Security for Exchange IMC", Path: `"` + folder + `FSEIMC.exe"`, Account: "LocalSystem", StartMode: automatic, DependsOn: []string{"FSCController"}})
		for exchange, its := range forefrontNeeded { // its installation makes them need it
			if s := h.service(exchange); s != nil {
				s.DependsOn = append(s.DependsOn[:len(s.DependsOn):len(s.DependsOn)], its)
			}
		}
		return nil
	}},
	{name: "poisoned-mail", words: "messages lie in the poison queue: poisoned-mail=30", shape: func(h *host, n string) error {
		h.acts().Poison = atoi(n)
		return nil
	}},
	{name: "connector-fqdn", words: "the default receive connector has another FQDN than the server (topic 2e6d2fc3): connector-fqdn=mail.contoso.com", shape: func(h *host, fqdn string) error {
		if len(h.world().Connectors) == 0 {
			return fmt.Errorf("no receive connectors here")
		}
		h.world().Connectors[0].FQDN = fqdn
		return nil
	}},
	{name: "connector-name", words: "a receive connector has a name: connector-name=contoso.com (the founding document's)", shape: func(h *host, name string) error {
		h.world().Connectors = append(h.world().Connectors, worldConnector{name, h.fqdn(), "Tls", []string{"10.0.0.4:25"}})
		return nil
	}},
	{name: "smtp-domain", words: "the organization accepts mail of a domain: smtp-domain=cas1.contoso.com", shape: func(h *host, domain string) error {
		h.world().Domains = append(h.world().Domains, domain)
		return nil
	}},
	{name: "address-policy", words: "an e-mail address policy gives addresses of a domain: address-policy=cas1.contoso.com", shape: func(h *host, domain string) error {
		h.world().Templates = append(h.world().Templates, "smtp:%m@"+domain)
		return nil
	}},
	{name: "certificate-ends", words: "the certificate ends in so many days: certificate-ends=-3", shape: func(h *host, days string) error {
		n, err := strconv.Atoi(days)
		h.world().Certificates[0].NotAfter = time.Now().UTC().AddDate(0, 0, n).Truncate(time.Second)
		return err
	}},
	{name: "certificate-none", words: "no certificate serves SMTP", shape: func(h *host, _ string) error {
		h.world().Certificates[0].Services = "None"
		return nil
	}},
	{name: "certificate-no-key", words: "the certificate lacks its private key", shape: func(h *host, _ string) error {
		h.world().Certificates[0].PrivateKey = false
		return nil
	}},
	{name: "certificate-names", words: "the certificate is not for the server's name", shape: func(h *host, _ string) error {
		h.world().Certificates[0].Names = []string{"mail.contoso.com"}
		h.world().Certificates[0].Subject = "CN=mail.contoso.com"
		return nil
	}},
	{name: "agent", words: "a transport agent of another maker: agent=Example Archive Agent", shape: func(h *host, name string) error {
		path := h.platform.programFiles() + `\Example\agent.dll`
		h.versionFile(path, "1.0.0.0", "Example Software")
		h.world().Agents = append(h.world().Agents, worldAgent{name, true, 1 + len(h.world().Agents), path})
		return nil
	}},
	{name: "um-default-language", words: "the dial plan speaks another language: um-default-language=de-DE", shape: func(h *host, culture string) error {
		h.world().Plans["Main Dial Plan"] = culture
		return nil
	}},
	{name: "backup-age", words: "so many hours ago the last full backup ended; never when 0", shape: func(h *host, hours string) error {
		return h.shapeDatabases(func(d *worldDatabase) {
			d.LastFull = time.Time{}
			if n := atoi(hours); n > 0 {
				d.LastFull = time.Now().UTC().Add(-time.Duration(n) * time.Hour).Truncate(time.Second)
			}
		})
	}},
	{name: "backup-running", words: "a backup runs", shape: func(h *host, _ string) error {
		return h.shapeDatabases(func(d *worldDatabase) { d.Running = true })
	}},
	{name: "dismounted", words: "the databases are not mounted", shape: func(h *host, _ string) error {
		return h.shapeDatabases(func(d *worldDatabase) { d.Mounted = false })
	}},
	{name: "no-public-folders", words: "the server has no public folder database", shape: func(h *host, _ string) error {
		h.world().Databases = slices.DeleteFunc(h.world().Databases, func(d worldDatabase) bool { return d.Public })
		return nil
	}},
	{name: "no-oab", words: "the server generates no offline address book", shape: func(h *host, _ string) error {
		h.world().Books = nil
		return nil
	}},
	{name: "oab-orphaned", words: "an offline address book whose server was deleted (readiness rule OffLineABServerDeleted)", shape: func(h *host, _ string) error {
		h.world().Books = append(h.world().Books, worldBook{"Old Address Book", "OLDMBX DEL:7f1c", "CN=OLDMBX\\0ADEL:7f1c,CN=Deleted Objects,CN=Configuration"})
		return nil
	}},
	{name: "static-dc", words: "Exchange was told which domain controller to use: static-dc=dc2.lab.test", shape: func(h *host, dc string) error {
		h.world().Config, h.world().Controllers = dc, []string{dc}
		return nil
	}},
	{name: "cmdlet-fails", words: "cmdlets of one part of exchange-look fail: cmdlet-fails=books", shape: func(h *host, part string) error {
		h.world().Broken[part] = "System.InvalidOperationException 80131509"
		return nil
	}},
	{name: "crl-unreachable", words: "the revocation list cannot be reached (KB944752); with a WebExceptionStatus: crl-unreachable=1"},
	{name: "revocation-off", words: "the run-as account does not check for revocation any more, as an upgrade that died leaves it", shape: func(h *host, _ string) error {
		h.regPut(`HKU\`+sidRunAs+`\`+publisherKey, dword("State", publisherDefault|publisherNoCheck))
		return nil
	}},
	{name: "unpacked", words: "a role's files are of another build than it is configured at: unpacked=8.1.240.6", shape: func(h *host, build string) error {
		h.regPut(exchangeRoot+`\`+h.roleKeys()[len(h.roleKeys())-1], text("UnpackedVersion", build))
		return nil
	}},
	{name: "copy-queue", words: "so many logs wait to be copied and replayed from this node: copy-queue=11:51"},
	{name: "copy-status", words: "the copy of the server on this node is in another state: copy-status=Suspended"},
	{name: "groups-first", words: "the groups of the cluster itself are on its first node, not on the last"},
	{name: "cms-offline", words: "the clustered mailbox server on this node is offline"},
	{name: "install-path-elsewhere", words: "the folder stands in Exchange\\Setup only, where other scripts look for it", shape: func(h *host, _ string) error {
		h.regForget(exchangeRoot+`\Setup`, "MsiInstallPath")
		return nil
	}},
	{name: "interrupted-setup", words: "a role key holds Action and Watermark: an earlier Setup did not finish (the founding document; Exchange team on watermarks)", shape: func(h *host, action string) error {
		if action == "" {
			action = upgradeMode
		}
		key := exchangeRoot + `\` + h.roleKeys()[len(h.roleKeys())-1]
		h.regPut(key, text("Action", action))
		h.regPut(key, text("Watermark", "fdfe6b1a"))
		return nil
	}},
}

// shapeDatabases changes every database of the server.
func (h *host) shapeDatabases(change func(*worldDatabase)) error {
	w := h.world()
	if len(w.Databases) == 0 {
		return fmt.Errorf("there are no databases here")
	}
	for i := range w.Databases {
		change(&w.Databases[i])
	}
	return nil
}
