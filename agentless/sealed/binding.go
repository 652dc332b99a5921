package sealed

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/binary"
	"hash"
)

// ChannelBinding is the MD5 of the channel binding structure with the host's
// certificate in it (tls-server-end-point, RFC 5929 section 4.1; the structure is
// RFC 4121's, 4.1.1.2). NTLM and Kerberos carry the same 16 bytes. A certificate
// signed with MD5 or SHA-1 is hashed with SHA-256.
func ChannelBinding(leaf *x509.Certificate) []byte {
	var h hash.Hash
	switch leaf.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h = sha512.New384()
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h = sha512.New()
	default:
		h = sha256.New()
	}
	h.Write(leaf.Raw)
	data := append([]byte("tls-server-end-point:"), h.Sum(nil)...)
	le := binary.LittleEndian
	sum := md5.Sum(append(le.AppendUint32(make([]byte, 16), uint32(len(data))), data...))
	return sum[:]
}
