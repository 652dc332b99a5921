package windows

// Names of versions in OS.Name's words.
var (
	only2003 = []string{"2003"}
	from2008 = []string{"2008", "2008R2"}
)

// wireConstants are those of WinRM, of shells and of PowerShell.
var wireConstants = []Constant{
	{
		Name: "winrm.identify", Value: "OS: N.N.N SP: N.N Stack: N.N", What: "version of Windows and of WinRM, code page of shells",
		Standing: Remembered, Source: "clients of others read it so; no recorded answer was found",
		Probe: Probe{By: ProbeIdentify, Want: `^OS: \d+\.\d+\.\d+ SP: \d+\.\d+ Stack: \d+\.\d+$`},
	},
	{
		Name: "winrm.stack.2003", Value: "Stack: 1.1 or 2.0", What: "which messages and quotas the host has", On: only2003,
		Standing: Remembered, Source: "technet ee922649 has 2.0 of Windows Management Framework (KB968930); 1.1 for KB936059 by its files' versions",
		Probe: Probe{By: ProbeIdentify, Want: `^OS: 5\.2\.3790 SP: \d+\.\d+ Stack: (1\.1|2\.0)$`},
	},
	{
		Name: "winrm.stack.2008", Value: "Stack: 1.1 or 2.0", What: "which messages and quotas the host has", On: []string{"2008"},
		Standing: Remembered, Source: "technet ee922649 calls 6.0.6001 2.0; commonly 1.1 is said",
		Probe: Probe{By: ProbeIdentify, Want: `^OS: 6\.0\.600\d SP: \d+\.\d+ Stack: (1\.1|2\.0)$`},
	},
	{
		Name: "shell.codepage.437", Value: "437", What: "code page of shells before Windows 6.1, where 65001 silences batch files",
		Standing: Documented, Source: "WinRb/WinRM pull request 182 does so", On: []string{"2003", "2008"},
		Probe: Probe{By: ProbeProgram, At: "chcp", Want: `\b437\b`},
	},
	{
		Name: "shell.oemcp", Value: `HKLM\` + keyCodePage + ` OEMCP`, What: "the code page where 437 cannot be had",
		Standing: Documented, Source: "technet cc775938",
		Probe: Probe{By: ProbeValue, At: keyCodePage, Property: "OEMCP", Want: `^\d{3,5}$`},
	},
	{
		Name: "wmi.stdregprov", Value: "root/default:StdRegProv", What: "the registry, typed and without a process on the host",
		Standing: Documented, Source: "its reference; no recorded answer was found",
		Probe: Probe{By: ProbeKey, At: `SOFTWARE\Microsoft\Windows NT\CurrentVersion`},
	},
	{
		Name: "wmi.os", Value: "Win32_OperatingSystem OSLanguage", What: "language of Windows",
		Standing: Recorded, Source: "answers of Windows Server 2003 and 2008 R2",
		Probe: Probe{By: ProbeWMI, At: "Win32_OperatingSystem", Property: "OSLanguage"},
	},
	{
		Name: "wmi.boot", Value: "Win32_OperatingSystem LastBootUpTime", What: "whether a host was restarted",
		Standing: Recorded, Source: "answers of Windows Server 2003 and 2008 R2",
		Probe: Probe{By: ProbeWMI, At: "Win32_OperatingSystem", Property: "LastBootUpTime"},
	},
	{
		Name: "wmi.computer", Value: "Win32_ComputerSystem SystemType", What: "architecture",
		Standing: Recorded, Source: "an answer of Windows Server 2003",
		Probe: Probe{By: ProbeWMI, At: "Win32_ComputerSystem", Property: "SystemType"},
	},
	{
		Name: "wmi.dnshostname", Value: "Win32_ComputerSystem DNSHostName", What: "the host's full name",
		Standing: Recorded, Source: "an answer of Windows Server 2003; the reference of the class names Windows Vista as its first",
		Probe: Probe{By: ProbeWMI, At: "Win32_ComputerSystem", Property: "DNSHostName"},
	},
	{
		Name: "wmi.hotfix", Value: "Win32_QuickFixEngineering HotFixID", What: "what a package asks for first",
		Standing: Documented, Source: "reference of the class",
		Probe: Probe{By: ProbeWMI, At: "Win32_QuickFixEngineering", Property: "HotFixID"},
	},
	{
		Name: "wmi.disk", Value: "Win32_LogicalDisk FreeSpace", What: "room for media and for Setup",
		Standing: Recorded, Source: "an answer of Windows Server 2003",
		Probe: Probe{By: ProbeWMI, At: "Win32_LogicalDisk", Property: "FreeSpace"},
	},
	{
		Name: "wmi.session", Value: "Win32_Process SessionId", What: "who is logged on",
		Standing: Documented, Source: "reference of the class",
		Probe: Probe{By: ProbeWMI, At: "Win32_Process", Property: "SessionId"},
	},
	{
		Name: "wmic.file", Value: `%windir%\system32\wbem\wmic.exe`, What: "not used: its first start on a host writes to the repository, so it is looked for and never run",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeFile, At: `%windir%\system32\wbem\wmic.exe`},
	},
	{
		Name: "powershell.file", Value: `%windir%\system32\WindowsPowerShell\v1.0\powershell.exe`, What: "the folder is called so for all versions",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeFile, At: `%windir%\system32\WindowsPowerShell\v1.0\powershell.exe`},
	},
	{
		Name: "powershell.version", Value: `HKLM\SOFTWARE\Microsoft\PowerShell\1\PowerShellEngine PowerShellVersion`, What: "1.0 or 2.0; 3.0 must not be on a server with Exchange 2007",
		Standing: Remembered, Source: "PowerShell 2.0's notes on compatibility say the value is 2.0",
		Probe: Probe{By: ProbeValue, At: `SOFTWARE\Microsoft\PowerShell\1\PowerShellEngine`, Property: "PowerShellVersion", Want: `^[12]\.0$`},
	},
	{
		Name: "powershell.encodedcommand", Value: "-EncodedCommand, with input that is closed at once", What: "how each script is sent; records in base64 come back whole",
		Standing: Remembered, Source: "documented for 2.0; 1.0 calls itself so",
		Probe: Probe{By: ProbeScript, At: "system-look"},
	},
	{
		Name: "powershell.serviceprocess", Value: "LoadWithPartialName('System.ServiceProcess')", What: "services without WMI",
		Standing: Documented, Source: ".NET Framework 2.0 reference",
		Probe: Probe{By: ProbeScript, At: "service-list"},
	},
	{
		Name: "powershell.getprocesses", Value: "Process.GetProcesses", What: "programs without WMI",
		Standing: Documented, Source: ".NET Framework 2.0 reference",
		Probe: Probe{By: ProbeScript, At: "program-list"},
	},
	{
		Name: "scheduler.com", Value: "Schedule.Service", What: "host tasks on Windows Server 2008 and later: no trigger, no time limit, no password on a command line",
		Standing: Documented, Source: "Task Scheduler 2.0 reference; WinRb's winrm-elevated does so from PowerShell 2.0", On: from2008,
		Probe: Probe{By: ProbeScript, At: "task-list"},
	},
	{
		Name: "scheduler.folder", Value: `%windir%\Tasks`, What: "Task Scheduler 1.0 keeps one .job file for each task there", On: only2003,
		Standing: Documented, Source: "technet cc785125",
		Probe: Probe{By: ProbeFile, At: `%windir%\Tasks`},
	},
	{
		Name: "schtasks.old", Value: "schtasks.exe without /V1", What: "host tasks on Windows Server 2003 are made without /RL, /XML, /V1 and /NP, which came later", On: only2003,
		Standing: Remembered, Source: "the references of schtasks name the switches for Windows Vista and later",
		Probe: Probe{By: ProbeProgram, At: `schtasks.exe /create /?`, Want: `(?i)/SC\b`, Not: `(?i)/V1\b`},
	},
	{
		Name: "schtasks.new", Value: "schtasks.exe with /V1", What: "told apart from Task Scheduler 1.0", On: from2008,
		Standing: Documented, Source: "reference of schtasks",
		Probe: Probe{By: ProbeProgram, At: `schtasks.exe /create /?`, Want: `(?i)/V1\b`},
	},
	{
		Name: "reg.query", Value: "HKEY_LOCAL_MACHINE... NAME REG_SZ DATA", What: "the registry without WMI",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeProgram, At: `reg.exe query "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion" /v CurrentVersion`, Want: `(?s)HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion.*CurrentVersion\s+REG_SZ\s+\d\.\d`},
	},
	{
		Name: "reg.missing", Value: "exit code 1", What: "a key that is not there, without WMI",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeProgram, At: `reg.exe query "HKLM\SOFTWARE\Wavekeeper-not-there"`, Exit: 1},
	},
	{
		Name: "sc.missing", Value: "exit code 1060", What: "exit codes of sc.exe are Win32 codes",
		Standing: Remembered, Source: "winerror.h for the code; general knowledge that sc.exe ends with it",
		Probe: Probe{By: ProbeProgram, At: "sc.exe queryex Wavekeeper-not-there", Exit: 1060},
	},
	{
		Name: "sc.state", Value: "SERVICE_NAME, STATE, PID", What: "services without WMI: these words are not translated",
		Standing: Remembered, Source: "general knowledge",
		Probe: Probe{By: ProbeProgram, At: "sc.exe queryex WinRM", Want: `(?s)SERVICE_NAME\s*:\s*WinRM.*STATE\s*:\s*4\b.*PID\s*:\s*\d+`},
	},
}
