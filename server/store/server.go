package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/store/db"
)

// Server is a server of the inventory with its hosts.
type Server struct {
	exchange.Server
	ID         int64
	ImportedAt time.Time
	ImportedBy string
	Hosts      []Host
}

// Host is a Windows machine as the database knows it.
type Host struct {
	ID          int64
	Name        string
	Address     string
	Port        int        // 0 = by profile
	FactsAt     *time.Time // nil = never answered at this address
	LastProbeAt *time.Time
	Outcome     string // of the last probe
	Error       string // of the last probe, in words
}

// Asked is where a probe of the host asks.
func (h Host) Asked() HostAddress {
	return HostAddress{ID: h.ID, Name: h.Name, Address: h.Address, Port: h.Port}
}

// Servers returns the whole inventory by name.
func (s *Store) Servers(ctx context.Context) ([]Server, error) {
	all, err := loadServers(ctx, s.q)
	if err != nil {
		return nil, fmt.Errorf("load the inventory: %w", err)
	}
	return all, nil
}

// ServerByName returns one server; the name is compared without case.
func (s *Store) ServerByName(ctx context.Context, name string) (Server, error) {
	row, err := s.q.ServerByName(ctx, strings.ToUpper(name))
	if err != nil {
		return Server{}, fmt.Errorf("load server: %w", missing(err, "There is no server %s.", strings.ToUpper(name)))
	}
	hosts, err := s.q.HostsOfServer(ctx, row.ID)
	if err != nil {
		return Server{}, fmt.Errorf("load hosts of %s: %w", row.Name, err)
	}
	server := Server{ID: row.ID, ImportedAt: row.ImportedAt, ImportedBy: row.ImportedBy}
	for _, h := range hosts {
		server.Hosts = append(server.Hosts, hostOf(h))
	}
	server.Server, err = serverOf(row, server.Hosts)
	return server, err
}

// Facts returns what is known of a host, by name.
func (s *Store) Facts(ctx context.Context, host int64) (map[string]Fact, error) {
	rows, err := s.q.FactsOfHost(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("load facts of host %d: %w", host, err)
	}
	facts := make(map[string]Fact, len(rows))
	for _, r := range rows {
		facts[r.Name] = Fact{Name: r.Name, Value: json.RawMessage(r.Value), Source: r.Source, At: r.At}
	}
	return facts, nil
}

func loadServers(ctx context.Context, q *db.Queries) ([]Server, error) {
	rows, err := q.AllServers(ctx)
	if err != nil {
		return nil, err
	}
	links, err := q.AllServerHosts(ctx)
	if err != nil {
		return nil, err
	}
	hosts := map[int64][]Host{}
	for _, l := range links {
		hosts[l.ServerID] = append(hosts[l.ServerID], Host{
			ID: l.ID, Name: l.Name, Address: l.Address, Port: l.Port,
			FactsAt: l.FactsAt, LastProbeAt: l.LastProbeAt, Outcome: l.LastProbeOutcome, Error: l.LastProbeError,
		})
	}
	all := make([]Server, 0, len(rows))
	for _, r := range rows {
		server := Server{ID: r.ID, ImportedAt: r.ImportedAt, ImportedBy: r.ImportedBy, Hosts: hosts[r.ID]}
		if server.Server, err = serverOf(r, server.Hosts); err != nil {
			return nil, err
		}
		all = append(all, server)
	}
	return all, nil
}

func hostOf(h db.Host) Host {
	return Host{
		ID: h.ID, Name: h.Name, Address: h.Address, Port: h.Port,
		FactsAt: h.FactsAt, LastProbeAt: h.LastProbeAt, Outcome: h.LastProbeOutcome, Error: h.LastProbeError,
	}
}

func serverOf(r db.Server, hosts []Host) (exchange.Server, error) {
	server := exchange.Server{
		Name: r.Name, FQDN: r.Fqdn, Site: r.Site, InternetFacing: r.InternetFacing, OS: r.Os, Language: r.Language, Arch: r.Arch,
		Cluster: exchange.ClusterType(r.Cluster), Address: r.Address, Port: r.Port, Profile: r.Profile, Mailboxes: r.Mailboxes,
		UMLanguages: r.UmLanguages, Services: r.Services, Tags: r.Tags,
	}
	for _, role := range r.Roles {
		server.Roles = append(server.Roles, exchange.Role(role))
	}
	if r.Build != "" {
		build, err := exchange.ParseBuild(r.Build)
		if err != nil {
			return server, fmt.Errorf("read build of %s: %w", r.Name, err)
		}
		server.Build = build
	}
	if server.Cluster != exchange.Standalone {
		for _, h := range hosts {
			server.Nodes = append(server.Nodes, exchange.Node{Name: h.Name, Address: h.Address, Port: h.Port})
		}
		slices.SortFunc(server.Nodes, func(a, b exchange.Node) int { return strings.Compare(a.Name, b.Name) })
	}
	return server, nil
}

// list is never NULL in the database.
func list[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}
