package twin_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
)

const python = "/usr/bin/python3"

// needPython skips where a Debian package is missing.
func needPython(tb testing.TB, modules, debian string) {
	tb.Helper()
	if out, err := exec.CommandContext(tb.Context(), python, "-c", "import "+modules).CombinedOutput(); err != nil {
		tb.Skipf("the package %s is not installed: %v %s", debian, err, out)
	}
}

// openssl is the environment of a client that knows MD4 and, when old, TLS 1.0:
// Debian's OpenSSL has both, and wants to be told (winrm.md 4a).
func openssl(tb testing.TB, old bool) []string {
	tb.Helper()
	// Without signatures, TLS 1.0 passes at every level; a system's own minimum is later.
	conf := "openssl_conf = a\n[a]\nproviders = p\nssl_conf = s\n[p]\ndefault = d\nlegacy = d\n[d]\nactivate = 1\n[s]\nsystem_default = v\n[v]\n"
	if !old {
		conf += "MinProtocol = TLSv1.2\n"
	} else {
		conf += "MinProtocol = TLSv1\nCipherString = DEFAULT:@SECLEVEL=0\n"
	}
	path := filepath.Join(tb.TempDir(), "openssl.cnf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		tb.Fatal(err)
	}
	return append(os.Environ(), "OPENSSL_CONF="+path, "NO_PROXY=*", "no_proxy=*", "REQUESTS_CA_BUNDLE=", "CURL_CA_BUNDLE=", "SSL_CERT_FILE=")
}

// threeCommands is pywinrm running three commands, each in a shell of its own;
// its arguments are those of Protocol, NAME=VALUE.
const threeCommands = `
import sys, warnings, winrm
warnings.simplefilter("ignore")
p = winrm.protocol.Protocol(**dict(a.split("=", 1) for a in sys.argv[1:]))
for i in range(3):
    s = p.open_shell()
    c = p.run_command(s, "echo", ["x" * 5000 + "&whoami&hostname"])
    out, err, rc = p.get_command_output(s, c)
    p.cleanup_command(s, c)
    p.close_shell(s)
    lines = out.split()
    print("pywinrm", rc, len(lines[0]), *[l.decode() for l in lines[1:]])
`

