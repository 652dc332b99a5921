package twin

import (
	"sort"
	"strconv"
	"strings"
)

// classes are the WMI classes of root/cimv2 that the twin has, by their own
// spelling. Their properties are those that a Windows Server 2003 SP2 answered.
var classes = map[string]func(*host) []instance{
	"Win32_ComputerSystem":      (*host).computerSystem,
	"Win32_LogicalDisk":         (*host).logicalDisks,
	"Win32_OperatingSystem":     (*host).operatingSystem,
	"Win32_Process":             (*host).processList,
	"Win32_Processor":           (*host).processor,
	"Win32_QuickFixEngineering": (*host).hotfixes,
	"Win32_Service":             (*host).serviceList,
	"Win32_TimeZone":            (*host).timeZone,
	"Win32_UTCTime":             (*host).utcTime,
	"Win32_LocalTime":           (*host).localTime,
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
	if !ok || namespace != "root/cimv2" {
		return nil, false
	}
	all := list(h)
	for _, i := range all {
		sort.SliceStable(i, func(a, b int) bool { return strings.ToLower(i[a].name) < strings.ToLower(i[b].name) })
	}
	return all, true
}

func (h *host) operatingSystem() []instance {
	const os = "Microsoft(R) Windows(R) Server 2003 Enterprise x64 Edition"
	return []instance{{
		{"BootDevice", `\Device\HarddiskVolume1`},
		{"BuildNumber", "3790"},
		{"BuildType", "Multiprocessor Free"},
		{"Caption", os},
		{"CodeSet", "1252"},
		{"CountryCode", "1"},
		{"CreationClassName", "Win32_OperatingSystem"},
		{"CSCreationClassName", "Win32_ComputerSystem"},
		{"CSDVersion", "Service Pack 2"},
		{"CSName", h.name},
		{"CurrentTimeZone", 0},
		{"DataExecutionPrevention_32BitApplications", true},
		{"DataExecutionPrevention_Available", true},
		{"DataExecutionPrevention_Drivers", true},
		{"DataExecutionPrevention_SupportPolicy", 3},
		{"Debug", false},
		{"Description", ""},
		{"Distributed", false},
		{"EncryptionLevel", 168},
		{"ForegroundApplicationBoost", 0},
		{"FreePhysicalMemory", 2480480},
		{"FreeSpaceInPagingFiles", 4162748},
		{"FreeVirtualMemory", 6413616},
		{"InstallDate", h.state.Installed},
		{"LargeSystemCache", 1},
		{"LastBootUpTime", h.state.Booted},
		{"LocalDateTime", h.now()},
		{"Locale", "0409"},
		{"Manufacturer", "Microsoft Corporation"},
		{"MaxNumberOfProcesses", "4294967295"},
		{"MaxProcessMemorySize", 8589934464},
		{"Name", `Microsoft Windows Server 2003 Enterprise x64 Edition|C:\WINDOWS|\Device\Harddisk0\Partition1`},
		{"NumberOfLicensedUsers", 5},
		{"NumberOfProcesses", len(h.processes) + len(h.state.Services)},
		{"NumberOfUsers", 2},
		{"Organization", ""},
		{"OSLanguage", 1033},
		{"OSProductSuite", 274},
		{"OSType", 18},
		{"OtherTypeDescription", nil},
		{"PAEEnabled", nil},
		{"PlusProductID", nil},
		{"PlusVersionNumber", nil},
		{"Primary", true},
		{"ProductType", 3},
		{"QuantumLength", 0},
		{"QuantumType", 0},
		{"RegisteredUser", ""},
		{"SerialNumber", "69763-024-0000001-43" + pad(h.number("serial", 1000), 3)},
		{"ServicePackMajorVersion", 2},
		{"ServicePackMinorVersion", 0},
		{"SizeStoredInPagingFiles", 4193280},
		{"Status", "OK"},
		{"SuiteMask", 274},
		{"SystemDevice", `\Device\HarddiskVolume1`},
		{"SystemDirectory", `C:\WINDOWS\system32`},
		{"SystemDrive", "C:"},
		{"TotalSwapSpaceSize", nil},
		{"TotalVirtualMemorySize", 8265544},
		{"TotalVisibleMemorySize", 4193400},
		{"Version", "5.2.3790"},
		{"WindowsDirectory", `C:\WINDOWS`},
	}}
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
		{"CurrentTimeZone", 0},
		{"DaylightInEffect", nil},
		{"Description", "AT/AT COMPATIBLE"},
		{"DNSHostName", strings.ToLower(h.name)},
		{"Domain", h.domain()},
		{"DomainRole", 3},
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
		{"PartOfDomain", true},
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
		{"SystemStartupDelay", 30},
		{"SystemStartupOptions", `"Windows Server 2003 Enterprise x64 Edition" /noexecute=optout /fastdetect`},
		{"SystemStartupSetting", 0},
		{"SystemType", "x64-based PC"},
		{"ThermalState", 3},
		{"TotalPhysicalMemory", 4294041600},
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
			{"Description", "Local Fixed Disk"},
			{"DeviceID", d.ID},
			{"DriveType", 3},
			{"ErrorCleared", nil},
			{"ErrorDescription", nil},
			{"ErrorMethodology", nil},
			{"FileSystem", "NTFS"},
			{"FreeSpace", d.Free},
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
			{"Caption", s.Display},
			{"CheckPoint", 0},
			{"CreationClassName", "Win32_Service"},
			{"Description", s.Display},
			{"DesktopInteract", false},
			{"DisplayName", s.Display},
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
			{"SessionId", 0},
			{"ThreadCount", 4},
			{"UserModeTime", 937500},
			{"WorkingSetSize", 6291456},
		}
	}
	all := []instance{
		one(&process{PID: 4, Name: "System", Started: h.state.Booted}),
		one(&process{PID: 312, Name: "smss.exe", Path: `C:\WINDOWS\system32\smss.exe`, Line: `\SystemRoot\System32\smss.exe`, Parent: 4, Started: h.state.Booted}),
		one(&process{PID: 412, Name: "services.exe", Path: `C:\WINDOWS\system32\services.exe`, Line: `C:\WINDOWS\system32\services.exe`, Parent: 360, Started: h.state.Booted}),
	}
	for _, s := range h.state.Services {
		if s.PID == 0 {
			continue
		}
		path := strings.Trim(strings.SplitN(s.Path, " -k", 2)[0], `"`)
		all = append(all, one(&process{PID: s.PID, Name: base(path), Path: path, Line: s.Path, Parent: 412, Started: h.state.Booted}))
	}
	ids := make([]int, 0, len(h.processes))
	for id := range h.processes {
		ids = append(ids, id)
	}
	sort.Ints(ids)
	for _, id := range ids {
		all = append(all, one(h.processes[id]))
	}
	return all
}

