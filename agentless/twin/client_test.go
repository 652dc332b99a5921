package twin_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"wavekeeper/server/exchange"
)

// client is a WS-Man client of the test's own, so that the twin is not judged
// by code that shares its mistakes.
type client struct {
	tb             testing.TB
	url            string
	user, password string
	http           *http.Client
}

func dial(tb testing.TB, s exchange.Server) *client {
	c := &client{
		tb: tb, url: fmt.Sprintf("http://%s:%d/wsman", s.Address, s.Port), user: winrmUser, password: password,
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{Proxy: nil}},
	}
	tb.Cleanup(c.http.CloseIdleConnections)
	return c
}

// secure makes the client speak https.
func (c *client) secure(config *tls.Config) {
	c.http.CloseIdleConnections()
	c.http.Transport = &http.Transport{TLSClientConfig: config}
}

// node is an answer's element without namespaces' prefixes.
type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nodes   []node     `xml:",any"`
}

// find lists all elements of that local name below n.
func (n node) find(name string) []node {
	var all []node
	for _, c := range n.Nodes {
		if c.XMLName.Local == name {
			all = append(all, c)
		}
		all = append(all, c.find(name)...)
	}
	return all
}

func (n node) one(name string) string {
	if all := n.find(name); len(all) > 0 {
		return strings.TrimSpace(all[0].Text)
	}
	return ""
}

func (n node) attr(name string) string {
	for _, a := range n.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (c *client) post(body string) (int, string, error) {
	req, err := http.NewRequestWithContext(c.tb.Context(), http.MethodPost, c.url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	if c.user != "" {
		req.SetBasicAuth(c.user, c.password)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, string(raw), err
}

const shellURI = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"

func message(action, resource, selector, options, body string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"`+
		` xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"`+
		` xmlns:rsp="%s"><s:Header><a:Action s:mustUnderstand="true">%s</a:Action>`+
		`<a:MessageID>uuid:FC40E3CD-53E9-4315-B486-6D538B25D1F5</a:MessageID><w:OperationTimeout>PT2S</w:OperationTimeout>`+
		`<w:ResourceURI s:mustUnderstand="true">%s</w:ResourceURI>%s<w:OptionSet>%s</w:OptionSet></s:Header><s:Body>%s</s:Body></s:Envelope>`,
		shellURI, action, resource, selector, options, body)
	return b.String()
}

// ask sends a message and returns status and answer.
func (c *client) ask(action, resource, selector, options, body string) (int, node) {
	c.tb.Helper()
	status, raw, err := c.post(message(action, resource, selector, options, body))
	if err != nil {
		c.tb.Fatalf("%s: %v", action, err)
	}
	var n node
	if raw != "" {
		if err := xml.Unmarshal([]byte(raw), &n); err != nil {
			c.tb.Fatalf("%s: answer %q: %v", action, raw, err)
		}
	}
	return status, n
}

func shellSelector(id string) string {
	return `<w:SelectorSet><w:Selector Name="ShellId">` + id + `</w:Selector></w:SelectorSet>`
}

func (c *client) open() string {
	c.tb.Helper()
	status, n := c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "",
		`<w:Option Name="WINRS_CODEPAGE">437</w:Option>`,
		`<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`)
	if status != 200 {
		c.tb.Fatalf("create: %d %s", status, n.one("Text"))
	}
	return n.one("Selector")
}

func (c *client) close(id string) {
	c.tb.Helper()
	if status, _ := c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete", shellURI+"/cmd", shellSelector(id), "", ""); status != 200 {
		c.tb.Fatalf("delete: %d", status)
	}
}

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func (c *client) begin(shell, line string, skip bool) string {
	c.tb.Helper()
	options := `<w:Option Name="WINRS_CONSOLEMODE_STDIN">TRUE</w:Option>`
	if skip {
		options += `<w:Option Name="WINRS_SKIP_CMD_SHELL">TRUE</w:Option>`
	}
	status, n := c.ask(shellURI+"/Command", shellURI+"/cmd", shellSelector(shell), options,
		`<rsp:CommandLine><rsp:Command>`+escaped(line)+`</rsp:Command></rsp:CommandLine>`)
	if status != 200 {
		c.tb.Fatalf("command %q: %d %s", line, status, n.one("Text"))
	}
	return n.one("CommandId")
}

// output reads a command to its end: exit code, stdout, stderr.
func (c *client) output(shell, command string) (string, []byte, []byte) {
	c.tb.Helper()
	var out, errs []byte
	for {
		status, n := c.ask(shellURI+"/Receive", shellURI+"/cmd", shellSelector(shell), "",
			`<rsp:Receive><rsp:DesiredStream CommandId="`+command+`">stdout stderr</rsp:DesiredStream></rsp:Receive>`)
		if status == 500 && code(n) == "2150858793" {
			continue
		}
		if status != 200 {
			c.tb.Fatalf("receive: %d %s", status, n.one("Text"))
		}
		for _, s := range n.find("Stream") {
			raw, err := base64.StdEncoding.DecodeString(s.Text)
			if err != nil {
				c.tb.Fatal(err)
			}
			if s.attr("Name") == "stdout" {
				out = append(out, raw...)
			} else {
				errs = append(errs, raw...)
			}
		}
		if strings.HasSuffix(n.find("CommandState")[0].attr("State"), "/Done") {
			return n.one("ExitCode"), out, errs
		}
	}
}

// run runs one line through cmd.exe in a shell of its own.
func (c *client) run(line string) (string, string, string) {
	c.tb.Helper()
	return c.runWith(line, false)
}

func (c *client) runWith(line string, skip bool) (string, string, string) {
	c.tb.Helper()
	shell := c.open()
	defer c.close(shell)
	exit, out, errs := c.output(shell, c.begin(shell, line, skip))
	return exit, string(out), string(errs)
}

// code is the WSMan code of a fault.
func code(n node) string {
	for _, f := range n.find("WSManFault") {
		return f.attr("Code")
	}
	return ""
}

// encodedCommand is a line that runs a script as the product sends it.
func encodedCommand(script string) string {
	var raw []byte
	for _, u := range utf16.Encode([]rune(script)) {
		raw = append(raw, byte(u), byte(u>>8))
	}
	return "powershell.exe -NoProfile -NonInteractive -EncodedCommand " + base64.StdEncoding.EncodeToString(raw)
}

// write makes a file on the host by echo lines.
func (c *client) write(path string, lines ...string) {
	c.tb.Helper()
	data := strings.Join(lines, "\r\n") + "\r\n"
	c.script("file-write", path, "0", base64.StdEncoding.EncodeToString([]byte(data)), "1")
}
