package twin

import (
	"fmt"
	"slices"
	"strings"
)

// What Setup does to Active Directory: /PrepareX, and an upgrade that finds the
// directory unprepared (the founding document: "Das Servicepack führt, sofern
// nicht vorher schon durch den Administrator ausgeführt, PrepareAD und
// PrepareDomain aus"; technet bb125224 for each switch).

// prepareLegacy, prepareSchema and the others are the modes of the table.
func (s *setup) prepareLegacy(mode string) bool {
	return s.preparing(mode, func() bool { return s.doLegacy(true) })
}

func (s *setup) prepareSchemaMode(mode string) bool {
	return s.preparing(mode, func() bool { return s.atMaster() && s.doLegacy(false) && s.doSchema() })
}

func (s *setup) prepareADMode(mode string) bool {
	return s.preparing(mode, func() bool { return s.atMaster() && s.doLegacy(false) && s.doSchema() && s.doAD() })
}

func (s *setup) prepareDomainMode(mode string) bool {
	return s.preparing(mode, func() bool {
		domain := orElse(s.given["preparedomain"], orElse(s.given["pd"], s.h.domain()))
		return s.doDomain(domain)
	})
}

func (s *setup) prepareAllMode(mode string) bool {
	return s.preparing(mode, func() bool {
		return !slices.ContainsFunc(s.h.fleet.directory.domainNames(), func(name string) bool { return !s.doDomain(name) })
	})
}

// prepareMinutes is how long a preparation lasts [K: minutes].
func (s *setup) prepareMinutes() int { return 10 }

// preparing is a run that changes the directory only: banner, domain controller,
// readiness, then what was asked for.
func (s *setup) preparing(mode string, do func() bool) bool {
	if !s.banner(mode) {
		return false
	}
	s.log(0, "Setup is choosing the domain controller to use")
	if !s.s.who.ad {
		return s.refuse("Setup encountered a problem while validating the state of Active Directory: " + adMessage)
	}
	s.log(0, "Setup will use the domain controller '%s'.", s.h.fleet.directory.in(s.h.domain(), s.h.row().Site))
	s.takes(5)
	if !s.phase(3) {
		return false
	}
	s.log(0, "Performing Microsoft Exchange Server Prerequisite Check")
	s.takes(10)
	if !s.phase(4) {
		return false
	}
	if installer := s.oldInstaller(); installer != "" { // E-SP2: "for /PrepareSchema too"
		return s.refuse(installer)
	}
	return s.phase(5) && do() && s.s.ctx.Err() == nil
}

// oldInstaller is what Setup says of a Windows Installer that is too old.
func (s *setup) oldInstaller() string {
	old := false
	s.h.look(func() { old = s.h.platform.before6() && s.pkg != "sp1" && !s.h.hotfix("KB942288") })
	if old {
		return "Windows Installer 4.5 must be installed."
	}
	return ""
}

// refuse writes a prerequisite that does not hold.
func (s *setup) refuse(text string) bool {
	s.log(1, "[ERROR] %s", text)
	s.print("    %s\r\n", text)
	return false
}

// want is what the package leaves in the directory.
func (s *setup) want() [3]int { return directoryLevels[s.pkg] }

// atMaster is the rule NotInSchemaMasterSite of the readiness check and its twin
// for the domain (bb125224: "a computer that is in the same domain and the same
// Active Directory site as the schema master").
func (s *setup) atMaster() bool {
	master := s.h.fleet.directory.master()
	if !strings.EqualFold(orElse(s.h.row().Site, "Default-First-Site-Name"), master.Site) || !strings.EqualFold(s.h.domain(), master.Domain) {
		return s.refuse(fmt.Sprintf("Setup needs to be run in the same domain (%s) and Active Directory site (%s) as the schema master.", master.Domain, master.Site))
	}
	return true
}

// needs reports what of the directory is older than the package wants.
func (d *directory) needs(want [3]int) (schema, version, domain bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.Domains {
		domain = domain || x.MESO.Now < want[2]
	}
	return d.Schema.Now < want[0], d.Version.Now < want[1], domain
}

// doLegacy gives the Recipient Update Service of Exchange 2003 its rights; asked
// for by name it works on every domain, as part of another on those that need it.
func (s *setup) doLegacy(named bool) bool {
	d := s.h.fleet.directory
	if d.opt.NoEnterpriseAdmin {
		return s.refuse("The user must be a member of the Enterprise Admins group.")
	}
	var changed []string
	d.mu.Lock()
	for _, x := range d.Domains {
		if x.Groups && !x.Legacy && (named || d.Schema.Now < directoryLevels["rtm"][0]) {
			x.Legacy = true
			changed = append(changed, x.Name)
		}
	}
	d.keep()
	d.mu.Unlock()
	s.takes(10)
	for _, name := range changed {
		s.log(1, "Setup will run the task 'Set-LegacyExchangePermissions' for the domain '%s'", name)
		s.changed("legacy-permissions", name, 0, 1)
	}
	return s.s.ctx.Err() == nil
}

