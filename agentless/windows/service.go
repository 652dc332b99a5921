package windows

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"wavekeeper/agentless/winrm"
)

// The words of Win32_Service; WMI does not translate them.
const (
	Running = "Running"
	Stopped = "Stopped"

	StartAuto     = "Auto"
	StartManual   = "Manual"
	StartDisabled = "Disabled"

	// StartDelayed is Auto with a delay after the start of Windows, from Windows
	// Server 2008 on. It is for SetStartMode only: WMI says Auto of both, and
	// Delayed tells them apart.
	StartDelayed = "Auto Delayed"
)

// Service is one Windows service.
type Service struct {
	Name      string `json:"name"`
	State     string `json:"state"`      // Running, Stopped, Start Pending, Stop Pending, Paused
	StartMode string `json:"start_mode"` // Auto, Manual, Disabled, Boot, System
	Account   string `json:"account"`
}

// Services lists all services.
func (h *Host) Services(ctx context.Context) ([]Service, error) {
	return h.services(ctx, "")
}

// Service asks for one service; false when there is none of that name.
func (h *Host) Service(ctx context.Context, name string) (Service, bool, error) {
	if !serviceName.MatchString(name) {
		return Service{}, false, fmt.Errorf("%q is no name of a service", name)
	}
	all, err := h.services(ctx, name)
	if err != nil {
		return Service{}, false, fmt.Errorf("service %s: %w", name, err)
	}
	s, found := FindService(all, name)
	return s, found, nil
}

// services lists all services, or the one of that name.
func (h *Host) services(ctx context.Context, name string) ([]Service, error) {
	if name != "" {
		return either(ctx, h, "services", func(ctx context.Context) ([]Service, error) {
			return h.serviceByWMI(ctx, name)
		}, func(ctx context.Context) ([]Service, error) { return h.serviceBySC(ctx, name) })
	}
	return either(ctx, h, "services", func(ctx context.Context) ([]Service, error) {
		rows, err := h.some(ctx, queryServices)
		return servicesOf(rows), err
	}, func(ctx context.Context) ([]Service, error) { return h.serviceList(ctx, "") })
}

// serviceByWMI asks for one service. That there is none is believed when sc.exe
// says so, too: a damaged repository has none of any name.
func (h *Host) serviceByWMI(ctx context.Context, name string) ([]Service, error) {
	wql := queryServices + " WHERE Name='" + name + "'"
	rows, err := h.query(ctx, wql)
	if err != nil || len(rows) > 0 {
		return servicesOf(rows), err
	}
	if found, err := h.serviceBySC(ctx, name); err != nil || len(found) == 0 {
		return nil, err
	}
	return nil, &NoWMI{Why: fmt.Errorf("%s: %w", wql, errNothing)}
}

func servicesOf(rows []winrm.Instance) []Service {
	out := []Service{}
	for _, r := range rows {
		out = append(out, Service{r.Str("Name"), r.Str("State"), r.Str("StartMode"), r.Str("StartName")})
	}
	return out
}

// FindService finds a service by its short name, without regard to case.
func FindService(all []Service, name string) (Service, bool) {
	for _, s := range all {
		if strings.EqualFold(s.Name, name) {
			return s, true
		}
	}
	return Service{}, false
}

// ErrNoService says that a service does not exist on the host.
var ErrNoService = errors.New("no such service")

// ErrDependents says that a service cannot be stopped before others that need it.
var ErrDependents = errors.New("other running services need it")

// ErrServiceDisabled says that a service cannot be started because it is disabled.
var ErrServiceDisabled = errors.New("service is disabled")

// Exit codes of sc.exe are Win32 codes (winerror.h).
const (
	codeNoService = 1060
	codeNotActive = 1062
	codeRunning   = 1056
	codeDisabled  = 1058
	codeBusy      = 1061 // cannot accept control messages at this time: a pending state
	codeNeeded    = 1051 // running services depend on it
)

// serviceName is what may stand in a command line: short names of services
// hold letters, digits and these signs.
var serviceName = regexp.MustCompile(`^[A-Za-z0-9_.$ -]{1,256}$`)

func (h *Host) sc(ctx context.Context, line, name string, fine ...int) error {
	result, err := h.Run(ctx, line)
	if err != nil {
		return fmt.Errorf("service %s: %w", name, err)
	}
	for _, code := range append(fine, 0) {
		if result.Exit == code {
			return nil
		}
	}
	switch result.Exit {
	case codeNoService:
		return fmt.Errorf("service %s: %w", name, ErrNoService)
	case codeDisabled:
		return fmt.Errorf("service %s: %w", name, ErrServiceDisabled)
	case codeNeeded:
		return fmt.Errorf("service %s: %w", name, ErrDependents)
	default:
		return fmt.Errorf("service %s: sc.exe ended with %d", name, result.Exit)
	}
}

func quotedService(name string) (string, error) {
	if !serviceName.MatchString(name) {
		return "", fmt.Errorf("%q is no name of a service", name)
	}
	if strings.ContainsAny(name, " ") {
		return `"` + name + `"`, nil
	}
	return name, nil
}

// StopService asks a service to stop; one that does not run is fine. The
// caller looks again: a stop takes its time.
func (h *Host) StopService(ctx context.Context, name string) error {
	q, err := quotedService(name)
	if err != nil {
		return err
	}
	return h.sc(ctx, "sc.exe stop "+q, name, codeNotActive, codeBusy)
}

// StartService asks a service to start; one that runs is fine.
func (h *Host) StartService(ctx context.Context, name string) error {
	q, err := quotedService(name)
	if err != nil {
		return err
	}
	return h.sc(ctx, "sc.exe start "+q, name, codeRunning, codeBusy)
}

// scStart are sc.exe's words for Win32_Service's.
var scStart = map[string]string{StartAuto: "auto", StartManual: "demand", StartDisabled: "disabled", StartDelayed: "delayed-auto", "Boot": "boot", "System": "system"}

// keyServices holds one key per service.
const keyServices = `SYSTEM\CurrentControlSet\Services`

// Delayed reports whether a service that starts by itself does so with a delay:
// value DelayedAutostart of its key, which sc.exe config takes away with any
// other start type. Windows Server 2003 has no such thing.
func (h *Host) Delayed(ctx context.Context, name string) (bool, error) {
	if _, err := quotedService(name); err != nil {
		return false, err
	}
	if old, err := h.oldScheduler(ctx); err != nil || old {
		return false, err
	}
	value, err := h.DWORDValue(ctx, LocalMachine, keyServices+`\`+name, "DelayedAutostart")
	switch {
	case err == nil:
		return value != 0, nil
	case errors.Is(err, ErrNoKey):
		return false, nil
	}
	return false, fmt.Errorf("service %s: %w", name, err)
}

// SetStartMode sets how a service starts, in Win32_Service's words, or delayed.
func (h *Host) SetStartMode(ctx context.Context, name, mode string) error {
	q, err := quotedService(name)
	if err != nil {
		return err
	}
	word, ok := scStart[mode]
	if !ok {
		return fmt.Errorf("service %s: %q is no start mode", name, mode)
	}
	return h.sc(ctx, "sc.exe config "+q+" start= "+word, name)
}
