package windows

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Marker is one Action or Watermark value of a role key of Exchange: there only
// while Setup runs, or after it broke. Source: the founding document; domain.md
// 3.1 to 3.3 of the project's dossier.
type Marker struct {
	Key   string // the role's key below v8.0, "MailboxRole"
	Name  string // "Action" or "Watermark", as the host spells it
	Kind  string // "REG_SZ", "REG_DWORD"; other kinds are named and cannot be put back exactly
	Value string // the text, or the number in decimal
}

// Exact reports whether a marker's kind can be written back as it was.
func (m Marker) Exact() bool { return m.Kind == "REG_SZ" || m.Kind == "REG_DWORD" }

// Path is the value's full name, for people.
func (m Marker) Path() string { return `HKLM\` + exchangeKey + `\` + m.Key + `\` + m.Name }

// roleKey is what a role key's name looks like; it goes into command lines.
var roleKey = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// check refuses everything but the two values of a role key.
func (m Marker) check() error {
	if !roleKey.MatchString(m.Key) || !isMarker(m.Name) {
		return fmt.Errorf("%s is no Action or Watermark of a role key", m.Path())
	}
	return nil
}

func isMarker(name string) bool {
	return strings.EqualFold(name, "Action") || strings.EqualFold(name, "Watermark")
}

// kindNames are reg.exe's names of the kinds of registry values.
var kindNames = map[ValueKind]string{
	String: "REG_SZ", ExpandString: "REG_EXPAND_SZ", 3: "REG_BINARY", DWORD: "REG_DWORD", MultiString: "REG_MULTI_SZ", 11: "REG_QWORD",
}

// Markers lists the Action and Watermark values of all role keys, by key and
// name. Without WMI reg.exe is asked.
func (h *Host) Markers(ctx context.Context) ([]Marker, error) {
	found, err := h.markersByWMI(ctx)
	if withoutWMI(err) {
		h.went("markers", err)
		found, err = h.markersByReg(ctx)
	} else if err == nil {
		h.went("markers", nil)
	}
	if err != nil {
		return nil, fmt.Errorf("read Action and Watermark: %w", err)
	}
	slices.SortFunc(found, func(a, b Marker) int { return strings.Compare(a.Key+`\`+a.Name, b.Key+`\`+b.Name) })
	return found, nil
}

func (h *Host) markersByWMI(ctx context.Context) ([]Marker, error) {
	keys, err := h.Keys(ctx, LocalMachine, exchangeKey)
	if errors.Is(err, ErrNoKey) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []Marker
	for _, key := range keys {
		path := exchangeKey + `\` + key
		values, err := h.Values(ctx, LocalMachine, path)
		if errors.Is(err, ErrNoKey) {
			continue // the key went away between two questions
		}
		if err != nil {
			return nil, err
		}
		for name, kind := range values {
			if !isMarker(name) {
				continue
			}
			m := Marker{Key: key, Name: name, Kind: kindNames[kind]}
			if m.Kind == "" {
				m.Kind = fmt.Sprintf("kind %d", kind)
			}
			if m.Exact() || kind == ExpandString {
				m.Value, err = h.text(ctx, path, name, kind)
			}
			if errors.Is(err, ErrNoKey) {
				continue
			}
			if err != nil {
				return nil, err
			}
			found = append(found, m)
		}
	}
	return found, nil
}

func (h *Host) markersByReg(ctx context.Context) ([]Marker, error) {
	result, err := h.Run(ctx, `reg.exe query "HKLM\`+exchangeKey+`" /s`)
	if err != nil {
		return nil, err
	}
	if result.Exit != 0 {
		return nil, fmt.Errorf("reg.exe query ended with %d", result.Exit)
	}
	out, _ := result.Text()
	return parseMarkers(out), nil
}

// regLine is one value in the output of reg.exe query: between tabs on Windows
// Server 2003, between four blanks later on.
var regLine = regexp.MustCompile(`^ {4}(\S+)(?:\t| {4})(REG_[A-Z_]+)(?:\t| {4})?(.*)$`)

func parseMarkers(out string) []Marker {
	var found []Marker
	key := ""
	for _, line := range strings.Split(out, "\n") {
		line = strings.TrimRight(line, "\r")
		if strings.HasPrefix(line, "HKEY_") {
			key = ""
			if _, below, ok := cutFold(strings.TrimSpace(line), exchangeKey+`\`); ok && roleKey.MatchString(below) {
				key = below
			}
			continue
		}
		f := regLine.FindStringSubmatch(line)
		if key == "" || f == nil || !isMarker(f[1]) {
			continue
		}
		m := Marker{Key: key, Name: f[1], Kind: f[2], Value: f[3]}
		if m.Kind == "REG_DWORD" {
			if n, err := strconv.ParseUint(m.Value, 0, 32); err == nil {
				m.Value = strconv.FormatUint(n, 10)
			}
		}
		found = append(found, m)
	}
	return found
}

// DeleteMarker deletes one Action or Watermark value; one that is not there is
// fine. Nothing else can be deleted with it.
func (h *Host) DeleteMarker(ctx context.Context, m Marker) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	err := h.DeleteValue(ctx, LocalMachine, exchangeKey+`\`+m.Key, m.Name)
	if withoutWMI(err) {
		err = h.reg(ctx, "delete", `HKLM\`+exchangeKey+`\`+m.Key, "/v", m.Name, "/f")
	}
	if err != nil && !errors.Is(err, ErrNoKey) {
		return fmt.Errorf("delete %s: %w", m.Path(), err)
	}
	return nil
}

// ErrInexact says that a value cannot be written back as it was.
var ErrInexact = errors.New("a value of this kind cannot be put back exactly")

// PutMarker writes one Action or Watermark value, kind and text. ErrNoKey means
// that the role's key is gone.
func (h *Host) PutMarker(ctx context.Context, m Marker) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if !m.Exact() {
		return fmt.Errorf("write %s, %s: %w", m.Path(), m.Kind, ErrInexact)
	}
	key := exchangeKey + `\` + m.Key
	_, err := h.Values(ctx, LocalMachine, key)
	if withoutWMI(err) && h.reg(ctx, "query", `HKLM\`+key) != nil {
		err = ErrNoKey // reg.exe would make the key
	}
	if errors.Is(err, ErrNoKey) {
		return fmt.Errorf("write %s: %w", m.Path(), err)
	}
	if err := h.putMarker(ctx, key, m); err != nil {
		return fmt.Errorf("write %s: %w", m.Path(), err)
	}
	return nil
}

func (h *Host) putMarker(ctx context.Context, key string, m Marker) error {
	var err error
	if m.Kind == "REG_DWORD" {
		n, parse := strconv.ParseUint(m.Value, 10, 32)
		if parse != nil {
			return fmt.Errorf("%q is no DWORD", m.Value)
		}
		err = h.SetDWORD(ctx, LocalMachine, key, m.Name, uint32(n))
	} else {
		err = h.SetString(ctx, LocalMachine, key, m.Name, m.Value)
	}
	if withoutWMI(err) {
		return h.reg(ctx, "add", `HKLM\`+key, "/v", m.Name, "/t", m.Kind, "/d", m.Value, "/f")
	}
	return err
}

// reg runs reg.exe without cmd.exe, so that nothing in a value is expanded.
func (h *Host) reg(ctx context.Context, verb string, words ...string) error {
	args := []string{verb}
	for _, word := range words {
		if len(word) == 2 && word[0] == '/' {
			args = append(args, word)
			continue
		}
		quoted, err := argument(word)
		if err != nil {
			return fmt.Errorf("reg.exe %s: %w", verb, err)
		}
		args = append(args, quoted)
	}
	result, err := h.program(ctx, "reg.exe", args...)
	if err != nil {
		return fmt.Errorf("reg.exe %s: %w", verb, err)
	}
	if result.Exit != 0 {
		return fmt.Errorf("reg.exe %s ended with %d", verb, result.Exit)
	}
	return nil
}
