package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// PlanCmd plans from an inventory file, without a database.
type PlanCmd struct {
	Inventory string `required:"" help:"Inventory file (CSV); - is standard input." placeholder:"FILE"`
	Package   string `required:"" help:"Package by name: sp1, sp2, sp3, or a rollup such as sp1-ru4." placeholder:"NAME"`
	Scope     string `enum:"organization,site" default:"organization" help:"Where the order holds: ${enum}."`
	Ruleset   string `default:"standard" help:"Rule set: standard or microsoft-2007." placeholder:"NAME"`
	Policy    string `help:"Policy file (YAML or JSON): at_once, at_once_per_site, floor, pilot_minutes, stop_after_failures, overlap, windows, freezes." placeholder:"FILE"`
	Full      bool   `help:"List every server that another waits for, not only the first 20."`
	JSON      bool   `name:"json" help:"Print the plan as JSON."`
}

// Run reads the inventory, makes the plan and prints it. Nothing to do is a
// plan without waves and no failure.
func (c *PlanCmd) Run(g *Globals) error {
	pkg, err := exchange.PackageByName(c.Package)
	if err != nil {
		return err
	}
	opt := rollout.Options{Scope: c.Scope, RuleSet: c.Ruleset, Full: c.Full}
	if c.Policy != "" {
		if opt.Policy, err = readPolicy(c.Policy); err != nil {
			return err
		}
	}
	inventory, faults, err := openInventory(g, c.Inventory)
	if err != nil {
		return err
	}
	for _, f := range faults {
		fmt.Fprintln(g.Stderr, f.Error())
	}
	if len(faults) > 0 {
		return Exit(1)
	}
	_, report, err := rollout.Make(inventory.Servers, pkg, opt)
	if err != nil {
		return err
	}
	if c.JSON {
		return writePlanJSON(g.Stdout, report)
	}
	return printPlan(g.Stdout, report)
}

func readPolicy(path string) (*rollout.Policy, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	p, err := rollout.ParsePolicy(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &p, nil
}

func openInventory(g *Globals, path string) (inv exchange.Inventory, faults []exchange.LineError, err error) {
	if path == "-" {
		inv, faults = exchange.ReadInventory(g.Stdin)
		return inv, faults, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return inv, nil, fmt.Errorf("read inventory: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	inv, faults = exchange.ReadInventory(f)
	return inv, faults, nil
}

// printPlan writes a plan for people.
func printPlan(w io.Writer, r rollout.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Plan for %s (%s), order by %s over the %s\nhash %s\n", r.Package, r.Target, r.RuleSet, scopeWords(r.Scope), r.Hash)
	if len(r.Waves) == 0 {
		b.WriteString("\nNothing to do.\n")
	}
	for _, wave := range r.Waves {
		count := "1 server"
		if n := len(wave.Servers); n > 1 {
			count = fmt.Sprintf("%d servers", n)
		}
		fmt.Fprintf(&b, "\nWave %d: %s (%s)\n", wave.Number, wave.Name, count)
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  SERVER\tRANK\tP50\tP90\tWAITS FOR")
		for _, s := range wave.Servers {
			fmt.Fprintf(t, "  %s\t%d.%d.%d\t%d min\t%d min\t%s\n", s.Server, s.Rank[0], s.Rank[1], s.Rank[2], s.P50Minutes, s.P90Minutes, afterWords(s.After))
		}
		if err := t.Flush(); err != nil {
			return fmt.Errorf("print plan: %w", err)
		}
	}
	if len(r.Tensions) > 0 {
		b.WriteString("\nTensions\n")
	}
	for _, t := range r.Tensions {
		fmt.Fprintf(&b, "  %s, %s, %s: %s\n", t.Strength, t.Rule, scopeWords(t.Scope), t.Text)
	}
	if len(r.Findings) > 0 {
		b.WriteString("\nFindings\n")
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s, %s: %s\n", f.Severity, f.Rule, f.Text)
	}
	fmt.Fprintf(&b, "\nForecast: %s (P50), %s (P90); no order is shorter than %s. Critical path: %s\n",
		minutesWords(r.Forecast.P50Minutes), minutesWords(r.Forecast.P90Minutes), minutesWords(r.Forecast.LowerBoundMinutes), strings.Join(r.Forecast.CriticalPath, " > "))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print plan: %w", err)
	}
	return nil
}

func scopeWords(scope string) string {
	switch scope {
	case rollout.ScopeOrganization, rollout.ScopeSite:
		return scope
	case "":
		return "site without a name"
	default:
		return "site " + scope
	}
}

func afterWords(after []rollout.After) string {
	if len(after) == 0 {
		return "nothing"
	}
	parts := make([]string, len(after))
	for i, a := range after {
		parts[i] = fmt.Sprintf("%d %s (%s)", a.Count, a.Role, a.Strength)
	}
	return strings.Join(parts, ", ")
}

func minutesWords(minutes int) string {
	if minutes < 60 {
		return fmt.Sprintf("%d min", minutes)
	}
	return fmt.Sprintf("%d h %02d min", minutes/60, minutes%60)
}
