package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const failedLog = "[30.11.2007 17:00:00] [0] Starting Microsoft Exchange Server 2007 Setup\r\n" +
	"[30.11.2007 17:00:01] [0] Setup version: 8.1.240.6.\r\n" +
	"[30.11.2007 17:00:01] [0] Command Line Parameter Name='mode', Value='Upgrade'.\r\n" +
	"[30.11.2007 17:00:02] [0] The following roles are installed: BridgeheadRole ClientAccessRole AdminToolsRole\r\n" +
	"[30.11.2007 17:35:15] [1] [ERROR] There are no more endpoints available from the endpoint mapper. (0x800706D9)\r\n" +
	"[30.11.2007 17:35:16] [0] The Exchange Server setup operation did not complete. Visit http://support.microsoft.com\r\n"

func setupLog(t *testing.T, stdin string, args ...string) (status int, out, problems string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = Main(append([]string{"setuplog"}, args...), strings.NewReader(stdin), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func TestSetupLogAnswersWithExactlyTheDocumentedKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ExchangeSetup.log")
	if err := os.WriteFile(file, []byte(failedLog), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = `{"verdict":"failed","runs":1,"mode":"Upgrade","build":"8.1.240.6","roles":["HubTransport","ClientAccess"],` +
		`"phase":"finding roles and a domain controller","percent":4,"started":"2007-11-30T17:00:00","ended":"2007-11-30T17:35:16","errors":[` +
		`{"line":5,"text":"[30.11.2007 17:35:15] [1] [ERROR] There are no more endpoints available from the endpoint mapper. (0x800706D9)",` +
		`"rule":"endpoint-mapper","remedy":`
	for _, args := range [][]string{{"--json", file}, {"-", "--json"}} {
		status, out, problems := setupLog(t, failedLog, args...)
		if status != 0 || !strings.HasPrefix(out, want) || !strings.HasSuffix(out, "\"}]}\n") {
			t.Errorf("%v: status %d\n got %s\nwant %s...\n%s", args, status, out, want, problems)
		}
	}
}

func TestSetupLogGivesListsEvenWhereNothingIsKnown(t *testing.T) {
	t.Parallel()
	_, out, _ := setupLog(t, "no log at all\n", "-", "--json")
	const want = `{"verdict":"unknown","runs":0,"mode":"","build":"","roles":[],"phase":"","percent":0,"started":"","ended":"","errors":[]}` + "\n"
	if out != want {
		t.Errorf("got %s want %s", out, want)
	}
}

func TestSetupLogSpeaksToPeople(t *testing.T) {
	t.Parallel()
	status, out, _ := setupLog(t, failedLog, "-")
	for _, want := range []string{"Verdict   failed: the last sentence", "8.1.240.6 (SP1)", "Line 5:", "What helps: Start the Windows Firewall", "Took      35m16s", "the log names no zone"} {
		if !strings.Contains(out, want) {
			t.Errorf("status %d, %q is missing in\n%s", status, want, out)
		}
	}
}

func TestSetupLogSaysWhatIsWrongWithItsInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.log")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"it is a folder": {dir},
		"no such file":   {filepath.Join(dir, "absent.log")},
		"is empty":       {empty},
		"--dates":        {"-", "--dates", "year-first"},
	} {
		if status, _, problems := setupLog(t, "", args...); status == 0 || !strings.Contains(problems, want) {
			t.Errorf("%v: status %d, %q, want %q", args, status, problems, want)
		}
	}
}
