package twin

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// declared is a fault of a host and what is left of it. It outlives the
// program, with the host's state.
type declared struct {
	Fault Fault
	Left  int       // how often it can still begin
	Count int       // requests counted towards At
	On    bool      // it has begun and is not over
	Until time.Time // its end, by the real clock; zero while On = nobody mends it
	Armed bool      // Setup reached its phase: the next request is hit
	Hits  int       // what it hit while it was on
	Free  int64     // of disk-full: what was free before
	Moved time.Duration
	moment
	kind faultKind
}

// ready fills in what follows from the fault.
func (d *declared) ready() error {
	k, ok := kindOf(d.Fault.Name)
	if !ok {
		return d.Fault.check()
	}
	m, err := d.Fault.moment()
	d.kind, d.moment = k, m
	return err
}

// lasts is how long one time of it lasts at speed 1.
func (d *declared) lasts() time.Duration {
	if d.Fault.Lasts > 0 {
		return d.Fault.Lasts
	}
	return d.kind.lasts
}

// on reports whether it has begun and is not over.
func (d *declared) on() bool {
	return d.On && (d.Until.IsZero() || time.Now().Before(d.Until))
}

// declare gives the fleet's faults to their hosts. A host that was here before
// keeps what is left of the same fault.
func (f *Fleet) declare(all []Fault) error {
	var wrong []error
	kept := map[*host]map[*declared]bool{}
	for i, fault := range all {
		err := f.each(fault, func(h *host, fault Fault) error {
			if kept[h] == nil {
				kept[h] = map[*declared]bool{}
			}
			for _, d := range h.state.Faults {
				if d.Fault == fault && !kept[h][d] {
					kept[h][d] = true
					return nil
				}
			}
			d, err := newDeclared(fault)
			if err != nil {
				return err
			}
			h.state.Faults = append(h.state.Faults, d)
			kept[h][d] = true
			return nil
		})
		if err != nil {
			wrong = append(wrong, fmt.Errorf("fault %d: %w", i+1, err))
		}
	}
	return errors.Join(wrong...)
}

// each calls fn for every host that a fault is declared for.
func (f *Fleet) each(fault Fault, fn func(*host, Fault) error) error {
	if fault.Host == "*" {
		for _, h := range f.hosts {
			fault.Host = h.name
			if err := fn(h, fault); err != nil {
				return err
			}
		}
		return nil
	}
	h, err := f.host(fault.Host)
	if err != nil {
		return err
	}
	fault.Host = h.name
	return fn(h, fault)
}

func newDeclared(fault Fault) (*declared, error) {
	if err := fault.check(); err != nil {
		return nil, err
	}
	d := &declared{Fault: fault, Left: max(1, fault.Times)}
	return d, d.ready()
}

