package rollout

import (
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/canon"
)

// marked is how much of a hash names a part in a Seen; it only chooses words.
const marked = 8

// Seen is what a person was shown of a wave before deciding, as the form carries
// it: one SHA-256 over the digests of the wave's servers, which is what binds,
// and after it short marks by server and by field, so that a refusal can name
// what changed.
func Seen(contents []ApprovalContent) (string, error) {
	digests := map[string]string{}
	fields := map[string]map[string]string{}
	for _, c := range contents {
		digest, err := c.Digest()
		if err != nil {
			return "", err
		}
		digests[c.Server] = digest
		for _, f := range c.fields() {
			if fields[f.name] == nil {
				fields[f.name] = map[string]string{}
			}
			fields[f.name][c.Server] = f.value
		}
	}
	sum, err := canon.Hash(map[string]any{"format": "wavekeeper-seen/1", "servers": digests})
	if err != nil {
		return "", fmt.Errorf("hash what was shown: %w", err)
	}
	parts := []string{sum}
	for server, digest := range digests {
		parts = append(parts, "server:"+server+"="+digest[:marked])
	}
	for name, values := range fields {
		mark, err := canon.Hash(values)
		if err != nil {
			return "", fmt.Errorf("hash what was shown: %w", err)
		}
		parts = append(parts, "field:"+strings.ReplaceAll(name, " ", "_")+"="+mark[:marked])
	}
	slices.Sort(parts[1:])
	return strings.Join(parts, " "), nil
}

// Unlike compares what was shown with what is now. It returns "" when they are
// the same, else what changed in words: the marks of one that was made up or cut
// short name less, and never make two hashes the same.
func Unlike(shown, now string) string {
	before, after := strings.Fields(shown), strings.Fields(now)
	if len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		return ""
	}
	was := map[string]string{}
	for _, part := range before {
		name, mark, _ := strings.Cut(part, "=")
		was[name] = mark
	}
	var servers, fields []string
	is := map[string]bool{}
	for _, part := range after {
		name, mark, _ := strings.Cut(part, "=")
		is[name] = true
		if was[name] == mark {
			continue
		}
		if server, ok := strings.CutPrefix(name, "server:"); ok {
			servers = append(servers, server)
		}
		if field, ok := strings.CutPrefix(name, "field:"); ok {
			fields = append(fields, strings.ReplaceAll(field, "_", " "))
		}
	}
	gone := 0
	for name := range was {
		if strings.HasPrefix(name, "server:") && !is[name] {
			gone++
		}
	}
	switch {
	case len(was) < 2 || len(servers)+len(fields)+gone == 0:
		return "what it would do changed"
	case gone > 0:
		return fmt.Sprintf("the servers changed, %d of them are not in the wave any more", gone)
	}
	names := servers
	if len(names) > 5 {
		names = append(slices.Clone(names[:5]), fmt.Sprintf("%d more", len(servers)-5))
	}
	return strings.Join(fields, ", ") + " changed (" + strings.Join(names, ", ") + ")"
}
