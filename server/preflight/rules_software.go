package preflight

import (
	"fmt"
)

// softwareRules ask for what has to be installed beside Windows, and what must not be.
var softwareRules = []Rule{
	{
		Name: "dotnet20-sp1", Words: ".NET Framework 2.0 has its Service Pack 1", Source: "founding document; the key of .NET Framework's setup is remembered",
		Severity: Blocker, Unknown: Blocker, Levels: []int{1, 2, 3}, Kinds: []string{ServicePack, PrepareOrganization}, Needs: []string{"dotnet20_sp"},
		test: func(s Subject) verdict {
			sp := s.Facts.DotNet20.Value
			switch {
			case sp < 0:
				return blocks(".NET Framework 2.0 Service Pack 1 is missing", "not installed", "Install .NET Framework 2.0 SP1 or later (KB110806), or 3.5.")
			case sp < 1:
				return blocks(".NET Framework 2.0 Service Pack 1 is missing", fmt.Sprintf("service pack %d", sp), "Install .NET Framework 2.0 SP1 or later (KB110806), or 3.5.")
			}
			return pass(".NET Framework 2.0 has its service pack", fmt.Sprintf("service pack %d", sp))
		},
	},
	{
		Name: "time-zone-update", Words: "Windows Server 2003 has current time-zone data",
		Source:   "founding document (KB931836); the rules of the United States from 2007 on, which KB931836 brings; REG_TZI_FORMAT",
		Severity: Blocker, Unknown: Blocker, Waivable: true, Levels: []int{1, 2, 3}, Kinds: []string{ServicePack, PrepareOrganization}, OS: []string{"2003"},
		Needs: []string{"os"}, Also: []string{"time_zone_data", "hotfixes"}, test: ruleTimeZone,
	},
	{
		Name: "windows-installer", Words: "Windows Installer is 4.5 or newer, for /PrepareSchema, too",
		Source:   "Exchange team blog, \"Exchange 2007 Service Pack 2 Prerequisites\" (KB942288; part of Windows Server 2008 SP2)",
		Severity: Blocker, Unknown: Blocker, Levels: []int{2, 3}, Kinds: []string{ServicePack, PrepareOrganization},
		Needs: []string{"os"}, Also: []string{"windows_installer", "os_service_pack", "hotfixes"}, test: ruleInstaller,
	},
	{
		Name: "powershell", Words: "Windows PowerShell 1.0 is installed", Source: "Exchange team blog, \"Phases of Exchange 2007 setup\"; KB951402",
		Severity: Blocker, Unknown: Warning, Needs: []string{"powershell"},
		test: func(s Subject) verdict {
			p := s.Facts.PowerShell.Value
			if !p.Installed {
				return blocks("Windows PowerShell is not installed", "", "Install KB926139 on Windows Server 2003, the feature (ServerManagerCmd -i PowerShell) on 2008.")
			}
			return pass("Windows PowerShell is installed", "version "+p.Version)
		},
	},
	{
		Name: "powershell2", Words: "Windows PowerShell 2.0 is there only where the service pack of Exchange knows it",
		Source:   "remembered: supportability matrix of Exchange (KB968930); a policy value",
		Severity: Info, Unknown: Info, Waivable: true, Needs: []string{"powershell"},
		test: func(s Subject) verdict {
			p := s.Facts.PowerShell.Value
			if v, ok := version(p.Version); ok && v[0] == 2 && s.Package.Target.ServicePack() < s.Policy.Of(PowerShell2Level) {
				return notes(fmt.Sprintf("Windows PowerShell 2.0 is installed, which is supported from SP%d on as far as is remembered", s.Policy.Of(PowerShell2Level)), "version "+p.Version, "Uninstall KB968930, or go to the later service pack.")
			}
			return pass("The version of Windows PowerShell suits the package", "version "+p.Version)
		},
	},
	{
		Name: "no-wmf3", Words: "Windows Management Framework 3.0 or later is not installed", Source: "Exchange team blog on Windows Management Framework 3.0, December 2012",
		Severity: Blocker, Unknown: Blocker, Needs: []string{"hotfixes"}, Also: []string{"powershell"},
		test: func(s Subject) verdict {
			for _, kb := range []string{"KB2506143", "KB2506146"} {
				if updated(s.Facts.Hotfixes.Value, kb) {
					return blocks("Windows Management Framework 3.0 is installed, which Exchange 2007 does not work with", kb, "Uninstall "+kb+".")
				}
			}
			p := s.Facts.PowerShell.Value
			if v, ok := version(p.Version); ok && v[0] >= 3 {
				return blocks("Windows PowerShell "+p.Version+" is installed, which Exchange 2007 does not work with", p.Version, "Uninstall the Windows Management Framework that brought it.")
			}
			return pass("Windows Management Framework 3.0 is not installed", "")
		},
	},
	{
		Name: "mmc3", Words: "Microsoft Management Console is 3.0", Source: "Exchange team blog, \"Phases of Exchange 2007 setup\" (KB907265); the file version of it on Windows Server 2003 is remembered",
		Severity: Blocker, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack}, OS: []string{"2003"}, Needs: []string{"os", "mmc"},
		test: func(s Subject) verdict {
			v, ok := version(s.Facts.MMC.Value)
			switch evidence := "version " + s.Facts.MMC.Value; {
			case !ok:
				return unread("The version of Microsoft Management Console was not understood", evidence, "Look at it on the host.")
			case v[0] < 3, v[0] == 5 && older(v, [4]int{5, 2, 3790, 2560}): // mmc.exe of Windows Server 2003 counts as Windows does
				return blocks("Microsoft Management Console 3.0 is missing", evidence, "Install KB907265, or Service Pack 2 of Windows Server 2003.")
			default:
				return pass("Microsoft Management Console is 3.0 or later", evidence)
			}
		},
	},
	{
		Name: "certificate-sia", Words: "Windows Server 2008 has the update against slow certificates",
		Source:   "KB955805 (subject information access: each verification takes two to five minutes more); that Service Pack 2 has it is remembered",
		Severity: Info, Unknown: Info, Waivable: true, Kinds: []string{ServicePack, Rollup}, OS: []string{"2008"}, Needs: []string{"os", "os_service_pack", "hotfixes"},
		test: func(s Subject) verdict {
			if s.Facts.OSServicePack.Value < 2 && !updated(s.Facts.Hotfixes.Value, "KB955805") {
				return notes("Where a certification authority's certificate has the SIA extension, each verification takes two to five minutes", "KB955805 is not installed", "Install KB955805 or Service Pack 2.")
			}
			return pass("Certificates with the SIA extension are not slow", fmt.Sprintf("service pack %d", s.Facts.OSServicePack.Value))
		},
	},
}

func ruleInstaller(s Subject) verdict {
	const remedy = "Install Windows Installer 4.5 (KB942288)."
	f := s.Facts
	if f.WindowsInstaller.Known {
		v, ok := version(f.WindowsInstaller.Value)
		switch evidence := "msi.dll " + f.WindowsInstaller.Value; {
		case !ok:
			return unread("The version of Windows Installer was not understood", evidence, remedy)
		case older(v, [4]int{4, 5}):
			return blocks("Windows Installer 4.5 is missing", evidence, remedy)
		default:
			return pass("Windows Installer is new enough", evidence)
		}
	}
	switch {
	case f.OS.Value == "2008R2", f.OS.Value == "2008" && f.OSServicePack.Known && f.OSServicePack.Value >= 2:
		return pass("This Windows has Windows Installer 4.5 built in", "Windows Server "+f.OS.Value)
	case f.Hotfixes.Known && updated(f.Hotfixes.Value, "KB942288"):
		return pass("Windows Installer is new enough", "KB942288")
	}
	return unread("Not known whether Windows Installer is 4.5 or newer", fmt.Sprintf("KB942288 is not among %d updates, and msi.dll was not read", len(f.Hotfixes.Value)), remedy)
}
