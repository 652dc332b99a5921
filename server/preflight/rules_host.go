package preflight

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// hostRules ask whether the host is there and what is known of it is young.
var hostRules = []Rule{
	{
		Name: "reachable", Words: "The host answers and knows the WinRM account", Source: "the host answered",
		Severity: Info, Unknown: Info, Also: []string{"os_version"},
		test: func(s Subject) verdict {
			if s.Unread {
				return unread("The host was not asked anew: stored facts are judged", "", "")
			}
			return pass("The host answers and knows the WinRM account", "Windows "+s.Facts.OSVersion.Value)
		},
	},
	{
		Name: "facts-fresh", Words: "The facts that are judged are young", Source: "the project's design: older facts are stale for planning",
		Severity: Warning, Unknown: Warning, Waivable: true, test: ruleFactsFresh,
	},
	{
		Name: "facts-understood", Words: "Every fact that was told is understood", Source: "the table of facts: each has one shape",
		Severity: Warning, Unknown: Warning, Waivable: true,
		test: func(s Subject) verdict {
			if len(s.Unreadable) > 0 {
				return warns("Facts were told that are not understood; they count as not known", strings.Join(s.Unreadable, "; "), "Report it: the host's answer or this version of Wavekeeper is odd.")
			}
			return pass("Every fact is understood", "")
		},
	},
	{
		Name: "wmi", Words: "WMI answers", Source: "the questions of preflight; that Setup's own checks ask WMI is remembered",
		Severity: Warning, Unknown: Info, Waivable: true,
		test: func(s Subject) verdict {
			switch {
			case len(s.WithoutWMI) > 0:
				return warns("WMI does not answer on the host; what is needed was read without it, and Setup's own checks may fail", list(s.WithoutWMI),
					"Start the service Windows Management Instrumentation (Winmgmt); where it runs and fails, see to its repository (winmgmt /verifyrepository from Windows Server 2008 on).")
			case s.Unread:
				return unread("Whether WMI answers is asked on the host only", "", "")
			}
			return pass("WMI answers", "")
		},
	},
}

func ruleFactsFresh(s Subject) verdict {
	limit := time.Duration(s.Policy.Of(FactAge)) * time.Hour
	var stale []string
	oldest := s.Now
	for _, f := range fields {
		at, known := f.at(&s.Facts)
		if !known || at.IsZero() {
			continue
		}
		if at.Before(oldest) {
			oldest = at
		}
		if s.Now.Sub(at) > limit {
			stale = append(stale, f.name)
		}
	}
	if len(stale) > 0 {
		return warns(fmt.Sprintf("%s older than %d hours", count(len(stale), "fact is", "facts are"), s.Policy.Of(FactAge)),
			"the oldest is of "+utcWords(oldest.UTC().Format(time.RFC3339))+": "+list(stale), "Have the facts be read again.")
	}
	return pass("The facts are young", "the oldest is of "+utcWords(oldest.UTC().Format(time.RFC3339)))
}

// windowsRules ask which Windows it is, and how it is kept.
var windowsRules = []Rule{
	{
		Name: "windows", Words: "Windows is one that the package supports",
		Source:   "founding document (Windows Server 2003 SP2); technet cc296562 (2008 from SP1 on); KB2173280 names SP3 on 2008 R2",
		Severity: Blocker, Unknown: Blocker, Needs: []string{"os", "os_service_pack"}, Also: []string{"os_version"}, test: ruleWindows,
	},
	{
		Name: "system-drive", Words: "Windows is on drive C:, where tasks are kept and the setup log is looked for",
		Source:   "Setup writes ExchangeSetupLogs to the system drive (technet 2007.09 exchangeqa)",
		Severity: Blocker, Unknown: Blocker, Needs: []string{"system_drive"},
		test: func(s Subject) verdict {
			if drive := s.Facts.SystemDrive.Value; !strings.EqualFold(drive, "C:") {
				return blocks("Windows is not on drive C:, where this version of Wavekeeper keeps its tasks and looks for the setup log", "system drive "+drive, "Upgrade this server by hand.")
			}
			return pass("Windows is on drive C:", "")
		},
	},
	{
		Name: "windows-updates", Words: "The updates of Windows are not old",
		Source:   "founding document (\"Betriebssystem aktuell\"); ends of support by Microsoft's life cycle pages",
		Severity: Warning, Unknown: Warning, Waivable: true, Needs: []string{"os", "windows_updates"}, test: ruleUpdates,
	},
	{
		Name: "x86", Words: "The host is an x64 one: the 32-bit edition is for tests only",
		Source:   "founding document (32 and 64 bit); system requirements of Exchange 2007 (32 bit is not for production)",
		Severity: Warning, Unknown: Warning, Waivable: true, Needs: []string{"arch"},
		test: func(s Subject) verdict {
			if strings.EqualFold(s.Facts.Arch.Value, "x86") {
				return warns("The host is a 32-bit one, on which Exchange 2007 is not supported in production", s.Facts.Arch.Value, "Make sure that this is a test server.")
			}
			return pass("The host is no 32-bit one", s.Facts.Arch.Value)
		},
	},
	{
		Name: "memory", Words: "There is enough memory", Source: "remembered: system requirements of Exchange 2007; a policy value",
		Severity: Warning, Unknown: Info, Waivable: true, Needs: []string{"memory_mb"},
		test: func(s Subject) verdict {
			evidence := fmt.Sprintf("%d MB, wanted %d MB", s.Facts.MemoryMB.Value, s.Policy.Of(Memory))
			if s.Facts.MemoryMB.Value < s.Policy.Of(Memory) {
				return warns("The host has little memory", evidence, "Give it more; Setup warns of the same.")
			}
			return pass("There is enough memory", evidence)
		},
	},
	{
		Name: "disk", Words: "There is enough free disk space",
		Source:   "release notes of Exchange 2007 Beta 2; policy values",
		Severity: Blocker, Unknown: Blocker, Waivable: true,
		Needs: []string{"disks", "system_drive", "install_path"}, Also: []string{"um_packs"}, test: ruleDisk,
	},
	{
		Name: "clock", Words: "The host's clock is right", Source: "Win32_OperatingSystem.LocalDateTime; Kerberos refuses more than five minutes",
		Severity: Warning, Unknown: Warning, Waivable: true, Needs: []string{"clock_offset_seconds"},
		test: func(s Subject) verdict {
			off := s.Facts.ClockOffset.Value
			if off > s.Policy.Of(ClockOff) || off < -s.Policy.Of(ClockOff) {
				return warns(fmt.Sprintf("The host's clock is %d seconds off", off), fmt.Sprintf("allowed are %d", s.Policy.Of(ClockOff)), "Correct the time: Kerberos refuses more than five minutes.")
			}
			return pass("The host's clock is right", fmt.Sprintf("%d seconds off", off))
		},
	},
}

