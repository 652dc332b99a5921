package twin

import (
	"fmt"
	"strings"
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
		h.regPut(`HKLM\SYSTEM\CurrentControlSet\Control\Session Manager`, regValue{
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
