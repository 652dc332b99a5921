package twin_test

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

const regURI = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/default/StdRegProv"

// registry calls a method of StdRegProv on HKEY_LOCAL_MACHINE.
func (c *client) registry(method, key, value string, more ...string) node {
	c.tb.Helper()
	in := fmt.Sprintf(`<p:%s_INPUT xmlns:p="%s"><p:hDefKey>2147483650</p:hDefKey><p:sSubKeyName>%s</p:sSubKeyName>`, method, regURI, escaped(key))
	if value != "" {
		in += `<p:sValueName>` + value + `</p:sValueName>`
	}
	in += strings.Join(more, "") + fmt.Sprintf(`</p:%s_INPUT>`, method)
	status, n := c.ask(regURI+"/"+method, regURI, "", "", in)
	if status != 200 {
		c.tb.Fatalf("%s: %d %s", method, status, n.one("Text"))
	}
	return n
}

const (
	enumerateURI = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate"
	cimv2URI     = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/*"
)

// filter is the body of an Enumerate for a query.
func filter(wql string, elements int) string {
	return fmt.Sprintf(`<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>%d</w:MaxElements>`+
		`<w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">%s</w:Filter></n:Enumerate>`, elements, escaped(wql))
}

// query enumerates a query to its end and returns the answers.
func (c *client) query(wql string, elements int) (int, []node) {
	c.tb.Helper()
	status, n := c.ask(enumerateURI, cimv2URI, "", "", filter(wql, elements))
	all := []node{n}
	for status == 200 && len(n.find("EndOfSequence")) == 0 {
		status, n = c.ask("http://schemas.xmlsoap.org/ws/2004/09/enumeration/Pull", cimv2URI, "", "", fmt.Sprintf(
			`<n:Pull><n:EnumerationContext>%s</n:EnumerationContext><n:MaxElements>%d</n:MaxElements></n:Pull>`, n.one("EnumerationContext"), elements))
		all = append(all, n)
	}
	return status, all
}

func (c *client) bootTime() string {
	c.tb.Helper()
	status, n := c.query("SELECT LastBootUpTime FROM Win32_OperatingSystem", 10)
	if status != 200 {
		c.tb.Fatal(status)
	}
	return n[0].one("Datetime")
}

// shape is an answer's structure: paths of elements with their attributes'
// names, without values and without repetitions.
func shape(n node) []string {
	seen := map[string]bool{}
	var walk func(n node, path string)
	walk = func(n node, path string) {
		path += "/" + n.XMLName.Space + " " + n.XMLName.Local
		var names []string
		for _, a := range n.Attrs {
			if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
				names = append(names, a.Name.Local)
			}
		}
		sort.Strings(names)
		seen[path] = true
		if len(names) > 0 && names[0] != "nil" {
			seen[path+" @"+strings.Join(names, ",")] = true
		}
		for _, c := range n.Nodes {
			walk(c, path)
		}
	}
	walk(n, "")
	var all []string
	for p := range seen {
		all = append(all, p)
	}
	sort.Strings(all)
	return all
}

// corpus is the folder of recorded answers, or a skip.
func corpus(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, gone := os.Stat(filepath.Join(dir, "go.mod")); gone == nil {
			folder := filepath.Join(dir, "..", "shared", "corpus")
			if _, gone := os.Stat(folder); gone == nil {
				return folder
			}
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Skip("the corpus of recorded answers is absent")
	return ""
}

func recorded(t *testing.T, name string) node {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpus(t), name))
	if err != nil {
		t.Fatal(err)
	}
	var n node
	if err := xml.Unmarshal(raw, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// sameShape compares an answer's structure with a recorded one's.
func sameShape(t *testing.T, what string, got, want node) {
	t.Helper()
	g, w := shape(got), shape(want)
	if strings.Join(g, "\n") != strings.Join(w, "\n") {
		has := map[string]int{}
		for _, p := range g {
			has[p]++
		}
		for _, p := range w {
			has[p]--
		}
		for p, n := range has {
			if n > 0 {
				t.Errorf("%s: the twin has more: %s", what, p)
			} else if n < 0 {
				t.Errorf("%s: the twin lacks: %s", what, p)
			}
		}
	}
}

func TestQueriesLookAsRecorded(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	for _, class := range []string{"Win32_OperatingSystem", "Win32_ComputerSystem", "Win32_LogicalDisk", "Win32_Service"} {
		_, star := c.query("SELECT * FROM "+class, 32000)
		sameShape(t, class+" star", star[0], recorded(t, "wql/server_2003/"+class+"_star_000.xml"))
		raw, err := os.ReadFile(filepath.Join(corpus(t), "wql/server_2003", class+".properties"))
		if err != nil {
			t.Fatal(err)
		}
		_, all := c.query("SELECT "+strings.Join(strings.Fields(string(raw)), ",")+" FROM "+class, 32000)
		sameShape(t, class+" all", all[0], recorded(t, "wql/server_2003/"+class+"_all_000.xml"))
	}
	_, parts := c.query("SELECT * FROM Win32_Service", 5)
	if len(parts) < 3 {
		t.Fatalf("%d answers", len(parts))
	}
	sameShape(t, "pull", parts[1], recorded(t, "wql/server_2008/Win32_Service_star_001.xml"))
	sameShape(t, "last pull", parts[len(parts)-1], recorded(t, "wql/server_2008/Win32_Service_star_003.xml"))
}

func TestQueriesChoose(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	for _, tc := range []struct{ wql, want string }{
		{"SELECT Name FROM Win32_Service WHERE Name='W3SVC'", "W3SVC"},
		{"select name from win32_service where name = 'w3svc' or Name = \"MSDTC\"", "MSDTC W3SVC"},
		{"SELECT Name FROM Win32_Service WHERE StartMode='Manual' AND NOT State='Running' AND Name LIKE 'MSExchangeP%'", "MSExchangePop3"},
		{"SELECT Name FROM Win32_LogicalDisk WHERE DriveType=3 AND FreeSpace > 1000", "C: D:"},
		{"SELECT HotFixID FROM Win32_QuickFixEngineering WHERE HotFixID='KB931836'", "KB931836"},
	} {
		status, n := c.query(tc.wql, 1000)
		var got []string
		for _, f := range n[0].find("XmlFragment") {
			got = append(got, f.Nodes[0].Text)
		}
		if status != 200 || strings.Join(got, " ") != tc.want {
			t.Errorf("%s = %d %q, want %q", tc.wql, status, got, tc.want)
		}
	}
	status, n := c.query("SELECT * FROM Win32_Nonsense", 10)
	if status != 500 || code(n[0]) != "2150858778" || n[0].one("Action") != "http://schemas.xmlsoap.org/ws/2004/09/enumeration/fault" {
		t.Errorf("unknown class: %d %s %s", status, code(n[0]), n[0].one("Action"))
	}
}

func TestRegistryMethods(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	const key = `SOFTWARE\Wavekeeper Test`
	if got := c.registry("GetDWORDValue", key, "N").one("ReturnValue"); got != "2" {
		t.Errorf("missing key: %s", got)
	}
	c.registry("CreateKey", key, "")
	for _, set := range []struct{ method, value, more string }{
		{"SetDWORDValue", "N", `<p:uValue>146944</p:uValue>`},
		{"SetStringValue", "S", `<p:sValue>a &lt; b</p:sValue>`},
		{"SetMultiStringValue", "M", `<p:sValue>one</p:sValue><p:sValue>two</p:sValue>`},
		{"SetBinaryValue", "B", `<p:uValue>1</p:uValue><p:uValue>255</p:uValue>`},
	} {
		if got := c.registry(set.method, key, set.value, set.more).one("ReturnValue"); got != "0" {
			t.Errorf("%s: %s", set.method, got)
		}
	}
	if got := c.registry("GetDWORDValue", key, "Nothing").one("ReturnValue"); got != "1" {
		t.Errorf("missing value of a key that is there: %s", got)
	}
	if got := c.registry("GetDWORDValue", key, "N").one("uValue"); got != "146944" {
		t.Errorf("N = %s", got)
	}
	if got := c.registry("GetStringValue", key, "S").one("sValue"); got != "a < b" {
		t.Errorf("S = %s", got)
	}
	if got := len(c.registry("GetMultiStringValue", key, "M").find("sValue")); got != 2 {
		t.Errorf("M has %d", got)
	}
	names := c.registry("EnumValues", key, "")
	if got := len(names.find("sNames")); got != 4 {
		t.Errorf("%d names", got)
	}
	if got := c.registry("DeleteValue", key, "N").one("ReturnValue"); got != "0" {
		t.Errorf("DeleteValue: %s", got)
	}
	if got := c.registry("EnumKey", `SOFTWARE\Microsoft\Exchange\v8.0`, ""); len(got.find("sNames")) != 3 {
		t.Errorf("EnumKey: %v", got)
	}
	exit, out, _ := c.run(`reg query "HKLM\SOFTWARE\Wavekeeper Test" /v S`)
	if exit != "0" || !strings.Contains(out, "    S\tREG_SZ\ta < b\r\n") {
		t.Errorf("reg query: %s %q", exit, out)
	}
	changes := truth.entries(t, "registry-changed")
	last := changes[len(changes)-1]
	if len(changes) != 5 || last.Detail["value"] != "N" || last.Detail["old"] != 146944.0 || last.Detail["new"] != nil {
		t.Errorf("registry-changed: %v", changes)
	}
}
