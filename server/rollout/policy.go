package rollout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"wavekeeper/server/exchange"
)

// Policy is the limits of a plan.
type Policy struct {
	AtOnce            int      `json:"at_once"`          // servers in work at the same time; 0 = no limit
	AtOncePerSite     int      `json:"at_once_per_site"` // in one AD site; 0 = no limit
	Floor             Floor    `json:"floor"`            // what must stay in service
	PilotMinutes      int      `json:"pilot_minutes"`    // the first of a role and site is healthy so long before its siblings
	StopAfterFailures int      `json:"stop_after_failures"`
	Overlap           bool     `json:"overlap"` // an approved wave may start what it can before the one before it is done
	Windows           []string `json:"windows"` // none exist yet
	Freezes           []string `json:"freezes"` // none exist yet
}

// DefaultPolicy returns the policy of a plan that names none.
func DefaultPolicy() Policy {
	return Policy{AtOnce: 10, Floor: Floor{Count: 1}, StopAfterFailures: 1, Windows: []string{}, Freezes: []string{}}
}

// Floor is the least number of servers of a role that stay in service in an AD
// site with two or more of it: a count, or a percentage rounded up.
type Floor struct {
	Count   int
	Percent int // used when above 0
}

// Of returns how many of n servers stay in service; a site with one has none.
func (f Floor) Of(n int) int {
	switch {
	case n < 2:
		return 0
	case f.Percent > 0:
		return (n*f.Percent + 99) / 100
	default:
		return f.Count
	}
}

// MarshalJSON writes {"count":1} or {"percent":50}.
func (f Floor) MarshalJSON() ([]byte, error) {
	if f.Percent > 0 {
		return json.Marshal(map[string]int{"percent": f.Percent})
	}
	return json.Marshal(map[string]int{"count": f.Count})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Floor) UnmarshalJSON(b []byte) error {
	var v struct{ Count, Percent int }
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("read floor: %w", err)
	}
	*f = Floor{Count: v.Count, Percent: v.Percent}
	return nil
}

// String says the floor in words.
func (f Floor) String() string {
	if f.Percent > 0 {
		return fmt.Sprintf("%d %% of each role stay in service per site", f.Percent)
	}
	return fmt.Sprintf("%d of each role stays in service per site", f.Count)
}

// policyReaders has one reader per key of a policy file.
var policyReaders = map[string]func(p *Policy, v *yaml.Node) error{
	"at_once":             func(p *Policy, v *yaml.Node) error { return readNumber(v, &p.AtOnce) },
	"at_once_per_site":    func(p *Policy, v *yaml.Node) error { return readNumber(v, &p.AtOncePerSite) },
	"floor":               func(p *Policy, v *yaml.Node) error { return readFloor(v, &p.Floor) },
	"pilot_minutes":       func(p *Policy, v *yaml.Node) error { return readNumber(v, &p.PilotMinutes) },
	"stop_after_failures": func(p *Policy, v *yaml.Node) error { return readNumber(v, &p.StopAfterFailures) },
	"overlap":             func(p *Policy, v *yaml.Node) error { return readFlag(v, &p.Overlap) },
	"windows":             func(_ *Policy, v *yaml.Node) error { return readEmpty(v) },
	"freezes":             func(_ *Policy, v *yaml.Node) error { return readEmpty(v) },
}

// PolicyKeys lists the keys of a policy file.
func PolicyKeys() []string { return sortedKeys(policyReaders) }

// ParsePolicy reads a policy file, YAML or JSON. Keys that are absent keep
// their defaults; an unknown key is an error that names the nearest.
func ParsePolicy(file []byte) (Policy, error) {
	p := DefaultPolicy()
	var document, second yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(file))
	switch err := in.Decode(&document); {
	case errors.Is(err, io.EOF):
		return p, nil
	case err != nil:
		return p, Invalid("policy file: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	case len(document.Content) == 0:
		return p, nil
	}
	if err := in.Decode(&second); !errors.Is(err, io.EOF) {
		return p, Invalid("policy file: one document is expected, another begins at line %d", second.Line)
	}
	err := readMapping(document.Content[0], "policy file", PolicyKeys(), func(key string, v *yaml.Node) error {
		return policyReaders[key](&p, v)
	})
	return p, err
}

// readMapping walks a mapping; unknown and repeated keys are refused.
func readMapping(n *yaml.Node, what string, known []string, read func(key string, v *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return Invalid("%s: a mapping of keys to values is expected, with the keys %s", what, strings.Join(known, ", "))
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !slices.Contains(known, key.Value) {
			return Invalid("%s: line %d: unknown key %q%s", what, key.Line, key.Value, exchange.Near(key.Value, known, ", the nearest known one is"))
		}
		if seen[key.Value] {
			return Invalid("%s: line %d: key %q is there twice", what, key.Line, key.Value)
		}
		seen[key.Value] = true
		if err := read(key.Value, value); err != nil {
			if kinded := (*Error)(nil); errors.As(err, &kinded) {
				return err
			}
			return Invalid("%s: line %d: key %q: %s", what, value.Line, key.Value, err)
		}
	}
	return nil
}

func readNumber(v *yaml.Node, into *int) error {
	var n int
	if v.Tag != "!!int" || v.Decode(&n) != nil || n < 0 || n > 1_000_000 {
		return errors.New("an integer from 0 to 1000000 is expected")
	}
	*into = n
	return nil
}

func readFlag(v *yaml.Node, into *bool) error {
	if v.Tag != "!!bool" || v.Decode(into) != nil {
		return errors.New("true or false is expected")
	}
	return nil
}

func readEmpty(v *yaml.Node) error {
	if v.Kind != yaml.SequenceNode || len(v.Content) > 0 {
		return errors.New("an empty list is expected: windows and freezes are not supported yet")
	}
	return nil
}

func readFloor(v *yaml.Node, into *Floor) error {
	if v.Kind != yaml.MappingNode || len(v.Content) != 2 {
		return errors.New("either {count: N} or {percent: N} is expected")
	}
	var f Floor
	err := readMapping(v, "policy file: floor", []string{"count", "percent"}, func(key string, v *yaml.Node) error {
		if key == "count" {
			return readNumber(v, &f.Count)
		}
		return readNumber(v, &f.Percent)
	})
	if err != nil {
		return err
	}
	if f.Percent > 100 {
		return errors.New("a percentage from 0 to 100 is expected")
	}
	*into = f
	return nil
}
