package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
)

// Judgement is what the rules say of a host by facts that are stored: nobody
// asked it. What only a live host can show (its media, a canary) is unknown.
type Judgement struct {
	Host     string
	HostID   int64
	Oldest   *time.Time // of the facts; nil = there are none
	Newest   *time.Time
	Findings []preflight.Finding
}

// JudgeStored judges the stored facts of every host of a server by the rules of
// this version, without asking any host. Findings that a waiver accepts are
// marked so.
func (s *Store) JudgeStored(ctx context.Context, server, pkg string) ([]Judgement, error) {
	one, err := s.ServerByName(ctx, server)
	if err != nil {
		return nil, err
	}
	target, err := exchange.PackageByName(pkg)
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", one.Name, rollout.Invalid("%s", err))
	}
	subject, err := s.subject(ctx, one, target)
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", one.Name, err)
	}
	waivers, err := s.WaiversFor(ctx, one.ID, target.Name)
	if err != nil {
		return nil, err
	}
	var all []Judgement
	for _, h := range one.Hosts {
		facts, err := s.Facts(ctx, h.ID)
		if err != nil {
			return nil, err
		}
		judged := Judgement{Host: h.Name, HostID: h.ID}
		known := make(map[string]preflight.Fact, len(facts))
		for name, f := range facts {
			known[name] = preflight.Fact{Value: f.Value, Source: f.Source, At: f.At}
			if at := f.At; judged.Oldest == nil || at.Before(*judged.Oldest) {
				judged.Oldest = &at
			}
			if at := f.At; judged.Newest == nil || at.After(*judged.Newest) {
				judged.Newest = &at
			}
		}
		about := subject
		var errs []error
		about.Facts, errs = preflight.ReadFacts(known)
		about.Unreadable = slices.Clone(subject.Unreadable)
		for _, err := range errs {
			about.Unreadable = append(about.Unreadable, err.Error())
		}
		if about.Clustered() {
			about.Node = h.Name
		}
		judged.Findings = Accepted(preflight.Judge(about), waivers)
		all = append(all, judged)
	}
	return all, nil
}

// subject is what is known of a server and the organization, for rules.
func (s *Store) subject(ctx context.Context, one Server, target exchange.Package) (preflight.Subject, error) {
	subject := preflight.Subject{
		Server: one.Server, Package: target, Unread: true, Ahead: true,
		Media: preflight.Media{Language: one.Language, Arch: one.Arch, Folder: DefaultFolder(target.Name, one.Language, one.Arch)},
	}
	var err error
	if subject.Now, err = s.Now(ctx); err != nil {
		return subject, err
	}
	known, err := s.Known(ctx, workOf(one), true)
	if err != nil {
		return subject, err
	}
	subject.Policy, subject.Fleet = known.Policy, known.Fleet
	if subject.Clustered() {
		subject.Nodes = preflight.Builds(known.Hosts)
		if subject.Servers, err = s.clusteredServers(ctx, one); err != nil {
			return subject, err
		}
	}
	prepared, err := s.Preparations(ctx)
	if err != nil {
		return subject, err
	}
	_, subject.Prepared = prepared[target.Name]
	var errs []error
	subject.Organization, errs = preflight.ReadOrganization(known.Organization)
	for _, err := range errs {
		subject.Unreadable = append(subject.Unreadable, err.Error())
	}
	return subject, nil
}

// clusteredServers are all clustered mailbox servers of a server's cluster.
func (s *Store) clusteredServers(ctx context.Context, one Server) ([]exchange.Server, error) {
	if len(one.Hosts) == 0 {
		return []exchange.Server{one.Server}, nil
	}
	names, err := s.q.ServersOnHost(ctx, one.Hosts[0].ID)
	if err != nil {
		return nil, fmt.Errorf("load the servers of %s: %w", one.Hosts[0].Name, err)
	}
	var all []exchange.Server
	for _, name := range names {
		other, err := s.ServerByName(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, other.Server)
	}
	return all, nil
}

// Accepted marks the findings that waivers accept. A waiver of what has become
// worse in kind since does not hold.
func Accepted(findings []preflight.Finding, waivers []Waiver) []preflight.Finding {
	all := slices.Clone(findings)
	for i, f := range all {
		for _, w := range waivers {
			if w.Rule == f.Rule && f.Waivable && w.Holds(string(f.Severity)) {
				all[i].Waived = true
			}
		}
	}
	return all
}

// FindingToWaive is what the last check of a server for a package found by a
// rule, or the preflight of its upgrade that is not over: the gravest.
func (s *Store) FindingToWaive(ctx context.Context, one Server, pkg, rule string) (preflight.Finding, error) {
	var found *preflight.Finding
	for _, h := range one.Hosts {
		last, err := s.LastChecks(ctx, h.ID, pkg, true, 1)
		if err != nil {
			return preflight.Finding{}, err
		}
		for _, r := range last {
			for _, f := range r.Findings {
				if f.Rule == rule && (found == nil || f.Severity == preflight.Blocker) {
					found = &f
				}
			}
		}
	}
	own, err := s.upgradeFound(ctx, one, pkg, rule)
	if err != nil {
		return preflight.Finding{}, err
	}
	if own != nil && (found == nil || own.Severity == preflight.Blocker && found.Severity != preflight.Blocker) {
		found = own
	}
	if found == nil {
		return preflight.Finding{}, rollout.NotFound("No check of %s for %s found anything by the rule %s. Check the server first.", one.Name, pkg, rule)
	}
	return *found, nil
}

// upgradeFound is what the preflight of a server's newest upgrade found by a
// rule; nil = it found nothing, is for another package, or is over.
func (s *Store) upgradeFound(ctx context.Context, one Server, pkg, rule string) (*preflight.Finding, error) {
	rules := preflight.Rules()
	at := slices.IndexFunc(rules, func(r preflight.Rule) bool { return r.Name == rule })
	upgrades, err := s.UpgradesOfServer(ctx, one.ID)
	if err != nil || len(upgrades) == 0 || at < 0 {
		return nil, err
	}
	newest := upgrades[0]
	known, err := exchange.PackageByName(newest.Package)
	if err != nil || known.Name != pkg || newest.Over || rollout.State(newest.State).Decided() {
		return nil, nil
	}
	u, err := s.Upgrade(ctx, newest.ID)
	if err != nil {
		return nil, err
	}
	for _, f := range u.Findings { // the gravest first
		if f.Rule == rule {
			return &preflight.Finding{
				Rule: rule, Severity: preflight.Severity(f.Severity), Text: f.Evidence, Remedy: f.Remedy, Source: rules[at].Source,
				Waivable: rules[at].Waivable, Fix: rules[at].Fix, At: f.At,
			}, nil
		}
	}
	return nil, nil
}
