package twin_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// runAt runs a line in a shell of a code page, 0 = what the host takes then.
func (c *client) runAt(page int, line string) (exit string, out, errs []byte) {
	c.tb.Helper()
	option := ""
	if page > 0 {
		option = fmt.Sprintf(`<w:Option Name="WINRS_CODEPAGE">%d</w:Option>`, page)
	}
	status, n := c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "", option,
		`<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`)
	if status != 200 {
		c.tb.Fatalf("create: %d %s", status, n.one("Text"))
	}
	shell := n.one("Selector")
	defer c.close(shell)
	return c.output(shell, c.begin(shell, line, false))
}

func TestConsoleOutputIsInTheCodePage(t *testing.T) {
	t.Parallel()
	hosts := map[string]*client{}
	for _, words := range []string{"2003 1.1 de-DE", "2008 2.0 ja-JP", "2003 2.0 en-US"} {
		s := kind(t, "cas1", words)
		start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
		hosts[words] = dial(t, s)
	}
	const german, japanese = "2003 1.1 de-DE", "2008 2.0 ja-JP"
	for _, tc := range []struct {
		host       string
		page       int
		line, want string
	}{
		// u umlaut is the same in 437 and 850; A acute is in 850 only
		{german, 0, "echo \u00fc\u00c1", "\x81\xb5\r\n"},
		{german, 850, "echo \u00fc\u00c1", "\x81\xb5\r\n"},
		{german, 437, "echo \u00fc\u00c1", "\x81?\r\n"},
		{german, 1252, "echo \u00fc\u00c1", "\xfc\xc1\r\n"},
		{german, 65001, "echo \u00fc", "\xc3\xbc\r\n"},
		{german, 0, "rd C:\\WINDOWS", "Das Verzeichnis ist nicht leer.\r\n"},
		{german, 0, "cd nowhere", "Das System kann den angegebenen Pfad nicht finden.\r\n"},
		{german, 0, "sc query nosuch", "[SC] EnumQueryServicesStatus:OpenService FEHLER 1060:\r\n\r\nDer angegebene Dienst ist kein installierter Dienst.\r\n\r\n"},
		{german, 0, "reg query HKLM\\nosuch", "\r\nFehler:  Der angegebene Registrierungsschl\x81ssel bzw. Wert wurde nicht gefunden\r\n"},
		{german, 0, "net start nosuch", "Der Dienstname ist ung\x81ltig.\r\n\r\nSie erhalten weitere Hilfe, wenn Sie NET HELPMSG 2185 eingeben.\r\n\r\n"},
		{german, 0, "schtasks /run /tn nosuch", "FEHLER: Der angegebene Taskname \"nosuch\" ist auf dem System nicht vorhanden.\r\n"},
		{german, 0, "if x", "\"x\""},
		// katakana, and a letter whose second byte is a backslash
		{japanese, 0, "echo \u30a2\u8868", "\x83\x41\x95\x5c\r\n"},
		{japanese, 932, "type nosuch", "\x8ew\x92\xe8\x82\xb3\x82\xea\x82\xbd\x83t\x83@\x83C\x83\x8b\x82\xaa\x8c\xa9\x82\xc2\x82\xa9\x82\xe8\x82\xdc\x82\xb9\x82\xf1\x81B\r\n"},
		{japanese, 437, "type nosuch", "??????????????????\r\n"},
		{"2003 2.0 en-US", 0, "type nosuch", "The system cannot find the file specified.\r\n"},
	} {
		_, out, errs := hosts[tc.host].runAt(tc.page, tc.line)
		got := string(out) + string(errs)
		if got != tc.want && (tc.line != "if x" || !strings.Contains(got, "kann syntaktisch an dieser Stelle nicht verarbeitet werden")) {
			t.Errorf("%s, code page %d: %s gives %q, want %q", tc.host, tc.page, tc.line, got, tc.want)
		}
	}
}

func TestBatchFilesDoNothingAt65001BeforeWindows2008R2(t *testing.T) {
	t.Parallel()
	for words, runs := range map[string]bool{"2003 2.0 en-US": false, "2008 2.0 de-DE": false, "2008R2 2.0 en-US": true} {
		s := kind(t, "cas1", words)
		start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
		c := dial(t, s)
		c.write(`C:\go.cmd`, "@echo ran", "@exit /b 3")
		exit, out, errs := c.runAt(65001, `C:\go.cmd`)
		if want := map[bool]string{false: "0  ", true: "3 ran\r\n "}[runs]; exit+" "+string(out)+" "+string(errs) != want {
			t.Errorf("%s: %s %q %q, want %q", words, exit, out, errs, want)
		}
		if exit, out, _ = c.runAt(437, `C:\go.cmd`); exit != "3" || string(out) != "ran\r\n" {
			t.Errorf("%s with 437: %s %q", words, exit, out)
		}
	}
}

