package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// accessFleet is simulated hosts that are reached as access says.
func accessFleet(t *testing.T, csv, access string) (*twin.Fleet, exchange.Inventory) {
	t.Helper()
	inv, faults := exchange.ReadInventory(strings.NewReader(csv))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	way, err := twin.ParseAccess("*=" + access)
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := twin.Start(context.Background(), twin.Options{
		Servers: inv.Servers, User: "wk", Password: "Right-One-1", Access: []twin.HostAccess{way}, Speed: 2000,
		Accounts: []twin.Account{{Name: `CORP\wk`, Password: "Right-One-1", Admin: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Close() })
	return fleet, inv
}

// proofs counts what the hosts were shown, and refused.
func proofs(f *twin.Fleet) (sent, refused int) {
	for _, p := range f.Proofs() {
		sent, refused = sent+p.Sent, refused+p.Refused
	}
	return sent, refused
}

func TestExecByNTLMOverHTTPAndByPin(t *testing.T) {
	t.Parallel()
	sealed, _ := accessFleet(t, "server,fqdn,roles,build,address,port\nMBX1,mbx1.corp.example,Mailbox,8.0.685.25,127.0.137.211,5985\nMBX2,mbx2.corp.example,Mailbox,8.0.685.25,127.0.137.212,5985\nMBX3,mbx3.corp.example,Mailbox,8.0.685.25,127.0.137.213,5985\n", "http,ntlm")
	password, wrong := file(t, "Right-One-1\n"), file(t, "Not-The-One-1\n")
	account := []string{"--user", `CORP\wk`, "--auth", "ntlm"}
	args := func(host, password string, more ...string) []string {
		return append(append([]string{"exec", "--json", "--host", host, "--password-file", password}, account...), more...)
	}
	if status, out, problems := run(t, "", append(args("127.0.137.211:5985", password), "--", "hostname")...); status != 0 || !strings.Contains(out, "mbx1") {
		t.Errorf("sealed http: status %d, %s%s", status, out, problems)
	}
	hosts := file(t, "127.0.137.211:5985\n127.0.137.212:5985\n127.0.137.213:5985\n")
	_, before := proofs(sealed)
	status, out, _ := run(t, "", append([]string{"exec", "--json", "--hosts", hosts, "--password-file", wrong}, append(account, "--", "hostname")...)...)
	if _, after := proofs(sealed); status != 1 || after-before != 1 || strings.Count(out, `"denied"`) != 3 || strings.Count(out, "nothing was sent") != 2 {
		t.Errorf("a wrong password at three hosts: status %d, %d refused proofs, %s; want one, and two hosts that got none", status, after-before, out)
	}

	status, out, _ = run(t, "", "exec", "--json", "--host", "127.0.137.211:5985", "--user", "wk@CORP.EXAMPLE", "--password-file", password, "--auth", "kerberos", "--kdc", "127.0.137.253:88", "--timeout", "10s", "--", "hostname")
	if status != 1 || !strings.Contains(out, "full DNS name") {
		t.Errorf("Kerberos to a number: status %d, %s; want to be told that a name is needed", status, out)
	}

	pinned, _ := accessFleet(t, "server,fqdn,roles,build,address,port\nCAS1,cas1.corp.example,ClientAccess,8.0.685.25,127.0.137.214,5986\n", "https,ntlm,self-signed,tls1.0")
	pin, err := pinned.Pin("CAS1")
	if err != nil {
		t.Fatal(err)
	}
	https := []string{"--https", "--tls10"}
	for _, each := range []struct {
		what   string
		flags  []string
		status int
		wants  []string
	}{
		{"the right pin", []string{"--pin", fmt.Sprintf("%X", pin)}, 0, []string{"cas1"}},
		{"another pin", []string{"--pin", strings.Repeat("ab", 32)}, 1, []string{`"untrusted"`, "another certificate", "nothing was sent"}},
		{"first use", []string{"--trust", "first-use"}, 1, []string{`"untrusted"`, "nothing was sent", fmt.Sprintf("%X", pin[:1]) + ":"}},
		{"authorities", nil, 1, []string{`"untrusted"`, "nothing was sent"}},
	} {
		before, _ := proofs(pinned)
		status, out, problems := run(t, "", append(args("127.0.137.214:5986", password, append(https, each.flags...)...), "--", "hostname")...)
		if status != each.status {
			t.Errorf("%s: status %d, %s%s", each.what, status, out, problems)
		}
		for _, want := range each.wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %s; want %s", each.what, out, want)
			}
		}
		if sent, _ := proofs(pinned); each.status != 0 && sent != before {
			t.Errorf("%s: %d proofs were sent, want none", each.what, sent-before)
		}
	}
}

