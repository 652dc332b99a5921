package exchange

import (
	"slices"
	"strings"
)

// Recovery is what there is to know and to decide about one kind of trouble.
type Recovery struct {
	Name    string // "interrupted-setup"
	Title   string
	Lead    string
	Known   []Point // how it shows, and what was seen elsewhere
	Safe    []Point // what may be done, and what must not
	Sources []Point // what the sources say, where they disagree
	Choices []Choice
}

// Choice is one decision that the page of an upgrade in this trouble offers, in
// the order in which they are to be tried.
type Choice struct {
	Text string
	Why  string
	Last bool // a last resort: another person has to agree
}

// Recoveries lists all kinds of trouble.
func Recoveries() []Recovery { return slices.Clone(recoveries) }

// RecoveryByName finds one.
func RecoveryByName(name string) (Recovery, bool) {
	i := slices.IndexFunc(recoveries, func(r Recovery) bool { return r.Name == name })
	if i < 0 {
		return Recovery{}, false
	}
	return recoveries[i], true
}

// Distress is what is known of an upgrade in trouble, by what recoveries are
// told apart.
type Distress struct {
	Step        string   // "setup", "setup-1", "upgrade-cms-2"
	Rules       []string // known errors that the log shows
	Cluster     bool
	Markers     bool // a role carries Action or Watermark
	Interrupted bool // a program began, has no result, and nothing of it runs
	OutOfSight  bool // the host does not answer
	Restarted   bool // the host has another boot time than when the step began
	Silent      bool // Setup has been silent for longer than its limit
	Untold      bool // there is an exit code, and the log has no final sentence
	Services    bool // services that have to run do not, or stayed disabled
}

