package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/exchange"
	"wavekeeper/server/store/db"
)

// ImportInventory adds and changes servers; it never deletes one. faults are
// the reader's; unless GoodLines is set, one fault of any kind keeps the whole
// file out. With DryRun it says what would change. A host whose address
// changed loses its facts.
func (s *Store) ImportInventory(ctx context.Context, actor Actor, inv exchange.Inventory, faults []exchange.LineError, o ImportOptions) (Import, error) {
	result := Import{Faults: slices.Clone(faults)}
	err := s.inTxBy(ctx, actor, func(t *txn) error {
		if err := t.q.LockFleet(ctx); err != nil {
			return err
		}
		lines, err := t.planImport(ctx, inv, &result)
		if err != nil {
			return err
		}
		if o.DryRun || len(result.Faults) > 0 && !o.GoodLines || result.Added+result.Changed == 0 {
			return nil
		}
		for _, p := range lines {
			if err := t.importServer(ctx, actor, p); err != nil {
				return fmt.Errorf("line %d: %w", p.line, err)
			}
		}
		result.Applied = true
		t.record(actor, importRecord(result))
		return t.ring(ctx, "inventory", 0)
	})
	if err != nil {
		return Import{}, fmt.Errorf("import the inventory: %w", err)
	}
	return result, nil
}

