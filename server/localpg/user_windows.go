package localpg

import (
	"errors"
	"os"
	"syscall"
)

const (
	fastShutdown      = syscall.SIGTERM
	immediateShutdown = syscall.SIGKILL
	noFollow          = 0
)

type osUser struct{ name string }

// systemUser refuses: on Windows the private database was never tried.
func systemUser() (osUser, error) {
	return osUser{}, errors.New("the private database does not run on Windows: install PostgreSQL and set DATABASE_URL and MIGRATE_DATABASE_URL")
}

func (osUser) own(string) error                 { return nil }
func (osUser) canReach(string) error            { return nil }
func (osUser) attributes() *syscall.SysProcAttr { return nil }
func tryLock(*os.File) (bool, error)            { return true, nil }
