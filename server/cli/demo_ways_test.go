package cli

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/deploy/demo"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// TestTheDemoReachesItsHostsInSeveralWays furnishes a database, starts the hosts
// of both fleets as the demo does, and logs on to each as its profile says.
func TestTheDemoReachesItsHostsInSeveralWays(t *testing.T) {
	t.Parallel()
	mixed, err := os.ReadFile(filepath.Join("..", "..", "deploy", "demo", "fleet-mixed.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		fleet, from, to string
		want            []string
	}{
		"its own": {string(demo.Fleet), "127.0.12.", "127.124.1.", []string{"branch-https 4", "perimeter-pin 1", "sealed-ntlm 7"}},
		"mixed":   {string(mixed), "127.0.13.", "127.124.2.", []string{"default 7", "perimeter-first-use 1", "sealed-ntlm 4"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fleet := []byte(strings.ReplaceAll(tc.fleet, tc.from, tc.to))
			servers, profiles, err := demoHosts(fleet)
			if err != nil {
				t.Fatal(err)
			}
			s := storetest.New(t).Store
			actor := store.Actor{Name: "demo", From: "command line", Roles: []string{"admin"}}
			dir := t.TempDir()
			keyFile, certificates := filepath.Join(dir, "key"), filepath.Join(dir, "certificates")
			secrets := demoSecrets{WinRM: "Winrm-1", RunAs: "Runas-2"}
			if err := furnishHosts(t.Context(), s, actor, keyFile, secrets); err != nil {
				t.Fatal(err)
			}
			for range 2 { // a second start changes nothing
				if err := furnishWays(t.Context(), s, actor, fleet, keyFile, certificates, secrets); err != nil {
					t.Fatal(err)
				}
			}
			o := twin.Options{Servers: servers, User: demoUser, Password: "Winrm-1", TLSDir: certificates}
			cmd := TwinCmd{Access: demoAccess(profiles)}
			if err := cmd.access(&o); err != nil {
				t.Fatal(err)
			}
			hosts, err := twin.Start(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = hosts.Close() })
			counted := map[string]int{}
			for _, server := range servers {
				p, err := s.ProfileByName(t.Context(), server.Profile)
				if err != nil {
					t.Fatal(err)
				}
				counted[p.Name]++
				account, err := winrm.NewAccount(winrm.AccountConfig{Auth: winrm.Auth(p.Auth), User: demoUser, Password: "Winrm-1"})
				if err != nil {
					t.Fatal(err)
				}
				conn, err := winrm.New(winrm.Config{
					Address: server.Address, Port: server.Port, Host: server.FQDN, Account: account, AllowPlain: p.PlainBasic,
					TLS: demoTLS(t, p), OperationTimeout: 5 * time.Second,
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(conn.Close)
				result, err := windows.New(conn).Run(t.Context(), "hostname")
				if p.Trust == store.TrustFirstUse {
					var untrusted *winrm.Untrusted
					if !errors.As(err, &untrusted) {
						t.Errorf("%s: %v, want a certificate that a person confirms", server.Name, err)
					}
					continue
				}
				if got := strings.TrimSpace(string(result.Stdout)); err != nil || !strings.EqualFold(got, server.Name) {
					t.Errorf("%s by %s: %q %v", server.Name, p.Name, got, err)
				}
			}
			var got []string
			for name, n := range counted {
				got = append(got, name+" "+string(rune('0'+n)))
			}
			if slices.Sort(got); !slices.Equal(got, tc.want) {
				t.Errorf("ways %v, want %v", got, tc.want)
			}
		})
	}
}

// demoTLS is a profile's trust, as the coordinator makes it.
func demoTLS(t *testing.T, p store.Profile) *winrm.TLS {
	t.Helper()
	if !p.HTTPS {
		return nil
	}
	config := &winrm.TLS{Old: p.TLS10, OnlyPins: p.Trust != store.TrustCA}
	if p.CAPEM != "" {
		config.CAs = x509.NewCertPool()
		config.CAs.AppendCertsFromPEM([]byte(p.CAPEM))
	}
	for _, text := range p.Pins {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		config.Pins = append(config.Pins, winrm.Pin(raw))
	}
	return config
}

func TestTwinTellsItsWordsOfAccess(t *testing.T) {
	t.Parallel()
	_, help, _ := run(t, "", "twin", "--help")
	if words := strings.Join(twin.AccessWords(), ", "); !strings.Contains(strings.Join(strings.Fields(help), " "), words) {
		t.Errorf("the help of twin does not name %q:\n%s", words, help)
	}
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("Pw-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var o twin.Options
	cmd := TwinCmd{Access: []string{"*=http,ntlm", "EDGE*=https,tls1.0,basic"}, Account: []string{`CORP\wk=` + password, `CORP\ticket`}}
	if err := cmd.access(&o); err != nil {
		t.Fatal(err)
	}
	if len(o.Access) != 2 || !o.Access[1].OldTLS || len(o.Accounts) != 2 || o.Accounts[0] != (twin.Account{Name: `CORP\wk`, Password: "Pw-1", Admin: true}) {
		t.Errorf("%+v", o)
	}
	if err := (&TwinCmd{Access: []string{"*=htps"}}).access(&o); err == nil || !strings.Contains(err.Error(), `nearest known is "https"`) {
		t.Errorf("a wrong word: %v", err)
	}
}
