package exchange

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadInventoryFillsDefaults(t *testing.T) {
	t.Parallel()
	file := "\uFEFFRoles;server;nodes;cluster;build;tags;um_languages;internet_facing;port;fqdn\r\n" +
		"MBX+CAS;mbx1;;;Version 8.0 (Build 30685.25);'=1+1;\"de-de;FR-fr\";yes;5986;MBX1.contoso.com\r\n" +
		"\r\n" +
		"mailbox;cms1;\"N2=10.0.0.2:5985;n1=10.0.0.1\";scc;;\"a\r\nb\";;;;\r\n"
	inv, faults := ReadInventory(strings.NewReader(strings.Replace(file, "a\r\nb", "a; b", 1)))
	if len(faults) > 0 {
		t.Fatalf("faults %v", faults)
	}
	want := []Server{
		{
			Name: "MBX1", FQDN: "mbx1.contoso.com", Roles: []Role{ClientAccess, Mailbox}, InternetFacing: true, Build: Build{8, 0, 685, 25},
			Language: "en-US", Arch: "x64", Profile: "default", Address: "mbx1.contoso.com", Port: 5986, UMLanguages: []string{"de-DE", "fr-FR"}, Tags: []string{"=1+1"},
		},
		{
			Name: "CMS1", Roles: []Role{Mailbox}, Language: "en-US", Arch: "x64", Profile: "default", Cluster: SCC,
			Nodes: []Node{{"N1", "10.0.0.1", 0}, {"N2", "10.0.0.2", 5985}}, Tags: []string{"a", "b"},
		},
	}
	if diff := cmp.Diff(want, inv.Servers); diff != "" {
		t.Errorf("servers differ (-want +got):\n%s", diff)
	}
	if inv.Present("site") || !inv.Present("roles") || inv.Lines[1] != 4 {
		t.Errorf("columns %v, lines %v", inv.Columns, inv.Lines)
	}
}

