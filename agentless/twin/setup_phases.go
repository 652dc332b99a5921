package twin

import (
	"fmt"
	"strings"

	"wavekeeper/server/exchange"
)

// The phases follow domain.md 2.7; their shares of the time are its estimates.

// cmdletRoles are Setup's own names of the roles: a Hub Transport server is a
// bridgehead and an Edge Transport server a gateway (ExBPA.PreReqs.xml).
var cmdletRoles = map[string]string{
	"AdminTools": "AdminTools", "ClientAccessRole": "ClientAccess", "HubTransportRole": "Bridgehead", "MailboxRole": "Mailbox",
	"UnifiedMessagingRole": "UnifiedMessaging", "EdgeTransportRole": "Gateway",
}

func (s *setup) banner(mode string) bool {
	s.log(0, "**********************************************")
	s.log(0, "Starting Microsoft Exchange Server 2007 Setup")
	s.log(0, "**********************************************")
	s.log(0, "Setup version: %s.", s.target)
	s.log(0, "Logged on user: %s.", s.s.who.name)
	s.log(0, "Command Line Parameter Name='mode', Value='%s'.", mode)
	s.takes(1)
	if !s.phase(1) {
		return false
	}
	s.log(0, `Starting copy from %s\Setup\ServerRoles\Common to %s\TEMP\ExchangeServerSetup.`, mediaRoot, s.h.platform.windows)
	s.takes(1)
	if !s.phase(2) {
		return false
	}
	s.takes(1)
	s.log(0, `Finished copy from %s\Setup\ServerRoles\Common to %s\TEMP\ExchangeServerSetup.`, mediaRoot, s.h.platform.windows)
	s.log(0, "File copy complete. Setup will now collect additional information needed for installation.")
	return s.s.ctx.Err() == nil
}

// prepare chooses a domain controller, finds the roles and checks what must be
// there. Nothing is changed yet.
func (s *setup) prepare() bool {
	s.log(0, "Setup is choosing the domain controller to use")
	if !s.s.who.ad {
		s.log(0, "[ERROR] Setup encountered a problem while validating the state of Active Directory: %s", adMessage)
		s.print("\r\nSetup encountered a problem while validating the state of Active Directory:\r\n%s\r\n", adMessage)
		return false
	}
	s.log(0, "Setup will use the domain controller 'dc1.%s'.", s.h.domain())
	s.takes(1)
	if !s.phase(3) {
		return false
	}
	keys := s.h.roleKeys()
	s.log(0, "The following roles have been unpacked: %s", strings.Join(keys, " "))
	s.log(0, "The following roles are installed: %s", strings.Join(keys, " "))
	s.log(0, "The installation mode is set to: '%s'.", upgradeMode)
	s.log(0, "Performing Microsoft Exchange Server Prerequisite Check")
	s.log(1, "Setup launched task 'Test-SetupHealth -Roles %s -ScanType PrecheckUpgrade'", strings.Join(keys, ","))
	s.takes(6)
	if !s.phase(4) {
		return false
	}
	var blocks []string
	s.h.look(func() { blocks = s.blocks() })
	for _, b := range blocks {
		s.log(1, "[ERROR] %s", b)
		s.print("    %s\r\n", b)
	}
	s.log(1, "Ending processing Test-SetupHealth")
	return len(blocks) == 0 && s.s.ctx.Err() == nil && s.phase(5) && s.unprepared()
}

