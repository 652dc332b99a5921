package twin

import (
	"fmt"
	"strings"
)

// Inspection is a host as it really is, for tests that judge by it: no client
// can be wrong about it.
type Inspection struct {
	Tasks    []string          // names of registered tasks
	Files    []string          // paths of files and folders, lower case
	Services map[string]string // name -> "RUNNING Auto", by state and start mode
	Registry map[string]string // "key\value", lower case -> the value as text
	Programs []string          // names of running processes
}

// Inspect looks at a host by its name. The host's programs notice nothing.
func (f *Fleet) Inspect(name string) (Inspection, error) {
	for _, h := range f.hosts {
		if strings.EqualFold(h.name, name) {
			return h.inspect(), nil
		}
	}
	return Inspection{}, fmt.Errorf("no host named %s", name)
}

func (h *host) inspect() Inspection {
	in := Inspection{Services: map[string]string{}, Registry: map[string]string{}}
	h.look(func() {
		for _, t := range h.state.Tasks {
			in.Tasks = append(in.Tasks, t.Name)
		}
		for path := range h.state.Files {
			in.Files = append(in.Files, path)
		}
		for _, s := range h.state.Services {
			in.Services[s.Name] = s.State + " " + s.StartMode
		}
		for path, key := range h.state.Registry {
			for name, v := range key.Values {
				in.Registry[path+`\`+strings.ToLower(name)] = fmt.Sprint(v.plain())
			}
		}
		for _, p := range h.processes {
			in.Programs = append(in.Programs, p.Name)
		}
	})
	return in
}
