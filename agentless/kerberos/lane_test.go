package kerberos

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/sealed"
)

// lane is one HTTP connection to one host with its context, as WinRM uses it, for
// these tests: authentication and sealing belong to the connection, so requests
// on it follow each other.
type lane struct {
	Address string // dialled, host:port
	Host    string // DNS name of the SPN
	Service string // HTTP
	TLS     *tls.Config
	Seal    bool // http: always
	Client  *Client

	conn   net.Conn
	r      *bufio.Reader
	gss    *Context
	Shakes int
}

const (
	boundary = "Encrypted Boundary"
	sealType = "application/HTTP-SPNEGO-session-encrypted"
	soapType = "application/soap+xml;charset=UTF-8"
)

// Post sends an envelope and gives the answer.
func (l *lane) Post(ctx context.Context, body []byte) (int, []byte, error) {
	token := ""
	if l.conn == nil {
		var binding []byte
		d := net.Dialer{}
		conn, err := d.DialContext(ctx, "tcp", l.Address)
		if err != nil {
			return 0, nil, err
		}
		if l.TLS != nil {
			t := tls.Client(conn, l.TLS)
			if err := t.HandshakeContext(ctx); err != nil {
				_ = conn.Close()
				return 0, nil, err
			}
			binding = sealed.ChannelBinding(t.ConnectionState().PeerCertificates[0])
			conn = t
		}
		gss, first, err := l.Client.Initiate(ctx, l.Service, l.Host, binding)
		if err != nil {
			_ = conn.Close()
			return 0, nil, err
		}
		l.conn, l.r, l.gss, l.Shakes = conn, bufio.NewReader(conn), gss, l.Shakes+1
		token = "Negotiate " + base64.StdEncoding.EncodeToString(first)
	}
	ok := false
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() || !ok {
			l.Close()
		}
	}()
	if token != "" && l.Seal { // a sealed body needs the host's part of the key
		if status, _, _, err := l.roundTrip(token, soapType, nil); err != nil || status != http.StatusOK {
			return status, nil, denied(status, err)
		}
		token = ""
	}
	kind := soapType
	if l.Seal {
		var err error
		if kind, body, err = seal(l.gss, body); err != nil {
			return 0, nil, err
		}
	}
	status, h, answer, err := l.roundTrip(token, kind, body)
	if err != nil || status == http.StatusUnauthorized {
		return status, nil, denied(status, err)
	}
	if strings.HasPrefix(h.Get("Content-Type"), "multipart/encrypted") {
		if answer, err = unseal(l.gss, answer); err != nil {
			return status, nil, err
		}
	} else if l.Seal && len(answer) > 0 {
		return status, nil, errors.New("refused: an unsealed answer on a sealed connection")
	}
	ok = true
	return status, answer, nil
}

func denied(status int, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("access denied: HTTP %d", status)
}

// Close ends the connection and forgets its keys.
func (l *lane) Close() {
	if l.conn != nil {
		_ = l.conn.Close()
	}
	l.conn, l.gss = nil, nil
}

func (l *lane) roundTrip(token, kind string, body []byte) (int, http.Header, []byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /wsman HTTP/1.1\r\nHost: %s\r\nUser-Agent: wavekeeper\r\nContent-Type: %s\r\nContent-Length: %d\r\n", l.Host, kind, len(body))
	if token != "" {
		fmt.Fprintf(&b, "Authorization: %s\r\n", token)
	}
	b.WriteString("\r\n")
	b.Write(body)
	if _, err := l.conn.Write(b.Bytes()); err != nil {
		return 0, nil, nil, err
	}
	resp, err := http.ReadResponse(l.r, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return 0, nil, nil, err
	}
	if token != "" {
		proof := ""
		for _, v := range resp.Header.Values("WWW-Authenticate") {
			if t, ok := strings.CutPrefix(v, "Negotiate "); ok {
				proof = t
			}
		}
		if proof == "" && resp.StatusCode == http.StatusUnauthorized {
			return resp.StatusCode, resp.Header, answer, nil
		}
		raw, err := base64.StdEncoding.DecodeString(proof)
		if err == nil {
			err = l.gss.Complete(raw)
		}
		if err != nil {
			return resp.StatusCode, nil, nil, err
		}
	}
	return resp.StatusCode, resp.Header, answer, nil
}

// seal makes the body of MS-WSMV 2.2.9.1.
func seal(x *Context, msg []byte) (kind string, body []byte, err error) {
	header, data, err := x.Seal(msg)
	if err != nil {
		return "", nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "--%s\r\n\tContent-Type: %s\r\n\tOriginalContent: type=%s;Length=%d\r\n--%s\r\n\tContent-Type: application/octet-stream\r\n", boundary, sealType, soapType, len(msg), boundary)
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(header))))
	b.Write(header)
	b.Write(data)
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return `multipart/encrypted;protocol="` + sealType + `";boundary="` + boundary + `"`, b.Bytes(), nil
}

// unseal undoes seal. The data is binary: it is cut by its ends, not searched.
func unseal(x *Context, body []byte) ([]byte, error) {
	bad := func(what string) error { return errors.New("sealed answer: " + what) }
	_, rest, ok := bytes.Cut(body, []byte("Length="))
	if !ok {
		return nil, bad("no length")
	}
	num, rest, ok := bytes.Cut(rest, []byte("\r\n"))
	want, err := strconv.Atoi(strings.TrimSpace(string(num)))
	if !ok || err != nil {
		return nil, bad("no length")
	}
	_, rest, ok = bytes.Cut(rest, []byte("application/octet-stream\r\n"))
	rest, ok2 := bytes.CutSuffix(rest, []byte(boundary+"--\r\n"))
	rest = bytes.TrimSuffix(bytes.TrimSuffix(rest, []byte(" ")), []byte("--")) // Exchange's endpoint writes "-- "
	if !ok || !ok2 || len(rest) < 4 {
		return nil, bad("no data")
	}
	n := int(binary.LittleEndian.Uint32(rest))
	if rest = rest[4:]; n < 0 || n > len(rest) {
		return nil, bad("header is longer than the data")
	}
	msg, err := x.Open(rest[:n], rest[n:])
	if err != nil {
		return nil, err
	}
	if x.key.KeyType == 23 { // padding: none (Windows), 1 byte (MIT), up to 8 (Metasploit); Length counts it or not
		if t := bytes.TrimRight(msg, "\x01\x02\x03\x04\x05\x06\x07\x08"); len(msg)-len(t) <= 8 && (want == len(msg) || want == len(t)) {
			return t, nil
		}
	}
	if len(msg) != want {
		return nil, bad(fmt.Sprintf("%d bytes, announced %d", len(msg), want))
	}
	return msg, nil
}
