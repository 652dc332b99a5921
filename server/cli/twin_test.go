package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
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
	got, err := (&TwinCmd{Faults: path}).faults()
	if want := (twin.Fault{Host: "CAS1", Name: "hang", Step: "verify"}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("faults = %+v, %v", got, err)
	}
	if got, err := (&TwinCmd{}).faults(); got != nil || err != nil {
		t.Errorf("without a file: %+v, %v", got, err)
	}
	write(`{"faults":[{"host":"CAS1","fault":"hangs"}]}`)
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
	err = (&TwinCmd{Fleet: fleet, User: "wkadmin", PasswordFile: password, Speed: 1, Faults: path}).Run(&Globals{Stdout: io.Discard})
	if err == nil || !strings.Contains(err.Error(), `unknown fault "hangs"`) {
		t.Errorf("Run with an unknown fault: %v", err)
	}
}
