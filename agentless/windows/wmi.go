package windows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"wavekeeper/agentless/winrm"
)

// WMI is asked first, each time: its answers hold more. Setup may stop it, an
// aborted one may leave it disabled, its repository may be damaged, and it may
// hang while all else on the host goes on. What decides whether something lives
// and how a host stands is then read the second way, by programs and scripts of
// Windows that do not need it.

const (
	// wmiWithin is how long one question to WMI may take: less than a request, so
	// that there is time left in a tick for the second way.
	wmiWithin = 7 * time.Second
	// identifyWithin is how long a host that did not answer for WMI may take to
	// say that it is there.
	identifyWithin = 3 * time.Second
	// wmiRests is for how long WMI is not asked once it hung: each try costs a
	// tick wmiWithin. Then it is asked again.
	wmiRests = time.Minute
)

// NoWMI is WMI that did not answer on a host that does.
type NoWMI struct {
	Why  error
	Hung bool // it gave no answer at all, not even a fault
}

// Error says what became of the question.
func (n *NoWMI) Error() string {
	if n.Hung {
		return "WMI hangs: " + n.Why.Error()
	}
	return n.Why.Error()
}

// Unwrap gives WMI's fault or the deadline. A host that answers Identify is
// there: the deadline alone would say that it is not.
func (n *NoWMI) Unwrap() error {
	if n.Hung {
		return nil
	}
	return n.Why
}

// errNothing is an answer without any object where every Windows has some: a
// damaged repository or a provider that does not load can look so.
var errNothing = errors.New("the answer holds no object, where every Windows has some")

// known is what a Host learned that outlives one round of questions: what cannot
// change while Windows runs, and how WMI fares.
type known struct {
	mu      sync.Mutex
	windows winrm.OSVersion
	oem     int    // code page, 0 = not asked for yet
	shell   string // powershell.exe's full name where the path does not lead to it
	hung    *NoWMI
	until   time.Time // WMI is not asked before
	rests   time.Duration
}

// resting is why WMI is not asked now, nil when it is.
func (k *known) resting(now time.Time) *NoWMI {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hung != nil && now.Before(k.until) {
		return k.hung
	}
	return nil
}

// told notes how WMI answered last; nil is as it should.
func (k *known) told(no *NoWMI, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hung = nil
	if no != nil && no.Hung {
		k.hung, k.until = no, now.Add(k.rests)
	}
}

// Round is the same host for another round of questions: it knows what was
// learned, and Without begins anew.
func (h *Host) Round() *Host { return &Host{conn: h.conn, known: h.known} }

// query asks WMI in root/cimv2. A *NoWMI says that WMI, and not the host, failed
// to answer.
func (h *Host) query(ctx context.Context, wql string) (rows []winrm.Instance, err error) {
	err = h.wmi(ctx, func(ctx context.Context) (err error) {
		rows, err = h.conn.Enumerate(ctx, cimv2, wql)
		return err
	})
	return rows, err
}

// some is query for a class of which every Windows has objects.
func (h *Host) some(ctx context.Context, wql string) ([]winrm.Instance, error) {
	rows, err := h.query(ctx, wql)
	if err == nil && len(rows) == 0 {
		err = &NoWMI{Why: fmt.Errorf("%s: %w", wql, errNothing)}
	}
	return rows, err
}

// invoke calls a method of a class of WMI, as query.
func (h *Host) invoke(ctx context.Context, resource, method string, in []winrm.Param) (out winrm.Instance, err error) {
	err = h.wmi(ctx, func(ctx context.Context) (err error) {
		out, err = h.conn.Invoke(ctx, resource, nil, method, in)
		return err
	})
	return out, err
}

// wmi is the one way to WMI.
func (h *Host) wmi(ctx context.Context, ask func(context.Context) error) error {
	if no := h.known.resting(time.Now()); no != nil {
		return no
	}
	within, cancel := context.WithTimeout(ctx, wmiWithin)
	err := ask(within)
	cancel()
	if err == nil {
		h.known.told(nil, time.Now())
		return nil
	}
	no := h.noWMI(ctx, err)
	if no == nil {
		return err
	}
	h.known.told(no, time.Now())
	return no
}

// noWMI reports whether WMI, and not the host, failed to answer. Either a SOAP
// fault says so that is no refusal of the account and no quota of WinRM: a host
// that refuses or that is asked too much would not answer the second way, either.
// Typical codes: 0x800706ba (the service is stopped), 0x80070422 (disabled),
// 0x80041033 and 0x80041015 (it goes down), 0x80041001 and 0x80041010 (its
// repository is damaged). Or no answer came in time, and the host still answers
// Identify, which needs no WMI; the host's own time limit (2150858793) is the
// same, sooner.
func (h *Host) noWMI(ctx context.Context, err error) *NoWMI {
	var fault *winrm.Fault
	switch {
	case errors.As(err, &fault):
		if fault.Blame == "" || errors.Is(err, winrm.ErrDenied) || slices.Contains(quotaCodes, fault.Code) {
			return nil
		}
		return &NoWMI{Why: err, Hung: fault.Code == winrm.CodeTimedOut}
	case ctx.Err() != nil || winrm.Outcome(err) != winrm.OutcomeTimeout:
		return nil
	}
	within, cancel := context.WithTimeout(ctx, identifyWithin)
	defer cancel()
	if _, away := h.conn.Identify(within); away != nil {
		return nil
	}
	return &NoWMI{Why: err, Hung: true}
}

var quotaCodes = []uint32{winrm.CodeShellQuota, winrm.CodeOperationQuota, winrm.CodeUserQuota}

// either reads a noun by WMI and, where WMI does not answer, the second way;
// which it was is noted.
func either[T any](ctx context.Context, h *Host, noun string, byWMI, without func(context.Context) (T, error)) (T, error) {
	got, err := byWMI(ctx)
	var no *NoWMI
	if !errors.As(err, &no) {
		if err == nil {
			h.went(noun, nil)
		}
		return got, err
	}
	h.went(noun, no)
	got, err = without(ctx)
	if err != nil {
		return got, fmt.Errorf("%w; without WMI, which was asked first: %s", err, no.Error())
	}
	return got, nil
}

// unnoted is a noun of which nobody wants to know how it was read.
const unnoted = ""

// went notes by which way a noun was read last; nil is by WMI.
func (h *Host) went(noun string, no *NoWMI) {
	if noun == unnoted {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if no == nil {
		delete(h.without, noun)
		return
	}
	h.detour++
	if h.without == nil {
		h.without = map[string]string{}
	}
	h.without[noun] = no.Error()
}

// detours counts what was read without WMI.
func (h *Host) detours() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.detour
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