func TestTasksWriteInTheOEMCodePage(t *testing.T) {
	t.Parallel()
	s := kind(t, "cas1", "2003 2.0 de-DE")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	c.prepare("oem", "SYSTEM", "type nosuch.txt 2>out.txt", "chcp >page.txt", "rd /q C:\\nosuch 2>>out.txt")
	c.start("oem")
	c.result("oem", 5*time.Second)
	_, page, _ := c.run("type " + taskFolder("oem") + `\page.txt`)
	if page != "Aktive Codepage: 850.\r\n" {
		t.Errorf("page: %q", page)
	}
}

func TestSetupWritesTimesOfTheAccountsCulture(t *testing.T) {
	t.Parallel()
	for words, form := range map[string]string{
		"2003 1.1 de-DE": `^\[\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d\] \[\d\] `,
		"2008 2.0 ja-JP": `^\[\d{4}/\d\d/\d\d \d{1,2}:\d\d:\d\d\] \[\d\] `,
		"2003 2.0 en-US": `^\[\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d:\d\d [AP]M\] \[\d\] `,
	} {
		for _, localized := range []bool{false, true} {
			s := kind(t, "cas1", words)
			start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 100000, LocalizedSetup: localized})
			c := dial(t, s)
			c.prepare("setup", runAsArguments, `C:\Wavekeeper\media\sp1-`+s.Language+`-x64\setup.com /mode:Upgrade >out.txt`)
			c.start("setup")
			if rc := c.result("setup", 20*time.Second); rc != "0" {
				t.Fatalf("%s: Setup ended with %s", words, rc)
			}
			_, log, _ := c.run(`type C:\ExchangeSetupLogs\ExchangeSetup.log`)
			lines := strings.Split(strings.TrimSpace(log), "\r\n")
			for _, line := range lines {
				if !regexp.MustCompile(form).MatchString(line) {
					t.Fatalf("%s: line %q", words, line)
				}
			}
			success := strings.Contains(log, "The Exchange Server setup operation completed successfully.")
			if english := !localized || s.Language == "en-US"; success != english {
				t.Errorf("%s, localized %t: the English sentence is there: %t", words, localized, success)
			}
			if !strings.Contains(log, "Beginning processing Update-ClientAccessRole") {
				t.Errorf("%s: no cmdlet name", words)
			}
		}
	}
}

// TestPywinrmRunsCommandsOnOtherPlatforms proves the wire of WinRM 1.1 and the
// code pages by a client that nobody of the project wrote.
func TestPywinrmRunsCommandsOnOtherPlatforms(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import winrm").Run(); err != nil {
		t.Skip("the package python3-winrm is not installed")
	}
	script := filepath.Join(t.TempDir(), "run.py")
	const text = `
import sys, winrm
s = winrm.Session(sys.argv[1], auth=(sys.argv[2], sys.argv[3]), transport="plaintext")
p = s.protocol
shell = p.open_shell(codepage=int(sys.argv[4]))
for line in sys.argv[5:]:
    c = p.run_command(shell, line)
    out, err, code = p.get_command_output(shell, c)
    print(code, out.hex(), err.hex())
    p.cleanup_command(shell, c)
p.close_shell(shell)
print("closed")
`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string]struct{ page, command, output string }{
		"2003 1.1 de-DE": {"850", "reg query HKLM\\nosuch", "1  " + hexOf("\r\nFehler:  Der angegebene Registrierungsschl\x81ssel bzw. Wert wurde nicht gefunden\r\n")},
		"2008 1.1 ja-JP": {"932", "cd nosuch", "1  " + hexOf("\x8ew\x92\xe8\x82\xb3\x82\xea\x82\xbd\x83p\x83X\x82\xaa\x8c\xa9\x82\xc2\x82\xa9\x82\xe8\x82\xdc\x82\xb9\x82\xf1\x81B\r\n")},
	} {
		s := kind(t, "cas1", words)
		start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
		c := dial(t, s)
		run := exec.CommandContext(t.Context(), python, script, c.url, winrmUser, password, want.page, "hostname", want.command)
		run.Env = append(os.Environ(), "NO_PROXY=127.0.0.0/8,"+s.Address, "no_proxy="+s.Address)
		raw, err := run.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", words, err, raw)
		}
		if got, all := string(raw), "0 "+hexOf("cas1\r\n")+" \n"+want.output+"\nclosed\n"; got != all {
			t.Errorf("%s:\n%s\nwant\n%s", words, got, all)
		}
	}
}

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }
