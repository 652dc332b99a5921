package twin

import (
	"fmt"
	"strings"

	"wavekeeper/server/exchange"
)

// freshHotfixes are what Microsoft asks for before Exchange 2007's service
// packs: on 2003 time zones (KB931836, its superseder is not there), Windows
// Installer 4.5 (KB942288), PowerShell and WinRM, MMC 3.0 (KB907265). Windows
// Server 2008 SP2 has all of it inside but WinRM 2.0.
func (p platform) freshHotfixes() []string {
	switch {
	case p.before6() && p.winrm == "1.1":
		return []string{"KB907265", "KB921181", "KB926139-v2", "KB931836", "KB936059", "KB942288-v4"}
	case p.before6():
		return []string{"KB907265", "KB921181", "KB926139-v2", "KB931836", "KB942288-v4", "KB968930"}
	case p.winrm == "1.1" || p.batchAt65001:
		return []string{"KB955430", "KB936330"}
	}
	return []string{"KB936330", "KB948465", "KB968930"}
}

// freshWindows is the registry of the system without Exchange.
func (h *host) freshWindows() {
	p := h.platform
	nt := `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	h.regPut(nt, text("CurrentVersion", strings.TrimSuffix(p.version, "."+p.build())))
	h.regPut(nt, text("CurrentBuildNumber", p.build()))
	h.regPut(nt, text("CSDVersion", fmt.Sprintf("Service Pack %d", p.servicePack)))
	h.regPut(nt, text("ProductName", p.either("Microsoft Windows Server 2003", strings.TrimSpace(p.caption)).(string)))
	h.regPut(nt, text("SystemRoot", p.windows))
	if p.before6() {
		h.regPut(`HKLM\SOFTWARE\Microsoft\Updates\Windows Server 2003\SP3\KB931836`, text("Description", p.text("Update for Windows Server 2003")+" (KB931836)"))
	} else {
		h.regMake(taskCache + `\Tree`)
		h.regMake(taskCache + `\Tasks`)
		h.regPut(`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`, dword("EnableLUA", 1))
		for _, name := range []string{"ADSIProvider", "BasicAuthentication", "DigestAuthentication", "HttpCompressionDynamic", "LegacySnapin", "ManagementConsole", "Metabase", "WindowsAuthentication"} {
			if h.row().Has(exchange.ClientAccess) || h.row().Has(exchange.Mailbox) { // Exchange's readiness rules, domain.md 4.2
				h.regPut(`HKLM\SOFTWARE\Microsoft\InetStp\Components`, dword(name, 1))
			}
		}
	}
	for _, id := range p.freshHotfixes() { // where their installers keep them [K]
		if p.before6() {
			h.regPut(nt+`\HotFix\`+strings.TrimSuffix(strings.TrimSuffix(id, "-v2"), "-v4"), dword("Installed", 1))
		} else {
			h.regPut(`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages\Package_for_`+id+`~31bf3856ad364e35~amd64~~6.0.1.0`, dword("CurrentState", 112))
		}
	}
	profiles := nt + `\ProfileList`
	h.regPut(profiles, regValue{Name: "ProfilesDirectory", Type: regExpandSZ, Text: `%SystemDrive%` + p.profileFolder()[2:]})
	windows := `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion`
	h.regPut(windows, text("ProgramFilesDir", p.programFiles()))
	h.regMake(windows + `\WindowsUpdate\Auto Update`)

	ndp := `HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v2.0.50727`
	h.regPut(ndp, dword("Install", 1))
	h.regPut(ndp, dword("SP", uint32(p.either(1, 2).(int)))) // 2008 SP2 brings 2.0 SP2
	h.regPut(ndp, text("Version", p.either("2.1.21022", "2.0.50727.4016").(string)))
	h.regPut(`HKLM\SOFTWARE\Microsoft\PowerShell\1`, dword("Install", 1))
	h.regPut(`HKLM\SOFTWARE\Microsoft\PowerShell\1\PowerShellEngine`, text("PowerShellVersion", p.powershell()))

	control := `HKLM\SYSTEM\CurrentControlSet\Control`
	h.regMake(control + `\Session Manager`)
	h.regPut(control+`\Windows`, dword("CSDVersion", uint32(p.servicePack)<<8))
	h.regPut(control+`\Session Manager\Environment`, text("PROCESSOR_ARCHITECTURE", "AMD64"))
	h.regPut(control+`\Nls\Language`, text("InstallLanguage", p.locale()))
	h.regPut(control+`\Nls\Language`, text("Default", p.locale()))
	h.regPut(control+`\Nls\CodePage`, text("ACP", fmt.Sprint(p.ansi)))
	h.regPut(control+`\Nls\CodePage`, text("OEMCP", fmt.Sprint(p.oem)))
	h.regPut(control+`\ComputerName\ActiveComputerName`, text("ComputerName", h.name))
	h.regPut(control+`\TimeZoneInformation`, text("StandardName", p.zoneName))
	h.regPut(control+`\TimeZoneInformation`, dword("ActiveTimeBias", uint32(-int32(h.zoneMinutes()))))
	tcp := `HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`
	h.regPut(tcp, text("Hostname", strings.ToLower(h.name)))
	h.regPut(tcp, text("Domain", h.domain()))
	h.regPut(tcp, text("NV Hostname", strings.ToLower(h.name)))
	h.regPut(tcp, text("NV Domain", h.domain()))
	for _, sid := range []string{sidSystem, "S-1-5-19", "S-1-5-20", sidWinRM, sidRunAs} {
		h.regPut(`HKU\`+sid+`\`+publisherKey, dword("State", publisherDefault))
		international := `HKU\` + sid + `\Control Panel\International`
		h.regPut(international, text("sShortDate", p.shortDate))
		h.regPut(international, text("sTimeFormat", p.longTime))
		h.regPut(international, text("Locale", "0000"+p.locale()))
	}
}

// taskCache is where Task Scheduler 2.0 keeps its tasks, beside their files.
const taskCache = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache`

// windows2008Services are those that matter here of Windows Server 2008 with
// IIS 7: the firewall is a service of its own there, and W3SVC needs WAS.
var windows2008Services = []freshService{
	{name: "AppHostSvc", display: "Application Host Helper Service", mode: automatic, roles: []exchange.Role{cas, mbx}},
	{name: "BFE", display: "Base Filtering Engine", mode: automatic, needs: []string{"RpcSs"}},
	{name: "BITS", display: "Background Intelligent Transfer Service", mode: manual, needs: []string{"RpcSs", "EventSystem"}},
	{name: "eventlog", display: "Windows Event Log", mode: automatic},
	{name: "EventSystem", display: "COM+ Event System", mode: automatic, needs: []string{"RpcSs"}},
	{name: "IISADMIN", display: "IIS Admin Service", mode: automatic, needs: []string{"RpcSs"}, roles: []exchange.Role{cas, mbx}},
	{name: "LanmanServer", display: "Server", mode: automatic},
	{name: "MpsSvc", display: "Windows Firewall", mode: automatic, needs: []string{"RpcSs", "BFE"}},
	{name: "MSDTC", display: "Distributed Transaction Coordinator", mode: automatic, needs: []string{"RpcSs"}},
	{name: "msiserver", display: "Windows Installer", mode: manual, needs: []string{"RpcSs"}},
	{name: "Netlogon", display: "Netlogon", mode: automatic},
	{name: "RemoteRegistry", display: "Remote Registry", mode: automatic, needs: []string{"RpcSs"}},
	{name: "RpcSs", display: "Remote Procedure Call (RPC)", mode: automatic},
	{name: "Schedule", display: "Task Scheduler", mode: automatic, needs: []string{"RpcSs", "eventlog"}},
	{name: "SharedAccess", display: "Internet Connection Sharing (ICS)", mode: disabled, needs: []string{"Winmgmt"}},
	{name: "TrustedInstaller", display: "Windows Modules Installer", mode: manual},
	{name: "W32Time", display: "Windows Time", mode: automatic},
	{name: "W3SVC", display: "World Wide Web Publishing Service", mode: automatic, needs: []string{"WAS"}, roles: []exchange.Role{cas, mbx}},
	{name: "WAS", display: "Windows Process Activation Service", mode: manual, needs: []string{"RpcSs"}, roles: []exchange.Role{cas, mbx}},
	{name: "Winmgmt", display: "Windows Management Instrumentation", mode: automatic, needs: []string{"RpcSs"}},
	{name: "WinRM", display: "Windows Remote Management (WS-Management)", mode: automatic, needs: []string{"RpcSs"}},
	{name: "wuauserv", display: "Windows Update", mode: automatic, needs: []string{"RpcSs"}},
}

// freshWindowsServices are the services of the host's version of Windows.
func (p platform) freshWindowsServices() []freshService {
	if p.before6() {
		return windowsServices
	}
	return windows2008Services
}
