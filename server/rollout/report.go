package rollout

import (
	"slices"
	"strings"
)

// Report is a plan for people and programs: the JSON of `wavekeeper plan`.
type Report struct {
	Package  string        `json:"package"`
	Target   string        `json:"target"`
	Scope    string        `json:"scope"`
	RuleSet  string        `json:"ruleset"`
	Hash     string        `json:"hash"`
	Waves    []WaveReport  `json:"waves"`
	Tensions []Tension     `json:"tensions"`
	Findings []PlanFinding `json:"findings"`
	Forecast Forecast      `json:"forecast"`
}

// WaveReport is one wave of a report.
type WaveReport struct {
	Number  int            `json:"number"`
	Name    string         `json:"name"`
	Servers []ServerReport `json:"servers"`
}

// ServerReport is one server's place in a plan and why it is there.
type ServerReport struct {
	Server     string  `json:"server"`
	Rank       Rank    `json:"rank"`
	After      []After `json:"after"`
	P50Minutes int     `json:"p50_minutes"`
	P90Minutes int     `json:"p90_minutes"`
}

// After is what one rule makes precede a server in one scope.
type After struct {
	Rule     string   `json:"rule"`
	Strength Strength `json:"strength"`
	Scope    string   `json:"scope"`
	Role     string   `json:"role"` // of those that precede
	Servers  []string `json:"servers"`
	Count    int      `json:"count"`
}

// Forecast is how long a plan takes when nothing fails and nobody is waited for.
type Forecast struct {
	P50Minutes        int      `json:"p50_minutes"`
	P90Minutes        int      `json:"p90_minutes"`
	PlannedMinutes    int      `json:"planned_minutes"`     // every server at its P50
	LowerBoundMinutes int      `json:"lower_bound_minutes"` // no order of starts is shorter
	CriticalPath      []string `json:"critical_path"`       // the longest chain of servers that wait for each other
}

// mostNamed is how many servers "after" names unless all are asked for.
const mostNamed = 20

func (m *maker) report(hash string, full bool) Report {
	r := Report{
		Package: m.plan.Package.Name, Target: m.plan.Package.Target.String(), Scope: m.plan.Scope, RuleSet: m.plan.RuleSet,
		Hash: hash, Waves: []WaveReport{}, Tensions: m.tensions, Findings: m.findings(), Forecast: m.forecast(),
	}
	afters := map[*class][]After{}
	for _, c := range m.order.classes {
		afters[c] = c.afters(full)
	}
	for i := range m.plan.Waves {
		r.Waves = append(r.Waves, WaveReport{Number: i + 1, Servers: []ServerReport{}})
	}
	for _, c := range m.order.classes {
		w := &r.Waves[c.wave-1]
		label := roleLabel(c)
		if !slices.Contains(strings.Split(w.Name, ", "), label) {
			w.Name = strings.TrimPrefix(w.Name+", "+label, ", ")
		}
		for _, u := range c.units {
			w.Servers = append(w.Servers, ServerReport{u.name, c.rank, afters[c], u.minutes, u.slow})
		}
	}
	for _, w := range r.Waves {
		slices.SortFunc(w.Servers, func(a, b ServerReport) int { return strings.Compare(a.Server, b.Server) })
	}
	return r
}

func roleLabel(c *class) string {
	names := make([]string, len(c.roles))
	for i, r := range c.roles {
		names[i] = string(r)
	}
	return strings.Join(names, "+")
}

func (c *class) afters(full bool) []After {
	out := []After{}
	for _, g := range c.before {
		a := After{g.rule.Name, g.strength, g.scope, string(g.rule.Before), g.servers, len(g.servers)}
		if !full && len(a.Servers) > mostNamed {
			a.Servers = a.Servers[:mostNamed:mostNamed]
		}
		out = append(out, a)
	}
	return out
}
