package httpd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

const (
	checksShown   = 40 // hosts whose last check a page shows at once; the others are folded
	blockersShown = 3  // blockers of a host that are shown by their words
)

// checkedUnit is a server with the hosts that its upgrade works on.
type checkedUnit struct {
	server string
	hosts  []string
}

// waveUnits are the servers of a wave, by what an approval binds.
func waveUnits(content store.WaveContent) []checkedUnit {
	var units []checkedUnit
	for _, c := range content.Servers {
		one := checkedUnit{server: c.Server}
		for _, h := range c.Hosts {
			one.hosts = append(one.hosts, h.Name)
		}
		units = append(units, one)
	}
	return units
}

// planUnits are the servers of a plan that are in a wave.
func planUnits(p rollout.Plan) []checkedUnit {
	var units []checkedUnit
	for _, one := range p.Servers {
		if p.WaveOf(one.Name) == 0 {
			continue
		}
		unit := checkedUnit{server: one.Name, hosts: []string{one.Name}}
		if len(one.Nodes) > 0 {
			unit.hosts = nil
		}
		for _, n := range one.Nodes {
			unit.hosts = append(unit.hosts, n.Name)
		}
		units = append(units, unit)
	}
	return units
}

// checksOf is what the last checks of servers say, for each package of their plan.
// They bind nothing: each server's own preflight decides when it starts.
func (s *server) checksOf(ctx context.Context, plan rollout.Plan, units []checkedUnit, clock ui.Clock) ([]page.Checks, error) {
	first, err := s.checksFor(ctx, plan.Package, nil, units, clock)
	if err != nil || plan.Then == nil {
		return []page.Checks{first}, err
	}
	second, err := s.checksFor(ctx, *plan.Then, &plan.Package, units, clock)
	return []page.Checks{first, second}, err
}

// rollupLevel is the rule that a rollup is for the service pack which is installed:
// of a plan's second package the first one sees to that.
const rollupLevel = "rollup-level"

// checksFor is checksOf for one package; after is the one that is installed before
// it, nil = none is.
func (s *server) checksFor(ctx context.Context, pkg exchange.Package, after *exchange.Package, units []checkedUnit, clock ui.Clock) (page.Checks, error) {
	out := page.Checks{Href: "/findings?package=" + pkg.Name}
	var names []string
	for _, unit := range units {
		names = append(names, unit.hosts...)
	}
	runs, err := s.Store.NewestChecks(ctx, pkg.Name, names)
	if err != nil {
		return out, err
	}
	waivers, err := s.Store.Waivers(ctx, 0, false)
	if err != nil {
		return out, err
	}
	by := make(map[string]store.Run, len(runs))
	for _, r := range runs {
		if after != nil {
			r.Findings = slices.DeleteFunc(r.Findings, func(f preflight.Finding) bool { return f.Rule == rollupLevel })
		}
		by[strings.ToLower(r.Host.Name)] = r
	}
	blockers, blocked, never, old := 0, 0, 0, 0
	for _, unit := range units {
		for _, host := range unit.hosts {
			line := page.CheckedHost{Server: ui.Link{Href: findingsHref(unit.server, pkg.Name), Text: unit.server}, Host: host}
			run, known := by[strings.ToLower(host)]
			line.Waivers = waiversShown(waivers, unit.server, pkg.Name, clock)
			if !known {
				never++
				line.State = ui.State{Key: "unknown", Note: "never checked"}
				line.Words = "Never checked for " + pkg.Words + "."
				out.Hosts = append(out.Hosts, line)
				continue
			}
			n := checkedLine(&line, run, waivers, unit.server)
			if line.At, line.Old = clock.Moment(*run.JudgedAt), clock.Now.Sub(*run.JudgedAt) > oldFacts; line.Old {
				old++
			}
			if n > 0 {
				blockers, blocked = blockers+n, blocked+1
			}
			out.Hosts = append(out.Hosts, line)
		}
	}
	slices.SortStableFunc(out.Hosts, func(a, b page.CheckedHost) int { return cmp.Compare(checkPlace(a.State.Key), checkPlace(b.State.Key)) })
	if len(out.Hosts) > checksShown {
		out.Hosts, out.Rest = out.Hosts[:checksShown], out.Hosts[checksShown:]
	}
	hosts := len(out.Hosts) + len(out.Rest)
	out.State, out.Words = checksWords(pkg, after, hosts, blockers, blocked, never, old)
	if after != nil && never == hosts {
		out.Hosts, out.Rest = nil, nil // one line says it of all
	}
	return out, nil
}

