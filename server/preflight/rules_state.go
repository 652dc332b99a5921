package preflight

import (
	"fmt"

	"wavekeeper/server/exchange"
)

const foreignRemedy = "Find out whose Setup it was and run it to its end on the host, then mark the server as repaired or run again. " +
	"Where it refuses to begin, clear Action and Watermark: the old values are kept and can be put back."

// stateRules ask what an earlier Setup or an update left, and what runs now.
var stateRules = []Rule{
	{
		Name: "interrupted-setup", Words: "No role carries the mark of an unfinished Setup",
		Source:   "founding document (Action, Watermark); Exchange team blog, \"How does Exchange 2007 setup know to resume a failed setup?\"",
		Severity: Blocker, Unknown: Blocker, Needs: []string{"roles"},
		test: func(s Subject) verdict {
			found := configured(s).Markers
			switch {
			case len(found) == 0:
				return pass("No role carries the mark of an unfinished Setup", "")
			case s.OwnSetup:
				return warns("This upgrade's own Setup did not finish; it resumes where it stopped", list(found), "")
			}
			return blocks("An earlier Setup, which is not ours, did not finish", list(found), foreignRemedy)
		},
	},
	{
		Name: "files-configured", Words: "Every role is configured at the build of its files",
		Source:   "founding document (ConfiguredVersion and UnpackedVersion); Exchange team blog on watermarks",
		Severity: Blocker, Unknown: Blocker, Waivable: true, Needs: []string{"roles"},
		test: func(s Subject) verdict {
			var odd []string
			for _, name := range sortedRoles(s.Facts.Roles.Value) {
				if r := s.Facts.Roles.Value[name]; differ(r.Configured, r.Unpacked) {
					odd = append(odd, fmt.Sprintf("%s is configured at %s, its files are of %s", name, r.Configured, r.Unpacked))
				}
			}
			switch {
			case len(odd) == 0:
				return pass("Every role is configured at the build of its files", "")
			case s.OwnSetup:
				return warns("This upgrade's own Setup replaced files and did not configure them; it resumes where it stopped", list(odd), "")
			}
			return blocks("Files were replaced and not configured: a Setup did not finish", list(odd), foreignRemedy)
		},
	},
	{
		Name: "no-other-setup", Words: "No Setup runs", Source: "processes of Setup: Exchange team blog, \"Phases of Exchange 2007 setup\"",
		Severity: Blocker, Unknown: Blocker, Needs: []string{"setup_processes"},
		test: func(s Subject) verdict {
			if all := s.Facts.SetupProcesses.Value; len(all) > 0 {
				p := all[0]
				who := fmt.Sprintf("%s runs as process %d", p.Name, p.ID)
				if p.Owner != "" {
					who += " of " + p.Owner
				}
				who += fmt.Sprintf(" in session %d", p.Session)
				return blocks("A Setup runs on the host already: "+who, who, "Let it come to its end, or have its owner end it.")
			}
			return pass("No Setup runs", "")
		},
	},
	{
		Name: "pending-restart", Words: "Windows does not wait for a restart", Source: "technet cc164360 (Setup refuses the same); Windows Update's key",
		Severity: Blocker, Unknown: Blocker, Needs: []string{"pending_restart"},
		test: func(s Subject) verdict {
			if why := s.Facts.PendingRestart.Value; len(why) > 0 {
				return blocks("Windows waits for a restart", list(why), "Restart the host.")
			}
			return pass("Windows does not wait for a restart", "")
		},
	},
	{
		Name: "sessions", Words: "Nobody is logged on", Source: "founding document (a Setup in another terminal session); remembered practice",
		Severity: Warning, Unknown: Info, Waivable: true, Needs: []string{"sessions"},
		test: func(s Subject) verdict {
			var who []string
			for _, one := range s.Facts.Sessions.Value {
				who = append(who, fmt.Sprintf("%s in session %d", orNone(one.User), one.ID))
			}
			if len(who) > 0 {
				return warns("People are logged on: "+list(who), "", "Ask them to log off: open consoles hold files that Setup replaces.")
			}
			return pass("Nobody is logged on", "")
		},
	},
	{
		Name: "cached-patches", Words: "Every applied patch of Exchange has its cached .msp file", Source: "KB2784788 (1603 and 1635: a cached .msp is missing)",
		Severity: Blocker, Unknown: Warning, Kinds: []string{ServicePack, Rollup}, Needs: []string{"patches"},
		test: func(s Subject) verdict {
			var gone []string
			for _, p := range s.Facts.Patches.Value {
				if p.State == 1 && !p.Cached {
					gone = append(gone, fmt.Sprintf("%s (%s)", p.LocalPackage, p.Name))
				}
			}
			if len(gone) > 0 {
				return blocks("Windows Installer lacks the cached file of "+count(len(gone), "patch", "patches")+"; Setup would end with 1603 or 1635", list(gone), "Put the .msp of the original rollup there under the cached name.")
			}
			return pass("Every applied patch has its cached file", count(len(s.Facts.Patches.Value), "patch", "patches"))
		},
	},
	{
		Name: "interim-updates", Words: "No interim update of Exchange is installed",
		Source:   "Exchange team blog, \"Exchange 2007 Service Pack 2 Prerequisites\"; technet ff772434 (rollups)",
		Severity: Blocker, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack, Rollup}, Needs: []string{"patches"}, test: ruleInterim,
	},
}

// configured is what the role keys come to.
func configured(s Subject) exchange.Configured {
	keys := make(map[string]exchange.RoleKey, len(s.Facts.Roles.Value))
	for name, r := range s.Facts.Roles.Value {
		keys[name] = exchange.RoleKey(r)
	}
	return exchange.ConfiguredOf(keys, s.Server.Roles)
}
