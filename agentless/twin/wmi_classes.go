package twin

import (
	"sort"
	"strconv"
	"strings"
)

// classes are the WMI classes of root/cimv2 that the twin has, by their own
// spelling. Their properties are those that a Windows Server 2003 SP2 answered.
var classes = map[string]func(*host) []instance{
	"CIM_DataFile":               (*host).dataFiles,
	"IIsApplicationPoolsSetting": (*host).applicationPools,
	"Win32_ComputerSystem":       (*host).computerSystem,
	"Win32_LogicalDisk":          (*host).logicalDisks,
	"Win32_NTLogEvent":           (*host).logEvents,
	"Win32_OperatingSystem":      (*host).operatingSystem,
	"Win32_Process":              (*host).processList,
	"Win32_Processor":            (*host).processor,
	"Win32_QuickFixEngineering":  (*host).hotfixes,
	"Win32_Service":              (*host).serviceList,
	"Win32_TimeZone":             (*host).timeZone,
	"Win32_UTCTime":              (*host).utcTime,
	"Win32_LocalTime":            (*host).localTime,
}

// className gives a class its own spelling.
func className(s string) string {
	for name := range classes {
		if strings.EqualFold(name, s) {
			return name
		}
	}
	return s
}

// instances lists the objects of a class; false when there is no such class.
// The caller holds the lock.
func (h *host) instances(namespace, class string) ([]instance, bool) {
	list, ok := classes[class]
	if !ok || !strings.EqualFold(namespace, namespaceOf(class)) {
		return nil, false
	}
	all := list(h)
	for _, i := range all {
		h.localize(i)
		sort.SliceStable(i, func(a, b int) bool { return strings.ToLower(i[a].name) < strings.ToLower(i[b].name) })
	}
	return all, true
}

func (h *host) computerSystem() []instance {
	return []instance{{
		{"AdminPasswordStatus", 3},
		{"AutomaticResetBootOption", true},
		{"AutomaticResetCapability", true},
		{"BootOptionOnLimit", nil},
		{"BootOptionOnWatchDog", nil},
		{"BootROMSupported", true},
		{"BootupState", "Normal boot"},
		{"Caption", h.name},
		{"ChassisBootupState", 3},
		{"CreationClassName", "Win32_ComputerSystem"},
		{"CurrentTimeZone", h.zoneMinutes()},
		{"DaylightInEffect", nil},
		{"Description", "AT/AT COMPATIBLE"},
		{"DNSHostName", strings.ToLower(h.name)},
		{"Domain", h.adDomain()},
		{"DomainRole", h.domainRole()},
		{"EnableDaylightSavingsTime", true},
		{"FrontPanelResetStatus", 3},
		{"InfraredSupported", false},
		{"InstallDate", nil},
		{"KeyboardPasswordStatus", 3},
		{"LastLoadInfo", nil},
		{"Manufacturer", "HP"},
		{"Model", "ProLiant DL380 G5"},
		{"Name", h.name},
		{"NameFormat", nil},
		{"NetworkServerModeEnabled", true},
		{"NumberOfProcessors", 4},
		{"PartOfDomain", h.member()},
		{"PauseAfterReset", -1},
		{"PowerManagementSupported", nil},
		{"PowerOnPasswordStatus", 3},
		{"PowerState", 0},
		{"PowerSupplyState", 3},
		{"PrimaryOwnerContact", nil},
		{"PrimaryOwnerName", ""},
		{"ResetCapability", 1},
		{"ResetCount", -1},
		{"ResetLimit", -1},
		{"Roles", []string{"LM_Workstation", "LM_Server", "NT", "Server_NT"}},
		{"Status", "OK"},
		{"SystemStartupDelay", h.platform.only2003(30)},
		{"SystemStartupOptions", h.platform.startupOptions()},
		{"SystemStartupSetting", h.platform.only2003(0)},
		{"SystemType", "x64-based PC"},
		{"ThermalState", 3},
		{"TotalPhysicalMemory", h.memory()},
		{"UserName", nil},
		{"WakeUpType", 6},
		{"Workgroup", nil},
	}}
}

