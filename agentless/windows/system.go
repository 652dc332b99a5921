package windows

import (
	"context"
	"fmt"
	"strings"
	"time"

	"wavekeeper/agentless/winrm"
)

const cimv2 = "root/cimv2"

// The queries. Each names its properties: hosts answer faster and the answer
// is small. All classes and properties exist from Windows Server 2003 on
// (recorded answers of Windows Server 2003 SP2 and 2008).
const (
	queryOS        = "SELECT Version,ServicePackMajorVersion,LastBootUpTime,LocalDateTime,CurrentTimeZone,OSLanguage,WindowsDirectory,SystemDrive FROM Win32_OperatingSystem"
	queryComputer  = "SELECT Name,DNSHostName,Domain,PartOfDomain,SystemType FROM Win32_ComputerSystem"
	queryServices  = "SELECT Name,State,StartMode,StartName,ProcessId FROM Win32_Service"
	queryProcesses = "SELECT Name,ProcessId,ParentProcessId,SessionId,CreationDate,CommandLine FROM Win32_Process"
	queryHotfixes  = "SELECT HotFixID FROM Win32_QuickFixEngineering"
	queryDisks     = "SELECT DeviceID,Size,FreeSpace FROM Win32_LogicalDisk WHERE DriveType=3"
)

// OS is what Win32_OperatingSystem says, with our clock beside the host's.
type OS struct {
	Version          string // "5.2.3790"
	ServicePack      int
	Boot             time.Time
	Now              time.Time      // the host's clock when it answered
	Zone             *time.Location // the host's offset at that moment
	Asked            time.Time      // our clock in the middle of the question
	Language         int            // LCID, 1033 = en-US
	WindowsDirectory string
	SystemDrive      string // "C:"
	Via              string // "" = WMI; ViaPrograms: Boot is up to a minute late
}

// Offset is how much the host's clock is ahead of ours.
func (o OS) Offset() time.Duration { return o.Now.Sub(o.Asked) }

// Name is the version in the inventory's words: 2003, 2008, 2008R2, or the
// dotted version where there is no word.
func (o OS) Name() string {
	switch {
	case strings.HasPrefix(o.Version, "5.2."):
		return "2003"
	case strings.HasPrefix(o.Version, "6.0."):
		return "2008"
	case strings.HasPrefix(o.Version, "6.1."):
		return "2008R2"
	default:
		return o.Version
	}
}

// version is Version in numbers; zero when it is no version.
func (o OS) version() winrm.OSVersion {
	var v winrm.OSVersion
	if n, err := fmt.Sscanf(o.Version, "%d.%d.%d", &v.Major, &v.Minor, &v.Build); err != nil || n != 3 {
		return winrm.OSVersion{}
	}
	return v
}

// OS asks for the operating system.
func (h *Host) OS(ctx context.Context) (OS, error) {
	return either(ctx, h, "system", func(ctx context.Context) (OS, error) {
		began := time.Now()
		rows, err := h.some(ctx, queryOS)
		if err != nil {
			return OS{}, err
		}
		return osOf(rows, began, time.Now())
	}, func(ctx context.Context) (OS, error) {
		s, err := h.systemLook(ctx)
		return s.OS, err
	})
}

func osOf(rows []winrm.Instance, began, ended time.Time) (OS, error) {
	if len(rows) != 1 {
		return OS{}, fmt.Errorf("%d instances of Win32_OperatingSystem, want one", len(rows))
	}
	r := rows[0]
	sp, _ := r.Int("ServicePackMajorVersion")
	lang, _ := r.Int("OSLanguage")
	zone, _ := r.Int("CurrentTimeZone")
	os := OS{
		Version: r.Str("Version"), ServicePack: int(sp), Language: int(lang),
		Zone:             time.FixedZone("", int(zone)*60),
		Asked:            began.Add(ended.Sub(began) / 2),
		WindowsDirectory: r.Str("WindowsDirectory"), SystemDrive: r.Str("SystemDrive"),
	}
	var bootOK, nowOK bool
	os.Boot, bootOK = r.Time("LastBootUpTime")
	os.Now, nowOK = r.Time("LocalDateTime")
	if os.Version == "" || !bootOK || !nowOK {
		return OS{}, fmt.Errorf("answer of Win32_OperatingSystem lacks version, boot time or clock")
	}
	return os, nil
}

// Computer is what Win32_ComputerSystem says.
type Computer struct {
	Name, DNSName, Domain string
	InDomain              bool
	SystemType            string
}

// FQDN is the full name; a host outside a domain has none but its own name.
func (c Computer) FQDN() string {
	name := c.DNSName
	if name == "" {
		name = c.Name
	}
	if c.InDomain && c.Domain != "" {
		return strings.ToLower(name + "." + c.Domain)
	}
	return strings.ToLower(name)
}

