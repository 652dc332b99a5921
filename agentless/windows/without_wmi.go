package windows

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ViaPrograms is the second way, in Process.Via and OS.Via.
const ViaPrograms = "programs"

// programs lists the running programs as .NET does: without parents, command
// lines and owners. It takes ".exe" off the names and nothing else.
func (h *Host) programs(ctx context.Context) ([]Process, error) {
	records, err := h.script(ctx, "program-list")
	if err != nil {
		return nil, err
	}
	out := []Process{}
	for _, line := range records.All("entry") {
		f := strings.SplitN(line, "|", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("program %q was not understood", line)
		}
		id, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("program %q: %w", line, err)
		}
		session, err := strconv.Atoi(f[1])
		if err != nil {
			session = 0 // of a program that ended meanwhile
		}
		out = append(out, Process{ID: id, Session: session, Name: imageOf(f[2]), Via: ViaPrograms})
	}
	return out, nil
}

// imageOf is the file name of a program that .NET calls by its short name.
func imageOf(short string) string {
	if i := strings.LastIndexByte(short, '.'); i > 0 && slices.Contains([]string{"com", "exe", "scr", "tmp"}, strings.ToLower(short[i+1:])) {
		return short
	}
	return short + ".exe"
}

// The numbers of ServiceControllerStatus and of the registry value Start in the
// words of Win32_Service.
var (
	serviceStates = map[string]string{
		"1": Stopped, "2": "Start Pending", "3": "Stop Pending", "4": Running, "5": "Continue Pending", "6": "Pause Pending", "7": "Paused",
	}
	serviceStarts = map[string]string{"0": "Boot", "1": "System", "2": StartAuto, "3": StartManual, "4": StartDisabled}
)

// serviceList lists all services, or the one of that name, by the service
// control manager and the registry, as .NET tells them.
func (h *Host) serviceList(ctx context.Context, name string) ([]Service, error) {
	records, err := h.script(ctx, "service-list", name)
	if err != nil {
		return nil, err
	}
	out := []Service{}
	for _, line := range records.All("service") {
		f := strings.SplitN(line, "|", 4)
		if len(f) != 4 || serviceStates[f[0]] == "" {
			return nil, fmt.Errorf("service %q was not understood", line)
		}
		out = append(out, Service{Name: f[2], State: serviceStates[f[0]], StartMode: serviceStarts[f[1]], Account: f[3]})
	}
	return out, nil
}

// scWords are the states of a service as sc.exe writes them, which Windows does
// not translate, by their numbers.
var scWords = map[string]string{
	"1": "STOPPED", "2": "START_PENDING", "3": "STOP_PENDING", "4": "RUNNING", "5": "CONTINUE_PENDING", "6": "PAUSE_PENDING", "7": "PAUSED",
}

