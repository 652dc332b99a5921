package preflight

import (
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// tripCase is a subject that does not trip a rule and one that does; they differ
// in one value.
type tripCase struct {
	rule      string
	near      said // over the healthy facts
	trip      said // over near
	nearDo    func(*Subject)
	tripDo    func(*Subject)
	node      bool   // of a cluster
	pkg       string // default sp1
	organizes bool
	severity  Severity // when it trips; default the rule's
}

func (c tripCase) subjects() (near, trip Subject) {
	base := healthy
	if c.node {
		base = with(healthy, node)
	}
	build := func(facts said, more func(*Subject)) Subject {
		s := subject(facts)
		if c.node {
			clustered(&s)
		}
		if c.pkg != "" {
			s.Package = packageNamed(c.pkg)
		}
		s.Organizing = c.organizes
		for _, do := range []func(*Subject){c.nearDo, more} {
			if do != nil {
				do(&s)
			}
		}
		return s
	}
	facts := with(base, c.near)
	return build(facts, nil), build(with(facts, c.trip), c.tripDo)
}

// swap is a fact of the healthy host, or node, with one part changed.
func swap(name, old, new string) said {
	value := with(healthy, node)[name]
	if value == "" || !strings.Contains(value, old) {
		panic(fmt.Sprintf("fact %s has no %s", name, old))
	}
	if _, host := healthy[name]; host && name != "roles" && name != "cluster_member" {
		value = healthy[name]
	}
	return said{name: strings.Replace(value, old, new, 1)}
}

func roles(list ...exchange.Role) func(*Subject) {
	return func(s *Subject) { s.Server.Roles = list }
}

var trips = []tripCase{
	{rule: "reachable", tripDo: func(s *Subject) { s.Unread = true }},
	{rule: "facts-fresh", nearDo: func(s *Subject) { s.Now = noon.Add(23 * time.Hour) }, tripDo: func(s *Subject) { s.Now = noon.Add(23*time.Hour + time.Second) }},
	{rule: "facts-understood", tripDo: func(s *Subject) { s.Unreadable = []string{"fact disks: ..."} }},
	{rule: "wmi", tripDo: func(s *Subject) { s.WithoutWMI = []string{"services: sc.exe"} }},
	{rule: "windows", trip: said{"os_service_pack": `1`}},
	{rule: "windows", pkg: "rtm-ru7", near: said{"os_service_pack": `1`}, trip: said{"os_service_pack": `0`}},
	{rule: "windows", near: said{"os": `"2008"`}, trip: said{"os": `"2008R2"`}},
	{rule: "windows", pkg: "sp2", near: said{"os": `"2008"`}, trip: said{"os": `"6.2.9200"`}},
	{rule: "windows", near: said{"os": `"2008"`}, tripDo: func(s *Subject) { s.Package = packageNamed("rtm-ru7") }},
	{rule: "windows", near: said{"os": `"2008R2"`}, nearDo: func(s *Subject) { s.Package = packageNamed("sp3") }, tripDo: func(s *Subject) { s.Package = packageNamed("sp2") }},
	{rule: "system-drive", trip: said{"system_drive": `"D:"`}},
	{rule: "windows-updates", near: swap("windows_updates", "2010-07-14", "2010-02-03"), trip: swap("windows_updates", "2010-07-14", "2010-02-02")},
	{rule: "windows-updates", near: swap("windows_updates", "2010-07-14", "2015-06-10"), nearDo: func(s *Subject) { s.Now = noon.AddDate(16, 0, 0) }, trip: swap("windows_updates", "2010-07-14", "2014-06-10")},
	{rule: "windows-updates", near: swap("windows_updates", "2010-07-14", "2026-02-04"), nearDo: func(s *Subject) { s.Now = noon.AddDate(16, 0, 0) }, trip: swap("windows_updates", "2010-07-14", "2026-02-02")},
	{rule: "x86", near: said{"arch": `"amd64"`}, trip: said{"arch": `"x86"`}},
	{rule: "memory", near: said{"memory_mb": `2048`}, trip: said{"memory_mb": `2047`}},
	{rule: "disk", near: swap("disks", "40000000000", "1468006400"), trip: swap("disks", "40000000000", "1468006399")},
	{rule: "disk", near: with(swap("disks", "40000000000", "1468006400"), said{"um_packs": `["en-US"]`}), trip: said{"um_packs": `["de-DE"]`}},
	{rule: "disk", near: swap("disks", "40000000000", "3000000000"), tripDo: func(s *Subject) { s.Policy = Policy{InstallDisk: 4000} }},
	{rule: "clock", near: said{"clock_offset_seconds": `-300`}, trip: said{"clock_offset_seconds": `-301`}},
	{rule: "clock", near: said{"clock_offset_seconds": `300`}, trip: said{"clock_offset_seconds": `301`}},

	{rule: "dotnet20-sp1", trip: said{"dotnet20_sp": `0`}},
	{rule: "dotnet20-sp1", organizes: true, trip: said{"dotnet20_sp": `null`}},
	{rule: "time-zone-update", trip: swap("time_zone_data", currentTZI, oldTZI)},
	{rule: "windows-installer", pkg: "sp2", near: said{"windows_installer": `"4.5.6001.22159"`}, trip: said{"windows_installer": `"4.4.6001.22159"`}},
	{rule: "windows-installer", pkg: "sp3", organizes: true, near: said{"windows_installer": `"5.0.7600.16385"`}, trip: said{"windows_installer": `"3.1.4000.4039"`}},
	{rule: "powershell", trip: swap("powershell", "true", "false")},
	{rule: "powershell2", trip: swap("powershell", "1.0", "2.0")},
	{rule: "powershell2", near: swap("powershell", "1.0", "2.0"), nearDo: func(s *Subject) { s.Package = packageNamed("sp2") }, tripDo: func(s *Subject) { s.Package = packageNamed("sp1") }},
	{rule: "no-wmf3", near: said{"hotfixes": `["KB25061460"]`}, trip: said{"hotfixes": `["KB2506146"]`}},
	{rule: "no-wmf3", near: swap("powershell", "1.0", "2.0"), nearDo: func(s *Subject) { s.Package = packageNamed("sp3") }, trip: swap("powershell", "1.0", "3.0")},
	{rule: "mmc3", near: said{"mmc": `"5.2.3790.2560"`}, trip: said{"mmc": `"5.2.3790.1830"`}},
	{rule: "mmc3", near: said{"mmc": `"3.0.0.0"`}, trip: said{"mmc": `"2.0.0.0"`}},
	{rule: "certificate-sia", near: said{"os": `"2008"`, "os_service_pack": `2`}, trip: said{"os_service_pack": `1`}},

	{rule: "services", tripDo: func(s *Subject) { s.Server.Services = []string{"EUQ_Monitor"} }},
	{rule: "msdtc", trip: swap("services", `"MSDTC","state":"Running"`, `"MSDTC","state":"Stopped"`)},
	{rule: "com-event-system", trip: swap("services", `"EventSystem","state":"Running"`, `"EventSystem","state":"Stopped"`)},
	{rule: "w3svc", near: swap("services", `"W3SVC","state":"Running","start_mode":"Auto"`, `"W3SVC","state":"Running","start_mode":"Manual"`), trip: swap("services", `"W3SVC","state":"Running","start_mode":"Auto"`, `"W3SVC","state":"Running","start_mode":"Disabled"`)},
	{rule: "iis", trip: swap("iis", "6", "0")},
	{rule: "iis", near: said{"os": `"2008"`, "iis": `{"version":7,"components":["Metabase","LegacySnapin","BasicAuthentication","DigestAuthentication","WindowsAuthentication","HttpCompressionDynamic"],"wow32":false}`}, trip: said{"iis": `{"version":7,"components":["Metabase","LegacySnapin","BasicAuthentication","DigestAuthentication","WindowsAuthentication","HttpCompressionStatic"],"wow32":false}`}},
	{rule: "iis-64bit", trip: swap("iis", `"wow32":false`, `"wow32":true`)},
	{rule: "foreign-services", near: swap("foreign_services", `"name":"ScanMail_Master"`, `"name":"scanmail_master"`), trip: swap("foreign_services", `"name":"ScanMail_Master"`, `"name":"EUQ_Monitor"`)},
	{rule: "monitoring", trip: swap("services", `"MOM","state":"Stopped"`, `"MOM","state":"Running"`)},

	{rule: "interrupted-setup", trip: swapRole(`"watermark":""`, `"watermark":"fdfe6b1a"`)},
	{rule: "interrupted-setup", trip: swapRole(`"action":""`, `"action":"BuildToBuildUpgrade"`)},
	{rule: "files-configured", trip: swapRole(`"unpacked":"8.0.685.25"`, `"unpacked":"8.1.240.6"`)},
	{rule: "no-other-setup", trip: said{"setup_processes": `[{"pid":77,"parent":1,"name":"ExSetup.exe","command_line":"","session":2}]`}},
	{rule: "pending-restart", trip: said{"pending_restart": `["file-rename"]`}},
	{rule: "sessions", trip: said{"sessions": `[{"id":2,"user":"LAB\\admin"}]`}},
	{rule: "cached-patches", trip: swap("patches", `"cached":true`, `"cached":false`)},
	{rule: "cached-patches", near: with(swap("patches", `"cached":true`, `"cached":false`), said{"patches": strings.Replace(strings.Replace(healthy["patches"], `"cached":true`, `"cached":false`, 1), `"state":1`, `"state":2`, 1)}), trip: swap("patches", `"cached":true`, `"cached":false`)},
	{rule: "interim-updates", trip: swap("patches", "KB953469) 8.0.813.0", "KB949858) 8.0.783.9")},

	{rule: "fqdn", trip: swap("domain", `"dns_suffix":"lab.test"`, `"dns_suffix":""`)},
	{rule: "fqdn", near: said{"receive_connectors": `[]`}, trip: said{"fqdn": `"all1"`}},
	{rule: "fqdn-is-no-smtp-domain", near: said{"smtp_domains": `["lab.test"]`}, trip: said{"smtp_domains": `["All1.lab.test"]`}},
	{rule: "domain-member", trip: swap("domain", `"member":true`, `"member":false`)},
	{rule: "single-label-domain", trip: swap("domain", `"single_label":false`, `"single_label":true`)},
	{rule: "single-label-domain", organizes: true, trip: said{OfOrganization + "single_label": `true`}},
	{rule: "no-rodc", trip: swap("domain_controller", `"read_only":false`, `"read_only":true`)},
	{rule: "static-controller", near: swap("static_dc", `"config":""`, `"config":"dc1.lab.test"`), nearDo: func(s *Subject) { s.Controller = "DC1" }, trip: swap("static_dc", `"config":""`, `"config":"dc2.lab.test"`)},

	{rule: "media", tripDo: func(s *Subject) { s.Media.Right = false }},
	{rule: "language", tripDo: func(s *Subject) { s.Media.Language = "de-DE" }},
	{rule: "language", trip: said{"language": `"de-DE"`}, severity: Warning},
	{rule: "architecture", trip: said{"arch": `"ia64"`}},
	{rule: "architecture", tripDo: func(s *Subject) { s.Server.Arch = "x86" }},

	{rule: "organization-prepared", tripDo: func(s *Subject) { s.Prepared = false }},
	{rule: "organization-versions", trip: said{OfOrganization + "schema": `11115`}},
	{rule: "organization-versions", trip: said{OfOrganization + "organization": `10666`}},
	{rule: "organization-versions", trip: said{OfOrganization + "domains": `[{"name":"lab.test","version":10628,"prepared_2003":false}]`}},
	{rule: "organization-replicated", trip: said{OfOrganization + "replication": `{"checked_at":"2010-08-02T11:00:00Z","behind":["DC2"]}`}},
	{rule: "exchange-2003-sp2", trip: swap(OfOrganization+"exchange_2003", `"sp2":true`, `"sp2":false`)},
	{rule: "exchange-2000", organizes: true, trip: said{OfOrganization + "exchange_2000": `[{"name":"OLD0","version":"6.0.6249.4","sp2":false}]`}},
	{rule: "schema-master", organizes: true, trip: said{"ad_site": `"Branch"`}},
	{rule: "schema-master", organizes: true, trip: swap(OfOrganization+"schema_master", `"domain":"lab.test"`, `"domain":"root.test"`)},

	{rule: "build", nearDo: func(s *Subject) { s.Package.Target = exchange.Build{Major: 8, Minor: 0, Build: 685, Revision: 25} }, tripDo: func(s *Subject) {
		s.Package.Target = exchange.Build{Major: 8, Minor: 0, Build: 684, Revision: 25}
	}},
	{rule: "build", pkg: "rtm-ru6", near: said{"exsetup_version": `"8.0.783.2"`}, trip: said{"exsetup_version": `"8.0.813.0"`}},
	{rule: "rollup-level", nearDo: func(s *Subject) { s.Package = packageNamed("rtm-ru7") }, tripDo: func(s *Subject) { s.Package = packageNamed("sp1-ru1") }},
	{rule: "second-package", nearDo: func(s *Subject) { p := packageNamed("sp1-ru10"); s.Then = &p }, tripDo: func(s *Subject) { p := packageNamed("sp2-ru1"); s.Then = &p }},
	{rule: "package-withdrawn", pkg: "sp3", nearDo: func(s *Subject) { p := packageNamed("sp3-ru3-v2"); s.Then = &p }, tripDo: func(s *Subject) { p := packageNamed("sp3-ru3"); s.Then = &p }},
	{rule: "roles", tripDo: roles(exchange.ClientAccess, exchange.HubTransport, exchange.Mailbox)},
	{rule: "roles", nearDo: roles(exchange.HubTransport), near: said{"roles": `{"HubTransport":` + rtmKey + `}`}, tripDo: roles(exchange.Mailbox)},
	{rule: "edge-alone", nearDo: roles(exchange.EdgeTransport), tripDo: roles(exchange.EdgeTransport, exchange.HubTransport)},

	{rule: "backup-recent", near: swap("backups", "2010-08-01T12:00:00Z", "2010-08-01T12:00:00Z"), trip: swap("backups", "2010-08-01T12:00:00Z", "2010-08-01T11:59:59Z")},
	{rule: "backup-recent", trip: swap("backups", "2010-08-01T12:00:00Z", "")},
	{rule: "backup-recent", trip: swap("databases", "DB1", "DB2")},
	{rule: "no-backup-running", trip: swap("backups", `"running":false`, `"running":true`)},
	{rule: "databases-mounted", trip: swap("databases", `"mounted":true`, `"mounted":false`)},
	{rule: "streaming-backup-key", trip: swap("streaming_backup", "false", "true")},
	{rule: "streaming-backup-on", node: true, trip: swap("streaming_backup", "1", "0")},
	{rule: "public-folders-elsewhere", nearDo: func(s *Subject) { s.Fleet.PublicFolders = []string{"ALL1"} }, trip: swap("databases", `"public":false`, `"public":true`)},
	{rule: "public-folders-elsewhere", near: swap("databases", `"public":false`, `"public":true`), nearDo: func(s *Subject) { s.Fleet.PublicFolders = []string{"PF1"} }, tripDo: func(s *Subject) { s.Fleet.PublicFolders = []string{"all1"} }},
	{rule: "offline-address-books", trip: swap("oab", `"generates":[]`, `"generates":["Default"]`)},
	{rule: "offline-address-book-server", trip: swap("oab", `"orphaned":[]`, `"orphaned":["Old"]`)},

	{rule: "receive-connector-fqdn", near: swap("receive_connectors", `"fqdn":"all1.lab.test"`, `"fqdn":"ALL1"`), trip: swap("receive_connectors", `"fqdn":"all1.lab.test"`, `"fqdn":"mail.contoso.com"`)},
	{rule: "receive-connector-fqdn", near: said{"receive_connectors": `[{"name":"In","fqdn":"mail.contoso.com","auth":["Tls"],"bindings":[]}]`}, trip: said{"receive_connectors": `[{"name":"In","fqdn":"mail.contoso.com","auth":["ExchangeServer"],"bindings":[]}]`}},
	{rule: "receive-connector-name", near: swap("receive_connectors", "Default ALL1", "lab.example"), trip: swap("receive_connectors", "Default ALL1", "lab.test")},
	{rule: "receive-connector-name", near: swap("receive_connectors", "Default ALL1", "Contoso"), trip: swap("receive_connectors", "Default ALL1", "contoso.com")},
	{rule: "transport-agents", trip: swap("transport_agents", `"microsoft":true`, `"microsoft":false`)},
	{rule: "transport-queue", trip: swap("queues", "500", "501")},
	{rule: "certificates", near: swap("certificates", "2011-08-02T12:00:00Z", "2010-08-16T12:00:00Z"), trip: swap("certificates", "2011-08-02T12:00:00Z", "2010-08-16T11:59:59Z"), severity: Warning},
	{rule: "certificates", trip: swap("certificates", "2011-08-02T12:00:00Z", "2010-08-02T12:00:00Z")},
	{rule: "certificates", trip: swap("certificates", `"private_key":true`, `"private_key":false`)},
	{rule: "pop3-imap4", trip: swap("imap4", "SecureLogin", "PlainTextLogin")},
	{rule: "um-language-packs", near: said{"um_packs": `["EN-us"]`}, trip: said{"um_packs": `["de-DE"]`}},
	{rule: "um-packs-in-media", near: said{"um_packs": `["en-US","de-DE"]`}, tripDo: func(s *Subject) { s.Media.Packs.Value = []string{"fr-FR"} }},
	{rule: "um-default-language", trip: swap("um", `"Plan":"en-US"`, `"Plan":"de-DE"`)},
	{rule: "um-calls", trip: swap("um", `"calls":0`, `"calls":1`)},

	{rule: "forefront", trip: said{"forefront": `{"installed":true,"version":"10.0.0566.0","services":[]}`}, near: said{"forefront": `{"installed":true,"version":"10.1.0746.0","services":[]}`}},
	{rule: "forefront", node: true, near: said{"forefront": `{"installed":false,"version":"11.0","services":[]}`}, trip: said{"forefront": `{"installed":true,"version":"11.0","services":[]}`}},
	{rule: "firewall", near: said{"firewall": `{"service":"MpsSvc","state":"Running","start":"Auto","enabled":{"domain":true,"standard":true,"public":true}}`}, trip: said{"firewall": `{"service":"MpsSvc","state":"Stopped","start":"Auto","enabled":{"domain":true,"standard":true,"public":true}}`}},
	{rule: "firewall", near: said{"firewall": `{"service":"MpsSvc","state":"Stopped","start":"Auto","enabled":{"domain":false,"standard":false,"public":false}}`}, trip: said{"firewall": `{"service":"MpsSvc","state":"Stopped","start":"Auto","enabled":{"domain":false,"standard":false,"public":null}}`}},
	{rule: "firewall", near: said{"firewall": `{"service":"SharedAccess","state":"Stopped","start":"Disabled","enabled":{"domain":false,"standard":false,"public":null}}`}, trip: said{"firewall": `{"service":"SharedAccess","state":"Stopped","start":"Disabled","enabled":{"domain":null,"standard":false,"public":null}}`}},
	{rule: "revocation", near: swap("revocation", `"ms":120`, `"ms":15000`), trip: swap("revocation", `"ms":120`, `"ms":15001`)},
	{rule: "revocation", trip: swap("revocation", `"crl":"ok","ms":90`, `"crl":"error 80072EE7","ms":90`)},
	{rule: "canary", tripDo: func(s *Subject) { s.Canary.LDAP = "error x" }},
	{rule: "canary", nearDo: roles(exchange.EdgeTransport), tripDo: func(s *Subject) { s.Canary.Elevated = false }},
	{rule: "canary", tripDo: func(s *Subject) { s.Canary.Hive = ".DEFAULT" }},
	{rule: "organization-rights", organizes: true, tripDo: func(s *Subject) { s.Canary.SIDs[1] = "S-1-5-21-1-2-3-512" }},

	{rule: "cluster-node", node: true, trip: swap("cluster_member", `"service":"Running"`, `"service":"Stopped"`)},
	{rule: "cluster-not-standalone", near: said{"cluster_member": `{"member":false,"name":"CLU1","service":"Running"}`}, trip: said{"cluster_member": `{"member":true,"name":"CLU1","service":"Running"}`}},
	{rule: "cluster-as-listed", node: true, trip: swap("cluster", `"name":"NODEB"`, `"name":"NODEC"`)},
	{rule: "cluster-as-listed", node: true, trip: swap("cluster", `"kind":"CCR"`, `"kind":"SCC"`)},
	{rule: "cluster-only-mailbox", node: true, trip: said{"roles": `{"ClientAccess":` + rtmKey + `,"Mailbox":` + rtmKey + `}`}},
	{rule: "cluster-passive", node: true, trip: swap("cluster", `"state":"Online","owner":"NODEA","nodes"`, `"state":"Online","owner":"NODEB","nodes"`)},
	{rule: "cluster-groups", node: true, trip: swap("cluster", `"owner":"NODEA","state"`, `"owner":"nodeb.lab.test","state"`)},
	{rule: "cluster-nodes-up", node: true, trip: swap("cluster", `"name":"NODEA","state":"Up"`, `"name":"NODEA","state":"Paused"`)},
	{rule: "cluster-online", node: true, trip: swap("cluster", `"name":"CMS1","state":"Online"`, `"name":"CMS1","state":"PartiallyOnline"`)},
	{rule: "cluster-copies", node: true, trip: swap("cluster", "Healthy", "Suspended")},
	{rule: "cluster-copy-queues", node: true, trip: swap("cluster", `"copy_queue":10`, `"copy_queue":11`)},
	{rule: "cluster-copy-queues", node: true, trip: swap("cluster", `"replay_queue":50`, `"replay_queue":51`)},
	{rule: "cluster-witness", node: true, nearDo: func(s *Subject) { s.Fleet.InWork = []string{"hub02.lab.test"} }, tripDo: func(s *Subject) { s.Fleet.InWork = []string{"hub01.lab.test"} }},
	{rule: "cluster-witness-listed", node: true, tripDo: func(s *Subject) { s.Fleet.Hosts[0] = "HUB02" }},
	{rule: "cluster-one-level", node: true, tripDo: func(s *Subject) { s.Nodes["NODEA"] = exchange.Build{Major: 8, Minor: 0, Build: 684, Revision: 25} }},
	{rule: "cluster-cms-upgraded", node: true, near: swap("cluster", "8.0.685.25", "8.1.240.6"), nearDo: func(s *Subject) { s.Nodes["NODEA"] = packageNamed("sp1").Target }, trip: swap("cluster", "8.0.685.25", "8.0.813.0")},
}

func swapRole(old, new string) said {
	return said{"roles": strings.Replace(healthy["roles"], old, new, 1)}
}
