package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Person is someone who can sign in. Passwords are not among what is read.
type Person struct {
	ID          int64
	Name        string // lower case
	DisplayName string
	Roles       []string
	Language    string // "" = by the browser
	Theme       string // "" = by the browser
	Zone        string // "" = by the browser
	Disabled    bool
	CreatedAt   time.Time
	Stamp       string // changes with the password; a session of an earlier stamp is over
}

// Actor returns the person as one who asks for a change.
func (p Person) Actor(from string) Actor {
	return Actor{PersonID: p.ID, Name: p.Name, From: from, Roles: p.Roles}
}

func personOf(p db.Person) Person {
	return Person{
		ID: p.ID, Name: p.Name, DisplayName: p.DisplayName, Roles: p.Roles, Language: p.Language, Theme: p.Theme, Zone: p.Zone,
		Disabled: p.Disabled, CreatedAt: p.CreatedAt, Stamp: stampOf(p.PasswordHash),
	}
}

// stampOf tells passwords apart without telling their hashes, which are salted.
func stampOf(passwordHash string) string {
	sum := sha256.Sum256([]byte("wavekeeper session stamp\n" + passwordHash))
	return hex.EncodeToString(sum[:12])
}

// People returns everybody by name.
func (s *Store) People(ctx context.Context) ([]Person, error) {
	rows, err := s.q.People(ctx)
	if err != nil {
		return nil, fmt.Errorf("load people: %w", err)
	}
	var people []Person
	for _, r := range rows {
		people = append(people, personOf(r))
	}
	return people, nil
}

// PersonByID returns one person; rights are read with it at every request.
func (s *Store) PersonByID(ctx context.Context, id int64) (Person, error) {
	r, err := s.q.PersonByID(ctx, id)
	if err != nil {
		return Person{}, fmt.Errorf("load person %d: %w", id, missing(err, "There is no such person."))
	}
	return personOf(r), nil
}

// PersonByName returns one person; the name is compared without case.
func (s *Store) PersonByName(ctx context.Context, name string) (Person, error) {
	r, err := s.q.PersonByName(ctx, strings.ToLower(name))
	if err != nil {
		return Person{}, fmt.Errorf("load person: %w", missing(err, "There is nobody named %s.", name))
	}
	return personOf(r), nil
}

// NewPerson is who is to be added. Hash is made by auth.
type NewPerson struct {
	Name, DisplayName, Hash string
	Roles                   []string
}

