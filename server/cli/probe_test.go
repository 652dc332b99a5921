package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

func TestProbeTellsTheFactsOfAHost(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	fleet, err := twin.Start(context.Background(), twin.Options{
		User: "wkadmin", Password: "winrm-Secret1",
		Servers: []exchange.Server{{
			Name: "CAS1", FQDN: "cas1.lab.test", Roles: []exchange.Role{exchange.ClientAccess, exchange.HubTransport},
			Language: "en-US", Arch: "x64", Address: "127.0.0.1", Port: port,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer fleet.Close()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("winrm-Secret1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	args := []string{"probe", "--host", fmt.Sprintf("127.0.0.1:%d", port), "--user", "wkadmin", "--password-file", file, "--json"}
	if code := Main(args, nil, &stdout, &stderr); code != 0 {
		t.Fatalf("exit %d: %s%s", code, stdout.String(), stderr.String())
	}
	var line struct {
		Host, Outcome, Error string
		Port                 int
		Facts                map[string]struct {
			Value  any
			Source string
			At     time.Time
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	if line.Outcome != "done" || line.Error != "" || line.Port != port {
		t.Errorf("line %+v", line)
	}
	for name, want := range map[string]any{
		"os": "2003", "os_service_pack": 2.0, "winrm": "2.0", "language": "en-US", "arch": "x64", "fqdn": "cas1.lab.test",
		"clock_offset_seconds": 0.0, "dotnet20_sp": 1.0,
	} {
		if got := line.Facts[name]; got.Value != want || got.Source == "" || got.At.IsZero() {
			t.Errorf("fact %s is %+v, want %v", name, got, want)
		}
	}
	roles, ok := line.Facts["roles"].Value.(map[string]any)
	if !ok || len(roles) != 3 {
		t.Fatalf("roles are %v", line.Facts["roles"].Value)
	}
	for _, role := range []string{"ClientAccess", "HubTransport", "AdminTools"} {
		want := map[string]any{"configured": "8.0.685.25", "unpacked": "8.0.685.25", "action": "", "watermark": ""}
		if got, want := fmt.Sprint(roles[role]), fmt.Sprint(want); got != want {
			t.Errorf("role %s is %s, want %s", role, got, want)
		}
	}
	for _, name := range []string{"boot_time", "pending_restart", "hotfixes", "disks", "services", "install_path", "setup_processes"} {
		if line.Facts[name].Value == nil {
			t.Errorf("fact %s has no value", name)
		}
	}
	stdout.Reset()
	if err := os.WriteFile(file, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := Main(args, nil, &stdout, &stderr); code != 1 {
		t.Errorf("a wrong password ends with %d: %s", code, stdout.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), &line); err != nil || line.Outcome != "denied" || line.Error == "" {
		t.Errorf("a wrong password gives %s", stdout.String())
	}
}

// A host that answers nothing that can be used told no facts, whatever it
// answered.
func TestProbeOfAHostThatTellsNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status  int
		body    string
		outcome string
		fault   any
	}{
		"service starting": {503, "<html>", "fault", nil},
		"garbage":          {200, "<<<", "fault", nil},
		"fault":            {500, wsmanFault(87), "fault", 87.0},
		"access fault":     {500, wsmanFault(5), "denied", 5.0},
		"wrong password":   {401, "", "denied", nil},
	} {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
			w.WriteHeader(tc.status)
			fmt.Fprint(w, tc.body)
		}))
		status, out, _ := run(t, "", "probe", "--json", "--user", "u", "--password-file", file(t, "p"), "--host", strings.TrimPrefix(h.URL, "http://"))
		h.Close()
		line := map[string]any{}
		if err := json.Unmarshal([]byte(out), &line); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		facts, isMap := line["facts"].(map[string]any)
		if status != 1 || line["outcome"] != tc.outcome || line["fault"] != tc.fault || line["error"] == "" || !isMap || len(facts) != 0 {
			t.Errorf("%s: status %d, %s", name, status, out)
		}
	}
}
