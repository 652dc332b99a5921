package runbook_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
)

// ruled is a host of the fleet on which rules are tried, and what is asked of it.
type ruled struct {
	name     string
	roles    string // "CAS+HT+MBX+UM"
	os       string
	language string
	build    string
	winrm    string
	services []string
	traits   []string
	fault    string              // declared from the beginning
	packs    []string            // Unified Messaging language packs on the host and in its media
	cluster  string              // nodes of a CCR cluster: the first owns the server
	stops    string              // a service that is stopped on the first host before the check
	work     func(*runbook.Work) // what else differs
}

const everyRole = "CAS+HT+MBX+UM"

// ruledHosts are the fleet: hosts with as much wrong at once as goes together, and
// hosts on which the same is just not wrong. All take SP1 from RTM unless they say
// otherwise.
var ruledHosts = []ruled{
	{
		name: "WRONG1", roles: everyRole, services: []string{"ScanMail_Master"},
		traits: []string{
			"dotnet20-rtm", "time-zones-old", "mmc-old", "iis-32bit", "service-stopped=MSDTC", "service-stopped=EventSystem", "service-disabled=W3SVC",
			"service-foreign=UnknownGuard|Example Software|MSExchangeIS", "service-foreign=HealthService|Microsoft Corporation|", "interrupted-setup", "pending-rename",
			`logged-on=LAB\admin1`, "patch-not-cached=Update Rollup 7 for Exchange Server 2007 (KB953469) 8.0.813.0", "interim-update", "dns-suffix=", "smtp-domain=wrong1.lab.test",
			updatesOld(181), "memory=1024", "disk-free=C:900", "backup-age=25", "backup-running", "dismounted", "streaming-wrong-key", "um-pack=de-DE",
			"um-default-language=de-DE", "um-calls=1", "certificate-ends=13", "connector-fqdn=mail.contoso.com", "connector-name=contoso.com", "agent=Example Archive Agent",
			"queued-mail=501", "forefront", "firewall-filters", "crl-unreachable", "static-dc=dc2.lab.test", "oab-orphaned", "domain-controller", "clock-off=400", "unpacked=8.1.240.6",
		},
		work: func(w *runbook.Work) { w.Fleet.PublicFolders = []string{"WRONG1"} },
		os:   "2003",
	},
	{
		name: "NEAR1", roles: everyRole, services: []string{"ScanMail_Master", "KnownGuard"}, os: "2003", winrm: "1.1",
		traits: []string{
			"time-zones-superseded", "service-foreign=HealthServant|Microsoft Corporation|", "patch=Update Rollup 7 for Exchange Server 2007 (KB953469) 8.0.813.0",
			"smtp-domain=lab.test", updatesOld(179), "memory=2048", "disk-free=C:1500", "backup-age=23", "streaming-backup=1", "um-config=100", "certificate-ends=15",
			"connector-name=Scanners", "queued-mail=500", "no-oab", "clock-off=200",
		},
		work: func(w *runbook.Work) { w.Fleet.PublicFolders = []string{"NEAR1", "OTHER"} },
	},
	{name: "WRONG2", roles: everyRole, os: "2003", build: "8.1.240.6", traits: []string{"installer-old", "pop3-login=PlainTextLogin", "certificate-no-key"}, work: toSP2},
	{name: "NEAR2", roles: everyRole, os: "2003", build: "8.1.240.6", work: toSP2},
	{name: "WRONG3", roles: "HT", os: "2003", traits: []string{"os-no-service-pack-2", "wmf3", "single-label-domain", "system-drive=D:", "x86", "service-absent=ScanMail_Master"}, services: []string{"ScanMail_Master"}, work: func(w *runbook.Work) {
		w.Prepared = false
		w.Server.Roles = append(w.Server.Roles, exchange.EdgeTransport)
		w.Media.SetupSHA256 = strings.Repeat("0", 64)
		w.RunAs.Password = "not this one"
		w.Package.Language = "de-DE"
		w.Organization = organizationFacts(w, `10637`, `"6.5.7226.0"`, `false`, `[{"name":"OLD2K","version":"6.0.6249.4","sp2":false}]`, `["dc2.lab.test"]`)
	}},
	{name: "NEAR3", roles: "HT", os: "2003", work: func(w *runbook.Work) {
		w.Organization = organizationFacts(w, `11116`, `"6.5.7638.2"`, `true`, `[]`, `[]`)
	}},
	{name: "WRONG4", roles: "CAS", os: "2003", traits: []string{"powershell-absent", "iis-absent", "work-group", "cluster-service=W3SVC"}},
	{name: "NEAR4", roles: "CAS", os: "2003"},
	{name: "WRONG5", roles: "MBX", os: "2008", traits: []string{"os-service-pack=1", "iis-component-absent=Metabase", "domain-controller"}, fault: "foreign-setup"},
	{name: "NEAR5", roles: "MBX", os: "2008"},
	{name: "WRONG6", roles: "HT", os: "2003", fault: "wmi-stopped", work: func(w *runbook.Work) {
		w.Organization = map[string]preflight.Fact{"schema": {Value: json.RawMessage(`"many"`), At: w.Now}}
	}},
	{name: "WRONG7", roles: "HT", os: "2003", build: "8.2.176.2"},
	{name: "WRONG8", roles: "HT", os: "2003", build: "8.0.685.25", work: func(w *runbook.Work) {
		w.Package = catalogue("sp3-ru3")
		w.Then = catalogue("sp1-ru4")
	}},
	{name: "NEAR8", roles: "HT", os: "2003", build: "8.1.240.6", work: func(w *runbook.Work) { w.Package = catalogue("sp1-ru4") }},
	{name: "EDGE1", roles: "ET", os: "2003"},
	// Healthy hosts in other languages: nothing of what they say may be misread.
	{name: "DEUTSCH", roles: everyRole, os: "2003", language: "de-DE", winrm: "1.1", work: preparedFor},
	{name: "NIHON", roles: everyRole, os: "2008", language: "ja-JP", build: "8.1.240.6", work: func(w *runbook.Work) {
		toSP2(w)
		preparedFor(w)
		w.Package.Language = w.Server.Language
		w.Media = runbook.Media{Folder: `C:\Wavekeeper\media\sp2-ja-JP-x64`, SetupSHA256: twin.SetupSHA256("sp2", "ja-JP", "x64")}
	}},
	// Of each pair the first owns the clustered mailbox server, the second everything else.
	{name: "CMS1", cluster: "RIGHT1A+RIGHT1B", traits: []string{"streaming-backup=1", "copy-queue=10:50", "groups-first"}, work: func(w *runbook.Work) {
		w.Fleet.Hosts = []string{"OTHER", witness(w)}
	}},
	{name: "CMS2", cluster: "WRONG2A+WRONG2B", traits: []string{"copy-queue=11:51"}, work: func(w *runbook.Work) {
		w.Server.Nodes = append(slices.Clone(w.Server.Nodes), exchange.Node{Name: "NOBODY"})
		w.Fleet.InWork, w.Fleet.Hosts = []string{witness(w)}, []string{"OTHER", "WRONG2A"}
		w.Known = knownAt("WRONG2A", "8.1.240.6")
	}},
	{name: "CMS3", cluster: "WRONG3A+WRONG3B", traits: []string{"cms-offline", "copy-status=Suspended"}, work: func(w *runbook.Work) {
		w.Known = knownAt("WRONG3A", "8.0.708.3")
	}},
	{name: "CMS4", cluster: "WRONG4A+WRONG4B", stops: "ClusSvc"},
	{name: "STRAY1", roles: "MBX+HT", work: func(w *runbook.Work) {
		w.Server.Cluster, w.Server.Nodes, w.Node = exchange.CCR, []exchange.Node{{Name: "STRAY1"}, {Name: "STRAY2"}}, "STRAY1"
	}},
	{name: "NEAR9", roles: "HT", os: "2003", work: func(w *runbook.Work) { w.Then = catalogue("sp1-ru4") }},
	{name: "NEAR10", roles: "UM", os: "2003", packs: []string{"de-DE"}},
}

