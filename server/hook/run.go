package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// Run runs one program of the directory, when it still has the hash that was
// approved: with the point as its only argument, the call on its standard input,
// without a shell, in an environment that holds nothing of this program's. What
// it leaves running is ended with it. An error is one of this program.
func (d Dir) Run(ctx context.Context, approved File, call Call) (Run, error) {
	if d.Path == "" {
		return failed("this coordinator has no directory of hooks (serve --hook-dir): the hook was not run"), nil
	}
	real, err := d.check()
	if err != nil {
		return failed("it was not run: %v", err), nil
	}
	now, err := d.file(real, approved.Name)
	switch {
	case err != nil:
		return failed("it was not run: %v", err), nil
	case now.SHA256 != approved.SHA256:
		return failed("it was not run: the file was changed since the approval (SHA-256 %s then, %s now)", approved.SHA256, now.SHA256), nil
	}
	path, err := inside(real, approved.Name)
	if err != nil {
		return failed("it was not run: %v", err), nil
	}
	body, err := call.body()
	if err != nil {
		return Run{}, err
	}
	ran, err := run(ctx, path, filepath.Dir(path), call.Point, body)
	if err != nil {
		return Run{}, err
	}
	// An interpreter reads the file after us, and as it goes.
	if now, err = d.file(real, approved.Name); err != nil || now.SHA256 != approved.SHA256 {
		ran.State, ran.Words = Failed, "the file was changed since the approval, while it ran: what ran is not known; "+ran.Words
	}
	return ran, nil
}

func failed(format string, args ...any) Run {
	return Run{State: Failed, Words: fmt.Sprintf(format, args...)}
}

func run(ctx context.Context, path, dir, point string, body []byte) (Run, error) {
	limited, cancel := context.WithTimeout(ctx, Within)
	defer cancel()
	cmd := exec.CommandContext(limited, path, point)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TZ=UTC"}
	cmd.Stdin = bytes.NewReader(body)
	out := &bounded{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second // what it left running may hold its output
	confine(cmd)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return failed("it could not be started: %v", err), nil
	}
	limit(cmd.Process.Pid)
	err := cmd.Wait()
	endGroup(cmd.Process.Pid)
	took := time.Since(began).Round(100 * time.Millisecond)
	r := Run{State: Done, Words: fmt.Sprintf("done after %s", took), Output: out.bytes()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return Run{}, fmt.Errorf("run %s: %w", path, ctx.Err())
	case limited.Err() != nil:
		r.State, r.Words = Failed, fmt.Sprintf("it was ended after %s; a hook that needs longer ends with exit code %d to be run again", Within, againLater)
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
	case errors.As(err, &exit) && exit.ExitCode() == againLater:
		r.State, r.Words = Later, fmt.Sprintf("asks to be run again (exit code %d after %s)", againLater, took)
	case errors.As(err, &exit):
		r.State, r.Words = Failed, fmt.Sprintf("%s after %s", exit, took)
	default:
		r.State, r.Words = Failed, fmt.Sprintf("%v after %s", err, took)
	}
	return r, nil
}

// bounded keeps the first MostOutput bytes and takes all the rest.
type bounded struct {
	mu   sync.Mutex
	kept bytes.Buffer
	lost int
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	keep := min(len(p), MostOutput-b.kept.Len())
	b.kept.Write(p[:keep])
	b.lost += len(p) - keep
	return len(p), nil
}

func (b *bounded) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := bytes.Clone(b.kept.Bytes())
	if b.lost > 0 {
		const note = "\n(%d more bytes were not kept)\n"
		text := fmt.Appendf(nil, note, b.lost)
		out = append(out[:min(len(out), MostOutput-len(text))], text...)
	}
	return out
}
