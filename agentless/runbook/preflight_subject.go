package runbook

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
	rules "wavekeeper/server/preflight"
)

// subjectOf asks the host anew and brings together all that rules look at: what
// WinRM tells, what the tasks of the step look read, what the two tasks of this
// step showed, and what is known of organization and fleet.
func subjectOf(ctx context.Context, w *Work) (rules.Subject, []Fact, error) {
	found, err := w.Host.Facts(ctx)
	if err != nil {
		return rules.Subject{}, nil, err
	}
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		return rules.Subject{}, nil, err
	}
	known, err := factsOf(found)
	if err != nil {
		return rules.Subject{}, nil, err
	}
	asked := map[string]bool{} // just now: what is kept of these is older
	for _, f := range found {
		asked[f.Name] = true
	}
	for _, earlier := range []map[string]rules.Fact{tasksTold(w), chosenTold(w), w.Known[w.Node]} {
		for name, f := range earlier {
			if _, told := known[name]; !told && !asked[name] {
				known[name] = f
			}
		}
	}
	s := rules.Subject{
		Server: w.Server, Servers: w.Servers, Package: catalogued(w.Package), Media: mediaOf(w), Canary: canaryOf(w),
		Fleet: w.Fleet, Policy: w.Policy.Rules, Prepared: w.Prepared, OwnSetup: w.ownProgram(),
		RemovesPacks: removesPacks(), Ahead: w.Run != 0, WithoutWMI: w.Host.Without(), Waived: w.Waived, Now: w.Now,
	}
	if w.Then != (Package{}) && !w.second() {
		then := catalogued(w.Then)
		s.Then = &then
	}
	var errs []error // a fact of another shape is unknown, and its rule says so
	s.Facts, errs = rules.ReadFacts(known)
	if s.Media.Packs, err = packsTold(ctx, w, s); err != nil {
		return rules.Subject{}, nil, err
	}
	var more []error
	s.Organization, more = rules.ReadOrganization(w.Organization)
	s.Unreadable = words(append(errs, more...))
	s.Facts.SetupProcesses = rules.Tell(setupsOf(livingOf(w, processes)), w.Now)
	if s.Clustered() {
		s.Node, s.Nodes = w.Node, nodeBuilds(w)
	}
	w.Memory["node"] = w.Node
	if lowest := lowestOf(s.Facts); !lowest.IsZero() {
		w.Memory["build"] = lowest.String()
		if s.Clustered() {
			s.Nodes[w.Node] = lowest
		}
	}
	return s, found, nil
}

// ownProgram reports whether what stands half done on the host may be this upgrade's:
// a program of it began there. When the second package has its turn, the first one's
// is proven to have come to its end.
func (w *Work) ownProgram() bool {
	if w.second() {
		return w.note(RollupName)[setupRan] != "" || strings.Contains(w.Memory[ranKeys], RollupName)
	}
	return w.ranOnce() || w.Memory[lastRan] != ""
}

func words(errs []error) []string {
	out := make([]string, len(errs))
	for i, err := range errs {
		out[i] = err.Error()
	}
	return out
}

// factsOf are facts as they are stored. One without a value was not told.
func factsOf(found []Fact) (map[string]rules.Fact, error) {
	known := make(map[string]rules.Fact, len(found))
	for _, f := range found {
		if f.Value == nil {
			continue
		}
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, fmt.Errorf("encode fact %s: %w", f.Name, err)
		}
		known[f.Name] = rules.Fact{Value: value, Source: f.Source, At: f.At}
	}
	return known, nil
}

// looked is where the step look keeps the facts of its tasks in its memory.
const looked = "facts"

// keepLooked keeps the facts of a task for preflight.
func keepLooked(w *Work, found []Fact) error {
	known, err := factsOf(found)
	if err != nil {
		return err
	}
	text, err := json.Marshal(known)
	if err != nil {
		return fmt.Errorf("encode what was looked at: %w", err)
	}
	w.Memory[looked] = string(text)
	return nil
}

// tasksTold are the facts that the step look of this host read by host tasks.
func tasksTold(w *Work) map[string]rules.Fact {
	var known map[string]rules.Fact
	steps := []string{lookedAtStep, "facts"}
	if w.anew {
		steps = []string{lookOnceMore}
	}
	for _, step := range steps {
		text := w.note(step)[looked]
		if text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), &known); err == nil {
			return known
		}
	}
	return nil // nothing is known: the rules say so
}

// catalogued is the package as the catalogue has it.
func catalogued(p Package) exchange.Package {
	if known, err := exchange.PackageByName(p.Name); err == nil && known.Target == p.Target {
		return known
	}
	return exchange.Package{Name: strings.ToLower(p.Name), Words: p.Name, Kind: exchange.ServicePack, Target: p.Target}
}

// removesPacks reports whether the runbook takes language packs out by itself.
func removesPacks() bool {
	_, ok := Standalone().Step("um-out")
	return ok
}

// setupsOf are the programs of Setup, its own before the command interpreter
// around it.
func setupsOf(l living) []rules.Process {
	all := make([]rules.Process, len(l.setup))
	for i, p := range l.setup {
		all[i] = rules.Process{ID: p.ID, Parent: p.Parent, Name: p.Name, CommandLine: p.CommandLine, Session: p.Session, Owner: p.Owner, Via: p.Via}
	}
	slices.SortStableFunc(all, func(a, b rules.Process) int {
		return cmp.Compare(isShell(a.Name), isShell(b.Name))
	})
	return all
}

func isShell(image string) int {
	if strings.EqualFold(image, "cmd.exe") {
		return 1
	}
	return 0
}

// nodeBuilds are the builds of the cluster's nodes as they are kept, and as steps
// of this upgrade read them after that.
func nodeBuilds(w *Work) map[string]exchange.Build {
	out := rules.Builds(w.Known)
	for _, step := range slices.Sorted(maps.Keys(w.Notes)) {
		node, text := w.Notes[step]["node"], w.Notes[step]["build"]
		build, err := exchange.ParseBuild(text)
		if err == nil && node != "" && out[node].Compare(build) < 0 { // builds only rise
			out[node] = build
		}
	}
	return out
}

func lowestOf(f rules.Facts) exchange.Build {
	roles := make(map[string]windows.Role, len(f.Roles.Value))
	for name, r := range f.Roles.Value {
		roles[name] = windows.Role(r)
	}
	lowest, err := lowestBuild(roles)
	if err != nil {
		return exchange.Build{}
	}
	return lowest
}

// canaryOf is what the task under the run-as account showed.
func canaryOf(w *Work) rules.Canary {
	p := kept(w, "canary")
	c := rules.Canary{
		Ran: w.Memory["canary"] != "", Trouble: p.Trouble, Remedy: p.Remedy, Account: w.RunAs.Name,
		User: p.Said["user"], Elevated: p.Said["elevated"] == "1", Hive: p.Said["hkcu"], LDAP: p.Said["ldap"],
	}
	if p.Said["sids"] != "" {
		c.SIDs = strings.Split(p.Said["sids"], ",")
	}
	return c
}
