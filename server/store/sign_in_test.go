package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

func TestManyAttemptsAtOneMomentAreNotMoreThanInARow(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	type answer struct {
		begun bool
		err   error
	}
	answers := make(chan answer)
	for range 30 {
		go func() {
			begun, err := s.SignInBegins(context.Background(), "otto", "203.0.113.9", auth.TooMany)
			answers <- answer{begun, err}
		}()
	}
	begun := 0
	for range 30 {
		a := <-answers
		if a.err != nil {
			t.Error(a.err)
		}
		if a.begun {
			begun++
		}
	}
	if begun != 5 {
		t.Errorf("of 30 attempts at once %d may look at the password, want 5", begun)
	}
	if ok, err := s.SignInBegins(t.Context(), "otto", "10.0.0.7", auth.TooMany); !ok || err != nil {
		t.Errorf("the person himself from elsewhere: %v, %v, want in", ok, err)
	}
}

func TestRefusedAttemptsCannotFillTheRecord(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	refuse := func(name, network string) {
		t.Helper()
		if err := s.SignInEnded(t.Context(), name, network+":1", network, 0, true); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		refuse("otto", "203.0.113.9")
	}
	if n, err := s.VerifyAudit(t.Context()); n != 1 || err != nil {
		t.Errorf("ten refusals of one name are %d entries, %v, want 1", n, err)
	}
	for i := range 40 {
		refuse(fmt.Sprintf("name%d", i), "203.0.113.9")
	}
	if n, err := s.VerifyAudit(t.Context()); n != 20 || err != nil {
		t.Errorf("refusals of 41 names from one network are %d entries, %v, want 20", n, err)
	}
	refuse("otto", "203.0.113.10")
	if n, err := s.VerifyAudit(t.Context()); n != 21 || err != nil {
		t.Errorf("with one of another network there are %d entries, %v, want 21", n, err)
	}
}

func TestNamesLookLikeNothingElse(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	for _, p := range []store.NewPerson{
		{Name: "two words"},
		{Name: "otto\u202e"},
		{Name: "ot\u200bto"},
		{Name: "(no name)"},
		{Name: "otto\x00"},
		{Name: strings.Repeat("x", 65)},
		{Name: "otto", DisplayName: "Otto\u202e"},
	} {
		p.Hash, p.Roles = "hash", []string{"auditor"}
		if _, err := s.AddPerson(t.Context(), erika, p); !errors.Is(err, rollout.ErrInvalid) {
			t.Errorf("AddPerson(%q, %q): %v, want ErrInvalid", p.Name, p.DisplayName, err)
		}
	}
	for _, name := range []string{"jörg.müller-2", "otto@contoso.com", `contoso\otto`} {
		if _, err := s.AddPerson(t.Context(), erika, store.NewPerson{Name: name, DisplayName: "Jörg Müller", Hash: "hash", Roles: []string{"auditor"}}); err != nil {
			t.Errorf("AddPerson(%q): %v", name, err)
		}
	}
}

func TestStampChangesWithThePassword(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	id := member(t, s, "otto", "operator")
	stamp := func() string {
		t.Helper()
		p, err := s.PersonByID(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return p.Stamp
	}
	before := stamp()
	if err := s.SetRoles(t.Context(), erika, id, []string{"auditor"}); err != nil {
		t.Fatal(err)
	}
	if before == "" || stamp() != before {
		t.Errorf("stamp %q became %q with the roles, want it kept", before, stamp())
	}
	if err := s.SetPassword(t.Context(), erika, id, "another hash"); err != nil {
		t.Fatal(err)
	}
	if stamp() == before {
		t.Error("the stamp outlived the password")
	}
}

func TestTextThatPostgresCannotKeepIsNoInternalError(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	err := s.RecordPreparation(t.Context(), erika, "sp1", "", "because\x00")
	if !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("a reason with a NUL: %v, want ErrInvalid", err)
	}
}
