//go:build unix && !linux

package localpg

import "syscall"

// dieWithParent has no equivalent here: a killed program leaves Postgres
// running, and the next start adopts it.
func dieWithParent(*syscall.SysProcAttr) {}
