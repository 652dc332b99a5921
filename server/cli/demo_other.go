//go:build !linux

package cli

import "syscall"

// ownGroup is nothing here: the demo's processes may outlive a demo that is killed.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