func (s *setup) doSchema() bool {
	d := s.h.fleet.directory
	schema, _, _ := d.needs(s.want())
	if !schema {
		return true
	}
	switch {
	case d.opt.NoSchemaAdmin:
		return s.refuse("The Active Directory schema is not up-to-date and this user account is not a member of the 'Schema Admins' group.")
	case d.opt.NoEnterpriseAdmin:
		return s.refuse("The user must be a member of the Enterprise Admins group.")
	case d.down(d.master().Name):
		return s.refuse("The schema master could not be contacted.")
	}
	s.log(1, "Setup launched task 'install-ExchangeSchema'")
	s.takes(40)
	if s.s.ctx.Err() != nil {
		return false
	}
	d.mu.Lock()
	old := d.Schema.Now
	d.Schema.write(s.want()[0], d.master().Name)
	d.keep()
	d.mu.Unlock()
	s.changed("schema", "", old, s.want()[0])
	return true
}

func (s *setup) doAD() bool {
	d := s.h.fleet.directory
	if d.opt.NoEnterpriseAdmin {
		return s.refuse("The user must be a member of the Enterprise Admins group.")
	}
	for _, name := range d.nearest(s.h.row().Site) {
		if d.down(name) {
			return s.refuse(fmt.Sprintf("The domain controller '%s' could not be contacted on port 389.", name))
		}
	}
	s.log(1, "Setup launched task 'initialize-ExchangeUniversalGroups'")
	s.takes(15)
	d.mu.Lock()
	var templates []string
	for name := range d.Templates {
		templates = append(templates, name)
	}
	slices.Sort(templates)
	d.mu.Unlock()
	for _, name := range templates { // the founding document's lines, misspelled as there
		part := strings.Split(name, ",")
		s.log(2, "Deleteting DS object %s/cn=Configuration/cn=Services/cn=Microsoft Exchange/cn=%s/cn=Addressing/cn=Display-Templates/%s/%s",
			"/dc="+strings.Join(reversed(strings.Split(d.master().Domain, ".")), "/dc="), d.Name, strings.ToLower(part[1]), strings.ToLower(part[0]))
	}
	s.takes(15)
	if s.s.ctx.Err() != nil {
		return false
	}
	d.mu.Lock()
	old := d.Version.Now
	d.freshTemplates("of " + s.pkg)
	d.Version.write(s.want()[1], d.master().Name)
	d.keep()
	d.mu.Unlock()
	s.changed("organization", "", old, max(old, s.want()[1]))
	return s.doDomain(s.h.domain()) // PrepareAD prepares the local domain, too (bb125224)
}

func reversed(all []string) []string {
	all = slices.Clone(all)
	slices.Reverse(all)
	return all
}

func (s *setup) doDomain(name string) bool {
	d := s.h.fleet.directory
	d.mu.Lock()
	x := d.domainOf(name)
	controller := d.in(name, s.h.row().Site)
	d.mu.Unlock()
	switch {
	case x == nil:
		return s.refuse(fmt.Sprintf("The domain '%s' could not be found.", name))
	case d.opt.NoEnterpriseAdmin:
		return s.refuse("The user must be a member of the Domain Admins group of the domain or of the Enterprise Admins group.")
	case d.down(controller):
		return s.refuse(fmt.Sprintf("The domain controller '%s' could not be contacted on port 389.", controller))
	}
	s.log(1, "Setup launched task 'initialize-DomainPermissions -Domain %s'", name)
	s.takes(10)
	if s.s.ctx.Err() != nil {
		return false
	}
	d.mu.Lock()
	old := x.MESO.Now
	x.MESO.write(s.want()[2], controller)
	d.keep()
	d.mu.Unlock()
	if old < s.want()[2] {
		s.changed("domain", name, old, s.want()[2])
	}
	return true
}

// changed writes the journal: what of the directory a run of Setup changed.
func (s *setup) changed(what, name string, old, now int) {
	s.h.update(func() {
		s.h.happened("directory-changed", map[string]any{"what": what, "name": name, "old": old, "new": now, "command": s.command})
	})
}

// unprepared is an upgrade that finds the directory too old: it prepares it
// itself, where the account may, which no coordinator should let happen.
func (s *setup) unprepared() bool {
	d := s.h.fleet.directory
	schema, version, domain := d.needs(s.want())
	if !schema && !version && !domain {
		return true
	}
	s.h.update(func() {
		s.h.happened("organization-violation", map[string]any{"schema": schema, "organization": version, "domain": domain, "command": s.command})
	})
	if schema || version {
		if !s.atMaster() || !s.doLegacy(false) || !s.doSchema() || !s.doAD() {
			return false
		}
	}
	return s.doDomain(s.h.domain())
}

// runAsGroups are the groups of the forest that the run-as account is in.
func (d *directory) runAsGroups() []string {
	groups := []string{forestSID + "-513", forestSID + "-512"}
	if !d.opt.NoSchemaAdmin {
		groups = append(groups, forestSID+"-518")
	}
	if !d.opt.NoEnterpriseAdmin {
		groups = append(groups, forestSID+"-519")
	}
	return groups
}

// forestSID is the domain of the run-as account.
const forestSID = "S-1-5-21-2052111302-1275210071-1644491937"
