package windows

import (
	"context"
	"encoding/hex"
	"strings"
	"time"
)

// DomainFact is where the host belongs. Name is the DNS name of its Active
// Directory domain, or the work group's where Member is false.
type DomainFact struct {
	Name        string `json:"name"`
	DNSSuffix   string `json:"dns_suffix"`
	SingleLabel bool   `json:"single_label"`
	Member      bool   `json:"member"`
}

const (
	keyTCPIP    = `SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`
	keyNetlogon = `SYSTEM\CurrentControlSet\Services\Netlogon\Parameters`
)

func readDomain(ctx context.Context, a *asked) (any, error) {
	c, err := a.computer(ctx)
	if err != nil {
		return nil, err
	}
	suffix, err := a.textValue(ctx, keyTCPIP, "Domain")
	if err != nil {
		return nil, err
	}
	return DomainFact{
		Name: strings.ToLower(c.Domain), DNSSuffix: strings.ToLower(suffix),
		SingleLabel: c.InDomain && c.Domain != "" && !strings.Contains(strings.Trim(c.Domain, "."), "."), Member: c.InDomain,
	}, nil
}

// readADSite is the site that Netlogon found, unless one is set by hand; nil
// where there is none, as on a host outside a domain.
func readADSite(ctx context.Context, a *asked) (any, error) {
	for _, name := range []string{"SiteName", "DynamicSiteName"} {
		site, err := a.textValue(ctx, keyNetlogon, name)
		if err != nil {
			return nil, err
		}
		if site = strings.TrimRight(site, "\x00"); site != "" {
			return site, nil
		}
	}
	return nil, nil
}

func readMemory(ctx context.Context, a *asked) (any, error) {
	row, err := a.hardware(ctx)
	if err != nil {
		return nil, err
	}
	bytes, ok := row.Uint("TotalPhysicalMemory")
	if !ok {
		return nil, nil
	}
	return int(bytes >> 20), nil
}

// DomainControllerFact says whether the host is a domain controller. Whether it
// is a read-only one stands in the directory only: ReadOnly is nil, but on
// Windows Server 2003, which has none.
type DomainControllerFact struct {
	Controller bool  `json:"controller"`
	ReadOnly   *bool `json:"read_only"`
}

// readDomainController decides by DomainRole: 4 and 5 are domain controllers.
func readDomainController(ctx context.Context, a *asked) (any, error) {
	row, err := a.hardware(ctx)
	if err != nil {
		return nil, err
	}
	role, ok := row.Int("DomainRole")
	if !ok {
		return nil, nil
	}
	fact := DomainControllerFact{Controller: role >= 4}
	if os, err := a.system(ctx); !fact.Controller || err == nil && os.version().Major == 5 {
		fact.ReadOnly = new(bool)
	}
	return fact, nil
}

// PowerShellFact is what the registry says of PowerShell.
type PowerShellFact struct {
	Version   string `json:"version"`
	Installed bool   `json:"installed"`
}

const keyPowerShell = `SOFTWARE\Microsoft\PowerShell`

