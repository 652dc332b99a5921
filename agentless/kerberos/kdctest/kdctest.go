// Package kdctest runs a realm of MIT's on loopback for a test. What came to its
// KDC is judged by the KDC's own log.
package kdctest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Realm is the realm's name; Account is an account in it, with Password.
const (
	Realm    = "CORP.EXAMPLE"
	Account  = "wkwinrm"
	Password = "Ticket-4"
)

// KDC is a realm that is served while its test runs.
type KDC struct {
	Address       string // host:port
	Krb5Conf      string // file in the format of krb5.conf
	HostKeytab    string // file with the keys of HTTP/HOST of the hosts
	AccountKeytab string // file with the keys of Account

	dir string
	env []string
}

// New makes and starts a realm on a free port of an address of loopback, with a
// service HTTP/HOST for each host. clock is another clock for it, such as "+9m",
// or empty. The test is skipped where Debian's packages krb5-kdc,
// krb5-admin-server or, for a clock, faketime are missing.
func New(tb testing.TB, address, clock string, hosts ...string) *KDC {
	tb.Helper()
	for program, debian := range map[string]string{"krb5kdc": "krb5-kdc", "kdb5_util": "krb5-kdc", "kadmin.local": "krb5-admin-server"} {
		if _, err := os.Stat("/usr/sbin/" + program); err != nil {
			tb.Skipf("Debian's package %s is not installed: %v", debian, err)
		}
	}
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp4", address+":0")
	if err != nil {
		tb.Fatal(err)
	}
	k := &KDC{dir: tb.TempDir(), Address: l.Addr().String()}
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	k.Krb5Conf, k.HostKeytab, k.AccountKeytab = k.path("krb5.conf"), k.path("host.keytab"), k.path("account.keytab")
	k.env = append(os.Environ(), "KRB5_CONFIG="+k.Krb5Conf, "KRB5_KDC_PROFILE="+k.path("kdc.conf"))
	k.write(tb, k.Krb5Conf, fmt.Sprintf("[libdefaults]\n default_realm = %[1]s\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n rdns = false\n"+
		" udp_preference_limit = 1\n allow_rc4 = true\n[realms]\n %[1]s = {\n  kdc = %[2]s\n }\n[domain_realm]\n .corp.example = %[1]s\n", Realm, k.Address))
	k.write(tb, k.path("kdc.conf"), fmt.Sprintf("[kdcdefaults]\n kdc_listen = %[1]s\n kdc_tcp_listen = %[1]s\n[realms]\n %[2]s = {\n  database_name = %[3]s/db\n"+
		"  key_stash_file = %[3]s/stash\n  supported_enctypes = aes256-cts:normal arcfour-hmac:normal\n }\n[logging]\n kdc = FILE:%[3]s/log\n", k.Address, Realm, k.dir))
	k.run(tb, "", "/usr/sbin/kdb5_util", "create", "-r", Realm, "-s", "-P", "master")
	var orders strings.Builder
	fmt.Fprintf(&orders, "addprinc +requires_preauth -pw %s %s\nktadd -k %s -norandkey %s\n", Password, Account, k.AccountKeytab, Account)
	for _, host := range hosts {
		fmt.Fprintf(&orders, "addprinc -randkey HTTP/%[1]s\nktadd -k %[2]s -norandkey HTTP/%[1]s\n", host, k.HostKeytab)
	}
	k.run(tb, orders.String(), "/usr/sbin/kadmin.local", "-r", Realm)
	k.serve(tb, clock)
	return k
}

// serve starts the KDC and waits until it listens.
func (k *KDC) serve(tb testing.TB, clock string) {
	tb.Helper()
	// What a test cleans up may still ask it: it ends after that, not with the context.
	daemon := exec.CommandContext(context.WithoutCancel(tb.Context()), "/usr/sbin/krb5kdc", "-n", "-r", Realm)
	daemon.Env = k.env
	if clock != "" {
		found, err := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
		if err != nil || len(found) == 0 {
			tb.Skip("Debian's package faketime is not installed")
		}
		daemon.Env = append(daemon.Env, "LD_PRELOAD="+found[0], "FAKETIME="+clock)
	}
	if err := daemon.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() }) // it was killed: its status says nothing
	deadline := time.After(10 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(tb.Context(), "tcp4", k.Address)
		if err == nil {
			_ = conn.Close() // it was only tried
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("the KDC does not listen after 10 s: %v", err)
		}
	}
}

// Count is how many lines of the KDC's log hold all the words, such as "AS_REQ"
// and "ISSUE".
func (k *KDC) Count(tb testing.TB, words ...string) (n int) {
	tb.Helper()
	log, err := os.ReadFile(k.path("log"))
	if err != nil {
		tb.Fatal(err)
	}
lines:
	for line := range strings.Lines(string(log)) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue lines
			}
		}
		n++
	}
	return n
}

// TicketCache is a file with Account's ticket, as kinit writes it; the test is
// skipped where Debian's package krb5-user is missing.
func (k *KDC) TicketCache(tb testing.TB) string {
	tb.Helper()
	if _, err := exec.LookPath("kinit"); err != nil {
		tb.Skipf("Debian's package krb5-user is not installed: %v", err)
	}
	k.run(tb, Password+"\n", "kinit", "-c", k.path("cc"), Account)
	return k.path("cc")
}

func (k *KDC) path(name string) string { return filepath.Join(k.dir, name) }

func (k *KDC) write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// run runs a program of the realm with that input.
func (k *KDC) run(tb testing.TB, stdin, name string, arg ...string) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), name, arg...)
	cmd.Env, cmd.Stdin = k.env, strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s %v: %v\n%s", name, arg, err, out)
	}
}
