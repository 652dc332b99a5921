package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// loadPrepared fills in whether the organization is prepared for the plan's
// package: by what is on record, and by what was read of it.
func (t *txn) loadPrepared(ctx context.Context, s *rollout.Snapshot) error {
	var err error
	if s.Prepared, err = t.q.IsPrepared(ctx, s.Plan.Package.Name); err != nil {
		return fmt.Errorf("load preparation: %w", err)
	}
	if s.Plan.Kind == rollout.OfOrganization || s.Plan.Package.Kind != exchange.ServicePack {
		return nil
	}
	known, err := t.knownOrganization(ctx)
	if err != nil {
		return fmt.Errorf("load facts of the organization: %w", err)
	}
	facts := factsOf(known)
	names, err := t.domainNames(ctx, s.Plan.Servers)
	if err != nil {
		return fmt.Errorf("load the domains of hosts: %w", err)
	}
	s.Unprepared = preflight.Unprepared(s.Plan.Package, facts, names)
	return nil
}

const domainsOfHosts = `
SELECT s.name, h.name, COALESCE(f.value->>'name', '')
FROM server s
JOIN server_host sh ON sh.server_id = s.id
JOIN host h ON h.id = sh.host_id
LEFT JOIN fact f ON f.host_id = h.id AND f.name = 'domain' AND f.value @> '{"member": true}'
WHERE s.name = ANY($1)
ORDER BY s.name, h.name`

// domainNames are the Active Directory domains of the servers' hosts: as the host
// said, for its DNS name may end in another one; before that by the server's name.
func (t *txn) domainNames(ctx context.Context, servers []exchange.Server) ([]string, error) {
	suffix, names := map[string]string{}, make([]string, 0, len(servers))
	for _, s := range servers {
		_, suffix[s.Name], _ = strings.Cut(s.FQDN, ".")
		names = append(names, s.Name)
	}
	rows, err := t.tx.Query(ctx, domainsOfHosts, names)
	if err != nil {
		return nil, err
	}
	var all []string
	var server, host, domain string
	_, err = pgx.ForEachRow(rows, []any{&server, &host, &domain}, func() error {
		if domain == "" {
			domain = suffix[server]
		}
		all = append(all, domain)
		return nil
	})
	return all, err
}

// prepares writes what an upgrade that prepares the organization learned of it
// and, when it is done, that it is prepared: whoever waits for that goes on.
func (t *txn) prepares(ctx context.Context, k TickSave) error {
	learned := slices.DeleteFunc(slices.Clone(k.Facts), func(f Fact) bool { return !organizationFact(f) })
	if len(learned) == 0 && k.To != rollout.Done {
		return nil
	}
	u, err := t.q.UpgradeByID(ctx, k.Upgrade)
	if err != nil {
		return fmt.Errorf("load upgrade: %w", err)
	}
	for _, f := range learned {
		if err := t.q.SetOrganizationFact(ctx, db.SetOrganizationFactParams{
			Name: f.Name, Value: f.Value, Source: "read on " + k.Server, EnteredBy: "rollout " + fmt.Sprint(k.Rollout), Reason: "the plan " + u.PlanName,
		}); err != nil {
			return fmt.Errorf("keep fact %s of the organization: %w", f.Name, err)
		}
	}
	if k.To != rollout.Done || u.Kind != string(rollout.OfOrganization) {
		return nil
	}
	versions, err := t.versions(ctx)
	if err != nil {
		return err
	}
	by := fmt.Sprintf("rollout %d", k.Rollout)
	if err := t.q.SetPreparation(ctx, db.SetPreparationParams{
		Package: u.Package, RecordedBy: by, Reason: "Prepared on " + k.Server + " by " + by + ", " + u.PlanName, Versions: versions, RolloutID: &k.Rollout,
	}); err != nil {
		return fmt.Errorf("record the preparation: %w", err)
	}
	return t.releaseHeld(ctx)
}

// organizationFact reports whether a fact is of the organization and not of a host.
func organizationFact(f Fact) bool { return slices.Contains(preflight.OrganizationNames(), f.Name) }

// versions are the facts of the organization that say for what it is prepared.
func (t *txn) versions(ctx context.Context) (json.RawMessage, error) {
	rows, err := t.q.OrganizationFacts(ctx)
	if err != nil {
		return nil, fmt.Errorf("load facts of the organization: %w", err)
	}
	all := map[string]any{}
	for _, r := range rows {
		if slices.Contains([]string{"schema", "organization", "domains"}, r.Name) {
			all[r.Name] = map[string]any{"value": r.Value, "source": OrganizationFact(r).Fact().Source, "at": r.At.UTC().Format(time.RFC3339)}
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("encode versions: %w", err)
	}
	return text, nil
}

// releaseHeld asks every rollout in work to look again.
func (t *txn) releaseHeld(ctx context.Context) error {
	ids, err := t.q.RolloutsInWork(ctx)
	if err != nil {
		return fmt.Errorf("find rollouts in work: %w", err)
	}
	for _, id := range ids {
		if err := t.requestAdvance(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
