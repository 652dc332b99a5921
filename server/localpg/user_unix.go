//go:build unix

package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Postgres: SIGINT = fast shutdown, SIGQUIT = immediate (SIGTERM would wait
// for the clients).
const (
	fastShutdown      = syscall.SIGINT
	immediateShutdown = syscall.SIGQUIT
)

// noFollow makes opening a symbolic link an error.
const noFollow = syscall.O_NOFOLLOW

// osUser is who Postgres runs as. Postgres refuses to run as root, so root
// hands it to the system user postgres.
type osUser struct {
	name     string
	uid, gid uint32
	other    bool // not the user of this program
}

func systemUser() (osUser, error) {
	if os.Getuid() != 0 {
		return osUser{name: "this user", uid: uint32(os.Getuid()), gid: uint32(os.Getgid())}, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		return osUser{}, fmt.Errorf("postgreSQL does not run as root and there is no system user postgres: run as another user, "+
			"install PostgreSQL by package (apt-get install postgresql), or set DATABASE_URL: %w", err)
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return osUser{}, fmt.Errorf("system user postgres: %w", err)
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return osUser{}, fmt.Errorf("system user postgres: %w", err)
	}
	return osUser{name: "postgres", uid: uint32(uid), gid: uint32(gid), other: true}, nil
}

// own gives a file or folder to the user.
func (u osUser) own(path string) error {
	if !u.other {
		return nil
	}
	return os.Lchown(path, int(u.uid), int(u.gid))
}

// canReach reports which parent folder keeps the user out.
func (u osUser) canReach(dir string) error {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return errors.New("no owner of " + dir)
		}
		open := info.Mode()&0o001 != 0 || stat.Uid == u.uid && info.Mode()&0o100 != 0 || stat.Gid == u.gid && info.Mode()&0o010 != 0
		if !open && u.uid != 0 {
			return fmt.Errorf("the folder %s is closed to the system user %s, who runs PostgreSQL: choose a folder elsewhere", dir, u.name)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// attributes of a process of this user, in a group of its own.
func (u osUser) attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if u.other {
		a.Credential = &syscall.Credential{Uid: u.uid, Gid: u.gid}
	}
	dieWithParent(a)
	return a
}

func tryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