// Recover names the recoveries that fit, the most telling first.
func (d Distress) Recover() []Recovery {
	var names []string
	add := func(fits bool, name string) {
		if fits && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	rule := func(any ...string) bool {
		return slices.ContainsFunc(any, func(r string) bool { return slices.Contains(d.Rules, r) })
	}
	add(rule("missing-msp"), "missing-msp")
	add(rule("um-language-packs", "installation-source-missing") || isStep(d.Step, "um-out", "um-in"), "language-pack")
	add(d.Cluster && isStep(d.Step, "setup", "rollup", "restart", "ready", "stop-cms", "move-cms", "upgrade-cms", "online", "copies"), "half-upgraded-cluster")
	add(d.Interrupted || d.Markers || rule("interrupted-setup"), "interrupted-setup")
	add(d.OutOfSight || d.Restarted, "host-gone")
	add(d.Silent, "silent-setup")
	add(d.Untold, "no-final-sentence")
	add(d.Services || rule("service-disabled", "service-not-running", "transport-not-running", "services-left-disabled", "service-timeout"), "service-not-starting")
	var out []Recovery
	for _, name := range names {
		if r, ok := RecoveryByName(name); ok {
			out = append(out, r)
		}
	}
	return out
}

// isStep reports a step by its name, without the turn of a node or server that
// it may end in ("setup-1"), and that of a plan's second package as that of the
// first ("stop-cms-second-1").
func isStep(step string, names ...string) bool {
	step = strings.Replace(step, "-second", "", 1)
	return slices.ContainsFunc(names, func(n string) bool {
		rest, ok := strings.CutPrefix(step, n)
		return ok && (rest == "" || rest[0] == '-' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9')
	})
}

const resumeBlog = "Exchange Team Blog, How does Exchange 2007 setup know to resume a failed setup"

var recoveries = []Recovery{
	{
		Name: "interrupted-setup", Title: "Setup was interrupted",
		Lead: "Setup began and did not come to its end; a role's key may carry Action and Watermark, and the server stands between two builds.",
		Known: []Point{
			{"Action says what Setup was doing, Watermark at which step it was: its ID stands in the step list below ExchangeSetupLogs.", resumeBlog},
			{"Before it is taken for interrupted, the host was asked for Setup's programs and for our own host task: nothing of it runs.", "this program's runbook"},
			{"UnpackedVersion newer than ConfiguredVersion: the files are replaced, the configuration is not done.", founding},
		},
		Safe: []Point{
			{"Running the same Setup again is what it is made for: it resumes at the watermark.", resumeBlog},
			{"The values are exported and kept before anything touches them, and can be put back.", "this program's evidence"},
			{"Nothing is deleted by this program on its own, whatever the values say.", "this program's rule"},
			{"Do not restart the server between two tries only to try something: a pending restart is the exception.", remembered},
		},
		Sources: []Point{
			{"Rerun first: cure the environment, then start Setup again, and it goes on where it stopped.", resumeBlog},
			{"When it says that a role failed before: run Setup for just that role from the installed bin folder (setup.com /role:ROLE /mode:Install), or remove the role.", readiness + ": InstallWatermark"},
			{"When Setup refuses since it believes that another one runs: look at the roles' keys and delete Action and Watermark.", founding},
			{"Deleting all Watermark and Action values let a Setup from SP1 to SP3 go on that a DNS failure had interrupted.", "null.53bits.co.uk, Resuming Exchange installer"},
			{"Do not remove the watermark from the registry; run Setup from where it is.", "CSS-Exchange, SetupAssist (later products)"},
		},
		Choices: []Choice{
			{Text: "Run again", Why: "Setup resumes. Try this first, after the cause is cured."},
			{Text: "Run Setup for one role by hand, then verify", Why: "When it names a role that failed and does not resume."},
			{Text: "Clear Action and Watermark", Why: "Only when Setup refuses to begin at all. The key is exported, the old values stay on record.", Last: true},
		},
	},
	{
		Name: "half-upgraded-cluster", Title: "A cluster is upgraded in part",
		Lead: "One node is at the new build, another is not, or the clustered mailbox server is older than the node that owns it.",
		Known: []Point{
			{"Between the first node's upgrade and /UpgradeCms there is no node to fail over to.", "technet bb676320 as msxfaq.de (Service Packs für Exchange 2007) tells it"},
			{"After a forgotten /UpgradeCms both nodes are new, the store does not start, and the command may refuse.", "siliconexus.com, Upgrading Exchange 2007 to SP2"},
			{"Action or Watermark below ClusteredMailboxServer means that the CMS part failed or is in progress on that node; elsewhere the CMS may look normal.", "technet cc540457, Possible CMS Setup Failure"},
		},
		Safe: []Point{
			{"/UpgradeCms that did not end is run again, on the same node.", "this program's runbook; technet cc540457"},
			{"The other node is not upgraded before the CMS is.", founding},
			{"Moves are made by Exchange's cmdlets only: they look at the passive node's health. cluster.exe does not.", "Exchange 2007 help, Moving a clustered mailbox server (5ac92b11-4d22-4466-8e28-db6496694531)"},
			{"-IgnoreDismounted is never used by this program.", "this program's rule"},
		},
		Sources: []Point{
			{"Stop the CMS, then move it, then /UpgradeCms.", founding + "; enowconsulting.com, Interested in Exchange SP2"},
			{"Move it, then stop it.", "siliconexus.com, Upgrading Exchange 2007 to SP2"},
			{"The key that a forgotten /UpgradeCms leaves is named CMS.", "siliconexus.com"},
			{"It is named ClusteredMailboxServer.", "technet cc540457"},
		},
		Choices: []Choice{
			{Text: "Run again", Why: "The step looks first: a node that is done and a CMS that is at the target are not touched again."},
			{Text: "Upgrade the CMS by hand (Setup.com /UpgradeCms on the new node), then verify", Why: "When the step refuses although the owner is right."},
			{Text: "Clear Action and Watermark of that node", Why: "Only after /UpgradeCms was run again and refused.", Last: true},
		},
	},
	{
		Name: "silent-setup", Title: "Setup has been silent for too long",
		Lead: "Setup's program lives and has written nothing for longer than the limit.",
		Known: []Point{
			{"24 minutes between two lines were seen while one package was removed, and 71 minutes once.", "logs of Exchange 2013 to 2019 (CSS-Exchange)"},
			{"Without a way to the certificate revocation list a step may take hours; the check is switched off for the account while Setup runs.", founding + "; KB944752"},
			{"A computer without a maintained FQDN makes Setup hang.", founding + " (readers' notes)"},
		},
		Safe: []Point{
			{"Waiting is safe: nothing is ended by this program.", "this program's rule"},
			{"Look at msiexec's processor time and at the growth of ExchangeSetup.msilog on the host: either means that it works.", remembered},
			{"Ending Setup by force leaves a watermark and may leave services disabled.", founding},
		},
		Sources: []Point{
			{"Once the upgrade has begun it cannot be cancelled.", wizardHelp},
			{"It can take hours, and came to a good end.", founding},
		},
		Choices: []Choice{
			{Text: "Wait", Why: "As long as msiexec works or its log grows."},
			{Text: "Stop waiting", Why: "A person who saw on the host that nothing moves ends Setup there, then decides as after an interruption."},
		},
	},
	{
		Name: "host-gone", Title: "The host does not answer, or came back restarted",
		Lead: "Contact is lost while a host task may run, or the host answers with another boot time than before.",
		Known: []Point{
			{"A host task runs on without us; its guard lets its body run once.", "this program's runbook"},
			{"Setup touches IIS, counters and on clusters the Cluster service: connections drop and come back.", "technet bb885043; as remembered"},
			{"A restart in the middle of Setup leaves a watermark and no result.", resumeBlog},
		},
		Safe: []Point{
			{"Nothing else is tried on the server until the limit; then a person decides.", "this program's rule"},
			{"When it comes back it is asked first: builds, Action and Watermark, programs, task folder, log.", "this program's runbook"},
		},
		Sources: []Point{
			{"A restart is mandatory after Setup on a cluster's node.", founding},
			{"No restart was asked for on a standalone server.", founding},
		},
		Choices: []Choice{
			{Text: "Wait", Why: "It is asked again and again."},
			{Text: "Stop waiting", Why: "When a person knows that the host will not come back by itself."},
			{Text: "Run again", Why: "After it came back: what is done is not done twice."},
		},
	},
	{
		Name: "service-not-starting", Title: "A service does not start, or stayed disabled",
		Lead: "A service of Exchange, or one that was stopped for the upgrade, does not run or has another start type than before.",
		Known: []Point{
			{"The start types of before are in the record of this upgrade.", "this program's ledger"},
			{"Services that miss 30 seconds at their start: events 7000 and 7009; the cause is mostly the revocation list.", "KB944752"},
			{"After a failed rollup services may stay disabled.", rollupHelp},
			{"MSExchangeTransport does not start with IPv6 disabled by half on Windows Server 2008.", "KB952842"},
		},
		Safe: []Point{
			{"Setting the recorded start type back and starting in order is safe: MSExchangeADTopology first.", "Exchange 2007 help, services; as remembered"},
			{"Information Store and System Attendant of a cluster are never started by the service control manager: use the cmdlets.", "Exchange 2007 help, CMS wizard (fa053f04-1f90-48f0-8883-26afe750dd49)"},
			{"POP3 and IMAP4 start by hand by default: their start type is not forced.", "Exchange 2007 help, as remembered"},
		},
		Sources: []Point{
			{"generatePublisherEvidence in the service's configuration file cures it.", "KB944752"},
			{"ServicesPipeTimeout, a longer limit for all services, cures it.", "KB944752"},
			{"The Internet Explorer switch (State) cures it.", founding},
		},
		Choices: []Choice{
			{Text: "Run again", Why: "Start types are put back and services are started in their order."},
			{Text: "Start it by hand, then verify", Why: "When its events name a cause that only a person cures."},
		},
	},
	{
		Name: "no-final-sentence", Title: "Setup ended, and its log does not say how",
		Lead: "There is an exit code, and no final sentence was found in the log.",
		Known: []Point{
			{"The final sentence is in the language of the server; it is never guessed from another language.", "this program's rule"},
			{"An exit code of 0 beside \"did not complete\" was seen, and lines marked as errors in runs that succeeded.", "logs of Exchange 2013 to 2019 (CSS-Exchange)"},
		},
		Safe: []Point{
			{"The registry decides with it: every role at the target, no Action, no Watermark, and services that run.", founding},
			{"Verifying only reads.", "this program's runbook"},
		},
		Sources: []Point{
			{"Success can be seen in the event log or in the version in the console.", founding},
			{"Events of MSExchangeSetup (1000, 1001, 1002) are documented for Exchange 2010 only.", "Exchange 2010 help"},
		},
		Choices: []Choice{
			{Text: "Read the end of the log, then run again", Why: "The roles are proven; Setup is not run again when all are at the target."},
			{Text: "Mark as repaired", Why: "It is verified before it counts."},
		},
	},
	{
		Name: "language-pack", Title: "A language pack of Unified Messaging will not leave",
		Lead: "A pack other than en-US is still installed, or its removal failed: Setup refuses the upgrade.",
		Known: []Point{
			{"Setup names it with the rule AdditionalUMLangPackExists.", readiness},
			{"Error 1612: the source that the pack was installed from is gone.", "logs of Exchange 2013 to 2019 (CSS-Exchange)"},
			{"The removal has a log of its own: remove-UMLanguagePack.CULTURE.msilog.", "logs of Exchange 2019"},
		},
		Safe: []Point{
			{"It is removed with the Setup of the build that is installed, not with that of the service pack.", founding},
			{"Dial plans that use the language get another default language before.", remembered},
			{"What was taken out is put back from the media of the build that is then installed.", "this program's ledger"},
		},
		Sources: []Point{
			{"Put the RTM pack back after SP1, from the old medium.", founding},
			{"Packs belong to a version: one set for RTM, one for SP1 to SP3.", umVersions},
		},
		Choices: []Choice{
			{Text: "Restore the pack's source and run again", Why: "The removal is tried once more."},
			{Text: "Remove it by hand, then run again", Why: "The step sees that it is gone."},
		},
	},
	{
		Name: "missing-msp", Title: "A cached .msp is missing",
		Lead: "Windows Installer does not find a patch of an earlier rollup in its cache: 1603 or 1635.",
		Known: []Point{
			{"The log names the file: \"Couldn't find local patch 'C:\\WINDOWS\\Installer\\….msp'\".", "KB2784788"},
			{"Which patches are registered and which of their files are there is a fact of the host; it is looked at before the window opens.", "this program's facts"},
		},
		Safe: []Point{
			{"Stopping virus scanners and monitoring, and emptying %SystemDrive%\\Windows\\TEMP, then trying again.", "KB2784788"},
			{"A .msp is put back from the original rollup under the cached name; the content has to be that of the very rollup.", remembered},
			{"Deleting the patch's registration makes the product neither patchable nor removable: this program never does it.", remembered},
		},
		Sources: []Point{
			{"Empty the temporary folder and retry.", "KB2784788"},
			{"Restore the file from the original package.", remembered},
		},
		Choices: []Choice{
			{Text: "Put the file back, then run again", Why: "The step begins anew; Setup resumes."},
			{Text: "Skip this server", Why: "It keeps its build; what waits for it stays held."},
		},
	},
}
