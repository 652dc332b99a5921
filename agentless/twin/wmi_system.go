package twin

import (
	"sort"
	"strings"
	"time"
)

// The WMI classes that differ between versions and languages of Windows. The
// properties are those that a Windows Server 2003 SP2 and a 2008 R2 answered;
// 2008's are taken to be 2008 R2's.

func (h *host) operatingSystem() []instance {
	p := h.platform
	i := instance{
		{"BootDevice", `\Device\HarddiskVolume1`},
		{"BuildNumber", p.build()},
		{"BuildType", "Multiprocessor Free"},
		{"Caption", p.caption},
		{"CodeSet", p.ansi},
		{"CountryCode", p.country},
		{"CreationClassName", "Win32_OperatingSystem"},
		{"CSCreationClassName", "Win32_ComputerSystem"},
		{"CSDVersion", "Service Pack " + pad(p.servicePack, 1)},
		{"CSName", h.name},
		{"CurrentTimeZone", h.zoneMinutes()},
		{"DataExecutionPrevention_32BitApplications", true},
		{"DataExecutionPrevention_Available", true},
		{"DataExecutionPrevention_Drivers", true},
		{"DataExecutionPrevention_SupportPolicy", 3},
		{"Debug", false},
		{"Description", ""},
		{"Distributed", false},
		{"EncryptionLevel", p.either(168, 256)},
		{"ForegroundApplicationBoost", 0},
		{"FreePhysicalMemory", 2480480},
		{"FreeSpaceInPagingFiles", 4162748},
		{"FreeVirtualMemory", 6413616},
		{"InstallDate", h.state.Installed},
		{"LargeSystemCache", p.only2003(1)},
		{"LastBootUpTime", h.state.Booted},
		{"LocalDateTime", h.tells()},
		{"Locale", p.locale()},
		{"Manufacturer", "Microsoft Corporation"},
		{"MaxNumberOfProcesses", "4294967295"},
		{"MaxProcessMemorySize", 8589934464},
		{"Name", p.longName + `|` + p.windows + `|\Device\Harddisk0\Partition1`},
		{"NumberOfLicensedUsers", p.either(5, 0)},
		{"NumberOfProcesses", len(h.processes) + len(h.state.Services)},
		{"NumberOfUsers", 2},
		{"Organization", ""},
		{"OSLanguage", p.lcid},
		{"OSProductSuite", 274},
		{"OSType", 18},
		{"OtherTypeDescription", nil},
		{"PAEEnabled", nil},
		{"PlusProductID", nil},
		{"PlusVersionNumber", nil},
		{"Primary", true},
		{"ProductType", 3},
		{"RegisteredUser", ""},
		{"SerialNumber", "69763-024-0000001-43" + pad(h.number("serial", 1000), 3)},
		{"ServicePackMajorVersion", p.servicePack},
		{"ServicePackMinorVersion", 0},
		{"SizeStoredInPagingFiles", 4193280},
		{"Status", "OK"},
		{"SuiteMask", 274},
		{"SystemDevice", `\Device\HarddiskVolume1`},
		{"SystemDirectory", p.system32()},
		{"SystemDrive", h.systemDrive()},
		{"TotalSwapSpaceSize", nil},
		{"TotalVirtualMemorySize", 8265544},
		{"TotalVisibleMemorySize", 4193400},
		{"Version", p.version},
		{"WindowsDirectory", p.windows},
	}
	if p.before6() {
		return []instance{append(i, property{"QuantumLength", 0}, property{"QuantumType", 0})}
	}
	return []instance{append(
		i, property{"MUILanguages", []string{p.displayLanguage.name}}, property{"OSArchitecture", p.text("64-bit")},
		property{"OperatingSystemSKU", 10},
	)}
}

// build is the number after the version's second dot.
func (p platform) build() string { return p.version[strings.LastIndexByte(p.version, '.')+1:] }

// locale is the language's number as the registry and WMI write it.
func (p platform) locale() string {
	const digits = "0123456789abcdef"
	return string([]byte{'0', digits[p.lcid>>8&15], digits[p.lcid>>4&15], digits[p.lcid&15]})
}

// either is a value of Windows Server 2003 or of later versions.
func (p platform) either(old, later any) any {
	if p.before6() {
		return old
	}
	return later
}

// only2003 is a value that later versions leave null.
func (p platform) only2003(v any) any { return p.either(v, nil) }

// startupOptions are what boot.ini says; there is none from 2008 on.
func (p platform) startupOptions() any {
	return p.only2003(`"Windows Server 2003 Enterprise x64 Edition" /noexecute=optout /fastdetect`)
}

// zoneMinutes is how far the host's wall clock is ahead of UTC.
func (h *host) zoneMinutes() int {
	_, offset := h.local().Zone()
	return offset / 60
}

// localize puts an object's times into the host's zone: WMI keeps them so. The
// recorded hosts are at UTC, so the form with an offset is not proven.
func (h *host) localize(i instance) {
	for n, p := range i {
		if t, ok := p.value.(time.Time); ok {
			i[n].value = t.In(h.platform.zone)
		}
	}
}

