package twin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// kind is a host of a platform: "2003 1.1 de-DE".
func kind(tb testing.TB, name, words string) exchange.Server {
	tb.Helper()
	s := server(tb, name, "CAS")
	w := strings.Fields(words)
	s.OS, s.Language = w[0], w[2]
	if w[1] == "1.1" {
		s.Tags = []string{"winrm-1.1"}
	}
	return s
}

// field is one place of an answer with what stands there.
func fields(n node) map[string]string {
	all := map[string]string{}
	var walk func(n node, path string)
	walk = func(n node, path string) {
		path += "/" + n.XMLName.Local
		for all[path] != "" {
			path += "'"
		}
		all[path] = n.XMLName.Space + " " + strings.Join(strings.Fields(n.Text), " ")
		for _, a := range n.Attrs {
			if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
				all[path+"@"+a.Name.Local] = a.Value
			}
		}
		for _, c := range n.Nodes {
			walk(c, path)
		}
	}
	walk(n, "")
	return all
}

// sameFields compares every element, attribute and text of an answer with a
// recorded one but for those that differ in each answer.
func sameFields(t *testing.T, what string, got, want node, differs ...string) {
	t.Helper()
	g, w := fields(got), fields(want)
	for path := range w {
		if _, ok := g[path]; !ok {
			t.Errorf("%s: no %s", what, path)
		}
	}
	for path, value := range g {
		other, ok := w[path]
		last := path[strings.LastIndexAny(path, "/@")+1:]
		switch {
		case !ok:
			t.Errorf("%s: %s is not in the record", what, path)
		case slices.Contains(differs, last):
			if (value == "") != (other == "") {
				t.Errorf("%s: %s = %q, recorded %q", what, path, value, other)
			}
		case value != other:
			t.Errorf("%s: %s = %q, recorded %q", what, path, value, other)
		}
	}
}

func TestWinRM11AnswersAsRecorded(t *testing.T) {
	t.Parallel()
	s := kind(t, "cas1", "2003 1.1 en-US")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	status, n := c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "", "", `<rsp:Shell/>`)
	if status != 200 {
		t.Fatal(status)
	}
	sameFields(t, "create", n, recorded(t, "winrm-records/30-create-winrm-1.1.response.xml"), "MessageID", "RelatesTo", "Selector")
	shell := n.one("Selector")
	if !strings.HasPrefix(shell, "uuid:") {
		t.Errorf("shell id %q", shell)
	}
	command := c.begin(shell, "ver", false)
	if exit, out, _ := c.output(shell, command); exit != "0" || !strings.Contains(string(out), "5.2.3790") {
		t.Errorf("ver: %s %q", exit, out)
	}
	if status, n = c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete", shellURI+"/cmd", shellSelector(strings.TrimPrefix(shell, "uuid:")), "", ""); status != 500 || code(n) != "2150858843" {
		t.Errorf("an id without its scheme is taken for the shell's: %d %s", status, code(n))
	}
	c.close(shell)
	_, bad := c.query("SELECT * FROM Win32_Nonsense", 10)
	sameFields(t, "fault", bad[0], recorded(t, "winrm-records/32-fault-wql-winrm-1.1-2150858778.response.xml"), "MessageID", "RelatesTo")

	shells := []string{c.open(), c.open(), c.open(), c.open(), c.open()}
	if status, n = c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "", "", `<rsp:Shell/>`); status != 500 || code(n) != "2150859173" {
		t.Errorf("sixth shell: %d %s", status, code(n))
	}
	for range 20 { // operations are not counted per user
		c.output(shells[0], c.begin(shells[0], "ver", false))
	}
}

