package localpg

import "syscall"

// dieWithParent makes the kernel send a fast shutdown when the starting thread
// dies, whatever killed it.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGINT }
