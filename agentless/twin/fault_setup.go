package twin

// phase is Setup in the middle of one of its phases (domain.md 2.7): declared
// faults begin. False when Setup ends here.
func (s *setup) phase(n int) bool {
	fails, wmi := false, false
	s.h.update(func() {
		for _, d := range s.h.state.Faults {
			if n == 6 && (d.Fault.Name == "wmi-stopped" && (d.phase >= 6 && d.Left > 0 || d.on() && d.Fault.Step == stepSetup)) {
				wmi = true
			}
			if d.phase != n || d.Left == 0 || d.On {
				continue
			}
			switch d.kind.way {
			case onAction: // waits for what it spoils
			case onWire:
				d.Armed = true
			case onHost:
				s.h.begin(d)
				fails = fails || d.Fault.Name == "setup-fails" || d.Fault.Name == "wmi-stopped" && n >= 6
			}
		}
		if wmi {
			s.h.stopForSetup(s.h.service("winmgmt"))
		}
	})
	if s.s.ctx.Err() != nil {
		return false
	}
	full := false
	s.h.look(func() { full = !s.h.hasRoom(s.h.platform.installPath()+`bin\new.dll`, 1<<20) })
	switch {
	case full && (n == 2 || n == 7):
		s.log(1, "[ERROR] There is not enough space on the disk.")
	case fails:
		for _, line := range setupErrors[n] {
			s.log(2, "%s", line)
		}
	default:
		return true
	}
	if n >= 6 {
		s.leaveDisabled()
	}
	return false
}

// setupErrors are what the log says when a phase fails. The lines of 5, 7 and 9
// follow logs 29, 24 and 25 of the corpus; 8 follows the form of later versions;
// the rest are remembered [K].
var setupErrors = map[int][]string{
	1: {"[ERROR] Setup cannot load the assembly ExSetup.exe."},
	2: {`[ERROR] Could not find a part of the path 'C:\WINDOWS\TEMP\ExchangeServerSetup\Setup\ServerRoles\Common'.`},
	3: {"[ERROR] Unable to set shared config DC."},
	4: {"[ERROR] Prerequisite analysis engine failed: The RPC server is unavailable. (0x800706BA)"},
	5: {"[ERROR] Active Directory operation failed. The user has insufficient access rights."},
	6: {"[ERROR] Service 'MSExchangeADTopology' failed to reach status 'Stopped' on this server."},
	7: {
		"[ERROR] Couldn't install product. Error reading from file: C:\\WINDOWS\\Installer\\MSI4A.tmp. Verify that the file exists and that you can access it. Error code is 1603.",
		"[ERROR] Fatal error during installation",
	},
	8: {"[ERROR] There are no more endpoints available from the endpoint mapper. (0x800706D9)"},
	9: {"[ERROR] Service 'MSExchangeTransport' failed to reach status 'Running' on this server."},
}

// stopForSetup stops a service and disables it until Setup completes; the
// caller holds the lock.
func (h *host) stopForSetup(s *service) {
	if s == nil || s.StartMode == disabled {
		return
	}
	if h.state.Disabled == nil {
		h.state.Disabled = map[string]string{}
	}
	h.state.Disabled[s.Name] = s.StartMode
	s.StartMode = disabled
	h.serviceStopped(s)
}

// leaveDisabled is the state in which an aborted Setup leaves services: some of
// those that it stopped stay disabled (domain.md 2.4, 11 row 13).
func (s *setup) leaveDisabled() {
	s.h.update(func() {
		for i, svc := range s.h.state.Services {
			if svc.Exchange && svc.State == stopped && i%2 == 0 {
				s.h.stopForSetup(svc)
			}
		}
	})
}

// enableAgain gives back the start modes that this Setup or one before it took;
// the caller holds the lock.
func (h *host) enableAgain() {
	for name, mode := range h.state.Disabled {
		if s := h.service(name); s != nil && s.StartMode == disabled {
			s.StartMode = mode
		}
	}
	h.state.Disabled = nil
}
