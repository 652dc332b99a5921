package jobs

import (
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// accessible is an engine with one profile and its credential.
func accessible(t *testing.T) (e *Engine, d storetest.DB, p store.Profile, c store.SealedCredential) {
	t.Helper()
	ctx, admin := t.Context(), store.Actor{Name: "test", From: "test", Roles: []string{"admin"}}
	d = storetest.New(t)
	key, err := secret.Load(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	p = store.Profile{Name: "default", Auth: store.AuthKerberos, Realm: "CORP.EXAMPLE", KDCs: []string{"127.0.152.250:1"}, Ranges: []string{"127.0.0.0/8"}}
	if p.ID, err = d.Store.SaveProfile(ctx, admin, p); err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal([]byte("Secret-1"), p.ID, store.PurposeWinRM)
	if err != nil {
		t.Fatal(err)
	}
	c = store.SealedCredential{ProfileID: p.ID, Purpose: store.PurposeWinRM, Account: "wk", Sealed: sealed, KeyID: key.ID()}
	if err := d.Store.SetCredential(ctx, admin, c); err != nil {
		t.Fatal(err)
	}
	if c, err = d.Store.CredentialFor(ctx, p.ID, store.PurposeWinRM); err != nil {
		t.Fatal(err)
	}
	if e, err = New(Options{Store: d.Store, Keys: key, Table: runbook.Standalone(), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}); err != nil {
		t.Fatal(err)
	}
	return e, d, p, c
}

// TestASlowDatabaseStopsNoOtherWay: while one credential's hosts are looked up,
// those of others that are known go on.
func TestASlowDatabaseStopsNoOtherWay(t *testing.T) {
	t.Parallel()
	e, d, p, c := accessible(t)
	known, err := e.access(t.Context(), p, c)
	if err != nil {
		t.Fatal(err)
	}
	stuck, err := d.Store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := p
	other.SPNService = "WSMAN" // the profile was changed: it is made anew
	if _, err := stuck.Exec(t.Context(), "SELECT 1 FROM credential WHERE id = $1 FOR UPDATE", c.ID); err != nil {
		t.Fatal(err)
	}
	anew := c
	anew.Digest = "not the one" // it is kept anew, which waits for the row
	made := make(chan *access, 1)
	go func() {
		one, err := e.access(t.Context(), other, anew)
		if err != nil {
			t.Error(err)
		}
		made <- one
	}()
	waits := func() (n int) {
		if err := d.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for deadline := time.Now().Add(20 * time.Second); waits() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("it does not wait for the database")
		}
	}
	if got, err := e.access(t.Context(), p, c); got != known || err != nil {
		t.Errorf("meanwhile the other is %p, %v, want %p", got, err, known)
	}
	if err := stuck.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if one := <-made; one == nil || one == known {
		t.Errorf("made %p, want one of its own", one)
	}
}

// TestTicketsOfReplacedCredentialsGo: from memory, once nobody may need them.
func TestTicketsOfReplacedCredentialsGo(t *testing.T) {
	t.Parallel()
	e, d, p, c := accessible(t)
	gone := func(a *access) bool {
		_, err := a.tickets.Service(t.Context(), "HTTP/h.corp.example")
		return errors.Is(err, kerberos.ErrConfig)
	}
	first, err := e.access(t.Context(), p, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.SetCredential(t.Context(), store.Actor{Name: "test", From: "test", Roles: []string{"admin"}}, store.SealedCredential{ProfileID: p.ID, Purpose: c.Purpose, Account: "wk", Sealed: c.Sealed, KeyID: c.KeyID}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, after := range []time.Duration{0, pastLimit / 2} {
		if err := e.tidyAccesses(t.Context(), now.Add(after)); err != nil || gone(first) {
			t.Errorf("after %s: %v, forgotten %t; calls may be under way", after, err, gone(first))
		}
	}
	if err := e.tidyAccesses(t.Context(), now.Add(2*pastLimit)); err != nil || !gone(first) || len(e.accesses.by)+len(e.accesses.past) != 0 {
		t.Errorf("later: %v, forgotten %t, %d kept", err, gone(first), len(e.accesses.by)+len(e.accesses.past))
	}
	if c, err = d.Store.CredentialFor(t.Context(), p.ID, c.Purpose); err != nil {
		t.Fatal(err)
	}
	second, err := e.access(t.Context(), p, c)
	if err != nil || gone(second) {
		t.Fatalf("the next one: %v", err)
	}
	e.accesses.close()
	if !gone(second) {
		t.Error("the program's end leaves it")
	}
}

// TestAHostStaysAtTheAddressItAnsweredAt: whatever order the name service has.
func TestAHostStaysAtTheAddressItAnsweredAt(t *testing.T) {
	t.Parallel()
	second, err := net.Listen("tcp", "127.0.152.242:0")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	_, port, err := net.SplitHostPort(second.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	host := store.HostAddress{ID: 1, Port: second.Addr().(*net.TCPAddr).Port}
	e := &Engine{conns: conns{by: map[int64]cachedConn{}}}
	all := []string{"127.0.152.241", "127.0.152.242"}
	if got, _ := e.dial(t.Context(), host, store.Profile{}, all); got != all[1] {
		t.Errorf("dials %s, where nothing listens", got)
	}
	conn, err := winrm.New(winrm.Config{Address: all[1], Port: host.Port, Account: winrm.Basic("wk", "x"), AllowPlain: true})
	if err != nil {
		t.Fatal(err)
	}
	e.conns.by[1] = cachedConn{dial: all[1], conn: conn}
	first, err := net.Listen("tcp", net.JoinHostPort(all[0], port))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if got, alive := e.dial(t.Context(), host, store.Profile{}, all); got != all[1] || alive {
		t.Errorf("dials %s (alive %t), want to stay", got, alive)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	e.conns.used(1, conn)
	if got, alive := e.dial(t.Context(), host, store.Profile{}, all); got != all[1] || !alive {
		t.Errorf("right after its use dials %s (alive %t), want to stay without asking", got, alive)
	}
	e.conns.by[1] = cachedConn{dial: all[1], conn: conn}
	if got, _ := e.dial(t.Context(), host, store.Profile{}, all); got != all[0] {
		t.Errorf("once it answers no more dials %s", got)
	}
	if got, alive := e.dial(t.Context(), host, store.Profile{}, all[:1]); got != all[0] || alive {
		t.Errorf("once it is named no more dials %s (alive %t)", got, alive)
	}
}

// TestReplacedConnectionsAreEndedBeforeTheProgram: their shells with them.
func TestReplacedConnectionsAreEndedBeforeTheProgram(t *testing.T) {
	t.Parallel()
	fleet, err := twin.Start(t.Context(), twin.Options{User: "wk", Password: "winrm-Secret1", Speed: 1000, Servers: []exchange.Server{{
		Name: "MBX1", FQDN: "mbx1.lab.test", Roles: []exchange.Role{exchange.Mailbox}, Language: "en-US", Arch: "x64", Address: "127.0.152.243", Port: 5985,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fleet.Close() })
	c := conns{by: map[int64]cachedConn{}}
	for _, way := range []string{"a", "b", "c"} {
		conn, _, err := c.of(1, way, "127.0.152.243", nil, nil, func(*shown) (*winrm.Conn, error) {
			return winrm.New(winrm.Config{Address: "127.0.152.243", Port: 5985, Account: winrm.Basic("wk", "winrm-Secret1"), AllowPlain: true})
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := windows.New(conn).Facts(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.close()
	if load, err := fleet.Load("MBX1"); err != nil || load.Shells != 0 {
		t.Errorf("after the end the host has %+v, %v, want no shell", load, err)
	}
}

// TestTheSameSecretOfAnAccountHasOneDigest: however the account is written; and
// those that each host has for itself have none.
func TestTheSameSecretOfAnAccountHasOneDigest(t *testing.T) {
	t.Parallel()
	load := func() *secret.Key {
		key, err := secret.Load(filepath.Join(t.TempDir(), "key"))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key := load()
	of := func(keys Opener, auth, purpose, account, secret string) string {
		return digest(keys, store.Profile{Auth: auth, Realm: "CORP.EXAMPLE"}, store.SealedCredential{Account: account, Purpose: purpose}, []byte(secret))
	}
	want := of(key, store.AuthNTLM, store.PurposeWinRM, `CORP\wk`, "x")
	for what, got := range map[string]string{
		"other case":      of(key, store.AuthNTLM, store.PurposeWinRM, `corp\WK`, "x"),
		"the long name":   of(key, store.AuthNTLM, store.PurposeWinRM, "wk@corp.example", "x"),
		"by Kerberos":     of(key, store.AuthKerberos, store.PurposeWinRM, "wk", "x"),
		"as run-as":       of(key, store.AuthBasic, store.PurposeRunAs, `CORP\wk`, "x"),
		"another run-as":  of(key, store.AuthBasic, store.PurposeRunAs, `CORP\wk2`, "x"),
		"another secret":  of(key, store.AuthNTLM, store.PurposeWinRM, `CORP\wk`, "y"),
		"another domain":  of(key, store.AuthNTLM, store.PurposeWinRM, `LAB\wk`, "x"),
		"another key":     of(load(), store.AuthNTLM, store.PurposeWinRM, `CORP\wk`, "x"),
		"Basic":           of(key, store.AuthBasic, store.PurposeWinRM, "wk", "x"),
		"the host's own":  of(key, store.AuthNTLM, store.PurposeWinRM, `.\wk`, "x"),
		"own, for run-as": of(key, store.AuthNTLM, store.PurposeRunAs, `.\wk`, "x"),
	} {
		same := map[string]bool{"other case": true, "the long name": true, "by Kerberos": true, "as run-as": true}[what]
		none := map[string]bool{"Basic": true, "the host's own": true, "own, for run-as": true}[what]
		if (got == want) != same || (got == "") != none {
			t.Errorf("%s: %q beside %q", what, got, want)
		}
	}
}