// planImport fills in the result and returns the lines to write.
func (t *txn) planImport(ctx context.Context, inv exchange.Inventory, result *Import) ([]planned, error) {
	known, err := loadServers(ctx, t.q)
	if err != nil {
		return nil, err
	}
	profiles, err := t.q.Profiles(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range profiles {
		names = append(names, p.Name)
	}
	lines, faults := plan(known, names, inv)
	// Good lines together may still be wrong with the bad ones gone, so the
	// rest is planned again until no line is at fault.
	for found := faults; len(found) > 0; faults = append(faults, found...) {
		inv = without(inv, found)
		lines, found = plan(known, names, inv)
	}
	if err := t.lockImported(ctx, lines); err != nil {
		return nil, err
	}
	for _, p := range lines {
		if fault, err := t.inWork(ctx, p); err != nil {
			return nil, err
		} else if fault != nil {
			faults = append(faults, *fault)
		}
	}
	var good []planned
	for _, p := range lines {
		switch {
		case slices.ContainsFunc(faults, func(f exchange.LineError) bool { return f.Line == p.line }):
			continue
		case p.known == nil:
			result.Added++
		case len(p.change.Fields) > 0:
			result.Changed++
		default:
			result.Unchanged++
			continue
		}
		good = append(good, p)
		result.Servers = append(result.Servers, p.change)
	}
	result.Faults = append(result.Faults, faults...)
	slices.SortStableFunc(result.Faults, func(a, b exchange.LineError) int { return a.Line - b.Line })
	return good, nil
}

// without leaves the faulty lines out.
func without(inv exchange.Inventory, faults []exchange.LineError) exchange.Inventory {
	rest := exchange.Inventory{Columns: inv.Columns}
	for i, server := range inv.Servers {
		if !slices.ContainsFunc(faults, func(f exchange.LineError) bool { return f.Line == inv.Lines[i] }) {
			rest.Servers, rest.Lines = append(rest.Servers, server), append(rest.Lines, inv.Lines[i])
		}
	}
	return rest
}

// lockImported locks the servers and hosts that the lines change.
func (t *txn) lockImported(ctx context.Context, lines []planned) error {
	var servers []int64
	var hosts []string
	for _, p := range lines {
		if p.known != nil && len(p.change.Fields) > 0 {
			servers = append(servers, p.known.ID)
		}
		if p.known == nil || len(p.change.Fields) > 0 {
			for _, node := range hostsOf(p.after) {
				hosts = append(hosts, node.Name)
			}
		}
	}
	if _, err := t.q.LockServers(ctx, servers); err != nil {
		return fmt.Errorf("lock servers: %w", err)
	}
	if _, err := t.q.LockHosts(ctx, hosts); err != nil {
		return fmt.Errorf("lock hosts: %w", err)
	}
	return nil
}

// bound are the columns that an approval binds: they stay as they are while the
// server is being upgraded.
var bound = []string{"fqdn", "roles", "site", "language", "arch", "cluster", "nodes", "profile", "services", "address", "port"}

// inWork refuses to change what was approved of a server while it is being
// upgraded, and to move a host that such a server is on.
func (t *txn) inWork(ctx context.Context, p planned) (*exchange.LineError, error) {
	for _, f := range p.change.Fields {
		if !slices.Contains(bound, f.Column) {
			continue
		}
		busy, err := t.q.ServerInWork(ctx, db.ServerInWorkParams{ServerID: p.known.ID})
		if err != nil {
			return nil, err
		}
		if busy {
			return &exchange.LineError{Line: p.line, Column: f.Column, Value: f.After, Want: "as it is, " + shown(f.Before) + ", while the server is being upgraded"}, nil
		}
	}
	if p.known != nil && len(p.change.Fields) == 0 {
		return nil, nil
	}
	for _, node := range hostsOf(p.after) {
		host, err := t.q.HostByName(ctx, node.Name)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && host.Address == node.Address && host.Port == node.Port {
			continue
		}
		if err != nil {
			return nil, err
		}
		busy, err := t.q.ServerInWorkOnHost(ctx, node.Name)
		if err != nil {
			return nil, err
		}
		if busy != "" {
			return &exchange.LineError{Line: p.line, Column: "nodes", Value: node.Name, Want: "a host that stays at " + host.Address + " while " + busy + " is being upgraded on it"}, nil
		}
	}
	return nil, nil
}

func (t *txn) importServer(ctx context.Context, actor Actor, p planned) error {
	a := p.after
	add := db.AddServerParams{
		Name: a.Name, Fqdn: a.FQDN, Roles: list(a.Roles), Site: a.Site, InternetFacing: a.InternetFacing, Build: a.Build.String(),
		Os: a.OS, Language: a.Language, Arch: a.Arch, Cluster: string(a.Cluster), Profile: a.Profile, Mailboxes: a.Mailboxes,
		UmLanguages: list(a.UMLanguages), Services: list(a.Services), Tags: list(a.Tags), Address: a.Address, Port: a.Port, ImportedBy: actor.Name,
	}
	var id int64
	var err error
	if p.known == nil {
		id, err = t.q.AddServer(ctx, add)
	} else {
		id = p.known.ID
		err = t.q.ChangeServer(ctx, db.ChangeServerParams{
			Fqdn: add.Fqdn, Roles: add.Roles, Site: add.Site, InternetFacing: add.InternetFacing, Build: add.Build, Os: add.Os,
			Language: add.Language, Arch: add.Arch, Cluster: add.Cluster, Profile: add.Profile, Mailboxes: add.Mailboxes,
			UmLanguages: add.UmLanguages, Services: add.Services, Tags: add.Tags, Address: add.Address, Port: add.Port,
			ImportedBy: add.ImportedBy, ID: id,
		})
	}
	if err != nil {
		return err
	}
	var keep []int64
	for _, node := range hostsOf(a) {
		host, err := t.placeHost(ctx, node)
		if err != nil {
			return err
		}
		if err := t.q.LinkHost(ctx, db.LinkHostParams{ServerID: id, HostID: host}); err != nil {
			return err
		}
		keep = append(keep, host)
	}
	return t.q.UnlinkHosts(ctx, db.UnlinkHostsParams{ServerID: id, Keep: keep})
}

// placeHost makes the host, or moves it where it answers now; a host that moved
// loses its facts.
func (t *txn) placeHost(ctx context.Context, node exchange.Node) (int64, error) {
	host, err := t.q.HostByName(ctx, node.Name)
	if errors.Is(err, pgx.ErrNoRows) {
		return t.q.AddHost(ctx, db.AddHostParams{Name: node.Name, Address: node.Address, Port: node.Port})
	}
	if err != nil || host.Address == node.Address && host.Port == node.Port {
		return host.ID, err
	}
	if err := t.q.MoveHost(ctx, db.MoveHostParams{Address: node.Address, Port: node.Port, ID: host.ID}); err != nil {
		return 0, err
	}
	return host.ID, t.q.ClearFacts(ctx, host.ID)
}

func importRecord(result Import) Record {
	added, changed := []any{}, map[string]any{}
	for _, c := range result.Servers {
		if c.New {
			added = append(added, c.Server)
			continue
		}
		fields := map[string]any{}
		for _, f := range c.Fields {
			fields[f.Column] = []any{f.Before, f.After}
		}
		changed[c.Server] = fields
	}
	return Record{
		What:    "inventory.import",
		Subject: fmt.Sprintf("%d servers added, %d changed", result.Added, result.Changed),
		Detail:  map[string]any{"added": added, "changed": changed, "bad_lines": len(result.Faults)},
	}
}
