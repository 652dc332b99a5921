package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
)

func TestProbeExplainsAFirstContactInWords(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.122.110:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	fleet, err := twin.Start(t.Context(), twin.Options{
		User: "wkadmin", Password: "winrm-Secret1",
		Servers: []exchange.Server{{
			Name: "CAS1", FQDN: "cas1.lab.test", Roles: []exchange.Role{exchange.ClientAccess}, Language: "en-US", Arch: "x64", Address: "127.0.122.110", Port: port,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fleet.Close() })
	host := fmt.Sprintf("127.0.122.110:%d", port)

	status, out, stderr := run(t, "", "probe", "--explain", "--host", host, "--user", "wkadmin", "--password-file", file(t, "winrm-Secret1"))
	if status != 0 {
		t.Fatalf("exit %d: %s%s", status, out, stderr)
	}
	for _, want := range []string{
		host + ": done", "1. name           ok", "2. port           ok", "3. tls            ok", "4. listener       ok", "5. authentication ok",
		"6. generation     ok        WinRM 2.0 on Windows 5.2.3790", "7. rights         ok", "8. shell          ok", "9. clock          ok", "0 differ", "0 could not be asked",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}

	status, out, _ = run(t, "", "probe", "--explain", "--json", "--host", host, "--user", "wkadmin", "--password-file", file(t, "wrong"))
	var line explainLine
	if err := json.Unmarshal([]byte(out), &line); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if status != 1 || line.Outcome != winrm.OutcomeDenied || line.Steps[4].State != winrm.StepFailed || line.Steps[4].Remedy == "" || line.Steps[5].State != winrm.StepSkipped || len(line.Constants) != 0 {
		t.Errorf("status %d: %s", status, out)
	}

	status, out, _ = run(t, "", "probe", "--explain", "--json", "--host", host, "--user", "wkadmin", "--password-file", file(t, "winrm-Secret1"))
	if err := json.Unmarshal([]byte(out), &line); err != nil || status != 0 || len(line.Constants) != len(windows.Constants()) {
		t.Errorf("status %d, %v: %s", status, err, out)
	}

	status, out, _ = run(t, "", "probe", "--explain", "--host", "10.255.0.1", "--user", "u", "--password-file", file(t, "p"))
	if status != 1 || !strings.Contains(out, "refused: plain http to 10.255.0.1") || !strings.Contains(out, "Nothing was sent") {
		t.Errorf("status %d: %s", status, out)
	}
}
