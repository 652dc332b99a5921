package exchange

import (
	"encoding/json"
	"fmt"
	"slices"
)

// RoleKey is what a host's registry says of one installed role: the values of
// its key. Action and Watermark are there only while Setup runs or after it
// broke.
type RoleKey struct {
	Configured string `json:"configured"`
	Unpacked   string `json:"unpacked"`
	Action     string `json:"action"`
	Watermark  string `json:"watermark"`
}

// Configured is what the role keys of one host come to.
type Configured struct {
	Lowest     Build    // the lowest build that a role is configured at; zero = none says one
	Unreadable []string // roles whose build is empty or no build, in words
	Missing    []Role   // roles of the inventory that have no key
	Markers    []string // roles that hold Action or Watermark, in words: Setup runs, or broke
	names      []string
	builds     map[string]Build
}

// ReadRoleKeys reads the fact "roles": a JSON object of role name to RoleKey.
func ReadRoleKeys(fact []byte) (map[string]RoleKey, error) {
	var keys map[string]RoleKey
	if err := json.Unmarshal(fact, &keys); err != nil {
		return nil, fmt.Errorf("read the fact of roles: %w", err)
	}
	return keys, nil
}

// ConfiguredOf reads the role keys of a host whose roles are those of the
// inventory.
func ConfiguredOf(keys map[string]RoleKey, inventory []Role) Configured {
	c := Configured{builds: map[string]Build{}}
	for name := range keys {
		c.names = append(c.names, name)
	}
	slices.Sort(c.names)
	for _, name := range c.names {
		key := keys[name]
		build, err := ParseBuild(key.Configured)
		if name == ClusteredMailboxKey { // raised where /UpgradeCms ran: not the node's build
			build, err = Build{}, nil
		}
		switch {
		case name == ClusteredMailboxKey:
		case err != nil:
			c.Unreadable = append(c.Unreadable, fmt.Sprintf("%s is configured at %v", name, err))
		case build.IsZero():
			c.Unreadable = append(c.Unreadable, name+" is at no build")
		case c.Lowest.IsZero() || build.Compare(c.Lowest) < 0:
			c.Lowest = build
		}
		c.builds[name] = build
		if key.Action != "" || key.Watermark != "" {
			c.Markers = append(c.Markers, fmt.Sprintf("%s: Action %q, Watermark %q", name, key.Action, key.Watermark))
		}
	}
	for _, role := range inventory {
		if _, ok := keys[string(role)]; !ok {
			c.Missing = append(c.Missing, role)
		}
	}
	return c
}

// Complete reports whether every role found says its build and every role of
// the inventory was found: only then Lowest speaks for the whole server.
func (c Configured) Complete() bool {
	return !c.Lowest.IsZero() && len(c.Unreadable) == 0 && len(c.Missing) == 0
}

// Below lists in words the roles that are not configured at the target, those
// without a readable build and those that were not found among them.
func (c Configured) Below(target Build) []string {
	out := slices.Clone(c.Unreadable)
	for _, name := range c.names {
		if build := c.builds[name]; !build.IsZero() && !build.AtLeast(target) {
			out = append(out, fmt.Sprintf("%s is at %s", name, build))
		}
	}
	for _, role := range c.Missing {
		out = append(out, fmt.Sprintf("%s has no registry key", role))
	}
	return out
}

// Doubts lists in words what keeps the builds from being believed: Lowest may
// be at a target although the server is not.
func (c Configured) Doubts() []string {
	out := slices.Clone(c.Unreadable)
	for _, role := range c.Missing {
		out = append(out, fmt.Sprintf("%s has no registry key", role))
	}
	return append(out, c.Markers...)
}
