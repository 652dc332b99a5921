package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/migrations"
	"wavekeeper/server/localpg"
	"wavekeeper/server/store"
)

// TestComposeDatabase runs roles.sql with psql in a fresh Postgres, then the
// database URLs of docker-compose.yml as migrate and console use them: the
// passwords come from the secret files and from nowhere else.
func TestComposeDatabase(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := databaseDir(t)
	pg, err := localpg.Start(ctx, localpg.Options{Dir: dir, TCP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pg.Stop)
	secrets := filepath.Join(t.TempDir(), "secrets")
	if out, err := exec.CommandContext(ctx, "/bin/sh", composeSecrets, secrets).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	server := emptied(ctx, t, dir, pg.OwnerURL())
	sql := strings.NewReplacer("/run/secrets/owner_pgpass", secrets+"/owner.pgpass", "/run/secrets/program_pgpass", secrets+"/program.pgpass").
		Replace(readText(t, composeRolesSQL))
	psql := exec.CommandContext(ctx, "psql", "--no-psqlrc", "--dbname="+server.String())
	psql.Stdin = strings.NewReader(sql)
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v: %s", err, out)
	}

	file, err := readCompose(readText(t, composePath))
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("@postgres:5432", "@"+server.Host, "/run/secrets/owner_pgpass", secrets+"/owner.pgpass", "/run/secrets/program_pgpass", secrets+"/program.pgpass")
	env := func(service, name string) string { return here.Replace(file.Services[service].Environment[name]) }
	migrate := MigrateCmd{DatabaseFlags: DatabaseFlags{Database: env("migrate", "DATABASE_URL")}, Owner: env("migrate", "MIGRATE_DATABASE_URL")}
	var said strings.Builder
	if err := migrate.Run(&Globals{Stdout: &said, Stderr: io.Discard}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "granted role wavekeeper what the program needs") {
		t.Errorf("migrate says %q", said.String())
	}
	s, err := store.Open(ctx, env("console", "DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CheckSchema(ctx, migrations.FS); err != nil {
		t.Error(err)
	}
	if _, err := s.Pool().Exec(ctx, "CREATE TABLE mine (id int)"); err == nil {
		t.Error("the program's role may make tables")
	}
	if conn, err := pgx.Connect(ctx, env("migrate", "DATABASE_URL")); err == nil {
		t.Error("the program's role gets in without a password", conn.Close(ctx))
	}
}

// databaseDir is a folder that the database's system user can reach.
func databaseDir(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		return filepath.Join(t.TempDir(), "postgres")
	}
	dir, err := os.MkdirTemp("/var/tmp", "wavekeeper-compose-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "postgres")
}

// emptied takes away what localpg made, as in the image's fresh volume, and
// returns the superuser's URL.
func emptied(ctx context.Context, t *testing.T, dir, ownerURL string) *url.URL {
	t.Helper()
	var passwords struct{ Super string }
	if err := json.Unmarshal([]byte(readText(t, filepath.Join(dir, "passwords.json"))), &passwords); err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(ownerURL)
	if err != nil {
		t.Fatal(err)
	}
	server.User, server.Path = url.UserPassword("postgres", passwords.Super), "/postgres"
	conn, err := pgx.Connect(ctx, server.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, statement := range []string{"DROP DATABASE wavekeeper", "DROP ROLE wavekeeper", "DROP ROLE wavekeeper_owner"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	return server
}
