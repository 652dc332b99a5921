package rollout

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestPolicyFiles(t *testing.T) {
	t.Parallel()
	const defaults = `{"at_once":10,"at_once_per_site":0,"floor":{"count":1},"pilot_minutes":0,"stop_after_failures":1,"overlap":false,"windows":[],"freezes":[]}`
	for file, want := range map[string]string{
		"":                           defaults,
		"{}":                         defaults,
		"# nothing\n":                defaults,
		"---\nat_once: 10\n...\n":    defaults,
		`{"at_once": 3}`:             strings.Replace(defaults, `"at_once":10`, `"at_once":3`, 1),
		"floor: {percent: 50}\n":     strings.Replace(defaults, `"count":1`, `"percent":50`, 1),
		"floor:\n  count: 0\n":       strings.Replace(defaults, `"count":1`, `"count":0`, 1),
		"overlap: true\nwindows: []": strings.Replace(defaults, `"overlap":false`, `"overlap":true`, 1),
	} {
		p, err := ParsePolicy([]byte(file))
		got, jsonErr := json.Marshal(p)
		if err != nil || jsonErr != nil || string(got) != want {
			t.Errorf("ParsePolicy(%q) = %s, %v, want %s", file, got, err, want)
		}
		var back Policy
		if err := json.Unmarshal(got, &back); err != nil || back.Floor != p.Floor {
			t.Errorf("floor %+v read back as %+v, %v", p.Floor, back.Floor, err)
		}
	}
	for file, want := range map[string]string{
		"at_onse: 3":                     `unknown key "at_onse", the nearest known one is "at_once"`,
		"at_once: -1":                    "an integer from 0",
		"at_once: many":                  "an integer from 0",
		"overlap: 1":                     "true or false",
		"floor: 1":                       "{count: N} or {percent: N}",
		"floor: {count: 1, percent: 50}": "{count: N} or {percent: N}",
		"floor: {per_cent: 50}":          `the nearest known one is "percent"`,
		"floor: {percent: 101}":          "a percentage from 0 to 100",
		"windows: [x]":                   "not supported yet",
		"- a":                            "a mapping",
		"at_once: 1\n---\nat_once: 2":    "one document is expected",
		"at_once: 1\n---\n{":             "one document is expected",
		"at_once: 1\nat_once: 2":         "twice",
		"{":                              "policy file",
	} {
		if _, err := ParsePolicy([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParsePolicy(%q) = %v, want %q", file, err, want)
		}
	}
}

// TestReadmePolicy holds the README's policy file to the defaults.
func TestReadmePolicy(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "### Policy file\n")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	example, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatalf("%s has no example of a policy file", readme)
	}
	p, err := ParsePolicy([]byte(example))
	got, jsonErr := json.Marshal(p)
	want, wantErr := json.Marshal(DefaultPolicy())
	if err != nil || jsonErr != nil || wantErr != nil || string(got) != string(want) {
		t.Errorf("the README's policy is %s, %v, want the defaults %s", got, err, want)
	}
	for _, key := range PolicyKeys() {
		if !strings.Contains(example, key+":") {
			t.Errorf("the README's policy has no %s", key)
		}
	}
}
