package httpd

import (
	"context"
	"slices"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// preflightRows are the findings of an upgrade's preflight, each with what can
// be done about it while the upgrade is not over, as on the page of findings.
func (s *server) preflightRows(ctx context.Context, v viewer, u store.UpgradeView, clock ui.Clock) ([]page.Finding, error) {
	var asked askedFor
	run := store.Run{ServerID: u.ServerID, Server: u.Server, Package: u.Package}
	if p, err := exchange.PackageByName(u.Package); err == nil {
		run.Package = p.Name
	}
	host := u.Server
	if len(u.Findings) > 0 && !u.State.Decided() && !ended(u.RolloutState) {
		var err error
		if asked, err = s.askedFor(ctx, u.ServerID); err != nil {
			return nil, err
		}
		one, err := s.Store.ServerByName(ctx, u.Server)
		if err != nil {
			return nil, err
		}
		if len(one.Hosts) > 0 {
			host = one.Hosts[0].Name
		}
	}
	rules := preflight.Rules()
	var rows []page.Finding
	for _, f := range u.Findings {
		row := page.Finding{Severity: f.Severity, Rule: f.Rule, Text: clean(f.Evidence), Servers: f.Node, Remedy: f.Remedy}
		if f.Waived {
			row.Note = "waived"
		}
		at := slices.IndexFunc(rules, func(one preflight.Rule) bool { return one.Name == f.Rule })
		if at >= 0 && !f.Waived && !u.State.Decided() && !ended(u.RolloutState) {
			run.Host.Name = host
			if f.Node != "" {
				run.Host.Name = f.Node
			}
			about := s.foundRow(v, run, preflight.Finding{
				Rule: f.Rule, Severity: preflight.Severity(f.Severity), Waivable: rules[at].Waivable, Fix: rules[at].Fix,
			}, "", asked, clock)
			row.Acts, row.Waiver, row.Fixed = about.Acts, about.Waiver, about.Fixed
		}
		rows = append(rows, row)
	}
	return rows, nil
}
