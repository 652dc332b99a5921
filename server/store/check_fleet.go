package store

import (
	"context"
	"fmt"
	"time"

	"wavekeeper/server/preflight"
	"wavekeeper/server/store/db"
)

// FleetFilter says which findings of the fleet are looked for. Empty = all.
type FleetFilter struct {
	Severity string
	Rule     string
	Text     string   // part of the name of a server or host
	Nodes    []string // hosts that count where Text is given, whatever their names
}

// FleetCount is how often a rule found something of one severity by the last
// checks of all hosts.
type FleetCount struct {
	Rule     string
	Severity preflight.Severity
	Waived   bool
	Found    int // in the whole fleet
	Shown    int // of them on servers and hosts that the filter names
}

// FleetFinding is what the last check of one host found.
type FleetFinding struct {
	Run     Run // whose host, server, package and time are told
	Finding preflight.Finding
	Again   bool               // there was a check before it
	Before  *preflight.Finding // its severity and words by the same rule; nil = it did not find it
}

// FleetSize is how large the fleet is, and how much of it was checked.
type FleetSize struct {
	Servers int
	Hosts   int // that were checked
	Old     int // of them: last checked before a time
}

// FleetChecked counts the hosts that were checked for a package, and those of them
// that were last checked before a time.
func (s *Store) FleetChecked(ctx context.Context, pkg string, before time.Time) (FleetSize, error) {
	r, err := s.q.FleetChecked(ctx, db.FleetCheckedParams{Package: pkg, Before: &before})
	if err != nil {
		return FleetSize{}, fmt.Errorf("count the hosts checked for %s: %w", pkg, err)
	}
	return FleetSize{Servers: int(r.Servers), Hosts: int(r.Hosts), Old: int(r.Old)}, nil
}

// FleetCounts counts what the last checks of all hosts for a package found, by
// rule; what passed is left out.
func (s *Store) FleetCounts(ctx context.Context, pkg string, f FleetFilter) ([]FleetCount, error) {
	rows, err := s.q.FleetFound(ctx, db.FleetFoundParams{Package: pkg, Text: f.Text, Nodes: list(f.Nodes)})
	if err != nil {
		return nil, fmt.Errorf("count findings for %s: %w", pkg, err)
	}
	all := make([]FleetCount, 0, len(rows))
	for _, r := range rows {
		all = append(all, FleetCount{Rule: r.Rule, Severity: preflight.Severity(r.Severity), Waived: r.Waived, Found: int(r.Found), Shown: int(r.Shown)})
	}
	return all, nil
}

// FleetFindings is a page of what the last checks of all hosts for a package
// found: the gravest first, then what is not waived, by rule and host.
func (s *Store) FleetFindings(ctx context.Context, pkg string, f FleetFilter, skip, most int) ([]FleetFinding, error) {
	rows, err := s.q.FleetFindings(ctx, db.FleetFindingsParams{
		Package: pkg, Severity: f.Severity, Rule: f.Rule, Text: f.Text, Nodes: list(f.Nodes), Skip: int64(skip), Most: int64(most),
	})
	if err != nil {
		return nil, fmt.Errorf("load findings for %s: %w", pkg, err)
	}
	all := make([]FleetFinding, 0, len(rows))
	for _, r := range rows {
		one := FleetFinding{
			Run:     Run{Kind: RunCheck, Host: HostAddress{ID: r.HostID, Name: r.Host}, ServerID: r.ServerID, Server: r.Server, Package: pkg, JudgedAt: r.JudgedAt},
			Finding: findingOf(r.CheckFinding), Again: r.Again,
		}
		if r.BeforeSeverity != "" {
			one.Before = &preflight.Finding{Rule: r.CheckFinding.Rule, Severity: preflight.Severity(r.BeforeSeverity), Text: r.BeforeText}
		}
		all = append(all, one)
	}
	return all, nil
}

// FleetGone is what the check before found of a host and the last one did not, by
// host, as many as are wanted: host, rule and text are told.
func (s *Store) FleetGone(ctx context.Context, pkg string, most int) ([]FleetFinding, error) {
	rows, err := s.q.FleetGone(ctx, db.FleetGoneParams{Package: pkg, Most: int64(most)})
	if err != nil {
		return nil, fmt.Errorf("load what is gone for %s: %w", pkg, err)
	}
	all := make([]FleetFinding, 0, len(rows))
	for _, r := range rows {
		all = append(all, FleetFinding{Run: Run{Host: HostAddress{Name: r.Host}}, Finding: preflight.Finding{Rule: r.Rule, Text: r.Text}})
	}
	return all, nil
}