// updatesOld is a trait of Windows Server 2003 whose newest update came so many
// days before Microsoft made the last one.
func updatesOld(days int) string {
	last := time.Date(2015, 7, 14, 0, 0, 0, 0, time.UTC)
	return fmt.Sprintf("updates-old=%d", int(time.Since(last).Hours()/24)+days)
}

func toSP2(w *runbook.Work) {
	w.Package = catalogue("sp2")
	w.Package.Language, w.Package.Arch = "en-US", "x64"
	w.Media = runbook.Media{Folder: `C:\Wavekeeper\media\sp2-en-US-x64`, SetupSHA256: twin.SetupSHA256("sp2", "en-US", "x64")}
}

func catalogue(name string) runbook.Package {
	p, err := exchange.PackageByName(name)
	if err != nil {
		return runbook.Package{Name: name}
	}
	return runbook.Package{Name: p.Name, Target: p.Target}
}

// organizationFacts are what a look at the organization told.
func organizationFacts(w *runbook.Work, schema, old2003, sp2, old2000, behind string) map[string]preflight.Fact {
	facts := map[string]preflight.Fact{}
	for name, value := range map[string]string{
		"schema": schema, "organization": `11221`, "domains": `[{"name":"lab.test","version":11221,"prepared_2003":true}]`, "single_label": `false`,
		"exchange_2003": `[{"name":"OLD1","version":` + old2003 + `,"sp2":` + sp2 + `}]`, "exchange_2000": old2000,
		"replication": `{"checked_at":"` + w.Now.UTC().Format(time.RFC3339) + `","behind":` + behind + `}`,
	} {
		facts[name] = preflight.Fact{Value: json.RawMessage(value), At: w.Now}
	}
	return facts
}

