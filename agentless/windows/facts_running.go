package windows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// ServiceFact is one service, and what else is told of it by WMI alone.
type ServiceFact struct {
	Service
	// Company is whose the program is, where that lies outside Windows' own folder;
	// "" = it lies there, says none, is not there, or nobody was asked.
	Company string `json:"company,omitempty"`
	// Dependants are the services that need this one, of those whose programs lie
	// outside Windows' own folder.
	Dependants []string `json:"dependants,omitempty"`
}

// readServices lists the services. Who made their programs and who needs them is
// left out where WMI does not tell: that a service is there and how it stands must
// not be lost for it.
func readServices(ctx context.Context, a *asked) (any, error) {
	before := a.host.detours()
	all, err := a.host.Services(ctx)
	if err != nil {
		return nil, err
	}
	facts := make([]ServiceFact, len(all))
	for i, s := range all {
		facts[i] = ServiceFact{Service: s}
	}
	if a.host.detours() > before {
		return facts, nil
	}
	if err := a.describe(ctx, facts); err != nil && gone(err) {
		return nil, err
	}
	return facts, nil
}

// describe fills in companies and dependants, as far as they are told.
func (a *asked) describe(ctx context.Context, facts []ServiceFact) error {
	os, err := a.system(ctx)
	if err != nil {
		return err
	}
	services, err := a.servicesWithPrograms(ctx)
	if err != nil {
		return err
	}
	programs := map[string]string{} // by lower-case service, of those outside Windows' own folder
	for _, s := range services {
		if p := programOf(s.Path, os.WindowsDirectory); !below(p, os.WindowsDirectory) {
			programs[strings.ToLower(s.Name)] = p
		}
	}
	var paths []string
	for _, p := range programs {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	looked := a.look(ctx, paths...)
	needed := a.needed(ctx)
	for i := range facts {
		name := strings.ToLower(facts[i].Name)
		if f, there := a.file(programs[name]); there {
			facts[i].Company = clipTo(f.Company, 128)
		}
		for _, s := range services {
			if slices.ContainsFunc(a.needs[strings.ToLower(s.Name)], func(n string) bool { return strings.EqualFold(n, name) }) {
				facts[i].Dependants = append(facts[i].Dependants, s.Name)
			}
		}
		sort.Strings(facts[i].Dependants)
	}
	if looked != nil {
		return looked
	}
	return needed
}

// ProcessFact is one running program. Its command line is no fact: people write
// passwords into those.
type ProcessFact struct {
	Name    string `json:"name"`
	ID      int64  `json:"id"`
	Session int    `json:"session"`
	Started string `json:"started"` // RFC 3339; "" = not told, as of the first programs of Windows
}

// processesAtMost bounds the programs that are told.
const processesAtMost = 2000

// readProcesses lists the running programs. As what only preflight wants it is
// unknown without WMI: what such a host can tell, runbooks ask for themselves.
func readProcesses(ctx context.Context, a *asked) (any, error) {
	all, err := a.processes(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) > 0 && all[0].Via == ViaPrograms {
		return nil, &NoWMI{Why: errors.New("nobody says when a program was started")}
	}
	if len(all) > processesAtMost {
		return nil, fmt.Errorf("%d running programs", len(all))
	}
	facts := make([]ProcessFact, len(all))
	for i, p := range all {
		facts[i] = ProcessFact{Name: clipTo(p.Name, 128), ID: p.ID, Session: p.Session}
		if !p.Started.IsZero() {
			facts[i].Started = p.Started.UTC().Format(time.RFC3339)
		}
	}
	return facts, nil
}
