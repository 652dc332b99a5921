package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// view is a rollout as one transaction sees it: what Next looks at, and the
// rows that its actions change.
type view struct {
	rollout  int64
	snapshot rollout.Snapshot
	waves    map[int]db.WavesOfRolloutRow
	upgrades map[string]db.UpgradesOfRolloutRow
	row      db.RolloutByIDRow
	at       time.Time
}

// Snapshot returns a rollout as rollout.Next would see it now: "why is this
// server not starting?" is answered from it.
func (s *Store) Snapshot(ctx context.Context, id int64, books rollout.Books) (rollout.Snapshot, error) {
	var snapshot rollout.Snapshot
	err := s.inTx(ctx, func(t *txn) error {
		v, err := t.loadView(ctx, id, t.now, books)
		if err != nil {
			return err
		}
		snapshot = v.snapshot
		return nil
	})
	if err != nil {
		return rollout.Snapshot{}, fmt.Errorf("load rollout %d: %w", id, err)
	}
	return snapshot, nil
}

// loadView loads the whole rollout and compares every approval's digest with
// the rows as they are in this transaction.
func (t *txn) loadView(ctx context.Context, id int64, now time.Time, books rollout.Books) (*view, error) {
	r, err := t.q.RolloutByID(ctx, id)
	if err != nil {
		return nil, missing(err, "There is no such rollout.")
	}
	plan, err := rollout.ReadPlan([]byte(r.RevisionContent))
	if err != nil {
		return nil, err
	}
	v := &view{
		rollout: id, row: r, at: now, waves: map[int]db.WavesOfRolloutRow{}, upgrades: map[string]db.UpgradesOfRolloutRow{},
		snapshot: rollout.Snapshot{Plan: plan, State: rollout.RolloutState(r.State)},
	}
	if err := t.loadPrepared(ctx, &v.snapshot); err != nil {
		return nil, err
	}
	waves, err := t.q.WavesOfRollout(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("load waves: %w", err)
	}
	for _, w := range waves {
		v.waves[w.Number] = w
		v.snapshot.Waves = append(v.snapshot.Waves, rollout.WaveStatus{Number: w.Number, State: rollout.WaveState(w.State)})
	}
	fits, err := t.matchApprovals(ctx, r, books, 0)
	if err != nil {
		return nil, err
	}
	fleet, err := t.fleet(ctx, id, now)
	if err != nil {
		return nil, err
	}
	if err := t.loadUpgrades(ctx, v, fits, fleet); err != nil {
		return nil, err
	}
	for _, name := range fleet.names {
		if fleet.by[name].preparing {
			v.snapshot.PreparingOn = name
		}
		if _, inside := v.upgrades[name]; inside {
			continue
		}
		f := fleet.by[name]
		v.snapshot.Outside = append(v.snapshot.Outside, rollout.OutsideServer{
			Server: f.server, Build: f.build, ReadAt: f.readAt, ReadError: f.readError, ReadTriedAt: f.triedAt, Refreshing: f.refreshing,
			Health: f.health(now), Doubts: f.doubts, InWorkElsewhere: f.elsewhere, Witness: f.witness,
		})
	}
	return v, nil
}

func (t *txn) loadUpgrades(ctx context.Context, v *view, fits map[string]fit, fleet fleet) error {
	rows, err := t.q.UpgradesOfRollout(ctx, v.rollout)
	if err != nil {
		return fmt.Errorf("load upgrades: %w", err)
	}
	safe, err := t.q.BackInService(ctx, v.rollout)
	if err != nil {
		return fmt.Errorf("load what is back in service: %w", err)
	}
	awaited, err := t.mediaAwaited(ctx, v.rollout)
	if err != nil {
		return err
	}
	barred, err := t.notLetIn(ctx)
	if err != nil {
		return err
	}
	fixing, err := t.fixing(ctx)
	if err != nil {
		return err
	}
	for _, u := range rows {
		v.upgrades[u.Server] = u
		f := fleet.by[u.Server]
		status := rollout.UpgradeStatus{
			Server: u.Server, Wave: u.Wave, State: rollout.State(u.State),
			Approval: rollout.ApprovalNone,
			Build:    f.build, ReadAt: f.readAt, ReadError: f.readError, ReadTriedAt: f.triedAt, Refreshing: f.refreshing,
			BackInService: slices.Contains(safe, u.ID), Accepted: u.Accepted, Hooked: u.Hooked, Witness: f.witness,
			Failing: u.Unwinding && !u.Skipping && u.State != string(rollout.Failed), Returns: rollout.State(u.Returns),
			InWorkElsewhere: f.elsewhere || f.preparing, OwedElsewhere: f.owed, NotLetIn: barred[u.Server],
			Fixing: fixing[u.Server], Health: f.health(v.at),
		}
		if u.StartedAt == nil {
			status.MediaAwaited = awaited[u.ID]
		}
		vouch(&status, u, v.at)
		if fit, ok := fits[u.Server]; ok {
			status.Approval, status.Changed = fit.match, fit.changed
		}
		if u.StartedAt != nil {
			status.StartedAt = *u.StartedAt
		}
		if u.VerifiedAt != nil {
			status.VerifiedAt = *u.VerifiedAt
			if build, err := exchange.ParseBuild(u.Build); err == nil && status.VerifiedAt.After(status.ReadAt) {
				status.Build, status.ReadAt = build, *u.VerifiedAt
			}
		}
		if err := json.Unmarshal(u.Reasons, &status.Reasons); err != nil {
			return fmt.Errorf("read reasons of %s: %w", u.Server, err)
		}
		v.snapshot.Upgrades = append(v.snapshot.Upgrades, status)
	}
	return nil
}

