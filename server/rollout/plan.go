package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/canon"
	"wavekeeper/server/exchange"
)

// PlanFormat names the canonical form of a plan's content.
const PlanFormat = "wavekeeper-plan/1"

// The scopes in which the order holds.
const (
	ScopeOrganization = "organization" // strict: over all sites
	ScopeSite         = "site"         // within an AD site, internet-facing sites first
)

// Plan is the content of one revision: everything that its hash covers.
type Plan struct {
	Kind    PlanKind
	Package exchange.Package
	Then    *exchange.Package // installed on each server after Package; nil = nothing
	Scope   string            // ScopeOrganization or ScopeSite
	RuleSet string            // "standard@1"
	Policy  Policy
	Servers []exchange.Server // sorted by name
	Waves   [][]string        // names in order; wave 1 is Waves[0]; a cluster under its first CMS
}

// WaveOf returns the number of a server's wave, 0 when it is in none.
func (p Plan) WaveOf(server string) int {
	for i, names := range p.Waves {
		if slices.Contains(names, server) {
			return i + 1
		}
	}
	return 0
}

// Target is what every server of the plan is at when it is done.
func (p Plan) Target() exchange.Package {
	if p.Then != nil {
		return *p.Then
	}
	return p.Package
}

// Unit returns the servers that are upgraded as one with the named one: itself,
// or every clustered mailbox server on the same nodes, by name.
func (p Plan) Unit(server string) []exchange.Server { return UnitOf(p.Servers, server) }

// UnitOf returns those of the servers that are upgraded as one with the named one.
func UnitOf(servers []exchange.Server, name string) []exchange.Server {
	at := slices.IndexFunc(servers, func(s exchange.Server) bool { return s.Name == name })
	if at < 0 {
		return nil
	}
	one := servers[at]
	if one.Cluster == exchange.Standalone || len(one.Nodes) == 0 {
		return []exchange.Server{one}
	}
	var unit []exchange.Server
	for _, s := range servers {
		if s.Cluster != exchange.Standalone && nodeKey(s) == nodeKey(one) {
			unit = append(unit, s)
		}
	}
	slices.SortFunc(unit, func(a, b exchange.Server) int { return strings.Compare(a.Name, b.Name) })
	return unit
}

// planContent is what is hashed and stored.
type planContent struct {
	Format  string       `json:"format"`
	Kind    string       `json:"kind,omitempty"`
	Package string       `json:"package"`
	Target  string       `json:"target"`
	Then    string       `json:"then,omitempty"`
	Scope   string       `json:"scope"`
	RuleSet string       `json:"ruleset"`
	Policy  Policy       `json:"policy"`
	Servers []planServer `json:"servers"`
	Waves   [][]string   `json:"waves"`
}

// planServer is a server by the inventory's columns, without tags.
type planServer struct {
	Server         string   `json:"server"`
	FQDN           string   `json:"fqdn"`
	Roles          []string `json:"roles"`
	Site           string   `json:"site"`
	InternetFacing bool     `json:"internet_facing"`
	Build          string   `json:"build"`
	OS             string   `json:"os"`
	Language       string   `json:"language"`
	Arch           string   `json:"arch"`
	Cluster        string   `json:"cluster"`
	Nodes          []string `json:"nodes"`
	Address        string   `json:"address"`
	Port           int      `json:"port"`
	Profile        string   `json:"profile"`
	Mailboxes      int      `json:"mailboxes"`
	UMLanguages    []string `json:"um_languages"`
	Services       []string `json:"services"`
}

// Canonical returns the bytes that are stored and hashed: RFC 8785 JSON.
func (p Plan) Canonical() ([]byte, error) {
	c := planContent{
		Format: PlanFormat, Kind: string(p.Kind), Package: p.Package.Name, Target: p.Package.Target.String(),
		Scope: p.Scope, RuleSet: p.RuleSet, Policy: p.Policy, Servers: []planServer{}, Waves: [][]string{},
	}
	if p.Then != nil {
		c.Then = p.Then.Name
	}
	c.Policy.Windows, c.Policy.Freezes = sorted(p.Policy.Windows), sorted(p.Policy.Freezes)
	for _, s := range p.Servers {
		c.Servers = append(c.Servers, plainServer(s))
	}
	slices.SortFunc(c.Servers, func(a, b planServer) int { return strings.Compare(a.Server, b.Server) })
	for _, names := range p.Waves {
		c.Waves = append(c.Waves, sorted(names))
	}
	out, err := canon.JSON(c)
	if err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	return out, nil
}