// Computer asks for the computer's names. Without WMI a host with a primary DNS
// suffix counts as a member of a domain.
func (h *Host) Computer(ctx context.Context) (Computer, error) {
	return either(ctx, h, "computer", func(ctx context.Context) (Computer, error) {
		rows, err := h.some(ctx, queryComputer)
		if err != nil {
			return Computer{}, err
		}
		return computerOf(rows)
	}, h.computerByReg)
}

func computerOf(rows []winrm.Instance) (Computer, error) {
	if len(rows) != 1 {
		return Computer{}, fmt.Errorf("%d instances of Win32_ComputerSystem, want one", len(rows))
	}
	r := rows[0]
	in, _ := r.Bool("PartOfDomain")
	return Computer{r.Str("Name"), r.Str("DNSHostName"), r.Str("Domain"), in, r.Str("SystemType")}, nil
}

// Hotfixes lists the ids of installed updates, "KB931836".
func (h *Host) Hotfixes(ctx context.Context) ([]string, error) {
	return either(ctx, h, "updates", func(ctx context.Context) ([]string, error) {
		rows, err := h.some(ctx, queryHotfixes)
		return hotfixesOf(rows), err
	}, h.hotfixesByReg)
}

// hotfixesOf keeps what looks like an id: Windows Server 2003 also lists
// "File 1" for parts of updates.
func hotfixesOf(rows []winrm.Instance) []string {
	seen := map[string]bool{}
	out := []string{}
	for _, r := range rows {
		id := strings.ToUpper(strings.TrimSpace(r.Str("HotFixID")))
		if id == "" || seen[id] || strings.HasPrefix(id, "FILE ") {
			continue
		}
		seen[id] = true
		out = append(out, id)
	}
	return out
}

// Disk is one local fixed disk, sizes in bytes.
type Disk struct {
	Name string `json:"name"` // "C:"
	Size int64  `json:"size"`
	Free int64  `json:"free"`
}

// Disks lists the local fixed disks.
func (h *Host) Disks(ctx context.Context) ([]Disk, error) {
	return either(ctx, h, "disks", func(ctx context.Context) ([]Disk, error) {
		rows, err := h.some(ctx, queryDisks)
		return disksOf(rows), err
	}, func(ctx context.Context) ([]Disk, error) {
		s, err := h.systemLook(ctx)
		return s.disks, err
	})
}

func disksOf(rows []winrm.Instance) []Disk {
	out := []Disk{}
	for _, r := range rows {
		size, _ := r.Int("Size")
		free, _ := r.Int("FreeSpace")
		out = append(out, Disk{Name: r.Str("DeviceID"), Size: size, Free: free})
	}
	return out
}

// Process is one running program.
type Process struct {
	ID          int64  `json:"pid"`
	Parent      int64  `json:"parent"`
	Name        string `json:"name"` // image, "ExSetup.exe"
	CommandLine string `json:"command_line"`
	Session     int    `json:"session"`
	Owner       string `json:"owner,omitempty"` // DOMAIN\name; of Setup's programs, installers and desktops, where it is told
	Via         string `json:"via,omitempty"`   // "" = WMI; ViaPrograms: without Parent, CommandLine, Owner and Started

	Started time.Time `json:"-"` // zero = not told
}

// Processes lists the running programs.
func (h *Host) Processes(ctx context.Context) ([]Process, error) {
	return either(ctx, h, "processes", func(ctx context.Context) ([]Process, error) {
		rows, err := h.some(ctx, queryProcesses)
		if err != nil {
			return nil, err
		}
		all := processesOf(rows)
		h.owners(ctx, all)
		return all, nil
	}, h.programs)
}

func processesOf(rows []winrm.Instance) []Process {
	out := []Process{}
	for _, r := range rows {
		id, _ := r.Int("ProcessId")
		parent, _ := r.Int("ParentProcessId")
		session, _ := r.Int("SessionId")
		started, _ := r.Time("CreationDate") // the first programs of Windows may have none
		out = append(out, Process{ID: id, Parent: parent, Session: int(session), Name: r.Str("Name"), CommandLine: r.Str("CommandLine"), Started: started})
	}
	return out
}

// setupImages are the programs that are Setup itself; msiexec counts only with
// a watermark or a task beside it, since other installations use it too.
// Source: the Exchange team's posts on phases of Setup; domain.md 3.2.
var setupImages = []string{"setup.com", "exsetup.exe", "exsetupui.exe"}

// SetupProcesses are those of ps that mean that an Exchange Setup is alive.
func SetupProcesses(ps []Process) []Process {
	out := []Process{}
	for _, p := range ps {
		for _, image := range setupImages {
			if strings.EqualFold(p.Name, image) {
				out = append(out, p)
			}
		}
	}
	return out
}
