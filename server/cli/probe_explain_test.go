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
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

func TestProbeExplainsAFirstContactInWords(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.137.110:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	fleet, err := twin.Start(t.Context(), twin.Options{
		User: "wkadmin", Password: "winrm-Secret1",
		Servers: []exchange.Server{{
			Name: "CAS1", FQDN: "cas1.lab.test", Roles: []exchange.Role{exchange.ClientAccess}, Language: "en-US", Arch: "x64", Address: "127.0.137.110", Port: port,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fleet.Close() })
	host := fmt.Sprintf("127.0.137.110:%d", port)

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

// What a keytab or a pin is worth shows before anything is sent.
func TestProbeRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	kerberos := []string{"probe", "--explain", "--host", "127.0.137.111:5985", "--auth", "kerberos", "--user", "svc@LAB.TEST", "--kdc", "127.0.137.111:1"}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"missing keytab":   {append(kerberos, "--keytab", "/nonexistent/wk.keytab"), "/nonexistent/wk.keytab"},
		"truncated keytab": {append(kerberos, "--keytab", file(t, "\x05\x02\x00\x00\x00\x42\x00\x01")), "it is cut or damaged; make one with ktpass or ktutil"},
		"no keytab":        {append(kerberos, "--keytab", file(t, "hello")), "does not begin as a keytab"},
		"no ticket cache":  {append(kerberos, "--ccache", file(t, "hello")), "does not begin as a ticket cache"},
		"short pin":        {[]string{"probe", "--host", "127.0.137.111", "--https", "--user", "u", "--password-file", file(t, "p"), "--pin", "ab:cd"}, "64 hexadecimal digits; this has 4"},
	} {
		status, out, stderr := run(t, "", c.args...)
		if status != 2 || !strings.Contains(stderr, c.want) || out != "" {
			t.Errorf("%s: exit %d, %q, %q, want 2 and %q", name, status, out, stderr, c.want)
		}
	}
}

func TestProbeKeepsAFirstContactWithTheHostOfTheInventory(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	l, err := net.Listen("tcp", "127.0.137.112:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	inv, faults := exchange.ReadInventory(strings.NewReader(fmt.Sprintf("server,roles,address,port\nCAS1,CAS,127.0.137.112,%d\n", port)))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	fleet, err := twin.Start(t.Context(), twin.Options{User: "wkadmin", Password: "winrm-Secret1", Servers: inv.Servers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fleet.Close() })
	args := []string{"probe", "--explain", "--store", "--database-url", db.URL, "--host", fmt.Sprintf("127.0.137.112:%d", port), "--user", "wkadmin", "--password-file", file(t, "winrm-Secret1")}
	if status, out, _ := run(t, "", args...); status != 1 || !strings.Contains(out, "not kept: ") || !strings.Contains(out, "The inventory has 0 hosts") {
		t.Errorf("before the import: exit %d: %s", status, out)
	}
	if _, err := db.Store.SaveProfile(t.Context(), commandLine(), store.Profile{Name: "default", Auth: "basic", PlainBasic: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Store.ImportInventory(t.Context(), commandLine(), inv, nil, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if status, out, stderr := run(t, "", args...); status != 0 {
		t.Fatalf("exit %d: %s%s", status, out, stderr)
	}
	host, err := db.Store.HostAt(t.Context(), "cas1", 5985)
	if err != nil {
		t.Fatal(err)
	}
	c, there, err := db.Store.ContactOf(t.Context(), host.ID)
	if err != nil || !there || len(c.Steps) != 9 || len(c.Checks) != len(windows.Constants()) || c.Windows != "2003" || !strings.HasPrefix(c.By, "command line") {
		t.Errorf("kept %+v, %v", c, err)
	}
	if status, _, stderr := run(t, "", "probe", "--store", "--host", "127.0.137.112", "--user", "u", "--password-file", file(t, "p")); status != 2 || !strings.Contains(stderr, "--explain") {
		t.Errorf("without --explain: exit %d, %s", status, stderr)
	}
}