// knownAt is a node whose Mailbox role is kept as configured at a build.
func knownAt(node, build string) map[string]map[string]preflight.Fact {
	role := fmt.Sprintf(`{"configured":%q,"unpacked":%q,"action":"","watermark":""}`, build, build)
	return map[string]map[string]preflight.Fact{node: {"roles": {Value: json.RawMessage(`{"Mailbox":` + role + `}`)}}}
}

// witness is the host of the cluster's file share witness: the Hub Transport
// server of its site, of which this fleet has many.
func witness(w *runbook.Work) string {
	for _, f := range []string{w.Notes["inspect"]["facts"], w.Memory["cluster"]} {
		if _, after, ok := strings.Cut(f, `"witness":"\\\\`); ok {
			host, _, _ := strings.Cut(after, `\`)
			return host
		}
	}
	return ""
}

// tried says for each rule which host trips it and on which it just does not.
var tried = map[string]struct{ trips, near string }{
	"windows":                     {"WRONG3", "NEAR3"},
	"system-drive":                {"WRONG3", "NEAR3"},
	"windows-updates":             {"WRONG1", "NEAR1"},
	"x86":                         {"WRONG3", "NEAR3"},
	"memory":                      {"WRONG1", "NEAR1"},
	"disk":                        {"WRONG1", "NEAR1"},
	"clock":                       {"WRONG1", "NEAR1"},
	"dotnet20-sp1":                {"WRONG1", "NEAR1"},
	"time-zone-update":            {"WRONG1", "NEAR1"},
	"windows-installer":           {"WRONG2", "NEAR2"},
	"powershell":                  {"WRONG4", "NEAR4"},
	"powershell2":                 {"WRONG1", "NEAR1"},
	"no-wmf3":                     {"WRONG3", "NEAR3"},
	"mmc3":                        {"WRONG1", "NEAR1"},
	"certificate-sia":             {"WRONG5", "NEAR5"},
	"services":                    {"WRONG3", "NEAR1"},
	"msdtc":                       {"WRONG1", "NEAR1"},
	"com-event-system":            {"WRONG1", "NEAR1"},
	"w3svc":                       {"WRONG1", "NEAR1"},
	"iis":                         {"WRONG5", "NEAR5"},
	"iis-64bit":                   {"WRONG1", "NEAR1"},
	"foreign-services":            {"WRONG1", "NEAR1"},
	"monitoring":                  {"WRONG1", "NEAR1"},
	"interrupted-setup":           {"WRONG1", "NEAR1"},
	"files-configured":            {"WRONG1", "NEAR1"},
	"no-other-setup":              {"WRONG5", "NEAR5"},
	"pending-restart":             {"WRONG1", "NEAR1"},
	"sessions":                    {"WRONG1", "NEAR1"},
	"cached-patches":              {"WRONG1", "NEAR1"},
	"interim-updates":             {"WRONG1", "NEAR1"},
	"fqdn":                        {"WRONG1", "NEAR1"},
	"fqdn-is-no-smtp-domain":      {"WRONG1", "NEAR1"},
	"domain-member":               {"WRONG4", "NEAR4"},
	"single-label-domain":         {"WRONG3", "NEAR3"},
	"no-rodc":                     {"WRONG5", "NEAR5"},
	"static-controller":           {"WRONG1", "NEAR1"},
	"media":                       {"WRONG3", "NEAR3"},
	"language":                    {"WRONG3", "NEAR3"},
	"architecture":                {"WRONG3", "NEAR3"},
	"organization-prepared":       {"WRONG3", "NEAR3"},
	"organization-versions":       {"WRONG3", "NEAR3"},
	"organization-replicated":     {"WRONG3", "NEAR3"},
	"exchange-2003-sp2":           {"WRONG3", "NEAR3"},
	"exchange-2000":               {"WRONG3", "NEAR3"},
	"build":                       {"WRONG7", "NEAR3"},
	"rollup-level":                {"WRONG8", "NEAR8"},
	"second-package":              {"WRONG8", "NEAR9"},
	"package-withdrawn":           {"WRONG8", "NEAR8"},
	"roles":                       {"WRONG3", "NEAR3"},
	"edge-alone":                  {"WRONG3", "EDGE1"},
	"backup-recent":               {"WRONG1", "NEAR1"},
	"no-backup-running":           {"WRONG1", "NEAR1"},
	"databases-mounted":           {"WRONG1", "NEAR1"},
	"streaming-backup-key":        {"WRONG1", "NEAR1"},
	"public-folders-elsewhere":    {"WRONG1", "NEAR1"},
	"offline-address-books":       {"WRONG1", "NEAR1"},
	"offline-address-book-server": {"WRONG1", "NEAR1"},
	"receive-connector-fqdn":      {"WRONG1", "NEAR1"},
	"receive-connector-name":      {"WRONG1", "NEAR1"},
	"transport-agents":            {"WRONG1", "NEAR1"},
	"transport-queue":             {"WRONG1", "NEAR1"},
	"certificates":                {"WRONG1", "NEAR1"},
	"pop3-imap4":                  {"WRONG2", "NEAR2"},
	"um-language-packs":           {"WRONG1", "NEAR1"},
	"um-packs-in-media":           {"WRONG1", "NEAR10"},
	"um-default-language":         {"WRONG1", "NEAR1"},
	"um-calls":                    {"WRONG1", "NEAR1"},
	"forefront":                   {"WRONG1", "NEAR1"},
	"firewall":                    {"WRONG1", "NEAR1"},
	"revocation":                  {"WRONG1", "NEAR1"},
	"canary":                      {"WRONG3", "NEAR3"},
	"wmi":                         {"WRONG6", "NEAR3"},
	"facts-understood":            {"WRONG6", "NEAR3"},
	"cluster-not-standalone":      {"WRONG4", "NEAR4"},
	"streaming-backup-on":         {"WRONG2B", "RIGHT1B"},
	"cluster-node":                {"STRAY1", "RIGHT1B"},
	"cluster-as-listed":           {"WRONG2B", "RIGHT1B"},
	"cluster-only-mailbox":        {"STRAY1", "RIGHT1B"},
	"cluster-passive":             {"RIGHT1A", "RIGHT1B"},
	"cluster-groups":              {"WRONG2B", "RIGHT1B"},
	"cluster-nodes-up":            {"WRONG4B", "RIGHT1B"},
	"cluster-online":              {"WRONG3B", "RIGHT1B"},
	"cluster-copies":              {"WRONG3B", "RIGHT1B"},
	"cluster-copy-queues":         {"WRONG2B", "RIGHT1B"},
	"cluster-witness":             {"WRONG2B", "RIGHT1B"},
	"cluster-witness-listed":      {"WRONG2B", "RIGHT1B"},
	"cluster-one-level":           {"WRONG3B", "RIGHT1B"},
	"cluster-cms-upgraded":        {"WRONG2B", "RIGHT1B"},
}
