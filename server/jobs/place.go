package jobs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// answersWithin is how long one of several hosts is waited for that could do the
// same.
const answersWithin = 5 * time.Second

// install is what a step installs, and from where.
type install struct {
	pkg, then runbook.Package
	media     runbook.Media
	manifest  string
}

// installs says what the step installs: the plan's package, or its second one.
func installs(book rollout.Runbook, w store.UpgradeWork, step rollout.Step) (install, error) {
	if w.Decision != "" { // it is about the step that waits
		step, _ = book.Step(w.Step)
	}
	first, err := packageOf(w, w.Package)
	if err != nil {
		return install{}, err
	}
	out := install{pkg: first, media: runbook.Media{Folder: w.Folder, SetupSHA256: w.SetupSHA256}, manifest: w.Manifest}
	if w.Then == "" {
		return out, nil
	}
	if out.then, err = packageOf(w, w.Then); err != nil {
		return install{}, err
	}
	if step.Second {
		out.pkg, out.media, out.manifest = out.then, runbook.Media{Folder: w.ThenMedia.Folder, SetupSHA256: w.ThenMedia.SHA256}, w.ThenMedia.Manifest
	}
	return out, nil
}

func packageOf(w store.UpgradeWork, name string) (runbook.Package, error) {
	p, err := exchange.PackageByName(name)
	if err != nil {
		return runbook.Package{}, err
	}
	return runbook.Package{Name: p.Words, Target: p.Target, Language: w.Server.Language, Arch: w.Server.Arch}, nil
}

// notesOf is what the other steps remember.
func notesOf(w store.UpgradeWork) map[string]map[string]string {
	notes := map[string]map[string]string{}
	for _, s := range w.Steps {
		if s.Name != worked(w) {
			notes[s.Name] = s.Memory
		}
	}
	return notes
}

// turnOf is the turn of the step; a decision has that of the step which waits.
func turnOf(book rollout.Runbook, w store.UpgradeWork, step rollout.Step) string {
	if w.Decision != "" {
		step, _ = book.Step(w.Step)
	}
	return step.Turn()
}

func hostNames(hosts []store.HostAddress) []string {
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
	}
	return names
}

// place is the host on which the step works. An outcome says that there is none,
// or that none of several answers.
func (e *Engine) place(ctx context.Context, w store.UpgradeWork, step rollout.Step, notes map[string]map[string]string) (store.HostAddress, *runbook.Outcome) {
	if len(w.Hosts) == 0 {
		return store.HostAddress{}, &runbook.Outcome{Kind: runbook.Failed, Message: w.Server.Name + " has no host in the inventory"}
	}
	last := worked(w)
	if w.Decision != "" { // it is about the host of the step that waits
		step, _ = e.plain(w).Step(w.Step)
		notes, last = maps.Clone(notes), w.Step
		step.PutBack = false
	}
	name, out := runbook.HostFor(step, notes, hostNames(w.Hosts))
	if out != nil {
		return store.HostAddress{}, out
	}
	if name == "" {
		return e.anyHost(ctx, w, last), nil
	}
	return hostNamed(w.Hosts, name), nil
}

func hostNamed(hosts []store.HostAddress, name string) store.HostAddress {
	if at := slices.IndexFunc(hosts, func(h store.HostAddress) bool { return h.Name == name }); at >= 0 {
		return hosts[at]
	}
	return hosts[0]
}

// anyHost is the host of a step that any of them can do: the one on which it has
// begun something, else the first that answers, beginning with the one of before.
func (e *Engine) anyHost(ctx context.Context, w store.UpgradeWork, step string) store.HostAddress {
	row := (&course{w: w}).step(step)
	hosts := slices.Clone(w.Hosts)
	slices.SortStableFunc(hosts, func(a, b store.HostAddress) int {
		return first(b.Name == row.Node) - first(a.Name == row.Node)
	})
	if hosts[0].Name == row.Node && (w.Decision != "" || begun(row.Memory)) {
		return hosts[0]
	}
	for _, host := range hosts {
		if e.answers(ctx, w, host) {
			return host
		}
	}
	return hosts[0]
}

func first(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// begun reports whether a step remembers more than when it was looked at.
func begun(memory map[string]string) bool {
	for key := range memory {
		if !strings.HasPrefix(key, "jobs.") {
			return true
		}
	}
	return false
}

// answers reports whether a host lets us in and answers at once.
func (e *Engine) answers(ctx context.Context, w store.UpgradeWork, host store.HostAddress) bool {
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	way, err := e.way(ctx, host, w.Server.HostFQDN(host.Name), w.Server.Profile)
	if err != nil {
		return false
	}
	defer way.done(ctx)
	_, err = way.conn.Identify(ctx)
	return err == nil
}

// know fills in what is kept of hosts, organization and policy. A step without
// return decides by its host alone.
func (e *Engine) know(ctx context.Context, w store.UpgradeWork, step rollout.Step, work *prepared) error {
	if step.NoReturn {
		return nil
	}
	known, err := e.store.Known(ctx, w, strings.HasPrefix(step.Name, "preflight"))
	if err != nil {
		return err
	}
	work.Known, work.Organization, work.Waived, work.Fleet = known.Hosts, known.Organization, known.Waived, known.Fleet
	work.Policy = runbook.PolicyOf(known.Policy)
	return nil
}

// put says in what is saved on which host the step worked.
func (p *prepared) put(w store.UpgradeWork, save *store.TickSave) {
	if p.host.ID == 0 {
		return
	}
	save.Host, save.Node = p.host.ID, p.host.Name
	if len(w.Hosts) < 2 {
		return
	}
	for i := range save.Findings {
		save.Findings[i].Node = p.host.Name
	}
}
