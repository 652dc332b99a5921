package exchange

import "strings"

// firedTexts are the texts of readiness rules by their names, as later products
// write them: when a rule is evaluated, when it failed, and in the address of its
// help. Further texts of the rule are lower case.
func firedTexts(rules []string, further ...string) []string {
	for _, r := range rules {
		r = strings.ToLower(r)
		further = append(further, "[rule:"+r+"]", "setupreadiness."+r+".")
	}
	return further
}

// firedPattern fits such a rule that fired: rules that were evaluated and did not
// fire stand in the log, too. further is a pattern of its texts, or "".
func firedPattern(rules []string, further string) string {
	names := "(" + strings.Join(rules, "|") + ")"
	pattern := `(?i)Evaluated \[Rule:` + names + `\].*\[Value:"True"\]|Failed \[Rule:` + names + `\]|setupreadiness\.` + names + `\.`
	if further != "" {
		pattern += "|" + further
	}
	return pattern
}

var (
	restartRules   = []string{"PendingRebootWindowsComponents", "RebootPending"}
	processRules   = []string{"ProcessNeedsToBeClosedOnUpgrade", "ProcessNeedsToBeClosedOnUninstall"}
	siteRules      = []string{"NotInSchemaMasterSite", "NotInSchemaMasterDomain"}
	updateRules    = []string{"SchemaUpdateRequired", "SchemaNotPrepared", "SchemaNotPreparedExtendedRights", "GlobalUpdateRequired"}
	delegatedRules = []string{"DelegatedMailboxFirstInstall", "DelegatedBridgeheadFirstInstall", "DelegatedClientAccessFirstInstall", "DelegatedUnifiedMessagingFirstInstall", "GlobalServerInstall"}
	domainRules    = []string{"DomainPrepRequired", "LocalDomainNotPrepared", "LocalDomainPrep", "DomainPrepRequiredNotEnterpriseAdmin"}
)

