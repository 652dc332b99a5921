package twin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Organization is the forest to which all hosts of a fleet belong. The zero
// value is a forest that is prepared for every service pack.
type Organization struct {
	// Level is what it is prepared for: "2003", "rtm", "sp1", "sp2", "sp3" or
	// "2010"; empty = "sp3". The numbers follow domain.md 4.3.
	Level string
	// Domains are further domains, beside those of the hosts; "@2003" behind the
	// name is one that Exchange 2003 prepared and 2007 never did.
	Domains []string
	// MasterSite and MasterDomain are where the schema master is; by default where
	// the first host is.
	MasterSite, MasterDomain string
	// Old are servers of Exchange 2003 and 2000, NAME=VERSION as serialNumber has
	// it without its words: "OLD1=6.5.7638.2".
	Old []string
	// Delay is how long a change takes to reach the domain controllers of other
	// sites, divided by the fleet's speed; zero is 15 minutes.
	Delay time.Duration
	// Templates is how many display templates there are; zero is 24.
	Templates int
	// NoSchemaAdmin and NoEnterpriseAdmin take the run-as account out of the groups.
	NoSchemaAdmin, NoEnterpriseAdmin bool
}

// directoryLevels are the versions of domain.md 4.3.
var directoryLevels = map[string][3]int{
	"2003": {6870, 6903, 6936}, "rtm": {10637, 10666, 10628}, "sp1": {11116, 11221, 11221},
	"sp2": {14622, 11222, 11221}, "sp3": {14625, 11222, 11221}, "2010": {14622, 12640, 12639},
}

// replicated is a number of the directory: what it was, what it is, and since
// when at the domain controller that wrote it.
type replicated struct {
	Before, Now int
	At          time.Time
	From        string // the domain controller that wrote it
}

// directoryDomain is one domain of the forest.
type directoryDomain struct {
	Name   string
	MESO   replicated // objectVersion of Microsoft Exchange System Objects; 0 = not there
	Groups bool       // of an Exchange 2003 DomainPrep
	Legacy bool       // PrepareLegacyExchangePermissions was run for it
}

// directoryController is one domain controller.
type directoryController struct {
	Name, Site, Domain string
	Catalog            bool
}

// directory is the state of the forest, shared by all hosts of a fleet.
type directory struct {
	fleet *Fleet
	opt   Organization

	mu          sync.Mutex
	Name        string
	Schema      replicated
	Version     replicated // of the organization's container
	Domains     []*directoryDomain
	Controllers []directoryController
	Master      int // of Controllers
	Templates   map[string][]byte
	Old         [][2]string // name and serialNumber
}

// legacyDomain marks a further domain that Exchange 2003 prepared.
const legacyDomain = "@2003"

