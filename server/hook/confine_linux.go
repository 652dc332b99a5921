package hook

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"unsafe"
)

// confine gives a hook a process group of its own, which ends with it, and has
// the kernel end it when this program is ended.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error {
		endGroup(cmd.Process.Pid)
		return nil
	}
}

// endGroup ends all processes of a hook's group. That there is none any more is
// what is wanted.
func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// limit bounds how many processes a hook makes, how long they compute, and that
// they leave no memory dumps. A hook is the administrator's own: this is against
// a slip, so that what it starts in its first microseconds does not matter.
func limit(pid int) {
	seconds := uint64(Within.Seconds())
	for resource, most := range map[int]uint64{
		rlimitProcesses:      uint64(ownThreads() + mostProcesses),
		syscall.RLIMIT_CPU:   seconds,
		syscall.RLIMIT_CORE:  0,
		syscall.RLIMIT_FSIZE: 1 << 30,
	} {
		want := syscall.Rlimit{Cur: most, Max: most}
		// A limit that cannot be set, since it is lower already, is no reason to stop.
		_, _, _ = syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), uintptr(resource), uintptr(unsafe.Pointer(&want)), 0, 0, 0)
	}
}

// rlimitProcesses is RLIMIT_NPROC, which package syscall does not name.
const rlimitProcesses = 6

// ownThreads counts the processes and threads of this program's account: the
// kernel counts them against the limit.
func ownThreads() int {
	count := 0
	tasks, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*")
	if err != nil {
		return 0
	}
	uid := uint32(os.Geteuid())
	for _, t := range tasks {
		if info, err := os.Stat(t); err == nil {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == uid {
				count++
			}
		}
	}
	return count
}
