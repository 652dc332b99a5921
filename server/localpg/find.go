package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
)

// ErrNoBinaries says that no Postgres is installed where it was looked for.
var ErrNoBinaries = errors.New("no PostgreSQL binaries found")

type binaries struct{ initdb, postgres string }

// findBinaries looks in the folder asked for, in PG_BIN, in Debian's folders
// (newest first) and on the PATH, whose entries may be links into a folder.
func findBinaries(asked string) (binaries, error) {
	for _, named := range []struct{ dir, by string }{{asked, "the folder given"}, {os.Getenv("PG_BIN"), "PG_BIN"}} {
		if named.dir == "" {
			continue
		}
		if b, ok := binariesIn(named.dir); ok {
			return b, nil
		}
		return binaries{}, fmt.Errorf("%w: %s (%s) holds no initdb and postgres", ErrNoBinaries, named.dir, named.by)
	}
	for _, dir := range usualFolders() {
		if b, ok := binariesIn(dir); ok {
			return b, nil
		}
	}
	return binaries{}, fmt.Errorf("%w: install PostgreSQL 15 or newer (Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17), "+
		"or name the folder of initdb and postgres in PG_BIN, or name a running database in DATABASE_URL (and its owner in MIGRATE_DATABASE_URL)", ErrNoBinaries)
}

func usualFolders() []string {
	var dirs []string
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err == nil {
		version := func(dir string) int {
			n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
			if err != nil {
				return 0
			}
			return n
		}
		sort.Slice(debian, func(i, j int) bool { return version(debian[i]) > version(debian[j]) })
		dirs = append(dirs, debian...)
	}
	if found, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(found); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
		dirs = append(dirs, filepath.Dir(found))
	}
	return append(dirs, "/opt/homebrew/opt/postgresql@17/bin", "/usr/local/opt/postgresql@17/bin", "/usr/pgsql-17/bin", "/usr/pgsql-16/bin", "/usr/pgsql-15/bin")
}

func binariesIn(dir string) (binaries, bool) {
	b := binaries{initdb: filepath.Join(dir, "initdb"), postgres: filepath.Join(dir, "postgres")}
	for _, path := range []string{b.initdb, b.postgres} {
		info, err := os.Stat(path)
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return binaries{}, false
		}
	}
	return b, true
}
