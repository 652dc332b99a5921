package winrm

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	mz "github.com/masterzen/winrm"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/agentless/sealed"
)

// realm is a KDC of MIT's on loopback, with the account svc and two hosts.
type realm struct {
	dir, address string
	env          []string
}

func newRealm(t *testing.T) *realm {
	t.Helper()
	program := func(name, debian string) string {
		for _, path := range []string{"/usr/sbin/" + name, name} {
			if found, err := exec.LookPath(path); err == nil {
				return found
			}
		}
		t.Skipf("Debian's package %s is not installed", debian)
		return ""
	}
	daemon, util, admin := program("krb5kdc", "krb5-kdc"), program("kdb5_util", "krb5-kdc"), program("kadmin.local", "krb5-admin-server")
	l, err := net.Listen("tcp", "127.0.121.4:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &realm{dir: t.TempDir(), address: l.Addr().String()}
	_ = l.Close()
	r.env = append(os.Environ(), "KRB5_CONFIG="+r.dir+"/krb5.conf", "KRB5_KDC_PROFILE="+r.dir+"/kdc.conf")
	for name, text := range map[string]string{
		"krb5.conf": "[libdefaults]\n default_realm = LAB.TEST\n dns_lookup_kdc = false\n allow_rc4 = true\n[realms]\n LAB.TEST = {\n  kdc = " + r.address + "\n }\n",
		"kdc.conf": fmt.Sprintf("[kdcdefaults]\n kdc_listen = %[2]s\n kdc_tcp_listen = %[2]s\n[realms]\n LAB.TEST = {\n  database_name = %[1]s/db\n  key_stash_file = %[1]s/stash\n  supported_enctypes = aes256-cts:normal arcfour-hmac:normal\n }\n[logging]\n kdc = FILE:%[1]s/kdc.log\n",
			r.dir, r.address),
	} {
		if err := os.WriteFile(r.dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(stdin, name string, args ...string) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env, cmd.Stdin = r.env, strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	run("", util, "create", "-r", "LAB.TEST", "-s", "-P", "master")
	run(`addprinc +requires_preauth -pw Secret1 svc
addprinc -randkey HTTP/mbx1.lab.test
addprinc -randkey HTTP/other.lab.test
addprinc -randkey -e arcfour-hmac:normal HTTP/old.lab.test
setstr HTTP/old.lab.test session_enctypes arcfour-hmac
ktadd -k `+r.dir+`/host.keytab -norandkey HTTP/mbx1.lab.test HTTP/old.lab.test
`, admin, "-r", "LAB.TEST")
	cmd := exec.CommandContext(t.Context(), daemon, "-n", "-r", "LAB.TEST")
	cmd.Env = r.env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := net.DialTimeout("tcp", r.address, time.Second)
		if err == nil {
			_ = c.Close()
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("krb5kdc does not listen: %v", err)
		}
	}
}

// count counts the lines of the KDC's log that have both texts.
func (r *realm) count(t *testing.T, a, b string) int {
	t.Helper()
	log, err := os.ReadFile(r.dir + "/kdc.log")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, a) && strings.Contains(line, b) {
			n++
		}
	}
	return n
}