// blocks are the prerequisites that do not hold; the caller holds the lock.
// The wordings are [K] unless the dossier has them (sections 3.3 and 4).
func (s *setup) blocks() []string {
	h := s.h
	var all []string
	if v := h.regGet(`HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v2.0.50727`, "SP"); v == nil || v.Number < 1 {
		all = append(all, "Microsoft .NET Framework 2.0 Service Pack 1 must be installed before Setup can continue.")
	}
	if h.platform.before6() && !h.hotfix("KB931836") {
		all = append(all, "The update for Windows Server 2003 described in Microsoft Knowledge Base article 931836 must be installed.")
	}
	if h.platform.before6() && s.pkg != "sp1" && !h.hotfix("KB942288") {
		all = append(all, "Windows Installer 4.5 must be installed.")
	}
	if s.arch != "x64" {
		all = append(all, "The 32-bit version of Exchange Server 2007 cannot be used in production on this computer.")
	}
	for _, key := range h.roleKeys() {
		path := exchangeRoot + `\` + key
		action := h.regGet(path, "Action")
		if action != nil && action.Text != upgradeMode {
			all = append(all, fmt.Sprintf("A Setup failure previously occurred while installing the %s role. Setup previously failed while performing the action %q. "+
				"You cannot resume setup by performing the action %q.", key, action.Text, upgradeMode))
		}
	}
	switch build := h.build(); {
	case older(s.target, build):
		all = append(all, fmt.Sprintf("The version of Exchange Server that is installed, %s, is newer than the version being installed, %s.", build, s.target))
	case build == s.target && !h.pendingSetup():
		all = append(all, "All server roles on this computer are already at this version.")
	}
	if v := h.regGet(sessionManager, "PendingFileRenameOperations"); v != nil {
		all = append(all, "There is a pending reboot from a previous installation of a Windows Server role or feature. Please restart the computer and rerun Setup.")
	}
	for _, d := range h.state.Disks {
		if strings.EqualFold(d.ID, s.h.platform.installPath()[:2]) && d.Free < 1_200_000_000 {
			all = append(all, fmt.Sprintf("There is not enough disk space on drive %s. Setup needs 1200 MB.", d.ID))
		}
	}
	if h.row().Has(exchange.UnifiedMessaging) {
		for _, v := range h.regValues(exchangeRoot + `\UnifiedMessagingRole\LanguagePacks`) {
			if !strings.EqualFold(v.Name, "en-US") {
				all = append(all, fmt.Sprintf("The Unified Messaging language pack %s must be removed before the upgrade.", v.Name))
			}
		}
	}
	all = append(all, s.clusterBlocks()...)
	for _, need := range []string{"W3SVC", "MSDTC"} {
		if svc := h.service(need); svc != nil && svc.StartMode == disabled {
			all = append(all, fmt.Sprintf("The service %s is disabled or not installed.", need))
		}
	}
	return all
}

// hotfix reports whether an update is installed, whatever its suffix.
func (h *host) hotfix(id string) bool {
	for _, have := range h.state.Hotfixes {
		if strings.HasPrefix(strings.ToUpper(have), id) {
			return true
		}
	}
	return false
}

// pendingSetup reports whether an earlier run left its marks.
func (h *host) pendingSetup() bool {
	for _, key := range h.roleKeys() {
		if h.regGet(exchangeRoot+`\`+key, "Action") != nil || h.regGet(exchangeRoot+`\`+key, "Watermark") != nil {
			return true
		}
	}
	return false
}

// stopServices stops Exchange and what serves its pages, one after another.
func (s *setup) stopServices() bool {
	s.log(0, "Setup will run the task 'Start-PreSetup'")
	var names []string
	s.h.look(func() { names = s.h.setupStops() })
	for i, name := range names {
		if i == len(names)/2 && !s.phase(6) {
			return false
		}
		s.log(2, "Stopping service '%s'.", name)
		if !s.takes(7 / float64(len(names))) {
			return false
		}
		s.h.update(func() { s.h.serviceStopped(s.h.service(name)) })
	}
	s.log(1, "Ending processing Start-PreSetup")
	return s.s.ctx.Err() == nil
}

// setupStops lists what Setup stops, dependants first; the caller holds the lock.
func (h *host) setupStops() []string {
	left := map[string]*service{}
	for _, s := range h.state.Services {
		if s.State != stopped && (s.Exchange || s.Name == "W3SVC" || s.Name == "IISADMIN") {
			left[s.Name] = s
		}
	}
	var order []string
	for len(left) > 0 {
		before := len(left)
		for _, s := range h.state.Services {
			if left[s.Name] == nil {
				continue
			}
			needed := false
			for _, other := range left {
				for _, n := range other.DependsOn {
					needed = needed || strings.EqualFold(n, s.Name)
				}
			}
			if !needed {
				order = append(order, s.Name)
				delete(left, s.Name)
			}
		}
		if len(left) == before {
			break
		}
	}
	return order
}

// replaceFiles removes the old packages and installs the new ones. A third
// party's service that still runs keeps Exchange's files open.
func (s *setup) replaceFiles() bool {
	keys := s.h.roleKeys()
	s.h.update(func() {
		for _, key := range keys {
			s.h.regSet(exchangeRoot+`\`+key, text("Action", upgradeMode))
			s.h.regSet(exchangeRoot+`\`+key, text("Watermark", s.watermark(key, 0)))
		}
	})
	s.log(2, "Beginning processing uninstall-MsiPackage")
	s.log(2, "Removing MSI package with code '24b2c164-de66-44fe-b468-a46d9d5e6b31'.")
	if !s.takes(14) {
		return false
	}
	holder := ""
	s.h.look(func() {
		for _, svc := range s.h.state.Services {
			if svc.ThirdParty && svc.State != stopped {
				holder = svc.Name
			}
		}
	})
	if holder != "" {
		s.log(2, "[ERROR] Couldn't remove product with code 24b2c164-de66-44fe-b468-a46d9d5e6b31. Fatal error during installation. Error code is 1603.")
		s.log(2, "[ERROR] Fatal error during installation. A file is being held in use by the following process: Name: %s.", holder)
		return false
	}
	s.log(2, "Ending processing uninstall-MsiPackage")
	if !s.phase(7) {
		return false
	}
	s.log(2, "Beginning processing install-MsiPackage")
	s.log(2, "Installing a new product. Package: exchangeserver.msi.")
	if !s.takes(16) {
		return false
	}
	s.h.update(func() {
		for _, key := range keys {
			s.h.regSet(exchangeRoot+`\`+key, text("UnpackedVersion", s.target.String()))
		}
		s.h.installFiles(s.target)
		s.h.resetByUpgrade()
	})
	s.log(2, "Ending processing install-MsiPackage")
	return s.s.ctx.Err() == nil
}

// watermark is the ID of a step, findable in the .ps1 that Setup generates
// (`# [ID = fdfe6b1a, Wt = 1, isFatal = False]`).
func (s *setup) watermark(key string, step int) string {
	return fmt.Sprintf("%08x", uint32(s.h.number(key+fmt.Sprint(step), 1<<31-1)))
}

// A role has so many steps, each as heavy as its number.
const (
	steps  = 4
	weight = steps * (steps + 1) / 2
)

// writeSteps writes the list of a role's steps beside the log, as Setup does
// before it configures one: their IDs, their weights and what they run. Source:
// Exchange Team Blog, How does Exchange 2007 setup know to resume a failed setup.
func (s *setup) writeSteps(key, task string) {
	var list strings.Builder
	fmt.Fprintf(&list, "# Setup of the role %s\r\n$RoleTargetVersion = '%s'\r\n\r\n", key, s.target)
	for step := 1; step <= steps; step++ {
		fmt.Fprintf(&list, "# [ID = %s, Wt = %d, isFatal = True]\r\n%s -Step %d\r\n\r\n", s.watermark(key, step), step, task, step)
	}
	s.h.update(func() {
		now := s.h.local()
		name := fmt.Sprintf("%s-%s-%09d.ps1", task, now.Format("20060102"), now.Nanosecond())
		s.h.writeFile(setupFolder+`\`+name, []byte(list.String()))
	})
}

// configure raises the configured version role by role.
func (s *setup) configure() bool {
	keys := s.h.roleKeys()
	if _, needed := s.h.trait("firewall-needed"); needed {
		shut := false
		s.h.look(func() { f := s.h.firewallService(); shut = f != nil && f.State != running })
		if shut {
			s.log(2, "%s", setupErrors[8][0])
			return false
		}
	}
	for i, key := range keys {
		task := "Update-" + cmdletRoles[key] + "Role"
		if key == "AdminTools" {
			task = "Update-AdminToolsRole"
		}
		path := exchangeRoot + `\` + key
		s.log(1, "Beginning processing %s", task)
		s.writeSteps(key, task)
		for step := 1; step <= steps; step++ {
			mark := s.watermark(key, step)
			s.h.update(func() { s.h.regSet(path, text("Watermark", mark)) })
			s.log(2, "[ID = %s, Wt = %d, isFatal = True] step %d of %d for %s", mark, step, step, steps, key)
			if !s.takes(38/float64(len(keys))*float64(step)/weight) || i == len(keys)/2 && step == 2 && !s.phase(8) {
				return false
			}
		}
		s.h.update(func() { s.h.configured(key, s.target) })
		s.log(1, "Ending processing %s", task)
	}
	s.h.update(func() { s.h.putBuild(s.target) })
	return s.s.ctx.Err() == nil
}

// configured ends the work on one role: its version is raised, its marks go,
// and the order is judged; the caller holds the lock.
func (h *host) configured(key string, target exchange.Build) {
	path := exchangeRoot + `\` + key
	before := h.version(key, "ConfiguredVersion")
	h.regSet(path, text("ConfiguredVersion", target.String()))
	h.regDelete(path, "Watermark")
	h.regDelete(path, "Action")
	h.noteLevels()
	if key == "MailboxRole" && before.Minor == 0 && target.Minor > 0 {
		h.pending = append(h.pending, h.fleet.journal.mailboxReached(h, h.state.Broken)...)
	}
}

// startServices starts what is automatic, in the order of dependence.
func (s *setup) startServices() bool {
	s.log(0, "Setup will run the task 'Start-PostSetup'")
	if !s.takes(6) || !s.phase(9) {
		return false
	}
	s.h.update(func() {
		s.h.enableAgain()
		if _, wanted := s.h.trait("restart-wanted"); wanted {
			s.h.regSet(sessionManager,
				regValue{Name: "PendingFileRenameOperations", Type: regMultiSZ, Many: []string{`\??\C:\Config.Msi\4a.rbf`, ""}})
		}
		s.h.startServicesAtBoot()
	})
	s.log(2, "Starting service 'MSExchangeADTopology'.")
	if !s.takes(3) {
		return false
	}
	s.log(1, "Finished executing component tasks.")
	s.log(1, "Ending processing Start-PostSetup")
	return s.s.ctx.Err() == nil
}