// newDirectory makes the forest, or finds it as an earlier run left it.
func newDirectory(f *Fleet, places []place) (*directory, error) {
	d := &directory{fleet: f, opt: f.opt.Organization, Name: "Contoso"}
	if err := d.traits(places); err != nil {
		return nil, err
	}
	level, ok := directoryLevels[strings.ToLower(orElse(d.opt.Level, "sp3"))]
	if !ok {
		return nil, fmt.Errorf("organization: there is no level %q%s", d.opt.Level, hint(d.opt.Level, slices.Sorted(maps.Keys(directoryLevels))))
	}
	if found, err := d.load(); err != nil || found {
		return d, err
	}
	d.Schema.Now, d.Version.Now = level[0], level[1]
	for _, p := range places {
		h := &host{rows: p.rows}
		d.addDomain(h.domain(), level[2], level[0] == directoryLevels["2003"][0])
		d.addController(p.rows[0].Site, h.domain())
	}
	site, root := "", d.Domains[0].Name
	if len(d.Controllers) > 0 {
		site = d.Controllers[0].Site
	}
	for _, name := range d.opt.Domains {
		if plain, legacy := strings.CutSuffix(name, legacyDomain); legacy {
			d.addDomain(plain, directoryLevels["2003"][2], true)
			d.addController(site, plain)
			continue
		}
		d.addDomain(name, level[2], false)
		d.addController(site, name)
	}
	d.addController(orElse(d.opt.MasterSite, site), orElse(d.opt.MasterDomain, root))
	for i, c := range d.Controllers {
		if c.Site == orElse(d.opt.MasterSite, site) && c.Domain == strings.ToLower(orElse(d.opt.MasterDomain, root)) {
			d.Master = i
		}
	}
	for _, old := range d.opt.Old {
		name, version, ok := strings.Cut(old, "=")
		part := strings.Split(version, ".")
		if !ok || len(part) != 4 {
			return nil, fmt.Errorf("organization: server %q is none such as OLD1=6.5.7638.2", old)
		}
		words := ""
		if version >= "6.5.7638" && strings.HasPrefix(version, "6.5.") {
			words = ": Service Pack 2"
		}
		d.Old = append(d.Old, [2]string{name, fmt.Sprintf("Version %s.%s (Build %s.%s%s)", part[0], part[1], part[2], part[3], words)})
	}
	d.freshTemplates("as customised by an administrator")
	return d, d.save()
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (d *directory) addDomain(name string, version int, groups bool) {
	name = strings.ToLower(name)
	if !slices.ContainsFunc(d.Domains, func(x *directoryDomain) bool { return x.Name == name }) {
		d.Domains = append(d.Domains, &directoryDomain{Name: name, MESO: replicated{Now: version}, Groups: groups || len(d.opt.Old) > 0})
	}
}

// addController gives a site a domain controller of a domain.
func (d *directory) addController(site, domain string) {
	domain = strings.ToLower(domain)
	site = orElse(site, "Default-First-Site-Name")
	if slices.ContainsFunc(d.Controllers, func(c directoryController) bool { return c.Site == site && c.Domain == domain }) {
		return
	}
	n := 1
	for _, c := range d.Controllers {
		if c.Domain == domain {
			n++
		}
	}
	catalog := !slices.ContainsFunc(d.Controllers, func(c directoryController) bool { return c.Site == site })
	d.Controllers = append(d.Controllers, directoryController{fmt.Sprintf("dc%d.%s", n, domain), site, domain, catalog})
}

// freshTemplates makes the display templates (CN=Display-Templates, a folder for
// each language, one object for each kind).
func (d *directory) freshTemplates(content string) {
	n := d.opt.Templates
	if n == 0 {
		n = 24
	}
	d.Templates = map[string][]byte{}
	for i := range n {
		d.Templates[fmt.Sprintf("CN=%d,CN=%x", i%8, 0x407+i/8)] = []byte(content)
	}
}

// domainOf finds a domain; the caller holds the lock.
func (d *directory) domainOf(name string) *directoryDomain {
	for _, x := range d.Domains {
		if strings.EqualFold(x.Name, name) {
			return x
		}
	}
	return nil
}

// master is the schema master.
func (d *directory) master() directoryController { return d.Controllers[d.Master] }

// in finds a domain controller of a domain, one of the site first.
func (d *directory) in(domain, site string) string {
	found := ""
	for _, c := range d.Controllers {
		if strings.EqualFold(c.Domain, domain) && (found == "" || strings.EqualFold(c.Site, site)) {
			found = c.Name
		}
	}
	return found
}

// seen is a number as a domain controller has it now; the caller holds the lock.
func (d *directory) seen(v replicated, at directoryController) int {
	if v.From == "" || v.From == at.Name {
		return v.Now
	}
	delay := d.opt.Delay
	if delay == 0 {
		delay = 15 * time.Minute
	}
	for _, c := range d.Controllers {
		if c.Name == v.From && c.Site == at.Site {
			delay = 15 * time.Second // within a site [K]
		}
	}
	if time.Since(v.At) < time.Duration(float64(delay)/d.fleet.opt.Speed) || d.held(at.Name) {
		return v.Before
	}
	return v.Now
}

// held reports whether a declared fault keeps replication from a domain
// controller, or it away. The caller holds no host's lock.
func (d *directory) held(controller string) bool {
	return d.struck("replication-held", controller)
}

// down reports whether a domain controller does not answer.
func (d *directory) down(controller string) bool { return d.struck("dc-unreachable", controller) }

// struck asks every host whether a fault of the forest is on: it is declared for
// the host whose upgrade it is to hit, and holds for a domain controller by
// "controller:NAME", or for all but the schema master.
func (d *directory) struck(fault, controller string) bool {
	for _, h := range d.fleet.hosts {
		hit := false
		h.update(func() {
			hit = h.strikes(fault, func(x *declared) bool {
				m, err := x.Fault.moment()
				if err != nil {
					return false
				}
				if m.controller == "" {
					return controller != d.master().Name
				}
				return strings.EqualFold(m.controller, controller)
			}) != nil
		})
		if hit {
			return true
		}
	}
	return false
}

// write changes a number at a domain controller; the caller holds the lock.
func (v *replicated) write(now int, from string) {
	if now > v.Now {
		*v = replicated{Before: v.Now, Now: now, At: time.Now(), From: from}
	}
}

// keep saves the forest and notes what went wrong; the caller holds the lock.
func (d *directory) keep() {
	if err := d.save(); err != nil {
		d.fleet.journal.note(err)
	}
}

// domainNames lists the domains.
func (d *directory) domainNames() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for _, x := range d.Domains {
		names = append(names, x.Name)
	}
	return names
}

// nearest lists one domain controller of each domain, of the site where it has one.
func (d *directory) nearest(site string) []string {
	var names []string
	for _, domain := range d.domainNames() {
		names = append(names, d.in(domain, site))
	}
	return names
}

func (d *directory) file() string { return filepath.Join(d.fleet.opt.StateDir, "organization.json") }

// load reads the forest of an earlier run.
func (d *directory) load() (bool, error) {
	if d.fleet.opt.StateDir == "" {
		return false, nil
	}
	raw, err := os.ReadFile(d.file())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("load organization: %w", err)
	}
	if err := json.Unmarshal(raw, d); err != nil {
		return false, fmt.Errorf("load organization from %s: %w", d.file(), err)
	}
	return true, nil
}

// save writes the forest; the caller holds the lock.
func (d *directory) save() error {
	if d.fleet.opt.StateDir == "" || d.fleet.ctx.Err() != nil {
		return nil
	}
	raw, err := json.Marshal(d)
	if err == nil {
		err = os.MkdirAll(d.fleet.opt.StateDir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(d.file()+".new", raw, 0o600)
	}
	if err == nil {
		err = os.Rename(d.file()+".new", d.file())
	}
	if err != nil {
		return fmt.Errorf("save organization: %w", err)
	}
	return nil
}

// Directory is what the forest has at its schema master: the versions of schema
// and organization, and those of the domains by name. It is for tests.
func (f *Fleet) Directory() (schema, organization int, domains map[string]int) {
	f.directory.mu.Lock()
	defer f.directory.mu.Unlock()
	domains = map[string]int{}
	for _, x := range f.directory.Domains {
		domains[x.Name] = x.MESO.Now
	}
	return f.directory.Schema.Now, f.directory.Version.Now, domains
}
