package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavekeeper/server/store/storetest"
)

func inventory(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "inventory.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEveryBadLineIsSaid holds the messages of the inventory's format: line,
// column, value and what would be right.
func TestEveryBadLineIsSaid(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	for _, tc := range []struct{ name, file, want string }{
		{"unknown column", "server,rolls\nA,MBX\n", "line 1, column rolls: rolls, unknown column, the nearest known one is roles"},
		{"missing column", "server\nA\n", "line 1, column roles: (empty), this column is required"},
		{"column twice", "server,roles,Server\nA,MBX,B\n", "line 1, column server: Server, each column once"},
		{"empty file", "", "line 1: (empty), a header line with at least the columns server and roles"},
		{"not UTF-8", "server,roles,site\nA,MBX,M\xfcnchen\n", "line 2, column site: M\uFFFDnchen, text in UTF-8"},
		{"broken quotes", "server,roles\n\"A,MBX\n", "line 2, column server: broken quotes, a field in double quotes"},
		{"too few fields", "server,roles,site\nA,MBX\n", "line 2, column site: 2 fields, 3 fields, as many as the header has"},
		{"no name", "server,roles\n,MBX\n", "line 2, column server: (empty), a computer name"},
		{"full name as name", "server,roles\na.contoso.com,MBX\n", "line 2, column server: a.contoso.com, a computer name"},
		{"duplicate", "server,roles\nmbx1,MBX\nMBX1,CAS\n", "line 3, column server: MBX1, each server once (names are compared without case)"},
		{"no role", "server,roles\nA,\n", "line 2, column roles: (empty), ClientAccess, HubTransport"},
		{"unknown role", "server,roles\nA,MBX+WEB\n", "line 2, column roles: MBX+WEB, ClientAccess, HubTransport"},
		{"Edge beside another", "server,roles\nA,ET+HT\n", "line 2, column roles: ET+HT, EdgeTransport alone"},
		{"role beside Mailbox on a cluster", "server,roles,cluster,nodes\nC,MBX+CAS,CCR,A=10.0.0.1:5985;B=10.0.0.2:5985\n", "line 2, column roles: MBX+CAS, Mailbox alone: a cluster holds no other role"},
		{"CMS with one node", "server,roles,cluster,nodes\nC,MBX,SCC,A=10.0.0.1\n", "line 2, column nodes: A=10.0.0.1, two to eight nodes for SCC"},
		{"CCR with three", "server,roles,cluster,nodes\nC,MBX,CCR,A=1.1.1.1;B=1.1.1.2;D=1.1.1.3\n", "exactly two nodes for CCR"},
		{"two CMS on a CCR", "server,roles,cluster,nodes\nC,MBX,CCR,A=1.1.1.1;B=1.1.1.2\nD,MBX,CCR,A=1.1.1.1;B=1.1.1.2\n", "line 3, column nodes: A=1.1.1.1;B=1.1.1.2, other nodes: CCR has exactly one clustered mailbox server and C is on these"},
		{"node in two sets", "server,roles,cluster,nodes\nC,MBX,SCC,A=1.1.1.1;B=1.1.1.2\nD,MBX,SCC,A=1.1.1.1;E=1.1.1.3\n", "line 3, column nodes:"},
		{"two cluster types on one set", "server,roles,cluster,nodes\nC,MBX,SCC,A=1.1.1.1;B=1.1.1.2\nD,MBX,CCR,A=1.1.1.1;B=1.1.1.2\n", "a node set has one cluster type"},
		{"nodes without cluster", "server,roles,nodes\nC,MBX,A=1.1.1.1;B=1.1.1.2\n", "line 2, column nodes:"},
		{"address of a cluster", "server,roles,cluster,nodes,address\nC,MBX,SCC,A=1.1.1.1;B=1.1.1.2,10.0.0.1\n", "line 2, column address: 10.0.0.1, empty: a cluster is reached at its nodes' addresses"},
		{"nodes without form", "server,roles,cluster,nodes\nC,MBX,SCC,A=1.1.1.1:0;B=1.1.1.2\n", "NODEA=address:port;NODEB=address:port"},
		{"cluster type", "server,roles,cluster\nC,MBX,DAG\n", "line 2, column cluster: DAG, CCR, SCC or empty"},
		{"os", "server,roles,os\nA,MBX,2012\n", "line 2, column os: 2012, 2003, 2008, 2008R2 or empty"},
		{"RTM on 2008", "server,roles,os,build\nA,MBX,2008,8.0.685.25\n", "RTM is not supported on Windows Server 2008"},
		{"2008R2 below SP3", "server,roles,os,build\nA,MBX,2008R2,8.2.176.2\n", "Windows Server 2008 R2 is supported from SP3 on"},
		{"build", "server,roles,build\nA,MBX,14.0.639.21\n", "line 2, column build: 14.0.639.21, an Exchange 2007 build"},
		{"language", "server,roles,language\nA,MBX,german\n", "line 2, column language: german, a Windows culture"},
		{"arch", "server,roles,arch\nA,MBX,ia64\n", "line 2, column arch: ia64, x64, x86 or empty"},
		{"boolean", "server,roles,internet_facing\nA,MBX,maybe\n", "line 2, column internet_facing: maybe, yes, no, true, false, 1 or 0"},
		{"port", "server,roles,port\nA,MBX,70000\n", "line 2, column port: 70000, a port from 1 to 65535"},
		{"address with port", "server,roles,address\nA,MBX,10.0.0.1:5985\n", "line 2, column address: 10.0.0.1:5985, a host name or an IP address"},
		{"mailboxes", "server,roles,mailboxes\nA,MBX,-1\n", "line 2, column mailboxes: -1, an integer from 0"},
		{"profile", "server,roles,profile\nA,MBX,berlin\n", "line 2, column profile: berlin, a profile that exists: default"},
		{"service", "server,roles,services\nA,MBX,av&scan\n", "line 2, column services: av&scan, short names of services"},
		{"UM language", "server,roles,um_languages\nA,UM,german\n", "line 2, column um_languages: german, Windows cultures"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, out, problems := run(t, "", "import", inventory(t, tc.file), "--database-url", d.URL)
			if status != 1 || !strings.Contains(problems, tc.want) {
				t.Errorf("import: status %d, %q %q, want 1 and %q", status, out, problems, tc.want)
			}
			if !strings.Contains(out, "nothing was imported") {
				t.Errorf("import says %q, want that nothing was imported", out)
			}
		})
	}
	servers, err := d.Store.Servers(t.Context())
	if err != nil || len(servers) != 0 {
		t.Errorf("after bad files the inventory holds %d servers, %v, want none", len(servers), err)
	}
}