// Hash is the lower-case hexadecimal SHA-256 of Canonical.
func (p Plan) Hash() (string, error) {
	b, err := p.Canonical()
	if err != nil {
		return "", err
	}
	return canon.Sum(b), nil
}

// ReadPlan reads what Canonical wrote.
func ReadPlan(content []byte) (Plan, error) {
	var c planContent
	if err := json.Unmarshal(content, &c); err != nil {
		return Plan{}, fmt.Errorf("read plan: %w", err)
	}
	if c.Format != PlanFormat {
		return Plan{}, fmt.Errorf("read plan: format %q is not %q", c.Format, PlanFormat)
	}
	pkg, err := exchange.PackageByName(c.Package)
	if err != nil {
		return Plan{}, fmt.Errorf("read plan: %w", err)
	}
	if _, err := RuleSetByName(c.RuleSet); err != nil {
		return Plan{}, fmt.Errorf("read plan: %w", err)
	}
	p := Plan{Kind: PlanKind(c.Kind), Package: pkg, Scope: c.Scope, RuleSet: c.RuleSet, Policy: c.Policy, Waves: c.Waves}
	if c.Then != "" {
		then, err := exchange.PackageByName(c.Then)
		if err != nil {
			return Plan{}, fmt.Errorf("read plan: %w", err)
		}
		p.Then = &then
	}
	for _, s := range c.Servers {
		server, err := s.server()
		if err != nil {
			return Plan{}, fmt.Errorf("read plan: server %s: %w", s.Server, err)
		}
		p.Servers = append(p.Servers, server)
	}
	return p, nil
}

func plainServer(s exchange.Server) planServer {
	out := planServer{
		Server: s.Name, FQDN: s.FQDN, Site: s.Site, InternetFacing: s.InternetFacing, Build: s.Build.String(), OS: s.OS,
		Language: s.Language, Arch: s.Arch, Cluster: string(s.Cluster), Address: s.Address, Port: s.Port, Profile: s.Profile,
		Mailboxes: s.Mailboxes, UMLanguages: sorted(s.UMLanguages), Services: sorted(s.Services), Roles: []string{}, Nodes: []string{},
	}
	for _, r := range s.Roles {
		out.Roles = append(out.Roles, string(r))
	}
	for _, n := range s.Nodes {
		out.Nodes = append(out.Nodes, n.String())
	}
	slices.Sort(out.Roles)
	slices.Sort(out.Nodes)
	return out
}

func (s planServer) server() (exchange.Server, error) {
	build, err := exchange.ParseBuild(s.Build)
	if err != nil {
		return exchange.Server{}, err
	}
	nodes, err := exchange.ParseNodes(strings.Join(s.Nodes, ";"))
	if err != nil {
		return exchange.Server{}, err
	}
	out := exchange.Server{
		Name: s.Server, FQDN: s.FQDN, Site: s.Site, InternetFacing: s.InternetFacing, Build: build, OS: s.OS,
		Language: s.Language, Arch: s.Arch, Cluster: exchange.ClusterType(s.Cluster), Nodes: nodes, Address: s.Address, Port: s.Port,
		Profile: s.Profile, Mailboxes: s.Mailboxes, UMLanguages: s.UMLanguages, Services: s.Services,
	}
	for _, r := range exchange.Roles() {
		if slices.Contains(s.Roles, string(r)) {
			out.Roles = append(out.Roles, r)
		}
	}
	return out, nil
}

// sorted returns a sorted copy that is never nil.
func sorted(list []string) []string {
	out := append([]string{}, list...)
	slices.Sort(out)
	return out
}
