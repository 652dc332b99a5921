package kerberos

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Sealed and unsealed, AES and RC4, by host and by account, letters outside ASCII
// in the password: each against the acceptor of MIT.
func TestSealedMessagesAgreeWithMIT(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	addr := k.acceptor(t)
	for _, c := range []struct{ user, pw, host string }{
		{"svc", "Secret1", "web1.lab.test"}, {"svc", "Secret1", "old1.lab.test"}, {"old", "pässwörd", "web2.lab.test"}, {"old", "pässwörd", "old1.lab.test"}, {"uml", "pässwörd", "web1.lab.test"}, {"nopre", "x", "web1.lab.test"},
	} {
		for _, sealed := range []bool{false, true} {
			cl := k.client(t, Config{User: c.user, Password: c.pw})
			l := &lane{Address: addr, Host: c.host, Service: "HTTP", Seal: sealed, Client: cl}
			for i := range 3 {
				msg := strings.Repeat(fmt.Sprintf("<m>%d</m>\r\n", i), 1+i*5000)
				code, b, err := l.Post(bg(t), []byte(msg))
				if err != nil || code != 200 || !strings.HasSuffix(string(b), "|"+msg) {
					t.Fatalf("%v sealed=%v: %d %.200q %v", c, sealed, code, b, err)
				}
				if rc4 := strings.HasPrefix(c.host, "old"); rc4 != (l.gss.key.KeyType == 23) {
					t.Errorf("%s at %s: messages are sealed with type %d", c.user, c.host, l.gss.key.KeyType)
				}
			}
			if l.Shakes != 1 {
				t.Errorf("%d handshakes", l.Shakes)
			}
			l.Close()
		}
	}
}

