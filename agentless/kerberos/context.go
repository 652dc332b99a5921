package kerberos

import (
	"bytes"
	"errors"

	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Context is one side of an established (or half established) GSS context. It
// belongs to one connection and is not safe for concurrent use: each message that
// is sealed or opened has a number, so messages follow each other.
type Context struct {
	acceptor  bool
	client    *Client
	spn       string
	ticketKey types.EncryptionKey
	auth      types.Authenticator

	key              types.EncryptionKey // seals messages
	acceptorSubkey   bool
	sendSeq, recvSeq uint64
	ready            bool
	Peer             string // the client's principal (acceptor), the service (initiator)
}

// Seal encrypts a message: WinRM sends the header (its length first), then the data.
func (x *Context) Seal(msg []byte) (header, data []byte, err error) {
	if !x.ready {
		return nil, nil, errors.New("kerberos: not authenticated")
	}
	seq := x.sendSeq
	x.sendSeq++
	if x.key.KeyType == 23 {
		header, data = x.sealRC4(msg, uint32(seq))
		return header, data, nil
	}
	return x.sealAES(msg, seq)
}

// Open decrypts header and data of one message and checks their order.
func (x *Context) Open(header, data []byte) (msg []byte, err error) {
	if !x.ready {
		return nil, errors.New("kerberos: not authenticated")
	}
	token := append(bytes.Clone(header), data...)
	err = parsed(func() error {
		if x.key.KeyType == 23 {
			msg, err = x.openRC4(token)
		} else {
			msg, err = x.openAES(token)
		}
		return err
	})
	if err == nil {
		x.recvSeq++
	}
	return msg, err
}

func (x *Context) usage(sending bool) uint32 {
	if x.acceptor == sending {
		return keyusage.GSSAPI_ACCEPTOR_SEAL
	}
	return keyusage.GSSAPI_INITIATOR_SEAL
}

func (x *Context) tokenFlags(sending bool) byte {
	f := byte(2)
	if x.acceptor == sending {
		f |= 1
	}
	if x.acceptorSubkey {
		f |= 4
	}
	return f
}