// reading is what is known of a server from its hosts.
type reading struct {
	server     exchange.Server
	build      exchange.Build
	readAt     time.Time
	readError  string
	triedAt    time.Time
	refreshing bool
	elsewhere  bool      // in work in another rollout
	preparing  bool      // another rollout prepares the organization on it, which takes it out of nothing
	clusterAt  time.Time // when its cluster was looked at last; zero = never
	cluster    preflight.Cluster
	witness    string    // host of the file share witness, upper case; "" = none or not known
	owed       bool      // another rollout changed something that is not put back
	until      time.Time // the last one elsewhere ended
	doubts     []string
	hosts      int
	unseen     int       // hosts that the last look did not reach
	healthAt   time.Time // when the host looked at longest ago was
	down       []string  // services that should run and do not
}

type fleet struct {
	names []string
	by    map[string]reading
}

// fleet loads every server with what its hosts said last. With several hosts
// the lowest build and the oldest reading count.
func (t *txn) fleet(ctx context.Context, id int64, now time.Time) (fleet, error) {
	rows, err := t.q.Fleet(ctx, id)
	if err != nil {
		return fleet{}, fmt.Errorf("load the fleet: %w", err)
	}
	all := fleet{by: map[string]reading{}}
	for _, r := range rows {
		one, known := all.by[r.Name]
		if !known {
			all.names = append(all.names, r.Name)
			one.server = exchange.Server{
				Name: r.Name, FQDN: r.Fqdn, Site: r.Site, InternetFacing: r.InternetFacing, OS: r.Os, Language: r.Language, Arch: r.Arch,
				Cluster: exchange.ClusterType(r.Cluster), Address: r.Address, Port: r.Port, Profile: r.Profile, Mailboxes: r.Mailboxes,
				UMLanguages: r.UmLanguages, Services: r.Services,
			}
			for _, role := range r.Roles {
				one.server.Roles = append(one.server.Roles, exchange.Role(role))
			}
			if build, err := exchange.ParseBuild(r.Build); err == nil {
				one.server.Build, one.build = build, build
			}
			one.elsewhere, one.preparing, one.owed, one.until = r.Elsewhere, r.Preparing, r.Owed, r.ElsewhereUntil
		}
		if one.server.Cluster != exchange.Standalone {
			one.server.Nodes = append(one.server.Nodes, exchange.Node{Name: r.HostName, Address: r.HostAddress, Port: r.HostPort})
		}
		one.add(r, now, t.s.askedFor())
		all.by[r.Name] = one
	}
	for name, one := range all.by {
		one.judgeCluster()
		all.by[name] = one
	}
	return all, nil
}

// add takes in what one host said. A host that was asked is waited for as long
// as askedFor.
func (one *reading) add(r db.FleetRow, now time.Time, askedFor time.Duration) {
	first := one.hosts == 0
	one.hosts++
	var at time.Time
	found, ok := configuredOf(r.RolesFact, one.server.Roles)
	lowest := exchange.InstalledBuild(found.Lowest, textOf(r.Exsetup))
	one.lookCluster(r)
	one.doubts = append(one.doubts, found.Doubts()...)
	if ok && r.RolesAt != nil && !r.RolesAt.After(now.Add(clockSlack)) { // in the future = before the clock was set back
		at = *r.RolesAt
	}
	one.look(r, now)
	switch {
	case at.IsZero():
		one.readAt = time.Time{}
	case first || (!one.readAt.IsZero() && at.Before(one.readAt)):
		one.readAt = at
	}
	if ok && (first || lowest.Compare(one.build) < 0) {
		one.build = lowest
	}
	if r.LastProbeAt != nil {
		if r.LastProbeAt.After(one.triedAt) {
			one.triedAt = *r.LastProbeAt
		}
		if r.LastProbeOutcome != "done" && r.LastProbeAt.After(at) {
			one.readError = strings.TrimRight(r.LastProbeError, ". ") // it becomes part of a sentence
		}
	}
	if r.ProbeAskedAt != nil && now.Sub(*r.ProbeAskedAt).Abs() < askedFor && (r.LastProbeAt == nil || r.ProbeAskedAt.After(*r.LastProbeAt)) {
		one.refreshing = true
	}
}

// LowestBuild reads the facts "roles" (role -> configured, unpacked, action,
// watermark) and "exsetup_version" and returns the build that is installed by
// both, see exchange.InstalledBuild. It reports false when no role says one.
func LowestBuild(roles, exsetup json.RawMessage) (exchange.Build, bool) {
	c, ok := configuredOf(roles, nil)
	return exchange.InstalledBuild(c.Lowest, textOf(exsetup)), ok
}

// textOf reads a fact that is a text; "" when it is none.
func textOf(fact json.RawMessage) string {
	var text string
	if len(fact) == 0 || json.Unmarshal(fact, &text) != nil {
		return ""
	}
	return text
}

// configuredOf reads the fact "roles" of a host that should hold the roles of
// the inventory. It reports false when no role says a build.
func configuredOf(fact json.RawMessage, inventory []exchange.Role) (exchange.Configured, bool) {
	if len(fact) == 0 {
		return exchange.Configured{}, false
	}
	keys, err := exchange.ReadRoleKeys(fact)
	if err != nil {
		return exchange.Configured{}, false
	}
	c := exchange.ConfiguredOf(keys, inventory)
	return c, !c.Lowest.IsZero()
}