// TestBadInputSaysWhatWhereAndWhatToDo: nothing is sent to any host.
func TestBadInputSaysWhatWhereAndWhatToDo(t *testing.T) {
	t.Parallel()
	password := file(t, "Right-One-1\n")
	none := filepath.Join(t.TempDir(), "none.keytab")
	damaged := file(t, "this is no keytab")
	for _, each := range []struct {
		what  string
		flags []string
		wants []string
	}{
		{"no account", []string{"--password-file", password}, []string{"--user", "CONTOSO"}},
		{"no password", []string{"--user", "wk"}, []string{"--password-file"}},
		{"a keytab for NTLM", []string{"--user", "wk", "--auth", "ntlm", "--keytab", damaged}, []string{"--auth kerberos, not ntlm"}},
		{"a keytab that is not there", []string{"--user", "wk@CORP.EXAMPLE", "--auth", "kerberos", "--keytab", none}, []string{"keytab", none, "no such file", "readable for uid"}},
		{"a keytab that is none", []string{"--user", "wk@CORP.EXAMPLE", "--auth", "kerberos", "--keytab", damaged}, []string{"is no keytab", damaged, "ktpass or ktutil"}},
		{"no realm", []string{"--user", "wk", "--auth", "kerberos", "--password-file", password}, []string{"realm"}},
		{"a thumbprint", []string{"--user", "wk", "--password-file", password, "--https", "--pin", strings.Repeat("ab", 20)}, []string{"--pin", "SHA-256", "64 hexadecimal digits"}},
		{"a pin for http", []string{"--user", "wk", "--password-file", password, "--pin", strings.Repeat("ab", 32)}, []string{"--https"}},
		{"a certificate that is none", []string{"--auth", "certificate", "--certificate", damaged, "--https"}, []string{"--certificate", "PEM file with certificate and key"}},
	} {
		status, out, problems := run(t, "", append(append([]string{"exec", "--host", "127.0.137.254"}, each.flags...), "--", "hostname")...)
		if status != 2 || out != "" {
			t.Errorf("%s: status %d, %s; want 2 and nothing", each.what, status, out)
		}
		for _, want := range each.wants {
			if !strings.Contains(problems, want) {
				t.Errorf("%s: %q, want %q in it", each.what, problems, want)
			}
		}
	}
	status, out, _ := run(t, "", "exec", "--json", "--host", "nowhere.invalid", "--user", "wk", "--password-file", password, "--auth", "ntlm", "--timeout", "10s", "--", "hostname")
	if status != 1 || !strings.Contains(out, `"unreachable"`) || !strings.Contains(out, "nowhere.invalid") {
		t.Errorf("an unknown host: status %d, %s", status, out)
	}
}

