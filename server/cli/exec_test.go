package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shellHost answers one command as WinRM does; a test takes over one action
// with a status and a body, or hangs with status 0.
type shellHost struct {
	*httptest.Server
	commands chan string
}

var (
	soapAction  = regexp.MustCompile(`/([A-Za-z]+)</a:Action>`)
	commandText = regexp.MustCompile(`<rsp:Command>([^<]*)<`)
)

func newShellHost(t *testing.T, version string, stdout []byte, exit int, action string, status int, body string) *shellHost {
	t.Helper()
	h := &shellHost{commands: make(chan string, 10)}
	envelope := func(s string) string {
		return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Body>` + s + `</s:Body></s:Envelope>`
	}
	answers := map[string]string{
		"Identify": envelope(`<IdentifyResponse><ProductVersion>` + version + `</ProductVersion></IdentifyResponse>`),
		"Create":   envelope(`<ResourceCreated><SelectorSet><Selector Name="ShellId">S</Selector></SelectorSet></ResourceCreated>`),
		"Command":  envelope(`<rsp:CommandResponse><rsp:CommandId>C</rsp:CommandId></rsp:CommandResponse>`),
		"Receive": envelope(fmt.Sprintf(`<rsp:ReceiveResponse><rsp:Stream Name="stdout">%s</rsp:Stream><rsp:CommandState State="x/CommandState/Done"><rsp:ExitCode>%d</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>`,
			base64.StdEncoding.EncodeToString(stdout), exit)),
		"Signal": envelope(``), "Delete": envelope(``),
	}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		name := "Identify"
		if m := soapAction.FindSubmatch(sent); m != nil {
			name = string(m[1])
		}
		if m := commandText.FindSubmatch(sent); m != nil {
			h.commands <- string(m[1])
		}
		code, text := http.StatusOK, answers[name]
		if name == action {
			if code, text = status, body; status == 0 {
				<-r.Context().Done()
				return
			}
		}
		w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *shellHost) port() int { return h.Listener.Addr().(*net.TCPAddr).Port }

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// execJSON runs exec and gives its lines.
func execJSON(t *testing.T, args ...string) (status int, lines []map[string]any) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"exec", "--json", "--user", "operator", "--password-file", file(t, "secret\n")}, args...)
	status = Main(args, strings.NewReader(""), &stdout, &stderr)
	for _, l := range strings.Split(strings.TrimSpace(stdout.String()), "\n") {
		if l == "" {
			continue
		}
		line := map[string]any{}
		if err := json.Unmarshal([]byte(l), &line); err != nil {
			t.Fatalf("line %q: %v", l, err)
		}
		lines = append(lines, line)
	}
	if strings.Contains(stdout.String()+stderr.String(), "secret") {
		t.Error("the password is in the output")
	}
	return status, lines
}

const (
	windows2003 = "OS: 5.2.3790 SP: 2.0 Stack: 2.0"
	windows2008 = "OS: 6.1.7601 SP: 1.0 Stack: 2.0"
)

func wsmanFault(code int) string {
	return fmt.Sprintf(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Detail><f:WSManFault xmlns:f="f" Code="%d"/></s:Detail></s:Fault></s:Body></s:Envelope>`, code)
}

