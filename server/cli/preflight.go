package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// blockedExit is the exit status of preflight that found blockers.
const blockedExit = 3

// PreflightCmd checks servers outside upgrades.
type PreflightCmd struct {
	DatabaseFlags
	Server  []string      `arg:"" optional:"" help:"Servers to check, by name; * for the whole inventory."`
	Package string        `required:"" help:"Package that they are judged for, by name: sp1." placeholder:"NAME"`
	All     bool          `help:"Show what passed and what is only to know, too."`
	Wait    bool          `default:"true" negatable:"" help:"Wait until every host was checked. --no-wait only asks: a running coordinator does the checks."`
	Within  time.Duration `default:"30m" help:"How long to wait at the most."`
	Stored  bool          `help:"Ask no host: judge the facts that are stored, with their age."`
	Reason  string        `help:"Why; it stands on the record." placeholder:"TEXT"`
	JSON    bool          `name:"json" help:"One JSON object per host."`
}

// checkLine is one host's result, its keys in the documented order.
type checkLine struct {
	Host     string        `json:"host"`
	Server   string        `json:"server"`  // the one that it was judged for
	Servers  []string      `json:"servers"` // all that it belongs to: of a node every clustered mailbox server
	Package  string        `json:"package"`
	State    string        `json:"state"` // done, failed, skipped; stored = judged by stored facts
	Message  string        `json:"message"`
	Judged   string        `json:"judged"` // RFC 3339; "" = it came to no findings
	Oldest   string        `json:"oldest_fact"`
	Findings []findingLine `json:"findings"`
	Changed  []string      `json:"changed"` // rules whose finding is another one than in the check before
}

type findingLine struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
	Evidence string `json:"evidence"`
	Remedy   string `json:"remedy"`
	Source   string `json:"source"`
	Unknown  bool   `json:"unknown"`
	Waived   bool   `json:"waived"`
	Waivable bool   `json:"waivable"`
	Fix      string `json:"fix"`
	FactsAt  string `json:"facts_at"`
}