func (r *realm) account(t *testing.T, password string) *Account {
	t.Helper()
	client, err := kerberos.New(kerberos.Config{User: "svc", Realm: "LAB.TEST", Password: password, KDCs: []string{r.address}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Destroy)
	a, err := NewAccount(AccountConfig{Auth: AuthKerberos, User: "svc@LAB.TEST", Kerberos: client})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// host is one that has the keys of mbx1 and old.
func (r *realm) host(t *testing.T) *loginHost {
	t.Helper()
	keytab, err := os.ReadFile(r.dir + "/host.keytab")
	if err != nil {
		t.Fatal(err)
	}
	h := newLoginHost(t)
	if h.keys, err = kerberos.ParseKeytab(keytab); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestKerberosIsSealedAndAsksTheKDCOnce(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	account := r.account(t, "Secret1")
	var calls sync.WaitGroup
	var all []*loginHost
	for i := range 20 {
		h := r.host(t).start()
		h.on("Receive", answer(200, received(strings.Repeat("x", i*1000), "", i)))
		all = append(all, h)
		name := []string{"mbx1.lab.test", "old.lab.test"}[i%2] // AES and RC4
		calls.Go(func() {
			c := dialTo(t, Config{Address: "127.0.0.1", Port: portOf(h.fakeHost), Host: name, Account: account})
			for range 2 {
				got, err := c.Run(withDeadline(t, 20*time.Second), Command{Line: "hostname"})
				if err != nil || got.Exit != i || len(got.Stdout) != i*1000 {
					t.Errorf("%s: exit %d, %d bytes, %v", name, got.Exit, len(got.Stdout), err)
				}
			}
		})
	}
	calls.Wait()
	logins := 0
	for _, h := range all {
		logins += h.logins
		if h.plain+h.readable > 0 {
			t.Errorf("%d plain and %d readable bodies", h.plain, h.readable)
		}
	}
	as, tgs := r.count(t, "AS_REQ", "ISSUE"), r.count(t, "TGS_REQ", "ISSUE")
	if as != 1 || tgs != 2 || logins < 20 {
		t.Errorf("%d tickets of the account and %d of hosts for %d logins at two service names, want 1 and 2", as, tgs, logins)
	}
}

func TestKerberosInWords(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	h := r.host(t).start()
	ask := func(name string, account *Account) error {
		_, err := dialTo(t, Config{Address: "127.0.0.1", Port: portOf(h.fakeHost), Host: name, Account: account}).Identify(withDeadline(t, 10*time.Second))
		return err
	}
	wrong := r.account(t, "wrong")
	var heard []Refusal
	wrong.cfg.Tell = func(r Refusal) { heard = append(heard, r) }
	for i := range 5 {
		if err := ask(fmt.Sprintf("mbx%d.lab.test", i), wrong); Outcome(err) != OutcomeDenied {
			t.Errorf("a wrong password: %v", err)
		}
	}
	told(t, wrong)
	if n := r.count(t, "AS_REQ", "PREAUTH_FAILED"); n != 1 || len(heard) != 1 || heard[0].Host != "" {
		t.Errorf("shown to the KDC %d times, told %v", n, heard)
	}
	right := r.account(t, "Secret1")
	for name, want := range map[string][2]string{
		"nowhere.lab.test": {OutcomeRefused, "HTTP/nowhere.lab.test"},
		"other.lab.test":   {OutcomeDenied, "HTTP/other.lab.test"}, // the host has not this key
		"127.0.0.1":        {OutcomeRefused, "full DNS name"},
	} {
		if err := ask(name, right); Outcome(err) != want[0] || !strings.Contains(fmt.Sprint(err), want[1]) {
			t.Errorf("%s: %s: %v, want %q", name, Outcome(err), err, want)
		}
	}
	if err := ask("mbx1.lab.test", right); err != nil {
		t.Errorf("the right host after others: %v", err)
	}
	if requests, _, _, _ := h.figures(); requests == 0 || h.plain > 0 {
		t.Errorf("%d requests, %d in the clear", requests, h.plain)
	}
}

func TestKerberosOverTLSIsBoundToIt(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	account := r.account(t, "Secret1")
	for _, bound := range []bool{true, false} {
		h, shown := r.host(t), certificate(t, nil, nil)
		h.TLS, h.bindings = &tls.Config{Certificates: []tls.Certificate{shown}}, sealed.ChannelBinding(shown.Leaf)
		if !bound {
			h.bindings[3] ^= 1
		}
		h.StartTLS()
		cfg := Config{Address: "127.0.0.1", Port: portOf(h.fakeHost), Host: "mbx1.lab.test", Account: account, TLS: &TLS{Pins: []Pin{shownPin(shown)}}}
		if _, err := dialTo(t, cfg).Identify(withDeadline(t, 10*time.Second)); (err == nil) != bound {
			t.Errorf("bound %t: %v", bound, err)
		}
	}
}

// masterzen asks the KDC for both tickets with each message, and leaves a
// goroutine behind each time; what it sends is not sealed.
func TestWhatPlainMasterzenGetsWrongOfKerberos(t *testing.T) {
	r := newRealm(t)
	h := r.host(t).start()
	params := mz.NewParameters("PT60S", "en-US", maxEnvelope)
	params.TransportDecorator = func() mz.Transporter {
		return &mz.ClientKerberos{Username: "svc", Password: "Secret1", Realm: "LAB.TEST", Hostname: "127.0.0.1", Port: portOf(h.fakeHost), Proto: "http", KrbConf: r.dir + "/krb5.conf", SPN: "HTTP/mbx1.lab.test"}
	}
	c, err := mz.NewClientWithParameters(mz.NewEndpoint("127.0.0.1", portOf(h.fakeHost), false, false, nil, nil, nil, 5*time.Second), "svc", "Secret1", params)
	if err != nil {
		t.Fatal(err)
	}
	renewals := func() int {
		stacks := make([]byte, 4<<20)
		return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("enableAutoSessionRenewal"))
	}
	for range 5 {
		if _, err := c.CreateShell(); err != nil && h.plain == 0 {
			t.Fatalf("plain: %v", err)
		}
	}
	if n := renewals(); n < 5 {
		t.Errorf("plain: %d goroutines are left", n)
	}
	if as := r.count(t, "AS_REQ", "ISSUE"); as < 5 || h.plain < 5 {
		t.Errorf("plain: %d tickets of the account, %d messages in the clear", as, h.plain)
	}
	before := renewals()
	own := dialTo(t, Config{Address: "127.0.0.1", Port: portOf(h.fakeHost), Host: "mbx1.lab.test", Account: r.account(t, "Secret1")})
	for range 5 {
		if _, err := own.Identify(withDeadline(t, 10*time.Second)); err != nil && !errors.Is(err, errAnswer) {
			t.Errorf("ours: %v", err)
		}
	}
	if n := renewals() - before; n > 0 {
		t.Errorf("ours: %d goroutines are left", n)
	}
}
