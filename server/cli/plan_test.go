package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// runPlan runs `wavekeeper plan` on an inventory and, when there is one, a policy.
func runPlan(t *testing.T, inventory, policy string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	all := append([]string{"plan", "--inventory", write("fleet.csv", inventory)}, args...)
	if policy != "" {
		all = append(all, "--policy", write("policy.yaml", policy))
	}
	var out, complaint bytes.Buffer
	status = Main(all, strings.NewReader(""), &out, &complaint)
	return status, out.String(), complaint.String()
}

const smallFleet = "server,roles,site,build\nmbx1,MBX,A,8.0.685.25\ncas1,CAS,A,8.0.685.25\ncas2,CAS,A,\n"

// What is written server by server is what one encoder writes.
func TestPlanJSONIsOneReport(t *testing.T) {
	t.Parallel()
	for _, fleet := range []string{"server,roles\n", smallFleet, "server,roles,site\na,CAS+MBX,<\"waves\":[>\nb,CAS+MBX,<\"waves\":[>\nc,UM,\"\"\"servers\"\":[\"\n"} {
		inv, _ := exchange.ReadInventory(strings.NewReader(fleet))
		pkg, err := exchange.PackageByName("sp1")
		if err != nil {
			t.Fatal(err)
		}
		_, report, err := rollout.Make(inv.Servers, pkg, rollout.Options{Scope: rollout.ScopeSite})
		if err != nil {
			t.Fatal(err)
		}
		var got, want bytes.Buffer
		if err := writePlanJSON(&got, report); err != nil {
			t.Fatal(err)
		}
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(report); err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() {
			t.Errorf("%q gives\n%swant\n%s", fleet, got.String(), want.String())
		}
	}
	if status, out, _ := run(t, smallFleet, "plan", "--inventory", "-", "--package", "sp1"); status != 0 || !strings.Contains(out, "Wave 2") {
		t.Errorf("from standard input: status %d, %s", status, out)
	}
}

func TestPlanPrintsTheDocumentedKeys(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := runPlan(t, smallFleet, "at_once: 1\n", "--package", "sp1", "--json")
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, %s", status, stderr)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"package", "target", "scope", "ruleset", "hash", "waves", "tensions", "findings", "forecast"} {
		if _, ok := got[key]; !ok {
			t.Errorf("key %s is missing", key)
		}
	}
	if len(got) != 9 || strings.Contains(stdout, "null") {
		t.Errorf("unexpected keys or null in %s", stdout)
	}
	for _, want := range []string{
		`{"server":"CAS1","rank":[0,0,0],"after":[],"p50_minutes":47,"p90_minutes":84}`,
		`"after":[{"rule":"client-access-before-mailbox","strength":"breaks","scope":"organization","role":"ClientAccess","servers":["CAS1","CAS2"],"count":2}]`,
		`"planned_minutes":149`, `"critical_path":["CAS1","MBX1"]`, `"tensions":[]`,
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%s is not in %s", want, stdout)
		}
	}
}

func TestPlanForPeopleAndItsRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, inventory, policy string
		args                    []string
		status                  int
		want                    string
	}{
		{"table", smallFleet, "", []string{"--package", "sp1"}, 0, "Wave 2: Mailbox (1 server)"},
		{"nothing to do", "server,roles,build\nA,CAS,8.1.240.6\n", "", []string{"--package", "sp1"}, 0, "Nothing to do."},
		{"empty waves", "server,roles,build\nA,CAS,8.1.240.6\n", "", []string{"--package", "sp1", "--json"}, 0, `"waves":[]`},
		{"bad line", "server,roles\nA,Foo\n", "", []string{"--package", "sp1"}, 1, "line 2, column roles: Foo, "},
		{"bad package", smallFleet, "", []string{"--package", "sp9"}, 1, `the nearest is "sp`},
		{"bad rules", smallFleet, "", []string{"--package", "sp1", "--ruleset", "standart"}, 1, `the nearest is "standard"`},
		{"bad policy", smallFleet, "at_onze: 1", []string{"--package", "sp1"}, 1, `the nearest known one is "at_once"`},
		{"no package", smallFleet, "", nil, 2, "--package"},
	} {
		status, stdout, stderr := runPlan(t, c.inventory, c.policy, c.args...)
		if status != c.status || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%s: status %d, %s%s, want %d and %q", c.name, status, stdout, stderr, c.status, c.want)
		}
	}
}
