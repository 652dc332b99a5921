package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"wavekeeper/server/store/storetest"
)

// TestNoSecondKeyIsMadeBesideSealedAccounts: a forgotten --key-file would seal
// accounts under a key that the console does not have.
func TestNoSecondKeyIsMadeBesideSealedAccounts(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	dir := t.TempDir()
	set := func(file string, more ...string) (int, string) {
		status, out, problems := run(t, "sesame\n", append([]string{"credential", "set", "--purpose", "winrm", "--account", "wk", "--key-file", filepath.Join(dir, file), "--database-url", d.URL}, more...)...)
		return status, out + problems
	}
	if status, said := set("first"); status != 0 {
		t.Fatal(said)
	}
	all, err := d.Store.Credentials(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("Credentials = %v, %v, want one", all, err)
	}
	if status, said := set("second"); status != 1 || !strings.Contains(said, all[0].KeyID+" (winrm of profile default)") || !strings.Contains(said, "--key-file") {
		t.Errorf("another key file: status %d, %s", status, said)
	}
	if made, _ := filepath.Glob(filepath.Join(dir, "second")); len(made) != 0 {
		t.Error("a second key was made")
	}
	if status, said := set("first"); status != 0 {
		t.Errorf("the same key again: %s", said)
	}
	if status, said := set("second", "--new-key"); status != 0 {
		t.Errorf("a new key by name: %s", said)
	}
}

// TestRubbishIsNoWayToHosts: what cannot work is refused when it is set, not by
// the first host.
func TestRubbishIsNoWayToHosts(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	rubbish := file(t, "rubbish {")
	kerberos := []string{"--auth", "kerberos", "--suffix", "corp.example"}
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"authorities":         {[]string{"--suffix", "corp.example", "--ca", rubbish}, 1, "no PEM certificate"},
		"krb5.conf":           {append(kerberos, "--krb5-conf", rubbish), 2, "no krb5.conf"},
		"krb5.conf of nobody": {append(kerberos, "--krb5-conf", file(t, "[libdefaults]\n")), 2, "names no realm"},
		"KDC":                 {append(kerberos, "--kdc", "%%%"), 1, "is no KDC"},
		"service":             {append(kerberos, "--spn", "RUBBISH"), 1, "no service by which WinRM is known"},
		"service without":     {[]string{"--suffix", "corp.example", "--spn", "WSMAN"}, 1, "is for Kerberos"},
		"no host":             {[]string{"--auth", "ntlm"}, 0, "may be used for no host so far"},
		"good":                {append(kerberos, "--kdc", "dc1.corp.example:88,127.0.140.1", "--spn", "wsman"), 0, "saved profile x\n"},
	} {
		status, out, problems := run(t, "", append(append([]string{"profile", "set", "x"}, c.args...), "--database-url", d.URL)...)
		if status != c.status || !strings.Contains(out+problems, c.want) {
			t.Errorf("%s: status %d, %q, %q, want %d and %q", name, status, out, problems, c.status, c.want)
		}
	}
	set := []string{"credential", "set", "--purpose", "winrm", "--account", "wk@CORP.EXAMPLE", "--key-file", filepath.Join(t.TempDir(), "key"), "--database-url", d.URL}
	if status, _, problems := run(t, "", append(set, "--ccache", rubbish)...); status == 0 || !strings.Contains(problems, "no ticket cache") {
		t.Errorf("a ticket cache that is none: status %d, %s", status, problems)
	}
}

// TestEachNamedHostIsVisited: the flag can be repeated; a host is named once.
func TestEachNamedHostIsVisited(t *testing.T) {
	t.Parallel()
	password := file(t, "secret")
	to := func(hosts ...string) (int, string) {
		args := []string{"exec", "--user", "wk", "--password-file", password, "--timeout", "5s"}
		for _, h := range hosts {
			args = append(args, "--host", h)
		}
		status, out, problems := run(t, "", append(args, "--", "hostname")...)
		return status, out + problems
	}
	if status, said := to("127.0.140.2:1", "127.0.140.3:1"); status != 1 || !strings.Contains(said, "127.0.140.2:1") || !strings.Contains(said, "127.0.140.3:1") {
		t.Errorf("two hosts: status %d, %s", status, said)
	}
	if status, said := to("127.0.140.2:1", "127.0.140.2:1"); status != 2 || !strings.Contains(said, "named twice") {
		t.Errorf("one host twice: status %d, %s", status, said)
	}
	if status, said := to(); status != 2 || !strings.Contains(said, "--host or --hosts") {
		t.Errorf("no host: status %d, %s", status, said)
	}
}

// TestNothingNearIsNotSuggested: a name is suggested when it was likely meant.
func TestNothingNearIsNotSuggested(t *testing.T) {
	t.Parallel()
	inventory := file(t, "server,roles,build\nA,CAS,8.0.685.25\n")
	if _, _, problems := run(t, "", "plan", "--inventory", inventory, "--package", "windows"); strings.Contains(problems, "nearest") || !strings.Contains(problems, "unknown package") {
		t.Errorf("a package that is near to none: %s", problems)
	}
	fleet := file(t, "server,fqdn,roles,site,address\nCAS1,cas1.lab.test,ClientAccess,HQ,127.0.140.9\n")
	status, _, problems := run(t, "", "twin", "--fleet", fleet, "--user", "u", "--password-file", file(t, "p"), "--access", "CAS2=https")
	if status != 2 || !strings.Contains(problems, "it fits no host of the fleet: the nearest is \"CAS1\"") {
		t.Errorf("an access of no host: status %d, %s", status, problems)
	}
}
