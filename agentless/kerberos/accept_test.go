package kerberos

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/sealed"
)

type connKey struct{}

// handler is a host's listener: the context hangs on the connection
// (http.Server.ConnContext), not on the request.
func handler(at func() time.Time, keys []KeytabKey, binding []byte, requireSeal bool) (http.Handler, func(context.Context, net.Conn) context.Context) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		slot := r.Context().Value(connKey{}).(**Context)
		body, _ := io.ReadAll(r.Body)
		if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Negotiate "); ok {
			raw, _ := base64.StdEncoding.DecodeString(t)
			x, answer, err := AcceptAt(at(), keys, raw, binding, 5*time.Minute)
			*slot = nil
			w.Header().Set("WWW-Authenticate", strings.TrimSpace("Negotiate "+base64.StdEncoding.EncodeToString(answer)))
			if err != nil {
				w.WriteHeader(401)
				return
			}
			*slot = x
		}
		x := *slot
		if x == nil {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(401)
			return
		}
		w.Header().Set("Content-Type", soapType)
		w.Header().Set("X-Peer", x.Peer)
		if len(body) == 0 {
			return
		}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/encrypted") {
			msg, err := unseal(x, body)
			if err != nil {
				w.WriteHeader(400)
				return
			}
			kind, out, _ := seal(x, append([]byte("echo:"), msg...))
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(out)
			return
		}
		if requireSeal { // AllowUnencrypted=false
			w.WriteHeader(500)
			return
		}
		_, _ = w.Write(append([]byte("echo:"), body...))
	})
	return h, func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, new(*Context))
	}
}

// serve starts a host of ours with a keytab of the KDC's folder, and gives its address.
func serve(t *testing.T, k *kdc, at func() time.Time, cert *tls.Certificate, seal bool, keytab string) string {
	t.Helper()
	b, err := os.ReadFile(k.dir + "/" + keytab)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeytab(b)
	if err != nil {
		t.Fatal(err)
	}
	var binding []byte
	if cert != nil {
		binding = sealed.ChannelBinding(cert.Leaf)
	}
	h, cc := handler(at, keys, binding, seal)
	l, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if cert != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}})
	}
	s := &http.Server{Handler: h, ConnContext: cc}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	return addr
}

// python runs a peer to its end.
func python(t *testing.T, k *kdc, arg ...string) {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", arg...)
	cmd.Env = append(k.env, "NO_PROXY=127.0.0.0/8,.lab.test,web1.lab.test")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%.60q: %v\n%s", arg, err, out)
	}
}

func TestAcceptAgreesWithMITAndPywinrm(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	k.needs(t, "kinit", "krb5-user")
	needPython(t, "gssapi", "python3-gssapi")
	needPython(t, "winrm, requests_kerberos", "python3-winrm or python3-requests-kerberos")
	addr := serve(t, k, time.Now, nil, false, "host.keytab")
	ip, port, _ := net.SplitHostPort(addr)
	k.run(t, "Secret1\n", "kinit", "svc")
	for _, host := range []string{"web1.lab.test", "old1.lab.test"} {
		python(t, k, "testdata/initiator.py", ip, port, host, "pad", "3")
		if host == "web1.lab.test" { // MIT cannot leave RC4's padding out
			python(t, k, "testdata/initiator.py", ip, port, host, "nopad", "3")
		}
		python(t, k, "testdata/pywinrm_sealed.py", "http://"+addr+"/wsman", host, "3")
	}
	// pywinrm's own Kerberos; Debian's python3-kerberos has no sealing.
	python(t, k, "-c", `
from winrm.transport import Transport
t = Transport(endpoint='http://`+addr+`/wsman', auth_method='kerberos', message_encryption='auto', kerberos_hostname_override='web1.lab.test', service='HTTP', username='svc@LAB.TEST', password='')
assert t.send_message('<a/>') == b'echo:<a/>' and t.send_message('<b/>') == b'echo:<b/>'`)
}

func TestOurTwoSidesAgreeSealedOnly(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	addr := serve(t, k, time.Now, nil, true, "host.keytab")
	cl := k.client(t, Config{User: "svc", Password: "Secret1"})
	for _, host := range []string{"web1.lab.test", "old1.lab.test"} {
		l := &lane{Address: addr, Host: host, Service: "HTTP", Seal: true, Client: cl}
		for range 100 {
			if _, b, err := l.Post(bg(t), bytes.Repeat([]byte("m"), 1400)); err != nil || len(b) != 1405 {
				t.Fatal(err, len(b))
			}
		}
		l.Close()
	}
	if code, _, err := (&lane{Address: addr, Host: "web1.lab.test", Service: "HTTP", Client: cl}).Post(bg(t), []byte("<clear/>")); err != nil || code != http.StatusInternalServerError {
		t.Errorf("a host that wants sealed messages gave %d, %v to one in the clear", code, err)
	}
}
