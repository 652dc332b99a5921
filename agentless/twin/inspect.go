package twin

import (
	"bytes"
	"fmt"
	"strings"

	"wavekeeper/server/exchange"
)

// Inspection is a host as it really is, for tests that judge by it: no client
// can be wrong about it.
type Inspection struct {
	Tasks    []string          // names of registered tasks
	Files    []string          // paths of files and folders, lower case
	Services map[string]string // name -> "RUNNING Auto", by state and start mode
	Registry map[string]string // "key\value", lower case -> the value as text
	Programs []string          // names of running processes
	Accounts map[string]string // registered task -> the account whose password the scheduler keeps for it, "" = none
	Contents map[string]string // path of a file, lower case -> its bytes
	Exchange map[string]string // what of Exchange is in no file and no key that counts: "um", "pop3 login", "level SOURCE\CATEGORY", "connector NAME"
	Needs    map[string]string // service -> those that it depends on, by comma
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
	in := Inspection{
		Services: map[string]string{}, Registry: map[string]string{}, Accounts: map[string]string{}, Contents: map[string]string{}, Needs: map[string]string{},
	}
	h.look(func() {
		in.Exchange = h.settings() // makes what is made when it is first asked for
		for _, t := range h.state.Tasks {
			in.Tasks = append(in.Tasks, t.Name)
			in.Accounts[t.Name] = ""
			if t.Account != "" && t.Account != systemAccount.name {
				in.Accounts[t.Name] = t.Account
			}
		}
		for path, f := range h.state.Files {
			in.Files = append(in.Files, path)
			if !f.Dir {
				in.Contents[path] = string(f.Data) + f.Version
			}
		}
		for _, s := range h.state.Services {
			in.Services[s.Name] = s.State + " " + s.StartMode
			in.Needs[s.Name] = strings.Join(s.DependsOn, ",")
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

// settings are those of Exchange as they count now: before SP1 the login types of
// POP3 and IMAP4 are those of the configuration files; the caller holds the lock.
func (h *host) settings() map[string]string {
	a := h.acts()
	all := map[string]string{}
	if h.row().Has(exchange.UnifiedMessaging) {
		all["um"] = a.UM
	}
	if h.row().Has(exchange.ClientAccess) {
		for protocol, login := range map[string]string{"Pop3": a.POP, "Imap4": a.IMAP} {
			if h.build().Minor == 0 {
				login = loginIn(h.fileAt(h.popConfig(protocol)))
			}
			all[strings.ToLower(protocol)+" login"] = login
		}
	}
	for name, level := range a.Levels {
		if level != "Lowest" {
			all["level "+name] = level
		}
	}
	for _, c := range h.world().Connectors {
		all["connector "+c.Name] = fmt.Sprintf("%s, %s, %v", c.FQDN, c.Auth, c.Bindings)
	}
	return all
}

// loginIn reads the login type from a configuration file of RTM.
func loginIn(f *file) string {
	if f != nil {
		for n, name := range loginTypes {
			if n > 0 && bytes.Equal(f.Data, popFile(n)) {
				return name
			}
		}
	}
	return ""
}
