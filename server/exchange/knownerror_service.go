package exchange

// serviceErrors are those of services, during Setup and after a rollup.
var serviceErrors = []KnownError{
	{
		Rule: "transport-with-forefront", Confidence: Seen,
		Words:  "MSExchangeTransport does not start while Forefront is hooked into it.",
		Remedy: "Disable Forefront with fscutility /disable, run again, and enable it afterwards; or let CustomPatchInstallerActions.ps1 do it.",
		Source: forefront,
		Any:    []string{"msexchangetransport"}, Contexts: []string{"forefront", "fsccontroller", "fseagent", "fscutility"}, InErrors: true, Pattern: `(?i)MSExchangeTransport.*(start|'Running')`,
	},
	{
		Rule: "service-disabled", Confidence: Successor,
		Words:  "A service that Setup starts is disabled.",
		Remedy: "Set the service back to its start type of before, and run Setup again. Look at all Exchange services: an earlier run may have left more of them disabled.",
		Source: logs15 + "; " + reviewer + ": DisabledService",
		Any:    []string{"either because it is disabled", "cannot be started due to the following error", "cannot start service ", "0x80070422"},
	},
	{
		Rule: "transport-not-running", Confidence: Successor,
		Words:  "MSExchangeTransport did not come to run: half-disabled IPv6 on Windows Server 2008, no way to the certificate revocation list, or another cause at its start.",
		Remedy: "Enable IPv6 fully or disable it fully in the registry (KB952842), see that crl.microsoft.com answers or is not asked, start the service by hand, and run Setup again.",
		Source: "isoppe.jp ?p=2896 (Exchange 2010, Japanese); KB952842",
		// In any language: the service and the status are never translated. What is
		// not marked as an error may be the same sentence of a success.
		Any: []string{"msexchangetransport'", "msexchangetransport’", "msexchangetransport\"", "msexchangetransport”", "msexchangetransport“", "msexchangetransport»", "msexchangetransport´"}, InErrors: true, Unmarked: true,
		Pattern: `(?i)(^|[^:])['‘’"“”„«´]\s?MSExchangeTransport\s?['‘’"“”»´].*(^|[^:])['‘’"“”„«´]\s?Running\s?['‘’"“”»´]`,
	},
	{
		Rule: "service-not-running", Confidence: Successor,
		Words:  "A service did not come to run in time.",
		Remedy: "Read the system log for the service, start it by hand, cure what keeps it from starting, and run Setup again.",
		Source: logs15,
		Any:    []string{"failed to reach status 'running'", "failed to reach status ‘running’", "failed to reach status ’running’", "failed to reach status \"running\""},
	},
	{
		Rule: "services-left-disabled", Confidence: Seen,
		Words:  "Services stayed stopped or disabled after a rollup.",
		Remedy: "Set the start types of before, and start the services in their order: MSExchangeADTopology first.",
		Source: rollupHelp + "; andreslozada.blogspot.com 2009/12; text of ServiceControl.log as remembered",
		Any:    []string{"disabled", "set-service"}, Contexts: []string{"servicecontrol", "rollup", "exchange2007-kb"}, Pattern: `(?i)\bMS\w*Exchange\w*\b.*\b(remains?|is still|left|stays?|startup type:?|start type:?) ?(set to )?disabled`,
	},
	{
		Rule: "service-timeout", Confidence: Seen,
		Words:  "Services missed the 30 seconds of the service control manager: signatures are checked against a list that cannot be reached.",
		Remedy: "Add generatePublisherEvidence enabled=\"false\" to the service's .exe.config (.NET 2.0 SP1), or raise ServicesPipeTimeout, or let the host reach crl.microsoft.com; then start the services.",
		Source: "KB944752",
		Any:    []string{"milliseconds) waiting for", "did not respond to the start or control request in a timely fashion", "serviceprocess.timeoutexception", "generatepublisherevidence"},
	},
	{
		Rule: "revocation-list", Confidence: Seen,
		Words:  "The certificate revocation list cannot be reached: the installation takes hours.",
		Remedy: "Let the host reach crl.microsoft.com (proxy for WinHTTP), or switch the check off for the account while Setup runs.",
		Source: founding + "; KB944752",
		Any:    []string{"crl.microsoft.com", "cspca.crl", "0x80092012", "0x80092013", "revocation server was offline"},
	},
	{
		Rule: "store-without-upgradecms", Confidence: Remembered,
		Words:  "The clustered mailbox server is older than its node: /UpgradeCms was forgotten or did not end.",
		Remedy: "Stop the clustered mailbox server, move it to the upgraded node if it is not there, and run Setup.com /UpgradeCms on it. Never upgrade the other node first.",
		Source: "siliconexus.com, Upgrading Exchange 2007 to SP2 in N+1 easy steps; technet cc540457; text as remembered",
		Any:    []string{"clustered mailbox server", "upgradecms"}, Pattern: `(?i)clustered mailbox server.*(version|upgrade).*(match|differ|older|newer|must|cannot|not supported)|(must|have to|need to).*upgradecms`,
	},
	{
		Rule: "client-access-too-old", Confidence: Remembered,
		Words:  "A Client Access server is older than the mailbox server that it is to reach.",
		Remedy: "Upgrade the Client Access servers of the site to the build of the mailbox server.",
		Source: founding + "; text as remembered",
		Any:    []string{"client access server"}, Pattern: `(?i)client access server.*(older version|earlier version|not compatible|version mismatch|lower version)`,
	},
	{
		Rule: "remote-streaming-backup", Confidence: Remembered,
		Words:  "A copy cannot be seeded: remote streaming backup is switched off since SP1.",
		Remedy: "Set \"Enable Remote Streaming Backup\" (DWORD 1) below MSExchangeIS\\ParametersSystem on both nodes, restart the Information Store, and seed again.",
		Source: founding + "; text as remembered",
		Any:    []string{"remote streaming backup", "streaming backup", "update-storagegroupcopy"}, Pattern: `(?i)(remote )?streaming backup.*(disabled|not enabled|turned off|denied|not allowed)|Update-StorageGroupCopy.*(failed|error)`,
	},
	{
		Rule: "pop-imap-logons", Confidence: Seen,
		Words:  "POP3 or IMAP4 clients are locked out: the settings of logons were set back.",
		Remedy: "Set LoginType as it was (Set-PopSettings, Set-ImapSettings) and restart MSExchangePop3 and MSExchangeImap4.",
		Source: popImapHelp + "; text of events as remembered",
		Any:    []string{"plaintextlogin", "plaintextauthentication", "pop3.exe.config", "imap4.exe.config"}, Pattern: `(?i)(PlainTextLogin|PlainTextAuthentication).*(reject|denied|refus|fail|not allowed)|(Pop3|Imap4)\.exe\.config.*(overwrit|replac|reset|default)`,
	},
	{
		Rule: "um-configuration", Confidence: Seen,
		Words:  "A configuration file of Unified Messaging was overwritten or does not fit.",
		Remedy: "Compare it with the copy that was saved before, and make the changes again in the new file; do not copy the old file over it.",
		Source: founding,
		Any:    []string{"globcfg.xml", "globalcfg.xml", "recyclerconfig.xml"}, Pattern: `(?i)(overwrit|replac|invalid|could not|cannot|failed|error)`,
	},
	{
		Rule: "setup-hangs-on-name", Confidence: Remembered,
		Words:  "The computer's own name does not resolve.",
		Remedy: "Maintain the computer's FQDN in DNS, and run Setup again.",
		Source: founding + " (readers' notes); text as remembered",
		Any:    []string{"no such host is known", "the requested name is valid, but no data"}, InErrors: true,
	},
}
