package twin

import (
	"fmt"
	"strings"
	"time"
)

// Platform says what kind of machine a host is; empty fields are decided by
// the fleet's options and the host's row.
type Platform struct {
	// OS is 2003 (SP2 x64), 2008 (SP2 x64) or 2008R2 (SP1). Empty: the row's os,
	// else 2003.
	OS string
	// WinRM is 1.1 or 2.0. Empty: 1.1 where the row has the tag winrm-1.1, else
	// the fleet's. Windows Server 2008 R2 has 2.0 only.
	WinRM string
	// Language is Windows' display language: en-US, de-DE or ja-JP. Empty: the
	// fleet's, else the row's language if it is one of these, else en-US.
	Language string
	// LoggedOn are people, DOMAIN\name, who are logged on here: each has an
	// explorer.exe in a session of their own.
	LoggedOn []string
	// OldPath is a host whose services began before PowerShell was installed:
	// their PATH does not lead to it, its full name does.
	OldPath bool
}

// tagWinRM11 is the inventory tag of a host that has WinRM 1.1.
const tagWinRM11 = "winrm-1.1"

// windowsVersion is what differs between the versions of Windows.
type windowsVersion struct {
	name         string // the inventory's word
	version      string // dotted, with the build
	servicePack  int
	windows      string // folder
	profiles     string // folder of the users' profiles, English
	caption      string // of Win32_OperatingSystem
	longName     string // the beginning of its Name
	scheduler    int    // Task Scheduler 1 or 2
	http         string // Server header of http.sys
	session0     bool   // is for services: people are in 1 and up
	batchAt65001 bool   // batch files run with code page 65001 (winrm.md 1 fact 3)
}

// windowsVersions are the machines of the twin. Captions of 2003 and 2008 R2
// are those of the recorded answers but for the edition; 2008's are remembered.
var windowsVersions = map[string]windowsVersion{
	"2003": {
		name: "2003", version: "5.2.3790", servicePack: 2, windows: `C:\WINDOWS`, profiles: `C:\Documents and Settings`,
		caption: "Microsoft(R) Windows(R) Server 2003 Enterprise x64 Edition", longName: "Microsoft Windows Server 2003 Enterprise x64 Edition",
		scheduler: 1, http: "Microsoft-HTTPAPI/1.0",
	},
	"2008": {
		name: "2008", version: "6.0.6002", servicePack: 2, windows: `C:\Windows`, profiles: `C:\Users`,
		caption: "Microsoft® Windows Server® 2008 Enterprise ", longName: "Microsoft® Windows Server® 2008 Enterprise ",
		scheduler: 2, http: "Microsoft-HTTPAPI/2.0", session0: true,
	},
	"2008R2": {
		name: "2008R2", version: "6.1.7601", servicePack: 1, windows: `C:\Windows`, profiles: `C:\Users`,
		caption: "Microsoft Windows Server 2008 R2 Enterprise ", longName: "Microsoft Windows Server 2008 R2 Enterprise ",
		scheduler: 2, http: "Microsoft-HTTPAPI/2.0", session0: true, batchAt65001: true,
	},
}

// displayLanguage is what differs between Windows' languages. Code pages:
// "National Language Support (NLS) API Reference", Microsoft; the zones and
// formats are those that Windows sets up for the country.
type displayLanguage struct {
	name       string
	lcid       int
	country    int
	oem, ansi  int // code pages
	zone       *time.Location
	zoneName   string
	shortDate  string                 // of the registry: sShortDate
	longTime   string                 // of the registry: sTimeFormat
	stamp      func(time.Time) string // of Setup's log
	dateForm   string                 // of cmd's DATE, as Go writes it
	timeForm   string                 // of time /t
	clockForm  string                 // of cmd's TIME
	dirTime    string
	authority  string // NT AUTHORITY
	admins     string // group Administrators
	profiles   string // 2003's folder of the profiles, empty = English
	programs   string // 2003's folder of programs, empty = English
	systemName string
}