// TestCredentialIsRotatedOnlyWhenAHostTookIt: one proof, and the old one stays
// when it is refused; a certificate that nobody confirmed gets none.
func TestCredentialIsRotatedOnlyWhenAHostTookIt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	fleet, inv := accessFleet(t, "server,fqdn,roles,build,address,port\nCAS1,cas1.corp.example,ClientAccess,8.0.685.25,127.0.137.215,5986\n", "https,ntlm,self-signed")
	d := storetest.New(t)
	at := []string{"--database-url", d.URL}
	key := append([]string{"--key-file", filepath.Join(t.TempDir(), "key")}, at...)
	must(t, "", append([]string{"profile", "set", "default", "--range", "127.0.0.0/8", "--auth", "ntlm", "--trust", "first-use"}, at...)...)
	if out := must(t, "", append([]string{"profile", "list"}, at...)...); !strings.Contains(out, "ntlm") || !strings.Contains(out, "first-use") {
		t.Errorf("profile list:\n%s", out)
	}
	if _, err := d.Store.ImportInventory(ctx, store.Actor{Name: "test"}, inv, nil, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	must(t, "Old-One-1\n", append([]string{"credential", "set", "--purpose", "winrm", "--account", `CORP\wk`}, key...)...)
	rotate := func(password string) (int, string) {
		status, out, problems := run(t, password+"\n", append([]string{"credential", "rotate", "--reason", "quarterly"}, key...)...)
		return status, out + problems
	}
	if status, said := rotate("Right-One-1"); status == 0 || !strings.Contains(said, "not trusted") || !strings.Contains(said, "the old one stays") {
		t.Errorf("at a certificate that nobody confirmed: status %d, %s", status, said)
	}
	if sent, _ := proofs(fleet); sent != 0 {
		t.Errorf("%d proofs were sent, want none", sent)
	}
	pin, err := fleet.Pin("CAS1")
	if err != nil {
		t.Fatal(err)
	}
	must(t, "", append([]string{"pin", "add", "cas1", fmt.Sprintf("%x", pin), "--reason", "read at the console"}, at...)...)
	if out := must(t, "", append([]string{"pin", "list", "cas1"}, at...)...); !strings.Contains(out, "confirmed") || !strings.Contains(out, "read at the console") {
		t.Errorf("pin list:\n%s", out)
	}
	if status, said := rotate("Not-The-One-2"); status == 0 || !strings.Contains(said, "since it was refused; the old one stays") || strings.Contains(said, "Not-The-One-2") {
		t.Errorf("a wrong one: status %d, %s", status, said)
	}
	if sent, refused := proofs(fleet); sent != 1 || refused != 1 {
		t.Errorf("%d proofs, %d refused; want one", sent, refused)
	}
	if out := must(t, "", append([]string{"credential", "list"}, at...)...); !strings.Contains(out, "not tried") {
		t.Errorf("credential list:\n%s", out)
	}
	if status, said := rotate("Right-One-1"); status != 0 || !strings.Contains(said, "CAS1 took the new secret") {
		t.Errorf("the right one: status %d, %s", status, said)
	}
	out := must(t, "", append([]string{"credential", "list"}, at...)...)
	if !strings.Contains(out, "taken by CAS1") || strings.Contains(out, "Right-One-1") {
		t.Errorf("credential list:\n%s", out)
	}
	c, err := d.Store.CredentialFor(ctx, 1, store.PurposeWinRM)
	if err != nil || c.Version != 2 {
		t.Fatalf("CredentialFor = %+v, %v, want version 2", c, err)
	}
	if err := d.Store.NoteRefusal(ctx, c, 0, "expired"); err != nil {
		t.Fatal(err)
	}
	if out := must(t, "", append([]string{"credential", "list"}, at...)...); !strings.Contains(out, "refused: default") || !strings.Contains(out, "expired") {
		t.Errorf("credential list:\n%s", out)
	}
	before, _ := proofs(fleet)
	if status, said := rotate("Right-One-1"); status == 0 || !strings.Contains(said, "stored already, and it was refused (expired): nothing was sent") {
		t.Errorf("the same secret, which is refused: status %d, %s", status, said)
	}
	if sent, _ := proofs(fleet); sent != before {
		t.Errorf("%d proofs were sent for the same refused secret", sent-before)
	}
	must(t, "", append([]string{"credential", "retry", "--reason", "unlocked"}, at...)...)
	if n, err := d.Store.Refusals(ctx); len(n) != 0 || err != nil {
		t.Errorf("Refusals = %v, %v, want none", n, err)
	}
	if status, _, problems := run(t, "", append([]string{"credential", "set", "--purpose", "winrm", "--account", "x", "--keytab", file(t, "x")}, key...)...); status == 0 || !strings.Contains(problems, "no keytab") {
		t.Errorf("a keytab that is none: status %d, %s", status, problems)
	}
	var n int
	if err := d.Store.Pool().QueryRow(ctx, "SELECT count(*) FROM audit WHERE what IN ('credential.rotate', 'credential.rotate-refused', 'credential.retry', 'pin.add') AND at > $1", time.Time{}).Scan(&n); err != nil || n != 5 {
		t.Errorf("%d entries on record, %v, want 5", n, err)
	}
}
