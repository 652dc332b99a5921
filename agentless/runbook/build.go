package runbook

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// roleNames are the names of the roles found, in a fixed order.
func roleNames(roles map[string]windows.Role) []string {
	return slices.Sorted(maps.Keys(roles))
}

// configuredOf reads what a host's registry says of its roles.
func configuredOf(roles map[string]windows.Role, inventory []exchange.Role) exchange.Configured {
	keys := make(map[string]exchange.RoleKey, len(roles))
	for name, r := range roles {
		keys[name] = exchange.RoleKey(r)
	}
	return exchange.ConfiguredOf(keys, inventory)
}

// lowestBuild is the lowest build at which a role is configured; zero when no
// role says. A build that is none is an error; a role without one is not, since
// Setup may be writing it.
func lowestBuild(roles map[string]windows.Role) (exchange.Build, error) {
	for _, name := range roleNames(roles) {
		if _, err := exchange.ParseBuild(roles[name].Configured); err != nil {
			return exchange.Build{}, fmt.Errorf("role %s is configured at %w", name, err)
		}
	}
	return configuredOf(roles, nil).Lowest, nil
}

// damagedKeys is what helps where the role keys cannot be understood.
const damagedKeys = "Read the role keys of the host and correct what is damaged."

// markers lists the roles that hold Action or Watermark: Setup runs, or broke.
func markers(roles map[string]windows.Role) []string { return configuredOf(roles, nil).Markers }

// below lists the roles that are not configured at the target: what the
// registry says, and what the inventory knows of and the registry does not have.
func below(roles map[string]windows.Role, server exchange.Server, target exchange.Build) []string {
	return configuredOf(roles, server.Roles).Below(target)
}

func said(s string) string {
	if s == "" {
		return "no build"
	}
	return s
}

// list joins words for a sentence.
func list(words []string) string { return strings.Join(words, ", ") }
