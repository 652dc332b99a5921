package windows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/winrm"
)

// The second way: Setup may stop WMI, and an aborted one may leave it disabled.
// What decides whether something lives and how a host stands is then read by
// programs and scripts of Windows that do not need it. WMI is asked first, each
// time: its answers hold more.

// withoutWMI reports whether WMI, and not the host, failed to answer: a SOAP
// fault that is no refusal of the account and no quota of WinRM. A host that
// cannot be reached, is starting or refuses the account would not answer the
// second way either, and one that is asked too much would be asked more.
// Typical codes: 0x800706ba (the service is stopped), 0x80070422 (disabled),
// 0x80041033 and 0x80041015 (it goes down), 0x80041001.
func withoutWMI(err error) bool {
	var fault *winrm.Fault
	if !errors.As(err, &fault) || fault.Blame == "" || errors.Is(err, winrm.ErrDenied) {
		return false
	}
	switch fault.Code {
	case winrm.CodeShellQuota, winrm.CodeOperationQuota, winrm.CodeUserQuota:
		return false
	}
	return true
}

// went notes by which way a noun was read last; nil is by WMI.
func (h *Host) went(noun string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		delete(h.without, noun)
		return
	}
	if h.without == nil {
		h.without = map[string]string{}
	}
	h.without[noun] = err.Error()
}

// Without lists what was read without WMI when it was read last, with WMI's
// answer: for evidence, since that way knows less. Empty is the usual case.
func (h *Host) Without() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]string, 0, len(h.without))
	for noun, why := range h.without {
		out = append(out, noun+" without WMI: "+why)
	}
	sort.Strings(out)
	return out
}

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
// control manager and the registry.
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

// systemLook reads what OS holds. The time of the start is that of the first
// program, some seconds after Windows'.
func (h *Host) systemLook(ctx context.Context) (OS, error) {
	began := time.Now()
	r, err := h.script(ctx, "system-look")
	if err != nil {
		return OS{}, err
	}
	return systemOf(r, began, time.Now())
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
