package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
)

// Known is what is kept of an upgrade's hosts, of the organization and of the
// policy: what steps judge by beside what their host says.
type Known struct {
	Hosts        map[string]map[string]preflight.Fact // by host and name
	Organization map[string]preflight.Fact
	Policy       preflight.Policy
	Waived       []string // rules that a person waived for the server and the package that preflight judges: the plan's first
	Fleet        preflight.Fleet
}

const publicFolderServers = `
SELECT DISTINCT s.name
FROM fact f
JOIN server_host sh ON sh.host_id = f.host_id
JOIN server s ON s.id = sh.server_id
WHERE f.name = 'databases'
  AND f.value @> '[{"public": true}]'
ORDER BY s.name`

const hostsInWork = `
SELECT DISTINCT h.name
FROM upgrade u
JOIN server_host sh ON sh.server_id = u.server_id
JOIN host h ON h.id = sh.host_id
WHERE u.state IN ('running', 'paused', 'out-of-sight', 'interrupted', 'unknown')
  AND u.id <> $1
ORDER BY h.name`

// Known loads what is known for an upgrade; what is known of the rest of the
// fleet only when it is asked for.
func (s *Store) Known(ctx context.Context, w UpgradeWork, fleet bool) (Known, error) {
	k, err := s.known(ctx, w, fleet)
	if err != nil {
		return Known{}, fmt.Errorf("load what is known of %s: %w", w.Server.Name, err)
	}
	return k, nil
}

func (s *Store) known(ctx context.Context, w UpgradeWork, fleet bool) (Known, error) {
	k := Known{Hosts: map[string]map[string]preflight.Fact{}, Organization: map[string]preflight.Fact{}}
	ids, names := make([]int64, 0, len(w.Hosts)), map[int64]string{}
	for _, h := range w.Hosts {
		ids, names[h.ID] = append(ids, h.ID), h.Name
		k.Hosts[h.Name] = map[string]preflight.Fact{}
	}
	rows, err := s.q.FactsOfHosts(ctx, ids)
	if err != nil {
		return k, err
	}
	for _, r := range rows {
		k.Hosts[names[r.HostID]][r.Name] = preflight.Fact{Value: json.RawMessage(r.Value), Source: r.Source, At: r.At}
	}
	facts, err := s.OrganizationFacts(ctx)
	if err != nil {
		return k, err
	}
	for _, f := range facts {
		k.Organization[f.Name] = f.Fact()
	}
	if k.Policy, err = s.Policy(ctx); err != nil {
		return k, err
	}
	if k.Waived, err = s.waivedFor(ctx, w); err != nil || !fleet {
		return k, err
	}
	k.Fleet.Known = true
	if k.Fleet.PublicFolders, err = s.texts(ctx, publicFolderServers); err != nil {
		return k, err
	}
	if k.Fleet.InWork, err = s.texts(ctx, hostsInWork, w.ID); err != nil || w.Server.Cluster == exchange.Standalone {
		return k, err
	}
	k.Fleet.Hosts, err = s.texts(ctx, "SELECT name FROM host ORDER BY name")
	return k, err
}

// waivedFor lists the rules that are waived for the upgrade's server and the
// package that preflight judges. A waiver for a plan's second package accepts
// nothing of the first.
func (s *Store) waivedFor(ctx context.Context, w UpgradeWork) ([]string, error) {
	if w.Package == "" {
		return nil, nil
	}
	all, err := s.WaiversFor(ctx, w.ServerID, w.Package)
	if err != nil {
		return nil, err
	}
	var rules []string
	for _, one := range all {
		if one.Holds("blocker") { // what was accepted as less does not hold for one
			rules = append(rules, one.Rule)
		}
	}
	return rules, nil
}

func (s *Store) texts(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
