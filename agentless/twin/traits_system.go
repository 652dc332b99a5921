package twin

import (
	"fmt"
	"strings"
	"time"
)

// systemTraits are what differs of Windows.
var systemTraits = []trait{
	{name: "os-no-service-pack-2", words: "Windows Server 2003 with Service Pack 1 (build 3790 as with 2)", platform: func(p *platform, _ string) error {
		if !p.before6() {
			return fmt.Errorf("this is no Windows Server 2003")
		}
		p.servicePack = 1
		return nil
	}},
	{name: "dotnet20-rtm", words: ".NET Framework 2.0 without Service Pack 1 (E-PHASE; the founding document)", shape: func(h *host, _ string) error {
		h.regPut(keyNET20, dword("SP", 0))
		return nil
	}},
	{name: "dotnet20-absent", words: "no .NET Framework 2.0", shape: func(h *host, _ string) error {
		h.regDrop(keyNET20)
		return nil
	}},
	{name: "wmf3", words: "Windows Management Framework 3.0, which Exchange 2007 does not bear (Exchange team, 2012)", shape: func(h *host, _ string) error {
		h.regPut(`HKLM\SOFTWARE\Microsoft\PowerShell\3`, dword("Install", 1))
		h.regPut(`HKLM\SOFTWARE\Microsoft\PowerShell\3\PowerShellEngine`, text("PowerShellVersion", "3.0"))
		h.state.Hotfixes = append(h.state.Hotfixes, "KB2506146")
		return nil
	}},
	{name: "powershell-absent", words: "the registry knows no PowerShell (it runs all the same here)", shape: func(h *host, _ string) error {
		h.regDrop(`HKLM\SOFTWARE\Microsoft\PowerShell\1`)
		return nil
	}},
	{name: "service-stopped", words: "a service of that name is stopped, its start type as before", shape: func(h *host, name string) error {
		return h.shapeService(name, func(s *service) { s.State, s.PID = stopped, 0 })
	}},
	{name: "firewall-runs", words: "the firewall's service runs already, and starts with Windows", shape: func(h *host, _ string) error {
		f := h.firewallService()
		return h.shapeService(f.Name, func(s *service) { s.State, s.PID, s.StartMode = running, 1100, automatic })
	}},
	{name: "service-disabled", words: "a service of that name is stopped and disabled", shape: func(h *host, name string) error {
		return h.shapeService(name, func(s *service) { s.State, s.PID, s.StartMode = stopped, 0, disabled })
	}},
	{name: "service-absent", words: "there is no service of that name", shape: func(h *host, name string) error {
		for i, s := range h.state.Services {
			if strings.EqualFold(s.Name, name) {
				h.state.Services = append(h.state.Services[:i], h.state.Services[i+1:]...)
				return nil
			}
		}
		return fmt.Errorf("there is no service %q anyhow", name)
	}},
	{name: "pending-rename", words: "a file waits for the next start of Windows to be renamed", shape: func(h *host, _ string) error {
		h.regPut(sessionManager, regValue{
			Name: "PendingFileRenameOperations", Type: regMultiSZ, Many: []string{`\??\` + h.platform.windows + `\TEMP\old.dll`, ""},
		})
		return nil
	}},
	{name: "pending-update", words: "Windows Update waits for a restart", shape: func(h *host, _ string) error {
		h.regMake(`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired`)
		return nil
	}},
	{name: "disk-free", words: "so many megabytes are free on a drive: disk-free=C:900", shape: func(h *host, value string) error {
		drive, size, ok := strings.Cut(value, ":")
		for _, d := range h.state.Disks {
			if ok && strings.EqualFold(d.ID, drive+":") {
				d.Free = int64(atoi(size)) << 20
				return nil
			}
		}
		return fmt.Errorf("%q names no drive of the host", value)
	}},
	{name: "single-label-domain", words: "the domain's DNS name has no dot (KB300684): single-label-domain=corp"},
	{name: "dns-suffix", words: "the host's primary DNS suffix is another, or none (a reader of the founding document): dns-suffix=other.example", shape: func(h *host, suffix string) error {
		tcp := `HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`
		h.regPut(tcp, text("Domain", suffix))
		h.regPut(tcp, text("NV Domain", suffix))
		return nil
	}},
	{name: "no-site", words: "Netlogon knows no site", shape: func(h *host, _ string) error {
		h.regForget(`HKLM\SYSTEM\CurrentControlSet\Services\Netlogon\Parameters`, "DynamicSiteName")
		return nil
	}},
	{name: "time-zones-old", words: "time-zone data of before 2007: no KB931836 and nothing that replaced it (KB928388, KB929120)", shape: func(h *host, _ string) error {
		for name, data := range zoneData {
			if data.old != "" {
				h.regPut(zonesKey+`\`+name, regValue{Name: "TZI", Type: regBinary, Bytes: fromHex(data.old)})
			}
		}
		h.withoutHotfix("KB931836")
		return nil
	}},
	{name: "time-zones-superseded", words: "new time-zone data by a later update than KB931836 (KB951072 replaced it)", shape: func(h *host, _ string) error {
		h.withoutHotfix("KB931836")
		h.state.Hotfixes = append(h.state.Hotfixes, "KB951072-v2")
		return nil
	}},
	{name: "updates-old", words: "so many days ago the newest update of Windows came: updates-old=900", shape: func(h *host, days string) error {
		at := time.Now().UTC().AddDate(0, 0, -max(atoi(days), 1)).Format(time.DateTime)
		h.regPut(updateResults+`\Install`, text("LastSuccessTime", at))
		h.regPut(updateResults+`\Detect`, text("LastSuccessTime", at))
		return nil
	}},
	{name: "updates-undated", words: "updates do not say when they came, as many on 2003 do not", shape: nil},
	{name: "never-scanned", words: "Windows Update never looked", shape: func(h *host, _ string) error {
		h.regDrop(updateResults)
		return nil
	}},
	{name: "installer-old", words: "Windows Installer 3.1, which came before 4.5 (the Exchange team on prerequisites of SP2)", shape: func(h *host, _ string) error {
		h.versionFile(h.platform.system32()+`\msi.dll`, h.platform.either("3.1.4000.4042", "4.0.6001.18000").(string), "Microsoft Corporation")
		h.withoutHotfix("KB942288")
		return nil
	}},
	{name: "mmc-old", words: "Microsoft Management Console 2.0 (KB907265 brings 3.0 to 2003)", shape: func(h *host, _ string) error {
		h.versionFile(h.platform.system32()+`\mmc.exe`, "5.2.3790.1830", "Microsoft Corporation")
		h.withoutHotfix("KB907265")
		return nil
	}},
	{name: "iis-component-absent", words: "IIS 7 lacks a component: iis-component-absent=Metabase", shape: func(h *host, name string) error {
		h.regForget(`HKLM\SOFTWARE\Microsoft\InetStp\Components`, name)
		return nil
	}},
	{name: "iis-absent", words: "no IIS", shape: func(h *host, _ string) error {
		h.regDrop(`HKLM\SOFTWARE\Microsoft\InetStp`)
		return nil
	}},
	{name: "iis-32bit", words: "IIS 6 runs in 32 bits (readiness rule IIS32BitMode)"},
	{name: "firewall-filters", words: "the firewall would filter if its service ran", shape: func(h *host, _ string) error {
		for _, profile := range []string{"DomainProfile", "StandardProfile"} {
			h.regPut(firewallKey+`\`+profile, dword("EnableFirewall", 1))
		}
		return nil
	}},
	{name: "firewall-unsaid", words: "nobody said whether the firewall filters", shape: func(h *host, _ string) error {
		h.regDrop(firewallKey)
		return nil
	}},
	{name: "firewall-policy", words: "a group policy says whether the firewall filters: firewall-policy=1", shape: func(h *host, value string) error {
		for _, profile := range []string{"DomainProfile", "StandardProfile"} {
			h.regPut(`HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\`+profile, dword("EnableFirewall", uint32(atoi(value))))
		}
		return nil
	}},
	{name: "logged-on", words: "a person is logged on with a desktop: logged-on=LAB\\admin1", platform: func(p *platform, who string) error {
		p.loggedOn = append(p.loggedOn[:len(p.loggedOn):len(p.loggedOn)], who)
		return nil
	}},
	{name: "service-foreign", words: "a service of another maker runs: service-foreign=Name|Company|service that it needs", shape: func(h *host, value string) error {
		f := strings.Split(value+"||", "|")
		path := h.platform.programFiles() + `\` + f[0] + `\` + f[0] + `.exe`
		h.versionFile(path, "1.0.0.0", f[1])
		s := &service{Name: f[0], Display: f[0], Path: path + " /service", Account: "LocalSystem", StartMode: automatic, ThirdParty: true}
		if f[2] != "" {
			s.DependsOn = []string{f[2]}
		}
		h.addService(s)
		return nil
	}},
	{name: "cluster-service", words: "the cluster manages a service as a Generic Service resource: cluster-service=ScanMail_Master", shape: func(h *host, name string) error {
		h.regPut(`HKLM\Cluster`, text("ClusterName", "CLUSTER1"))
		for id, kind := range map[string]string{"0d7e6f0a": "Generic Service", "5a1c22e4": "Physical Disk"} {
			h.regPut(`HKLM\Cluster\Resources\`+id, text("Type", kind))
		}
		h.regPut(`HKLM\Cluster\Resources\0d7e6f0a\Parameters`, text("ServiceName", name))
		if h.service(clusterService) == nil {
			h.addService(&service{Name: clusterService, Display: "Cluster Service", Path: h.platform.windows + `\Cluster\clussvc.exe`, Account: "LocalSystem", StartMode: automatic})
		}
		return nil
	}},
	{name: "domain-controller", words: "the host is a domain controller, too"},
	{name: "os-service-pack", words: "Windows has so many service packs: os-service-pack=1", platform: func(p *platform, n string) error {
		p.servicePack = atoi(n)
		return nil
	}},
	{name: "system-drive", words: "WMI says that Windows is on another drive: system-drive=D:"},
	{name: "x86", words: "the processor's word is x86", shape: func(h *host, _ string) error {
		h.regPut(`HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`, text("PROCESSOR_ARCHITECTURE", "x86"))
		return nil
	}},
	{name: "clock-off", words: "the clock is so many seconds ahead: clock-off=600", shape: func(h *host, seconds string) error {
		h.state.ClockOffset = time.Duration(atoi(seconds)) * time.Second
		return nil
	}},
	{name: "work-group", words: "the host is no member of a domain"},
	{name: "memory", words: "so many megabytes of memory: memory=2048"},
}

// updateResults is where Windows Update says what it did last.
const updateResults = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\Results`

// withoutHotfix takes an update away, whatever its revision.
func (h *host) withoutHotfix(id string) {
	kept := h.state.Hotfixes[:0:0]
	for _, have := range h.state.Hotfixes {
		if !strings.HasPrefix(have, id) {
			kept = append(kept, have)
		}
	}
	h.state.Hotfixes = kept
	h.regDrop(`HKLM\SOFTWARE\Microsoft\Updates\Windows Server 2003\SP3\` + id)
	h.regDrop(`HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\HotFix\` + id)
}

const keyNET20 = `HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v2.0.50727`

// shapeService changes a service before the machine runs.
func (h *host) shapeService(name string, change func(*service)) error {
	s := h.service(name)
	if s == nil {
		return fmt.Errorf("there is no service %q", name)
	}
	change(s)
	return nil
}

// regDrop takes a key with all below it away without journaling: it was never there.
func (h *host) regDrop(path string) {
	low := strings.ToLower(path)
	for p := range h.state.Registry {
		if p == low || strings.HasPrefix(p, low+`\`) {
			delete(h.state.Registry, p)
		}
	}
}

// regForget takes a value away without journaling.
func (h *host) regForget(path, name string) {
	if k := h.state.Registry[strings.ToLower(path)]; k != nil {
		delete(k.Values, strings.ToLower(name))
	}
}
