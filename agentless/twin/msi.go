package twin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// oleHead begins every Windows Installer package: a compound file.
const oleHead = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// RollupBytes are the fixed bytes that stand for the one file of an update rollup
// ("sp1-ru4").
func RollupBytes(pkg, arch string) []byte {
	return []byte(oleHead + fmt.Sprintf("Exchange Server 2007 rollup %s arch=%s\r\n", strings.ToLower(pkg), arch) + strings.Repeat("patch ", 40))
}

// RollupSHA256 is the SHA-256, in lower-case hex, of RollupBytes.
func RollupSHA256(pkg, arch string) string {
	sum := sha256.Sum256(RollupBytes(pkg, arch))
	return hex.EncodeToString(sum[:])
}

// rollupOf reads what a patch is.
func rollupOf(data []byte) (p exchange.Package, arch string, ok bool) {
	_, rest, found := strings.Cut(string(data), "Exchange Server 2007 rollup ")
	if !found || !strings.HasPrefix(string(data), oleHead) {
		return p, "", false
	}
	name := ""
	if n, err := fmt.Sscanf(rest, "%s arch=%s", &name, &arch); n != 2 || err != nil {
		return p, "", false
	}
	p, err := exchange.PackageByName(name)
	return p, arch, err == nil && string(RollupBytes(name, arch)) == string(data)
}

// Exit codes of Windows Installer (winerror.h).
const (
	msiOK         = 0
	msiFatal      = 1603
	msiBusy       = 1618
	msiNoPatch    = 1635
	msiBadPatch   = 1636
	msiNotForThis = 1642
	msiRestart    = 3010
)

// patching is one run of msiexec /p.
type patching struct {
	*call
	h       *host
	path    string
	logFile string
	unit    time.Duration
	owned   []string // groups that the node owned when it began
}

// msiexec installs a patch of Exchange; it does nothing else here.
func msiexec(c *call) int {
	path, _ := c.after("/p")
	logFile, _ := c.after("/lxv*")
	if path == "" || !c.has("/qn") {
		c.complain("The simulated host's Windows Installer knows /p FILE /qn /norestart /lxv* LOG only.\r\n")
		return 1639 // ERROR_INVALID_COMMAND_LINE
	}
	m := &patching{call: c, h: c.s.h, path: clean(path, c.s.cwd), logFile: clean(orElse(logFile, `C:\msi.log`), c.s.cwd)}
	busy := false
	var p *process
	m.h.update(func() {
		p = m.h.startProcess("msiexec.exe", m.h.platform.system32()+`\msiexec.exe`, c.line, c.s.who.name, c.s.pid, nil)
		m.h.happened("rollup-started", map[string]any{"command": c.line, "pid": p.PID})
		if busy = m.h.state.Setup != nil || m.h.foreignSetup() || m.h.strikes("installer-busy", nil) != nil; !busy {
			m.h.state.Setup = &setupRun{PID: p.PID, Command: c.line}
			if m.h.cluster != nil {
				m.owned = m.h.cluster.owns(m.h.name)
			}
		}
	})
	code := msiBusy
	if !busy {
		code = m.run()
	}
	m.h.update(func() {
		if m.h.processes[p.PID] != p { // the power went
			return
		}
		if c.s.ctx.Err() != nil {
			code = -1073741510
		}
		if !busy {
			m.h.state.Setup = nil
			m.h.state.SetupBroke = code != msiOK && code != msiRestart
		}
		m.h.endProcess(p)
		m.h.happened("rollup-ended", map[string]any{"command": c.line, "pid": p.PID, "exit": code})
	})
	return code
}

// log appends a line of a verbose log as Windows Installer writes it (log 02 of
// the corpus).
func (m *patching) log(format string, args ...any) {
	m.line("MSI (s) (80:B8) [%s]: %s", m.clock("15:04:05:000"), fmt.Sprintf(format, args...))
}

// line appends a line as it is. The log is UTF-16 with its mark: the build type in
// its first line is "SHIP UNICODE" [K].
func (m *patching) line(format string, args ...any) {
	if m.s.ctx.Err() != nil {
		return
	}
	m.h.update(func() {
		text := utf16LE(fmt.Sprintf(format, args...) + "\r\n")
		if m.h.fileAt(m.logFile) == nil {
			text = append([]byte{0xff, 0xfe}, text...)
		}
		m.h.appendFile(m.logFile, text)
	})
}

