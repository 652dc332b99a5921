package twin_test

import (
	"encoding/base64"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

func TestShellAnswersLookAsRecorded(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1})
	c := dial(t, s)
	status, created := c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "", "",
		`<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`)
	if status != 200 {
		t.Fatal(status)
	}
	// WinRM before 3.0 names the shell in the selector only.
	sameShape(t, "create", created, recorded(t, "winrm-records/30-create-winrm-1.1.response.xml"))
	shell := created.one("Selector")
	selector := shellSelector(shell)
	receive := func(id string) (int, node) {
		return c.ask(shellURI+"/Receive", shellURI+"/cmd", selector, "",
			`<rsp:Receive><rsp:DesiredStream CommandId="`+id+`">stdout stderr</rsp:DesiredStream></rsp:Receive>`)
	}
	_, n := c.ask(shellURI+"/Command", shellURI+"/cmd", selector, "", `<rsp:CommandLine><rsp:Command>echo</rsp:Command><rsp:Arguments>hi</rsp:Arguments></rsp:CommandLine>`)
	sameShape(t, "command", n, recorded(t, "winrm-records/02-command.response.xml"))
	if n.one("RelatesTo") != "uuid:FC40E3CD-53E9-4315-B486-6D538B25D1F5" {
		t.Errorf("RelatesTo = %s", n.one("RelatesTo"))
	}
	echo := n.one("CommandId")
	within(t, 5*time.Second, "echo is done", func() bool {
		_, done := receive(echo)
		if len(done.find("ExitCode")) == 0 {
			return false
		}
		if len(done.find("Stream")) == 3 {
			sameShape(t, "receive", done, recorded(t, "winrm-records/03-receive-done-rc0.response.xml"))
		}
		return true
	})
	waiting := c.begin(shell, "more", false)
	status, n = receive(waiting)
	if status != 500 || code(n) != "2150858793" {
		t.Errorf("receive without output: %d %s", status, code(n))
	}
	sameShape(t, "time-out", n, recorded(t, "winrm-records/41-fault-operation-timeout-2150858793.response.xml"))
	status, n = c.ask(shellURI+"/Send", shellURI+"/cmd", selector, "",
		`<rsp:Send><rsp:Stream Name="stdin" CommandId="`+waiting+`" End="true">`+base64.StdEncoding.EncodeToString([]byte("typed\r\n"))+`</rsp:Stream></rsp:Send>`)
	if status != 200 {
		t.Errorf("send: %d", status)
	}
	sameShape(t, "send", n, recorded(t, "winrm-records/15-send-stdin.response.xml"))
	if exit, out, _ := c.output(shell, waiting); exit != "0" || string(out) != "typed\r\n" {
		t.Errorf("more: %s %q", exit, out)
	}
	_, n = c.ask(shellURI+"/Signal", shellURI+"/cmd", selector, "", `<rsp:Signal CommandId="`+waiting+`"><rsp:Code>`+shellURI+`/signal/terminate</rsp:Code></rsp:Signal>`)
	sameShape(t, "signal", n, recorded(t, "winrm-records/04-signal.response.xml"))
	if status, n = receive(waiting); status != 500 || code(n) != "2150858843" {
		t.Errorf("receive after terminate: %d %s", status, code(n))
	}
	if status, n = receive(""); status != 500 || code(n) != "87" {
		t.Errorf("receive without command: %d %s", status, code(n))
	}
	sameShape(t, "parameter", n, recorded(t, "winrm-records/11-fault-87.response.xml"))
	status, n = c.ask(shellURI+"/Command", shellURI+"/cmd", selector, `<w:Option Name="WINRS_SKIP_CMD_SHELL">TRUE</w:Option>`,
		`<rsp:CommandLine><rsp:Command>nosuch.exe</rsp:Command></rsp:CommandLine>`)
	if status != 500 || code(n) != "2147942402" {
		t.Errorf("unknown program: %d %s", status, code(n))
	}
	sameShape(t, "file not found", n, recorded(t, "winrm-records/12-fault-file-not-found-2147942402.response.xml"))
	_, n = c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete", shellURI+"/cmd", selector, "", "")
	sameShape(t, "delete", n, recorded(t, "winrm-records/05-delete.response.xml"))
	if status, n = receive(echo); status != 500 || code(n) != "2150858843" {
		t.Errorf("receive after delete: %d %s", status, code(n))
	}
}

