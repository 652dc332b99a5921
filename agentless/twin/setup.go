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
	"rtm": {rtm, "RTM"}, // the Setup that is installed before any service pack
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
	path      string // of the setup.com that was started
	pid       int
	given     map[string]string // the switches of the command line by their lower-case names
	unit      time.Duration     // one percent of the run
}

// setupMode is one thing that Setup.com can be told to do. Each has a file of
// its own; what is not in the table ends with a message.
type setupMode struct {
	name     string   // as the log says it: "Command Line Parameter Name='mode', Value='Upgrade'"
	switches []string // any of them, lower case, asks for it; "mode:upgrade" is switch and value
	minutes  func(*setup) int
	run      func(*setup, string) bool // from banner on, with name; false: it failed
}

// setupModes are in the order in which they are looked for: a run carries out one.
// It is a function, since what they run may run Setup.
func setupModes() []setupMode {
	return []setupMode{
		{"UpgradeCms", []string{"upgradecms"}, (*setup).upgradeCmsMinutes, (*setup).upgradeCms},
		{"Upgrade", []string{"mode:upgrade", "m:upgrade"}, (*setup).upgradeMinutes, (*setup).upgrade},
		{"PrepareLegacyExchangePermissions", []string{"preparelegacyexchangepermissions", "pl"}, (*setup).prepareMinutes, (*setup).prepareLegacy},
		{"PrepareSchema", []string{"prepareschema", "ps"}, (*setup).prepareMinutes, (*setup).prepareSchemaMode},
		{"PrepareAD", []string{"preparead", "p"}, (*setup).prepareMinutes, (*setup).prepareADMode},
		{"PrepareDomain", []string{"preparedomain", "pd"}, (*setup).prepareMinutes, (*setup).prepareDomainMode},
		{"PrepareAllDomains", []string{"preparealldomains", "pad"}, (*setup).prepareMinutes, (*setup).prepareAllMode},
		{"RemoveUmLanguagePack", []string{"removeumlanguagepack"}, (*setup).packMinutes, (*setup).removePack},
		{"AddUmLanguagePack", []string{"addumlanguagepack"}, (*setup).packMinutes, (*setup).addPack},
	}
}

// mode finds what the switches ask for.
func (s *setup) mode() (setupMode, bool) {
	for _, m := range setupModes() {
		for _, want := range m.switches {
			name, value, valued := strings.Cut(want, ":")
			if have, ok := s.given[name]; ok && (!valued || strings.EqualFold(have, value)) {
				return m, true
			}
		}
	}
	return setupMode{}, false
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
	s := &setup{call: c, h: c.s.h, pkg: pkg, arch: arch, target: release.build, name: release.name, command: c.line, path: path}
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
	minutes := mode.minutes(s)
	if s.slow() {
		minutes *= 6 // hours instead of one (KB944752 and the founding document)
	}
	s.unit = s.h.lasts(time.Duration(minutes) * time.Minute / 100)
	if !mode.run(s, mode.name) {
		return s.failed()
	}
	s.log(0, "The Exchange Server setup operation completed successfully.")
	s.log(0, "End of Setup")
	s.log(0, "**********************************************")
	s.print("\r\nThe Microsoft Exchange Server setup operation completed successfully.\r\n")
	return 0
}

// upgradeMinutes is how long an upgrade in place lasts: more than an hour
// (the founding document).
func (s *setup) upgradeMinutes() int {
	return 60 + 3*len(s.h.row().Roles) + s.h.number("setup", 6)
}

// upgrade takes every role of the machine to the package's build.
func (s *setup) upgrade(mode string) bool {
	if !s.banner(mode) || !s.prepare() {
		return false
	}
	for _, phase := range []func() bool{s.stopServices, s.replaceFiles, s.configure, s.startServices} {
		if !phase() {
			return false
		}
	}
	return true
}

// switches reads the command line and finds its mode.
func (s *setup) switches() (mode setupMode, why string) {
	s.given = map[string]string{}
	for _, a := range s.args {
		if !strings.HasPrefix(a, "/") && !strings.HasPrefix(a, "-") {
			return mode, fmt.Sprintf("The parameter '%s' is not valid.", a)
		}
		name, value, _ := strings.Cut(a[1:], ":")
		takes, known := setupSwitches[strings.ToLower(name)]
		if !known || takes && value == "" {
			return mode, fmt.Sprintf("The command-line parameter '%s' is not recognized or has no value. Use /? for help.", a)
		}
		s.given[strings.ToLower(name)] = value
	}
	mode, ok := s.mode()
	if !ok {
		return mode, "The simulated host does not carry out what these switches ask for."
	}
	return mode, ""
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
