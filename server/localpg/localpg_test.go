package localpg

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func start(t *testing.T, o Options) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	s, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// folder is a temporary one that the system user postgres may walk through,
// which t.TempDir is not.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wk-localpg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func exec1(t *testing.T, url, statement string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond) // a poll with a deadline
	}
}

func mustExec(t *testing.T, url, statement string) {
	t.Helper()
	if err := exec1(t, url, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestRowsSurviveARestartAndTheSecondStarterAdopts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "pg")
	s := start(t, Options{Dir: dir})
	mustExec(t, s.OwnerURL(), "CREATE TABLE kept (n int)")
	mustExec(t, s.OwnerURL(), "INSERT INTO kept VALUES (1)")
	if err := exec1(t, s.AppURL(), "CREATE TABLE mine (n int)"); err == nil {
		t.Error("the program's role can make tables, want a refusal")
	}
	second := start(t, Options{Dir: dir})
	if !second.Adopted() {
		t.Error("the second starter did not adopt the running database")
	}
	second.Stop()
	mustExec(t, s.OwnerURL(), "INSERT INTO kept VALUES (2)")
	s.Stop()
	if err := exec1(t, s.OwnerURL(), "SELECT 1"); err == nil {
		t.Error("the database answers after Stop")
	}
	third := start(t, Options{Dir: dir, TCP: true})
	if third.Adopted() || !strings.Contains(third.OwnerURL(), "127.0.0.1") {
		t.Errorf("third start: adopted %v at %s, want a fresh one on 127.0.0.1", third.Adopted(), third.OwnerURL())
	}
	mustExec(t, third.OwnerURL(), "DO $$ BEGIN IF (SELECT count(*) FROM kept) <> 2 THEN RAISE 'rows are lost'; END IF; END $$")
}

func TestAKilledPostmasterComesBackWithItsRows(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Dir: filepath.Join(folder(t), "pg")})
	mustExec(t, s.OwnerURL(), "CREATE TABLE kept AS SELECT 1 AS n")
	before := s.Pid()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the database after kill -9", func() error {
		if s.Pid() == before {
			return errors.New("still the old postmaster.pid")
		}
		return exec1(t, s.OwnerURL(), "DO $$ BEGIN IF (SELECT count(*) FROM kept) <> 1 THEN RAISE 'rows are lost'; END IF; END $$")
	})
}

// TestMain lets the test binary be the program that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOCALPG_TEST_RUN"); dir != "" {
		s, err := Start(context.Background(), Options{Dir: dir})
		if err != nil {
			println(err.Error())
			os.Exit(1)
		}
		if err := errors.Join(os.WriteFile(dir+".new", []byte(s.OwnerURL()), 0o600), os.Rename(dir+".new", dir+".url")); err != nil {
			os.Exit(1)
		}
		select {}
	}
	os.Exit(m.Run())
}

func TestAKilledProgramTakesPostgresAlongAndTheNextStartWorks(t *testing.T) {
	t.Parallel()
	for name, both := range map[string]bool{"the program": false, "the program and Postgres": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(folder(t), "pg")
			program := runProgram(t, dir)
			url, err := os.ReadFile(dir + ".url")
			if err != nil {
				t.Fatal(err)
			}
			mustExec(t, string(url), "CREATE TABLE kept AS SELECT 1 AS n")
			pid, _, err := layout{root: dir}.postmaster()
			if err != nil {
				t.Fatal(err)
			}
			if err := program.Kill(); err != nil {
				t.Fatal(err)
			}
			if both {
				// It may be gone already with its program.
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			s := start(t, Options{Dir: dir})
			eventually(t, "the rows", func() error { return exec1(t, s.OwnerURL(), "SELECT n FROM kept") })
			if s.Pid() == pid {
				t.Error("the postmaster of the killed program was adopted and will go away")
			}
		})
	}
}

// runProgram starts this test binary as a program with a database in dir.
func runProgram(t *testing.T, dir string) *os.Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := exec.Command(self)
	program.Env = append(os.Environ(), "LOCALPG_TEST_RUN="+dir)
	program.Stderr = os.Stderr
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Kill() // most tests did
		_ = program.Wait()
	})
	eventually(t, "the program's database", func() error {
		_, err := os.Stat(dir + ".url")
		return err
	})
	return program.Process
}

func TestAClosedParentIsSaid(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root hands Postgres to another user")
	}
	dir := folder(t)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(context.Background(), Options{Dir: filepath.Join(dir, "pg")})
	if err == nil || !strings.Contains(err.Error(), dir+" is closed to the system user postgres") {
		t.Errorf("Start below a closed folder: %v, want it named", err)
	}
}

func TestAFolderOfSomebodyElseIsNotTouched(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, "letter.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(context.Background(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "was not made by wavekeeper") {
		t.Errorf("Start in a foreign folder: %v, want a refusal", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("the foreign folder holds %v, want the letter alone", entries)
	}
}

func TestMissingBinariesAreSaidWithTheWaysOut(t *testing.T) {
	_, err := Start(context.Background(), Options{Dir: filepath.Join(folder(t), "pg"), BinDir: t.TempDir()})
	if !errors.Is(err, ErrNoBinaries) {
		t.Errorf("Start without binaries: %v, want ErrNoBinaries", err)
	}
	t.Setenv("PG_BIN", t.TempDir())
	if _, err := findBinaries(""); err == nil || !strings.Contains(err.Error(), "PG_BIN") {
		t.Errorf("findBinaries with an empty PG_BIN: %v, want it named", err)
	}
}

func TestPasswordFileIsPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "pg")
	start(t, Options{Dir: dir})
	info, err := os.Stat(filepath.Join(dir, "passwords.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("passwords.json has mode %o, want 600", info.Mode().Perm())
	}
	if _, err := os.Stat(filepath.Join(dir, "superuser.password")); err == nil {
		t.Error("the superuser's password file was left")
	}
}

func TestNothingIsWrittenThroughALink(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	who, err := systemUser()
	if err != nil {
		t.Fatal(err)
	}
	l := layout{root: t.TempDir(), user: who}
	for _, name := range []string{"passwords.json.new", "postgres.log", "start.lock", "run"} {
		if err := os.Symlink(outside, filepath.Join(l.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.write("passwords.json", []byte("secret")); err != nil {
		t.Errorf("a link in the way of a file: %v, want it replaced", err)
	}
	if p, err := startProcess("true", nil, l.log(), who); err == nil {
		p.stop()
		t.Error("the log was opened through a link")
	}
	if unlock, err := l.lock(t.Context()); err == nil {
		unlock()
		t.Error("the lock was opened through a link")
	}
	if err := who.own(l.socketDir()); err != nil {
		t.Error(err)
	}
	content, err := os.ReadFile(outside)
	if err != nil || string(content) != "mine" {
		t.Errorf("the file outside holds %q, %v, want it untouched", content, err)
	}
	info, err := os.Stat(outside)
	if err != nil {
		t.Fatal(err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != uint32(os.Getuid()) {
		t.Errorf("the file outside belongs to %d now", owner.Uid)
	}
}
