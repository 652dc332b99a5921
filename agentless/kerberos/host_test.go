package kerberos

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

func TestHostMustProveThatItHasTheServicesKey(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	cl := k.client(t, Config{User: "svc", Password: "Secret1"})
	post := func(addr string) error {
		l := &lane{Address: addr, Host: "web1.lab.test", Service: "HTTP", Client: cl}
		defer l.Close()
		_, _, err := l.Post(bg(t), []byte("<a/>"))
		return err
	}
	lis, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("fine")) })}
	go func() { _ = s.Serve(lis) }()
	t.Cleanup(func() { s.Close() })
	says(t, "200 without proof", post(lis.Addr().String()), ErrHost, "without proof that it has the service's key")

	k.run(t, "addprinc -randkey HTTP/other.lab.test\nktadd -k "+k.dir+"/other.keytab HTTP/other.lab.test\n", "kadmin.local", "-r", realm)
	says(t, "another key (ours)", post(serve(t, k, time.Now, nil, false, "other.keytab")), ErrHost, "cannot open its ticket", "setspn -Q")
	if _, kept := cl.tickets["HTTP/web1.lab.test"]; kept {
		t.Error("the ticket that the host cannot open is kept")
	}
	ahead := func() time.Time { return time.Now().Add(12 * time.Minute) }
	err = post(serve(t, k, ahead, nil, false, "host.keytab"))
	says(t, "host's clock (ours)", err, ErrSkew, "behind that of HTTP/web1.lab.test")
	if e := (*Error)(nil); !errors.As(err, &e) || (e.Offset-12*time.Minute).Abs() > 10*time.Second {
		t.Errorf("offset of %v is not 12 minutes", err)
	}
	says(t, "another key (MIT)", post(k.acceptor(t, "KRB5_KTNAME="+k.dir+"/other.keytab")), ErrHost)
}

func TestHostsClockIsMeasuredAgainstMIT(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	libs, _ := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
	if len(libs) == 0 {
		t.Skip("needs the Debian package faketime")
	}
	addr := k.acceptor(t, "LD_PRELOAD="+libs[0], "FAKETIME=+12m")
	l := &lane{Address: addr, Host: "web1.lab.test", Service: "HTTP", Client: k.client(t, Config{User: "svc", Password: "Secret1"})}
	_, _, err := l.Post(bg(t), []byte("<a/>"))
	says(t, "host's clock (MIT)", err, ErrSkew, "12m0s behind that of HTTP/web1.lab.test")
}

func TestChannelBindingTiesTheTicketToTheCertificate(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	k.needs(t, "openssl", "openssl")
	pair := []string{k.dir + "/cert.pem", k.dir + "/key.pem"}
	k.run(t, "", "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", pair[1], "-out", pair[0], "-days", "2", "-subj", "/CN=web1.lab.test", "-addext", "subjectAltName=DNS:web1.lab.test")
	cert, err := tls.LoadX509KeyPair(pair[0], pair[1])
	if err != nil {
		t.Fatal(err)
	}
	cl := k.client(t, Config{User: "svc", Password: "Secret1"})
	for name, c := range map[string]struct {
		addr string
		ok   bool
	}{
		"MIT":                            {k.acceptor(t, pair...), true},
		"MIT behind another certificate": {k.acceptor(t, append(pair, "BADCBT=1")...), false},
		"ours":                           {serve(t, k, time.Now, &cert, false, "host.keytab"), true},
	} {
		l := &lane{Address: c.addr, Host: "web1.lab.test", Service: "HTTP", Client: cl, TLS: &tls.Config{InsecureSkipVerify: true}}
		if code, _, err := l.Post(bg(t), []byte("<a/>")); (err == nil && code == http.StatusOK) != c.ok {
			t.Errorf("%s: %d %v", name, code, err)
		}
		l.Close()
	}
}
