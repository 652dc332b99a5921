package twin

import (
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// exchangeRoot is where Exchange 2007 keeps its versions (domain.md 3.1).
const exchangeRoot = `HKLM\SOFTWARE\Microsoft\Exchange\v8.0`

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
// Exchange installed, everything running; its traits then say what is not so.
func (h *host) freshState() (*state, error) {
	now := time.Now().UTC()
	s := &state{
		Booted:    now.Add(-time.Duration(9+h.number("boot", 60)) * 24 * time.Hour).Truncate(time.Microsecond),
		Installed: time.Date(2007, 3, 1+h.number("day", 27), 8, h.number("minute", 60), 12, 0, time.UTC),
		NextPID:   1200 + 4*h.number("pid", 200),
		Registry:  map[string]*regKey{}, Files: map[string]*file{}, Tasks: map[string]*task{}, Broken: map[string]bool{},
		Hotfixes: h.platform.freshHotfixes(),
		Disks: []*disk{
			{ID: "C:", Size: 42_944_186_880, Free: 21_380_169_728 + int64(h.number("c", 1<<30))},
			{ID: "D:", Size: 214_745_214_976, Free: 96_020_643_840 + int64(h.number("d", 1<<30)), Label: "Exchange"},
		},
	}
	h.state = s
	h.freshRegistry()
	h.freshServices()
	h.freshFiles()
	h.freshFacts()
	return s, h.shape()
}

func (h *host) freshRegistry() {
	row := h.row()
	h.freshWindows()
	h.regPut(exchangeRoot+`\Setup`, text("MsiInstallPath", h.platform.installPath()))
	h.regPut(exchangeRoot+`\Setup`, dword("MsiProductMajor", 8))
	h.regPut(exchangeRoot+`\Setup`, text("ServerLanguage", row.Language))
	h.regPut(`HKLM\SOFTWARE\Microsoft\Exchange\Setup`, text("MsiInstallPath", h.platform.installPath()))
	h.regPut(`HKLM\SOFTWARE\Microsoft\Exchange\Setup`, text("Services", strings.TrimSuffix(h.platform.installPath(), `\`)))
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
		h.putPack("en-US", build)
		for _, l := range row.UMLanguages {
			h.putPack(l, build)
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
	h.versionFile(h.platform.installPath()+`bin\ExSetup.exe`, b.String(), "Microsoft Corporation")
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
	if h.cluster != nil {
		h.cluster.level(h.name, h.version("MailboxRole", "ConfiguredVersion"))
	}
}
