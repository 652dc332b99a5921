package exchange

// Point is one thing that a person has to know about a package before he has it
// installed, or that a package needs first, with the page that says so.
type Point struct {
	Text   string
	Source string
}

// Link is a page about a package.
type Link struct {
	Words, URL string
}

// The sources that more than one point rests on.
const (
	founding     = FoundingPage
	readiness    = "MicrosoftDocs/OfficeDocs-Exchange, readiness rules of Setup"
	sp2Blog      = "Exchange Team Blog, Exchange 2007 Service Pack 2 Prerequisites"
	wizardHelp   = "Exchange 2007 SP1 help, Readiness Checks page of the upgrade wizard"
	popImapHelp  = "Exchange 2007 help, POP3 and IMAP4 settings after SP1 (b098b991-afa9-4590-876b-ffac16f96bc9)"
	rollupHelp   = "Troubleshooting Update Rollup Installations (technet ff772434)"
	rollupCMS    = "How to Install Update Rollups on Clustered Mailbox Servers (technet bb885043)"
	rollupCCR    = "Installing an update rollup in a CCR environment (technet bb885047)"
	wmf3         = "Exchange Team Blog, Exchange 2007/2010 and Windows Management Framework 3.0"
	forefront    = "Exchange Team Blog, Sample script to disable and enable Forefront services during rollups"
	umVersions   = "learn.microsoft.com, UM languages, prompts, and greetings (versions of language packs)"
	sp2SetupHelp = "Exchange 2007 SP2 help, Setup changes in SP2"
	remembered   = "as remembered; not found in a page that was read"
)

var servicePackPoints = []Point{
	{"Read the release notes of the package and its help to the end before anything is begun; for clusters, both.", founding},
	{"A service pack is a full installation: Setup stops all Exchange services (almost 5 minutes on one server), removes MSI packages and installs them again. SP1 took more than an hour on one server.", founding},
	{"Once Setup has begun the upgrade it cannot be cancelled, and there is no way back to the build of before.", wizardHelp},
	{"Servers are upgraded in order: Client Access, Hub Transport, Mailbox, Unified Messaging. A Client Access server at RTM cannot reach mailboxes on a server at SP1.", founding},
	{"Setup changes schema, organization and domain itself unless PrepareAD and PrepareDomain ran before. Where other people administer the directory, they run them first.", founding},
	{"PrepareAD deletes the address display templates and writes them anew: own changes to templates are lost.", founding},
	{"PrepareSchema and PrepareAD run in the Active Directory site and domain of the schema master.", readiness + ": NotInSchemaMasterSite"},
	{"Without a way to crl.microsoft.com the installation takes hours: each signature waits for its revocation list. The check is switched off for the account while Setup runs.", founding + "; KB944752"},
	{"Services of other makers that hook into Exchange (Backup Exec, ScanMail) are stopped before and started again after it; Setup does neither.", founding},
	{"Forefront has to be updated or removed before the service pack.", founding},
	{"Unified Messaging: every language pack but en-US has to be removed first, with the Setup of the build that is installed.", founding + "; " + readiness + ": AdditionalUMLangPackExists"},
	{"Unified Messaging: language packs come back from the media of the new level. msxfaq.de takes the old medium; Microsoft's table of versions has a set of its own for RTM and one for SP1 to SP3.", umVersions},
	{"Unified Messaging: globalcfg.xml and recyclerconfig.xml are overwritten. They are saved before, compared after, and changes are made again.", founding},
	{"POP3 and IMAP4: the settings of logons go back to their defaults; clients with weaker logons are locked out until they are set again.", founding + "; " + popImapHelp},
	{"CCR: remote streaming backup is off after SP1 and later; a copy cannot be reseeded until the value \"Enable Remote Streaming Backup\" is set on both nodes. The .reg text on msxfaq.de splits the value's name in the wrong place.", founding},
	{"Clusters are upgraded with setup.com only: the passive node first, then stop, move, /UpgradeCms, then the other node. A forgotten /UpgradeCms leaves the store stopped.", founding + "; siliconexus.com, Upgrading Exchange 2007 to SP2"},
	{"The firewall service has to run while Setup writes its exceptions.", founding},
	{"Monitoring is stopped while Setup runs: it holds performance counters that Setup unloads.", founding},
	{"The server's FQDN has to be maintained, or Setup can hang. A receive connector named like the domain was refused. Machine certificates made trouble.", founding + " (readers' notes)"},
	{"Own changes to Outlook Web Access (logon page, themes) are overwritten.", remembered},
	{"Rollups are separate for each service pack: after it, the newest rollup of the new level is installed.", "KB953469"},
	{"Windows Management Framework 3.0 must not be on an Exchange 2007 server.", wmf3},
}

var laterServicePackPoints = []Point{
	{"The schema becomes that of Exchange 2010 RTM or later: whoever owns the directory has to know before.", sp2Blog},
	{"Interim updates have to be uninstalled first.", sp2Blog},
}