// pywinrm runs the three commands and returns what it printed.
func pywinrm(tb testing.TB, env []string, arg ...string) (string, error) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), python, append([]string{"-c", threeCommands}, arg...)...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestPywinrmLogsOnInEveryWay proves authentication, sealing and TLS by a client
// that nobody of the project wrote.
func TestPywinrmLogsOnInEveryWay(t *testing.T) {
	t.Parallel()
	needPython(t, "winrm", "python3-winrm")
	for name, tc := range map[string]struct {
		words, os string
		old       bool
		arg       []string
		want      string
	}{
		"Basic over https":               {"https,basic", "2003", false, []string{"transport=ssl"}, `mbx1\` + winrmUser},
		"Basic over TLS 1.0":             {"https,basic,tls1.0", "2008", true, []string{"transport=ssl"}, `mbx1\` + winrmUser},
		"NTLM sealed, old host":          {"http,ntlm", "2003", false, []string{"transport=ntlm", "message_encryption=always"}, `mbx1\` + winrmUser},
		"NTLM sealed":                    {"http,ntlm", "2008", false, []string{"transport=ntlm", "message_encryption=always"}, `mbx1\` + winrmUser},
		"NTLM sealed, account of domain": {"http,ntlm", "2008", false, []string{"transport=ntlm", "message_encryption=always", `username=CORP\wkwinrm`, "password=" + domainAdmin.Password}, `corp\wkwinrm`},
		"NTLM sealed, by UPN":            {"http,ntlm", "2003", false, []string{"transport=ntlm", "message_encryption=always", "username=wkwinrm@corp.example", "password=" + domainAdmin.Password}, `corp\wkwinrm`},
		"NTLM over https":                {"https,ntlm", "2008", false, []string{"transport=ntlm", "message_encryption=never"}, `mbx1\` + winrmUser},
		"NTLM over TLS 1.0, bound":       {"https,ntlm,tls1.0,binding", "2008", true, []string{"transport=ntlm", "message_encryption=never"}, `mbx1\` + winrmUser},
		"NTLM sealed over https":         {"https,ntlm,self-signed", "2003", false, []string{"transport=ntlm", "message_encryption=always", "server_cert_validation=ignore"}, `mbx1\` + winrmUser},
		"NTLM, a host that forgets":      {"http,ntlm,plain,forgets", "2008", false, []string{"transport=ntlm", "message_encryption=never"}, `mbx1\` + winrmUser},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, f, truth := reached(t, tc.words, twin.Options{Accounts: []twin.Account{domainAdmin}}, onOS(tc.os))
			ca := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(ca, f.Certificates(), 0o600); err != nil {
				t.Fatal(err)
			}
			arg := append([]string{"endpoint=" + c.url, "username=" + winrmUser, "password=" + password}, tc.arg...)
			if !strings.Contains(tc.words, "self-signed") {
				arg = append(arg, "ca_trust_path="+ca)
			}
			out, err := pywinrm(t, openssl(t, tc.old), arg...)
			want := strings.Repeat(fmt.Sprintf("pywinrm 0 5000 %s mbx1\n", tc.want), 3)
			if err != nil || out != want {
				t.Errorf("%v, got\n%swant\n%s", err, out, want)
			}
			if refused := truth.entries(t, "access-refused"); len(refused) > 0 {
				t.Errorf("refused: %v", refused)
			}
		})
	}
}

func TestPywinrmIsRefused(t *testing.T) {
	t.Parallel()
	needPython(t, "winrm", "python3-winrm")
	for name, tc := range map[string]struct {
		words, want string
		arg         []string
	}{
		"wrong password":           {"http,ntlm", "rejected by the server", []string{"transport=ntlm", "message_encryption=always", "password=wrong"}},
		"not sealed":               {"http,ntlm", "Code 500", []string{"transport=ntlm", "message_encryption=never"}},
		"self-signed":              {"https", "certificate verify failed", []string{"transport=ssl"}},
		"TLS 1.0 with today's":     {"https,tls1.0", "SSLError", []string{"transport=ssl", "server_cert_validation=ignore"}},
		"Basic that must be plain": {"http,ntlm,basic", "rejected by the server", []string{"transport=plaintext"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, _ := reached(t, tc.words, twin.Options{}, on2008)
			out, err := pywinrm(t, openssl(t, false), append([]string{"endpoint=" + c.url, "username=" + winrmUser, "password=" + password}, tc.arg...)...)
			if err == nil || !strings.Contains(out, tc.want) {
				t.Errorf("%v, want %q in\n%s", err, tc.want, out)
			}
		})
	}
}

// sealedByMIT is pywinrm with its own sealing over MIT's library: Debian's
// python3-kerberos lacks authGSSWinRMEncryptMessage, so its two calls are made
// with python3-gssapi.
const sealedByMIT = `
import base64, sys, requests, gssapi, winrm
from gssapi.raw import IOV, IOVBuffer, IOVBufferType as T, wrap_iov, unwrap_iov
from winrm.encryption import Encryption
url, host = sys.argv[1:]
F = gssapi.RequirementFlag
class Auth(requests.auth.AuthBase):
    def __init__(self):
        self.ctx = gssapi.SecurityContext(name=gssapi.Name("HTTP@" + host, gssapi.NameType.hostbased_service), usage="initiate",
            mech=gssapi.OID.from_int_seq("1.3.6.1.5.5.2"), flags=F.mutual_authentication | F.confidentiality | F.integrity | F.out_of_sequence_detection)
    def __call__(self, r): return r
    def wrap_winrm(self, _, msg):
        w = IOV(IOVBuffer(T.header, True, None), IOVBuffer(T.data, False, msg), IOVBuffer(T.padding, True, None), std_layout=False)
        wrap_iov(self.ctx, w, confidential=True)
        return w[1].value + (w[2].value or b""), w[0].value
    def unwrap_winrm(self, _, msg, sig):
        iov = IOV(IOVBuffer(T.header, False, sig), IOVBuffer(T.data, False, msg), T.data, std_layout=False)
        assert unwrap_iov(self.ctx, iov).encrypted
        return iov[1].value
class Transport:
    def __init__(self):
        self.s = requests.Session(); self.s.trust_env = False; self.s.auth = Auth()
        r = self.s.post(url, data=b"", headers={"Authorization": "Negotiate " + base64.b64encode(self.s.auth.ctx.step()).decode()})
        assert r.status_code == 200, r.status_code
        self.s.auth.ctx.step(base64.b64decode(r.headers["WWW-Authenticate"][10:])); assert self.s.auth.ctx.complete
        self.e = Encryption(self.s, "kerberos")
    def send_message(self, m):
        r = self.s.send(self.e.prepare_encrypted_request(self.s, url, m if isinstance(m, bytes) else m.encode()))
        assert r.status_code == 200, r.status_code
        return self.e.parse_encrypted_response(r)
p = winrm.protocol.Protocol(endpoint=url, username="x", password="x")
p.transport = Transport()
for i in range(3):
    s = p.open_shell(); c = p.run_command(s, "echo", ["x" * 5000 + "&whoami"]); out, err, rc = p.get_command_output(s, c); p.cleanup_command(s, c); p.close_shell(s)
    print("sealed", rc, len(out.split()[0]), out.split()[1].decode())
`

// TestPywinrmLogsOnWithTickets is the same with Kerberos: MIT's KDC and library.
func TestPywinrmLogsOnWithTickets(t *testing.T) {
	t.Parallel()
	needPython(t, "winrm, requests_kerberos", "python3-winrm or python3-requests-kerberos")
	if _, err := exec.LookPath("kinit"); err != nil {
		t.Skip("the package krb5-user is not installed")
	}
	k := newKDC(t)
	k.run(t, ticketSpell+"\n", "kinit", ticketUser)
	const who = "corp\\" + ticketUser
	for name, words := range map[string]string{"https": "https,kerberos", "http, plain": "http,kerberos,plain", "https, bound": "https,kerberos,binding"} {
		c, f, truth := withKDC(t, k, words, twin.Options{}, on2008)
		ca := k.path("ca.pem")
		if err := os.WriteFile(ca, f.Certificates(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := pywinrm(t, k.env, "endpoint="+c.url, "transport=kerberos", "message_encryption=never", "username="+ticketUser+"@"+realm, "password=",
			"kerberos_hostname_override=mbx1.corp.example", "service=HTTP", "ca_trust_path="+ca)
		if want := strings.Repeat("pywinrm 0 5000 "+who+" mbx1\n", 3); err != nil || out != want {
			t.Errorf("%s: %v, got\n%swant\n%s", name, err, out, want)
		}
		if on := truth.entries(t, "logon"); len(on) == 0 || on[0].Detail["by"] != "kerberos" {
			t.Errorf("%s: journal %v", name, on)
		}
	}
	needPython(t, "gssapi", "python3-gssapi")
	c, _, _ := withKDC(t, k, "http,kerberos", twin.Options{}, on2008)
	cmd := exec.CommandContext(t.Context(), python, "-c", sealedByMIT, c.url, "mbx1.corp.example")
	cmd.Env = k.env
	out, err := cmd.CombinedOutput()
	if want := strings.Repeat("sealed 0 5000 "+who+"\n", 3); err != nil || string(out) != want {
		t.Errorf("sealed: %v, got\n%swant\n%s", err, out, want)
	}
}

// TestAnsibleRunsACommand is `ansible -m raw` over pywinrm, once for each way.
func TestAnsibleRunsACommand(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ansible"); err != nil {
		t.Skip("the package ansible-core is not installed")
	}
	needPython(t, "winrm", "python3-winrm")
	// ansible-core alone has no collections, and windows' are not wanted: raw is its own.
	for words, vars := range map[string]string{
		"http,plain": "ansible_winrm_transport=plaintext", "http,ntlm": "ansible_winrm_transport=ntlm ansible_winrm_message_encryption=always",
	} {
		c, _, _ := reached(t, words, twin.Options{}, on2008)
		host, port, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(c.url, "http://"), "/wsman"), ":")
		dir := t.TempDir()
		line := fmt.Sprintf("host1 ansible_host=%s ansible_port=%s ansible_winrm_scheme=http ansible_connection=winrm ansible_user=%s ansible_password=%s %s\n",
			host, port, winrmUser, password, vars)
		inventory := filepath.Join(dir, "hosts.ini")
		if err := os.WriteFile(inventory, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "ansible", "-i", inventory, "all", "-m", "raw", "-a", "hostname", "-o")
		cmd.Env = append(openssl(t, false), "ANSIBLE_HOME="+dir, "ANSIBLE_LOCAL_TEMP="+dir, "HOME="+dir, "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8", "ANSIBLE_PYTHON_INTERPRETER="+python)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "host1 | CHANGED | rc=0 | (stdout) mbx1") {
			t.Errorf("%s: %v\n%s", words, err, out)
		}
	}
}
