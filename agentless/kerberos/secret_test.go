package kerberos

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestKeytabLogsOn(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	kt, err := ReadSecret(k.dir+"/svc.keytab", ErrKeytab)
	if err != nil {
		t.Fatal(err)
	}
	cl := k.client(t, Config{User: "svc", Keytab: kt, KeytabPath: "svc.keytab"})
	if _, err := cl.Service(bg(t), "HTTP/old1.lab.test"); err != nil {
		t.Fatal(err)
	}
}

func TestTicketCacheLogsOnUntilItExpires(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	k.needs(t, "kinit", "krb5-user")
	k.run(t, "Secret1\n", "kinit", "-r", "1d", "svc")
	cc, err := ReadSecret(k.dir+"/cc", ErrCache)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile(k.dir + "/krb5.conf")
	if err != nil {
		t.Fatal(err)
	}
	cl, err := New(Config{Cache: cc, CachePath: "cc", Krb5Conf: string(conf)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cl.Service(bg(t), "HTTP/web1.lab.test"); err != nil || cl.asSent.Load() != 0 {
		t.Fatalf("%v after %d logins, want none", err, cl.asSent.Load())
	}
	cl.tgts[realm].End, cl.tickets = time.Now().Add(-time.Hour), map[string]*Ticket{}
	_, err = cl.Service(bg(t), "HTTP/web1.lab.test")
	says(t, "expired", err, ErrCache, "svc@LAB.TEST in cc expired on", "kinit -c FILE:cc")
	_, err = New(Config{Cache: cc, CachePath: "cc", User: "other"})
	says(t, "of another account", err, ErrCache, "holds tickets of svc@LAB.TEST, not of other")
	for i := range len(cc) {
		_, _ = New(Config{Cache: cc[:i]}) // never panics
	}
	_, err = New(Config{Cache: cc[:len(cc)/2], CachePath: "/tmp/krb5cc_0"})
	says(t, "cut", err, ErrCache, "/tmp/krb5cc_0 is no ticket cache: it is cut or damaged")
}

func TestBadKeytabIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	kt, err := os.ReadFile(k.dir + "/svc.keytab")
	if err != nil {
		t.Fatal(err)
	}
	at := func(user string, keytab []byte) error {
		_, err := New(Config{User: user, Realm: realm, Keytab: keytab, KeytabPath: "/etc/wk.keytab"})
		return err
	}
	for i := range len(kt) {
		_ = at("svc", kt[:i]) // never panics
	}
	says(t, "cut", at("svc", kt[:40]), ErrKeytab, "/etc/wk.keytab is no keytab: it is cut or damaged")
	says(t, "other file", at("svc", []byte("hello")), ErrKeytab, "does not begin as a keytab of version 2", "ktpass")
	says(t, "other letter case", at("Svc", kt), ErrKeytab, "no usable key for Svc@LAB.TEST", "svc@LAB.TEST (AES256)")
	_, err = ReadSecret("/nonexistent/kt", ErrKeytab)
	says(t, "missing", err, ErrKeytab, "/nonexistent/kt", "must be readable for uid")
	_, err = New(Config{User: "svc", Realm: realm})
	says(t, "nothing", err, ErrConfig, "neither password nor keytab nor ticket cache")
	_, err = New(Config{User: "svc", Password: "x"})
	says(t, "no realm", err, ErrConfig, `realm ""`)
	if strings.Contains(at("svc", kt[:60]).Error(), string(kt[40:60])) {
		t.Error("a message shows the keytab's bytes")
	}
}

// says checks an error's kind and words.
func says(t *testing.T, name string, err, kind error, words ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v, want %v", name, err, kind)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", name, err, w)
		}
	}
}

func TestKrb5ConfOfTheField(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"includedir /etc/krb5.conf.d/\n[libdefaults]\n default_realm = A.B\n[realms]\n A.B = {\n kdc = k1\n kdc = k2:1088 \n}\n": "A.B k1:88 k2:1088",
		"[libdefaults]\r\ndefault_realm = A.B\r\n[realms]\r\nA.B = {\r\n kdc = k1\r\n}\r\n":                                      "A.B k1:88",
		"[realms]\n A.B = { kdc = k1 }\n": " k1:88",
		"# nothing\n":                     "",
		"[libdefaults]\nfoo\n":            `line 2: "foo" has no =`,
		"[realms]\nA.B = {\n":             "a { is not closed",
		"[realms]\n}\n":                   "line 2: } without {",
		"[realms]\n A.B = {\n kdc = k1\n auth_to_local_names = {\n kdc = x\n }\n }": " k1:88",
	} {
		c, err := parseConf(text)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = strings.TrimRight(c.realm+" "+strings.Join(c.kdcs["A.B"], " "), " ")
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	c, err := parseConf("[domain_realm]\n.far.test = FAR.TEST\nodd.far.test = ODD.TEST\n")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"a.far.test": "FAR.TEST", "A.B.Far.Test": "FAR.TEST", "odd.far.test": "ODD.TEST", "far.test": "", "near.test": ""} {
		if got := c.realmOf(host); got != want {
			t.Errorf("realm of %s is %q, want %q", host, got, want)
		}
	}
}