// prerequisiteErrors are those of the readiness checks. Later products write
// each rule with its value; Setup of 2007 writes the text of its rules in the
// language of the server, so that texts in English are found only there.
var prerequisiteErrors = []KnownError{
	{
		Rule: "pending-restart", Confidence: Successor,
		Words:  "A restart of the computer is pending.",
		Remedy: "Restart the computer and run Setup again.",
		Source: reviewer + ": PendingRebootWindowsComponents, RebootPending",
		Any:    firedTexts(restartRules, "pending reboot", "reboot from a previous installation is pending", "restart from a previous installation is pending"), Pattern: firedPattern(restartRules, `There is a pending reboot|(reboot|restart) from a previous installation is pending`),
	},
	{
		Rule: "process-to-close", Confidence: Successor,
		Words:  "A program that uses Exchange's files is open, such as another Management Shell.",
		Remedy: "Close the programs that the line names, on every session of the server, and run Setup again.",
		Source: reviewer + ": ProcessNeedsToBeClosedOnUpgrade",
		Any:    firedTexts(processRules, "has open files. close the process"), Pattern: firedPattern(processRules, `has open files\. Close the process`),
	},
	{
		Rule: "msdtc-stopped", Confidence: Seen,
		Words:  "The service MSDTC does not run; Client Access and Unified Messaging need it.",
		Remedy: "Start MSDTC, set it to Automatic, and run Setup again.",
		Source: "Exchange Best Practices Analyzer help, MSDTC (280ca216-ea9a-46fc-a23e-137e92527eb4); " + reviewer + ": MSDTCStopped",
		Any:    firedTexts([]string{"MSDTCStopped"}, "distributed transaction coordinator", "msdtc"), Pattern: firedPattern([]string{"MSDTCStopped"}, "") + `|(Distributed Transaction Coordinator|'MSDTC'|\(MSDTC\)|MSDTC service).*(not (been )?start|not running|is stopped|must be started)`,
	},
	{
		Rule: "remote-registry", Confidence: Successor,
		Words:  "The registry of the computer cannot be opened by its own name.",
		Remedy: "Start Remote Registry, check that the computer's FQDN resolves to itself, and run Setup again.",
		Source: reviewer + ": RemoteRegException",
		Any:    firedTexts([]string{"RemoteRegException"}), Pattern: firedPattern([]string{"RemoteRegException"}, `Evaluated \[Rule:RemoteRegException\] \[HasException:True\]`),
	},
	{
		Rule: "domain-controller-out-of-site", Confidence: Successor,
		Words:  "Setup's domain controller is in another site than the server.",
		Remedy: "Give the site a global catalog, repair sites and subnets, or name a controller with /DomainController.",
		Source: reviewer + ": DomainControllerIsOutOfSite",
		Any:    firedTexts([]string{"DomainControllerIsOutOfSite"}), Pattern: firedPattern([]string{"DomainControllerIsOutOfSite"}, ""),
	},
	{
		Rule: "schema-master-site", Confidence: Successor,
		Words:  "The directory is prepared from a computer that is not in the site and domain of the schema master.",
		Remedy: "Run PrepareSchema and PrepareAD on a computer in the schema master's site and domain, wait for replication, and run Setup again.",
		Source: readiness + ": NotInSchemaMasterSite; learn.microsoft.com bb288907",
		Any:    firedTexts(siteRules, "not in the same domain and site as the schema master", "not in the same domain and active directory site as the schema master", "same site as the schema master", "same domain and site as the schema master"), Pattern: firedPattern(siteRules, `same (domain and )?(active directory )?site as the schema master`),
	},
	{
		Rule: "single-label-domain", Confidence: Seen,
		Words:  "The domain's DNS name has a single label.",
		Remedy: "SP1 has an updated set of readiness checks that warns only (technet ee331008): let the server reach the Internet, or lay the newer ExBPA.PreReqs.xml beside the media. Better: rename the domain (KB300684).",
		Source: "technet ee331008; " + founding,
		Any:    []string{"single-labeled dns name", "single-label dns", "single labeled dns", "singlelabeldomain"},
	},
	{
		Rule: "prepare-with-another-group", Confidence: Successor,
		Words:  "Schema or organization have to be changed, and the account may not do it.",
		Remedy: "Have PrepareSchema, PrepareAD and PrepareDomain run by a member of Schema Admins and Enterprise Admins, wait for replication, and run Setup again.",
		Source: reviewer + ": PrerequisiteCheck (SchemaAdmin, EnterpriseAdmin)",
		Any:    firedTexts(updateRules, "member of the 'schema admins'", "member of the 'enterprise admins'"), Pattern: firedPattern(updateRules, `(must be|isn.t|is not) a member of the '(Schema|Enterprise) Admins`),
	},
	{
		Rule: "organization-administrator", Confidence: Successor,
		Words:  "The account has no rights as administrator of the Exchange organization.",
		Remedy: "Use an account of Exchange Organization Administrators, or one that this server was delegated to.",
		Source: reviewer + ": PrerequisiteCheck (ExOrgAdmin)",
		Any:    firedTexts(delegatedRules, "[setting:exorgadmin]", "exchange organization administrators", "organization management"), Pattern: firedPattern(delegatedRules, `ExOrgAdmin\].*\[Value:"False"\]|(must be a|that.s a) member of the ('|")?(Exchange Organization Administrators|Organization Management)`),
	},
	{
		Rule: "domain-not-prepared", Confidence: Successor,
		Words:  "A domain is not prepared, or its container of Exchange system objects exists twice.",
		Remedy: "Run PrepareDomain for it, look for a second container \"Microsoft Exchange System Objects\", and run Setup again.",
		Source: reviewer + ": LocalDomainIsPrepped, DomainPrepRequired",
		Any:    firedTexts(domainRules, "needs to be prepared using setup /preparedomain", "the local domain needs to be updated"), Pattern: firedPattern(domainRules, `needs to be prepared using Setup /PrepareDomain|The local domain needs to be updated`),
	},
	{
		Rule: "directory-not-validated", Confidence: Successor,
		Words:  "Setup could not learn how far the directory is prepared.",
		Remedy: "Read the reason in the same line: mostly the wrong domain or site, or a controller that does not answer. Cure it and run Setup again.",
		Source: reviewer + ": PrerequisiteCheck",
		Any:    []string{"encountered a problem while validating the state of active directory"},
	},
	{
		Rule: "interim-update", Confidence: Seen,
		Words:  "An interim update is installed.",
		Remedy: "Uninstall the interim update, then run the rollup or the service pack again.",
		Source: rollupHelp + "; " + sp2Blog,
		Any:    []string{"interim update"},
	},
	{
		Rule: "windows-installer-45", Confidence: Seen,
		Words:  "SP2 and SP3 need Windows Installer 4.5.",
		Remedy: "Install Windows Installer 4.5 (KB942288), restart, and run Setup again.",
		Source: sp2Blog,
		Any:    []string{"windows installer 4.5", "kb942288"}, Pattern: `(?i)(requires?|needs?|must|install|not).*(Windows Installer 4\.5|KB ?942288)|(Windows Installer 4\.5|KB ?942288).*(required|must|not)`,
	},
	{
		Rule: "wrong-architecture", Confidence: Seen,
		Words:  "The package is for the other processor architecture.",
		Remedy: "Take the x64 package for x64 servers; the x86 one is for 32-bit administration computers only.",
		Source: rollupHelp,
		Any:    []string{"is not compatible with the version of exchange server 2007"},
	},
}
