package twin

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// state is everything of a host that outlives the program.
type state struct {
	ClockOffset time.Duration      `json:"clock_offset"`
	Booted      time.Time          `json:"booted"`
	Installed   time.Time          `json:"installed"`
	NextPID     int                `json:"next_pid"`
	Registry    map[string]*regKey `json:"registry"` // by lower-case path
	Files       map[string]*file   `json:"files"`    // by lower-case path
	Services    []*service         `json:"services"`
	Hotfixes    []string           `json:"hotfixes"`
	Disks       []*disk            `json:"disks"`
	Tasks       map[string]*task   `json:"tasks"` // by lower-case name
	Setup       *setupRun          `json:"setup,omitempty"`
	Running     int                `json:"running"` // tasks whose program runs now
	Broken      map[string]bool    `json:"broken"`  // order-broken pairs already journaled

	Certificate int `json:"certificate,omitempty"` // number of the one that the listener shows

	Faults     []*declared       `json:"faults,omitempty"`
	Progress   progress          `json:"progress"`
	SetupBroke bool              `json:"setup_broke,omitempty"` // the last Setup failed or did not end
	Events     []event           `json:"events,omitempty"`
	Acting     *acting           `json:"acting,omitempty"`
	World      *world            `json:"world,omitempty"`
	Disabled   map[string]string `json:"disabled,omitempty"` // start modes of services that an aborted Setup left disabled
}

// disk is one fixed disk of Win32_LogicalDisk.
type disk struct {
	ID         string
	Size, Free int64
	Label      string
}

// setupRun is Exchange Setup while it runs.
type setupRun struct {
	PID     int
	Command string
	Target  string // the build it brings
}

// forgetRunning drops what cannot live without power.
func (s *state) forgetRunning() {
	s.SetupBroke = s.SetupBroke || s.Setup != nil
	s.Setup = nil
	s.Running = 0
	for _, t := range s.Tasks {
		if t.Running {
			t.Running = false
		}
	}
}

func (h *host) stateFile() string {
	return filepath.Join(h.fleet.opt.StateDir, h.name+".json")
}

// save writes the state atomically; the caller holds the lock.
func (h *host) save() error {
	if h.fleet.opt.StateDir == "" || h.fleet.ctx.Err() != nil { // a fleet that ends is as dead as a killed one
		return nil
	}
	raw, err := json.Marshal(h.state)
	if err != nil {
		return fmt.Errorf("save host %s: %w", h.name, err)
	}
	tmp := h.stateFile() + ".new"
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return fmt.Errorf("save host %s: %w", h.name, err)
	}
	if err := os.Rename(tmp, h.stateFile()); err != nil {
		return fmt.Errorf("save host %s: %w", h.name, err)
	}
	return nil
}

// loadState reads the host as an earlier run left it, or nil. A host whose
// tasks were running lost its power together with the earlier run.
func (h *host) loadState() (*state, error) {
	if h.fleet.opt.StateDir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(h.fleet.opt.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("load host %s: %w", h.name, err)
	}
	raw, err := os.ReadFile(h.stateFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load host %s: %w", h.name, err)
	}
	s := &state{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("load host %s from %s: %w", h.name, h.stateFile(), err)
	}
	h.state = s
	for _, d := range s.Faults {
		if err := d.ready(); err != nil {
			return nil, fmt.Errorf("load host %s from %s: %w", h.name, h.stateFile(), err)
		}
		if d.Fault.Name == "address-lost" && !d.silent && d.on() {
			h.lost++
		}
	}
	if s.Setup != nil || s.Running > 0 {
		h.happened("power-loss", nil)
		s.forgetRunning()
		for _, svc := range s.Services {
			svc.State, svc.PID = stopped, 0
		}
		h.boots()
		h.startServicesAtBoot()
		return s, nil
	}
	for _, svc := range s.Services { // on its way when the program ended: it has arrived
		switch svc.State {
		case stopPending:
			h.serviceStopped(svc)
		case startPending:
			h.serviceStarted(svc)
		}
	}
	return s, nil
}

// number is a fixed number from 0 to n-1 that depends on the host and a word,
// so that hosts differ and a run can be repeated.
func (h *host) number(word string, n int) int {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(h.name + "/" + word)) // a hash takes everything
	return int(sum.Sum32() % uint32(n))
}