func TestDryRunWithoutADatabaseJudgesTheFile(t *testing.T) {
	t.Parallel()
	bad := inventory(t, "server,roles\nA,MBX\nB,WEB\n")
	status, out, problems := run(t, "", "import", bad, "--dry-run", "--database-url", "")
	if status != 1 || out != "dry run without a database: 1 good server, 1 fault\n" || !strings.Contains(problems, "line 3, column roles: WEB") {
		t.Errorf("status %d, %q, %q", status, out, problems)
	}
	status, out, _ = run(t, "", "import", bad, "--dry-run", "--json", "--database-url", "")
	if status != 1 || !strings.HasPrefix(out, `{"applied":false,"dry_run":true,`) || !strings.Contains(out, `"line":3,"column":"roles","value":"WEB"`) {
		t.Errorf("--json: status %d, %q", status, out)
	}
	if status, out, _ := run(t, "server,roles\nA,MBX\n", "import", "-", "--dry-run", "--database-url", ""); status != 0 || !strings.Contains(out, "0 faults") {
		t.Errorf("a good file: status %d, %q", status, out)
	}
	if status, _, problems := run(t, "", "import", bad, "--database-url", ""); status != 1 || !strings.Contains(problems, "no database named") {
		t.Errorf("without --dry-run: status %d, %q", status, problems)
	}
}

