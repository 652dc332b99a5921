package store

import (
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// ImportOptions say how far an import goes.
type ImportOptions struct {
	GoodLines bool // import what is good although other lines are not
	DryRun    bool // say what would change, and change nothing
}

// Import is what an import did, or would do.
type Import struct {
	Faults    []exchange.LineError // in the file's order
	Servers   []ServerChange       // added or changed, in the file's order
	Added     int
	Changed   int
	Unchanged int
	Applied   bool // false: nothing was written
}

// ServerChange is what an import does to one server.
type ServerChange struct {
	Line    int
	Server  string
	New     bool
	Fields  []FieldChange // of a known server, in the columns' order
	Cleared bool          // its facts are cleared and its approvals void, since it answers elsewhere
}

// FieldChange is one cell before and after.
type FieldChange struct{ Column, Before, After string }

// Words says the change in one sentence.
func (c ServerChange) Words() string {
	if c.New {
		return c.Server + " is new."
	}
	parts := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		parts[i] = fmt.Sprintf("%s: %s becomes %s", f.Column, shown(f.Before), shown(f.After))
	}
	words := c.Server + ": " + strings.Join(parts, "; ") + "."
	if c.Cleared {
		words += " What is known of its hosts is forgotten, since they answer elsewhere; approvals of it are void."
	}
	return words
}

func shown(cell string) string {
	if cell == "" {
		return "empty"
	}
	return cell
}

// planned is one line on its way into the database.
type planned struct {
	line   int
	known  *Server // nil = new
	after  exchange.Server
	change ServerChange
}

// plan merges the file with what is known and checks the result. It decides
// everything an import does and writes nothing.
func plan(known []Server, profiles []string, inv exchange.Inventory) ([]planned, []exchange.LineError) {
	byName := map[string]*Server{}
	for i := range known {
		byName[known[i].Name] = &known[i]
	}
	var lines []planned
	imported := map[string]bool{}
	for i, server := range inv.Servers {
		p := planned{line: inv.Lines[i], known: byName[server.Name], after: server}
		if p.known != nil {
			p.after = merged(p.known.Server, server, inv)
		}
		imported[server.Name] = true
		lines = append(lines, p)
	}
	faults := checked(known, imported, lines)
	for _, p := range lines {
		if !slices.ContainsFunc(profiles, func(name string) bool { return strings.EqualFold(name, p.after.Profile) }) {
			faults = append(faults, exchange.LineError{Line: p.line, Column: "profile", Value: p.after.Profile, Want: "a profile that exists: " + strings.Join(profiles, ", ")})
		}
	}
	for i := range lines {
		lines[i].change = lines[i].compared()
	}
	return lines, faults
}

// checked applies the rules to the inventory as it would be: what stays first,
// so that an imported line is blamed.
func checked(known []Server, imported map[string]bool, lines []planned) []exchange.LineError {
	var all []exchange.Server
	for _, k := range known {
		if !imported[k.Name] {
			all = append(all, k.Server)
		}
	}
	stays := len(all)
	for _, p := range lines {
		all = append(all, p.after)
	}
	var faults []exchange.LineError
	for _, problem := range exchange.CheckServers(all) {
		if problem.Server >= stays {
			faults = append(faults, exchange.LineError{Line: lines[problem.Server-stays].line, Column: problem.Column, Value: problem.Value, Want: problem.Want})
		}
	}
	// A host has one name: a node may not be called like another host.
	owner := map[string]string{}
	for i, server := range all {
		for _, node := range hostsOf(server) {
			kind := "the server " + server.Name
			if server.Cluster != exchange.Standalone {
				kind = "a cluster node"
			}
			if have, ok := owner[node.Name]; ok && have != kind && i >= stays {
				faults = append(faults, exchange.LineError{Line: lines[i-stays].line, Column: "nodes", Value: node.Name, Want: "a host name of its own; it is " + have + " already"})
			}
			owner[node.Name] = kind
		}
	}
	return faults
}

// merged puts the columns that the file has over the known server: an absent
// column keeps, an empty cell clears.
func merged(old, file exchange.Server, inv exchange.Inventory) exchange.Server {
	out := old
	for column, take := range map[string]func(){
		"fqdn":            func() { out.FQDN = file.FQDN },
		"roles":           func() { out.Roles = file.Roles },
		"site":            func() { out.Site = file.Site },
		"internet_facing": func() { out.InternetFacing = file.InternetFacing },
		"build":           func() { out.Build = file.Build },
		"os":              func() { out.OS = file.OS },
		"language":        func() { out.Language = file.Language },
		"arch":            func() { out.Arch = file.Arch },
		"cluster":         func() { out.Cluster = file.Cluster },
		"nodes":           func() { out.Nodes = file.Nodes },
		"port":            func() { out.Port = file.Port },
		"profile":         func() { out.Profile = file.Profile },
		"mailboxes":       func() { out.Mailboxes = file.Mailboxes },
		"um_languages":    func() { out.UMLanguages = file.UMLanguages },
		"services":        func() { out.Services = file.Services },
		"tags":            func() { out.Tags = file.Tags },
	} {
		if inv.Present(column) {
			take()
		}
	}
	if strings.EqualFold(out.Site, old.Site) {
		out.Site = old.Site
	}
	switch {
	case out.Cluster != exchange.Standalone:
		out.Address, out.Port = "", 0
	case inv.Present("address"):
		out.Address = file.Address
	}
	if out.Cluster == exchange.Standalone && out.Address == "" {
		out.Address = out.FQDN
		if out.Address == "" {
			out.Address = out.Name
		}
	}
	return out
}

// hostsOf names the hosts of a server and where they answer.
func hostsOf(s exchange.Server) []exchange.Node {
	if s.Cluster != exchange.Standalone {
		return s.Nodes
	}
	return []exchange.Node{{Name: s.Name, Address: s.Address, Port: s.Port}}
}

func (p planned) compared() ServerChange {
	c := ServerChange{Line: p.line, Server: p.after.Name, New: p.known == nil}
	if c.New {
		return c
	}
	before, after := p.known.Fields(), p.after.Fields()
	for _, column := range exchange.Columns() {
		if before[column] != after[column] {
			c.Fields = append(c.Fields, FieldChange{column, before[column], after[column]})
		}
	}
	for _, h := range p.known.Hosts {
		if slices.ContainsFunc(hostsOf(p.after), func(n exchange.Node) bool {
			return n.Name == h.Name && (n.Address != h.Address || n.Port != h.Port)
		}) {
			c.Cleared = true
		}
	}
	return c
}