func (h *host) hotfixes() []instance {
	var all []instance
	for _, id := range h.state.Hotfixes {
		all = append(all, instance{
			{"Caption", nil},
			{"CSName", h.name},
			{"Description", "Update for Windows Server 2003 (" + id + ")"},
			{"FixComments", "Update"},
			{"HotFixID", id},
			{"InstallDate", nil},
			{"InstalledBy", "Administrator"},
			{"InstalledOn", "11/2/2007"},
			{"Name", nil},
			{"ServicePackInEffect", "SP3"},
			{"Status", nil},
		})
	}
	return all
}

func (h *host) processor() []instance {
	return []instance{{
		{"AddressWidth", 64},
		{"Architecture", 9},
		{"DataWidth", 64},
		{"DeviceID", "CPU0"},
		{"MaxClockSpeed", 2333},
		{"Name", "Intel(R) Xeon(R) CPU           E5345  @ 2.33GHz"},
		{"SystemName", h.name},
	}}
}

func (h *host) timeZone() []instance {
	return []instance{{
		{"Bias", 0},
		{"Caption", "(GMT) Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London"},
		{"DaylightBias", -60},
		{"DaylightName", "GMT Daylight Time"},
		{"StandardBias", 0},
		{"StandardName", "GMT Standard Time"},
	}}
}

func (h *host) utcTime() []instance   { return h.wallClock() }
func (h *host) localTime() []instance { return h.wallClock() }

func (h *host) wallClock() []instance {
	t := h.now()
	return []instance{{
		{"Day", t.Day()},
		{"DayOfWeek", int(t.Weekday())},
		{"Hour", t.Hour()},
		{"Milliseconds", nil},
		{"Minute", t.Minute()},
		{"Month", int(t.Month())},
		{"Quarter", (int(t.Month()) + 2) / 3},
		{"Second", t.Second()},
		{"WeekInMonth", (t.Day()-1)/7 + 1},
		{"Year", t.Year()},
	}}
}

// pad writes n with at least that many digits.
func pad(n, digits int) string {
	s := strconv.Itoa(n)
	for len(s) < digits {
		s = "0" + s
	}
	return s
}
