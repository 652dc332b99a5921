package kerberos

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/binary"
)

// EndPoint is the channel binding tls-server-end-point (RFC 5929, 4.1) of a
// server's certificate.
func EndPoint(cert *x509.Certificate) []byte {
	const prefix = "tls-server-end-point:"
	sum := func() []byte { h := sha256.Sum256(cert.Raw); return h[:] }
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		sum = func() []byte { h := sha512.Sum384(cert.Raw); return h[:] }
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		sum = func() []byte { h := sha512.Sum512(cert.Raw); return h[:] }
	default: // SHA-256, also for MD5 and SHA-1 signatures
	}
	return append([]byte(prefix), sum()...)
}

// bindingHash is RFC 4121, 4.1.1.2: MD5 over the binding struct, empty addresses.
func bindingHash(data []byte) []byte {
	if data == nil {
		return make([]byte, 16)
	}
	b := make([]byte, 16, 20+len(data))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	h := md5.Sum(append(b, data...))
	return h[:]
}
