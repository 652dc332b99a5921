package exchange

// installerErrors are those of Windows Installer, in its own log or as Setup
// repeats them.
var installerErrors = []KnownError{
	{
		Rule: "missing-msp", Confidence: Seen,
		Words:  "A cached patch (.msp) of an earlier rollup is missing below %SystemRoot%\\Installer; 1603 or 1635 follow.",
		Remedy: "Stop virus scanners and monitoring, empty %SystemDrive%\\Windows\\TEMP and try again; else put the .msp of the original rollup back under the cached name that the line gives.",
		Source: "KB2784788 (the last step as remembered)",
		Any:    []string{"couldn't find local patch", "note: 1: 2203", "error code is 1635", "error code 1635", "is returning 1635", "error status: 1635", "patch package could not be opened"}, Pattern: `(?i)Couldn't find local patch '|Note: 1: 2203 2: .*\.msp\b|Error code (is )?1635|is returning 1635|error status: 1635|patch package could not be opened`,
	},
	{
		Rule: "installation-source-missing", Confidence: Successor,
		Words:  "Windows Installer does not find the source that a product was installed from (1612).",
		Remedy: "Make the source available again, at the path that the product was installed from (a UM language pack: its medium), or repair the Installer's cache; then run Setup again.",
		Source: logs15 + "; " + reviewer + ": KnownMsiIssuesCheck",
		Any:    []string{"installation source for this product is not available", "error code is 1612", "error code 1612"},
	},
	{
		Rule: "installer-cache-unreadable", Confidence: Successor,
		Words:  "A file of Windows Installer's cache cannot be read.",
		Remedy: "Take %SystemRoot%\\Installer out of the virus scanner's reach, repair the cached package, and run Setup again.",
		Source: logs15,
		Any:    []string{"error reading from file"},
	},
	{
		Rule: "product-not-removed", Confidence: Successor,
		Words:  "Windows Installer could not remove a product of the old build.",
		Remedy: "Read ExchangeSetup.msilog above its last \"Return value 3\"; mostly the cached package is damaged or missing. Repair it and run Setup again.",
		Source: reviewer + ": KnownMsiIssuesCheck",
		Any:    []string{"remove product with code"}, Pattern: `(?i)(unable to|couldn't|could not|cannot) remove product with code`,
	},
	{
		Rule: "other-installation-runs", Confidence: Remembered,
		Words:  "Another installation is under way (1618).",
		Remedy: "Wait for it, or end it, and run again.",
		Source: "Windows Installer error codes, as remembered",
		Any:    []string{"error code is 1618", "error code 1618", "another installation is already in progress", "is returning 1618"},
	},
	{
		Rule: "wmf3", Confidence: Seen,
		Words:  "Windows Management Framework 3.0 is installed, or Windows Installer ended for a reason that it does not give: 80070643.",
		Remedy: "Look for KB2506146 and KB2506143 and uninstall them, restart, and run the rollup again. If neither is there, read the verbose log.",
		Source: wmf3,
		Any:    []string{"80070643", "setup ended prematurely because of an error", "kb2506146", "kb2506143"},
	},
	{
		Rule: "not-elevated", Confidence: Remembered,
		Words:  "On Windows Server 2008 the package ran without the account's full rights.",
		Remedy: "Run it elevated: as SYSTEM or in a task with the highest rights.",
		Source: "studylib.net 5851841, Troubleshooting Exchange Server 2007 rollup installation; codes as remembered",
		Any:    []string{"requires elevation", "0x800702e4", "error 1925", "error 1730", "is not privileged"}, Pattern: `(?i)requires elevation|0x800702E4|Error 1925|Error 1730`,
	},
	{
		Rule: "temporary-msp-held", Confidence: Seen,
		Words:  "A temporary .msp cannot be deleted: something holds it.",
		Remedy: "Stop the virus scanner and try again.",
		Source: "studylib.net 5851841, Troubleshooting Exchange Server 2007 rollup installation; text as remembered",
		Any:    []string{".msp"}, Pattern: `(?i)(unable|failed|could ?n.t|could not|cannot|can't) (to )?(be )?(delete|remove)d? .*\.msp\b|\.msp\b.*(could not|cannot|couldn't) be deleted`,
	},
	{
		Rule: "rollup-customization", Confidence: Seen,
		Words:  "A script of one's own that the rollup calls failed (CustomPatchInstallerActions.ps1).",
		Remedy: "Run the script by hand, cure it, and run the rollup again.",
		Source: forefront,
		Any:    []string{"custompatchinstalleractions.ps1"}, Pattern: `(?i)CustomPatchInstallerActions\.ps1.*(error|fail|exception|could not|cannot)|(error|fail|exception).*CustomPatchInstallerActions\.ps1`,
	},
	{
		Rule: "installer-fatal", Confidence: Successor, General: true,
		Words:  "Windows Installer ended with a fatal error (1603).",
		Remedy: "Read ExchangeSetup.msilog above its last \"Return value 3\": the action there names the cause. Missing cached packages and virus scanners are the most frequent ones. Run Setup again afterwards.",
		Source: reviewer + ": KnownMsiIssuesCheck; KB2784788",
		Any:    []string{"error code is 1603", "error code 1603", "is returning 1603", "error status: 1603", "fatal error during installation"},
	},
	{
		Rule: "installer-null-reference", Confidence: Successor,
		Words:  "Setup itself failed while it installed a package: an object was not there.",
		Remedy: "Repair the Installer's cache of the product that the lines before it name, and run Setup again.",
		Source: reviewer + ": KnownMsiIssuesCheck",
		Any:    []string{"object reference not set to an instance"}, Contexts: []string{"installing a new product"}, InErrors: true,
	},
	{
		Rule: "return-value-3", Confidence: Seen, General: true,
		Words:  "A custom action of the package failed.",
		Remedy: "The lines above it name the action and its error; the help on failed rollups lists the causes.",
		Source: "studylib.net 5851841; " + rollupHelp,
		Any:    []string{"return value 3."},
	},
}
