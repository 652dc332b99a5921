package twin

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// authority is the CA of the hosts' https. In a folder everything outlives a
// restart, as it would on the hosts: the CA in ca.pem and ca-key.pem, the key of
// the hosts in host-key.pem, each host's certificate in a file of its own.
// Without a folder nothing is kept.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *rsa.PrivateKey
	leaf *rsa.PrivateKey // one for all hosts: making keys is slow
}

// newRSAKey makes a key; hosts of that age know RSA only.
func newRSAKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

// passing are the keys of fleets that keep nothing, made once in a process.
var passing = sync.OnceValues(func() (keys [2]*rsa.PrivateKey, err error) {
	for i := range keys {
		if keys[i], err = newRSAKey(); err != nil {
			return keys, err
		}
	}
	return keys, nil
})

// CA makes the CA of a fleet whose TLSDir is dir, unless it is there, and
// returns its certificate as PEM: who must trust the hosts can learn it before
// they run.
func CA(dir string) ([]byte, error) {
	a, err := newAuthority(dir)
	if err != nil {
		return nil, err
	}
	return certPEM(a.cert.Raw), nil
}

// Pins makes the first certificates of the hosts of a fleet that will run with
// these options, unless they are there, and returns the SHA-256 of each, by host:
// who must know them can learn them before they run. Hosts without https have none.
func Pins(o Options) (map[string][32]byte, error) {
	places, err := placesOf(o)
	if err != nil {
		return nil, err
	}
	a, err := newAuthority(o.TLSDir)
	if err != nil {
		return nil, err
	}
	pins := map[string][32]byte{}
	for _, p := range places {
		if !p.access.HTTPS {
			continue
		}
		cert, err := a.certificate(&host{name: p.host, address: p.address, rows: p.rows, access: p.access}, 0)
		if err != nil {
			return nil, err
		}
		pins[p.host] = sha256.Sum256(cert.Leaf.Raw)
	}
	return pins, nil
}

func newAuthority(dir string) (*authority, error) {
	a := &authority{dir: dir}
	if dir == "" {
		keys, err := passing()
		if err != nil {
			return nil, fmt.Errorf("make keys: %w", err)
		}
		a.key, a.leaf = keys[0], keys[1]
	} else if err := a.keys(); err != nil {
		return nil, err
	}
	if cert := a.kept("ca.pem"); cert != nil && a.key.PublicKey.Equal(cert.PublicKey) {
		a.cert = cert
		return a, nil
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Wavekeeper twin CA"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	return a, a.keep("ca.pem", certPEM(der), 0o644)
}

// keys reads or makes the keys of the folder.
func (a *authority) keys() error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return fmt.Errorf("make certificate folder: %w", err)
	}
	for name, key := range map[string]**rsa.PrivateKey{"ca-key.pem": &a.key, "host-key.pem": &a.leaf} {
		raw, err := os.ReadFile(filepath.Join(a.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read key: %w", err)
		}
		if block, _ := pem.Decode(raw); block != nil {
			if known, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
				*key = known
				continue
			}
		}
		if *key, err = newRSAKey(); err != nil {
			return fmt.Errorf("make key: %w", err)
		}
		block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(*key)}
		if err := a.keep(name, pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// keep writes a file of the folder, if there is one.
func (a *authority) keep(name string, raw []byte, mode fs.FileMode) error {
	if a.dir == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(a.dir, name), raw, mode); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	return nil
}

// kept reads a certificate of the folder, nil when there is none.
func (a *authority) kept(name string) *x509.Certificate {
	if a.dir == "" {
		return nil
	}
	raw, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return cert
}

// certificate is the nth certificate of a host, of its kind; the first is 0.
func (a *authority) certificate(h *host, n int) (*tls.Certificate, error) {
	ip, _, err := net.SplitHostPort(h.address)
	if err != nil {
		return nil, fmt.Errorf("make certificate of %s: %w", h.name, err)
	}
	kind := h.access.Certificate
	if kind == "" {
		kind = CertSigned
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: h.fqdn()},
		DNSNames: []string{h.fqdn(), h.name}, IPAddresses: []net.IP{net.ParseIP(ip)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(2, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	parent, signer := a.cert, a.key
	switch kind {
	case CertSelfSigned:
		parent, signer = template, a.leaf
	case CertExpired:
		template.NotBefore, template.NotAfter = time.Now().AddDate(-2, 0, 0), time.Now().AddDate(0, 0, -1)
	case CertWrongName:
		template.Subject.CommonName = "other." + h.domain()
		template.DNSNames, template.IPAddresses = []string{"other." + h.domain()}, nil
	case CertSHA1:
		template.SignatureAlgorithm = x509.SHA1WithRSA
	}
	file := fmt.Sprintf("%s-%s-%d.pem", strings.ToLower(h.name), kind, n)
	der := []byte(nil)
	if cert := a.kept(file); cert != nil && a.fits(cert, template) {
		der = cert.Raw
	} else if der, err = x509.CreateCertificate(rand.Reader, template, parent, &a.leaf.PublicKey, signer); err != nil {
		return nil, fmt.Errorf("make certificate of %s: %w", h.name, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make certificate of %s: %w", h.name, err)
	}
	chain := [][]byte{der}
	if kind != CertSelfSigned {
		chain = append(chain, a.cert.Raw)
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: a.leaf, Leaf: leaf}, a.keep(file, certPEM(der), 0o644)
}

// fits reports whether a kept certificate is still what the host would have.
func (a *authority) fits(cert, template *x509.Certificate) bool {
	same := cert.Subject.CommonName == template.Subject.CommonName && len(cert.IPAddresses) == len(template.IPAddresses) &&
		a.leaf.PublicKey.Equal(cert.PublicKey)
	for i := range template.IPAddresses {
		same = same && cert.IPAddresses[i].Equal(template.IPAddresses[i])
	}
	return same && (template.NotAfter.Before(time.Now()) || cert.NotAfter.After(time.Now()))
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return big.NewInt(time.Now().UnixNano())
	}
	return n
}
