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

// Markers lists the Action and Watermark values of all role keys, by key and
// name. Without WMI reg.exe is asked.
func (h *Host) Markers(ctx context.Context) ([]Marker, error) {
	found, err := either(ctx, h, "markers", h.markersByWMI, h.markersByReg)
	if err != nil {
		return nil, fmt.Errorf("read Action and Watermark: %w", err)
	}
	slices.SortFunc(found, func(a, b Marker) int { return strings.Compare(a.Key+`\`+a.Name, b.Key+`\`+b.Name) })
	return found, nil
}

func (h *Host) markersByWMI(ctx context.Context) ([]Marker, error) {
	keys, err := h.keysByWMI(ctx, LocalMachine, exchangeKey)
	if errors.Is(err, ErrNoKey) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []Marker
	for _, key := range keys {
		path := exchangeKey + `\` + key
		values, err := h.valuesByWMI(ctx, LocalMachine, path)
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
	keys, err := h.regTree(ctx, LocalMachine, exchangeKey)
	if errors.Is(err, ErrNoKey) {
		return nil, nil
	}
	return markersOf(keys), err
}

// markersOf are the markers in what reg.exe said of the role keys.
func markersOf(keys []regKey) []Marker {
	var found []Marker
	for _, k := range keys {
		_, below, ok := cutFold(k.name, exchangeKey+`\`)
		if !ok || !roleKey.MatchString(below) {
			continue
		}
		for _, v := range k.values {
			if isMarker(v.name) {
				found = append(found, Marker{Key: below, Name: v.name, Kind: v.kind, Value: v.text()})
			}
		}
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
	if _, err := h.Values(ctx, LocalMachine, key); errors.Is(err, ErrNoKey) {
		return fmt.Errorf("write %s: %w", m.Path(), err)
	}
	if err := h.putMarker(ctx, key, m); err != nil {
		return fmt.Errorf("write %s: %w", m.Path(), err)
	}
	return nil
}

func (h *Host) putMarker(ctx context.Context, key string, m Marker) error {
	if m.Kind == "REG_DWORD" {
		n, err := strconv.ParseUint(m.Value, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is no DWORD", m.Value)
		}
		return h.SetDWORD(ctx, LocalMachine, key, m.Name, uint32(n))
	}
	return h.SetString(ctx, LocalMachine, key, m.Name, m.Value)
}
