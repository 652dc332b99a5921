package twin_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"wavekeeper/agentless/ntlm"
	"wavekeeper/agentless/sealed"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// logonClient logs on by NTLM before each connection's first message, and seals
// messages over http. It keeps one connection.
type logonClient struct {
	account ntlm.Account
	binding []byte
	to      http.RoundTripper
	session *ntlm.Session
	kind    string // content type of the last answer
	logons  int
}

var errRefused = errors.New("401")

// byNTLM makes the client log on by NTLM.
func (c *client) byNTLM(account, password string, config *tls.Config) *logonClient {
	c.user = ""
	l := &logonClient{
		account: ntlm.ParseAccount(account, password),
		to:      &http.Transport{MaxConnsPerHost: 1, TLSClientConfig: config},
	}
	c.http.Transport = l
	c.tb.Cleanup(l.to.(*http.Transport).CloseIdleConnections)
	return l
}

// RoundTrip logs on where that is needed, and again after a 401.
func (l *logonClient) RoundTrip(r *http.Request) (*http.Response, error) {
	message, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	for again := false; ; again = true {
		if l.session == nil {
			if err := l.logon(r); err != nil {
				return nil, err
			}
		}
		res, err := l.send(r, message)
		if err != nil || res.StatusCode != http.StatusUnauthorized || again {
			return res, err
		}
		res.Body.Close()
		l.session = nil
	}
}

func (l *logonClient) logon(r *http.Request) error {
	c := &ntlm.Client{Account: l.account, Bindings: l.binding}
	res, err := l.token(r, c.Negotiate())
	if err != nil {
		return err
	}
	token, _ := strings.CutPrefix(res.Header.Get("WWW-Authenticate"), "Negotiate ")
	challenge, err := base64.StdEncoding.DecodeString(token)
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("challenge: %d %q", res.StatusCode, token)
	}
	proof, err := c.Authenticate(challenge)
	if err != nil {
		return err
	}
	if res, err = l.token(r, proof); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errRefused, strings.Join(res.Header.Values("WWW-Authenticate"), ", "))
	}
	l.session, l.logons = c.Session(), l.logons+1
	return nil
}

// token sends one token with no message.
func (l *logonClient) token(r *http.Request, token []byte) (*http.Response, error) {
	empty := r.Clone(r.Context())
	empty.Body, empty.ContentLength, empty.GetBody = http.NoBody, 0, nil
	empty.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(token))
	res, err := l.to.RoundTrip(empty)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return nil, err
	}
	return res, nil
}

func (l *logonClient) send(r *http.Request, message []byte) (*http.Response, error) {
	one := r.Clone(r.Context())
	one.GetBody = nil // a context fits one connection: nothing is sent again
	body := message
	if r.URL.Scheme == "http" {
		framed, err := sealed.Wrap(l.session, bytes.Clone(message), r.Header.Get("Content-Type"))
		if err != nil {
			return nil, err
		}
		body = framed
		one.Header.Set("Content-Type", sealed.ContentType)
	}
	one.Body, one.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res, err := l.to.RoundTrip(one)
	if err != nil {
		l.session = nil
		return nil, err
	}
	if l.kind = res.Header.Get("Content-Type"); !sealed.IsSealed(l.kind) {
		return res, nil
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	opened, _, err := sealed.Unwrap(l.session, raw)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(opened))
	return res, nil
}

// reached runs one host that is reached as the words say.
func reached(tb testing.TB, words string, o twin.Options, change ...func(*exchange.Server)) (*client, *twin.Fleet, *truth) {
	tb.Helper()
	a, err := twin.ParseAccess("*=" + words)
	if err != nil {
		tb.Fatal(err)
	}
	s := server(tb, "mbx1", "HT")
	s.Address = logonAddress()
	for _, one := range change {
		one(&s)
	}
	o.Servers, o.Access = []exchange.Server{s}, append(o.Access, a)
	if o.Speed == 0 {
		o.Speed = 1000
	}
	f, truth := start(tb, o)
	c := dial(tb, s)
	if a.HTTPS {
		c.url = "https" + strings.TrimPrefix(c.url, "http")
	}
	return c, f, truth
}
