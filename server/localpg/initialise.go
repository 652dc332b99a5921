package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/jackc/pgx/v5"
)

// initialise makes the data folder beside its place and moves it there in one
// step, so that a kill in between leaves nothing that looks complete.
func (s *Server) initialise(ctx context.Context) error {
	if _, err := os.Stat(s.dir.data()); err == nil {
		return nil
	}
	unfinished := s.dir.data() + ".new"
	var last error
	for _, locale := range []string{"C.UTF-8", "C"} {
		if err := os.RemoveAll(unfinished); err != nil {
			return err
		}
		if last = s.initdb(ctx, unfinished, locale); last == nil {
			return os.Rename(unfinished, s.dir.data())
		}
	}
	return last
}

func (s *Server) initdb(ctx context.Context, folder, locale string) error {
	const name = "superuser.password"
	if err := s.dir.write(name, []byte(s.passwords.Super+"\n")); err != nil {
		return err
	}
	file := s.dir.root + "/" + name
	cmd := exec.CommandContext(ctx, s.bin.initdb, "-D", folder, "-U", superRole, "--auth=scram-sha-256",
		"--pwfile="+file, "-E", "UTF8", "--locale="+locale, "--data-checksums")
	cmd.Dir = s.dir.root
	cmd.SysProcAttr = s.dir.user.attributes()
	out, err := cmd.CombinedOutput()
	if removed := os.Remove(file); removed != nil {
		err = errors.Join(err, removed)
	}
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// makeRoles makes the two roles and the database where they are missing.
func (s *Server) makeRoles(ctx context.Context) error {
	conn, err := s.connect(ctx, s.where, "postgres")
	if err != nil {
		return fmt.Errorf("connect as superuser: %w", err)
	}
	defer conn.Close(ctx)
	for _, role := range []struct{ name, password string }{{OwnerRole, s.passwords.Owner}, {AppRole, s.passwords.App}} {
		missing, err := absent(ctx, conn, "SELECT 1 FROM pg_roles WHERE rolname = $1", role.name)
		if err != nil {
			return err
		}
		if missing {
			// Passwords are rand.Text: letters and digits only.
			if _, err := conn.Exec(ctx, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", role.name, role.password)); err != nil {
				return fmt.Errorf("create role %s: %w", role.name, err)
			}
		}
	}
	missing, err := absent(ctx, conn, "SELECT 1 FROM pg_database WHERE datname = $1", Database)
	if err != nil || !missing {
		return err
	}
	if _, err := conn.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s", Database, OwnerRole)); err != nil {
		return fmt.Errorf("create database %s: %w", Database, err)
	}
	return nil
}

func absent(ctx context.Context, conn *pgx.Conn, query, name string) (bool, error) {
	var one int
	err := conn.QueryRow(ctx, query, name).Scan(&one)
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	return false, err
}
