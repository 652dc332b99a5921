package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"wavekeeper/server/exchange"
)

// ServerLine is one server as tables show it.
type ServerLine struct {
	ID             int64
	Name           string
	Roles          []exchange.Role
	Site           string
	InternetFacing bool
	Build          exchange.Build // as read from the host, else as imported
	Read           bool           // the build was read
	OS             string
	Language       string
	Arch           string
	Cluster        string
	Tags           []string
	Mailboxes      int
	FactsAt        *time.Time // the oldest reading of its hosts
	Outcome        string     // of the last probe
	ProbedAt       *time.Time
	Rollout        int64  // of its last upgrade; 0 = none
	Upgraded       string // as which server: another one on the nodes of its cluster may stand for it
	PlanName       string
	State          string // of its last upgrade
}

type serverLineRow struct {
	ID             int64
	Name           string
	Roles          []string
	Site           string
	InternetFacing bool
	Build          string
	Os             string
	Language       string
	Arch           string
	Cluster        string
	Tags           []string
	Mailboxes      int
	Facts          []string
	Files          []string // the file version of ExSetup.exe beside each of Facts, as JSON; "" = not read
	FactsAt        *time.Time
	Outcome        string
	ProbedAt       *time.Time
	UpgradeBuild   string
	Rollout        int64
	Upgraded       string
	PlanName       string
	State          string
}

// An upgrade that had not started when its rollout was stopped never starts: it
// is shown as stopped, not as waiting.
const serverLines = `
WITH mate AS MATERIALIZED (
    SELECT DISTINCT s.id, b.server_id
    FROM server s
    JOIN server_host a ON a.server_id = s.id
    JOIN server_host b ON b.host_id = a.host_id
    WHERE s.cluster <> ''
)
SELECT s.id, s.name, s.roles, s.site, s.internet_facing, s.build, s.os, s.language, s.arch, s.cluster, s.tags, s.mailboxes,
       COALESCE(h.facts, '{}') AS facts, COALESCE(h.files, '{}') AS files, h.facts_at, COALESCE(h.outcome, '') AS outcome, h.probed_at,
       COALESCE(l.build, '') AS upgrade_build, COALESCE(l.rollout_id, 0)::bigint AS rollout, COALESCE(l.upgraded, '') AS upgraded, COALESCE(l.plan_name, '') AS plan_name, COALESCE(l.state, '') AS state
FROM server s
LEFT JOIN LATERAL (
    SELECT array_agg(f.value::text) FILTER (WHERE f.value IS NOT NULL) AS facts,
           array_agg(COALESCE(x.value::text, '')) FILTER (WHERE f.value IS NOT NULL) AS files,
           CASE WHEN count(*) = count(o.facts_at) THEN min(o.facts_at) END AS facts_at,
           max(o.last_probe_at) AS probed_at,
           max(o.last_probe_outcome) FILTER (WHERE o.last_probe_outcome <> 'done') AS outcome
    FROM server_host sh
    JOIN host o ON o.id = sh.host_id
    LEFT JOIN fact f ON f.host_id = o.id AND f.name = 'roles'
    LEFT JOIN fact x ON x.host_id = o.id AND x.name = 'exsetup_version'
    WHERE sh.server_id = s.id
) h ON true
LEFT JOIN LATERAL (
    SELECT u.rollout_id, u.build, x.name AS upgraded, p.name AS plan_name,
           CASE WHEN o.state = 'stopped' AND u.state IN ('waiting', 'held') THEN 'stopped' ELSE u.state END AS state
    FROM upgrade u
    JOIN rollout o ON o.id = u.rollout_id
    JOIN revision r ON r.id = o.revision_id
    JOIN plan p ON p.id = r.plan_id
    JOIN server x ON x.id = u.server_id
    WHERE u.server_id = ANY (CASE WHEN s.cluster = '' THEN ARRAY[s.id] ELSE ARRAY(SELECT m.server_id FROM mate m WHERE m.id = s.id) END)
    ORDER BY u.id DESC
    LIMIT 1
) l ON true
ORDER BY s.name`

