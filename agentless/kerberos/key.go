package kerberos

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"unicode/utf16"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/types"
	"golang.org/x/crypto/md4"
)

// keyInfo is how the KDC says that our password becomes a key.
type keyInfo struct {
	etype  int32
	salt   string
	params string // hex
	key    types.EncryptionKey
	kvno   int
}

// Rounds of key derivation: 4096 is the default (RFC 3962, section 4) and all
// that MIT and Windows use. Who answers in a KDC's place could ask for one, so
// that the password is found from our proof, or for 2^32.
const (
	minIterations = 4096
	maxIterations = 1 << 18
)

// keyFor picks the first type of the KDC's list that we allow and have.
func (c *Client) keyFor(pas types.PADataSequence) (*keyInfo, error) {
	var infos types.ETypeInfo2
	for _, pa := range pas {
		switch pa.PADataType {
		case patype.PA_ETYPE_INFO2:
			i, err := pa.GetETypeInfo2()
			if err == nil {
				infos = i
			}
		case patype.PA_ETYPE_INFO: // a 2003 KDC
			i, err := pa.GetETypeInfo()
			if err != nil || infos != nil {
				continue
			}
			for _, e := range i {
				infos = append(infos, types.ETypeInfo2Entry{EType: e.EType, Salt: string(e.Salt)})
			}
		}
	}
	var offered []int32
	for _, i := range infos {
		offered = append(offered, i.EType)
		for _, mine := range c.etypes {
			if i.EType != mine {
				continue
			}
			k := &keyInfo{etype: i.EType, salt: i.Salt, params: hex.EncodeToString(i.S2KParams)}
			if k.salt == "" {
				k.salt = c.cname.GetSalt(c.realm)
			}
			if err := c.derive(k); err != nil {
				if c.keytab {
					continue
				}
				return nil, err
			}
			return k, nil
		}
	}
	if len(offered) == 0 { // the KDC names none when it has no key of a type that we asked for
		return nil, fail(ErrEncryption, "the KDC has no key of %s@%s of a type that we offer (%s); give the account a new password, or allow RC4 for it", c.cname.PrincipalNameString(), c.realm, etypeNames(c.etypes))
	}
	if c.keytab {
		return nil, fail(ErrKeytab, "%s has no key of a type that the KDC accepts for %s (%s); export it anew", c.where, c.cname.PrincipalNameString(), etypeNames(offered))
	}
	return nil, fail(ErrEncryption, "the KDC accepts %s for %s, we offer %s", etypeNames(offered), c.cname.PrincipalNameString(), etypeNames(c.etypes))
}

// derive makes the key of one type from the password, or takes it from the keytab.
func (c *Client) derive(k *keyInfo) error {
	password, keytab, err := c.credential()
	if err != nil {
		return err
	}
	if keytab != nil {
		e, ok := find(keytab, c.cname, c.realm, k.etype, 0)
		if !ok {
			return errors.New("not in the keytab")
		}
		k.key, k.kvno = e.Key, e.KVNO
		return nil
	}
	k.key.KeyType = k.etype
	if k.etype == 23 { // gokrb5 derives a wrong key when the password has a letter outside ASCII
		h := md4.New()
		for _, u := range utf16.Encode([]rune(password)) {
			_, _ = h.Write([]byte{byte(u), byte(u >> 8)})
		}
		k.key.KeyValue = h.Sum(nil)
		return nil
	}
	et, err := crypto.GetEtype(k.etype)
	if err != nil {
		return err
	}
	params := et.GetDefaultStringToKeyParams()
	if len(k.params) == 8 {
		params = k.params
		b, _ := hex.DecodeString(params) // made by hex.EncodeToString
		if n := binary.BigEndian.Uint32(b); n < minIterations || n > maxIterations {
			return fail(ErrConfig, "the KDC asks for %d rounds of key derivation, %d to %d are usual: who answers may not be a KDC", n, minIterations, maxIterations)
		}
	}
	k.key.KeyValue, err = et.StringToKey(password, k.salt, params)
	return err
}

// decrypt guards gokrb5's ciphers, which slice a short text without looking.
func decrypt(e types.EncryptedData, key types.EncryptionKey, usage uint32) (plain []byte, err error) {
	err = parsed(func() error {
		if e.EType != key.KeyType {
			return fmt.Errorf("encrypted with %s, key is %s", etypeName(e.EType), etypeName(key.KeyType))
		}
		plain, err = crypto.DecryptEncPart(e, key, usage)
		return err
	})
	return plain, err
}

// nonce is a positive random number of 31 bits.
func nonce() int {
	n, _ := rand.Int(rand.Reader, big.NewInt(1<<31-1)) // crypto/rand never fails: it ends the program
	return int(n.Int64())
}
