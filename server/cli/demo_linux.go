package cli

import "syscall"

// ownGroup keeps Ctrl-C for the demo itself, which stops its processes in
// order, and lets the kernel end them when the demo is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