func TestExecEndsEachHostWithItsOutcome(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		host   *shellHost
		args   []string
		status int
		want   map[string]any
	}{
		{
			"done", newShellHost(t, windows2003, []byte("Gr\x94\xE1e\r\n"), 0, "", 0, ""), nil, 0,
			map[string]any{"outcome": "done", "exit": 0.0, "stdout": "Größe\r\n", "fault": nil, "stdout_base64": ""},
		},
		{
			"exit code", newShellHost(t, windows2003, nil, 5, "", 0, ""), nil, 1,
			map[string]any{"outcome": "done", "exit": 5.0, "stdout": "", "fault": nil, "error": ""},
		},
		{
			"not in the code page", newShellHost(t, windows2008, []byte("a\xff"), 0, "", 0, ""), nil, 0,
			map[string]any{"outcome": "done", "stdout": "a\uFFFD", "stdout_base64": "Yf8="},
		},
		{
			"denied", newShellHost(t, windows2003, nil, 0, "Create", 401, ""), nil, 1,
			map[string]any{"outcome": "denied", "exit": nil, "fault": nil},
		},
		{
			"access fault", newShellHost(t, windows2003, nil, 0, "Create", 500, wsmanFault(5)), nil, 1,
			map[string]any{"outcome": "denied", "exit": nil, "fault": 5.0},
		},
		{
			"fault", newShellHost(t, windows2003, nil, 0, "Command", 500, wsmanFault(2147942402)), nil, 1,
			map[string]any{"outcome": "fault", "exit": nil, "fault": 2147942402.0},
		},
		{
			"timeout", newShellHost(t, windows2003, nil, 0, "Create", 0, ""),
			[]string{"--timeout", "300ms"},
			1,
			map[string]any{"outcome": "timeout", "exit": nil, "fault": nil},
		},
		{
			"unknown", newShellHost(t, windows2003, nil, 0, "Receive", 500, wsmanFault(2150858843)), nil, 1,
			map[string]any{"outcome": "unknown", "exit": nil, "fault": 2150858843.0},
		},
		{
			"unknown by time", newShellHost(t, windows2003, nil, 0, "Receive", 0, ""),
			[]string{"--timeout", "300ms"},
			1,
			map[string]any{"outcome": "unknown", "exit": nil, "fault": nil},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--host", fmt.Sprintf("127.0.0.1:%d", test.host.port())}, test.args...)
			status, lines := execJSON(t, append(args, "--", "dir", "/b", `C:\a  b`, "&&", "ver")...)
			if status != test.status || len(lines) != 1 {
				t.Fatalf("status %d, %d lines, want %d and 1 line", status, len(lines), test.status)
			}
			got := lines[0]
			for key, want := range test.want {
				if !cmp.Equal(got[key], want) {
					t.Errorf("%s = %v, want %v", key, got[key], want)
				}
			}
			for _, key := range []string{"host", "outcome", "stdout", "stdout_base64", "stderr", "error"} {
				if _, isText := got[key].(string); !isText {
					t.Errorf("%s = %v, want a string", key, got[key])
				}
			}
			if (got["error"] == "") != (got["outcome"] == "done") {
				t.Errorf("outcome %v with error %q", got["outcome"], got["error"])
			}
			if got["host"] != "127.0.0.1" || got["port"] != float64(test.host.port()) || len(got) != 10 {
				t.Errorf("line %v", got)
			}
			if want := test.want["outcome"]; want == "done" || want == "unknown" {
				if sent := <-test.host.commands; sent != `dir /b C:\a  b &amp;&amp; ver` || len(test.host.commands) != 0 {
					t.Errorf("sent %q, and %d more", sent, len(test.host.commands))
				}
			}
		})
	}
}

func TestExecWritesItsKeysInOrder(t *testing.T) {
	t.Parallel()
	h := newShellHost(t, windows2003, []byte("<&>"), 0, "", 0, "")
	var stdout, stderr bytes.Buffer
	status := Main([]string{
		"exec", "--json", "--user", "u", "--password-file", file(t, "p"), "--timeout", "20", "--host", fmt.Sprintf("127.0.0.1:%d", h.port()), "--", "hostname",
	}, nil, &stdout, &stderr)
	got := regexp.MustCompile(`"ms":\d+`).ReplaceAllString(stdout.String(), `"ms":1`)
	want := fmt.Sprintf(`{"host":"127.0.0.1","port":%d,"outcome":"done","exit":0,"stdout":"<&>","stdout_base64":"","stderr":"","error":"","fault":null,"ms":1}`+"\n", h.port())
	if status != 0 || got != want {
		t.Errorf("status %d, got %s, want %s", status, got, want)
	}
}

func TestPasswordFile(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{"p": "p", "p\n": "p", "p\r\n": "p", "\uFEFFp\r\n": "p", " p \n": " p ", "p\n\n": "p\n"} {
		if got, err := readPassword(file(t, content)); err != nil || got != want {
			t.Errorf("%q gives %q, %v, want %q", content, got, err, want)
		}
	}
}

func TestExecUnreachableAndRefusedHosts(t *testing.T) {
	t.Parallel()
	good, gone := newShellHost(t, windows2003, nil, 0, "", 0, ""), newShellHost(t, windows2003, nil, 0, "", 0, "")
	gone.Close()
	hosts := file(t, fmt.Sprintf("\uFEFF# fleet\r\n127.0.0.1:%d\r\n\r\n127.0.0.1:%d\n192.0.2.7\n", good.port(), gone.port()))
	status, lines := execJSON(t, "--hosts", hosts, "--parallel", "2", "--timeout", "5s", "--", "hostname")
	got := map[string]string{}
	for _, l := range lines {
		got[fmt.Sprintf("%v:%v", l["host"], l["port"])] = fmt.Sprint(l["outcome"])
	}
	want := map[string]string{
		fmt.Sprintf("127.0.0.1:%d", good.port()): "done", fmt.Sprintf("127.0.0.1:%d", gone.port()): "unreachable", "192.0.2.7:5985": "refused",
	}
	if diff := cmp.Diff(got, want); diff != "" || status != 1 {
		t.Errorf("status %d, lines (-), want (+):\n%s", status, diff)
	}
}

