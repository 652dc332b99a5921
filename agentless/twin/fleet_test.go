package twin_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

func TestHTTPSByACertificateAuthorityOnDisk(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	dir := t.TempDir()
	f, _ := start(t, twin.Options{Servers: []exchange.Server{s}, TLSDir: dir})
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if string(pem) != string(f.Certificates()) {
		t.Error("the fleet's CA is not the one on disk")
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c := dial(t, s)
	c.url = fmt.Sprintf("https://%s:%d/wsman", s.Address, s.Port)
	c.secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10})
	if exit, out, _ := c.run("hostname"); exit != "0" || out != "cas1\r\n" {
		t.Errorf("hostname over https: %s %q", exit, out)
	}
	c.secure(&tls.Config{RootCAs: pool, ServerName: "cas1.corp.example", MinVersion: tls.VersionTLS10})
	if exit, _, _ := c.run("hostname"); exit != "0" {
		t.Error("the certificate lacks the host's full name")
	}
}

func TestNodesOfSeveralMailboxServersAreOneHostEach(t *testing.T) {
	t.Parallel()
	nodes := []exchange.Node{{Name: "NODEA", Address: address(), Port: freePort(t)}, {Name: "NODEB", Address: address(), Port: freePort(t)}}
	row := func(name string) exchange.Server {
		return exchange.Server{
			Name: name, FQDN: name + ".corp.example", Roles: []exchange.Role{exchange.Mailbox}, Cluster: exchange.SCC,
			Nodes: nodes, Language: "en-US", Arch: "x64",
		}
	}
	start(t, twin.Options{Servers: []exchange.Server{row("CMS1"), row("CMS2")}})
	c := dial(t, exchange.Server{Address: nodes[1].Address, Port: nodes[1].Port})
	if exit, out, _ := c.run("hostname"); exit != "0" || out != "nodeb\r\n" {
		t.Errorf("hostname of a node: %s %q", exit, out)
	}
}

func TestSixtyHostsStart(t *testing.T) {
	t.Parallel()
	var rows []exchange.Server
	for i := range 60 {
		rows = append(rows, server(t, fmt.Sprintf("srv%d", i), []string{"CAS", "HT", "MBX", "UM", "CAS+HT", "ET"}[i%6]))
	}
	start(t, twin.Options{Servers: rows, Speed: 100, StateDir: filepath.Join(t.TempDir(), "state")})
	for _, s := range rows {
		if status, _, err := dial(t, s).post("<x/>"); err != nil || status != 500 {
			t.Errorf("%s: %d %v", s.Name, status, err)
		}
	}
}