// clock is the host's own time.
func (m *patching) clock(layout string) (text string) {
	m.h.look(func() { text = m.h.local().Format(layout) })
	return text
}

// ended says that an action ended, as the log does.
func (m *patching) ended(action string, value int) {
	m.line("Action ended %s: %s. Return value %d.", m.clock("15:04:05"), action, value)
}

func (m *patching) takes(minutes float64) bool {
	return sleep(m.s.ctx, time.Duration(minutes*float64(m.unit)))
}

// fails ends the log of a patch that was not installed.
func (m *patching) fails(code int, format string, args ...any) int {
	m.log(format, args...)
	m.log("Product: Microsoft Exchange Server - Update '%s' could not be installed. Error code %d.", m.path, code)
	m.log("MainEngineThread is returning %d", code)
	return code
}

// run is one patch from its opening to its end.
func (m *patching) run() int {
	var data []byte
	var lost string
	slow, wmf3, interim := true, false, false
	m.h.update(func() {
		if f := m.h.fileAt(m.path); f != nil {
			data = f.Data
		}
		if m.h.strikes("revocation-unreachable", nil) == nil && !m.h.fleet.opt.RevocationListUnreachable {
			slow = false
		} else if v := m.h.regGet(`HKU\`+m.s.who.sid+`\`+publisherKey, "State"); v != nil {
			slow = v.Number&publisherNoCheck == 0
		}
		wmf3 = m.h.regHas(`HKLM\SOFTWARE\Microsoft\PowerShell\3`)
		for _, code := range m.h.regSubkeys(productKey + `\Patches`) {
			if v := m.h.regGet(productKey+`\Patches\`+code, "DisplayName"); v != nil && strings.HasPrefix(v.Text, "Interim Update") {
				interim = true
			}
			if v := m.h.regGet(installerKey+`\Patches\`+code, "LocalPackage"); v != nil && m.h.fileAt(v.Text) == nil {
				lost = v.Text
			}
		}
		if m.h.strikes("cached-patch-lost", nil) != nil {
			lost = orElse(lost, m.h.platform.windows+`\Installer\33502bc.msp`)
		}
	})
	m.unit = m.h.lasts(time.Minute)
	if slow {
		m.unit *= 6 // KB944752
	}
	m.line("=== Verbose logging started: %s  Build type: SHIP UNICODE 3.01.4000.2435  Calling process: C:\\WINDOWS\\system32\\msiexec.exe ===", m.clock("1/2/2006  15:04:05"))
	m.log("******* RunEngine: ******* Product: %s ******* Action: ******* CommandLine: **********", m.path)
	rollup, arch, ok := rollupOf(data)
	build := m.h.installed()
	switch {
	case data == nil:
		return m.fails(msiNoPatch, "This patch package could not be opened. Verify that the patch package exists and that you can access it.")
	case !ok:
		return m.fails(msiBadPatch, "This patch package could not be opened. This is not a valid Windows Installer patch package.")
	case arch != "x64": // technet ff772434
		return m.fails(msiFatal, "The version of this file is not compatible with the version of Exchange Server 2007 that you're running. Return value 3.")
	case rollup.Target.ServicePack() != build.ServicePack() || build.Compare(rollup.Target) >= 0:
		return m.fails(msiNotForThis, "The upgrade patch cannot be installed by the Windows Installer service because the program to be upgraded may be missing, or the upgrade patch may update a different version of the program.")
	case wmf3: // Exchange team, December 2012
		return m.fails(msiFatal, "CustomAction failed. Setup ended prematurely because of an error. Return value 3.")
	case interim: // technet ff772434; the Exchange team on SP2
		return m.fails(msiFatal, "An interim update is installed. Uninstall it before you install the update rollup. Return value 3.")
	case lost != "": // log 02 of the corpus, KB2784788
		m.log("Opening existing patch '%s'.", lost)
		m.log("Note: 1: 2203 2: %s 3: -2147287038", lost)
		m.log("Couldn't find local patch '%s'.\r\n\r\nLooking for it at its source.", lost)
		return m.fails(msiNoPatch, "Resolving Patch source.")
	}
	return m.install(rollup)
}

// install stops the services, replaces the files, compiles images and starts the
// services again, as rollups do themselves (technet ff772434; KB935490).
func (m *patching) install(rollup exchange.Package) int {
	m.customActions(rollup, "PrePatchInstallActions")
	m.log("Doing action: CA_STOPSERVICES")
	restart := false
	var names []string
	m.h.update(func() {
		names = m.h.setupStops()
		m.h.stopCluster(m.owned)
		for _, svc := range m.h.state.Services {
			restart = restart || svc.ThirdParty && svc.State != stopped // it holds files open (KB935490)
		}
		m.h.serviceControl("Stopping services")
	})
	for _, name := range names {
		if !m.takes(4 / float64(len(names))) {
			return msiFatal
		}
		m.h.update(func() { m.h.stopForSetup(m.h.service(name)) })
	}
	m.log("Doing action: InstallFiles")
	fails := false
	m.h.update(func() { fails = m.h.strikes("rollup-fails", nil) != nil })
	if !m.takes(6) {
		return msiFatal
	}
	if fails { // rolled back; services stay as they are (technet ff772434, "services remain disabled")
		m.customActions(rollup, "PatchRollbackActions")
		m.log("Product: Microsoft Exchange Server -- Error 1306. Another application has exclusive access to the file '%sbin\\store.exe'. Please shut down all other applications, then click Retry.", m.h.platform.installPath())
		m.ended("InstallFinalize", 3)
		m.log("Doing action: Rollback")
		m.ended("INSTALL", 3)
		return m.fails(msiFatal, "Attempting to delete file %s", m.path)
	}
	m.log("Doing action: CA_NGEN")
	if !m.takes(10) {
		return msiFatal
	}
	left := false
	m.h.update(func() {
		m.h.versionFile(m.h.platform.installPath()+`bin\ExSetup.exe`, rollup.Target.String(), "Microsoft Corporation")
		m.h.addPatch(fmt.Sprintf("Update %s for Exchange Server 2007 (KB%s)", strings.Replace(rollup.Words, "RU", "Rollup ", 1), rollup.KB), m.h.local(), true)
		left = m.h.strikes("services-left-disabled", nil) != nil
	})
	m.log("Doing action: CA_STARTSERVICES")
	if !m.takes(4) {
		return msiFatal
	}
	m.h.update(func() {
		if left {
			m.h.state.Disabled = nil // it forgot them
		}
		m.h.enableAgain()
		m.h.startServicesAtBoot()
		m.h.serviceControl("Starting services")
	})
	m.customActions(rollup, "PostPatchInstallActions")
	code := msiOK
	if restart {
		code = msiRestart
		m.h.update(func() { // files in use are replaced at the next start
			m.h.regPut(sessionManager, regValue{Name: "PendingFileRenameOperations", Type: regMultiSZ, Many: []string{`\??\C:\Config.Msi\1.rbf`, ""}})
		})
	}
	m.log("Product: Microsoft Exchange Server - Update '%s' installed successfully.", rollup.Words)
	m.log("MainEngineThread is returning %d", code)
	return code
}

// patchActions is the script of an administrator's own that rollups call.
func (h *host) patchActions() string {
	return h.platform.installPath() + `Scripts\Customization\CustomPatchInstallerActions.ps1`
}

// customActions calls a section of that script, from SP2 on, where it is there with
// all three sections. Source: Exchange team, "Customizable Script In Exchange 2007
// SP2 Rollup Installation" (June 2010), which also has the template that a rollup
// puts beside it under another name.
func (m *patching) customActions(rollup exchange.Package, section string) {
	if rollup.Target.ServicePack() < 2 {
		return
	}
	m.h.update(func() {
		f := m.h.fileAt(m.h.patchActions())
		for _, want := range []string{"PrePatchInstallActions", "PostPatchInstallActions", "PatchRollbackActions"} {
			if f == nil || !strings.Contains(string(f.Data), want) {
				return
			}
		}
		m.h.happened("patch-actions-called", map[string]any{"section": section})
	})
}

// serviceControl writes ServiceControl.log beside the setup log; the caller holds
// the lock (microsoft/CSS-Exchange issue 476).
func (h *host) serviceControl(what string) {
	h.makeFolder(setupFolder)
	h.appendFile(setupFolder+`\ServiceControl.log`, fmt.Appendf(nil, "[%s] %s\r\n", h.local().Format("15:04:05"), what))
}

// installed is the build of ExSetup.exe, or that of the roles.
func (h *host) installed() exchange.Build {
	var low exchange.Build
	file := ""
	h.look(func() {
		low = h.build()
		if f := h.fileAt(h.platform.installPath() + `bin\ExSetup.exe`); f != nil {
			file = f.Version
		}
	})
	return exchange.InstalledBuild(low, file)
}
