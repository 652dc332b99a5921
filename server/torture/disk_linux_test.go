//go:build !race

package torture

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestDiskOfTheDatabaseFull fills the disk under a running rollout, and makes
// room again. As root it is a real small disk (tmpfs); else no process of
// Postgres may make a file longer, which it is told by another error.
func TestDiskOfTheDatabaseFull(t *testing.T) {
	if !*fullFlag {
		t.Skip("make torture runs it: it needs a Postgres and a disk of its own")
	}
	for i, kind := range []struct {
		name string
		disk func(*testing.T) (*postgres, func() error, func() error)
	}{{"no room on a small disk", smallDisk}, {"no file may grow", noGrowth}} {
		t.Run(kind.name, func(t *testing.T) {
			p, fill, empty := kind.disk(t)
			a := newArena(t, fleet4(fmt.Sprintf("127.107.%d", 20+i)), packed, func(o *arenaOptions) { o.DB = &p.DB })
			a.approveAll(t)
			a.coordinator(t)
			a.coordinator(t)
			filled := 0
			a.untilDone(t, func() {
				wait(1500 * time.Millisecond)
				if filled == 3 {
					return
				}
				must(t, fill())
				wait(3 * time.Second)
				must(t, empty())
				filled++
			})
			a.check(t)
			ledger.injected("disk of the database full: "+kind.name, filled)
		})
	}
}

func wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// smallDisk is a Postgres on a disk of its own, which is filled with ballast.
// Who may not mount one gets the other kind.
func smallDisk(t *testing.T) (p *postgres, fill, empty func() error) {
	dir, err := os.MkdirTemp("", "wk-disk-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.Remove(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=160m,mode=0755"); err != nil {
		t.Logf("no disk of its own (%v): files are kept from growing instead", err)
		return noGrowth(t)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	p = ownPostgres(t, filepath.Join(dir, "pg"))
	ballast := filepath.Join(dir, "ballast")
	fill = func() error {
		out, err := os.Create(ballast)
		if err != nil {
			return err
		}
		defer out.Close()
		for size := 1 << 20; size >= 4096; size /= 4 {
			for err = nil; err == nil; {
				_, err = out.Write(make([]byte, size))
			}
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("fill the disk: %w", err)
		}
		return nil
	}
	return p, fill, func() error { return os.Remove(ballast) }
}

// noGrowth is a Postgres whose processes are kept from making files longer.
func noGrowth(t *testing.T) (p *postgres, fill, empty func() error) {
	p = ownPostgres(t, "")
	return p, func() error { return limitFiles(p.server.Pid(), "8192") }, func() error { return limitFiles(p.server.Pid(), "unlimited") }
}

// limitFiles sets RLIMIT_FSIZE of a process and its children, as their user: root
// may not do it everywhere.
func limitFiles(postmaster int, size string) error {
	for _, pid := range append(children(postmaster), postmaster) {
		about, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		if err != nil {
			continue // it has ended
		}
		set := exec.Command("prlimit", "--pid", strconv.Itoa(pid), "--fsize="+size+":unlimited")
		if who, ok := about.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
			set.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: who.Uid, Gid: who.Gid}}
		}
		if out, err := set.CombinedOutput(); err != nil && !bytes.Contains(out, []byte("No such process")) {
			return fmt.Errorf("limit process %d: %w: %s", pid, err, out)
		}
	}
	return nil
}

// children lists the processes whose parent is pid.
func children(pid int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	var out []int
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// "pid (name) state ppid ...": the name may hold anything.
		fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			out = append(out, child)
		}
	}
	return out
}
