package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

func TestTwinReadsItsFaults(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "faults.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"faults":[{"host":"CAS1","fault":"hang","step":"verify"}]}`)
	servers := []exchange.Server{{Name: "CAS1"}}
	got, err := readFaults(path, servers)
	if want := (twin.Fault{Host: "CAS1", Name: "hang", Step: "verify"}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("faults = %+v, %v", got, err)
	}
	if got, err := readFaults("", servers); got != nil || err != nil {
		t.Errorf("without a file: %+v, %v", got, err)
	}
	dir := t.TempDir()
	fleet, password := filepath.Join(dir, "fleet.csv"), filepath.Join(dir, "password")
	for name, text := range map[string]string{
		fleet:    "server,fqdn,roles,site,address\nCAS1,cas1.lab.test,ClientAccess,HQ,127.0.101.9\n",
		password: "secret\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string][]string{
		"twin": {"twin", "--fleet", fleet, "--user", "wkadmin", "--password-file", password, "--faults", path},
		"demo": {"demo", "--fleet", fleet, "--dir", filepath.Join(dir, "demo"), "--listen", "127.0.0.1:0", "--faults", path},
	} {
		for text, want := range map[string]string{
			"{\"faults\":[\n{\"host\":\"CAS1\",\"fault\":\"hangs\"}]}": `line 2, fault 1: unknown fault "hangs"; the nearest known is "hang"`,
			"{\"faults\":[\n{\"host\":\"CAS2\",\"fault\":\"hang\"}]}":  `line 2, fault 1: no host named CAS2; the nearest known is "CAS1"`,
		} {
			write(text)
			status, out, problems := run(t, "", args...)
			if status != 2 || out != "" || !strings.Contains(problems, path) || !strings.Contains(problems, want) {
				t.Errorf("%s with %s: status %d, %q, %q, want 2, the file and %q", name, text, status, out, problems, want)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "demo")); !os.IsNotExist(err) {
		t.Errorf("the demo began before it looked at its faults: %v", err)
	}
}
