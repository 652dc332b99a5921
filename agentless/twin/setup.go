package twin

import (
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// releases are the service packs' builds and names in Setup's banner.
var releases = map[string]struct {
	build exchange.Build
	name  string
}{
	"sp1": {exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 6}, "Service Pack 1"},
	"sp2": {exchange.Build{Major: 8, Minor: 2, Build: 176, Revision: 2}, "Service Pack 2"},
	"sp3": {exchange.Build{Major: 8, Minor: 3, Build: 83, Revision: 6}, "Service Pack 3"},
}

// upgradeMode is the Action that an upgrade leaves in the registry (domain.md 3.1).
const upgradeMode = "BuildToBuildUpgrade"

// setupFolder is where Setup keeps its logs (domain.md 2.5).
const setupFolder = `C:\ExchangeSetupLogs`

// setup is one run of Setup.
type setup struct {
	*call
	h         *host
	pkg, arch string
	target    exchange.Build
	name      string
	command   string
	pid       int
	unit      time.Duration // one percent of the run
}

// setupSwitches are the documented switches (domain.md 2.2) and whether they
// take a value; those that the twin does not carry out end with a message.
var setupSwitches = map[string]bool{
	"mode": true, "m": true, "roles": true, "role": true, "r": true, "sourcedir": true, "s": true, "updatesdir": true, "u": true,
	"domaincontroller": true, "dc": true, "answerfile": true, "af": true, "targetdir": true, "t": true,
	"enableerrorreporting": false, "noselfsignedcertificates": false, "donotstarttransport": false, "upgradecms": false,
	"preparelegacyexchangepermissions": false, "pl": false, "prepareschema": false, "ps": false, "preparead": false, "p": false,
	"preparedomain": false, "pd": false, "preparealldomains": false, "pad": false, "addumlanguagepack": true, "removeumlanguagepack": true,
	"newcms": false, "recovercms": false, "removecms": false, "cmsname": true, "cmsipaddress": true, "cmssharedstorage": false,
	"cmsdatapath": true, "help": false, "?": false,
}

// exchangeSetup runs setup.com of a package and returns its exit code.
func (c *call) exchangeSetup(path, pkg, _, arch string) int {
	release := releases[pkg]
	s := &setup{call: c, h: c.s.h, pkg: pkg, arch: arch, target: release.build, name: release.name, command: c.line}
	other := false
	var p *process
	s.h.update(func() {
		p = s.h.startProcess("ExSetup.exe", path, c.line, c.s.who.name, c.s.pid, nil)
		s.pid = p.PID
		s.h.happened("setup-started", map[string]any{"command": c.line, "pid": s.pid})
		if other = s.h.state.Setup != nil || s.h.foreignSetup(); !other {
			s.h.state.Setup = &setupRun{PID: s.pid, Command: c.line, Target: s.target.String()}
		}
	})
	code := 1
	if other {
		// Wording remembered, not confirmed for 2007 [K].
		c.print("\r\nAnother instance of Exchange Server 2007 Setup is already running on this computer.\r\n")
	} else {
		code = s.run()
	}
	if c.s.ctx.Err() != nil { // ended from outside: it does not end itself
		const killed = -1073741510 // STATUS_CONTROL_C_EXIT
		s.h.update(func() {
			if s.h.processes[s.pid] != p { // the power went: it did not end, it is gone
				return
			}
			if !other {
				s.h.state.Setup, s.h.state.SetupBroke = nil, true
			}
			s.h.endProcess(p)
			s.h.happened("setup-ended", map[string]any{"command": c.line, "pid": s.pid, "exit": killed, "build": s.h.build().String()})
		})
		return killed
	}
	s.h.update(func() {
		s.h.endProcess(p)
		if !other {
			s.h.state.Setup, s.h.state.SetupBroke = nil, code != 0
		}
		s.h.happened("setup-ended", map[string]any{"command": c.line, "pid": s.pid, "exit": code, "build": s.h.build().String()})
	})
	return code
}

