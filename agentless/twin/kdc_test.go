package twin_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	realm       = "CORP.EXAMPLE" // the hosts' domain is corp.example
	ticketUser  = "wkwinrm"
	ticketSpell = "Ticket-4"
)

// kdc is a realm of MIT's, run for one test.
type kdc struct {
	dir, addr string
	keytab    []byte // of HTTP/mbx1.corp.example
	env       []string
}

// newKDC makes and starts a realm, on an address of its own.
func newKDC(tb testing.TB) *kdc {
	tb.Helper()
	for program, debian := range map[string]string{"krb5kdc": "krb5-kdc", "kdb5_util": "krb5-kdc", "kadmin.local": "krb5-admin-server"} {
		if _, err := os.Stat("/usr/sbin/" + program); err != nil {
			tb.Skipf("the package %s is not installed: %v", debian, err)
		}
	}
	l, err := net.Listen("tcp4", logonAddress()+":0")
	if err != nil {
		tb.Fatal(err)
	}
	k := &kdc{dir: tb.TempDir(), addr: l.Addr().String()}
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	k.env = append(os.Environ(), "KRB5_CONFIG="+k.path("krb5.conf"), "KRB5_KDC_PROFILE="+k.path("kdc.conf"), "KRB5CCNAME=FILE:"+k.path("cc"),
		"KRB5RCACHENAME=none:", "NO_PROXY=*", "no_proxy=*", "REQUESTS_CA_BUNDLE=", "CURL_CA_BUNDLE=")
	k.write(tb, "krb5.conf", fmt.Sprintf("[libdefaults]\n default_realm = %s\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n rdns = false\n"+
		" udp_preference_limit = 1\n allow_rc4 = true\n[realms]\n %s = {\n  kdc = %s\n }\n[domain_realm]\n .corp.example = %s\n", realm, realm, k.addr, realm))
	k.write(tb, "kdc.conf", fmt.Sprintf("[kdcdefaults]\n kdc_listen = %s\n kdc_tcp_listen = %s\n[realms]\n %s = {\n  database_name = %s\n  key_stash_file = %s\n"+
		"  supported_enctypes = aes256-cts:normal arcfour-hmac:normal\n }\n[logging]\n kdc = FILE:%s\n", k.addr, k.addr, realm, k.path("db"), k.path("stash"), k.path("log")))
	k.run(tb, "", "/usr/sbin/kdb5_util", "create", "-r", realm, "-s", "-P", "master")
	k.run(tb, "addprinc -pw "+ticketSpell+" "+ticketUser+"\naddprinc -pw "+ticketSpell+" clerk\naddprinc -randkey HTTP/mbx1.corp.example\n"+
		"addprinc -randkey -e arcfour-hmac:normal HTTP/old1.corp.example\nsetstr HTTP/old1.corp.example session_enctypes arcfour-hmac\n"+
		"ktadd -k "+k.path("keytab")+" -norandkey HTTP/mbx1.corp.example HTTP/old1.corp.example\n", "/usr/sbin/kadmin.local", "-r", realm)
	if k.keytab, err = os.ReadFile(k.path("keytab")); err != nil {
		tb.Fatal(err)
	}
	daemon := exec.Command("/usr/sbin/krb5kdc", "-n", "-r", realm)
	daemon.Env = k.env
	if err := daemon.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	within(tb, 10*time.Second, "the KDC listens", func() bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(tb.Context(), "tcp4", k.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return k
}

func (k *kdc) path(name string) string { return filepath.Join(k.dir, name) }

func (k *kdc) write(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(k.path(name), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// run runs a program of the realm with that input.
func (k *kdc) run(tb testing.TB, stdin, name string, arg ...string) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), name, arg...)
	cmd.Env, cmd.Stdin = k.env, strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s %v: %v\n%s", name, arg, err, out)
	}
}