var displayLanguages = map[string]*displayLanguage{
	"en-US": {
		name: "en-US", lcid: 1033, country: 1, oem: 437, ansi: 1252, zone: time.UTC, zoneName: "GMT Standard Time",
		shortDate: "M/d/yyyy", longTime: "h:mm:ss tt",
		stamp:    func(t time.Time) string { return t.Format("1/2/2006 3:04:05 PM") },
		dateForm: "Mon 01/02/2006", timeForm: "03:04 PM", clockForm: "15:04:05.00", dirTime: "01/02/2006  03:04 PM",
		authority: "NT AUTHORITY", admins: "Administrators", systemName: "SYSTEM",
	},
	"de-DE": {
		name: "de-DE", lcid: 1031, country: 49, oem: 850, ansi: 1252, zone: time.FixedZone("", 3600), zoneName: "Westeuropäische Normalzeit",
		shortDate: "dd.MM.yyyy", longTime: "HH:mm:ss",
		stamp:    func(t time.Time) string { return t.Format("02.01.2006 15:04:05") }, // the seed's genuine line, domain.md 2.6
		dateForm: "02.01.2006", timeForm: "15:04", clockForm: "15:04:05,00", dirTime: "02.01.2006  15:04",
		authority: "NT-AUTORITÄT", admins: "Administratoren", profiles: `C:\Dokumente und Einstellungen`, programs: `C:\Programme`, systemName: "SYSTEM",
	},
	"ja-JP": {
		name: "ja-JP", lcid: 1041, country: 81, oem: 932, ansi: 932, zone: time.FixedZone("", 9*3600), zoneName: "東京 (標準時)",
		shortDate: "yyyy/MM/dd", longTime: "H:mm:ss",
		stamp: func(t time.Time) string {
			return fmt.Sprintf("%s %d:%s", t.Format("2006/01/02"), t.Hour(), t.Format("04:05"))
		},
		dateForm: "2006/01/02", timeForm: "15:04", clockForm: "15:04:05.00", dirTime: "2006/01/02  15:04",
		authority: "NT AUTHORITY", admins: "Administrators", systemName: "SYSTEM",
	},
}

// platform is the kind of machine that a host is, with every choice made.
type platform struct {
	windowsVersion
	*displayLanguage
	winrm    string
	loggedOn []string
	oldPath  bool
}

// platformOf decides what kind of machine a place is.
func platformOf(o Options, p place) (platform, error) {
	var want Platform
	for name, each := range o.Platforms {
		if strings.EqualFold(name, p.host) {
			want = each
		}
	}
	row := p.rows[0]
	if want.OS == "" {
		want.OS = row.OS
	}
	if want.OS == "" {
		want.OS = "2003"
	}
	version, ok := windowsVersions[want.OS]
	if !ok {
		return platform{}, fmt.Errorf("%s: os %q: the simulated hosts are 2003, 2008 and 2008R2", p.host, want.OS)
	}
	for _, tag := range row.Tags {
		if want.WinRM == "" && strings.EqualFold(tag, tagWinRM11) {
			want.WinRM = "1.1"
		}
	}
	if want.WinRM == "" {
		want.WinRM = o.WinRM
	}
	if want.WinRM == "" || version.batchAt65001 && want.WinRM == "1.1" && o.WinRM == "1.1" {
		want.WinRM = "2.0"
	}
	if want.WinRM != "2.0" && (want.WinRM != "1.1" || version.batchAt65001) {
		return platform{}, fmt.Errorf("%s: WinRM %q: a simulated Windows Server %s has no such version", p.host, want.WinRM, version.name)
	}
	if want.Language == "" {
		want.Language = o.Language
	}
	language := displayLanguages[want.Language]
	if language == nil && want.Language != "" {
		return platform{}, fmt.Errorf("%s: Windows' language %q: the simulated hosts speak en-US, de-DE and ja-JP", p.host, want.Language)
	}
	if language == nil {
		language = displayLanguages[row.Language]
	}
	if language == nil {
		language = displayLanguages["en-US"]
	}
	return platform{version, language, want.WinRM, want.LoggedOn, want.OldPath}, nil
}

// before6 reports whether it is Windows Server 2003.
func (p platform) before6() bool { return p.scheduler == 1 }

// system32 is the folder of Windows' own programs.
func (p platform) system32() string { return p.windows + `\system32` }

// profileFolder is where the users' profiles lie: Windows Server 2003 has its
// folders in the display language, later versions only show them so.
func (p platform) profileFolder() string {
	if p.before6() && p.displayLanguage.profiles != "" {
		return p.displayLanguage.profiles
	}
	return p.windowsVersion.profiles
}

// programFiles is the folder of programs.
func (p platform) programFiles() string {
	if p.before6() && p.programs != "" {
		return p.programs
	}
	return `C:\Program Files`
}

// installPath is Exchange's default folder (KB951402), with a backslash.
func (p platform) installPath() string { return p.programFiles() + `\Microsoft\Exchange Server\` }

// powershell is the version of PowerShell: WinRM 2.0 comes with 2.0 (KB968930).
func (p platform) powershell() string {
	if p.winrm == "1.1" {
		return "1.0"
	}
	return "2.0"
}

// identity is the ProductVersion of Identify.
func (p platform) identity() string {
	return fmt.Sprintf("OS: %s SP: %d.0 Stack: %s", p.version, p.servicePack, p.winrm)
}

// system is the name of LocalSystem's account, which German Windows translates.
func (p platform) system() string { return p.authority + `\` + p.systemName }

// local is a time on the host's own clock on the wall.
func (h *host) local() time.Time { return h.now().In(h.platform.zone) }

// port is where WinRM listens by default: 80 and 443 before 2.0 (MS-WSMV,
// appendix; technet ee922649).
func (p platform) port(secure bool) int {
	switch {
	case p.winrm == "1.1" && secure:
		return 443
	case p.winrm == "1.1":
		return 80
	case secure:
		return 5986
	}
	return 5985
}