// serviceBySC asks for one service with sc.exe queryex and its key; none when
// there is no such service.
func (h *Host) serviceBySC(ctx context.Context, name string) ([]Service, error) {
	q, err := quotedService(name)
	if err != nil {
		return nil, err
	}
	result, err := h.Run(ctx, "sc.exe queryex "+q)
	switch {
	case err != nil:
		return nil, err
	case result.Exit == codeNoService:
		return nil, nil
	case result.Exit != 0:
		return nil, fmt.Errorf("sc.exe queryex ended with %d", result.Exit)
	}
	out, _ := result.Text()
	spelled, state, ok := scState(out)
	if !ok {
		return h.serviceList(ctx, name)
	}
	values, _, err := h.regRead(ctx, LocalMachine, keyServices+`\`+name)
	if err != nil {
		return nil, err
	}
	s := Service{Name: spelled, State: state}
	if v, ok := findValue(values, "Start"); ok {
		s.StartMode = serviceStarts[v.text()]
	}
	if v, ok := findValue(values, "ObjectName"); ok {
		s.Account = v.data
	}
	return []Service{s}, nil
}

// scState reads the name and the state in an answer of sc.exe queryex by their
// place: the third line with a colon is the state, a number and its word. What
// stands before the colons may be translated.
func scState(out string) (name, state string, ok bool) {
	var said []string
	for _, line := range strings.Split(out, "\n") {
		if _, value, ok := strings.Cut(line, ":"); ok {
			said = append(said, strings.TrimSpace(value))
		}
	}
	if len(said) < 3 {
		return "", "", false
	}
	words := strings.Fields(said[2])
	if len(words) < 2 || scWords[words[0]] != words[1] || said[0] == "" {
		return "", "", false
	}
	return said[0], serviceStates[words[0]], true
}

// hotfixesByReg lists the installed updates by the keys that their installers
// keep: on Windows Server 2003 one for each below HotFix, later the packages of
// the component store, which also name what is only staged or replaced.
func (h *Host) hotfixesByReg(ctx context.Context) ([]string, error) {
	old, err := h.oldScheduler(ctx)
	if err != nil {
		return nil, err
	}
	key := keyPackages
	if old {
		key = keyHotFix
	}
	_, keys, err := h.regRead(ctx, LocalMachine, key)
	if errors.Is(err, ErrNoKey) {
		return []string{}, nil
	}
	if err != nil {
		return nil, err
	}
	return updatesOf(keys), nil
}

// The keys of installed updates. Source: general knowledge; scripts that read
// them where Win32_QuickFixEngineering is not to be had.
const (
	keyHotFix   = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\HotFix`
	keyPackages = `SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages`
)

// updateName finds an update's id in a key's name: "KB942288-v4",
// "Package_for_KB968930~31bf3856ad364e35~amd64~~6.0.1.0".
var updateName = regexp.MustCompile(`(?i)^(?:Package_(?:[0-9]+_)?for_)?(KB[0-9]{5,8}(?:-v[0-9]+)?)(?:$|~|_)`)

func updatesOf(keys []string) []string {
	out := []string{}
	for _, key := range keys {
		f := updateName.FindStringSubmatch(key)
		if f == nil {
			continue
		}
		if id := strings.ToUpper(f[1]); !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// computerByReg reads the names from the settings of TCP/IP.
func (h *Host) computerByReg(ctx context.Context) (Computer, error) {
	values, _, err := h.regRead(ctx, LocalMachine, `SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`)
	if err != nil {
		return Computer{}, err
	}
	name, _ := findValue(values, "Hostname")
	domain, _ := findValue(values, "Domain")
	if name.data == "" {
		return Computer{}, fmt.Errorf("TCP/IP has no name for the computer")
	}
	return Computer{Name: name.data, DNSName: name.data, Domain: domain.data, InDomain: domain.data != ""}, nil
}

// systemSeen is what system-look says.
type systemSeen struct {
	OS
	disks []Disk
}

// systemLook reads what OS holds, and the disks. The time of the start is that
// of the first program, some seconds after Windows'.
func (h *Host) systemLook(ctx context.Context) (systemSeen, error) {
	began := time.Now()
	r, err := h.script(ctx, "system-look")
	if err != nil {
		return systemSeen{}, err
	}
	os, err := systemOf(r, began, time.Now())
	if err != nil {
		return systemSeen{}, err
	}
	s := systemSeen{OS: os}
	for _, line := range r.All("disk") {
		f := strings.Split(line, "|")
		var size, free int64
		if len(f) == 3 {
			size, err = strconv.ParseInt(f[1], 10, 64)
			if err == nil {
				free, err = strconv.ParseInt(f[2], 10, 64)
			}
		}
		if len(f) != 3 || err != nil {
			return systemSeen{}, fmt.Errorf("disk %q was not understood", line)
		}
		s.disks = append(s.disks, Disk{Name: f[0], Size: size, Free: free})
	}
	return s, nil
}

func systemOf(r Records, began, ended time.Time) (OS, error) {
	os := OS{
		Version: r.Get("version"), Asked: began.Add(ended.Sub(began) / 2),
		WindowsDirectory: r.Get("windir"), SystemDrive: r.Get("drive"), Via: ViaPrograms,
	}
	packs, err := strconv.Atoi(r.Get("packs"))
	if err == nil {
		os.ServicePack = packs >> 8 // 0x200 is Service Pack 2
		var language int64
		language, err = strconv.ParseInt(r.Get("language"), 16, 32)
		os.Language = int(language)
	}
	var zone int
	if err == nil {
		zone, err = strconv.Atoi(r.Get("zone"))
		os.Zone = time.FixedZone("", zone*60)
	}
	if err == nil {
		os.Now, err = time.Parse(time.RFC3339Nano, r.Get("now"))
	}
	if err == nil {
		os.Boot, err = time.Parse(time.RFC3339Nano, r.Get("boot"))
	}
	if err == nil && !os.version().Known() {
		err = fmt.Errorf("%q is no version", os.Version)
	}
	if err != nil {
		return OS{}, fmt.Errorf("system as Windows' programs tell it: %w", err)
	}
	return os, nil
}
