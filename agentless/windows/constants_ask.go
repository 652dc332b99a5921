package windows

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/winrm"
)

// longestFound is the most of a host's answer that a Check keeps.
const longestFound = 200

// Constants holds every constant against the host and writes nothing there. An
// error means that the host was lost on the way; the checks so far come with it.
func (h *Host) Constants(ctx context.Context) ([]Check, error) {
	q := &questions{host: h}
	if err := q.begin(ctx); err != nil {
		return nil, fmt.Errorf("test constants: %w", err)
	}
	var checks []Check
	for _, c := range Constants() {
		check := Check{Name: c.Name, Expected: c.Value, At: time.Now().UTC()}
		verdict, found, err := q.ask(ctx, c)
		if err != nil {
			if gone(err) && !errors.Is(err, winrm.ErrDenied) || ctx.Err() != nil {
				return checks, fmt.Errorf("test constant %s: %w", c.Name, err)
			}
			verdict, found = Unasked, err.Error()
		}
		if len(found) > longestFound {
			found = strings.ToValidUTF8(found[:longestFound], "") + "..."
		}
		check.Verdict, check.Found = verdict, found
		checks = append(checks, check)
	}
	return checks, nil
}

// questions keeps what serves several constants.
type questions struct {
	host     *Host
	windows  string   // OS.Name's word
	roles    []string // keys below exchangeKey; nil = none
	services []string
	identity string
	files    map[string]bool
	filesErr error
	asked    bool // whether files were asked for
	noWMI    bool // WMI does not answer: what is asked of it proves nothing
}

func (q *questions) begin(ctx context.Context) error {
	os, err := q.host.OS(ctx)
	if err != nil {
		return err
	}
	q.noWMI = os.Via == ViaPrograms
	q.windows = os.Name()
	id, err := q.host.conn.Identify(ctx)
	if err != nil && gone(err) {
		return err
	}
	q.identity = id.Version
	services, err := q.host.Services(ctx)
	if err != nil {
		return err
	}
	for _, s := range services {
		q.services = append(q.services, s.Name)
	}
	q.roles, err = q.host.Keys(ctx, LocalMachine, exchangeKey)
	if errors.Is(err, ErrNoKey) || err != nil && !gone(err) {
		return nil
	}
	return err
}

func fold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// here reports whether a constant can be expected on this host.
func (q *questions) here(c Constant) (bool, string) {
	if len(c.On) > 0 && !slices.Contains(c.On, q.windows) {
		return false, "this is Windows Server " + q.windows
	}
	if c.Needs.Service != "" && !fold(q.services, c.Needs.Service) {
		return false, "no service " + c.Needs.Service + " here"
	}
	if c.Needs.Role != "" && !slices.ContainsFunc(strings.Split(c.Needs.Role, "|"), func(r string) bool { return fold(q.roles, r) }) {
		return false, "none of its roles is here"
	}
	return true, ""
}

func (q *questions) ask(ctx context.Context, c Constant) (Verdict, string, error) {
	if here, why := q.here(c); !here {
		return Moot, why, nil
	}
	found, holds, err := q.look(ctx, c.Probe)
	switch {
	case err != nil:
		return "", "", err
	case holds:
		return Holds, found, nil
	case c.Maybe && found == notThere:
		return Moot, "not there now", nil
	}
	return Differs, found, nil
}

const notThere = "not there"

// look asks the host; the answer in short, and whether it is as expected.
func (q *questions) look(ctx context.Context, p Probe) (string, bool, error) {
	switch p.By {
	case ProbeIdentify:
		return q.identity, matches(p.Want, q.identity), nil
	case ProbeService:
		if fold(q.services, p.At) {
			return "there", true, nil
		}
		return notThere, false, nil
	case ProbeKey:
		_, err := q.host.keysByWMI(ctx, p.hive(), p.At)
		return there(err)
	case ProbeValue:
		return q.value(ctx, p)
	case ProbeWMI:
		return q.property(ctx, p)
	case ProbeFile:
		return q.file(ctx, p.At)
	case ProbeProgram:
		result, err := q.host.Run(ctx, p.At)
		if err != nil {
			return "", false, err
		}
		text, _ := result.Text()
		if p.Want != "" {
			return strings.Join(strings.Fields(text), " "), matches(p.Want, text) && (p.Not == "" || !matches(p.Not, text)), nil
		}
		return "exit code " + strconv.Itoa(result.Exit), result.Exit == p.Exit, nil
	case ProbeScript:
		args := map[string][]string{"service-list": {"WinRM"}, "task-list": {"wk-"}}[p.At]
		_, err := q.host.script(ctx, p.At, args...)
		var script *ScriptError
		switch {
		case err == nil:
			return "its answer is whole", true, nil
		case errors.As(err, &script):
			return script.What, false, nil
		case gone(err):
			return "", false, err
		}
		return err.Error(), false, nil
	}
	return "", false, fmt.Errorf("there is no way to ask called %q", p.By)
}

