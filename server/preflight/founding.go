package preflight

// Answer is one warning of the founding document and what answers it.
type Answer struct {
	German  string   // as it stands there, in short
	English string   // what it says
	Rules   []string // of preflight
	Steps   []string // of runbooks; of a node without its number
	Besides string   // what else answers it
}

// Answers lists every warning of the founding document in its order.
func Answers() []Answer { return answers }

var answers = []Answer{
	{German: "Beachten Sie auch die Rollup Fixes", English: "mind the rollups of the service pack, too", Rules: []string{"second-package", "rollup-level"}, Besides: "a plan takes a service pack and its rollup as two packages"},
	{German: "Unbedingt Authenticode lesen", English: "revocation checks cost hours where the Internet is away", Rules: []string{"revocation", "certificate-sia"}, Steps: []string{"setup", PutBackStep}},
	{German: "MUSS über die Kommandozeile mit zusätzlichen Schritten", English: "a CCR cluster goes by the command line, with steps of its own", Rules: []string{"cluster-not-standalone", "cluster-as-listed"}, Steps: []string{"choose", "upgrade-cms"}},
	{German: "Bitte lesen Sie beide Seiten komplett", English: "read the instructions before you begin; keep Windows and IIS up to date", Rules: []string{"windows", "windows-updates", "iis"}, Besides: "who submits a plan confirms its must-know points on the record"},
	{German: "manchmal sehr lange (auch Stunden)", English: "it may take hours; turning the certificate check off makes it faster", Rules: []string{"revocation"}, Steps: []string{"setup"}, Besides: "expected, soft, hard and silence time of each step"},
	{German: "in der jeweiligen Landessprache für 32 und 64 bit", English: "packages are made for a language and for 32 or 64 bit", Rules: []string{"language", "architecture", "x86", "media"}, Steps: []string{"stage"}},
	{German: "auf jeden Fall diese Seite lesen", English: "read the release notes at least", Besides: "the catalogue links them; who submits a plan confirms its must-know points"},
	{German: "um das Service Pack auszupacken", English: "the package has to be unpacked first", Rules: []string{"media"}, Steps: []string{"stage"}},
	{German: "so ist es eine Vollinstallation", English: "a service pack is a whole installation: it needs its room", Rules: []string{"disk"}, Steps: []string{"setup"}},
	{German: "in der richtigen Reihenfolge zu aktualisieren", English: "a client access server without SP1 cannot reach a mailbox server with it", Besides: "the order of waves (rule set standard), proven again before each start"},
	{German: ".NET 2.0 SP1", English: "Setup wants .NET Framework 2.0 SP1", Rules: []string{"dotnet20-sp1"}},
	{German: "931836 TimeZone Update", English: "Setup wants current time-zone data", Rules: []string{"time-zone-update"}},
	{German: "Windows 2003 SP2", English: "Setup wants Service Pack 2 of Windows Server 2003", Rules: []string{"windows"}},
	{German: "Exchange 2003 SP2 auf allen Exchange 2003 Servern", English: "every Exchange 2003 server has SP2", Rules: []string{"exchange-2003-sp2"}, Steps: []string{"before"}},
	{German: "Kein kurzer DNS-Namensraum", English: "no single-label DNS domain", Rules: []string{"single-label-domain"}},
	{German: "Update oder die Deinstallation von Forefront", English: "Forefront is updated or removed first", Rules: []string{"forefront"}, Steps: []string{"forefront"}},
	{German: "globalcfg.xml und recyclerconfig.xml", English: "Setup overwrites the configuration of Unified Messaging: keep it", Steps: []string{"record", "um-config"}},
	{German: "Dienste beenden, die sich in Exchange einbinden", English: "stop services that hook into Exchange (Backup Exec, ScanMail)", Rules: []string{"services", "foreign-services", "no-backup-running"}, Steps: []string{"stop-services"}},
	{German: "danach auch wieder starten", English: "start them again afterwards", Steps: []string{"services-back", PutBackStep}},
	{German: "Das muss wohl erst wieder herunter", English: "language packs of Unified Messaging have to leave first", Rules: []string{"um-language-packs", "um-default-language"}, Steps: []string{"um-out"}},
	{German: "da es die Installationsdauer", English: "which makes the downtime longer", Rules: []string{"um-language-packs", "um-calls"}, Steps: []string{"drain-um", "um-out"}, Besides: "the forecast counts it"},
	{German: "müssen daher von Hand dies vorher machen", English: "Setup prepares schema, organization and domains unasked; where others administer them they have to be prepared before", Rules: []string{"organization-prepared", "organization-versions", "organization-replicated", "schema-master", "organization-rights"}, Steps: []string{"prepare-legacy", "prepare-schema", "prepare-ad", "prepare-domains", "replicate"}},
	{German: "templates entfernt werden", English: "Setup removes display templates", Steps: []string{"before", "after"}},
	{German: "Zuerst werden alle Dienste gestoppt", English: "services are stopped for minutes, packages are removed and installed anew", Rules: []string{"cached-patches", "interim-updates", "sessions"}, Steps: []string{"drain-transport", "setup"}},
	{German: "Ein Neustart des Servers", English: "a restart may be wanted", Rules: []string{"pending-restart"}, Steps: []string{"restart"}},
	{German: "wieder dass UM Languagepack installieren", English: "the language packs come back in, those of the new service pack", Rules: []string{"um-packs-in-media"}, Steps: []string{"um-in"}},
	{German: "die vorab gestoppten Dienste", English: "the services of others are started again by hand", Steps: []string{"services-back", PutBackStep}},
	{German: "Eventlog oder auch an der Versionsnummer", English: "success is seen in the event log or the version", Steps: []string{"verify", "functional"}},
	{German: "it InterimsUpdates versorgen", English: "interim updates", Rules: []string{"interim-updates"}},
	{German: "folgende \"Probleme\" schon vorher können und umgehen", English: "who reads the notes knows these problems before", Besides: "the catalogue's must-know points"},
	{German: "Remote Streaming Copy", English: "SP1 turns remote streaming backup off, which reseeding a CCR cluster needs", Rules: []string{"streaming-backup-on"}, Steps: []string{"streaming", "settings-back"}},
	{German: "POP3/IMAP4 Sicherheit wieder auf \"Default\"", English: "SP1 sets POP3 and IMAP4 logins to its defaults", Rules: []string{"pop3-imap4"}, Steps: []string{"record", "settings-back"}},
	{German: "auch hier die Angewohnheit", English: "SP1 deletes the configuration of Unified Messaging", Steps: []string{"record", "um-config"}},
	{German: "die Release Notes zumindest überfliegen", English: "skim the release notes at least", Besides: "who submits a plan confirms its must-know points"},
	{German: ".NET Framewort 2.0 SP1", English: "a reader: .NET Framework 2.0 SP1 was missing", Rules: []string{"dotnet20-sp1"}},
	{German: "ein Receive Connector, der so heißt wie die Domain", English: "a reader: a receive connector named like the domain was refused", Rules: []string{"receive-connector-name", "receive-connector-fqdn"}},
	{German: "FDQN nicht gepflegt", English: "a reader: Setup stops where the full name is not maintained", Rules: []string{"fqdn", "fqdn-is-no-smtp-domain"}},
	{German: "Probleme wegen Maschinenzertifikaten", English: "a reader: trouble with the machine's certificates", Rules: []string{"certificates"}},
	{German: "mitten auf dem Weg zwischen SP0 und SP1", English: "Setup breaks off, the server does not run and Setup does not start again", Rules: []string{"interrupted-setup", "files-configured"}, Besides: "the decisions on the upgrade's page"},
	{German: "\"Action\" oder \"Watermark\"", English: "Action and Watermark keep Setup from going on: it believes in another Setup", Rules: []string{"interrupted-setup", "no-other-setup"}, Besides: "clearing them is a decision, with the old values kept"},
	{German: "sowohl in der Readme als auch in der BPOS Hilfe", English: "read both, readme and help, for a cluster", Besides: "the catalogue links them; the runbooks of clusters hold the steps"},
	{German: "Firewall starten (Damit das Setup die Ausnahmen eintragen kann)", English: "start the firewall's service, so that Setup can write its exceptions", Rules: []string{"firewall"}, Steps: []string{"firewall"}},
	{German: "Monitoring stoppen (MOM etc.)", English: "stop monitoring", Rules: []string{"monitoring"}, Steps: []string{"stop-monitoring"}},
	{German: "Eventuell vorhandene Clusterressourcen verschieben", English: "move cluster groups off the node", Rules: []string{"cluster-groups"}, Steps: []string{"groups"}},
	{German: "RegKey für StreamingBackup setzen", English: "turn remote streaming backup on, on both nodes", Rules: []string{"streaming-backup-on"}, Steps: []string{"streaming"}},
	{German: "ParametersSystem/Enable", English: "this .reg text splits the name in the wrong place and makes a useless key", Rules: []string{"streaming-backup-key"}, Besides: "the fix " + CleanStreamingKey},
	{German: "(passiver Knoten):", English: "only ever on a passive node", Rules: []string{"cluster-passive", "cluster-copies", "cluster-nodes-up"}, Steps: []string{"passive"}},
	{German: "Setup /m:upgrade", English: "upgrade the passive node", Rules: []string{"cluster-node", "cluster-only-mailbox"}, Steps: []string{"setup"}},
	{German: "Neustart", English: "restart it", Steps: []string{"restart"}},
	{German: "Monitoring reaktivieren", English: "start monitoring again", Steps: []string{"after"}},
	{German: "Firewall wieder stoppen", English: "stop the firewall's service again", Steps: []string{"after"}},
	{German: "Kritischer Pfad mit Downtime", English: "here the downtime is", Rules: []string{"cluster-copy-queues", "cluster-witness"}, Besides: "downtime and exposed time are forecast, measured and shown"},
	{German: "Exchange Cluster Stoppen", English: "stop the clustered mailbox server", Steps: []string{"stop-cms"}},
	{German: "Exchange Cluster auf NodeB verschieben", English: "move it to the upgraded node", Rules: []string{"cluster-online"}, Steps: []string{"move-cms"}},
	{German: "Setup /upgradecms", English: "/UpgradeCms, which is not to be forgotten", Rules: []string{"cluster-cms-upgraded"}, Steps: []string{"upgrade-cms"}},
	{German: "Cluster läuft nun auf SP1", English: "the cluster runs on the new service pack", Rules: []string{"cluster-one-level"}, Steps: []string{"online"}},
	{German: "Mit einer geringen Downtime", English: "the downtime is small", Besides: "downtime is measured from Stop to Online and shown beside its forecast"},
}

// PutBackStep is the step that ends every attempt and puts back what was changed for a while.
const PutBackStep = "put-back"