func (h *host) logicalDisks() []instance {
	var all []instance
	for i, d := range h.state.Disks {
		all = append(all, instance{
			{"Access", nil},
			{"Availability", nil},
			{"BlockSize", nil},
			{"Caption", d.ID},
			{"Compressed", false},
			{"ConfigManagerErrorCode", nil},
			{"ConfigManagerUserConfig", nil},
			{"CreationClassName", "Win32_LogicalDisk"},
			{"Description", h.platform.text("Local Fixed Disk")},
			{"DeviceID", d.ID},
			{"DriveType", 3},
			{"ErrorCleared", nil},
			{"ErrorDescription", nil},
			{"ErrorMethodology", nil},
			{"FileSystem", "NTFS"},
			{"FreeSpace", h.freeOf(d)},
			{"InstallDate", nil},
			{"LastErrorCode", nil},
			{"MaximumComponentLength", 255},
			{"MediaType", 12},
			{"Name", d.ID},
			{"NumberOfBlocks", nil},
			{"PNPDeviceID", nil},
			{"PowerManagementSupported", nil},
			{"ProviderName", nil},
			{"Purpose", nil},
			{"QuotasDisabled", true},
			{"QuotasIncomplete", false},
			{"QuotasRebuilding", false},
			{"Size", d.Size},
			{"Status", nil},
			{"StatusInfo", nil},
			{"SupportsDiskQuotas", true},
			{"SupportsFileBasedCompression", true},
			{"SystemCreationClassName", "Win32_ComputerSystem"},
			{"SystemName", h.name},
			{"VolumeDirty", false},
			{"VolumeName", d.Label},
			{"VolumeSerialNumber", "DE0A8E" + pad(h.number("volume", 40)+10+i, 2)},
		})
	}
	return all
}

func (h *host) serviceList() []instance {
	var all []instance
	for _, s := range h.state.Services {
		exit := 0
		if s.State == stopped && s.StartMode != automatic {
			exit = 1077 // never started since boot
		}
		all = append(all, instance{
			{"AcceptPause", false},
			{"AcceptStop", s.State == running},
			{"Caption", h.platform.text(s.Display)},
			{"CheckPoint", 0},
			{"CreationClassName", "Win32_Service"},
			{"Description", h.platform.text(s.Display)},
			{"DesktopInteract", false},
			{"DisplayName", h.platform.text(s.Display)},
			{"ErrorControl", "Normal"},
			{"ExitCode", exit},
			{"InstallDate", nil},
			{"Name", s.Name},
			{"PathName", s.Path},
			{"ProcessId", s.PID},
			{"ServiceSpecificExitCode", 0},
			{"ServiceType", "Own Process"},
			{"Started", s.State != stopped},
			{"StartMode", s.StartMode},
			{"StartName", s.Account},
			{"State", s.State},
			{"Status", "OK"},
			{"SystemCreationClassName", "Win32_ComputerSystem"},
			{"SystemName", h.name},
			{"TagId", 0},
			{"WaitHint", 0},
		})
	}
	return all
}

func (h *host) processList() []instance {
	one := func(p *process) instance {
		path, line := any(p.Path), any(p.Line)
		if p.Path == "" {
			path, line = nil, nil
		}
		return instance{
			{"Caption", p.Name},
			{"CommandLine", line},
			{"CreationClassName", "Win32_Process"},
			{"CreationDate", p.Started},
			{"CSCreationClassName", "Win32_ComputerSystem"},
			{"CSName", h.name},
			{"Description", p.Name},
			{"ExecutablePath", path},
			{"Handle", strconv.Itoa(p.PID)},
			{"HandleCount", 120},
			{"KernelModeTime", 1562500},
			{"Name", p.Name},
			{"OSCreationClassName", "Win32_OperatingSystem"},
			{"ParentProcessId", p.Parent},
			{"Priority", 8},
			{"ProcessId", p.PID},
			{"SessionId", p.Session},
			{"ThreadCount", 4},
			{"UserModeTime", 937500},
			{"WorkingSetSize", 6291456},
		}
	}
	var all []instance
	for _, p := range h.allProcesses() {
		all = append(all, one(p))
	}
	return all
}

// pad writes n with at least that many digits.
func pad(n, digits int) string {
	s := strconv.Itoa(n)
	for len(s) < digits {
		s = "0" + s
	}
	return s
}