func TestGoodLinesAreImportedOnRequest(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	file := inventory(t, "server;roles;site\ncas1;CAS;Berlin\nbad;WEB;Berlin\nmbx1;MBX;berlin\n")
	status, out, _ := run(t, "", "import", file, "--good-lines", "--json", "--database-url", d.URL)
	var result struct {
		Applied bool
		Added   int
		Servers []struct{ Server, Words string }
		Faults  []struct {
			Line                int
			Column, Value, Want string
		}
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if status != 1 || !result.Applied || result.Added != 2 || len(result.Faults) != 1 || result.Faults[0].Line != 3 || result.Faults[0].Value != "WEB" {
		t.Errorf("import --good-lines = status %d, %s, want status 1, two servers and the fault of line 3", status, out)
	}
	servers, err := d.Store.Servers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range servers {
		names = append(names, s.Name+" at "+s.Address)
	}
	if want := []string{"CAS1 at cas1", "MBX1 at mbx1"}; !slices.EqualFunc(names, want, strings.EqualFold) {
		t.Errorf("the inventory holds %v, want %v", names, want)
	}
}

func TestImportChangesKeepsClearsAndPreviews(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	first := "\uFEFFserver,roles,site,mailboxes,tags,address,port\nmbx1,MBX,Berlin,300,=SUM(1),10.0.0.1,5986\ncas1,CAS,Berlin,,,10.0.0.2,\n"
	must(t, "", "import", inventory(t, first), "--database-url", d.URL)
	must(t, "", "import", inventory(t, first), "--database-url", d.URL)

	// site and mailboxes are absent and stay; the empty tag clears; a site in
	// other case is no change.
	second := "server,roles,tags,address\nmbx1,MBX+HT,,10.0.0.9\nCAS1,CAS,,10.0.0.2\n"
	preview := must(t, "", "import", inventory(t, second), "--dry-run", "--database-url", d.URL)
	want := "line 2: MBX1: roles: Mailbox becomes HubTransport+Mailbox; address: 10.0.0.1 becomes 10.0.0.9; tags: =SUM(1) becomes empty. " +
		"What is known of its hosts is forgotten, since they answer elsewhere; approvals of it are void.\n" +
		"dry run, nothing was changed; it would be: 0 new, 1 changed, 1 unchanged\n"
	if preview != want {
		t.Errorf("import --dry-run says\n%swant\n%s", preview, want)
	}
	server, err := d.Store.ServerByName(t.Context(), "mbx1")
	if err != nil || server.Address != "10.0.0.1" {
		t.Fatalf("after a dry run MBX1 is at %s, %v, want 10.0.0.1", server.Address, err)
	}
	must(t, "", "import", inventory(t, second), "--database-url", d.URL)
	server, err = d.Store.ServerByName(t.Context(), "mbx1")
	if err != nil {
		t.Fatal(err)
	}
	if server.Address != "10.0.0.9" || server.Site != "Berlin" || server.Mailboxes != 300 || len(server.Tags) != 0 || server.Port != 5986 {
		t.Errorf("MBX1 is %+v, want the new address, no tags, and the rest kept", server.Server)
	}
	if len(server.Hosts) != 1 || server.Hosts[0].Address != "10.0.0.9" {
		t.Errorf("MBX1 has hosts %+v, want one at 10.0.0.9", server.Hosts)
	}
	if n, err := d.Store.VerifyAudit(t.Context()); n != 2 || err != nil {
		t.Errorf("the record holds %d entries, %v, want two imports", n, err)
	}
}

func TestImportedLineIsCheckedAgainstWhatIsKnown(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	must(t, "", "import", inventory(t, "server,roles,cluster,nodes,build,os\nCMS1,MBX,SCC,A=1.1.1.1;B=1.1.1.2,,\nsolo,CAS,,,8.0.685.25,2003\n"), "--database-url", d.URL)
	for _, tc := range []struct{ name, file, want string }{
		{"node in another set", "server,roles,cluster,nodes\nCMS2,MBX,SCC,B=1.1.1.2;E=1.1.1.3\n", "line 2, column nodes: B"},
		{"other cluster type", "server,roles,cluster,nodes\nCMS2,MBX,CCR,A=1.1.1.1;B=1.1.1.2\n", "line 2, column cluster"},
		{"other role on a known cluster", "server,roles\nCMS1,MBX+CAS\n", "line 2, column roles"},
		{"known build on 2008", "server,roles,os\nsolo,CAS,2008\n", "line 2, column os"},
		{"a node called like a server", "server,roles,cluster,nodes\nCMS2,MBX,SCC,SOLO=1.1.1.5;E=1.1.1.3\n", "line 2, column nodes: SOLO"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, _, problems := run(t, "", "import", inventory(t, tc.file), "--database-url", d.URL)
			if status != 1 || !strings.Contains(problems, tc.want) {
				t.Errorf("import: status %d, %q, want 1 and %q", status, problems, tc.want)
			}
		})
	}
	must(t, "", "import", inventory(t, "server,roles,cluster,nodes\nCMS2,MBX,SCC,A=1.1.1.1;B=1.1.1.2\n"), "--database-url", d.URL)
	server, err := d.Store.ServerByName(t.Context(), "CMS2")
	if err != nil || len(server.Nodes) != 2 {
		t.Errorf("the second CMS has nodes %v, %v, want the two known ones", server.Nodes, err)
	}
}
