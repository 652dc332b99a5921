package twin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// Where Windows Installer keeps Exchange 2007 and its patches (public inventory
// scripts; domain.md 3.4).
const (
	installerKey = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Installer\UserData\S-1-5-18`
	productKey   = installerKey + `\Products\461C2B4266EDEF444B864AD6D9E5B613`
	zonesKey     = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Time Zones`
	firewallKey  = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy`
)

// zoneData are the rules of zones as REG_TZI_FORMAT has them: bias, standard
// bias, daylight bias, then the two changes as SYSTEMTIME. Old is before the
// updates of 2007 (KB928388, KB929120, KB933360); a zone without a change has none.
var zoneData = map[string]struct{ now, old string }{
	"Eastern Standard Time": {
		now: "2c01000000000000c4ffffff" + "00000b00000001000200000000000000" + "00000300000002000200000000000000",
		old: "2c01000000000000c4ffffff" + "00000a00000005000200000000000000" + "00000400000001000200000000000000",
	},
	"Pacific Standard Time": {
		now: "e001000000000000c4ffffff" + "00000b00000001000200000000000000" + "00000300000002000200000000000000",
		old: "e001000000000000c4ffffff" + "00000a00000005000200000000000000" + "00000400000001000200000000000000",
	},
	"Central Standard Time": {
		now: "6801000000000000c4ffffff" + "00000b00000001000200000000000000" + "00000300000002000200000000000000",
		old: "6801000000000000c4ffffff" + "00000a00000005000200000000000000" + "00000400000001000200000000000000",
	},
	"Mountain Standard Time": {
		now: "a401000000000000c4ffffff" + "00000b00000001000200000000000000" + "00000300000002000200000000000000",
		old: "a401000000000000c4ffffff" + "00000a00000005000200000000000000" + "00000400000001000200000000000000",
	},
	"W. Australia Standard Time": {
		now: "20feffff00000000c4ffffff" + "00000300000005000300000000000000" + "00000a00000005000200000000000000",
		old: "20feffff00000000c4ffffff" + "00000000000000000000000000000000" + "00000000000000000000000000000000",
	},
	"New Zealand Standard Time": {
		now: "30fdffff00000000c4ffffff" + "00000400000001000300000000000000" + "00000900000005000200000000000000",
		old: "30fdffff00000000c4ffffff" + "00000300000003000300000000000000" + "00000a00000001000200000000000000",
	},
	"GMT Standard Time":       {now: "0000000000000000c4ffffff" + "00000a00000005000200000000000000" + "00000300000005000100000000000000"},
	"W. Europe Standard Time": {now: "c4ffffff00000000c4ffffff" + "00000a00000005000300000000000000" + "00000300000005000200000000000000"},
	"Tokyo Standard Time":     {now: "e4fdffff00000000c4ffffff" + "00000000000000000000000000000000" + "00000000000000000000000000000000"},
}

// zoneKeyNames are the registry's names of the hosts' zones, the same in every
// language.
var zoneKeyNames = map[string]string{"en-US": "GMT Standard Time", "de-DE": "W. Europe Standard Time", "ja-JP": "Tokyo Standard Time"}

// freshFacts is what of Windows and Exchange nobody changes day by day.
func (h *host) freshFacts() {
	p, row := h.platform, h.row()
	for name, data := range zoneData {
		h.regPut(zonesKey+`\`+name, regValue{Name: "TZI", Type: regBinary, Bytes: fromHex(data.now)})
		h.regPut(zonesKey+`\`+name, text("Std", name))
	}
	control := `HKLM\SYSTEM\CurrentControlSet\Control`
	if !p.before6() {
		h.regPut(control+`\TimeZoneInformation`, text("TimeZoneKeyName", zoneKeyNames[p.displayLanguage.name]))
	}
	if row.Site != "" {
		h.regPut(`HKLM\SYSTEM\CurrentControlSet\Services\Netlogon\Parameters`, text("DynamicSiteName", row.Site))
	}
	scan := time.Now().UTC().Add(-time.Duration(1+h.number("scan", 40)) * time.Hour)
	h.regPut(updateResults+`\Detect`, text("LastSuccessTime", scan.Format(time.DateTime)))
	h.regPut(updateResults+`\Install`, text("LastSuccessTime", h.state.Booted.UTC().Format(time.DateTime)))
	profiles := []string{"DomainProfile", "StandardProfile"}
	if !p.before6() {
		profiles = append(profiles, "PublicProfile")
	}
	for _, profile := range profiles { // 2003: an administrator switched it off for good; from 2008 on it filters
		h.regPut(firewallKey+`\`+profile, dword("EnableFirewall", uint32(p.either(0, 1).(int))))
	}
	if row.Has(exchange.ClientAccess) || row.Has(exchange.Mailbox) {
		h.regPut(`HKLM\SOFTWARE\Microsoft\InetStp`, dword("MajorVersion", uint32(p.either(6, 7).(int))))
		h.regPut(`HKLM\SOFTWARE\Microsoft\InetStp`, dword("MinorVersion", 0))
	}
	h.regPut(productKey+`\InstallProperties`, text("DisplayName", "Microsoft Exchange Server"))
	h.regMake(productKey + `\Patches`)
	h.freshVersions()
}

// freshVersions gives files of Windows the versions that they have: Windows
// Installer 4.5 has the number of the systems that it came with.
func (h *host) freshVersions() {
	p := h.platform
	h.versionFile(p.system32()+`\msi.dll`, p.either("4.5.6001.22159", "4.5.6002.18005").(string), "Microsoft Corporation")
	h.versionFile(p.system32()+`\ntdll.dll`, p.version+".0", "Microsoft Corporation")
	h.versionFile(p.system32()+`\mmc.exe`, p.either("5.2.3790.4136", p.version+".18005").(string), "Microsoft Corporation")
}

// versionFile makes a file that is known by its version resource only.
func (h *host) versionFile(path, version, company string) {
	h.makeFolder(parent(path))
	f := h.fileAt(path)
	if f == nil {
		h.writeFile(path, nil)
		f = h.fileAt(path)
	}
	f.Version, f.Company = version, company
}

// makers are the companies and versions of programs of others, by the beginning
// of a service's name.
var makers = []struct{ service, company, version string }{
	{"ScanMail", "Trend Micro Inc.", "8.0.0.1285"},
	{"BackupExec", "Symantec Corporation", "11.0.7170.0"},
	{"FSC", "Microsoft Corporation", "10.0.566.0"},
	{"FSE", "Microsoft Corporation", "10.0.566.0"},
}

// serviceProgram makes the program of a service that is not there yet.
func (h *host) serviceProgram(s *service) {
	path := strings.Trim(strings.SplitN(s.Path, " -k", 2)[0], `"`)
	if len(path) < 4 || path[1:3] != `:\` || h.fileAt(path) != nil && h.fileAt(path).Version != "" {
		return
	}
	version, company := h.platform.version+".0", "Microsoft Corporation"
	if s.Exchange {
		version = h.build().String()
	}
	if s.ThirdParty {
		version, company = "1.0.0.0", "Example Software"
	}
	for _, m := range makers {
		if strings.HasPrefix(strings.ToLower(s.Name), strings.ToLower(m.service)) {
			version, company = m.version, m.company
		}
	}
	h.versionFile(path, version, company)
}

// addPatch enters a patch of Exchange with its cached package; the caller holds
// the lock. Its code is made of its name.
func (h *host) addPatch(name string, installed time.Time, cached bool) (code string) {
	sum := sha256.Sum256([]byte(name))
	code = strings.ToUpper(hex.EncodeToString(sum[:16]))
	local := fmt.Sprintf(`%s\Installer\%x.msp`, h.platform.windows, sum[16:20])
	h.regPut(productKey+`\Patches\`+code, text("DisplayName", name))
	h.regPut(productKey+`\Patches\`+code, text("Installed", installed.Format("20060102")))
	h.regPut(productKey+`\Patches\`+code, dword("State", 1))
	h.regPut(installerKey+`\Patches\`+code, text("LocalPackage", local))
	h.makeFolder(parent(local))
	if cached {
		h.writeFile(local, []byte(name))
	}
	return code
}

func fromHex(s string) []byte {
	raw, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	return raw
}
