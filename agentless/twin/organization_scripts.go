package twin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// adException is what .NET throws for an LDAP error; the caller adds its code.
const adException = "System.DirectoryServices.DirectoryServicesCOMException"

// roleBits are msExchCurrentServerRoles.
var roleBits = map[exchange.Role]int{
	exchange.Mailbox: 2, exchange.ClientAccess: 4, exchange.UnifiedMessaging: 16, exchange.HubTransport: 32, exchange.EdgeTransport: 64,
}

// scriptOrganizationLook reads the forest by ADSI.
func scriptOrganizationLook(r *records, args []string) int {
	h := r.c.s.h
	if !r.c.s.who.ad || r.c.s.via != "task" {
		return r.fail(adException, "80072020") // ERROR_DS_OPERATIONS_ERROR
	}
	what, most := argument(args, 0), atoi(argument(args, 2))
	told := map[string]int{}
	room := func(kind string) bool {
		told[kind]++
		if told[kind] == most+1 {
			r.put("more", kind)
		}
		return told[kind] <= most
	}
	d := h.fleet.directory
	r.put("here", orElse(h.row().Site, "Default-First-Site-Name")+"|"+h.domain())
	master := d.master()
	r.put("master", strings.ToUpper(master.Name[:3])+master.Name[3:]+"|"+master.Site+"|"+master.Domain)
	d.mu.Lock()
	defer d.mu.Unlock()
	away := d.awayOf()
	if away[master.Name] {
		r.put("schema", "error System.Runtime.InteropServices.COMException 8007203A")
		r.put("organization", "error System.Runtime.InteropServices.COMException 8007203A|")
	} else {
		r.put("schema", version(d.seen(d.Schema, master)))
		r.put("organization", version(d.seen(d.Version, master))+"|"+d.Name)
	}
	for _, x := range d.Domains {
		nearest := d.in(x.Name, h.row().Site)
		groups := "0"
		if x.Groups {
			groups = "1"
		}
		meso := version(x.MESO.Now)
		if away[nearest] {
			meso, groups = unreached, unreached
		}
		if room("domain") {
			name, _, _ := strings.Cut(x.Name, ".")
			r.put("domain", x.Name+"|"+strings.ToUpper(name)+"|"+meso+"|"+groups)
		}
	}
	if what == "all" {
		d.tellServers(r, room)
		for _, smtp := range []string{"corp.example", "SMTP:@corp.example", "X400:c=US;a= ;p=Contoso;o=Exchange;"} {
			if room("smtp") {
				r.put("smtp", smtp)
			}
		}
	}
	if what != "versions" {
		for _, c := range d.Controllers {
			d.tellController(r, c, away[c.Name], room)
		}
	}
	return 0
}

// unreached is a domain controller that does not answer: RPC server unavailable
// as ADSI has it.
const unreached = "error System.Runtime.InteropServices.COMException 8007203A"

// version is a number as an attribute, or that there is no such object.
func version(n int) string {
	if n == 0 {
		return "error " + adException + " 80072030"
	}
	return fmt.Sprint(n)
}

// awayOf are the domain controllers that do not answer.
func (d *directory) awayOf() map[string]bool {
	away := map[string]bool{}
	for _, c := range d.Controllers {
		away[c.Name] = d.down(c.Name)
	}
	return away
}

// tellServers are the servers of the organization: the old ones, and one object
// for each row of the fleet, whose serialNumber follows its build.
func (d *directory) tellServers(r *records, room func(string) bool) {
	for _, old := range d.Old {
		if room("server") {
			r.put("server", "|||"+old[1]+"|"+old[0])
		}
	}
	seen := map[string]bool{}
	for _, h := range d.fleet.hosts {
		for _, row := range h.rows {
			if seen[row.Name] {
				continue
			}
			seen[row.Name] = true
			roles := 0
			for _, role := range row.Roles {
				roles += roleBits[role]
			}
			storage := map[exchange.ClusterType]int{exchange.CCR: 1, exchange.SCC: 2}[row.Cluster]
			build := row.Build
			h.look(func() {
				if row.Cluster == exchange.Standalone {
					build = h.build()
				}
			})
			if room("server") {
				r.put("server", fmt.Sprintf("%d|%d|%s|%s|%s", roles, storage, row.Site, build.Serial(), row.Name))
			}
			for _, n := range row.Nodes {
				if room("node") {
					r.put("node", n.Name+"|"+row.Name)
				}
			}
		}
	}
}

// tellController is one domain controller and what it has.
func (d *directory) tellController(r *records, c directoryController, away bool, room func(string) bool) {
	catalog := "0"
	if c.Catalog {
		catalog = "1"
	}
	line := unreached + "|" + unreached + "|" + unreached
	if x := d.domainOf(c.Domain); !away && x != nil {
		line = version(d.seen(d.Schema, c)) + "|" + version(d.seen(d.Version, c)) + "|" + version(d.seen(x.MESO, c))
	}
	if room("controller") {
		r.put("controller", catalog+"|"+line+"|"+c.Site+"|"+c.Domain+"|"+c.Name)
	}
}

// scriptOrganizationExport writes the display templates as LDIF.
func scriptOrganizationExport(r *records, args []string) int {
	h := r.c.s.h
	if !r.c.s.who.ad || r.c.s.via != "task" {
		return r.fail(adException, "80072020")
	}
	file, most := argument(args, 0), atoi(argument(args, 1))
	d := h.fleet.directory
	d.mu.Lock()
	var blocks []string
	for name, data := range d.Templates {
		dn := name + ",CN=Display-Templates,CN=Addressing,CN=" + d.Name + ",CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=" + strings.ReplaceAll(d.master().Domain, ".", ",DC=")
		blocks = append(blocks, "dn:: "+base64.StdEncoding.EncodeToString([]byte(dn))+"\r\nchangetype: modify\r\nreplace: addressEntryDisplayTable\r\naddressEntryDisplayTable:: "+
			base64.StdEncoding.EncodeToString(data)+"\r\n-\r\n\r\n")
	}
	d.mu.Unlock()
	slices.Sort(blocks)
	for i := most; i < len(blocks); i++ {
		r.put("more", "template")
	}
	blocks = blocks[:min(most, len(blocks))]
	text := strings.Join(blocks, "")
	if file != "" {
		h.update(func() { h.writeFile(clean(file, r.c.s.cwd), []byte(text)) })
	}
	sum := sha256.Sum256([]byte(text))
	r.put("templates", len(blocks))
	if h.fips() {
		r.put("sha256", "")
	} else {
		r.put("sha256", hex.EncodeToString(sum[:]))
	}
	return 0
}