// Run asks for the checks, waits, and prints what they found. The exit status is
// 0 when nothing blocks, 3 when something does, 1 when a host was not checked.
func (c *PreflightCmd) Run(g *Globals) error {
	ctx := context.Background()
	known, err := exchange.PackageByName(c.Package)
	if err != nil {
		return usage(g, fmt.Errorf("--package: %w", err))
	}
	if len(c.Server) == 0 {
		return usage(g, errors.New("say which servers: their names, or * for the whole inventory"))
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	ids, err := namedServers(ctx, s, c.Server)
	if err != nil {
		return err
	}
	if c.Stored {
		return c.stored(ctx, g, s, ids, known.Name)
	}
	asked, err := s.AskChecks(ctx, commandLine(), store.CheckAsk{Servers: ids, Package: known.Name, Reason: c.Reason})
	if err != nil {
		return err
	}
	if !c.Wait {
		fmt.Fprintf(g.Stdout, "asked for checks of %d hosts for %s", asked.Hosts, known.Name)
		if asked.Batch != 0 {
			fmt.Fprintf(g.Stdout, ", number %d", asked.Batch)
		}
		fmt.Fprintln(g.Stdout)
		if len(asked.Open) > 0 {
			fmt.Fprintf(g.Stdout, "being checked already: %s\n", strings.Join(asked.Open, ", "))
		}
		return nil
	}
	runs, err := awaitRuns(ctx, s, asked.Runs, c.Within)
	if err != nil {
		return err
	}
	return c.print(ctx, g.Stdout, s, runs)
}

// awaitRuns waits until all runs are over.
func awaitRuns(ctx context.Context, s *store.Store, ids []int64, within time.Duration) ([]store.Run, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	every := time.NewTicker(500 * time.Millisecond)
	defer every.Stop()
	var over []store.Run
	for len(over) < len(ids) {
		r, err := s.RunByID(ctx, ids[len(over)])
		switch {
		case err != nil && ctx.Err() == nil:
			return over, err
		case err == nil && !r.Open():
			over = append(over, r)
			continue
		}
		select {
		case <-ctx.Done():
			return over, fmt.Errorf("%d of %d hosts are over after %s; it goes on without being waited for, as long as a coordinator runs (wavekeeper serve)", len(over), len(ids), within)
		case <-every.C:
		}
	}
	return over, nil
}

// stored judges what is stored.
func (c *PreflightCmd) stored(ctx context.Context, g *Globals, s *store.Store, ids []int64, pkg string) error {
	all, err := s.Servers(ctx)
	if err != nil {
		return err
	}
	wanted := map[int64]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	type judgement struct {
		line     checkLine
		findings []preflight.Finding
	}
	var found []judgement
	for _, one := range all {
		if !wanted[one.ID] {
			continue
		}
		judged, err := s.JudgeStored(ctx, one.Name, pkg)
		if err != nil {
			return err
		}
		for _, j := range judged {
			// A node is judged for each of its servers, and said once if that is the same.
			if i := slices.IndexFunc(found, func(f judgement) bool { return f.line.Host == j.Host && reflect.DeepEqual(f.findings, j.Findings) }); i >= 0 {
				found[i].line.Servers = append(found[i].line.Servers, one.Name)
				continue
			}
			line := checkLine{Host: j.Host, Server: one.Name, Servers: []string{one.Name}, Package: pkg, State: "stored", Message: "judged by stored facts, the host was not asked"}
			if j.Oldest == nil {
				line.Message += "; no facts of it are stored"
			} else {
				line.Oldest = j.Oldest.UTC().Format(time.RFC3339)
				line.Message += "; the oldest of them is of " + line.Oldest
			}
			found = append(found, judgement{line, j.Findings})
		}
	}
	p := checkPrinter{out: g.Stdout, all: c.All, json: c.JSON}
	for _, f := range found {
		if err := p.line(f.line, f.findings); err != nil {
			return err
		}
	}
	return p.end()
}

// serversByHost names the servers that each host belongs to, by the host's id.
func serversByHost(all []store.Server) map[int64][]string {
	by := map[int64][]string{}
	for _, one := range all {
		for _, h := range one.Hosts {
			by[h.ID] = append(by[h.ID], one.Name)
		}
	}
	return by
}

// print prints what checks found, and what is another than in the one before.
func (c *PreflightCmd) print(ctx context.Context, out io.Writer, s *store.Store, runs []store.Run) error {
	all, err := s.Servers(ctx)
	if err != nil {
		return err
	}
	by := serversByHost(all)
	p := checkPrinter{out: out, all: c.All, json: c.JSON}
	for _, r := range runs {
		line := checkLine{Host: r.Host.Name, Server: r.Server, Servers: by[r.Host.ID], Package: r.Package, State: string(r.State), Message: r.Message}
		waivers, err := s.WaiversFor(ctx, r.ServerID, r.Package)
		if err != nil {
			return err
		}
		if r.JudgedAt != nil {
			line.Judged = r.JudgedAt.UTC().Format(time.RFC3339)
			before, err := s.LastChecks(ctx, r.Host.ID, r.Package, true, 2)
			if err != nil {
				return err
			}
			if len(before) == 2 && before[0].ID == r.ID {
				for _, change := range preflight.Compare(before[1].Findings, r.Findings) {
					line.Changed = append(line.Changed, change.Rule)
				}
			}
		}
		p.unchecked = p.unchecked || r.State != rollout.Done
		if err := p.line(line, store.Accepted(r.Findings, waivers)); err != nil {
			return err
		}
	}
	return p.end()
}

// checkPrinter prints hosts and counts what the exit status says.
type checkPrinter struct {
	out       io.Writer
	all, json bool
	blockers  int
	unchecked bool
}

func (p *checkPrinter) line(l checkLine, findings []preflight.Finding) error {
	l.Findings = []findingLine{}
	if l.Changed == nil {
		l.Changed = []string{}
	}
	if l.Servers == nil {
		l.Servers = []string{}
	}
	for _, f := range findings {
		if f.Blocks() {
			p.blockers++
		}
		if !p.all && (f.Severity == preflight.Pass || f.Severity == preflight.Info) {
			continue
		}
		one := findingLine{
			Rule: f.Rule, Severity: string(f.Severity), Text: f.Text, Evidence: f.Evidence, Remedy: f.Remedy, Source: f.Source, Unknown: f.Unknown,
			Waived: f.Waived, Waivable: f.Waivable, Fix: f.Fix,
		}
		if !f.At.IsZero() {
			one.FactsAt = f.At.UTC().Format(time.RFC3339)
		}
		l.Findings = append(l.Findings, one)
	}
	if p.json {
		return json.NewEncoder(p.out).Encode(l)
	}
	name := l.Host
	if len(l.Servers) > 1 || len(l.Servers) == 1 && !strings.EqualFold(l.Servers[0], l.Host) {
		name += " (" + strings.Join(l.Servers, ", ") + ")"
	}
	fmt.Fprintf(p.out, "== %s: %s: %s\n", name, l.State, printable(l.Message))
	for _, f := range l.Findings {
		word := f.Severity
		if f.Waived {
			word += " (waived)"
		}
		fmt.Fprintf(p.out, "%s %s: %s", word, f.Rule, printable(f.Text))
		if f.Evidence != "" {
			fmt.Fprintf(p.out, " (%s)", printable(f.Evidence))
		}
		fmt.Fprintln(p.out)
		if f.Remedy != "" {
			fmt.Fprintf(p.out, "   %s\n", printable(f.Remedy))
		}
	}
	if len(l.Changed) > 0 {
		fmt.Fprintf(p.out, "changed since the check before: %s\n", strings.Join(l.Changed, ", "))
	}
	return nil
}

func (p *checkPrinter) end() error {
	switch {
	case p.unchecked:
		return Exit(1)
	case p.blockers > 0:
		return Exit(blockedExit)
	}
	return nil
}