func TestQuotasAreThoseOfWinRM2(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	var shells []string
	for range 5 {
		shells = append(shells, c.open())
	}
	status, n := c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "", "", `<rsp:Shell/>`)
	if status != 500 || code(n) != "2150859173" {
		t.Errorf("sixth shell: %d %s", status, code(n))
	}
	c.close(shells[0])
	shell := shells[1]
	for range 15 {
		c.output(shell, c.begin(shell, "ver", false))
	}
	status, n = c.ask(shellURI+"/Command", shellURI+"/cmd", shellSelector(shell), "", `<rsp:CommandLine><rsp:Command>ver</rsp:Command></rsp:CommandLine>`)
	if status != 500 || code(n) != "2150859174" {
		t.Errorf("sixteenth operation: %d %s", status, code(n))
	}
	c.close(shell)
	c.output(shells[2], c.begin(shells[2], "ver", false))
}

func TestIdentifyTellsTheSystemOnlyAfterALogin(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	const ask = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`
	status, raw, err := c.post(ask)
	var n node
	if err != nil || status != 200 || xml.Unmarshal([]byte(raw), &n) != nil || n.one("ProductVersion") != "OS: 5.2.3790 SP: 2.0 Stack: 2.0" {
		t.Errorf("Identify: %d %s %v", status, raw, err)
	}
	c.user = ""
	if status, _, err = c.post(ask); err != nil || status != 401 {
		t.Errorf("Identify without login: %d %v", status, err)
	}
}

func TestAddressesOutsideTheLoopbackRangeAreRefused(t *testing.T) {
	t.Parallel()
	a, b := server(t, "cas1", "CAS"), server(t, "cas2", "CAS")
	b.Address, b.Port = a.Address, a.Port
	far := server(t, "cas3", "CAS")
	far.Address = "192.0.2.1"
	for _, rows := range [][]exchange.Server{{a, b}, {far}} {
		f, err := twin.Start(t.Context(), twin.Options{Servers: rows, User: winrmUser, Password: password})
		if err == nil {
			t.Errorf("Start(%v) works", rows)
			_ = f.Close()
		}
	}
}

// TestPywinrmRunsCommands proves the wire by a client that nobody of the
// project wrote: Debian's python3-winrm.
func TestPywinrmRunsCommands(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import winrm").Run(); err != nil {
		t.Skip("the package python3-winrm is not installed")
	}
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	script := filepath.Join(t.TempDir(), "run.py")
	const text = `
import sys, winrm
s = winrm.Session(sys.argv[1], auth=(sys.argv[2], sys.argv[3]), transport="plaintext")
def show(r):
    print(r.status_code, r.std_out, r.std_err)
show(s.run_cmd("hostname"))
show(s.run_cmd("ipconfig", ["/all"]))
show(s.run_cmd("exit 12"))
show(s.run_cmd("echo caf\u00e9"))
show(s.run_cmd("nosuch"))
show(s.run_cmd("echo out& echo err 1>&2"))
p = s.protocol
shell = p.open_shell()
for _ in range(3):
    c = p.run_command(shell, "ver")
    out, err, code = p.get_command_output(shell, c)
    p.cleanup_command(shell, c)
p.close_shell(shell)
print("closed", code)
`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	run := exec.CommandContext(t.Context(), python, script, c.url, winrmUser, password)
	run.Env = append(os.Environ(), "NO_PROXY=127.0.0.0/8,"+s.Address, "no_proxy="+s.Address)
	raw, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	for _, want := range []string{
		`0 b'cas1\r\n' b''`, "Windows IP Configuration", `12 b'' b''`, `0 b'caf\x82\r\n' b''`,
		`1 b'' b"'nosuch' is not recognized`, `0 b'out\r\n' b'err \r\n'`, "closed 0",
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("no %q in\n%s", want, raw)
		}
	}
}
