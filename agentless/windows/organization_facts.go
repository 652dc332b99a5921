package windows

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// highest are the greatest versions that anything in the look has: what
// replication brings to the domain controllers.
func (o Organization) highest() (schema, version int, domains map[string]int) {
	schema, version, domains = o.Schema, o.Version, map[string]int{}
	for _, d := range o.Domains {
		domains[d.Name] = d.Version
	}
	for _, c := range o.Controllers {
		schema, version = max(schema, c.Schema), max(version, c.Version)
		domains[c.Domain] = max(domains[c.Domain], c.MESO)
	}
	return schema, version, domains
}

// Behind lists the domain controllers that do not have the newest versions that
// any has, each with what it has, and those that could not be asked.
func (o Organization) Behind() (behind, unasked []string) {
	schema, version, domains := o.highest()
	for _, c := range o.Controllers {
		switch {
		case c.Trouble != "":
			unasked = append(unasked, c.Name)
		case c.Schema < schema || c.Version < version || c.MESO < domains[c.Domain]:
			behind = append(behind, c.Name)
		}
	}
	return behind, unasked
}

// Facts are the facts of the organization, by the names and shapes that preflight
// reads. What was not asked for, or not all told, is no fact.
func (o Organization) Facts(at time.Time) []Fact {
	at = at.UTC()
	var facts []Fact
	add := func(name string, value any, known bool) {
		if known {
			facts = append(facts, Fact{Name: name, Value: value, Source: organizationSource(name), At: at})
		}
	}
	add("schema", o.Schema, true)
	add("organization", o.Version, true)
	asked := !slices.Contains(o.More, "domain") && !slices.ContainsFunc(o.Domains, func(d OrganizationDomain) bool { return d.Trouble != "" })
	add("domains", o.Domains, asked)
	add("schema_master", o.Master, true)
	add("single_label", slices.ContainsFunc(o.Domains, func(d OrganizationDomain) bool { return !strings.Contains(strings.Trim(d.Name, "."), ".") }), !slices.Contains(o.More, "domain"))
	o.serverFacts(add)
	if o.Replicated && !slices.Contains(o.More, "controller") {
		behind, unasked := o.Behind()
		add("replication", map[string]any{"checked_at": at.Format(time.RFC3339), "behind": nonNil(append(behind, unasked...))}, true)
	}
	return facts
}

func nonNil(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

// serverFacts are the facts about servers.
func (o Organization) serverFacts(add func(string, any, bool)) {
	type old struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		SP2     bool   `json:"sp2"`
	}
	type cms struct {
		Name  string   `json:"name"`
		Kind  string   `json:"kind"`
		Nodes []string `json:"nodes"`
	}
	type server struct {
		Name   string `json:"name"`
		Roles  int    `json:"roles"`
		Serial string `json:"serial"`
		Site   string `json:"site"`
	}
	of2003, of2000, clustered, of2007 := []old{}, []old{}, []cms{}, []server{}
	for _, s := range o.Servers {
		major, minor, build := serialOf(s.Serial)
		switch {
		case major == 6 && minor == 5:
			of2003 = append(of2003, old{s.Name, fmt.Sprintf("%d.%d.%d", major, minor, build), build >= build2003SP2})
		case major > 0 && major <= 6:
			of2000 = append(of2000, old{s.Name, fmt.Sprintf("%d.%d.%d", major, minor, build), false})
		case major == 8:
			of2007 = append(of2007, server{s.Name, s.Roles, s.Serial, s.Site})
			if kind := map[int]string{1: "CCR", 2: "SCC"}[s.Storage]; kind != "" {
				clustered = append(clustered, cms{s.Name, kind, nonNil(s.Nodes)})
			}
		}
	}
	known := o.Whole && !slices.Contains(o.More, "server")
	add("exchange_2003", of2003, known)
	add("exchange_2000", of2000, known)
	add("servers_2007", of2007, known)
	add("cms", clustered, known && !slices.Contains(o.More, "node"))
	add("smtp_domains", nonNil(o.SMTP), o.Whole && !slices.Contains(o.More, "smtp"))
}

// build2003SP2 is the build of Exchange 2003 Service Pack 2 in serialNumber
// (7638.2; as remembered, the files' is 7683).
const build2003SP2 = 7638

// serialOf reads "Version 6.5 (Build 7638.2: Service Pack 2)"; zeros when it is
// of another form.
func serialOf(serial string) (major, minor, build int) {
	if n, err := fmt.Sscanf(serial, "Version %d.%d (Build %d", &major, &minor, &build); n != 3 || err != nil {
		return 0, 0, 0
	}
	return major, minor, build
}