func TestReadInventoryNamesEveryFault(t *testing.T) {
	t.Parallel()
	const header = "server,roles,build,os,cluster,nodes,address,port,mailboxes,language,arch,internet_facing,um_languages\n"
	for _, c := range []struct{ rows, want string }{
		{"cas1,CAS,,,,,,,,,,,\ncas1x,HT,,,,,,,,,,,\nCAS1,HT,,,,,,,,,,,", "line 4, column server: CAS1, each server once"},
		{"a,Foo,,,,,,,,,,,", "line 2, column roles: Foo, ClientAccess, HubTransport"},
		{"a,,,,,,,,,,,,", "line 2, column roles: (empty), ClientAccess"},
		{",CAS,,,,,,,,,,,", "line 2, column server: (empty), a computer name"},
		{"a b,CAS,,,,,,,,,,,", "line 2, column server: a b, a computer name"},
		{"a,ET+HT,,,,,,,,,,,", "line 2, column roles: ET+HT, EdgeTransport alone"},
		{"a,CAS,8.0,,,,,,,,,,", "line 2, column build: 8.0, an Exchange 2007 build"},
		{"a,CAS,14.0.1.1,,,,,,,,,,", "line 2, column build: 14.0.1.1, an Exchange 2007 build"},
		{"a,CAS,,2012,,,,,,,,,", "line 2, column os: 2012, 2003, 2008, 2008R2"},
		{"a,CAS,8.0.685.25,2008,,,,,,,,,", "line 2, column os: 2008, 2003, or a build of SP1"},
		{"a,CAS,8.2.176.2,2008R2,,,,,,,,,", "line 2, column os: 2008R2, 2003 or 2008, or a build of SP3"},
		{"a,MBX,,,CCR,N1=h1:1,,,,,,,", "line 2, column nodes: N1=h1:1, exactly two nodes"},
		{"a,MBX,,,SCC,N1=h1:1,,,,,,,", "line 2, column nodes: N1=h1:1, two to eight nodes"},
		{"a,MBX,,,CCR,,,,,,,,", "line 2, column nodes: (empty), exactly two nodes"},
		{"a,MBX,,,CCR,N1=h1:1;N2=h2:1;N3=h3:1,,,,,,,", "exactly two nodes"},
		{"a,MBX,,,SCC,N1;N2;N3;N4;N5;N6;N7;N8;N9,,,,,,,", "two to eight nodes"},
		{"a,MBX+CAS,,,CCR,N1=h1:1;N2=h2:1,,,,,,,", "line 2, column roles: MBX+CAS, Mailbox alone"},
		{"a,MBX,,,CCR,N1=h1:1;N2=h2:1,h1,,,,,,", "line 2, column address: h1, empty"},
		{"a,MBX,,,CCR,N1=h1:1;N2=h2:1,,,,,,,\nb,MBX,,,CCR,n2=h2:1;N1=h1:1,,,,,,,", "line 3, column nodes: n2=h2:1;N1=h1:1, other nodes: CCR has exactly one"},
		{"a,MBX,,,CCR,N1=h1:1;N2=h2:1,,,,,,,\nb,MBX,,,SCC,N1=h1:1;N2=h2:1,,,,,,,", "line 3, column cluster: SCC, CCR as for A"},
		{"a,MBX,,,SCC,N1=h1:1;N2=h2:1,,,,,,,\nb,MBX,,,SCC,N1=h1:1;N3=h3:1,,,,,,,", "line 3, column nodes: N1=h1:1;N3=h3:1, a node of one cluster: it is a node of A"},
		{"a,MBX,,,,N1=h1:1;N2=h2:1,,,,,,,", "column nodes"},
		{"a,MBX,,,CCR,N1=h1:x;N2,,,,,,,", "line 2, column nodes: N1=h1:x;N2, NODEA=address:port"},
		{"a,MBX,,,DAG,,,,,,,,", "line 2, column cluster: DAG, CCR, SCC or empty"},
		{"a,CAS,,,,,,0,,,,,", "line 2, column port: 0, a port"},
		{"a,CAS,,,,,,,-1,,,,", "line 2, column mailboxes: -1, an integer from 0"},
		{"a,CAS,,,,,,,,german,,,", "line 2, column language: german, a Windows culture"},
		{"a,CAS,,,,,,,,,ia64,,", "line 2, column arch: ia64, x64, x86"},
		{"a,CAS,,,,,,,,,,maybe,", "line 2, column internet_facing: maybe, yes, no"},
		{"a,CAS,,,,,,,,,,,xx-yyy", "line 2, column um_languages: xx-yyy, Windows cultures"},
		{"a,CAS", "line 2, column build: 2 fields, 13 fields"},
		{"a,CAS,,,,,,,,,,,,x", "line 2, column um_languages: 14 fields, 13 fields"},
		{"a,\"CAS\"x,,,,,,,,,,,\nb,CAS,,,,,,,,,,,", "line 2, column roles: broken quotes"},
		{"a,CAS,,,,,,,,,,,\"\nb,CAS,,,,,,,,,,,", "line 2, column um_languages: broken quotes"},
		{"\"a\nb\",CAS,,,,,,,,,,,", `line 2, column server: a\nb, a computer name`},
		{"a\x00,CAS,,,,,,,,,,,", "line 2, column server: a\uFFFD, a computer name"},
		{"a,K\xf6ln,,,,,,,,,,,", "line 2, column roles: K\uFFFDln, text in UTF-8"},
		{"a,CAS,,,," + strings.Repeat("x", 5000) + ",,,,,,,", "column nodes: " + strings.Repeat("x", 100) + "…, NODEA"},
	} {
		_, faults := ReadInventory(strings.NewReader(header + c.rows))
		if len(faults) != 1 || !strings.Contains(faults[0].Error(), c.want) {
			t.Errorf("%q gives %v, want one fault with %q", c.rows, faults, c.want)
		}
	}
}

func TestReadInventoryRefusesAWrongHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, want string }{
		{"", "line 1: (empty), a header line"},
		{"server,role\nA,CAS\n", "line 1, column role: role, unknown column, the nearest known one is roles"},
		{"roles\nCAS\n", "line 1, column server: (empty), this column is required"},
		{"server,roles,Server\n", "line 1, column server: Server, each column once"},
		{"server,roles,\nA,CAS,\n", "line 1, column 3: (empty), a column's name"},
		{"s\x00e\x00r\x00v\x00e\x00r\x00", "line 1: bytes that are not UTF-8, a file saved as UTF-8"},
		{"server\xff,roles\nA,CAS\n", "line 1: bytes that are not UTF-8, a file saved as UTF-8"},
	} {
		inv, faults := ReadInventory(strings.NewReader(c.file))
		if len(inv.Servers) > 0 || len(faults) == 0 || !strings.Contains(faults[0].Error(), c.want) {
			t.Errorf("%q gives %v, want %q", c.file, faults, c.want)
		}
	}
}

func TestReadInventoryKeepsGoodLinesAndCountsPhysicalLines(t *testing.T) {
	t.Parallel()
	inv, faults := ReadInventory(strings.NewReader("server,roles,tags\nA,CAS,\"one\ntwo\"\nB,HT,x\nC,Foo,\n"))
	if len(inv.Servers) != 1 || inv.Servers[0].Name != "B" || inv.Lines[0] != 4 {
		t.Errorf("servers %+v on %v", inv.Servers, inv.Lines)
	}
	if len(faults) != 2 || faults[0].Line != 2 || faults[1].Line != 5 {
		t.Errorf("faults %v", faults)
	}
}

func TestReadInventoryTakesEveryLineEnd(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r\n", "\r"} {
		inv, faults := ReadInventory(strings.NewReader(strings.ReplaceAll("\uFEFFserver;roles;language\nA;CAS;zh-chs\n\nB;HT;sr-latn-cs\n", "\n", end)))
		if len(inv.Servers) != 2 || len(faults) > 0 || inv.Lines[1] != 4 || inv.Servers[0].Language != "zh-CHS" || inv.Servers[1].Language != "sr-Latn-CS" {
			t.Errorf("line end %q: %+v on %v, faults %v", end, inv.Servers, inv.Lines, faults)
		}
	}
}

func TestInventoryIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	servers := []Server{
		{Name: "A", FQDN: "a.x", Roles: []Role{ClientAccess, HubTransport}, Site: "=SUM(1)", InternetFacing: true, Build: Build{8, 1, 240, 6}, OS: "2003", Language: "de-DE", Arch: "x64", Address: "10.0.0.1", Port: 5985, Profile: "p", Mailboxes: 3, UMLanguages: []string{"de-DE"}, Services: []string{"MSSQL$X"}, Tags: []string{"a", "b"}},
		{Name: "CMS", Roles: []Role{Mailbox}, Language: "en-US", Arch: "x64", Profile: "default", Cluster: CCR, Nodes: []Node{{"N1", "n1", 0}, {"N2", "n2", 1}}},
	}
	var file bytes.Buffer
	if err := WriteInventory(&file, servers); err != nil {
		t.Fatal(err)
	}
	inv, faults := ReadInventory(&file)
	if diff := cmp.Diff(servers, inv.Servers); diff != "" || len(faults) > 0 {
		t.Errorf("faults %v, differences (-want +got):\n%s", faults, diff)
	}
}

func FuzzReadInventory(f *testing.F) {
	f.Add([]byte("server,roles\nA,CAS\n"))
	f.Add([]byte("server;roles;nodes;cluster\nA;MBX;\"N1=a:1;N2=b:2\";CCR\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		inv, _ := ReadInventory(bytes.NewReader(file))
		if len(inv.Servers) == 0 {
			return
		}
		var again bytes.Buffer
		if err := WriteInventory(&again, inv.Servers); err != nil {
			t.Fatal(err)
		}
		back, faults := ReadInventory(&again)
		if diff := cmp.Diff(inv.Servers, back.Servers); diff != "" || len(faults) > 0 {
			t.Errorf("not read as written: %v\n%s", faults, diff)
		}
	})
}
