package runbook

import (
	"fmt"
	"sort"
	"strings"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// roleNames are the names of the roles found, in a fixed order.
func roleNames(roles map[string]windows.Role) []string {
	names := make([]string, 0, len(roles))
	for name := range roles {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// lowestBuild is the lowest build at which a role is configured; zero when no
// role says.
func lowestBuild(roles map[string]windows.Role) (exchange.Build, error) {
	var lowest exchange.Build
	for _, name := range roleNames(roles) {
		build, err := exchange.ParseBuild(roles[name].Configured)
		if err != nil {
			return exchange.Build{}, fmt.Errorf("role %s is configured at %w", name, err)
		}
		if !build.IsZero() && (lowest.IsZero() || build.Compare(lowest) < 0) {
			lowest = build
		}
	}
	return lowest, nil
}

// markers lists the roles that hold Action or Watermark: Setup runs, or broke.
func markers(roles map[string]windows.Role) []string {
	var out []string
	for _, name := range roleNames(roles) {
		if r := roles[name]; r.Action != "" || r.Watermark != "" {
			out = append(out, fmt.Sprintf("%s: Action %q, Watermark %q", name, r.Action, r.Watermark))
		}
	}
	return out
}

// below lists the roles that are not configured at the target: what the
// registry says, and what the inventory knows of and the registry does not have.
func below(roles map[string]windows.Role, server exchange.Server, target exchange.Build) []string {
	var out []string
	for _, name := range roleNames(roles) {
		build, err := exchange.ParseBuild(roles[name].Configured)
		if err != nil || !build.AtLeast(target) {
			out = append(out, fmt.Sprintf("%s is at %s", name, said(roles[name].Configured)))
		}
	}
	for _, role := range server.Roles {
		if _, ok := roles[string(role)]; !ok {
			out = append(out, fmt.Sprintf("%s has no registry key", role))
		}
	}
	return out
}

func said(s string) string {
	if s == "" {
		return "no build"
	}
	return s
}

// list joins words for a sentence.
func list(words []string) string { return strings.Join(words, ", ") }