func TestIdentifyNamesThePlatform(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"2003 1.1 de-DE": "OS: 5.2.3790 SP: 2.0 Stack: 1.1", "2008 2.0 ja-JP": "OS: 6.0.6002 SP: 2.0 Stack: 2.0",
		"2008R2 2.0 en-US": "OS: 6.1.7601 SP: 1.0 Stack: 2.0",
	} {
		s := kind(t, "cas1", words)
		start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
		_, raw, err := dial(t, s).post(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`)
		if err != nil || !strings.Contains(raw, want) {
			t.Errorf("%s: %s %v", words, raw, err)
		}
	}
}

func TestPlatformsThatThereAreNotAreRefused(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	for _, p := range []twin.Platform{{OS: "2012"}, {WinRM: "3.0"}, {OS: "2008R2", WinRM: "1.1"}, {Language: "fr-FR"}} {
		f, err := twin.Start(t.Context(), twin.Options{Servers: []exchange.Server{s}, Platforms: map[string]twin.Platform{"cas1": p}})
		if err == nil {
			t.Errorf("%+v starts", p)
			_ = f.Close()
		}
	}
}

func TestWindows2008AnswersQueriesAsRecorded(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"2008 2.0 en-US", "2008 1.1 ja-JP"} {
		s := kind(t, "cas1", words)
		start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
		c := dial(t, s)
		for _, class := range []string{"Win32_OperatingSystem", "Win32_Processor"} {
			_, star := c.query("SELECT * FROM "+class, 32000)
			sameShape(t, words+" "+class+" star", star[0], recorded(t, "wql/server_2008/"+class+"_star_000.xml"))
			raw, err := os.ReadFile(filepath.Join(corpus(t), "wql/server_2008", class+".properties"))
			if err != nil {
				t.Fatal(err)
			}
			_, all := c.query("SELECT "+strings.Join(strings.Fields(string(raw)), ",")+" FROM "+class, 32000)
			sameShape(t, words+" "+class+" all", all[0], recorded(t, "wql/server_2008/"+class+"_all_000.xml"))
		}
		_, parts := c.query("SELECT * FROM Win32_Service", 5)
		sameShape(t, "pull", parts[1], recorded(t, "wql/server_2008/Win32_Service_star_001.xml"))
	}
}

func TestThePlatformsDifferWhereWindowsDoes(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"2003 1.1 en-US": `5.2.3790|C:\WINDOWS|1033|1252|0|C:\Program Files\Microsoft\Exchange Server\|C:\Documents and Settings\wkadmin|SharedAccess|Disabled`,
		"2003 2.0 de-DE": `5.2.3790|C:\WINDOWS|1031|1252|60|C:\Programme\Microsoft\Exchange Server\|C:\Dokumente und Einstellungen\wkadmin|SharedAccess|Disabled`,
		"2008 2.0 de-DE": `6.0.6002|C:\Windows|1031|1252|60|C:\Program Files\Microsoft\Exchange Server\|C:\Users\wkadmin|MpsSvc|Auto`,
		"2008 1.1 ja-JP": `6.0.6002|C:\Windows|1041|932|540|C:\Program Files\Microsoft\Exchange Server\|C:\Users\wkadmin|MpsSvc|Auto`,
	} {
		s := kind(t, "cas1", words)
		start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
		c := dial(t, s)
		_, os := c.query("SELECT * FROM Win32_OperatingSystem", 10)
		_, cwd, _ := c.run("cd")
		firewall := "SharedAccess"
		if s.OS == "2008" {
			firewall = "MpsSvc"
		}
		_, svc := c.query("SELECT Name,StartMode FROM Win32_Service WHERE Name='"+firewall+"'", 10)
		path := c.registry("GetStringValue", `SOFTWARE\Microsoft\Exchange\v8.0\Setup`, "MsiInstallPath").one("sValue")
		o := os[0]
		got := fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s|%s|%s", o.one("Version"), o.one("WindowsDirectory"), o.one("OSLanguage"), o.one("CodeSet"),
			o.one("CurrentTimeZone"), path, strings.TrimSpace(cwd), svc[0].one("Name"), svc[0].one("StartMode"))
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", words, got, want)
		}
	}
}

func TestProcessesHaveOwnersAndSessions(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"2003 2.0 de-DE": `CORP\adm1 0, CORP\adm2 1, NT-AUTORITÄT\SYSTEM`, "2008 2.0 ja-JP": `CORP\adm1 1, CORP\adm2 2, NT AUTHORITY\SYSTEM`,
	} {
		s := kind(t, "cas1", words)
		start(t, twin.Options{
			Servers: []exchange.Server{s}, Speed: 1000,
			Platforms: map[string]twin.Platform{"cas1": {LoggedOn: []string{`CORP\adm1`, `CORP\adm2`}}},
		})
		c := dial(t, s)
		owner := func(handle string) (int, node) {
			const uri = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Process"
			return c.ask(uri+"/GetOwner", uri, `<w:SelectorSet><w:Selector Name="Handle">`+handle+`</w:Selector></w:SelectorSet>`, "", `<p:GetOwner_INPUT xmlns:p="`+uri+`"/>`)
		}
		_, list := c.query("SELECT Handle,Name,SessionId FROM Win32_Process WHERE Name='explorer.exe' OR Name='services.exe'", 100)
		var got []string
		for _, f := range list[0].find("XmlFragment") {
			status, n := owner(f.one("Handle"))
			if status != 200 || n.one("ReturnValue") != "0" {
				t.Errorf("%s: %d", words, status)
			}
			who := n.one("Domain") + `\` + n.one("User")
			if f.one("Name") == "explorer.exe" {
				who += " " + f.one("SessionId")
			}
			got = append(got, who)
		}
		slices.Sort(got)
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s, want %s", words, strings.Join(got, ", "), want)
		}
		if status, n := owner("999999"); status != 500 {
			t.Errorf("owner of no process: %d %v", status, n)
		}
		if _, n := owner("4"); n.one("ReturnValue") != "2" || n.one("User") != "" {
			t.Errorf("owner of the kernel: %v", n)
		}
	}
}

func TestPowerShell1KnowsNoLaterSwitch(t *testing.T) {
	t.Parallel()
	for words, knows := range map[string]bool{"2003 1.1 en-US": false, "2003 2.0 en-US": true} {
		s := kind(t, "cas1", words)
		start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
		c := dial(t, s)
		for _, option := range []string{"-ExecutionPolicy Bypass", "-Version 2.0", "-Sta"} {
			_, _, errs := c.runWith(`powershell.exe -NoProfile `+option+` -Command Get-ExchangeServer`, true)
			if refused := strings.Contains(errs, "unary operator"); refused == knows {
				t.Errorf("%s %s: %q", words, option, errs)
			}
		}
		if _, _, errs := c.runWith(`powershell.exe -nop -noni -c Get-ExchangeServer`, true); !strings.Contains(errs, "Active Directory operation failed") {
			t.Errorf("%s: %q", words, errs)
		}
	}
}

func TestGroupsHaveNamesInTheDisplayLanguage(t *testing.T) {
	t.Parallel()
	for words, group := range map[string]string{"2003 1.1 de-DE": "Administratoren", "2008 2.0 ja-JP": "Administrators"} {
		s := kind(t, "cas1", words)
		start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
		c := dial(t, s)
		if exit, out, _ := c.run("net localgroup"); exit != "0" || !strings.Contains(out, "*"+group+"\r\n") {
			t.Errorf("%s: %s %q", words, exit, out)
		}
		if exit, out, _ := c.run("net localgroup " + group); exit != "0" || !strings.Contains(out, winrmUser+"\r\n") || !strings.Contains(out, runAs+"\r\n") {
			t.Errorf("%s: members %s %q", words, exit, out)
		}
		other := map[string]string{"Administratoren": "Administrators", "Administrators": "Administratoren"}[group]
		if exit, _, errs := c.run("net localgroup " + other); exit != "2" || !strings.Contains(errs, "1376") {
			t.Errorf("%s: %s is a group: %s %q", words, other, exit, errs)
		}
	}
}

func TestScListsOnlyWhatFitsItsBuffer(t *testing.T) {
	t.Parallel()
	s := kind(t, "cas1", "2003 2.0 de-DE")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	exit, small, _ := c.run("sc queryex bufsize= 1024")
	if exit != "234" || !strings.Contains(small, "start resume at index") {
		t.Errorf("small buffer: %s", exit)
	}
	exit, all, _ := c.run("sc queryex type= service state= all bufsize= 65536")
	if n := strings.Count(all, "SERVICE_NAME: "); exit != "0" || n < 20 || n <= strings.Count(small, "SERVICE_NAME: ") {
		t.Errorf("all services: %s, %d", exit, n)
	}
	if !strings.Contains(all, "SERVICE_NAME: SharedAccess\r\nDISPLAY_NAME: Windows-Firewall/Gemeinsame Nutzung der Internetverbindung\r\n        TYPE               : 10  WIN32_OWN_PROCESS \r\n        STATE              : 1  STOPPED \r\n") {
		t.Errorf("SharedAccess is not as it should be in\n%s", all)
	}
	if _, active, _ := c.run("sc query state= active bufsize= 65536"); strings.Contains(active, "SharedAccess") || strings.Contains(active, "PID  ") {
		t.Error("what is stopped is called active, or query tells process ids")
	}
}