// AddPerson adds someone who can sign in from now on.
func (s *Store) AddPerson(ctx context.Context, actor Actor, p NewPerson) (int64, error) {
	var id int64
	err := s.inTx(ctx, func(t *txn) error {
		var err error
		id, err = t.addPerson(ctx, actor, p)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("add person: %w", err)
	}
	return id, nil
}

func (t *txn) addPerson(ctx context.Context, actor Actor, p NewPerson) (int64, error) {
	name := strings.ToLower(strings.TrimSpace(p.Name))
	if name == "" || utf8.RuneCountInString(name) > 64 || strings.ContainsFunc(name, notInAName) {
		return 0, rollout.Invalid("A name has 1 to 64 letters, digits and the signs . _ - @ + \\")
	}
	if utf8.RuneCountInString(p.DisplayName) > 200 || strings.ContainsFunc(p.DisplayName, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return 0, rollout.Invalid("A full name has at most 200 characters, all of them visible.")
	}
	if err := checkRoles(p.Roles); err != nil {
		return 0, err
	}
	if err := t.q.LockPeople(ctx); err != nil {
		return 0, err
	}
	if err := t.acts(ctx, actor); err != nil {
		return 0, err
	}
	if _, err := t.q.PersonByName(ctx, name); err == nil {
		return 0, rollout.Conflict("There is somebody named %s already.", name)
	}
	id, err := t.q.AddPerson(ctx, db.AddPersonParams{Name: name, DisplayName: p.DisplayName, PasswordHash: p.Hash, Roles: p.Roles})
	if err != nil {
		return 0, err
	}
	t.record(actor, Record{What: "person.add", Subject: name, Detail: map[string]any{"roles": p.Roles}})
	return id, nil
}

// notInAName keeps names apart that would look the same, or would look like
// something else on the record.
func notInAName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(`._-@+\`, r)
}

func checkRoles(roles []string) error {
	known := []string{"admin", "planner", "operator", "auditor"}
	if len(roles) == 0 {
		return rollout.Invalid("A person has at least one role: %s.", strings.Join(known, ", "))
	}
	for _, r := range roles {
		if !slices.Contains(known, r) {
			return rollout.Invalid("There is no role %s; there are %s.", r, strings.Join(known, ", "))
		}
	}
	return nil
}

// SetPassword replaces a person's password and ends the person's sessions.
func (s *Store) SetPassword(ctx context.Context, actor Actor, id int64, hash string) error {
	return s.changePerson(ctx, actor, id, func(t *txn, p db.Person) error {
		t.record(actor, Record{What: "person.password", Subject: p.Name})
		if err := t.q.SetPassword(ctx, db.SetPasswordParams{PasswordHash: hash, ID: id}); err != nil {
			return err
		}
		return t.endSessions(ctx, id)
	})
}

// SetDisabled lets a person in no longer, or again. Disabling ends the
// person's sessions; the last admin cannot be disabled.
func (s *Store) SetDisabled(ctx context.Context, actor Actor, id int64, disabled bool) error {
	return s.changePerson(ctx, actor, id, func(t *txn, p db.Person) error {
		if p.Disabled == disabled {
			return nil
		}
		what := "person.enable"
		if disabled {
			what = "person.disable"
		}
		t.record(actor, Record{What: what, Subject: p.Name})
		if err := t.q.SetDisabled(ctx, db.SetDisabledParams{Disabled: disabled, ID: id}); err != nil {
			return err
		}
		return errors.Join(t.keepAnAdmin(ctx, p), t.endSessions(ctx, id))
	})
}

// SetRoles replaces a person's roles; they count from the next request on.
func (s *Store) SetRoles(ctx context.Context, actor Actor, id int64, roles []string) error {
	if err := checkRoles(roles); err != nil {
		return err
	}
	return s.changePerson(ctx, actor, id, func(t *txn, p db.Person) error {
		t.record(actor, Record{What: "person.roles", Subject: p.Name, Detail: map[string]any{"before": p.Roles, "after": roles}})
		if err := t.q.SetRoles(ctx, db.SetRolesParams{Roles: roles, ID: id}); err != nil {
			return err
		}
		return errors.Join(t.keepAnAdmin(ctx, p), t.ring(ctx, "person", id))
	})
}

// SetPreferences keeps how a person wants pages shown. It is no decision and
// leaves no audit entry.
func (s *Store) SetPreferences(ctx context.Context, id int64, language, theme, zone string) error {
	err := s.q.SetPreferences(ctx, db.SetPreferencesParams{Language: language, Theme: theme, Zone: zone, ID: id})
	if err != nil {
		return fmt.Errorf("keep preferences: %w", err)
	}
	return nil
}

func (s *Store) changePerson(ctx context.Context, actor Actor, id int64, change func(*txn, db.Person) error) error {
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.q.LockPeople(ctx); err != nil {
			return err
		}
		if err := t.acts(ctx, actor); err != nil {
			return err
		}
		p, err := t.q.PersonByID(ctx, id)
		if err != nil {
			return missing(err, "There is no such person.")
		}
		return change(t, p)
	})
	if err != nil {
		return fmt.Errorf("change person %d: %w", id, err)
	}
	return nil
}

// keepAnAdmin refuses a change that took the last admin away.
func (t *txn) keepAnAdmin(ctx context.Context, before db.Person) error {
	if !slices.Contains(before.Roles, "admin") {
		return nil
	}
	left, err := t.q.CountAdmins(ctx)
	if err != nil {
		return err
	}
	if left == 0 {
		return rollout.Conflict("%s is the last admin.", before.Name)
	}
	return nil
}

func (t *txn) endSessions(ctx context.Context, person int64) error {
	if err := t.q.EndSessions(ctx, &person); err != nil {
		return err
	}
	return t.ring(ctx, "person", person)
}
