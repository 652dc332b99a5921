package windows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/winrm"
)

// asked keeps the answers of one round that serve several facts. What only
// preflight wants is asked of WMI alone: where that does not answer, such a fact
// is unknown, since reading dozens of values by programs would take minutes.
type asked struct {
	host     *Host
	os       *OS
	name     *Computer
	services []programService
	running  []Process
	install  *string
	roles    map[string]Role
	files    map[string]fileVersion // by lower-case path; of files that are there
	looked   map[string]bool        // by lower-case path
	needs    map[string][]string    // by lower-case service: what it depends on
	cached   map[string]string      // by lower-case service: cluster resource
	clusters bool                   // cached was read
	machine  winrm.Instance
}

func (a *asked) computer(ctx context.Context) (Computer, error) {
	if a.name == nil {
		c, err := a.host.Computer(ctx)
		if err != nil {
			return Computer{}, err
		}
		a.name = &c
	}
	return *a.name, nil
}

func (a *asked) system(ctx context.Context) (OS, error) {
	if a.os == nil {
		os, err := a.host.OS(ctx)
		if err != nil {
			return OS{}, err
		}
		a.os = &os
	}
	return *a.os, nil
}

func ofOS[T any](ctx context.Context, a *asked, read func(OS) T) (any, error) {
	os, err := a.system(ctx)
	if err != nil {
		return nil, err
	}
	return read(os), nil
}

func (a *asked) processes(ctx context.Context) ([]Process, error) {
	if a.running == nil {
		all, err := a.host.Processes(ctx)
		if err != nil {
			return nil, err
		}
		a.running = all
	}
	return a.running, nil
}

func (a *asked) installPath(ctx context.Context) (string, error) {
	if a.install == nil {
		path, err := a.host.InstallPath(ctx)
		if err != nil {
			return "", err
		}
		a.install = &path
	}
	return *a.install, nil
}

func (a *asked) installedRoles(ctx context.Context) (map[string]Role, error) {
	if a.roles == nil {
		roles, err := a.host.Roles(ctx)
		if err != nil {
			return nil, err
		}
		a.roles = roles
	}
	return a.roles, nil
}

// programService is a service with the program that it runs.
type programService struct {
	Service
	Display string
	Path    string // as the service control manager has it, with arguments
}

// servicesWithPrograms lists the services with their programs, by WMI only.
func (a *asked) servicesWithPrograms(ctx context.Context) ([]programService, error) {
	if a.services != nil {
		return a.services, nil
	}
	rows, err := a.host.some(ctx, queryServicePrograms)
	if err != nil {
		return nil, err
	}
	all := make([]programService, 0, len(rows))
	for _, r := range rows {
		all = append(all, programService{
			Service{r.Str("Name"), r.Str("State"), r.Str("StartMode"), r.Str("StartName")}, r.Str("DisplayName"), r.Str("PathName"),
		})
	}
	a.services = all
	return all, nil
}

// fileVersion is the version resource of a file.
type fileVersion struct{ Version, Company string }

// filesAtOnce is how many files one query names: WMI refuses long ones
// (WBEM_E_QUOTA_VIOLATION), and each name costs the provider a look at one file.
const filesAtOnce = 16

// alwaysThere is asked for in each query: an answer without it is none, since a
// damaged WMI finds no files.
const alwaysThere = `\system32\ntdll.dll`

// filesAtMost bounds the files of one round.
const filesAtMost = 160

