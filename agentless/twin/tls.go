package twin

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
)

// oldSuites are the suites of the host's Schannel that Go knows: RSA key
// exchange only. 2003 has AES only with KB948963 (winrm.md 2.9, K); a client
// without RC4 and 3DES cannot reach it.
func (p platform) oldSuites() []uint16 {
	suites := []uint16{tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
	if !p.before6() {
		suites = append([]uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA}, suites...)
	}
	return suites
}

// secured puts TLS over the listener. Each connection is served with the
// certificate and the versions of its moment.
func (h *host) secured(l net.Listener) (net.Listener, error) {
	if _, err := h.certificate(); err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS10, // what a host of today refuses, one of 2007 needs
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			cert, err := h.certificate()
			if err != nil {
				return nil, err
			}
			c := &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS10}
			old := h.access.OldTLS
			h.update(func() { old = h.strikes("tls-1.0-only", nil) != nil || old })
			if old {
				c.MaxVersion, c.CipherSuites = tls.VersionTLS10, h.platform.oldSuites()
				c.SessionTicketsDisabled = true // came with later versions of Windows
			}
			if h.access.offers(AuthCertificate) {
				c.ClientAuth = tls.RequestClientCert
			}
			return c, nil
		},
	}), nil
}

// ownCertificates are a host's certificates, by their number.
type ownCertificates struct {
	sync.Mutex
	made map[int]*tls.Certificate
}

// certificate is the one that the host shows now.
func (h *host) certificate() (*tls.Certificate, error) {
	n := 0
	h.look(func() { n = h.state.Certificate })
	h.certs.Lock()
	defer h.certs.Unlock()
	if cert := h.certs.made[n]; cert != nil {
		return cert, nil
	}
	cert, err := h.fleet.tls.certificate(h, n)
	if err != nil {
		return nil, err
	}
	if h.certs.made == nil {
		h.certs.made = map[int]*tls.Certificate{}
	}
	h.certs.made[n] = cert
	return cert, nil
}

// Pin returns the SHA-256 of the certificate that a host shows now.
func (f *Fleet) Pin(name string) ([32]byte, error) {
	h, err := f.host(name)
	if err != nil {
		return [32]byte{}, err
	}
	if !h.access.HTTPS {
		return [32]byte{}, fmt.Errorf("%s answers without https", h.name)
	}
	cert, err := h.certificate()
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(cert.Leaf.Raw), nil
}

// renewCertificate puts another certificate into the listener; n is 1, or -1
// for the one before. The listener is made anew for it, so connections end [K].
// The caller holds the lock.
func (h *host) renewCertificate(n int) {
	h.state.Certificate += n
	h.happened("certificate-changed", map[string]any{"certificate": h.state.Certificate})
	h.hangUp()
}
