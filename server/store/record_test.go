package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"wavekeeper/migrations"
	"wavekeeper/server/audit"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

var erika = store.Actor{Name: "erika", From: "127.0.0.1", Roles: []string{"planner"}}

func note(t *testing.T, s *store.Store, subject string) {
	t.Helper()
	if err := s.Note(t.Context(), erika, store.Record{What: "test", Subject: subject, Detail: map[string]any{"umlaut": "Übung"}}); err != nil {
		t.Fatal(err)
	}
}

// run executes one statement on a connection of its own.
func run(t *testing.T, url, statement string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), statement)
	return err
}

func TestRecordIsAWholeChainUnderConcurrentWriters(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	errs := make(chan error)
	for i := range 20 {
		go func() {
			errs <- s.Note(context.Background(), erika, store.Record{What: "test", Subject: fmt.Sprint(i)})
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	n, err := s.VerifyAudit(t.Context())
	if n != 20 || err != nil {
		t.Errorf("VerifyAudit = %d, %v, want 20 good entries", n, err)
	}
}

func TestProgramCannotChangeTheRecord(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	note(t, d.Store, "one")
	protected, err := d.Store.ProtectedRecord(t.Context())
	if err != nil || !protected {
		t.Errorf("ProtectedRecord = %v, %v, want true for the program's role", protected, err)
	}
	for _, table := range []string{"audit", "event"} {
		for _, statement := range []string{"UPDATE " + table + " SET at = now()", "DELETE FROM " + table, "TRUNCATE " + table, "DROP TABLE " + table, "ALTER TABLE " + table + " DISABLE TRIGGER ALL"} {
			err := run(t, d.URL, statement)
			if err == nil || !strings.Contains(err.Error(), "permission denied") && !strings.Contains(err.Error(), "must be owner") {
				t.Errorf("%s as the program: %v, want permission denied", statement, err)
			}
		}
		for _, statement := range []string{"UPDATE " + table + " SET at = now()", "DELETE FROM " + table, "TRUNCATE " + table} {
			err := run(t, d.OwnerURL, statement)
			if err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s as the owner: %v, want the trigger's refusal", statement, err)
			}
		}
	}
	if err := run(t, d.URL, "CREATE TABLE mine (n int)"); err == nil {
		t.Error("the program's role can make tables, want a refusal")
	}
}

func TestOneRoleForBothIsSaid(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	s, err := store.Open(t.Context(), d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	protected, err := s.ProtectedRecord(t.Context())
	if err != nil || protected {
		t.Errorf("ProtectedRecord = %v, %v, want false for the owner", protected, err)
	}
}

func TestTamperingAsSuperuserIsFound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, statement, why string }{
		{"altered content", "UPDATE audit SET bytes = replace(bytes, 'two', 'six') WHERE seq = 2", "entry 2: its hash"},
		{"altered copy", "UPDATE audit SET who = 'nobody' WHERE seq = 2", "entry 2: column who"},
		{"deleted", "DELETE FROM audit WHERE seq = 2", "entry 2: is missing"},
		{"cut off", "DELETE FROM audit WHERE seq = 3", "entry 3: is missing"},
		{"reordered", "UPDATE audit SET seq = seq + 10; UPDATE audit SET seq = CASE seq WHEN 12 THEN 3 WHEN 13 THEN 2 ELSE 1 END", "entry 2"},
		{"inserted", "INSERT INTO audit SELECT 4, hash, hash, bytes, at, who, what, subject, rollout FROM audit WHERE seq = 3", "entry 4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := storetest.New(t)
			for _, subject := range []string{"one", "two", "three"} {
				note(t, d.Store, subject)
			}
			if err := run(t, d.AdminURL, "SET session_replication_role = replica; "+tc.statement); err != nil {
				t.Fatal(err)
			}
			_, err := d.Store.VerifyAudit(t.Context())
			var broken *audit.Broken
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("VerifyAudit = %v, want %q", err, tc.why)
			}
		})
	}
}

func TestThreeMigratorsAtOnceLeaveOneSchema(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t).OwnerURL
	type result struct {
		m   store.Migrated
		err error
	}
	results := make(chan result)
	for range 3 {
		go func() {
			m, err := store.Migrate(context.Background(), url, "wavekeeper", migrations.FS)
			results <- result{m, err}
		}()
	}
	applied := 0
	for range 3 {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
		}
		applied += len(r.m.Applied)
	}
	files, err := migrations.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	if applied != len(files) {
		t.Errorf("%d migrations were applied by three migrators, want each of %d once", applied, len(files))
	}
}

func TestRulesOfTheSchemaAreSaidInWords(t *testing.T) {
	t.Parallel()
	err := run(t, storetest.New(t).OwnerURL, "INSERT INTO person (name, password_hash, roles) VALUES ('Anna', '', '{admin}')")
	if err == nil || !strings.Contains(err.Error(), "person_name_is_lower_case") {
		t.Errorf("a person in capitals: %v, want the rule's name", err)
	}
}

func TestProgramHasNoTemporaryTables(t *testing.T) {
	t.Parallel()
	d := storetest.Empty(t)
	if _, err := store.Migrate(t.Context(), d.OwnerURL, "wavekeeper", migrations.FS); err != nil {
		t.Fatal(err)
	}
	if err := run(t, d.URL, "CREATE TEMPORARY TABLE audit (seq bigint)"); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a temporary table in front of the record: %v, want permission denied", err)
	}
	if err := run(t, d.URL, "SELECT count(*) FROM audit"); err != nil {
		t.Errorf("the program cannot read the record: %v", err)
	}
}