// look asks for files by their full names, each once in a round.
func (a *asked) look(ctx context.Context, paths ...string) error {
	if a.files == nil {
		a.files, a.looked = map[string]fileVersion{}, map[string]bool{}
	}
	var fresh []string
	for _, p := range paths {
		low := strings.ToLower(p)
		if !a.looked[low] && !slices.Contains(fresh, low) && len(p) > 3 && p[1:3] == `:\` && !strings.ContainsAny(p, "\"*?<>|") {
			fresh = append(fresh, low)
		}
	}
	if len(a.looked)+len(fresh) > filesAtMost {
		return fmt.Errorf("more than %d files to look at", filesAtMost)
	}
	if len(fresh) == 0 {
		return nil
	}
	os, err := a.system(ctx)
	if err != nil {
		return err
	}
	surely := strings.ToLower(os.WindowsDirectory + alwaysThere)
	for part := range slices.Chunk(fresh, filesAtOnce) {
		wql := queryFiles(append(part[:len(part):len(part)], surely))
		rows, err := a.host.query(ctx, wql)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(rows, func(r winrm.Instance) bool { return strings.EqualFold(r.Str("Name"), surely) }) {
			return &NoWMI{Why: fmt.Errorf("%s: %w", wql, errNothing)}
		}
		for _, r := range rows {
			a.files[strings.ToLower(r.Str("Name"))] = fileVersion{r.Str("Version"), r.Str("Manufacturer")}
		}
		for _, p := range part {
			a.looked[p] = true
		}
	}
	return nil
}

// file is what look learned of a file; false when it is not there.
func (a *asked) file(path string) (fileVersion, bool) {
	f, there := a.files[strings.ToLower(path)]
	return f, there
}

// queryFiles names files by the class's key: any other condition makes WMI
// search the disks.
func queryFiles(paths []string) string {
	var b strings.Builder
	b.WriteString(queryFilesBegin)
	for i, p := range paths {
		if i > 0 {
			b.WriteString(" OR ")
		}
		b.WriteString("Name='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(p) + "'")
	}
	return b.String()
}

const (
	queryFilesBegin      = "SELECT Name,Version,Manufacturer FROM CIM_DataFile WHERE "
	queryServicePrograms = "SELECT Name,DisplayName,State,StartMode,StartName,PathName FROM Win32_Service"
	queryInstalled       = "SELECT HotFixID,InstalledOn FROM Win32_QuickFixEngineering"
	queryMemory          = "SELECT TotalPhysicalMemory,DomainRole FROM Win32_ComputerSystem"
	queryPools           = "SELECT Name,Enable32bitAppOnWin64 FROM IIsApplicationPoolsSetting"
)

// maybe turns "no such key or value" into nothing.
func maybe[T any](value T, err error) (T, bool, error) {
	if errors.Is(err, ErrNoKey) {
		var none T
		return none, false, nil
	}
	return value, err == nil, err
}

// textValue reads a text of HKEY_LOCAL_MACHINE by WMI; "" where it is not there.
func (a *asked) textValue(ctx context.Context, key, name string) (string, error) {
	text, _, err := maybe(a.host.stringByWMI(ctx, LocalMachine, key, name, String))
	return text, err
}

// numberValue reads a number by WMI; nil where it is not there.
func (a *asked) numberValue(ctx context.Context, key, name string) (*int, error) {
	n, there, err := maybe(a.host.dwordByWMI(ctx, LocalMachine, key, name))
	if err != nil || !there {
		return nil, err
	}
	v := int(n)
	return &v, nil
}

// keys lists subkeys by WMI; none where the key is not there.
func (a *asked) keys(ctx context.Context, key string) ([]string, bool, error) {
	return maybe(a.host.keysByWMI(ctx, LocalMachine, key))
}

// manyValue reads a list of texts by WMI; nil where it is not there.
func (a *asked) manyValue(ctx context.Context, key, name string) ([]string, error) {
	out, _, err := maybe(a.host.registry(ctx, "GetMultiStringValue", LocalMachine, key, winrm.In("sValueName", name)))
	if err != nil || out == nil {
		return nil, err
	}
	return out.Strings("sValue"), nil
}

// binaryValue reads bytes by WMI; nil where they are not there.
func (a *asked) binaryValue(ctx context.Context, key, name string) ([]byte, error) {
	out, _, err := maybe(a.host.registry(ctx, "GetBinaryValue", LocalMachine, key, winrm.In("sValueName", name)))
	if err != nil || out == nil {
		return nil, err
	}
	numbers := out.Strings("uValue")
	raw := make([]byte, 0, len(numbers))
	for _, n := range numbers {
		var b byte
		if _, err := fmt.Sscanf(n, "%d", &b); err != nil {
			return nil, fmt.Errorf("registry value %s\\%s: %q is no byte", key, name, n)
		}
		raw = append(raw, b)
	}
	return raw, nil
}
