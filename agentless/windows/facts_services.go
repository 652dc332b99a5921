package windows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"wavekeeper/agentless/winrm"
)

// ForeignServiceFact is a service whose program is not Microsoft's, or that
// depends on one of Exchange's and is none of them.
type ForeignServiceFact struct {
	Name           string   `json:"name"`
	Display        string   `json:"display"`
	Path           string   `json:"path"`
	Company        string   `json:"company"` // "" = its program says none, or is not there
	State          string   `json:"state"`
	Start          string   `json:"start"`
	Account        string   `json:"account"`
	DependsOn      []string `json:"depends_on"`
	ClusterManaged bool     `json:"cluster_managed"`
}

// foreignAtMost bounds the services that are told.
const foreignAtMost = 100

// readForeign looks at the company of each service's program. A service that
// Windows hosts for somebody else (svchost.exe) is not seen as foreign.
func readForeign(ctx context.Context, a *asked) (any, error) {
	services, err := a.servicesWithPrograms(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.needed(ctx); err != nil {
		return nil, err
	}
	os, err := a.system(ctx)
	if err != nil {
		return nil, err
	}
	install, err := a.installPath(ctx)
	if err != nil {
		return nil, err
	}
	programs := make([]string, len(services))
	for i, s := range services {
		programs[i] = programOf(s.Path, os.WindowsDirectory)
	}
	if err := a.look(ctx, programs...); err != nil {
		return nil, err
	}
	managed, err := a.clusterServices(ctx)
	if err != nil {
		return nil, err
	}
	foreign := []ForeignServiceFact{}
	for i, s := range services {
		if ofExchange(s, programs[i], install) {
			continue
		}
		f, there := a.file(programs[i])
		needs := a.needs[strings.ToLower(s.Name)]
		onExchange := slices.ContainsFunc(needs, func(n string) bool { return a.isExchange(n, os.WindowsDirectory, install) })
		ours := strings.HasPrefix(strings.ToLower(f.Company), "microsoft") || (!there || f.Company == "") && below(programs[i], os.WindowsDirectory)
		if ours && !onExchange {
			continue
		}
		foreign = append(foreign, ForeignServiceFact{
			Name: s.Name, Display: clipTo(s.Display, 256), Path: clipTo(s.Path, 512), Company: clipTo(f.Company, 128), State: s.State, Start: s.StartMode,
			Account: s.Account, DependsOn: append([]string{}, needs...), ClusterManaged: managed[strings.ToLower(s.Name)] != "",
		})
	}
	if len(foreign) > foreignAtMost {
		return nil, fmt.Errorf("%d services of others", len(foreign))
	}
	return foreign, nil
}

// readDependants tells which services depend on Exchange's: of those whose
// programs lie outside Windows' own folder.
func readDependants(ctx context.Context, a *asked) (any, error) {
	services, err := a.servicesWithPrograms(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.needed(ctx); err != nil {
		return nil, err
	}
	os, err := a.system(ctx)
	if err != nil {
		return nil, err
	}
	install, err := a.installPath(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, s := range services {
		for _, need := range a.needs[strings.ToLower(s.Name)] {
			if i := slices.IndexFunc(services, func(p programService) bool { return strings.EqualFold(p.Name, need) }); i >= 0 && a.isExchange(need, os.WindowsDirectory, install) {
				out[services[i].Name] = append(out[services[i].Name], s.Name)
			}
		}
	}
	for _, all := range out {
		sort.Strings(all)
	}
	return out, nil
}

// needed reads what services depend on, of those outside Windows' own folder.
func (a *asked) needed(ctx context.Context) error {
	if a.needs != nil {
		return nil
	}
	services, err := a.servicesWithPrograms(ctx)
	if err != nil {
		return err
	}
	os, err := a.system(ctx)
	if err != nil {
		return err
	}
	needs := map[string][]string{}
	for _, s := range services {
		if below(programOf(s.Path, os.WindowsDirectory), os.WindowsDirectory) || !serviceName.MatchString(s.Name) {
			continue
		}
		on, err := a.manyValue(ctx, keyServices+`\`+s.Name, "DependOnService")
		if err != nil {
			return err
		}
		if len(on) > 32 {
			on = on[:32]
		}
		needs[strings.ToLower(s.Name)] = on
	}
	a.needs = needs
	return nil
}

// isExchange reports whether a service of that name is one of Exchange's.
func (a *asked) isExchange(name, windows, install string) bool {
	for _, s := range a.services {
		if strings.EqualFold(s.Name, name) {
			return ofExchange(s, programOf(s.Path, windows), install)
		}
	}
	return false
}

// ofExchange decides by where the program lies, and by the beginning of the name:
// the search engine and the directory of an Edge server lie elsewhere.
func ofExchange(s programService, program, install string) bool {
	low := strings.ToLower(s.Name)
	return install != "" && below(program, install) || strings.HasPrefix(low, "msexchange") || low == "msftesql-exchange" || low == "adam_msexchange"
}

// below reports whether a path lies in a folder.
func below(path, folder string) bool {
	folder = strings.ToLower(strings.TrimRight(folder, `\`)) + `\`
	return len(folder) > 1 && strings.HasPrefix(strings.ToLower(path), folder)
}

// programOf is the program of a service's command line: quoted, or up to the
// first ".exe" that ends a word, since a path with blanks need not be quoted.
func programOf(line, windows string) string {
	line = strings.TrimPrefix(strings.TrimSpace(line), `\??\`)
	if rest, quoted := strings.CutPrefix(line, `"`); quoted {
		line, _, _ = strings.Cut(rest, `"`)
	} else {
		low := strings.ToLower(line)
		for i := 0; ; {
			n := strings.Index(low[i:], ".exe")
			if n < 0 {
				line, _, _ = strings.Cut(line, " ")
				break
			}
			if i += n + len(".exe"); i == len(low) || low[i] == ' ' {
				line = line[:i]
				break
			}
		}
	}
	low := strings.ToLower(line)
	for _, prefix := range []string{`%systemroot%\`, `\systemroot\`, `%windir%\`} {
		if strings.HasPrefix(low, prefix) {
			return windows + `\` + line[len(prefix):]
		}
	}
	if strings.HasPrefix(low, `system32\`) {
		return windows + `\` + line
	}
	return line
}

const (
	keyCluster          = `Cluster`
	keyClusterResources = keyCluster + `\Resources`
	clusterService      = "ClusSvc"
)

// clusterServices are the services that the cluster starts and stops: those of
// resources of the type Generic Service. The hive Cluster is loaded on nodes only.
func (a *asked) clusterServices(ctx context.Context) (map[string]string, error) {
	if a.clusters {
		return a.cached, nil
	}
	resources, _, err := a.keys(ctx, keyClusterResources)
	if err != nil {
		return nil, err
	}
	managed := map[string]string{}
	for _, id := range resources {
		kind, err := a.textValue(ctx, keyClusterResources+`\`+id, "Type")
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(kind, "Generic Service") {
			continue
		}
		name, err := a.textValue(ctx, keyClusterResources+`\`+id+`\Parameters`, "ServiceName")
		if err != nil {
			return nil, err
		}
		managed[strings.ToLower(name)] = id
	}
	a.cached, a.clusters = managed, true
	return managed, nil
}

// ClusterMemberFact says whether the host is a node of a cluster.
type ClusterMemberFact struct {
	Member  bool   `json:"member"`
	Name    string `json:"name"`
	Service string `json:"service"` // state of ClusSvc; "" = there is none
}

// readClusterMember: ClusSvc is there, disabled, on every Windows Server 2003
// Enterprise; a node is who has the cluster's hive.
func readClusterMember(ctx context.Context, a *asked) (any, error) {
	services, err := a.servicesWithPrograms(ctx)
	if err != nil {
		return nil, err
	}
	fact := ClusterMemberFact{}
	for _, s := range services {
		if strings.EqualFold(s.Name, clusterService) {
			fact.Service = s.State
			fact.Member = s.StartMode != StartDisabled
		}
	}
	if fact.Name, err = a.textValue(ctx, keyCluster, "ClusterName"); err != nil {
		return nil, err
	}
	fact.Member = fact.Member && (fact.Name != "" || fact.Service != Running)
	return fact, nil
}

// SessionFact is one person who is logged on with a desktop.
type SessionFact struct {
	ID   int    `json:"id"`
	User string `json:"user"`
}

// readSessions is unknown without WMI, where nobody's name is told.
func readSessions(ctx context.Context, a *asked) (any, error) {
	all, err := a.processes(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) > 0 && all[0].Via == ViaPrograms {
		return nil, &NoWMI{Why: errors.New("nobody says who runs a program")}
	}
	out := []SessionFact{}
	for _, s := range SessionsOf(all) {
		out = append(out, SessionFact{s.ID, s.User})
	}
	return out, nil
}

// FirewallFact is the firewall's service, and what it filters or would filter.
type FirewallFact struct {
	Service string          `json:"service"`
	State   string          `json:"state"`
	Start   string          `json:"start"`
	Enabled FirewallEnabled `json:"enabled"`
}

// FirewallEnabled says for each profile whether it filters; nil = nobody said,
// and Windows' default counts. Standard is Private from Windows Server 2008 on.
type FirewallEnabled struct {
	Domain   *bool `json:"domain"`
	Standard *bool `json:"standard"`
	Public   *bool `json:"public"`
}

const (
	keyFirewall       = `SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy`
	keyFirewallPolicy = `SOFTWARE\Policies\Microsoft\WindowsFirewall`
)

// readFirewall: a group policy's value wins over the host's own (MS-FASP,
// FW_PROFILE_CONFIG_ENABLE_FW).
func readFirewall(ctx context.Context, a *asked) (any, error) {
	services, err := a.servicesWithPrograms(ctx)
	if err != nil {
		return nil, err
	}
	fact := FirewallFact{}
	for _, name := range []string{"MpsSvc", "SharedAccess"} { // SharedAccess of 2008 is no firewall any more
		if i := slices.IndexFunc(services, func(s programService) bool { return strings.EqualFold(s.Name, name) }); i >= 0 {
			fact.Service, fact.State, fact.Start = services[i].Name, services[i].State, services[i].StartMode
			break
		}
	}
	policies, _, err := a.keys(ctx, keyFirewallPolicy)
	if err != nil {
		return nil, err
	}
	for _, p := range []struct {
		name string
		into **bool
	}{{"DomainProfile", &fact.Enabled.Domain}, {"StandardProfile", &fact.Enabled.Standard}, {"PublicProfile", &fact.Enabled.Public}} {
		var on *int
		if fold(policies, p.name) {
			if on, err = a.numberValue(ctx, keyFirewallPolicy+`\`+p.name, "EnableFirewall"); err != nil {
				return nil, err
			}
		}
		if on == nil {
			if on, err = a.numberValue(ctx, keyFirewall+`\`+p.name, "EnableFirewall"); err != nil {
				return nil, err
			}
		}
		if on != nil {
			filters := *on != 0
			*p.into = &filters
		}
	}
	return fact, nil
}

// hardware is one row of Win32_ComputerSystem that only facts want.
func (a *asked) hardware(ctx context.Context) (winrm.Instance, error) {
	if a.machine != nil {
		return a.machine, nil
	}
	rows, err := a.host.some(ctx, queryMemory)
	if err != nil {
		return nil, err
	}
	a.machine = rows[0]
	return a.machine, nil
}

// iisNamespace is where IIS 6 has its classes.
const iisNamespace = "root/MicrosoftIISv2"

// wow32 asks the metabase of IIS 6 whether it runs in 32 bits; nil where that
// cannot be told.
func (a *asked) wow32(ctx context.Context) (*bool, error) {
	var rows []winrm.Instance
	err := a.host.wmi(ctx, func(ctx context.Context) (err error) {
		rows, err = a.host.conn.Enumerate(ctx, iisNamespace, queryPools)
		return err
	})
	if err != nil {
		if gone(err) {
			return nil, err
		}
		return nil, nil
	}
	for _, r := range rows {
		if on, ok := r.Bool("Enable32bitAppOnWin64"); ok && strings.EqualFold(r.Str("Name"), "W3SVC/AppPools") {
			return &on, nil
		}
	}
	return nil, nil
}

// clipTo shortens a text that a host made up.
func clipTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
