package runbook_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
)

// TestNoShellLeftIsWaitedFor: on a host that has no remote shell left a step
// waits with the cause and the time, is not out of sight, also where Setup may
// run, and goes on when there is one.
func TestNoShellLeftIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.ShellSpeed = 180 / 4 }) // a default shell idles for 4 s
	f.beginSetup(t, "task-created")
	f.conn.Close() // and with it the shell that it keeps
	for range 5 {
		f.leaveShell(t)
	}
	for _, step := range []string{"preflight", "setup", runbook.Tidy} {
		out := f.tick(t, step)
		if out.Kind != runbook.Again || !out.Barred || out.Unheard || out.Remedy == "" || out.After <= 0 ||
			!strings.Contains(out.Message, "remote shells") || !strings.Contains(out.Message, " UTC") || strings.Contains(out.Message, "out of sight") {
			t.Errorf("%s: %+v", step, out)
		}
	}
	s, _ := runbook.Standalone().Step("setup")
	if out := f.step(t, s); out.Kind != runbook.Done {
		t.Errorf("setup ends %+v", out)
	}
	if n := f.journal.count(t, "setup-started"); n != 1 {
		t.Errorf("Setup started %d times", n)
	}
}

// leaveShell opens a shell that nobody uses or closes, as a killed program does.
func (f *fixture) leaveShell(t *testing.T) {
	t.Helper()
	const create = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header><a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Create</a:Action><w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd</w:ResourceURI><a:MessageID>uuid:1</a:MessageID></s:Header><s:Body><rsp:Shell xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"/></s:Body></s:Envelope>`
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, fmt.Sprintf("http://%s:%d/wsman", f.server.Address, f.server.Port), strings.NewReader(create))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(user, password)
	r.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("no shell: %s", resp.Status)
	}
}
