package exchange

import (
	"fmt"
	"strings"
)

// Directory is how far Active Directory is prepared for Exchange, as read from
// it. A number of 0 is "not there", which is not the same as not read: what was
// not read must not be judged.
type Directory struct {
	Schema       int               // rangeUpper of ms-Exch-Schema-Version-Pt
	Organization int               // objectVersion of the organization's container
	Domains      []DirectoryDomain // each with a Microsoft Exchange System Objects container, or to get one
	Legacy       bool              // there are servers of Exchange 2000 or 2003
}

// DirectoryDomain is one domain of the forest.
type DirectoryDomain struct {
	Name         string // DNS name
	Version      int    // objectVersion of CN=Microsoft Exchange System Objects; 0 = not there
	Prepared2003 bool   // the groups of an Exchange 2000 or 2003 DomainPrep are there
}

// Preparation is one switch of Setup that prepares Active Directory.
type Preparation string

// The preparations, in the order in which they run. Source: "How to Prepare
// Active Directory and Domains" (technet bb125224 for Exchange 2007 up to SP3).
const (
	PrepareLegacy  Preparation = "/PrepareLegacyExchangePermissions"
	PrepareSchema  Preparation = "/PrepareSchema"
	PrepareAD      Preparation = "/PrepareAD"
	PrepareDomains Preparation = "/PrepareAllDomains"
)

// Preparations lists the switches in the order in which they run.
func Preparations() []Preparation {
	return []Preparation{PrepareLegacy, PrepareSchema, PrepareAD, PrepareDomains}
}

// Need is one preparation that is still to be made, and why.
type Need struct {
	What Preparation
	Text string // for people: "the schema is at 10637, SP1 wants 11116"
}

// DirectoryLevel is what a release of Exchange 2007 leaves in Active Directory.
type DirectoryLevel struct{ Schema, Organization, Domain int }

// directoryLevels are the numbers by service pack level. They are compared with
// >= only, and no product is told by one of them: SP2 brings the schema of
// Exchange 2010 RTM (14622), SP2 and SP3 have one organization number, and SP1
// to SP3 one domain number. Source: "Exchange schema versions" of the TechNet
// wiki (2772); 10666 also in bb288907; that SP2 brings the schema of Exchange
// 2010: Exchange team blog, "Exchange 2007 Service Pack 2 Prerequisites".
var directoryLevels = []DirectoryLevel{
	{10637, 10666, 10628},
	{11116, 11221, 11221},
	{14622, 11222, 11221},
	{14625, 11222, 11221},
}

// LevelFor is what a package wants to find in Active Directory, or leaves there;
// false where it asks for nothing: an update rollup changes neither schema nor
// organization, but runs where those of its service pack are.
func LevelFor(p Package) (DirectoryLevel, bool) {
	sp := p.Target.ServicePack()
	if p.Kind == Rollup || p.Target.IsZero() || sp < 0 || sp >= len(directoryLevels) {
		return DirectoryLevel{}, false
	}
	return directoryLevels[sp], true
}

// OrganizationTells reports whether the organization's number says that a package
// prepared it: not where the level before has the same one, as SP2 has SP3's.
func OrganizationTells(p Package) bool {
	want, ok := LevelFor(p)
	sp := p.Target.ServicePack()
	return !ok || sp == 0 || directoryLevels[sp-1].Organization != want.Organization
}

// schema2007 is the first schema of Exchange 2007: below it the Recipient Update
// Service of Exchange 2003 would lose its rights with the new property set.
const schema2007 = 10637

// PreparedFor lists what of the preparation of Active Directory for a package is
// still to be made, in order; none means that no server's Setup has to change
// schema, organization or domain itself. Higher numbers, also those of later
// products, satisfy.
//
// PrepareLegacyExchangePermissions is wanted where Exchange 2000 or 2003 would
// lose rights: before the first schema of Exchange 2007, and for a domain that
// was prepared for Exchange 2003 and never for 2007 (bb125224: "in each domain
// where you have the Exchange Enterprise Servers and Exchange Domain Servers
// security groups").
func PreparedFor(p Package, d Directory) []Need {
	want, ok := LevelFor(p)
	if !ok {
		return nil
	}
	var needs []Need
	add := func(what Preparation, format string, args ...any) {
		needs = append(needs, Need{what, fmt.Sprintf(format, args...)})
	}
	var legacy, behind []string
	for _, domain := range d.Domains {
		if domain.Prepared2003 && domain.Version < directoryLevels[0].Domain {
			legacy = append(legacy, domain.Name)
		}
		if domain.Version < want.Domain {
			behind = append(behind, fmt.Sprintf("%s is at %s", domain.Name, level(domain.Version)))
		}
	}
	switch {
	case d.Legacy && d.Schema < schema2007:
		add(PrepareLegacy, "there are servers of Exchange 2000 or 2003, and the schema is older than Exchange 2007's")
	case len(legacy) > 0:
		add(PrepareLegacy, "prepared for Exchange 2003 and never for 2007: %s", strings.Join(legacy, ", "))
	}
	if d.Schema < want.Schema {
		add(PrepareSchema, "the schema is at %s, %s wants %d", level(d.Schema), p.Words, want.Schema)
	}
	if d.Organization < want.Organization {
		add(PrepareAD, "the organization is at %s, %s wants %d", level(d.Organization), p.Words, want.Organization)
	}
	if len(behind) > 0 {
		add(PrepareDomains, "%s, %s wants %d", strings.Join(behind, ", "), p.Words, want.Domain)
	}
	return needs
}

func level(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

// SP2003 reports whether a version of an Exchange 2003 server as its serialNumber
// has it ("Version 6.5 (Build 7638.2: Service Pack 2)") or as file version
// (6.5.7683.25) is Service Pack 2 or later. ok is false where it is no version
// of Exchange 2003. Sources: public copies of Microsoft's list of builds for
// 6.5.7683 (the files of SP2); that serialNumber says 7638.2 is remembered.
func SP2003(version string) (sp2, ok bool) {
	major, minor, build, ok := legacyVersion(version)
	if !ok || major != 6 || minor != 5 {
		return false, false
	}
	return build >= 7638, true
}

// Legacy2000 reports whether a serialNumber is that of Exchange 2000 or older.
func Legacy2000(version string) bool {
	major, minor, _, ok := legacyVersion(version)
	return ok && (major < 6 || major == 6 && minor < 5)
}

func legacyVersion(version string) (major, minor, build int, ok bool) {
	text := strings.TrimSpace(version)
	if _, err := fmt.Sscanf(text, "Version %d.%d (Build %d", &major, &minor, &build); err == nil {
		return major, minor, build, true
	}
	_, err := fmt.Sscanf(text, "%d.%d.%d", &major, &minor, &build)
	return major, minor, build, err == nil
}