// Inject declares a fault while the fleet runs. One that has neither step nor
// at and is not of the wire begins now.
func (f *Fleet) Inject(fault Fault) error {
	err := f.each(fault, func(h *host, fault Fault) error {
		d, err := newDeclared(fault)
		if err != nil {
			return err
		}
		h.update(func() {
			h.state.Faults = append(h.state.Faults, d)
			if d.kind.way == onHost && fault.Step == "" && fault.At == "" && d.phase == 0 && !d.waitsForRestart() {
				h.begin(d)
			}
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("inject fault: %w", err)
	}
	return nil
}

// inStep reports whether the host is in the step that a fault waits for.
func (h *host) inStep(d *declared) bool {
	step := h.state.Progress.Step
	if step == "" {
		step = stepFacts
	}
	return d.Fault.Step == "" || d.Fault.Step == step
}

// due reports whether a request makes a fault begin; the caller holds the lock.
func (h *host) due(d *declared) bool {
	switch {
	case d.Left == 0 || d.On || d.kind.way == onAction || d.waitsForRestart():
		return false
	case d.phase > 0:
		return d.Armed
	case !h.inStep(d):
		return false
	}
	d.Count++
	return d.Count >= d.request
}

// strikes finds a fault of that name that takes hold of what the machine does
// now, for one of those that wait for such; the caller holds the lock.
func (h *host) strikes(name string, fits func(*declared) bool) *declared {
	for _, d := range h.state.Faults {
		if d.Fault.Name != name || fits != nil && !fits(d) {
			continue
		}
		if d.on() {
			d.Hits++
			return d
		}
		if d.kind.way == onAction && d.Left > 0 && !d.On && h.inStep(d) {
			h.begin(d)
			return d
		}
	}
	return nil
}

// on reports whether a fault of that name has begun and is not over; the caller
// holds the lock.
func (h *host) on(name string) bool {
	for _, d := range h.state.Faults {
		if d.Fault.Name == name && d.on() {
			return true
		}
	}
	return false
}

// begin is the beginning of one time of a fault; the caller holds the lock.
func (h *host) begin(d *declared) {
	d.Left--
	d.Count, d.Hits, d.Armed = 0, 1, false
	h.happened("fault", map[string]any{"fault": d.Fault.Name, "step": h.state.Progress.Step, "declared": d.Fault.String()})
	switch lasts := d.lasts(); {
	case lasts == forGood:
		d.On, d.Until = true, time.Time{}
	case lasts > 0:
		d.On, d.Until = true, time.Now().Add(h.lasts(lasts))
	}
	h.take(d)
	h.waitForEnd(d)
}

// waitForEnd ends a fault at its time, also when the machine is down then.
func (h *host) waitForEnd(d *declared) {
	if !d.On || d.Until.IsZero() {
		return
	}
	wait := time.Until(d.Until)
	h.fleet.goRun(func() {
		if !sleep(h.fleet.ctx, wait) {
			return
		}
		h.update(func() {
			if d.On {
				d.On, d.Until = false, time.Time{}
				h.mend(d)
			}
		})
	})
}

// resumeFaults goes on with the faults that an earlier run of the twin began.
func (h *host) resumeFaults() {
	h.update(func() {
		for _, d := range h.state.Faults {
			h.waitForEnd(d)
		}
	})
}

// take is what a fault does to the machine when it begins.
func (h *host) take(d *declared) {
	switch d.Fault.Name {
	case "power-loss":
		h.faultPower(d)
	case "slow-restart":
		h.faultRestart(d)
	case "address-lost":
		if !d.silent {
			h.loseAddress()
		}
	case "wmi-stopped":
		h.faultWMI(d)
	case "disk-full":
		h.faultDisk(d)
	case "clock-off":
		d.Moved = d.Fault.Offset
		if d.Moved == 0 {
			d.Moved = 3 * time.Hour
		}
		h.moveClock(d.Moved)
	case "foreign-setup":
		h.beginForeignSetup()
	case "tree-changed", "tree-extra":
		h.spoilTree(d)
	case "media-truncated":
		h.faultPower(d)
		h.truncateMedia()
	case "certificate-changed":
		h.renewCertificate(1)
	}
}

// mend is what the end of a fault does to the machine.
func (h *host) mend(d *declared) {
	switch d.Fault.Name {
	case "address-lost":
		if !d.silent {
			h.findAddress()
		}
	case "wmi-stopped":
		if s := h.service("winmgmt"); s != nil && s.StartMode == disabled {
			s.StartMode = automatic
			h.serviceStarted(s)
		}
	case "disk-full":
		for _, disk := range h.state.Disks {
			if strings.EqualFold(disk.ID, "C:") {
				disk.Free = d.Free
			}
		}
	case "clock-off":
		h.moveClock(-d.Moved)
	case "service-will-not-stop":
		for _, s := range h.state.Services {
			if s.State == stopPending && d.holds(s) {
				h.serviceStopped(s)
			}
		}
	case "foreign-setup":
		h.endForeignSetup()
	case "certificate-changed":
		h.renewCertificate(-1)
	}
}