var rollupPoints = []Point{
	{"A rollup holds all rollups of its service pack before it; those of other service packs do not apply.", "KB953469"},
	{"Interim updates have to be uninstalled first: they block a rollup that holds the same fix.", rollupHelp},
	{"A cached .msp that is missing below %SystemRoot%\\Installer makes it end with 1603 or 1635; this can be seen before.", "KB2784788"},
	{"Where the host does not reach crl.microsoft.com, services miss their 30 seconds at the start and native images take long: the check is switched off while the rollup runs.", "KB944752; " + founding},
	{"After a rollup that failed, Exchange services may stay stopped and disabled. Their start types are recorded before and put back.", rollupHelp},
	{"On Windows Server 2008 it has to run elevated.", rollupHelp},
	{"It stops and starts the Exchange services itself; a restart is wanted where a file is in use.", "KB935490"},
	{"Outlook Web Access changes of one's own and diagnostics levels are overwritten.", sp2SetupHelp + "; KB935490"},
	{"Forefront is disabled with fscutility before and enabled after it.", forefront},
	{"Clusters: only on a passive node, one node after the other, after every group is moved away, since it stops the Cluster service. Microsoft Update does not offer it there. Both nodes have to come to one level.", rollupCMS},
	{"Clusters: no /UpgradeCms; a full backup before and after it.", rollupCCR},
	{"Windows Management Framework 3.0 makes rollups fail (80070643).", wmf3},
	{"Active Directory and the console show the service pack only: the rollup is proven by the list of patches and by file versions.", remembered},
}

var customActionsPoint = Point{
	"It calls Scripts\\Customization\\CustomPatchInstallerActions.ps1 where that exists: a script of one's own is respected and never overwritten.", forefront,
}

var extraPoints = map[string][]Point{
	"sp3-ru3":    {{"Microsoft took this package back; RU3-v2 replaces it.", "Microsoft's list of builds"}},
	"sp3-ru8":    {{"It was issued again twice; take RU8-v3.", "Microsoft's list of builds"}},
	"sp3-ru8-v2": {{"It was issued again; take RU8-v3.", "Microsoft's list of builds"}},
}

var servicePackNeeds = []Point{
	{"Windows Server 2003 SP2 or Windows Server 2008", founding + "; learn.microsoft.com cc296562"},
	{".NET Framework 2.0 SP1 or later", founding},
	{"Current time-zone data on Windows Server 2003 (KB931836 or later)", founding},
	{"Exchange 2003 SP2 on every Exchange 2003 server", founding},
	{"A domain name of more than one label (KB300684)", founding},
	{"MSDTC started on Client Access and Unified Messaging servers", "Exchange Best Practices Analyzer help, 280ca216-ea9a-46fc-a23e-137e92527eb4"},
}

var installer45 = Point{"Windows Installer 4.5 (KB942288), also where the schema is prepared", sp2Blog}

var packageLinks = map[string][]Link{
	"sp1": {
		{"Release notes", "http://www.microsoft.com/downloads/details.aspx?familyid=5770BD59-376E-42EC-B940-BE6225CD97FF&displaylang=en"},
		{"Download", "http://www.microsoft.com/downloads/details.aspx?FamilyId=44C66AD6-F185-4A1D-A9AB-473C1188954C&displaylang=en"},
		{"Clustered mailbox servers in CCR", "http://technet.microsoft.com/en-us/library/bb676320.aspx"},
		{"Removing UM language packs", "http://technet.microsoft.com/en-us/library/bb397393.aspx"},
	},
	"sp2": {
		{"Prerequisites", "https://techcommunity.microsoft.com/t5/exchange-team-blog/exchange-2007-service-pack-2-prerequisites/ba-p/599231"},
		{"Release notes", "http://unifiedpeople.ru/exchhelp.en/html/3b4d969f-5b4a-455d-a573-30cb143a710c.htm"},
		{"What Setup does otherwise", "http://unifiedpeople.ru/exchhelp.en/html/72072101-01e6-4cc8-9e8f-09b947505da8.htm"},
	},
	"sp3": {
		{"System requirements", "https://unifiedpeople.ru/exchhelp.en/html/1e80857c-b870-4a6d-a0f4-ff7b3a7be037.htm"},
		{"Troubleshooting of service packs and rollups", "https://support.microsoft.com/kb/2173280"},
	},
}

var rollupLinks = []Link{
	{"When a rollup fails", "https://technet.microsoft.com/library/ff772434(v=exchg.80).aspx"},
	{"Rollups on clusters", "https://technet.microsoft.com/library/bb885043(v=exchg.80).aspx"},
}

// catalogued fills in what is said of each package beside its builds.
func catalogued(list []Package) []Package {
	for i, p := range list {
		level := p.Target.ServicePack()
		switch p.Kind {
		case ServicePack:
			p.MustKnow, p.Needs = servicePackPoints, servicePackNeeds
			if level >= 2 {
				p.MustKnow = join(p.MustKnow, laterServicePackPoints)
				p.Needs = join(p.Needs, []Point{installer45})
			}
		case Rollup:
			p.MustKnow = rollupPoints
			if level >= 2 {
				p.MustKnow = join(p.MustKnow, []Point{customActionsPoint})
			}
			p.Needs = []Point{{"Exchange 2007 " + levelWords(level), "KB953469"}}
			p.Links = rollupLinks
		case Original:
		}
		p.MustKnow = join(extraPoints[p.Name], p.MustKnow)
		p.Links = join(packageLinks[p.Name], p.Links)
		if p.KB != "" {
			p.Links = join([]Link{{"KB" + p.KB, "https://support.microsoft.com/kb/" + p.KB}}, p.Links)
		}
		list[i] = p
	}
	return list
}

// join is a new list of both: lists of the catalogue share no memory to grow into.
func join[T any](first, second []T) []T {
	return append(append(make([]T, 0, len(first)+len(second)), first...), second...)
}
