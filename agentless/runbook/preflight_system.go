package runbook

import (
	"fmt"
	"strings"
)

func ruleWindows(w *Work, s seen) verdict {
	evidence := fmt.Sprintf("Windows %s, service pack %d", s.os.Version, s.os.ServicePack)
	switch name := s.os.Name(); {
	case name == "2003" && s.os.ServicePack < 2:
		return verdict{Blocker, "Windows Server 2003 lacks Service Pack 2", evidence, "Install Service Pack 2."}
	case name == "2003" && !strings.EqualFold(s.os.SystemDrive, systemDrive):
		return otherDrive(evidence, s)
	case name == "2003":
		return pass("Windows Server 2003 has Service Pack 2", evidence)
	case name == "2008" && !strings.EqualFold(s.os.SystemDrive, systemDrive):
		return otherDrive(evidence, s)
	case name == "2008":
		return pass("Windows Server 2008 is supported", evidence)
	case name == "2008R2" && w.Package.Target.ServicePack() >= 3:
		return verdict{Blocker, "Windows Server 2008 R2 is supported by the package, but this version of Wavekeeper was never tried there", evidence, "Upgrade this server by hand."}
	default:
		return verdict{Blocker, "This version of Windows is not supported by " + w.Package.Name, evidence, "See the system requirements of the service pack."}
	}
}

func otherDrive(evidence string, s seen) verdict {
	return verdict{
		Blocker, "Windows is not on drive " + systemDrive + ", where this version of Wavekeeper keeps its tasks and looks for the setup log",
		evidence + ", system drive " + s.os.SystemDrive, "Upgrade this server by hand.",
	}
}

// systemDrive is where windows.Root and setupLog lie; Setup writes its log to
// the system drive.
const systemDrive = "C:"

func ruleTimeZone(_ *Work, s seen) verdict {
	if s.os.Name() != "2003" {
		return pass("The time zone update KB931836 is for Windows Server 2003 only", s.os.Version)
	}
	for _, kb := range TimeZoneUpdates {
		if has(s.hotfixes, kb) {
			return pass("The time zone update is installed", kb)
		}
	}
	return verdict{
		Blocker, "The time zone update KB931836 is missing",
		fmt.Sprintf("none of %s among %d updates", list(TimeZoneUpdates), len(s.hotfixes)), "Install KB931836 or a later cumulative time zone update.",
	}
}
