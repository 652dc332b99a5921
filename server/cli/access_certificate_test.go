package cli

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// clientCertificate is a certificate that signs itself, and one file with it and
// its key.
func clientCertificate(t *testing.T, name string) (certificate []byte, path string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return certificate, file(t, string(certificate)+string(private))
}

// TestExecByClientCertificate: the host knows its caller by the certificate that
// is mapped to an account, over TLS 1.0 and without any password; it is called by
// the name in its own certificate, which DNS does not know.
func TestExecByClientCertificate(t *testing.T) {
	t.Parallel()
	mine, path := clientCertificate(t, "wk")
	_, another := clientCertificate(t, "another")
	inv, faults := exchange.ReadInventory(strings.NewReader("server,fqdn,roles,build,address,port\nCAS1,cas1.corp.example,ClientAccess,8.0.685.25,127.0.134.41,5986\n"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	way, err := twin.ParseAccess("*=https,certificate,tls1.0")
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := twin.Start(context.Background(), twin.Options{
		Servers: inv.Servers, User: "wk", Password: "Not-By-Certificate-1", Access: []twin.HostAccess{way}, ClientCertificate: mine, Speed: 2000,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Close() })
	ca := file(t, string(fleet.Certificates()))
	exec := func(host, certificate string) (int, string) {
		status, out, problems := run(t, "", "exec", "--json", "--auth", "certificate", "--certificate", certificate, "--https", "--tls10", "--ca", ca,
			"--host", host, "--timeout", "20s", "--", "whoami")
		return status, out + problems
	}
	if status, said := exec("cas1.corp.example=127.0.134.41", path); status != 0 || !strings.Contains(said, `cas1\\wk`) || !strings.Contains(said, `"port":5986`) {
		t.Errorf("the mapped certificate: status %d, %s", status, said)
	}
	if status, said := exec("cas1.corp.example=127.0.134.41", another); status != 1 || !strings.Contains(said, `"denied"`) || !strings.Contains(said, "certificate") {
		t.Errorf("another certificate: status %d, %s; want denied", status, said)
	}
	if status, said := exec("cas2.corp.example=127.0.134.41", path); status != 1 || !strings.Contains(said, `"untrusted"`) || !strings.Contains(said, "cas2.corp.example") {
		t.Errorf("by another host's name: status %d, %s; want untrusted", status, said)
	}
	if proofs := fleet.Proofs(); len(proofs) != 0 {
		t.Errorf("the host was shown passwords: %v", proofs)
	}
}