// run is one run from banner to last sentence.
func (s *setup) run() int {
	s.print("\r\nWelcome to Microsoft Exchange Server 2007 Unattended Setup\r\n\r\n")
	mode, why := s.switches()
	if why != "" {
		s.print("%s\r\n", why)
		return 1
	}
	minutes := 60 + 3*len(s.h.row().Roles) + s.h.number("setup", 6)
	if s.slow() {
		minutes *= 6 // hours instead of one (KB944752 and the founding document)
	}
	s.unit = s.h.lasts(time.Duration(minutes) * time.Minute / 100)
	if !s.banner(mode) || !s.prepare() {
		return s.failed()
	}
	for _, phase := range []func() bool{s.stopServices, s.replaceFiles, s.configure, s.startServices} {
		if !phase() {
			return s.failed()
		}
	}
	s.log(0, "The Exchange Server setup operation completed successfully.")
	s.log(0, "End of Setup")
	s.log(0, "**********************************************")
	s.print("\r\nThe Microsoft Exchange Server setup operation completed successfully.\r\n")
	return 0
}

// switches reads the command line; only the upgrade is carried out.
func (s *setup) switches() (mode, why string) {
	for _, a := range s.args {
		if !strings.HasPrefix(a, "/") && !strings.HasPrefix(a, "-") {
			return "", fmt.Sprintf("The parameter '%s' is not valid.", a)
		}
		name, value, _ := strings.Cut(a[1:], ":")
		takes, known := setupSwitches[strings.ToLower(name)]
		if !known || takes && value == "" {
			return "", fmt.Sprintf("The command-line parameter '%s' is not recognized or has no value. Use /? for help.", a)
		}
		if low := strings.ToLower(name); low == "mode" || low == "m" {
			mode = value
		}
	}
	switch {
	case mode == "":
		return "", "The simulated host carries out /mode:Upgrade only."
	case !strings.EqualFold(mode, "upgrade"):
		return "", fmt.Sprintf("The setup mode '%s' is not supported here.", mode)
	}
	return "Upgrade", ""
}

// slow reports whether each assembly's publisher check waits for a revocation
// list that cannot be reached: the account's switch decides (domain.md 6).
func (s *setup) slow() bool {
	checks, reachable := true, !s.h.fleet.opt.RevocationListUnreachable
	s.h.update(func() {
		if reachable && s.h.strikes("revocation-unreachable", nil) == nil {
			checks = false
			return
		}
		if v := s.h.regGet(`HKU\`+s.s.who.sid+`\`+publisherKey, "State"); v != nil {
			checks = v.Number&publisherNoCheck == 0
		}
	})
	return checks
}

// log appends one line in the form of 2007: no fraction of a second, the date
// in the culture of the account, the depth (domain.md 2.6).
func (s *setup) log(depth int, format string, args ...any) {
	if s.s.ctx.Err() != nil {
		return
	}
	if s.h.fleet.opt.LocalizedSetup {
		format = s.h.platform.text(format)
	}
	text := fmt.Sprintf(format, args...)
	s.h.update(func() {
		s.h.makeFolder(setupFolder)
		line := fmt.Sprintf("[%s] [%d] %s\r\n", s.h.platform.stamp(s.h.local()), depth, text)
		path := setupFolder + `\ExchangeSetup.log`
		if f := s.h.fileAt(path); f != nil && !s.h.hasRoom(path, len(f.Data)+len(line)) {
			return
		}
		s.h.appendFile(path, []byte(line))
	})
}

// takes lets a share of the whole time pass; false when the machine or the
// task ended meanwhile.
func (s *setup) takes(percent float64) bool {
	return sleep(s.s.ctx, time.Duration(percent*float64(s.unit)))
}

// failed writes the last sentences of a failure and returns the exit code.
func (s *setup) failed() int {
	s.log(0, "The Exchange Server setup operation did not complete. Visit http://support.microsoft.com and enter the Error ID to find more information.")
	s.log(0, "Exchange Server setup encountered an error.")
	s.log(0, "End of Setup")
	s.log(0, "**********************************************")
	s.print("\r\nThe Exchange Server setup operation did not complete. Visit\r\nhttp://support.microsoft.com and enter the Error ID to find more information.\r\n\r\nExchange Server setup encountered an error.\r\n")
	return 1
}