// hotfixes are Win32_QuickFixEngineering; in 2008 the date is a number, since
// the class reads it as it is (K for the form).
func (h *host) hotfixes() []instance {
	var all []instance
	for _, id := range h.state.Hotfixes {
		i := instance{
			{"Caption", nil},
			{"CSName", h.name},
			{"Description", h.platform.text("Update for Windows Server 2003") + " (" + id + ")"},
			{"FixComments", "Update"},
			{"HotFixID", id},
			{"InstallDate", nil},
			{"InstalledBy", "Administrator"},
			{"InstalledOn", h.installedOn(id)},
			{"Name", nil},
			{"ServicePackInEffect", "SP3"},
			{"Status", nil},
		}
		if !h.platform.before6() {
			i = instance{
				{"Caption", "http://support.microsoft.com/?kbid=" + strings.TrimPrefix(id, "KB")},
				{"CSName", h.name},
				{"Description", "Update"},
				{"FixComments", ""},
				{"HotFixID", id},
				{"InstallDate", nil},
				{"InstalledBy", `S-1-5-18`},
				{"InstalledOn", h.installedOn(id)},
				{"Name", nil},
				{"ServicePackInEffect", ""},
				{"Status", nil},
			}
		}
		all = append(all, i)
	}
	return all
}

func (h *host) timeZone() []instance {
	daylight := any(h.platform.zoneName)
	bias := -60
	if h.platform.displayLanguage.name == "ja-JP" { // has none
		bias = 0
	}
	return []instance{{
		{"Bias", h.zoneMinutes()},
		{"Caption", h.platform.zoneName},
		{"DaylightBias", bias},
		{"DaylightName", daylight},
		{"StandardBias", 0},
		{"StandardName", h.platform.zoneName},
	}}
}

func (h *host) utcTime() []instance   { return wallClock(h.now()) }
func (h *host) localTime() []instance { return wallClock(h.local()) }

func wallClock(t time.Time) []instance {
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

// allProcesses lists every program that runs, Windows' own, the services' and
// what was started since; the caller holds the lock.
func (h *host) allProcesses() []*process {
	p := h.platform
	system := func(pid int, name, line string, parent int) *process {
		path := p.system32() + `\` + name
		if line == "" {
			line = path
		}
		return &process{PID: pid, Name: name, Path: path, Line: line, Owner: systemAccount.name, Parent: parent, Started: h.state.Booted}
	}
	all := []*process{
		{PID: 4, Name: "System", Owner: systemAccount.name, Started: h.state.Booted},
		system(312, "smss.exe", `\SystemRoot\System32\smss.exe`, 4),
		system(412, "services.exe", "", 360),
	}
	if p.session0 {
		all = append(all, system(420, "wininit.exe", "wininit.exe", 360), system(428, "lsass.exe", "", 420))
	}
	for _, s := range h.state.Services {
		if s.PID == 0 {
			continue
		}
		path := strings.Trim(strings.SplitN(s.Path, " -k", 2)[0], `"`)
		all = append(all, &process{
			PID: s.PID, Name: base(path), Path: path, Line: s.Path, Owner: systemAccount.name, Parent: 412, Started: h.state.Booted,
		})
	}
	for i, who := range p.loggedOn {
		all = append(all, h.explorer(700+8*i, who, i))
	}
	ids := make([]int, 0, len(h.processes))
	for id := range h.processes {
		ids = append(ids, id)
	}
	sort.Ints(ids)
	for _, id := range ids {
		all = append(all, h.processes[id])
	}
	return all
}

// explorer is the shell of a person's n-th session: the console is session 0
// on Windows Server 2003, from 2008 on people begin at 1.
func (h *host) explorer(pid int, who string, n int) *process {
	if h.platform.session0 {
		n++
	}
	path := h.platform.windows + `\explorer.exe`
	return &process{PID: pid, Name: "explorer.exe", Path: path, Line: path, Owner: who, Session: n, Started: h.state.Booted.Add(time.Minute)}
}

// processor has the cores only from 2008 on (KB932370 brings them to 2003).
func (h *host) processor() []instance {
	const family = "Intel64 Family 6 Model 15 Stepping 7"
	i := instance{
		{"AddressWidth", 64},
		{"Architecture", 9},
		{"Availability", 3},
		{"Caption", h.platform.either("EM64T Family 6 Model 15 Stepping 7", family)},
		{"ConfigManagerErrorCode", nil},
		{"ConfigManagerUserConfig", nil},
		{"CpuStatus", 1},
		{"CreationClassName", "Win32_Processor"},
		{"CurrentClockSpeed", 2333},
		{"CurrentVoltage", nil},
		{"DataWidth", 64},
		{"Description", h.platform.either("EM64T Family 6 Model 15 Stepping 7", family)},
		{"DeviceID", "CPU0"},
		{"ErrorCleared", nil},
		{"ErrorDescription", nil},
		{"ExtClock", nil},
		{"Family", 1},
		{"InstallDate", nil},
		{"L2CacheSize", nil},
		{"L2CacheSpeed", nil},
		{"LastErrorCode", nil},
		{"Level", 6},
		{"LoadPercentage", 0},
		{"Manufacturer", "GenuineIntel"},
		{"MaxClockSpeed", 2333},
		{"Name", "Intel(R) Xeon(R) CPU           E5345  @ 2.33GHz"},
		{"OtherFamilyDescription", nil},
		{"PNPDeviceID", nil},
		{"PowerManagementSupported", false},
		{"ProcessorId", "0000000000000000"},
		{"ProcessorType", 3},
		{"Revision", 3847},
		{"Role", "CPU"},
		{"SocketDesignation", ""},
		{"Status", "OK"},
		{"StatusInfo", 3},
		{"Stepping", "7"},
		{"SystemCreationClassName", "Win32_ComputerSystem"},
		{"SystemName", h.name},
		{"UniqueId", nil},
		{"UpgradeMethod", 6},
		{"Version", "Model 15, Stepping 7"},
		{"VoltageCaps", nil},
	}
	if h.platform.before6() {
		return []instance{i}
	}
	return []instance{append(
		i, property{"L3CacheSize", 0}, property{"L3CacheSpeed", 0}, property{"NumberOfCores", 4}, property{"NumberOfLogicalProcessors", 4},
	)}
}
