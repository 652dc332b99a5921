package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/kerberos/kdctest"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// ticketFleet is hosts that let kdctest's account in by its tickets; extra are
// words of their access, such as "https,binding".
func ticketFleet(t *testing.T, k *kdctest.KDC, csv, extra string) *twin.Fleet {
	t.Helper()
	inv, faults := exchange.ReadInventory(strings.NewReader(csv))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	way, err := twin.ParseAccess("*=" + extra + ",kerberos")
	if err != nil {
		t.Fatal(err)
	}
	keytab, err := os.ReadFile(k.HostKeytab)
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := twin.Start(context.Background(), twin.Options{
		Servers: inv.Servers, User: "wk", Password: "Not-By-Kerberos-1", Access: []twin.HostAccess{way}, Keytab: keytab, Speed: 2000,
		Accounts: []twin.Account{{Name: `CORP\` + kdctest.Account, Admin: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Close() })
	return fleet
}

// TestExecByKerberos logs on at hosts whose names DNS does not know, in every
// way that the command line has, and says of each thing that goes wrong what,
// where and what to do. How often the KDC was asked is its own count.
func TestExecByKerberos(t *testing.T) {
	t.Parallel()
	const mbx1, mbx2, gone = "mbx1.corp.example=127.0.134.1:5985", "mbx2.corp.example=127.0.134.2:5985", "mbx9.corp.example=127.0.134.1:5985"
	k := kdctest.New(t, "127.0.134.250", "", "mbx1.corp.example", "mbx2.corp.example")
	fleet := ticketFleet(t, k, "server,fqdn,roles,build,address,port\nMBX1,mbx1.corp.example,Mailbox,8.0.685.25,127.0.134.1,5985\nMBX2,mbx2.corp.example,Mailbox,8.0.685.25,127.0.134.2,5985\n", "http")
	user := []string{"--user", kdctest.Account + "@" + kdctest.Realm}
	at := append([]string{"--kdc", k.Address}, user...)
	password, wrong, damaged := file(t, kdctest.Password+"\n"), file(t, "Not-The-One-5\n"), file(t, "\x05\x02\x00\x00\x00\x42\x00\x01")
	with := func(a []string, more ...string) []string { return append(append([]string{}, a...), more...) }
	exec := func(host string, args ...string) (int, string) {
		status, out, problems := run(t, "", append(append([]string{"exec", "--json", "--auth", "kerberos", "--timeout", "20s", "--host", host}, args...), "--", "whoami")...)
		return status, out + problems
	}
	for what, args := range map[string][]string{
		"a password":                   with(at, "--password-file", password),
		"a password and a krb5.conf":   {"--user", kdctest.Account, "--password-file", password, "--krb5-conf", k.Krb5Conf},
		"a password and --realm":       {"--user", kdctest.Account, "--password-file", password, "--realm", kdctest.Realm, "--kdc", k.Address},
		"a keytab":                     with(at, "--keytab", k.AccountKeytab),
		"a ticket cache":               with(at, "--ccache", k.TicketCache(t)),
		"a dead KDC before a good one": with(user, "--password-file", password, "--kdc", "127.0.134.251:88,"+k.Address),
	} {
		if status, said := exec(mbx1, args...); status != 0 || !strings.Contains(said, `corp\\`+kdctest.Account) || !strings.Contains(said, `"host":"mbx1.corp.example"`) {
			t.Errorf("%s: status %d, %s", what, status, said)
		}
	}
	logins, tickets := k.Count(t, "AS_REQ", "ISSUE"), k.Count(t, "TGS_REQ", "ISSUE")
	hosts := file(t, mbx1+"\n"+mbx2+"\n")
	status, out, problems := run(t, "", append([]string{"exec", "--json", "--auth", "kerberos", "--hosts", hosts, "--password-file", password}, append(at, "--", "hostname")...)...)
	if status != 0 || strings.Count(out, `"done"`) != 2 || !strings.Contains(out, "mbx2") {
		t.Errorf("two hosts: status %d, %s%s", status, out, problems)
	}
	if l, s := k.Count(t, "AS_REQ", "ISSUE")-logins, k.Count(t, "TGS_REQ", "ISSUE")-tickets; l != 1 || s != 2 {
		t.Errorf("the KDC issued %d logins and %d tickets for two hosts, want 1 and 2", l, s)
	}
	refused := k.Count(t, "PREAUTH_FAILED")
	status, out, _ = run(t, "", append([]string{"exec", "--json", "--auth", "kerberos", "--hosts", hosts, "--password-file", wrong}, append(at, "--", "hostname")...)...)
	if n := k.Count(t, "PREAUTH_FAILED") - refused; status != 1 || n != 1 || strings.Count(out, `"denied"`) != 2 {
		t.Errorf("a wrong password at two hosts: status %d, %d in the KDC's log, %s; want one", status, n, out)
	}

	if err := fleet.Inject(twin.Fault{Host: "MBX2", Name: "clock-off", Offset: 9 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	for _, each := range []struct {
		what, host string
		args       []string
		status     int
		wants      []string
	}{
		{"a wrong password", mbx1, with(at, "--password-file", wrong), 1, []string{`"denied"`, "KDC " + k.Address, "refused the password of wkwinrm@CORP.EXAMPLE", "not tried again until it is changed"}},
		{"an unknown account", mbx1, []string{"--user", "nobody@" + kdctest.Realm, "--kdc", k.Address, "--password-file", password}, 1, []string{`"denied"`, "no account nobody@CORP.EXAMPLE", "check the name and its realm"}},
		{"another realm", mbx1, []string{"--user", kdctest.Account, "--realm", "OTHER.EXAMPLE", "--kdc", k.Address, "--password-file", password}, 1, []string{`"denied"`, "wkwinrm@OTHER.EXAMPLE", "check the name and its realm"}},
		{"an unknown service", gone, with(at, "--password-file", password), 1, []string{`"refused"`, "no service HTTP/mbx9.corp.example", "full DNS name", "setspn -L"}},
		{"another service", mbx1, with(at, "--password-file", password, "--spn", "WSMAN"), 1, []string{`"refused"`, "no service WSMAN/mbx1.corp.example", "setspn -L"}},
		{"another host's name", "mbx2.corp.example=127.0.134.1:5985", with(at, "--password-file", password), 1, []string{`"denied"`, "HTTP/mbx2.corp.example cannot open its ticket", "setspn -Q"}},
		{"the host's clock", mbx2, with(at, "--password-file", password), 1, []string{"9m0s behind that of HTTP/mbx2.corp.example", "allowed: 5m0s", "correct the time here or there"}},
		{"a name without an address", "mbx1.corp.example=", with(at, "--password-file", password), 2, []string{"name=host:port"}},
		{"a port in the name", "mbx1.corp.example:88=127.0.134.1", with(at, "--password-file", password), 2, []string{"name=host:port"}},
		{"no KDC", mbx1, with(user, "--password-file", password, "--kdc", "127.0.134.251:88"), 1, []string{`"unreachable"`, "127.0.134.251:88", "port 88/tcp"}},
		{"a keytab that is not there", mbx1, with(at, "--keytab", "/nonexistent/wk.keytab"), 2, []string{"/nonexistent/wk.keytab", "no such file", "readable for uid"}},
		{"a folder in place of a keytab", mbx1, with(at, "--keytab", filepath.Dir(password)), 2, []string{"keytab", filepath.Dir(password), "directory"}},
		{"a cut keytab", mbx1, with(at, "--keytab", damaged), 2, []string{"cut or damaged", "ktpass or ktutil"}},
		{"a keytab of others", mbx1, with(at, "--keytab", k.HostKeytab), 2, []string{k.HostKeytab, "wkwinrm@CORP.EXAMPLE"}},
		{"a ticket cache that is none", mbx1, with(at, "--ccache", damaged), 2, []string{damaged, "ticket cache"}},
		{"a krb5.conf that is not there", mbx1, with(user, "--password-file", password, "--krb5-conf", "/nonexistent/krb5.conf"), 2, []string{"--krb5-conf", "/nonexistent/krb5.conf", "no such file"}},
	} {
		asked := k.Count(t, "_REQ")
		status, said := exec(each.host, each.args...)
		if status != each.status {
			t.Errorf("%s: status %d, %s; want %d", each.what, status, said, each.status)
		}
		for _, want := range each.wants {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %s; want %q in it", each.what, said, want)
			}
		}
		if n := k.Count(t, "_REQ") - asked; each.status == 2 && n != 0 {
			t.Errorf("%s: the KDC was asked %d times, want not at all", each.what, n)
		}
	}
	if proofs := fleet.Proofs(); len(proofs) != 0 {
		t.Errorf("hosts were shown passwords: %v", proofs)
	}
}

// TestExecByKerberosBesideAnotherClock: the password is not shown to a KDC whose
// clock differs, and the difference is said.
func TestExecByKerberosBesideAnotherClock(t *testing.T) {
	t.Parallel()
	k := kdctest.New(t, "127.0.134.249", "+9m", "mbx1.corp.example")
	ticketFleet(t, k, "server,fqdn,roles,build,address,port\nMBX1,mbx1.corp.example,Mailbox,8.0.685.25,127.0.134.3,5985\n", "http")
	status, out, _ := run(t, "", "exec", "--json", "--auth", "kerberos", "--timeout", "20s", "--host", "mbx1.corp.example=127.0.134.3:5985",
		"--user", kdctest.Account+"@"+kdctest.Realm, "--kdc", k.Address, "--password-file", file(t, kdctest.Password), "--", "hostname")
	for _, want := range []string{`"refused"`, "9m0s behind KDC " + k.Address, "correct the time here or there"} {
		if status != 1 || !strings.Contains(out, want) {
			t.Errorf("status %d, %s; want %q", status, out, want)
		}
	}
	if n := k.Count(t, "PREAUTH_FAILED") + k.Count(t, "ISSUE"); n != 0 {
		t.Errorf("the KDC judged the password %d times, want never", n)
	}
}

// TestAKeytabIsStoredAndRotated: a profile by Kerberos, its keytab, and a password
// in place of it, which one host is asked about; a wrong one is shown to the KDC
// once, and the keytab stays.
func TestAKeytabIsStoredAndRotated(t *testing.T) {
	t.Parallel()
	const csv = "server,fqdn,roles,build,address,port\nMBX1,mbx1.corp.example,Mailbox,8.0.685.25,127.0.134.4,5985\n"
	k := kdctest.New(t, "127.0.134.247", "", "mbx1.corp.example")
	ticketFleet(t, k, csv, "http")
	inv, faults := exchange.ReadInventory(strings.NewReader(csv))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	d := storetest.New(t)
	at := []string{"--database-url", d.URL}
	key := append([]string{"--key-file", filepath.Join(t.TempDir(), "key")}, at...)
	must(t, "", append([]string{"profile", "set", "default", "--range", "127.0.0.0/8", "--auth", "kerberos", "--http", "--realm", kdctest.Realm, "--kdc", k.Address}, at...)...)
	if _, err := d.Store.ImportInventory(t.Context(), store.Actor{Name: "test"}, inv, nil, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	set := append([]string{"credential", "set", "--purpose", "winrm", "--account", kdctest.Account}, key...)
	if status, _, problems := run(t, "", append(set, "--keytab", file(t, "this is no keytab"))...); status == 0 || !strings.Contains(problems, "is no keytab") || !strings.Contains(problems, "ktpass or ktutil") {
		t.Errorf("a keytab that is none: status %d, %s", status, problems)
	}
	must(t, "", append(set, "--keytab", k.AccountKeytab)...)
	if out := must(t, "", append([]string{"credential", "list"}, at...)...); !strings.Contains(out, "keytab") || !strings.Contains(out, "not tried") {
		t.Errorf("credential list:\n%s", out)
	}
	rotate := func(secret ...string) (int, string) {
		status, out, problems := run(t, "", append(append([]string{"credential", "rotate"}, key...), secret...)...)
		return status, out + problems
	}
	if status, said := rotate("--password-file", file(t, "Not-The-One-7\n")); status == 0 || !strings.Contains(said, "KDC "+k.Address+" refused the password") || !strings.Contains(said, "the old one stays") || k.Count(t, "PREAUTH_FAILED") != 1 {
		t.Errorf("a wrong password, %d times at the KDC: status %d, %s", k.Count(t, "PREAUTH_FAILED"), status, said)
	}
	if out := must(t, "", append([]string{"credential", "list"}, at...)...); !strings.Contains(out, "keytab") {
		t.Errorf("credential list:\n%s", out)
	}
	if status, said := rotate("--password-file", file(t, kdctest.Password+"\n")); status != 0 || !strings.Contains(said, "MBX1 took the new secret") {
		t.Errorf("the right password: status %d, %s", status, said)
	}
}
