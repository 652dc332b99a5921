package windows

import (
	"context"
	"math"
	"time"
)

// FactRow is one fact: its name, exactly what is asked, by whose account, on
// which versions of Windows that exists, and where it is known from. A fact
// without a row here does not exist.
type FactRow struct {
	Name     string
	Ask      string // see the forms below
	Account  string // WinRMAccount, RunAsAccount, SystemAccount
	Versions string
	Source   string

	// The rest is for the facts that the WinRM account asks for.
	read func(context.Context, *asked) (any, error)
	// later is a fact that only preflight wants: asked of WMI alone, and unknown
	// where the account may not see it.
	later bool
}

// The accounts that facts are asked by.
const (
	WinRMAccount  = "winrm"
	RunAsAccount  = "run-as"
	SystemAccount = "SYSTEM"
)

// Ask has parts between "; ", each one question: a query of WMI in root/cimv2, or
// in the namespace before it; "HKLM\key: value, value" for values of the registry;
// "subkeys of HKLM\key"; "value names of HKLM\key"; Identify; "script NAME: ..."
// for what a host task's script does. A part after "if there: " is asked only where
// an answer before it says so, one after "else " only where it does not. * stands
// for what a host has of its own: names of keys, paths of files. Of a value that
// is not there the names of its key's values are asked, too, and of processes
// their owners.
const (
	allWindows = "2003, 2008, 2008 R2"

	ifThere = "; if there: "
	orElse  = "; else "

	valuesOf = "value names of HKLM\\"
	keysOf   = "subkeys of HKLM\\"

	keyNET20     = `SOFTWARE\Microsoft\NET Framework Setup\NDP\v2.0.50727`
	keySession   = `SYSTEM\CurrentControlSet\Control\Session Manager`
	keyReboot    = `SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired`
	keyUpdates   = `SOFTWARE\Microsoft\Updates`
	keyProcessor = keySession + `\Environment`

	recorded   = "recorded answers of Windows Server 2003 SP2 and 2008"
	remembered = "remembered"

	askInstall  = `HKLM\` + exchangeKey + `\Setup: MsiInstallPath` + orElse + `HKLM\SOFTWARE\Microsoft\Exchange\Setup: MsiInstallPath`
	askRoles    = keysOf + exchangeKey + "; " + valuesOf + exchangeKey + `\*` + ifThere + `HKLM\` + exchangeKey + `\*: ConfiguredVersion, UnpackedVersion, Action, Watermark`
	askFiles    = queryFilesBegin + "*"
	askServices = queryServicePrograms
	askNeeds    = `HKLM\` + keyServices + `\*: DependOnService`
)

// factRows is the table of facts.
var factRows = append([]FactRow{
	{Name: "os", Ask: queryOS, Source: recorded, read: func(ctx context.Context, a *asked) (any, error) {
		return ofOS(ctx, a, OS.Name)
	}},
	{Name: "os_version", Ask: queryOS, Source: recorded, read: func(ctx context.Context, a *asked) (any, error) {
		return ofOS(ctx, a, func(o OS) string { return o.Version })
	}},
	{Name: "os_service_pack", Ask: queryOS, Source: recorded, read: func(ctx context.Context, a *asked) (any, error) {
		return ofOS(ctx, a, func(o OS) int { return o.ServicePack })
	}},
	{Name: "boot_time", Ask: queryOS, Source: recorded, read: func(ctx context.Context, a *asked) (any, error) {
		return ofOS(ctx, a, func(o OS) string { return o.Boot.UTC().Format(time.RFC3339) })
	}},
	{Name: "clock_offset_seconds", Ask: queryOS, Source: recorded, read: func(ctx context.Context, a *asked) (any, error) {
		return ofOS(ctx, a, func(o OS) int { return int(math.Round(o.Offset().Seconds())) })
	}},
	{Name: "utc_offset_minutes", Ask: queryOS, Source: recorded, read: func(ctx context.Context, a *asked) (any, error) {
		return ofOS(ctx, a, func(o OS) int { _, s := o.Now.In(o.Zone).Zone(); return s / 60 })
	}},
	{Name: "language", Ask: queryOS, Source: recorded + "; MS-LCID", read: func(ctx context.Context, a *asked) (any, error) {
		return ofOS(ctx, a, func(o OS) string { return culture(o.Language) })
	}},
	{Name: "system_drive", Ask: queryOS, Source: recorded, read: func(ctx context.Context, a *asked) (any, error) {
		return ofOS(ctx, a, func(o OS) string { return o.SystemDrive })
	}},
	{Name: "arch", Ask: `HKLM\` + keyProcessor + `: PROCESSOR_ARCHITECTURE` + orElse + queryComputer, Source: remembered, read: readArch},
	{Name: "fqdn", Ask: queryComputer, Source: recorded, read: func(ctx context.Context, a *asked) (any, error) {
		c, err := a.computer(ctx)
		return c.FQDN(), err
	}},
	{Name: "winrm", Ask: "Identify", Source: "MS-WSMV, ProductVersion", read: func(ctx context.Context, a *asked) (any, error) {
		id, err := a.host.Identify(ctx)
		return id.Stack, err
	}},
	{Name: "dotnet20_sp", Ask: `HKLM\` + keyNET20 + `: Install` + ifThere + `HKLM\` + keyNET20 + `: SP`, Source: remembered, read: readNET20Fact},
	{Name: "hotfixes", Ask: queryHotfixes, Source: "documentation of Win32_QuickFixEngineering", read: func(ctx context.Context, a *asked) (any, error) {
		return a.host.Hotfixes(ctx)
	}},
	{Name: "disks", Ask: queryDisks, Source: recorded, read: func(ctx context.Context, a *asked) (any, error) {
		return a.host.Disks(ctx)
	}},
	{
		Name: "services", Ask: queryServices + ifThere + askServices + ifThere + askNeeds + ifThere + askFiles,
		Source: recorded + "; the company is told of programs outside Windows' own folder, dependants are those whose programs lie outside it: there CIM_DataFile's Manufacturer and DependOnService are read",
		read:   readServices,
	},
	{Name: "setup_processes", Ask: queryProcesses, Source: "documentation of Win32_Process; the Exchange team on phases of Setup", read: func(ctx context.Context, a *asked) (any, error) {
		all, err := a.processes(ctx)
		return SetupProcesses(all), err
	}},
	{
		Name: "pending_restart",
		Ask: keysOf + keyReboot + `; HKLM\` + keyUpdates + `: UpdateExeVolatile` + orElse + `HKLM\` + keyUpdates + `\UpdateExeVolatile: Flags; HKLM\` +
			keySession + `: PendingFileRenameOperations`,
		Source: "technet cc164360", read: readPending,
	},
	{Name: "install_path", Ask: askInstall, Source: "public inventory scripts", read: func(ctx context.Context, a *asked) (any, error) {
		return a.installPath(ctx)
	}},
	{Name: "roles", Ask: askRoles, Source: "msxfaq.de (Service Packs für Exchange 2007)", read: func(ctx context.Context, a *asked) (any, error) {
		return a.installedRoles(ctx)
	}},
}, append(laterRows, taskRows...)...)

// laterRows are the facts that only preflight wants.
var laterRows = []FactRow{
	{Name: "domain", Ask: queryComputer + `; HKLM\` + keyTCPIP + `: Domain`, Source: recorded + "; the key is remembered", later: true, read: readDomain},
	{Name: "ad_site", Ask: `HKLM\` + keyNetlogon + `: SiteName` + orElse + `HKLM\` + keyNetlogon + `: DynamicSiteName`, Source: remembered, later: true, read: readADSite},
	{Name: "domain_controller", Ask: queryMemory, Source: recorded + "; DomainRole by its documentation", later: true, read: readDomainController},
	{Name: "memory_mb", Ask: queryMemory, Source: recorded, later: true, read: readMemory},
	{
		Name: "windows_updates", Ask: queryInstalled + `; HKLM\` + keyUpdateResults + `\Detect: LastSuccessTime; HKLM\` + keyUpdateResults + `\Install: LastSuccessTime`,
		Source: "documentation of Win32_QuickFixEngineering; a note on its hexadecimal dates (tek-tips faq 7194); Windows Update's key is remembered", later: true, read: readWindowsUpdates,
	},
	{Name: "windows_installer", Ask: askFiles, Source: "the Exchange team on prerequisites of SP2 wants 4.5; the version of its msi.dll is remembered", later: true, read: systemFile("msi.dll")},
	{
		Name:   "powershell",
		Ask:    keysOf + keyPowerShell + ifThere + `HKLM\` + keyPowerShell + `\*: Install` + ifThere + `HKLM\` + keyPowerShell + `\*\PowerShellEngine: PowerShellVersion`,
		Source: "the Exchange team on WMF 3.0; the keys are remembered", later: true, read: readPowerShell,
	},
	{Name: "mmc", Ask: askFiles, Source: remembered, later: true, read: systemFile("mmc.exe")},
	{
		Name: "iis", Ask: `HKLM\` + keyIIS + `: MajorVersion` + ifThere + valuesOf + keyIIS + `\Components` + ifThere + `HKLM\` + keyIIS + `\Components: *` +
			ifThere + iisNamespace + ": " + queryPools,
		Source: "topics of Setup's readiness rules (Longhorn*, IIS32BitMode); the keys and the class are remembered", later: true, read: readIIS,
	},
	{
		Name: "time_zone_data", Ask: `HKLM\` + keyZone + `: TimeZoneKeyName; HKLM\` + keyZones + `\*: TZI`,
		Source: "KB928388 and KB931836 for the zones; REG_TZI_FORMAT", later: true, read: readTimeZones,
	},
	{
		Name: "patches", Ask: keysOf + keyProduct + ifThere + keysOf + keyPatches + ifThere + `HKLM\` + keyPatches + `\*: DisplayName, Installed, State` +
			ifThere + `HKLM\` + keyCached + `\*: LocalPackage` + ifThere + askFiles,
		Source: "public inventory scripts; KB2784788", later: true, read: readPatches,
	},
	{Name: "exsetup_version", Ask: askInstall + ifThere + askFiles, Source: "KB2173280 collects it", later: true, read: readExSetup},
	{
		Name: "foreign_services",
		Ask: askServices + "; " + askNeeds + "; " + askFiles + "; " + keysOf + keyClusterResources + ifThere + `HKLM\` + keyClusterResources + `\*: Type` + ifThere +
			`HKLM\` + keyClusterResources + `\*\Parameters: ServiceName`,
		Source: recorded + "; CIM_DataFile's Manufacturer is a file's company; the cluster's hive is remembered", later: true, read: readForeign,
	},
	{Name: "dependants", Ask: askServices + "; " + askNeeds, Source: recorded + "; the key is documented (DependOnService)", later: true, read: readDependants},
	{Name: "processes", Ask: queryProcesses, Source: "documentation of Win32_Process; command lines are not kept: they hold secrets", later: true, read: readProcesses},
	{Name: "sessions", Ask: queryProcesses, Source: "documentation of Win32_Process and GetOwner", later: true, read: readSessions},
	{Name: "um_packs", Ask: askRoles + ifThere + valuesOf + keyLanguagePacks, Source: "by analogy with later versions of Exchange", later: true, read: readUMPacks},
	{
		Name: "streaming_backup", Ask: keysOf + keyStore + ifThere + `HKLM\` + keyStreaming + `: ` + streamingValue,
		Source: "msxfaq.de (Service Packs für Exchange 2007), in both spellings", later: true, read: readStreaming,
	},
	{
		Name: "firewall",
		Ask: askServices + "; " + keysOf + keyFirewallPolicy + ifThere + `HKLM\` + keyFirewallPolicy + `\*: EnableFirewall` + orElse +
			`HKLM\` + keyFirewall + `\*: EnableFirewall`,
		Source: "MS-FASP, FW_PROFILE_CONFIG_ENABLE_FW; the keys are remembered", later: true, read: readFirewall,
	},
	{Name: "forefront", Ask: askServices + ifThere + askFiles + "; " + keysOf + keyForefront, Source: "technet bb795071; the Exchange team's script for FSCController", later: true, read: readForefront},
	{Name: "cluster_member", Ask: askServices + `; HKLM\` + keyCluster + `: ClusterName`, Source: remembered, later: true, read: readClusterMember},
}

// FactTable lists the facts in their order, each line whole.
func FactTable() []FactRow {
	rows := make([]FactRow, len(factRows))
	for i, r := range factRows {
		if r.Account == "" {
			r.Account = WinRMAccount
		}
		if r.Versions == "" {
			r.Versions = allWindows
		}
		rows[i] = r
	}
	return rows
}

// FactNames lists the facts in the order of the table.
func FactNames() []string {
	names := make([]string, len(factRows))
	for i, r := range factRows {
		names[i] = r.Name
	}
	return names
}
