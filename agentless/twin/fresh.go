package twin

import (
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// exchangeRoot is where Exchange 2007 keeps its versions (domain.md 3.1).
const exchangeRoot = `HKLM\SOFTWARE\Microsoft\Exchange\v8.0`

// installPath is Exchange's default folder (KB951402).
const installPath = `C:\Program Files\Microsoft\Exchange Server\`

// publisherKey holds the revocation switch, per user (domain.md 6).
const publisherKey = `Software\Microsoft\Windows\CurrentVersion\WinTrust\Trust Providers\Software Publishing`

// The switch's values: bit 0x200 set = publisher certificates are not checked.
const (
	publisherDefault = 146432
	publisherNoCheck = 0x200
)

// roleKeys are the registry keys of the roles (domain.md 3.1).
var roleKeys = map[exchange.Role]string{
	exchange.ClientAccess: "ClientAccessRole", exchange.HubTransport: "HubTransportRole", exchange.Mailbox: "MailboxRole",
	exchange.UnifiedMessaging: "UnifiedMessagingRole", exchange.EdgeTransport: "EdgeTransportRole",
}

// rtm is Exchange 2007 as it first came out.
var rtm = exchange.Build{Major: 8, Minor: 0, Build: 685, Revision: 25}

// freshState is a healthy machine of that row: patched as Microsoft asks for,
// Exchange installed, everything running.
func (h *host) freshState() *state {
	now := time.Now().UTC()
	s := &state{
		Booted:    now.Add(-time.Duration(9+h.number("boot", 60)) * 24 * time.Hour).Truncate(time.Microsecond),
		Installed: time.Date(2007, 3, 1+h.number("day", 27), 8, h.number("minute", 60), 12, 0, time.UTC),
		NextPID:   1200 + 4*h.number("pid", 200),
		Registry:  map[string]*regKey{}, Files: map[string]*file{}, Tasks: map[string]*task{}, Broken: map[string]bool{},
		// Time zones (KB931836), its superseder is not there; Windows Installer
		// 4.5 (KB942288), PowerShell and WinRM 2.0 (KB968930), MMC 3.0 (KB907265).
		Hotfixes: []string{"KB907265", "KB921181", "KB926139-v2", "KB931836", "KB942288-v4", "KB968930"},
		Disks: []*disk{
			{ID: "C:", Size: 42_944_186_880, Free: 21_380_169_728 + int64(h.number("c", 1<<30))},
			{ID: "D:", Size: 214_745_214_976, Free: 96_020_643_840 + int64(h.number("d", 1<<30)), Label: "Exchange"},
		},
	}
	h.state = s
	h.freshRegistry()
	h.freshServices()
	h.freshFiles()
	return s
}

func (h *host) freshRegistry() {
	row := h.row()
	nt := `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	h.regPut(nt, text("CurrentVersion", "5.2"))
	h.regPut(nt, text("CurrentBuildNumber", "3790"))
	h.regPut(nt, text("CSDVersion", "Service Pack 2"))
	h.regPut(nt, text("ProductName", "Microsoft Windows Server 2003"))
	h.regPut(nt, text("SystemRoot", `C:\WINDOWS`))
	ndp := `HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v2.0.50727`
	h.regPut(ndp, dword("Install", 1))
	h.regPut(ndp, dword("SP", 1))
	h.regPut(ndp, text("Version", "2.1.21022"))
	h.regPut(`HKLM\SOFTWARE\Microsoft\PowerShell\1`, dword("Install", 1))
	h.regPut(`HKLM\SOFTWARE\Microsoft\PowerShell\1\PowerShellEngine`, text("PowerShellVersion", "2.0"))
	h.regPut(`HKLM\SOFTWARE\Microsoft\Updates\Windows Server 2003\SP3\KB931836`, text("Description", "Update for Windows Server 2003 (KB931836)"))
	control := `HKLM\SYSTEM\CurrentControlSet\Control`
	h.regMake(control + `\Session Manager`)
	h.regPut(control+`\Session Manager\Environment`, text("PROCESSOR_ARCHITECTURE", "AMD64"))
	h.regPut(control+`\Nls\Language`, text("InstallLanguage", "0409"))
	h.regPut(control+`\Nls\Language`, text("Default", "0409"))
	h.regPut(control+`\Nls\CodePage`, text("ACP", "1252"))
	h.regPut(control+`\Nls\CodePage`, text("OEMCP", "437"))
	h.regPut(control+`\ComputerName\ActiveComputerName`, text("ComputerName", h.name))
	h.regPut(control+`\TimeZoneInformation`, text("StandardName", "GMT Standard Time"))
	h.regPut(control+`\TimeZoneInformation`, dword("ActiveTimeBias", 0))
	h.regMake(`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update`)
	tcp := `HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`
	h.regPut(tcp, text("Hostname", strings.ToLower(h.name)))
	h.regPut(tcp, text("Domain", h.domain()))
	h.regPut(tcp, text("NV Hostname", strings.ToLower(h.name)))
	h.regPut(tcp, text("NV Domain", h.domain()))
	for _, sid := range []string{sidSystem, "S-1-5-19", "S-1-5-20", sidWinRM, sidRunAs} {
		h.regPut(`HKU\`+sid+`\`+publisherKey, dword("State", publisherDefault))
		h.regPut(`HKU\`+sid+`\Control Panel\International`, text("sShortDate", "M/d/yyyy"))
		h.regPut(`HKU\`+sid+`\Control Panel\International`, text("Locale", "00000409"))
	}
	h.regPut(exchangeRoot+`\Setup`, text("MsiInstallPath", installPath))
	h.regPut(exchangeRoot+`\Setup`, dword("MsiProductMajor", 8))
	h.regPut(exchangeRoot+`\Setup`, text("ServerLanguage", row.Language))
	h.regPut(`HKLM\SOFTWARE\Microsoft\Exchange\Setup`, text("MsiInstallPath", installPath))
	h.regPut(`HKLM\SOFTWARE\Microsoft\Exchange\Setup`, text("Services", strings.TrimSuffix(installPath, `\`)))
	build := row.Build
	if build.IsZero() {
		build = rtm
	}
	h.putBuild(build)
	for _, key := range h.roleKeys() {
		h.regPut(exchangeRoot+`\`+key, text("UnpackedVersion", build.String()))
		h.regPut(exchangeRoot+`\`+key, text("ConfiguredVersion", build.String()))
	}
	if row.Has(exchange.UnifiedMessaging) {
		packs := exchangeRoot + `\UnifiedMessagingRole\LanguagePacks`
		h.regPut(packs, text("en-US", build.String()))
		for _, l := range row.UMLanguages {
			h.regPut(packs, text(l, build.String()))
		}
	}
	if row.Has(exchange.Mailbox) {
		h.regMake(`HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIS\ParametersSystem`)
	}
}

// putBuild writes the product's version of the whole installation.
func (h *host) putBuild(b exchange.Build) {
	setup := exchangeRoot + `\Setup`
	h.regPut(setup, dword("MsiProductMinor", uint32(b.Minor)))
	h.regPut(setup, dword("MsiBuildMajor", uint32(b.Build)))
	h.regPut(setup, dword("MsiBuildMinor", uint32(b.Revision)))
	h.regPut(setup, text("NewestBuild", fmt.Sprint(b.Build)))
}

// roleKeys lists the keys of what is installed here, the tools first as Setup
// configures them.
func (h *host) roleKeys() []string {
	keys := []string{"AdminTools"}
	for _, r := range h.row().Roles {
		keys = append(keys, roleKeys[r])
	}
	return keys
}

// build is the lowest configured version of the roles.
func (h *host) build() exchange.Build {
	var low exchange.Build
	for i, key := range h.roleKeys() {
		b := h.version(key, "ConfiguredVersion")
		if i == 0 || older(b, low) {
			low = b
		}
	}
	return low
}

func (h *host) version(key, name string) exchange.Build {
	v := h.regGet(exchangeRoot+`\`+key, name)
	if v == nil {
		return exchange.Build{}
	}
	return dotted(v.Text)
}

// dotted reads "8.1.240.6"; anything else is unknown.
func dotted(s string) exchange.Build {
	var b exchange.Build
	if n, err := fmt.Sscanf(s, "%d.%d.%d.%d", &b.Major, &b.Minor, &b.Build, &b.Revision); n != 4 || err != nil {
		return exchange.Build{}
	}
	return b
}

// older reports whether a comes before b.
func older(a, b exchange.Build) bool {
	switch {
	case a.Major != b.Major:
		return a.Major < b.Major
	case a.Minor != b.Minor:
		return a.Minor < b.Minor
	case a.Build != b.Build:
		return a.Build < b.Build
	}
	return a.Revision < b.Revision
}

// noteLevels tells the journal what the order is judged by.
func (h *host) noteLevels() {
	rtmAccess := false
	if h.row().Has(exchange.ClientAccess) {
		b := h.version("ClientAccessRole", "ConfiguredVersion")
		rtmAccess = b.Major == 8 && b.Minor == 0
	}
	h.fleet.journal.setClientAccess(h, rtmAccess)
}