func ruleWindows(s Subject) verdict {
	name, sp, level := s.Facts.OS.Value, s.Facts.OSServicePack.Value, s.Package.Target.ServicePack()
	evidence := fmt.Sprintf("Windows %s, service pack %d", s.Facts.OSVersion.Value, sp)
	wanted := 2
	if level == 0 { // RTM ran on Service Pack 1
		wanted = 1
	}
	switch {
	case name == "2003" && sp < wanted:
		return blocks(fmt.Sprintf("Windows Server 2003 lacks Service Pack %d", wanted), evidence, "Install Service Pack 2.")
	case name == "2003":
		return pass("Windows Server 2003 has its service pack", evidence)
	case name == "2008" && level >= 1:
		return pass("Windows Server 2008 is supported", evidence)
	case name == "2008R2" && level >= 3:
		return pass("Windows Server 2008 R2 is supported from Service Pack 3 on", evidence)
	}
	return blocks("This version of Windows is not supported by "+s.Package.Words, evidence, "See the system requirements of the service pack.")
}

// windowsEnd is the last day of support of each Windows: a host cannot be blamed
// for what never came. Where a newer update is there, somebody gets them still.
var windowsEnd = map[string]time.Time{
	"2003":   time.Date(2015, 7, 14, 0, 0, 0, 0, time.UTC),
	"2008":   time.Date(2020, 1, 14, 0, 0, 0, 0, time.UTC),
	"2008R2": time.Date(2020, 1, 14, 0, 0, 0, 0, time.UTC),
}

func ruleUpdates(s Subject) verdict {
	u := s.Facts.WindowsUpdates.Value
	newest, err := time.Parse(time.DateOnly, u.Newest)
	if err != nil {
		return unread("How old the updates of Windows are is not known", fmt.Sprintf("newest %q", u.Newest), "Look at the list of updates on the host.")
	}
	until := s.Now
	if end, ok := windowsEnd[s.Facts.OS.Value]; ok && end.Before(until) && !newest.After(end) {
		until = end
	}
	days := int(until.Sub(newest).Hours() / 24)
	evidence := fmt.Sprintf("newest %s of %s, last scan %s", u.NewestKB, u.Newest, orNone(u.LastScan))
	if days > s.Policy.Of(UpdateAge) {
		return warns(fmt.Sprintf("The newest update of Windows is %d days old, counted to the end of its support at most", days), evidence, "Install the updates of Windows before the service pack of Exchange.")
	}
	return pass("The updates of Windows are not old", evidence)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func ruleDisk(s Subject) verdict {
	languages := max(len(s.Server.UMLanguages), len(otherPacks(s.Facts.UMPacks.Value)))
	need := map[string]int64{strings.ToUpper(s.Facts.SystemDrive.Value): int64(s.Policy.Of(SystemDisk))}
	if path := s.Facts.InstallPath.Value; len(path) > 1 && path[1] == ':' {
		need[strings.ToUpper(path[:2])] += int64(s.Policy.Of(InstallDisk) + languages*s.Policy.Of(LanguageDisk))
	}
	var evidence, short []string
	for _, d := range s.Facts.Disks.Value {
		name := strings.ToUpper(d.Name)
		wanted, ok := need[name]
		if !ok {
			continue
		}
		delete(need, name)
		text := fmt.Sprintf("%s has %d MB free, needs %d MB", d.Name, d.Free>>20, wanted)
		evidence = append(evidence, text)
		if d.Free < wanted<<20 {
			short = append(short, text)
		}
	}
	var gone []string
	for drive := range need {
		gone = append(gone, drive+" was not found")
	}
	slices.Sort(gone)
	if short = append(short, gone...); len(short) > 0 {
		return blocks("There is too little free disk space: "+list(short), list(evidence), "Free disk space.")
	}
	return pass("There is enough free disk space", list(evidence))
}