// readPowerShell looks at 3 first: WMF 3.0 and later leave 1 as it was.
func readPowerShell(ctx context.Context, a *asked) (any, error) {
	keys, _, err := a.keys(ctx, keyPowerShell)
	if err != nil {
		return nil, err
	}
	fact := PowerShellFact{}
	for _, key := range []string{"3", "1"} {
		if !fold(keys, key) {
			continue
		}
		installed, err := a.numberValue(ctx, keyPowerShell+`\`+key, "Install")
		if err != nil {
			return nil, err
		}
		if installed == nil || *installed != 1 {
			continue
		}
		fact.Installed = true
		fact.Version, err = a.textValue(ctx, keyPowerShell+`\`+key+`\PowerShellEngine`, "PowerShellVersion")
		return fact, err
	}
	return fact, nil
}

// systemFile is the version of a file in Windows' system folder.
func systemFile(name string) func(context.Context, *asked) (any, error) {
	return func(ctx context.Context, a *asked) (any, error) {
		os, err := a.system(ctx)
		if err != nil {
			return nil, err
		}
		folder := os.WindowsDirectory + `\system32\`
		if err := a.look(ctx, folder+"msi.dll", folder+"mmc.exe"); err != nil {
			return nil, err
		}
		if f, there := a.file(folder + name); there && f.Version != "" {
			return f.Version, nil
		}
		return nil, nil
	}
}

// IISFact is what the registry and the metabase say of IIS; version 0 is none.
type IISFact struct {
	Version    int      `json:"version"`
	Components []string `json:"components"`
	WOW32      *bool    `json:"wow32"` // nil = not told
}

const keyIIS = `SOFTWARE\Microsoft\InetStp`

// iisComponents are the values of InetStp\Components that rules may ask for:
// those of Setup's readiness rules named Longhorn* (topics of the readiness
// rules of later versions, whose text still speaks of Exchange 2007).
var iisComponents = []string{
	"ADSICompatibility", "BasicAuthentication", "DigestAuthentication", "HttpCompressionDynamic", "HttpCompressionStatic",
	"ISAPIFilter", "LegacySnapin", "ManagementConsole", "Metabase", "NetFxExtensibility", "W3SVC", "WindowsAuthentication", "WMICompatibility", "ADSIProvider", "ASPNET",
}

// readIIS asks for the components with one question: what stands in the key is
// installed, unless its value is 0; those that rules ask for are read.
func readIIS(ctx context.Context, a *asked) (any, error) {
	version, err := a.numberValue(ctx, keyIIS, "MajorVersion")
	if err != nil {
		return nil, err
	}
	fact := IISFact{Components: []string{}}
	if version == nil {
		return fact, nil
	}
	fact.Version = *version
	if fact.Version >= 7 {
		values, _, err := maybe(a.host.valuesByWMI(ctx, LocalMachine, keyIIS+`\Components`))
		if err != nil {
			return nil, err
		}
		for _, name := range iisComponents {
			if _, there := values[name]; !there {
				continue
			}
			on, err := a.numberValue(ctx, keyIIS+`\Components`, name)
			if err != nil {
				return nil, err
			}
			if on != nil && *on != 0 {
				fact.Components = append(fact.Components, name)
			}
		}
		return fact, nil
	}
	fact.WOW32, err = a.wow32(ctx)
	return fact, err
}

// TimeZoneFact is the time-zone data of Windows. Zone is the key name of the
// host's own zone, which Windows Server 2003 does not keep: "" there.
type TimeZoneFact struct {
	Zone  string            `json:"zone"`
	Zones map[string]string `json:"zones"`
}

// TimeZones are zones of the United States and Canada, whose rules changed in
// 2007 (KB928388, which KB931836 holds) and not since, so that their data say how
// old the data are.
var TimeZones = []string{"Eastern Standard Time", "Central Standard Time", "Mountain Standard Time", "Pacific Standard Time"}

const (
	keyZone  = `SYSTEM\CurrentControlSet\Control\TimeZoneInformation`
	keyZones = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\Time Zones`
)

func readTimeZones(ctx context.Context, a *asked) (any, error) {
	zone, err := a.textValue(ctx, keyZone, "TimeZoneKeyName")
	if err != nil {
		return nil, err
	}
	if i := strings.IndexByte(zone, 0); i >= 0 { // 2008 keeps a buffer
		zone = zone[:i]
	}
	fact := TimeZoneFact{Zone: zone, Zones: map[string]string{}}
	wanted := TimeZones
	if zone != "" && !fold(TimeZones, zone) && !strings.ContainsAny(zone, `\/`) {
		wanted = append(TimeZones[:len(TimeZones):len(TimeZones)], zone)
	}
	for _, name := range wanted {
		raw, err := a.binaryValue(ctx, keyZones+`\`+name, "TZI")
		if err != nil {
			return nil, err
		}
		if len(raw) == 44 { // REG_TZI_FORMAT
			fact.Zones[name] = hex.EncodeToString(raw)
		}
	}
	if len(fact.Zones) == 0 {
		return nil, nil
	}
	return fact, nil
}

// UpdatesFact is how old the updates of Windows are: Newest is a day,
// 2010-05-01, LastScan RFC 3339; "" is not told.
type UpdatesFact struct {
	Newest   string `json:"newest"`
	NewestKB string `json:"newest_kb"`
	LastScan string `json:"last_scan"`
}

const keyUpdateResults = `SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\Results`

func readWindowsUpdates(ctx context.Context, a *asked) (any, error) {
	rows, err := a.host.query(ctx, queryInstalled)
	if err != nil {
		return nil, err
	}
	os, err := a.system(ctx)
	if err != nil {
		return nil, err
	}
	installed := map[string]string{}
	for _, r := range rows {
		if id := strings.ToUpper(strings.TrimSpace(r.Str("HotFixID"))); strings.HasPrefix(id, "KB") {
			installed[id] = r.Str("InstalledOn")
		}
	}
	fact := UpdatesFact{}
	fact.NewestKB, fact.Newest = newestUpdate(installed, culture(os.Language), os.Now)
	var at [2]time.Time
	for i, what := range []string{"Detect", "Install"} {
		text, err := a.textValue(ctx, keyUpdateResults+`\`+what, "LastSuccessTime")
		if err != nil {
			return nil, err
		}
		if t, err := time.Parse(time.DateTime, strings.TrimSpace(text)); err == nil { // UTC
			at[i] = t.UTC()
		}
	}
	if !at[0].IsZero() {
		fact.LastScan = at[0].Format(time.RFC3339)
	}
	if fact.Newest == "" && !at[1].IsZero() {
		fact.Newest = at[1].Format(time.DateOnly)
	}
	return fact, nil
}