func TestExecOverHTTPSNeedsTheAuthority(t *testing.T) {
	t.Parallel()
	plain := newShellHost(t, windows2003, []byte("ok"), 0, "", 0, "")
	h := httptest.NewUnstartedServer(plain.Config.Handler)
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake below
	h.StartTLS()
	defer h.Close()
	host := []string{"--host", strings.TrimPrefix(h.URL, "https://"), "--https"}
	ca := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})))
	if status, lines := execJSON(t, append(host, "--", "hostname")...); status != 1 || lines[0]["outcome"] != "untrusted" {
		t.Errorf("unknown authority: status %d, %v", status, lines)
	}
	if status, lines := execJSON(t, append(host, "--ca", ca, "--", "hostname")...); status != 0 || lines[0]["stdout"] != "ok" {
		t.Errorf("known authority: status %d, %v", status, lines)
	}
}

func TestExecVisitsHostsInParallel(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	for range 8 {
		fmt.Fprintf(&list, "127.0.0.1:%d\n", newShellHost(t, windows2003, nil, 0, "Create", 0, "").port())
	}
	began := time.Now()
	status, lines := execJSON(t, "--hosts", file(t, list.String()), "--timeout", "500ms", "--", "hostname")
	if took := time.Since(began); status != 1 || len(lines) != 8 || took > 3*time.Second {
		t.Errorf("status %d, %d lines after %s", status, len(lines), took)
	}
}

func TestExecForPeople(t *testing.T) {
	t.Parallel()
	h := newShellHost(t, windows2003, []byte("a\r\n\x1b[31mred\r\n"), 0, "", 0, "")
	var stdout, stderr bytes.Buffer
	status := Main([]string{
		"exec", "--user", "u", "--password-file", file(t, "p"), "--host", fmt.Sprintf("127.0.0.1:%d", h.port()), "--", "hostname",
	}, nil, &stdout, &stderr)
	if got := stdout.String(); status != 0 || !strings.Contains(got, ": done, exit 0, ") || !strings.HasSuffix(got, "\na\n\uFFFD[31mred\n") {
		t.Errorf("status %d, %q", status, got)
	}
}

func TestExecWrongUsageIsStatusTwo(t *testing.T) {
	t.Parallel()
	password := file(t, "p\n")
	for _, args := range [][]string{
		{"--host", "h", "--user", "u", "--password-file", password},
		{"--user", "u", "--password-file", password, "--", "hostname"},
		{"--host", "h", "--hosts", password, "--user", "u", "--password-file", password, "--", "hostname"},
		{"--host", "h", "--password-file", password, "--", "hostname"},
		{"--host", "h", "--user", "u", "--", "hostname"},
		{"--host", "h", "--user", "u", "--password-file", "/nowhere", "--", "hostname"},
		{"--host", "h", "--user", "u", "--password-file", file(t, "\n"), "--", "hostname"},
		{"--host", "h:99999", "--user", "u", "--password-file", password, "--", "hostname"},
		{"--host", "h:x", "--user", "u", "--password-file", password, "--", "hostname"},
		{"--host", "a b", "--user", "u", "--password-file", password, "--", "hostname"},
		{"--hosts", "/nowhere", "--user", "u", "--password-file", password, "--", "hostname"},
		{"--hosts", file(t, "\n#\n"), "--user", "u", "--password-file", password, "--", "hostname"},
		{"--hosts", file(t, "h\nh:5985\n"), "--user", "u", "--password-file", password, "--", "hostname"},
		{"--host", "h", "--auth", "magic", "--user", "u", "--password-file", password, "--", "hostname"},
		{"--host", "h", "--parallel", "0", "--user", "u", "--password-file", password, "--", "hostname"},
		{"--host", "h", "--timeout", "0s", "--user", "u", "--password-file", password, "--", "hostname"},
		{"--host", "h", "--ca", password, "--user", "u", "--password-file", password, "--", "hostname"},
		{"--host", "h", "--https", "--ca", password, "--user", "u", "--password-file", password, "--", "hostname"},
	} {
		var stdout, stderr bytes.Buffer
		if status := Main(append([]string{"exec"}, args...), nil, &stdout, &stderr); status != 2 || stderr.Len() == 0 {
			t.Errorf("%q: status %d, %q, want 2 with a reason", args, status, stderr.String())
		}
	}
}
