package preflight

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func ruleNamed(t *testing.T, name string) Rule {
	t.Helper()
	i := slices.IndexFunc(Rules(), func(r Rule) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("there is no rule %q", name)
	}
	return Rules()[i]
}

func found(all []Finding, rule string) (Finding, bool) {
	i := slices.IndexFunc(all, func(f Finding) bool { return f.Rule == rule })
	if i < 0 {
		return Finding{}, false
	}
	return all[i], true
}

func TestEveryRuleIsTrippedByOneValue(t *testing.T) {
	t.Parallel()
	tripped := map[string]bool{}
	for i, c := range trips {
		rule := ruleNamed(t, c.rule)
		near, trip := c.subjects()
		name := fmt.Sprintf("%d %s", i, c.rule)
		want := rule.Severity
		if c.severity != "" {
			want = c.severity
		}
		if f, ok := found(Judge(near), c.rule); !ok || f.Severity != Pass || f.Unknown {
			t.Errorf("%s: near: %+v, want a pass", name, f)
		}
		f, ok := found(Judge(trip), c.rule)
		if !ok || f.Severity != want || f.Unknown && c.rule != "reachable" {
			t.Errorf("%s: trip: %+v, want %s", name, f, want)
		}
		if f.Text == "" || f.Source == "" || f.Severity == Blocker && f.Remedy == "" {
			t.Errorf("%s: %+v lacks text, source or remedy", name, f)
		}
		if n := differences(leaves(near), leaves(trip)); len(n) != 1 && !packageDiffers(n) {
			t.Errorf("%s: the two differ in %d values: %v", name, len(n), n)
		}
		tripped[c.rule] = true
	}
	for _, r := range Rules() {
		if !tripped[r.Name] {
			t.Errorf("rule %s is tripped by no case", r.Name)
		}
	}
}

// packageDiffers reports whether all differences are within the package: another
// package is one value, of which builds and names follow.
func packageDiffers(paths []string) bool {
	return len(paths) > 0 && !slices.ContainsFunc(paths, func(p string) bool { return !strings.HasPrefix(p, "Package.") && !strings.HasPrefix(p, "Then.") })
}

// leaves are the values of a subject by their path.
func leaves(s Subject) map[string]string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		panic(err)
	}
	out := map[string]string{}
	walk("", tree, out)
	return out
}

func walk(path string, v any, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			walk(strings.TrimPrefix(path+"."+k, "."), x, out)
		}
	case []any:
		for i, x := range v {
			walk(fmt.Sprintf("%s[%d]", path, i), x, out)
		}
	default:
		out[path] = fmt.Sprint(v)
	}
}

// differences are the paths at which two differ; what only one has is one
// difference, however much is below it.
func differences(a, b map[string]string) []string {
	paths := map[string]bool{}
	for _, pair := range [][2]map[string]string{{a, b}, {b, a}} {
		for p, v := range pair[0] {
			if w, ok := pair[1][p]; !ok {
				paths[ancestor(p, pair[1])] = true
			} else if v != w {
				paths[p] = true
			}
		}
	}
	for p := range paths { // null became a list
		for q := range paths {
			if q != p && (strings.HasPrefix(q, p+".") || strings.HasPrefix(q, p+"[")) {
				delete(paths, q)
			}
		}
	}
	return slices.Sorted(maps.Keys(paths))
}

// ancestor is the highest path above p that the other does not have.
func ancestor(p string, other map[string]string) string {
	for i, r := range p {
		if r != '.' && r != '[' && r != ']' {
			continue
		}
		end := i
		if r == ']' {
			end = i + 1
		}
		above, has := p[:end], false
		for q := range other {
			has = has || q == above || strings.HasPrefix(q, above)
		}
		if !has {
			return above
		}
	}
	return p
}

// TestARemovedRuleIsMissed: without the rule nothing tells the two apart.
func TestARemovedRuleIsMissed(t *testing.T) {
	t.Parallel()
	for _, c := range trips {
		if packageChanged(c) {
			continue
		}
		near, trip := c.subjects()
		rules := slices.DeleteFunc(slices.Clone(Rules()), func(r Rule) bool { return r.Name == c.rule })
		before, after := judge(rules, near), judge(rules, trip)
		for _, change := range Compare(before, after) {
			if change.Before == nil || change.After == nil || change.Before.Severity == change.After.Severity {
				continue
			}
			if !slices.Contains(alsoTrips[c.rule], change.Rule) {
				t.Errorf("the case of %s is noticed by %s, too: %+v", c.rule, change.Rule, change.After)
			}
		}
	}
}

// alsoTrips are rules that a case of another trips by right.
var alsoTrips = map[string][]string{
	"system-drive": {"disk"}, "services": {"foreign-services"}, "cluster-only-mailbox": {"roles"},
	"fqdn": {"receive-connector-fqdn"}, "disk": {"um-language-packs"}, "um-language-packs": {"disk"},
	"x86": {"architecture"}, "iis": {"iis-64bit"}, "reachable": {"wmi", "media", "canary"},
	"windows": {"time-zone-update", "mmc3", "certificate-sia", "windows-installer", "iis"}, "cluster-passive": {"cluster-cms-upgraded"},
	"roles": {"edge-alone"}, "powershell2": {"no-wmf3"}, "no-wmf3": {"powershell2"},
}

func packageChanged(c tripCase) bool {
	near, trip := c.subjects()
	return near.Package.Name != trip.Package.Name
}

func TestRuleNamesAndSeveritiesAreSound(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.Name] || r.Name == "" || r.Words == "" || r.Source == "" || r.test == nil || strings.HasSuffix(r.Words, ".") {
			t.Errorf("rule %+v is not whole, or there twice", r)
		}
		seen[r.Name] = true
		if r.Severity == Pass || r.Unknown == Pass || r.Unknown == "" || r.Severity == "" {
			t.Errorf("rule %s: severity %q, unknown %q", r.Name, r.Severity, r.Unknown)
		}
		if len(r.OS) > 0 && !slices.Contains(r.Needs, "os") {
			t.Errorf("rule %s is for some versions of Windows and does not need to know which", r.Name)
		}
		for _, k := range r.Kinds {
			if k != ServicePack && k != Rollup && k != PrepareOrganization {
				t.Errorf("rule %s: kind %q", r.Name, k)
			}
		}
	}
}

// TestAResumingSetupIsNotStoppedForWhatProtectsTheBeginning: what would have kept
// it from beginning only warns; what would break it still blocks.
func TestAResumingSetupIsNotStoppedForWhatProtectsTheBeginning(t *testing.T) {
	t.Parallel()
	warned := 0
	for _, c := range trips {
		rule := ruleNamed(t, c.rule)
		_, trip := c.subjects()
		before, _ := found(Judge(trip), c.rule)
		if before.Severity != Blocker {
			continue
		}
		trip.OwnSetup = true
		after, _ := found(Judge(trip), c.rule)
		own := c.rule == "interrupted-setup" || c.rule == "files-configured" // its own marks
		if want := rule.Begin || own; (after.Severity == Warning) != want {
			t.Errorf("%s with our own Setup: %+v", c.rule, after)
		}
		if rule.Begin {
			warned++
		}
	}
	if warned < 8 {
		t.Errorf("%d rules protect the beginning", warned)
	}
}
