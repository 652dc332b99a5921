package windows

// publisherKey holds the revocation switch of a user's hive.
const publisherKey = `Software\Microsoft\Windows\CurrentVersion\WinTrust\Trust Providers\Software Publishing`

// systemConstants are those of Windows itself.
var systemConstants = []Constant{
	{
		Name: "registry.version", Value: `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion CurrentVersion`, What: "5.2 or 6.0, without WMI",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeValue, At: `SOFTWARE\Microsoft\Windows NT\CurrentVersion`, Property: "CurrentVersion", Want: `^(5\.2|6\.[01])$`},
	},
	{
		Name: "registry.csdversion", Value: `HKLM\SYSTEM\CurrentControlSet\Control\Windows CSDVersion`, What: "service pack as a number (0x200 is 2), in every language",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeValue, At: `SYSTEM\CurrentControlSet\Control\Windows`, Property: "CSDVersion", Want: `^(0|256|512|768)$`},
	},
	{
		Name: "registry.installlanguage", Value: `HKLM\SYSTEM\CurrentControlSet\Control\Nls\Language InstallLanguage`, What: "language of Windows in hexadecimal, without WMI",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeValue, At: `SYSTEM\CurrentControlSet\Control\Nls\Language`, Property: "InstallLanguage", Want: `^[0-9A-Fa-f]{4}$`},
	},
	{
		Name: "registry.processor", Value: `HKLM\` + keyProcessor + ` PROCESSOR_ARCHITECTURE`, What: "AMD64 or x86",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeValue, At: keyProcessor, Property: "PROCESSOR_ARCHITECTURE", Want: `^(AMD64|x86)$`},
	},
	{
		Name: "registry.net20", Value: `HKLM\` + keyNET20 + ` Install`, What: ".NET Framework 2.0 is installed",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeValue, At: keyNET20, Property: "Install", Want: `^1$`},
	},
	{
		Name: "registry.net20sp", Value: `HKLM\` + keyNET20 + ` SP`, What: "service pack of .NET Framework 2.0",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeValue, At: keyNET20, Property: "SP", Want: `^[012]$`},
	},
	{
		Name: "registry.publisher", Value: `HKU\S-1-5-18\` + publisherKey + ` State`, What: "revocation switch: bit 0x200 set means that publishers' certificates are not checked",
		Standing: Documented, Source: "a blog names 146432 and 146944 for a person's hive; that SYSTEM has it is remembered",
		Probe: Probe{By: ProbeValue, At: `S-1-5-18\` + publisherKey, Property: "State", Want: `^(146432|146944)$`, Users: true},
	},
	{
		Name: "registry.rebootrequired", Value: `HKLM\` + keyReboot, What: "Windows Update wants a restart", Maybe: true,
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeKey, At: keyReboot},
	},
	{
		Name: "registry.autoupdate", Value: `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update`, What: "the key that RebootRequired comes below",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeKey, At: `SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update`},
	},
	{
		Name: "registry.filerename", Value: `HKLM\` + keySession + ` PendingFileRenameOperations`, What: "files that the next start of Windows replaces", Maybe: true,
		Standing: Documented, Source: "technet cc164360",
		Probe: Probe{By: ProbeValue, At: keySession, Property: "PendingFileRenameOperations"},
	},
	{
		Name: "registry.updateexe", Value: `HKLM\` + keyUpdates + ` UpdateExeVolatile`, What: "an update of Windows wants a restart", Maybe: true,
		Standing: Documented, Source: "technet cc164360",
		Probe: Probe{By: ProbeValue, At: keyUpdates, Property: "UpdateExeVolatile"},
	},
	{
		Name: "registry.delayed", Value: `HKLM\` + keyServices + `\MSDTC DelayedAutostart`, What: "a delayed start is put back as it was", On: from2008, Maybe: true,
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeValue, At: keyServices + `\MSDTC`, Property: "DelayedAutostart", Want: `^[01]$`},
	},
	{
		Name: "registry.tcpip", Value: `HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters Hostname`, What: "the host's name, without WMI",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeValue, At: `SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`, Property: "Hostname", Want: `^[A-Za-z0-9-]+$`},
	},
	{
		Name: "registry.hotfix", Value: `HKLM\` + keyHotFix, What: "installed updates, without WMI", On: only2003,
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeKey, At: keyHotFix},
	},
	{
		Name: "registry.packages", Value: `HKLM\` + keyPackages, What: "installed updates, without WMI", On: from2008,
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeKey, At: keyPackages},
	},
	{
		Name: "file.reg", Value: `%windir%\system32\reg.exe`, What: "the registry without WMI",
		Standing: Remembered, Source: "general knowledge", Probe: Probe{By: ProbeFile, At: `%windir%\system32\reg.exe`},
	},
	{
		Name: "file.sc", Value: `%windir%\system32\sc.exe`, What: "services without WMI",
		Standing: Remembered, Source: "general knowledge", Probe: Probe{By: ProbeFile, At: `%windir%\system32\sc.exe`},
	},
	{
		Name: "file.schtasks", Value: `%windir%\system32\schtasks.exe`, What: "host tasks on Windows Server 2003",
		Standing: Documented, Source: "technet cc772785", Probe: Probe{By: ProbeFile, At: `%windir%\system32\schtasks.exe`},
	},
	{
		Name: "file.shutdown", Value: `%windir%\system32\shutdown.exe`, What: "restarts",
		Standing: Remembered, Source: "general knowledge", Probe: Probe{By: ProbeFile, At: `%windir%\system32\shutdown.exe`},
	},
}

// needsExchange is any role of Exchange: the topology service runs with each but
// EdgeTransport.
var needsExchange = Needs{Service: "MSExchangeADTopology"}

// exchangeConstants are those of Exchange 2007's registry and files. A role's key
// is expected where one of its services is.
var exchangeConstants = []Constant{
	{
		Name: "registry.exchange", Value: `HKLM\` + exchangeKey, What: "one key for each role below it", Needs: needsExchange,
		Standing: Documented, Source: "msxfaq.de (Service Packs für Exchange 2007)", Probe: Probe{By: ProbeKey, At: exchangeKey},
	},
	roleConstant("AdminTools", "MSExchangeADTopology", Remembered, "general knowledge"),
	roleConstant("ClientAccessRole", "MSExchangePop3", Remembered, "general knowledge"),
	roleConstant("HubTransportRole", "MSExchangeEdgeSync", Documented, "a page of Setup's generated files names HubTransportRole"),
	roleConstant("MailboxRole", "MSExchangeIS", Remembered, "general knowledge"),
	roleConstant("UnifiedMessagingRole", "MSExchangeUM", Remembered, "general knowledge"),
	roleConstant("EdgeTransportRole", "ADAM_MSExchange", Remembered, "general knowledge"),
	{
		Name: "registry.configured", Value: `HKLM\` + exchangeKey + `\AdminTools ConfiguredVersion`, What: "the build that a role stands at", Needs: needsExchange,
		Standing: Documented, Source: "msxfaq.de (Service Packs für Exchange 2007) names the values; AdminTools as one of the keys is remembered",
		Probe: Probe{By: ProbeValue, At: exchangeKey + `\AdminTools`, Property: "ConfiguredVersion", Want: `^8\.\d+\.\d+\.\d+$`},
	},
	{
		Name: "registry.unpacked", Value: `HKLM\` + exchangeKey + `\AdminTools UnpackedVersion`, What: "the build of a role's files", Needs: needsExchange,
		Standing: Documented, Source: "msxfaq.de (Service Packs für Exchange 2007)",
		Probe: Probe{By: ProbeValue, At: exchangeKey + `\AdminTools`, Property: "UnpackedVersion", Want: `^8\.\d+\.\d+\.\d+$`},
	},
	{
		Name: "registry.installpath", Value: `HKLM\` + exchangeKey + `\Setup MsiInstallPath`, What: "where Exchange is", Needs: needsExchange,
		Standing: Documented, Source: "public scripts read it",
		Probe: Probe{By: ProbeValue, At: exchangeKey + `\Setup`, Property: "MsiInstallPath", Want: `^[A-Za-z]:\\`},
	},
	{
		Name: "registry.languagepacks", Value: `HKLM\` + exchangeKey + `\UnifiedMessagingRole\LanguagePacks`, What: "installed Unified Messaging language packs", Needs: Needs{Service: "MSExchangeUM"},
		Standing: Remembered, Source: "by analogy with later versions",
		Probe: Probe{By: ProbeKey, At: exchangeKey + `\UnifiedMessagingRole\LanguagePacks`},
	},
	{
		Name: "registry.streaming", Value: `HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIS\ParametersSystem`, What: "the key of Enable Remote Streaming Backup", Needs: Needs{Service: "MSExchangeIS"},
		Standing: Documented, Source: "msxfaq.de (Service Packs für Exchange 2007)",
		Probe: Probe{By: ProbeKey, At: `SYSTEM\CurrentControlSet\Services\MSExchangeIS\ParametersSystem`},
	},
	{
		Name: "file.setuplog", Value: `%SystemDrive%\ExchangeSetupLogs\ExchangeSetup.log`, What: "what Setup says while it runs; somebody may have taken it away", Needs: needsExchange, Maybe: true,
		Standing: Documented, Source: "pages about Setup's logs; general knowledge that the folder is on the system drive",
		Probe: Probe{By: ProbeFile, At: `%SystemDrive%\ExchangeSetupLogs\ExchangeSetup.log`},
	},
}

func roleConstant(key, service string, standing Standing, source string) Constant {
	return Constant{
		Name: "registry.role." + key, Value: `HKLM\` + exchangeKey + `\` + key, What: "which roles are installed, and their builds",
		Needs: Needs{Service: service}, Standing: standing, Source: source, Probe: Probe{By: ProbeKey, At: exchangeKey + `\` + key},
	}
}