// By the log of the KDC. Not parallel: it counts goroutines.
func TestHundredHostsCostOneLoginAndOneTicketEach(t *testing.T) {
	k := newKDC(t)
	addr := k.acceptor(t)
	before := runtime.NumGoroutine()
	cl := k.client(t, Config{User: "svc", Password: "Secret1"})
	l := &lane{Address: addr, Host: "web1.lab.test", Service: "HTTP", Seal: true, Client: cl}
	for range 100 {
		if _, _, err := l.Post(bg(t), []byte(strings.Repeat("x", 1400))); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 5 { // a connection each: the worst case
				l := &lane{Address: addr, Host: []string{"web1.lab.test", "web2.lab.test"}[(i+j)%2], Service: "HTTP", Seal: true, Client: cl}
				if _, _, err := l.Post(bg(t), []byte("x")); err != nil {
					t.Error(err)
				}
				l.Close()
			}
		})
	}
	wg.Wait()
	for range 200 {
		if _, _, err := cl.Initiate(bg(t), "HTTP", "web1.lab.test", nil); err != nil {
			t.Fatal(err)
		}
	}
	cl.Destroy()
	if logins, tickets := k.count("AS_REQ", "ISSUE"), k.count("TGS_REQ", "ISSUE"); logins != 1 || tickets != 2 {
		t.Errorf("the KDC issued %d logins and %d tickets, want 1 and one for each of 2 services", logins, tickets)
	}
	if logins, tickets, _ := cl.Sent(); logins != 2 || tickets != 2 { // the first login asks for the salt
		t.Errorf("%d and %d messages to the KDC, want 2 and 2", logins, tickets)
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

func TestTicketIsRenewedNearItsEndAndLoggedInAnewAfter(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	cl := k.client(t, Config{User: "svc", Password: "Secret1"})
	if _, err := cl.Service(bg(t), "HTTP/web1.lab.test"); err != nil {
		t.Fatal(err)
	}
	tgt := cl.tgts[realm]
	// Near its end, by the ticket's own numbers: the KDC's clock cannot be moved here.
	tgt.Start, tgt.End = time.Now().Add(-10*time.Hour), time.Now().Add(2*time.Minute)
	cl.tickets = map[string]*Ticket{}
	if _, err := cl.Service(bg(t), "HTTP/web1.lab.test"); err != nil {
		t.Fatal(err)
	}
	if cl.renewed.Load() != 1 || k.count("AS_REQ", "ISSUE") != 1 {
		t.Errorf("renewed %d, AS %d", cl.renewed.Load(), k.count("AS_REQ", "ISSUE"))
	}
	// Past its end: a new login, now in one message.
	sent := cl.asSent.Load()
	cl.tgts[realm].End, cl.tickets = time.Now().Add(-time.Minute), map[string]*Ticket{}
	if _, err := cl.Service(bg(t), "HTTP/web1.lab.test"); err != nil {
		t.Fatal(err)
	}
	if n := cl.asSent.Load() - sent; n != 1 {
		t.Errorf("the second login took %d messages, want 1: the salt is known", n)
	}
}

// The realm's key is changed under a client that holds a ticket.
func TestTicketOfAnOldKey(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	cl := k.client(t, Config{User: "svc", Password: "Secret1"})
	if _, err := cl.Service(bg(t), "HTTP/web1.lab.test"); err != nil {
		t.Fatal(err)
	}
	k.run(t, "cpw -randkey krbtgt/LAB.TEST\n", "kadmin.local", "-r", realm)
	_, err := cl.Service(bg(t), "HTTP/web2.lab.test")
	if err != nil {
		t.Error(err)
	}
	if n := k.count("AS_REQ", "ISSUE"); n != 2 {
		t.Errorf("%d logins, want one more", n)
	}
}

// Two realms that trust each other, as a forest's root and child: the account's
// KDC refers to the host's (RFC 6806, section 8), without domain_realm here.
func TestForestRefersToTheHostsRealm(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	k.stop()
	b, _ := os.ReadFile(k.dir + "/kdc.conf")
	k.write("kdc.conf", strings.Replace(string(b), "[logging]", fmt.Sprintf(" SUB.LAB.TEST = {\n  database_name = %s/db2\n  key_stash_file = %s/stash2\n  acl_file = %s/acl\n }\n[logging]", k.dir, k.dir, k.dir), 1))
	b, _ = os.ReadFile(k.dir + "/krb5.conf")
	k.write("krb5.conf", string(b)+" .sub.lab.test = SUB.LAB.TEST\n[capaths]\n")
	k.run(t, "", "kdb5_util", "create", "-r", "SUB.LAB.TEST", "-s", "-P", "master")
	k.run(t, "addprinc -pw trust krbtgt/SUB.LAB.TEST@LAB.TEST\nmodprinc +allow_svr HTTP/web1.lab.test\n", "kadmin.local", "-r", realm)
	k.run(t, "addprinc -pw trust krbtgt/SUB.LAB.TEST@LAB.TEST\naddprinc -randkey HTTP/far.sub.lab.test\n", "kadmin.local", "-r", "SUB.LAB.TEST")
	k.start(t, "/usr/sbin/krb5kdc", "-n", "-r", "SUB.LAB.TEST", "-r", realm, "--")
	cl := k.client(t, Config{User: "svc", Password: "Secret1", Krb5Conf: "[realms]\nSUB.LAB.TEST = { kdc = " + k.addr + " }\n"})
	tk, err := cl.Service(bg(t), "HTTP/far.sub.lab.test")
	if err != nil {
		t.Fatal(err, "\n", k.log())
	}
	if tk.ticket.Realm != "SUB.LAB.TEST" || cl.tgsSent.Load() != 2 {
		t.Errorf("ticket of %s after %d requests, want SUB.LAB.TEST after 2", tk.ticket.Realm, cl.tgsSent.Load())
	}
	cl = k.client(t, Config{User: "svc", Password: "Secret1", Krb5Conf: "[realms]\nSUB.LAB.TEST = { kdc = " + k.addr + " }\n[domain_realm]\n.sub.lab.test = SUB.LAB.TEST\n"})
	if _, err = cl.Service(bg(t), "HTTP/far.sub.lab.test"); err != nil {
		t.Fatal(err)
	}
	if cl.tgsSent.Load() != 2 {
		t.Errorf("%d requests by domain_realm, want 2", cl.tgsSent.Load())
	}
}