// ServerLines returns the inventory with what is known of each server.
func (s *Store) ServerLines(ctx context.Context) ([]ServerLine, error) {
	rows, err := pageRows[serverLineRow](ctx, s, "load servers", serverLines)
	if err != nil {
		return nil, err
	}
	lines := make([]ServerLine, 0, len(rows))
	for _, r := range rows {
		line := ServerLine{
			ID: r.ID, Name: r.Name, Site: r.Site, InternetFacing: r.InternetFacing, OS: r.Os, Language: r.Language, Arch: r.Arch, Cluster: r.Cluster,
			Tags: r.Tags, Mailboxes: r.Mailboxes, FactsAt: r.FactsAt, Outcome: r.Outcome, ProbedAt: r.ProbedAt, Rollout: r.Rollout, Upgraded: r.Upgraded, PlanName: r.PlanName, State: r.State,
		}
		for _, role := range r.Roles {
			line.Roles = append(line.Roles, exchange.Role(role))
		}
		if line.Build, line.Read, err = knownBuild(r); err != nil {
			return nil, fmt.Errorf("load servers: %s: %w", r.Name, err)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// knownBuild returns the lowest build read from the hosts, else what the last
// upgrade verified, else what was imported.
func knownBuild(r serverLineRow) (build exchange.Build, read bool, err error) {
	for i, fact := range r.Facts {
		if b, ok := LowestBuild(json.RawMessage(fact), json.RawMessage(r.Files[i])); ok && (!read || b.Compare(build) < 0) {
			build, read = b, true
		}
	}
	if read {
		return build, true, nil
	}
	if r.UpgradeBuild != "" {
		build, err = exchange.ParseBuild(r.UpgradeBuild)
		return build, true, err
	}
	build, err = exchange.ParseBuild(r.Build)
	return build, false, err
}

// UpgradeOfServer is one upgrade that a server ever had.
type UpgradeOfServer struct {
	ID        int64
	Server    string // as which it was upgraded: all on the nodes of a cluster go as one of them
	Rollout   int64
	PlanName  string
	Package   string
	State     string
	Step      string
	Over      bool // its rollout has ended
	Build     string
	StartedAt *time.Time
	EndedAt   *time.Time
}

const upgradesOfServer = `
SELECT u.id, s.name AS server, u.rollout_id AS rollout, p.name AS plan_name, p.package, u.step,
       CASE WHEN o.state = 'stopped' AND u.state IN ('waiting', 'held') THEN 'stopped' ELSE u.state END AS state,
       o.state IN ('done', 'stopped') AS over, u.build, u.started_at, u.ended_at
FROM upgrade u
JOIN rollout o ON o.id = u.rollout_id
JOIN revision r ON r.id = o.revision_id
JOIN plan p ON p.id = r.plan_id
JOIN server s ON s.id = u.server_id
WHERE u.server_id IN (SELECT b.server_id FROM server_host a JOIN server_host b ON b.host_id = a.host_id WHERE a.server_id = $1)
   OR u.server_id = $1
ORDER BY u.id DESC`

// UpgradesOfServer returns every upgrade of a server, the newest first, with those
// of a cluster in which another server on the same nodes stood for it.
func (s *Store) UpgradesOfServer(ctx context.Context, server int64) ([]UpgradeOfServer, error) {
	return pageRows[UpgradeOfServer](ctx, s, "load upgrades of a server", upgradesOfServer, server)
}

// UpgradeID returns the id of a server's upgrade in a rollout; the name is
// compared without case.
func (s *Store) UpgradeID(ctx context.Context, rollout int64, server string) (int64, error) {
	var id int64
	err := s.pool.QueryRow(ctx, `
		SELECT u.id
		FROM upgrade u
		JOIN server s ON s.id = u.server_id
		WHERE u.rollout_id = $1
		  AND s.name = upper($2)`, rollout, server).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("find upgrade: %w", missing(err, "%s is not in this rollout.", server))
	}
	return id, nil
}