// checksWords is the answer in one line, and how grave it is.
func checksWords(pkg exchange.Package, after *exchange.Package, hosts, blockers, blocked, never, old int) (ui.State, string) {
	means := ": each keeps its server from starting until it is cured or accepted"
	if after != nil {
		means = fmt.Sprintf(": a server starts all the same, since its preflight asks for %s, and they would stand in the way of %s then", after.Words, pkg.Words)
	}
	switch {
	case never < hosts || never == 0:
	case after != nil:
		return ui.State{Key: "unknown"}, fmt.Sprintf("None of its hosts was ever checked for %s, which follows %s.", pkg.Words, after.Words)
	default:
		return ui.State{Key: "unknown"}, "None of its hosts was ever checked for " + pkg.Words + ": what the preflight will find is not known."
	}
	words := fmt.Sprintf("The last checks for %s found no blocker", pkg.Words)
	state := ui.State{Key: "pass"}
	if blockers > 0 {
		words = fmt.Sprintf("The last checks for %s found %s on %s%s", pkg.Words, ui.Count(blockers, "blocker", "blockers"), ui.Count(blocked, "host", "hosts"), means)
		state.Key = "blocker"
		if after != nil {
			state.Key = "warning"
		}
	}
	words += "."
	if never > 0 {
		words += " " + ui.Count(never, "host was", "hosts were") + " never checked."
		if state.Key == "pass" {
			state.Key = "unknown"
		}
	}
	if old > 0 {
		words += " " + ui.Count(old, "check is", "checks are") + " older than 24 hours."
	}
	return state, words
}

// checkedLine fills what a check found, and returns how many of its blockers
// nobody accepted.
func checkedLine(line *page.CheckedHost, run store.Run, waivers []store.Waiver, server string) int {
	counts := map[preflight.Severity]int{}
	waived := 0
	for _, f := range run.Findings {
		if f.Waivable && slices.ContainsFunc(waivers, func(w store.Waiver) bool {
			return w.Of(server) && w.Package == run.Package && w.Rule == f.Rule && w.Holds(string(f.Severity))
		}) {
			waived++
			continue
		}
		counts[f.Severity]++
		if f.Severity == preflight.Blocker {
			line.Blockers = append(line.Blockers, f.Rule+": "+clean(f.Text))
		}
	}
	line.Words = fmt.Sprintf("%s, %s, %s", ui.Count(counts[preflight.Blocker], "blocker", "blockers"), ui.Count(counts[preflight.Warning], "warning", "warnings"), ui.Count(counts[preflight.Info], "note", "notes"))
	if waived > 0 {
		line.Words += fmt.Sprintf(", %d waived", waived)
	}
	if more := len(line.Blockers) - blockersShown; more > 0 {
		line.Blockers = append(line.Blockers[:blockersShown], fmt.Sprintf("and %d more", more))
	}
	line.State = ui.State{Key: string(preflight.Pass)}
	for _, severity := range severityOrder[:3] {
		if counts[severity] > 0 {
			line.State.Key = string(severity)
			break
		}
	}
	return counts[preflight.Blocker]
}

// waiversShown are the waivers of a server that stand, and those that wait.
func waiversShown(all []store.Waiver, server, pkg string, clock ui.Clock) []ui.Link {
	var out []ui.Link
	for _, w := range all {
		if !w.Of(server) || w.Package != pkg || w.Over {
			continue
		}
		link := ui.Link{Href: waiverHref(w.ID)}
		switch {
		case w.Stands():
			link.Text = clean(fmt.Sprintf("%s accepted until %s by %s: %s", w.Rule, clock.Moment(w.Until).Text, w.DecidedBy, brief(w.Reason)))
		case w.State == store.WaiverAsked:
			link.Text = clean(fmt.Sprintf("%s: %s asks that it be accepted", w.Rule, w.AskedBy))
		default:
			continue
		}
		out = append(out, link)
	}
	return out
}

// checkPlace puts what keeps a server from starting first, then what is not known.
func checkPlace(key string) int {
	return slices.Index([]string{"blocker", "unknown", "warning", "info", "pass"}, key)
}
