package kerberos

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const realm = "LAB.TEST"

type kdc struct {
	dir, addr string
	env       []string
	cmd       *exec.Cmd
}

func env(dir string) []string {
	return append(os.Environ(), "KRB5_CONFIG="+dir+"/krb5.conf", "KRB5_KDC_PROFILE="+dir+"/kdc.conf", "KRB5_KTNAME="+dir+"/host.keytab", "KRB5CCNAME=FILE:"+dir+"/cc", "KRB5RCACHENAME=none:")
}

// newKDC makes a realm. It needs krb5-kdc and krb5-admin-server (kadmin.local).
func newKDC(tb testing.TB) *kdc {
	tb.Helper()
	for program, debian := range map[string]string{"krb5kdc": "krb5-kdc", "kdb5_util": "krb5-kdc", "kadmin.local": "krb5-admin-server"} {
		if _, err := exec.LookPath(program); err != nil {
			if _, err := os.Stat("/usr/sbin/" + program); err != nil {
				tb.Skipf("needs the Debian package %s: %v", debian, err)
			}
		}
	}
	dir, addr := tb.TempDir(), freeAddress(tb)
	k := &kdc{dir: dir, addr: addr, env: env(dir)}
	k.write("krb5.conf", fmt.Sprintf("[libdefaults]\n default_realm = %s\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n allow_rc4 = true\n[realms]\n %s = {\n  kdc = %s\n }\n[domain_realm]\n .lab.test = %s\n", realm, realm, addr, realm))
	k.write("kdc.conf", fmt.Sprintf("[kdcdefaults]\n kdc_listen = %s\n kdc_tcp_listen = %s\n[realms]\n %s = {\n  database_name = %s/db\n  key_stash_file = %s/stash\n  acl_file = %s/acl\n  max_life = 10h\n  max_renewable_life = 7d\n  supported_enctypes = aes256-cts:normal aes128-cts:normal arcfour-hmac:normal\n }\n[logging]\n kdc = FILE:%s/kdc.log\n", addr, addr, realm, dir, dir, dir, dir))
	k.run(tb, "", "kdb5_util", "create", "-r", realm, "-s", "-P", "master")
	k.run(tb, `addprinc -requires_preauth -pw x nopre
addpol -maxfailure 3 -failurecountinterval 1h -lockoutduration 0 lock
addprinc +requires_preauth -maxrenewlife 7d -policy lock -pw Secret1 svc
addprinc +requires_preauth -maxrenewlife 7d -pw pässwörd -e arcfour-hmac:normal old
addprinc +requires_preauth -maxrenewlife 7d -pw pässwörd uml
addprinc +requires_preauth -pw x -e camellia256-cts:normal odd
addprinc +requires_preauth -pw Secret1 -pwexpire "1/1/2020" aged
addprinc +requires_preauth -pw Secret1 -expire "1/1/2020" gone
addprinc -randkey HTTP/web1.lab.test
addprinc -randkey HTTP/web2.lab.test
addprinc -randkey -e arcfour-hmac:normal HTTP/old1.lab.test
setstr HTTP/old1.lab.test session_enctypes arcfour-hmac
modprinc -maxrenewlife 7d krbtgt/LAB.TEST
ktadd -k `+dir+`/host.keytab -norandkey HTTP/web1.lab.test HTTP/web2.lab.test HTTP/old1.lab.test
ktadd -k `+dir+`/svc.keytab -norandkey svc
`, "kadmin.local", "-r", realm)
	k.start(tb)
	return k
}

// needs skips when a program of Debian is absent.
func (k *kdc) needs(tb testing.TB, program, debian string) {
	tb.Helper()
	if _, err := exec.LookPath(program); err != nil {
		tb.Skipf("needs the Debian package %s: %v", debian, err)
	}
}

func (k *kdc) write(name, text string) {
	_ = os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600)
}

func (k *kdc) run(tb testing.TB, stdin string, name string, arg ...string) string {
	tb.Helper()
	if _, err := exec.LookPath(name); err != nil {
		name = "/usr/sbin/" + name
	}
	cmd := exec.Command(name, arg...)
	cmd.Env, cmd.Stdin = k.env, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("%s %v: %v\n%s", name, arg, err, out)
	}
	return string(out)
}

func (k *kdc) start(tb testing.TB, wrap ...string) {
	tb.Helper()
	arg := append(wrap, "/usr/sbin/krb5kdc", "-n", "-r", realm)
	k.cmd = exec.Command(arg[0], arg[1:]...)
	k.cmd.Env = k.env
	if err := k.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(k.stop)
	eventually(tb, "krb5kdc listens", func() bool {
		c, err := net.Dial("tcp", k.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// eventually polls until a claim holds, for at most ten seconds.
func eventually(tb testing.TB, claim string, holds func() bool) {
	tb.Helper()
	deadline := time.After(10 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("still not so after 10 s: %s", claim)
		}
	}
}

var hosts atomic.Int32

// freeAddress is an address of loopback that nothing listens on.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.122.%d:0", hosts.Add(1)))
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (k *kdc) stop() {
	if k.cmd != nil {
		_ = k.cmd.Process.Kill()
		_ = k.cmd.Wait()
		k.cmd = nil
	}
}

func (k *kdc) log() string { b, _ := os.ReadFile(k.dir + "/kdc.log"); return string(b) }

// count counts lines of the KDC's own log.
func (k *kdc) count(a, b string) (n int) {
	for _, l := range strings.Split(k.log(), "\n") {
		if strings.Contains(l, a) && strings.Contains(l, b) {
			n++
		}
	}
	return n
}

func (k *kdc) client(tb testing.TB, c Config) *Client {
	tb.Helper()
	if c.Realm == "" && c.Cache == nil {
		c.Realm = realm
	}
	if c.KDCs == nil {
		c.KDCs = []string{k.addr}
	}
	cl, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return cl
}

// acceptor starts the stub that accepts with the library of MIT, and gives its
// address. extra: NAME=VALUE for its environment, or certificate and key.
func (k *kdc) acceptor(tb testing.TB, extra ...string) string {
	tb.Helper()
	needPython(tb, "gssapi", "python3-gssapi")
	addr := freeAddress(tb)
	host, port, _ := net.SplitHostPort(addr)
	var tls, more []string
	for _, e := range extra {
		if strings.Contains(e, "=") {
			more = append(more, e)
		} else {
			tls = append(tls, e)
		}
	}
	cmd := exec.Command("/usr/bin/python3", append([]string{"testdata/acceptor.py", host, port}, tls...)...)
	cmd.Env = append(append([]string{}, k.env...), more...)
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		tb.Fatalf("acceptor: %q %v", line, err)
	}
	return addr
}

// needPython skips when Debian's Python lacks a module.
func needPython(tb testing.TB, module, debian string) {
	tb.Helper()
	if out, err := exec.Command("/usr/bin/python3", "-c", "import "+module).CombinedOutput(); err != nil {
		tb.Skipf("needs the Debian package %s: %v %s", debian, err, out)
	}
}

func bg(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}
