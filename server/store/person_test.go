package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

const password = "correct horse battery"

// member adds someone with the password above.
func member(t *testing.T, s *store.Store, name string, roles ...string) int64 {
	t.Helper()
	hash, err := auth.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.AddPerson(t.Context(), erika, store.NewPerson{Name: name, Hash: hash, Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDisablingAPersonEndsTheSessions(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	member(t, s, "root", "admin")
	otto, lead := member(t, s, "otto", "operator"), member(t, s, "lead", "planner")
	sessions := s.Sessions()
	save := func(token string, person int64) {
		t.Helper()
		data, err := scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{store.SessionPerson: person})
		if err != nil {
			t.Fatal(err)
		}
		if err := sessions.CommitCtx(t.Context(), token, data, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	found := func(token string) bool {
		t.Helper()
		_, ok, err := sessions.FindCtx(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	save("a", otto)
	save("b", otto)
	save("c", lead)
	if err := s.SetDisabled(t.Context(), erika, otto, true); err != nil {
		t.Fatal(err)
	}
	save("a", otto) // a request that was under way
	if found("a") || found("b") || !found("c") {
		t.Errorf("sessions found: a %v, b %v, c %v, want only c", found("a"), found("b"), found("c"))
	}
	if _, err := auth.SignIn(t.Context(), s, "otto", password, "127.0.0.1:1"); !errors.Is(err, auth.ErrSignIn) {
		t.Errorf("a disabled person signs in: %v, want ErrSignIn", err)
	}
	if err := s.SetPassword(t.Context(), erika, lead, "hash"); err != nil {
		t.Fatal(err)
	}
	if found("c") {
		t.Error("a session outlived the change of the password")
	}
	expired, err := scs.GobCodec{}.Encode(time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sessions.CommitCtx(t.Context(), "old", expired, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if found("old") {
		t.Error("an expired session was found")
	}
	if err := s.SignInEnded(t.Context(), "root", "127.0.0.1:1", "127.0.0.1", 1, false); err != nil {
		t.Fatal(err)
	}
	var kept int
	if err := s.Pool().QueryRow(t.Context(), "SELECT count(*) FROM session WHERE token = 'old'").Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d expired sessions are kept when somebody signs in, %v, want none", kept, err)
	}
}

func TestSigningInIsCountedByNameAndNetworkAndOnTheRecord(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	otto := member(t, s, "otto", "operator")
	for range 5 {
		if _, err := auth.SignIn(t.Context(), s, "otto", "wrong", "203.0.113.9:1"); !errors.Is(err, auth.ErrSignIn) {
			t.Fatalf("a wrong password: %v, want ErrSignIn", err)
		}
	}
	if _, err := auth.SignIn(t.Context(), s, "otto", password, "203.0.113.9:1"); !errors.Is(err, auth.ErrTooMany) {
		t.Errorf("the sixth attempt: %v, want ErrTooMany", err)
	}
	id, err := auth.SignIn(t.Context(), s, "Otto", password, "10.0.0.7:1")
	if id != otto || err != nil {
		t.Errorf("from elsewhere: %d, %v, want %d", id, err, otto)
	}
	if n, err := s.VerifyAudit(t.Context()); n != 8 || err != nil {
		t.Errorf("the record holds %d entries, %v, want one person added, five failures, one refusal, one sign-in", n, err)
	}
}

func TestFirstAdminNeedsTheTokenOnce(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	if needs, err := s.NeedsFirstAdmin(t.Context()); !needs || err != nil {
		t.Fatalf("NeedsFirstAdmin = %v, %v", needs, err)
	}
	for _, token := range []string{"first", "second"} {
		if err := s.SetFirstAdminToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	add := func(token, name string) error {
		_, err := s.AddFirstAdmin(t.Context(), token, name, "hash", "127.0.0.1")
		return err
	}
	if err := add("first", "anna"); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("the replaced token: %v, want ErrInvalid", err)
	}
	if err := add("second", "anna"); err != nil {
		t.Errorf("the token: %v, want an admin", err)
	}
	if err := add("second", "mallory"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("the token a second time: %v, want ErrConflict", err)
	}
	anna, err := s.PersonByName(t.Context(), "ANNA")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetRoles(t.Context(), erika, anna.ID, []string{"auditor"}); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("taking the last admin's role: %v, want ErrConflict", err)
	}
	if err := s.SetRoles(t.Context(), erika, anna.ID, []string{"admin", "auditor"}); err != nil {
		t.Error(err)
	}
}

func TestProfileIsForItsHostsOnly(t *testing.T) {
	t.Parallel()
	both := store.Profile{Name: "berlin", Ranges: []string{"10.1.0.0/16", "2001:db8::/32"}, Suffixes: []string{"contoso.com"}}
	ranges := store.Profile{Name: "demo", Ranges: []string{"127.0.0.0/8"}}
	suffixes := store.Profile{Name: "names", Suffixes: []string{"contoso.com"}}
	for _, tc := range []struct {
		p             store.Profile
		address, fqdn string
		want          bool
	}{
		{both, "10.1.2.3", "mbx1.Contoso.com", true},
		{both, "10.1.2.3", "contoso.com.", true},
		{both, "::ffff:10.1.2.3", "mbx1.contoso.com", true},
		{both, "[2001:db8::1]", "mbx1.contoso.com", true},
		{both, "10.2.2.3", "mbx1.contoso.com", false},
		{both, "10.1.2.3", "mbx1.fabrikam.com", false},
		{both, "10.1.2.3", "mbx1.notcontoso.com", false},
		{both, "10.1.2.3", "", false},
		{both, "mbx1.contoso.com", "", true}, // its address is checked when it is known
		{both, "mbx1.fabrikam.com", "mbx1.contoso.com", false},
		{ranges, "127.0.0.9", "mbx1.contoso.com", true},
		{ranges, "128.0.0.9", "mbx1.contoso.com", false},
		{suffixes, "mbx1.contoso.com", "", true},
		{suffixes, "10.1.2.3", "mbx1.contoso.com", false},
		{store.Profile{Name: "default"}, "10.1.2.3", "mbx1.contoso.com", false},
	} {
		err := tc.p.Allows(tc.address, tc.fqdn)
		if (err == nil) != tc.want {
			t.Errorf("%s allows %s (%s): %v, want %v", tc.p.Name, tc.address, tc.fqdn, err, tc.want)
		}
	}
}

func TestProfilesAndCredentialsAreKeptAndOnTheRecord(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	s := d.Store
	if _, err := s.SaveProfile(t.Context(), erika, store.Profile{Name: "x", Ranges: []string{"10.0.0.0/8"}}); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("Basic over http without a word about it: %v, want ErrInvalid", err)
	}
	if _, err := s.SaveProfile(t.Context(), erika, store.Profile{Name: "x", HTTPS: true, Ranges: []string{"10.0.0.0/99"}}); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("a range that is none: %v, want ErrInvalid", err)
	}
	id, err := s.SaveProfile(t.Context(), erika, store.Profile{Name: "Default", HTTPS: true, Ranges: []string{"10.1.2.3/16"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.ProfileByName(t.Context(), "default")
	if err != nil || p.ID != id || len(p.Ranges) != 1 || p.Ranges[0] != "10.1.0.0/16" || p.Port() != 5986 {
		t.Errorf("the default profile is %+v, %v, want the new range", p, err)
	}
	if _, err := s.CredentialFor(t.Context(), id, store.PurposeWinRM); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("a credential that is not there: %v, want ErrNotFound", err)
	}
	err = s.SetCredential(t.Context(), erika, store.SealedCredential{ProfileID: id, Purpose: store.PurposeWinRM, Account: "wk", Sealed: []byte("sealed"), KeyID: "k"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.CredentialFor(t.Context(), id, store.PurposeWinRM)
	if err != nil || c.Account != "wk" || string(c.Sealed) != "sealed" {
		t.Errorf("CredentialFor = %+v, %v", c, err)
	}
	if n, err := s.VerifyAudit(t.Context()); n != 2 || err != nil {
		t.Errorf("the record holds %d entries, %v, want 2", n, err)
	}
	if err := run(t, d.AdminURL, "DO $$ BEGIN IF EXISTS (SELECT 1 FROM audit WHERE bytes LIKE '%sealed%') THEN RAISE 'a secret is on the record'; END IF; END $$"); err != nil {
		t.Error(err)
	}
}

func TestDemoDatabaseStaysADemo(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	first, err := s.Installation(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Installation(t.Context(), true)
	if err != nil || again != first || len(first.ID) != 8 {
		t.Errorf("Installation = %+v, %v, want %+v", again, err, first)
	}
	if _, err := s.Installation(t.Context(), false); !errors.Is(err, rollout.ErrConflict) || !strings.Contains(err.Error(), "demo") {
		t.Errorf("a demo's database as a real one: %v, want ErrConflict", err)
	}
}
