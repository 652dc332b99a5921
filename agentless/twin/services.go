package twin

import (
	"slices"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// States of a service as WMI names them; they are not localised.
const (
	running      = "Running"
	stopped      = "Stopped"
	stopPending  = "Stop Pending"
	startPending = "Start Pending"
	paused       = "Paused"
)

// Start modes as WMI names them.
const (
	automatic = "Auto"
	manual    = "Manual"
	disabled  = "Disabled"
)

// service is one entry of the service control manager.
type service struct {
	Name, Display, Path, Account string
	State, StartMode             string
	DependsOn                    []string `json:",omitempty"`
	PID                          int
	ThirdParty                   bool `json:",omitempty"` // from the row: holds Exchange's files open
	Exchange                     bool `json:",omitempty"`
}

// Win32 errors of the service control manager.
const (
	errServiceDependents = 1051
	errServiceTimeout    = 1053
	errServiceRunning    = 1056
	errServiceDisabled   = 1058
	errServiceUnknown    = 1060
	errServiceControl    = 1061
	errServiceRequest    = 1052
	errServiceStopped    = 1062
	errServiceDependency = 1068
)

// freshService describes a service before it has a state.
type freshService struct {
	name, display, mode string
	needs               []string
	roles               []exchange.Role // empty = every machine
}

var (
	mbx, ht, cas = exchange.Mailbox, exchange.HubTransport, exchange.ClientAccess
	um, et       = exchange.UnifiedMessaging, exchange.EdgeTransport
)

// windowsServices are those that matter here of Windows Server 2003 with IIS.
var windowsServices = []freshService{
	{name: "BITS", display: "Background Intelligent Transfer Service", mode: manual},
	{name: "EventLog", display: "Event Log", mode: automatic},
	{name: "EventSystem", display: "COM+ Event System", mode: automatic, needs: []string{"RpcSs"}},
	{name: "HTTPFilter", display: "HTTP SSL", mode: manual},
	{name: "IISADMIN", display: "IIS Admin Service", mode: automatic, needs: []string{"RpcSs"}, roles: []exchange.Role{cas, mbx}},
	{name: "lanmanserver", display: "Server", mode: automatic},
	{name: "MSDTC", display: "Distributed Transaction Coordinator", mode: automatic, needs: []string{"RpcSs"}},
	{name: "MSIServer", display: "Windows Installer", mode: manual, needs: []string{"RpcSs"}},
	{name: "Netlogon", display: "Net Logon", mode: automatic},
	{name: "RemoteRegistry", display: "Remote Registry", mode: automatic, needs: []string{"RpcSs"}},
	{name: "RpcSs", display: "Remote Procedure Call (RPC)", mode: automatic},
	{name: "Schedule", display: "Task Scheduler", mode: automatic, needs: []string{"RpcSs"}},
	{name: "SharedAccess", display: "Windows Firewall/Internet Connection Sharing (ICS)", mode: disabled},
	{name: "W32Time", display: "Windows Time", mode: automatic},
	{name: "W3SVC", display: "World Wide Web Publishing Service", mode: automatic, needs: []string{"RpcSs", "IISADMIN"}, roles: []exchange.Role{cas, mbx}},
	{name: "winmgmt", display: "Windows Management Instrumentation", mode: automatic, needs: []string{"RpcSs", "EventLog"}},
	{name: "WinRM", display: "Windows Remote Management (WS-Management)", mode: automatic, needs: []string{"RpcSs"}},
	{name: "wuauserv", display: "Automatic Updates", mode: automatic},
}

// exchangeServices is the table of domain.md 5.1. POP3 and IMAP4 are manual.
var exchangeServices = []freshService{
	{name: "MSExchangeADTopology", display: "Microsoft Exchange Active Directory Topology", mode: automatic, roles: []exchange.Role{mbx, ht, cas, um}},
	{name: "ADAM_MSExchange", display: "Microsoft Exchange ADAM", mode: automatic, roles: []exchange.Role{et}},
	{name: "MSExchangeAntispamUpdate", display: "Microsoft Exchange Anti-spam Update", mode: automatic, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{ht, et}},
	{name: "EdgeCredentialSvc", display: "Microsoft Exchange Credential Service", mode: automatic, needs: []string{"ADAM_MSExchange"}, roles: []exchange.Role{et}},
	{name: "MSExchangeEdgeSync", display: "Microsoft Exchange EdgeSync", mode: automatic, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{ht}},
	{name: "MSExchangeFDS", display: "Microsoft Exchange File Distribution", mode: automatic, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{cas, um}},
	{name: "MSExchangeImap4", display: "Microsoft Exchange IMAP4", mode: manual, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{cas}},
	{name: "MSExchangeIS", display: "Microsoft Exchange Information Store", mode: automatic, needs: []string{"MSExchangeSA"}, roles: []exchange.Role{mbx}},
	{name: "MSExchangeMailboxAssistants", display: "Microsoft Exchange Mailbox Assistants", mode: automatic, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{mbx}},
	{name: "MSExchangeMailSubmission", display: "Microsoft Exchange Mail Submission", mode: automatic, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{mbx}},
	{name: "MSExchangeMonitoring", display: "Microsoft Exchange Monitoring", mode: manual},
	{name: "MSExchangePop3", display: "Microsoft Exchange POP3", mode: manual, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{cas}},
	{name: "MSExchangeRepl", display: "Microsoft Exchange Replication Service", mode: automatic, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{mbx}},
	{name: "MSExchangeSA", display: "Microsoft Exchange System Attendant", mode: automatic, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{mbx}},
	{name: "MSExchangeSearch", display: "Microsoft Exchange Search Indexer", mode: automatic, needs: []string{"MSExchangeIS"}, roles: []exchange.Role{mbx}},
	{name: "MSExchangeServiceHost", display: "Microsoft Exchange Service Host", mode: automatic, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{mbx, cas}},
	{name: "MSSpeechService", display: "Microsoft Exchange Speech Engine", mode: automatic, roles: []exchange.Role{um}},
	{name: "MSExchangeTransport", display: "Microsoft Exchange Transport", mode: automatic, needs: []string{"MSExchangeADTopology"}, roles: []exchange.Role{ht}},
	{name: "MSExchangeTransport", display: "Microsoft Exchange Transport", mode: automatic, needs: []string{"ADAM_MSExchange"}, roles: []exchange.Role{et}},
	{name: "MSExchangeTransportLogSearch", display: "Microsoft Exchange Transport Log Search", mode: automatic, roles: []exchange.Role{ht, mbx, et}},
	{name: "MSExchangeUM", display: "Microsoft Exchange Unified Messaging", mode: automatic, needs: []string{"MSExchangeADTopology", "MSSpeechService"}, roles: []exchange.Role{um}},
	{name: "msftesql-Exchange", display: "Microsoft Search (Exchange)", mode: manual, roles: []exchange.Role{mbx, ht}},
}

// servicesKey holds one key for each service.
const servicesKey = `HKLM\SYSTEM\CurrentControlSet\Services`

// serviceKey writes into a service's key what the service control manager keeps
// there; the caller holds the lock.
func (h *host) serviceKey(path string) {
	if len(path) <= len(servicesKey) || !strings.EqualFold(path[:len(servicesKey)], servicesKey) {
		return
	}
	if s := h.service(path[len(servicesKey)+1:]); s != nil {
		modes := map[string]uint32{automatic: 2, manual: 3, disabled: 4}
		key := servicesKey + `\` + s.Name
		h.regPut(key, dword("Start", modes[s.StartMode]))
		h.regPut(key, text("ObjectName", s.Account))
		h.regPut(key, regValue{Name: "ImagePath", Type: regExpandSZ, Text: s.Path})
		if len(s.DependsOn) > 0 {
			h.regPut(key, regValue{Name: "DependOnService", Type: regMultiSZ, Many: s.DependsOn})
		} else {
			h.regForget(key, "DependOnService")
		}
	}
}

func (h *host) freshServices() {
	row := h.row()
	add := func(f freshService, ofExchange bool) {
		fits := len(f.roles) == 0
		for _, r := range f.roles {
			fits = fits || row.Has(r)
		}
		if !fits || h.service(f.name) != nil {
			return
		}
		path := h.platform.system32() + `\svchost.exe -k netsvcs`
		if ofExchange {
			path = `"` + h.platform.installPath() + `bin\` + f.name + `.exe"`
		}
		h.addService(&service{
			Name: f.name, Display: f.display, Path: path, Account: "LocalSystem",
			StartMode: f.mode, DependsOn: f.needs, Exchange: ofExchange,
		})
	}
	for _, f := range h.platform.freshWindowsServices() {
		add(f, false)
	}
	for _, f := range exchangeServices {
		add(f, true)
	}
	for _, name := range row.Services {
		if h.service(name) == nil {
			h.addService(&service{
				Name: name, Display: name, Path: `"` + h.platform.programFiles() + `\` + name + `\` + name + `.exe"`, Account: "LocalSystem",
				StartMode: automatic, ThirdParty: true,
			})
		}
	}
	for _, s := range h.state.Services { // what runs has its needs running
		for _, need := range s.DependsOn {
			if n := h.service(need); n != nil && s.State == running && n.State == stopped {
				h.state.NextPID += 4
				n.State, n.PID = running, h.state.NextPID
			}
		}
	}
}

func (h *host) addService(s *service) {
	s.State = stopped
	if s.StartMode == automatic {
		s.State = running
		h.state.NextPID += 4
		s.PID = h.state.NextPID
	}
	h.state.Services = append(h.state.Services, s)
	h.serviceProgram(s)
	h.serviceKey(servicesKey + `\` + s.Name)
}

// service finds a service by its short name; the caller holds the lock, as for
// every function here.
func (h *host) service(name string) *service {
	for _, s := range h.state.Services {
		if strings.EqualFold(s.Name, name) {
			return s
		}
	}
	return nil
}

// stopTime is how long a service takes to stop at speed 1; the information
// store is slow (domain.md 5.2: four minutes and more).
func stopTime(s *service) time.Duration {
	switch {
	case strings.EqualFold(s.Name, "MSExchangeIS"):
		return 90 * time.Second
	case s.Exchange:
		return 15 * time.Second
	}
	return 8 * time.Second
}

// dependents lists running services that need s.
func (h *host) dependents(s *service) []*service {
	var all []*service
	for _, other := range h.state.Services {
		for _, need := range other.DependsOn {
			if strings.EqualFold(need, s.Name) && other.State != stopped {
				all = append(all, other)
			}
		}
	}
	return all
}

// stopService begins to stop a service; the answer is a Win32 error.
func (h *host) stopService(s *service) int {
	h.touched(s)
	switch {
	case s.State == stopped:
		return errServiceStopped
	case s.State != running && s.State != paused:
		return errServiceControl
	case len(h.dependents(s)) > 0:
		return errServiceDependents
	}
	s.State = stopPending
	if h.refusesToStop(s) {
		return 0
	}
	h.later(h.lasts(stopTime(s)), func() { h.serviceStopped(s) })
	return 0
}

// serviceStopped is the end of stopping.
func (h *host) serviceStopped(s *service) {
	if s.State == stopped {
		return
	}
	s.State, s.PID = stopped, 0
	h.happened("service-stopped", map[string]any{"service": s.Name})
	h.firewallTurned(s)
	if s.Name == clusterService {
		h.leave()
	}
	h.comesBack(s)
}

// startService begins to start a service and what it needs.
func (h *host) startService(s *service) int {
	h.touched(s)
	switch {
	case s.StartMode == disabled:
		return errServiceDisabled
	case s.State != stopped:
		return errServiceRunning
	}
	for _, need := range s.DependsOn {
		if n := h.service(need); n != nil && n.State == stopped {
			if code := h.startService(n); code != 0 {
				return errServiceDependency
			}
		}
	}
	s.State = startPending
	h.state.NextPID += 4
	s.PID = h.state.NextPID
	if h.strikes("service-stays-stopped", func(d *declared) bool { return d.holds(s) }) != nil {
		h.later(h.lasts(4*time.Second), func() { s.State, s.PID = stopped, 0 })
		return 0
	}
	if h.timesOut(s) {
		h.later(h.lasts(30*time.Second), func() {
			s.State, s.PID = stopped, 0
			h.happened("service-timed-out", map[string]any{"service": s.Name})
		})
		return 0
	}
	h.later(h.lasts(4*time.Second), func() { h.serviceStarted(s) })
	return 0
}

// managedServices are those that KB944752 names: managed code, whose publisher is
// looked up before it answers the service control manager.
var managedServices = []string{"MSExchangeEdgeSync", "MSExchangeTransport", "MSExchangeTransportLogSearch"}

// timesOut reports whether a service misses the 30 seconds that the service control
// manager waits, since the revocation list cannot be reached; generatePublisherEvidence
// in its configuration file cures it (KB944752).
func (h *host) timesOut(s *service) bool {
	if f := h.fileAt(h.platform.installPath() + `bin\` + s.Name + `.exe.config`); f != nil && strings.Contains(string(f.Data), `<generatePublisherEvidence enabled="false"`) {
		return false
	}
	return h.strikes("service-times-out", func(d *declared) bool {
		return d.service == "" && slices.Contains(managedServices, s.Name) || d.service != "" && d.holds(s)
	}) != nil
}

// serviceStarted is the end of starting.
func (h *host) serviceStarted(s *service) {
	if s.State == running {
		return
	}
	s.State = running
	if s.PID == 0 {
		h.state.NextPID += 4
		s.PID = h.state.NextPID
	}
	h.happened("service-started", map[string]any{"service": s.Name})
	h.firewallTurned(s)
	if s.Name == clusterService {
		h.enter()
	}
}

// pauseService pauses a service or lets a paused one go on; the answer is a Win32
// error. Of Exchange's services the transport can be paused (remembered).
func (h *host) pauseService(s *service, pause bool) int {
	from, to, word := paused, running, "service-continued"
	if pause {
		from, to, word = running, paused, "service-paused"
	}
	switch {
	case s.State == stopped:
		return errServiceStopped
	case !strings.EqualFold(s.Name, "MSExchangeTransport"):
		return errServiceRequest
	case s.State != from, pause && h.strikes("transport-does-not-pause", nil) != nil:
		return errServiceControl
	}
	pending := continuePending
	if pause {
		pending = pausePending
	}
	s.State = pending
	h.later(h.lasts(pauseTime), func() {
		if s.State == pending {
			s.State = to
			h.happened(word, map[string]any{"service": s.Name})
		}
	})
	return 0
}

// A service that was told to pause or to go on is on its way for a while (states of
// Win32_Service); for the transport the time is a guess.
const (
	pausePending    = "Pause Pending"
	continuePending = "Continue Pending"
	pauseTime       = 4 * time.Second
)

// stopAllServices is what a restart does, in the order of dependence.
func (h *host) stopAllServices() {
	for again := true; again; {
		again = false
		for _, s := range h.state.Services {
			if s.State != stopped && len(h.dependents(s)) == 0 {
				h.serviceStopped(s)
				again = true
			}
		}
	}
}

// startServicesAtBoot starts what is automatic and can start.
func (h *host) startServicesAtBoot() {
	started := map[string]bool{}
	var start func(s *service) bool
	start = func(s *service) bool {
		if s.State == running {
			return true
		}
		if s.StartMode == disabled || started[s.Name] {
			return false
		}
		started[s.Name] = true
		for _, need := range s.DependsOn {
			if n := h.service(need); n != nil && !start(n) {
				return false
			}
		}
		if h.timesOut(s) {
			h.happened("service-timed-out", map[string]any{"service": s.Name})
			return false
		}
		h.serviceStarted(s)
		return true
	}
	for _, s := range h.state.Services {
		if s.StartMode == automatic {
			start(s)
		}
	}
}
