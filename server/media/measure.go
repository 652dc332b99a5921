package media

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// What a package may unpack to. The largest service pack of Exchange 2007 (SP3,
// 64-bit) is below 3 GB in 9,000 files.
const (
	mostBytes = 6_000_000_000
	mostFiles = 50_000
	spare     = 256 << 20 // that stays free on the disk
)

// listed is a line of cabextract --list that names a file: size, date, name.
var listed = regexp.MustCompile(`^ *(\d{1,19}) \| \d\d\.\d\d\.\d{4} `)

// measure lists what a package unpacks to, without unpacking it, and refuses what
// is no service pack by its size, or what dir's disk has no room for twice: as
// a tree and, packed, as a bundle.
func measure(ctx context.Context, program, file, dir string) (size int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := command(ctx, program, "--list", "--", file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, told(file, err)
	}
	if err := cmd.Start(); err != nil {
		return 0, told(file, err)
	}
	files := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		found := listed.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		n, err := strconv.ParseInt(found[1], 10, 64)
		if err != nil {
			return 0, errors.Join(fmt.Errorf("%s: %w", file, ErrTooMuch), ended(cancel, cmd))
		}
		if files, size = files+1, size+min(n, mostBytes+1); files > mostFiles || size > mostBytes {
			return 0, errors.Join(fmt.Errorf("%s: %w", file, ErrTooMuch), ended(cancel, cmd))
		}
	}
	if lines.Err() != nil {
		return 0, errors.Join(fmt.Errorf("%s: %w", file, ErrDamaged), ended(cancel, cmd))
	}
	if err := cmd.Wait(); ctx.Err() == nil && err != nil && files == 0 {
		return 0, fmt.Errorf("%s: %w (cabextract: %w)", file, ErrDamaged, err)
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return 0, told(dir, err)
	}
	if free := int64(min(disk.Bavail, 1<<40)) * disk.Bsize; free < 2*size+spare {
		return 0, fmt.Errorf("%s has %d MB free, and %d MB are needed: %w", dir, free/1e6, (2*size+spare)/1e6, ErrNoRoom)
	}
	return size, nil
}

func command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.WaitDelay = []string{"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin"}, 5*time.Second
	return cmd
}

// ended ends a program whose answer is not wanted any more.
func ended(cancel context.CancelFunc, cmd *exec.Cmd) error {
	cancel()
	_ = cmd.Wait() // it was told to end
	return nil
}

// watch cancels when more than most bytes or files lie in dir, and looks once a
// second, until ctx ends.
func watch(ctx context.Context, dir string, most int64, cancel context.CancelCauseFunc) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if size, files := within(dir); size > most || files > mostFiles {
			cancel(ErrTooMuch)
			return
		}
	}
}

// within is what lies in a folder that is being written.
func within(dir string) (size int64, files int) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // it was renamed or removed meanwhile
		}
		files++
		if info, err := e.Info(); err == nil && e.Type().IsRegular() {
			size += info.Size()
		}
		return nil
	}) // no error is returned above
	return size, files
}