func (p Probe) hive() Hive {
	if p.Users {
		return Users
	}
	return LocalMachine
}

func matches(pattern, text string) bool {
	ok, err := regexp.MatchString(pattern, text)
	return err == nil && ok
}

// there is the answer of something that is or is not.
func there(err error) (string, bool, error) {
	switch {
	case err == nil:
		return "there", true, nil
	case errors.Is(err, ErrNoKey):
		return notThere, false, nil
	}
	return "", false, err
}

// value reads a registry value of whatever kind it has.
func (q *questions) value(ctx context.Context, p Probe) (string, bool, error) {
	values, err := q.host.valuesByWMI(ctx, p.hive(), p.At)
	if err != nil {
		return there(err)
	}
	kind, name := ValueKind(0), ""
	for n, k := range values {
		if strings.EqualFold(n, p.Property) {
			kind, name = k, n
		}
	}
	var text string
	switch kind {
	case 0:
		return notThere, false, nil
	case DWORD:
		n, err := q.host.dwordByWMI(ctx, p.hive(), p.At, name)
		if err != nil {
			return there(err)
		}
		text = strconv.FormatUint(uint64(n), 10)
	case String, ExpandString:
		if text, err = q.host.stringByWMI(ctx, p.hive(), p.At, name, kind); err != nil {
			return there(err)
		}
	default:
		text = fmt.Sprintf("a value of type %d", kind)
	}
	return text, p.Want == "" || matches(p.Want, text), nil
}

// property asks whether a class has a property: WMI refuses a query for one that
// it does not have (WBEM_E_INVALID_QUERY and others of wbemcli.h).
func (q *questions) property(ctx context.Context, p Probe) (string, bool, error) {
	if q.noWMI {
		return "", false, errors.New(wmiWords)
	}
	rows, err := q.host.conn.Enumerate(ctx, cimv2, "SELECT "+p.Property+" FROM "+p.At)
	var fault *winrm.Fault
	switch {
	case errors.As(err, &fault) && !gone(err):
		return fmt.Sprintf("fault %d", fault.Code), false, nil
	case err != nil:
		return "", false, err
	case len(rows) == 0:
		return "no instance", false, nil
	}
	for _, r := range rows {
		if v := r.Str(p.Property); v != "" {
			return v, true, nil
		}
	}
	return "always empty", false, nil
}

// file asks for all files at once: one command, which prints a number for each
// that is there.
func (q *questions) file(ctx context.Context, path string) (string, bool, error) {
	if !q.asked {
		q.asked, q.files = true, map[string]bool{}
		paths := filesAsked()
		var b strings.Builder
		for i, p := range paths {
			if i > 0 {
				b.WriteString("& ")
			}
			fmt.Fprintf(&b, `(if exist "%s" echo wk-%d-there)`, p, i)
		}
		result, err := q.host.Run(ctx, b.String())
		if q.filesErr = err; err == nil {
			text, _ := result.Text()
			for i, p := range paths {
				q.files[p] = strings.Contains(text, fmt.Sprintf("wk-%d-there", i))
			}
		}
	}
	if q.filesErr != nil {
		return "", false, q.filesErr
	}
	if q.files[path] {
		return "there", true, nil
	}
	return notThere, false, nil
}

func filesAsked() []string {
	var paths []string
	for _, c := range Constants() {
		if c.Probe.By == ProbeFile {
			paths = append(paths, c.Probe.At)
		}
	}
	sort.Strings(paths)
	return paths
}
