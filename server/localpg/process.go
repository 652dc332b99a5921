package localpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// process is one postmaster.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// startProcess starts the postmaster in a process group of its own, so that
// Ctrl-C does not stop it before its program has drained. The starting thread
// stays locked while it lives: on Linux the death signal belongs to the thread.
func startProcess(path string, args []string, log string, who osUser) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	// It lives until stop, whatever becomes of the context that started it.
	p := &process{cmd: exec.CommandContext(context.Background(), path, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Dir = "/"
	p.cmd.SysProcAttr = who.attributes()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer out.Close()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			// How it ended is in its log; that it ended is what matters here.
			_ = p.cmd.Wait()
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	return p, nil
}

// stop asks for a fast shutdown (SIGINT), and for an immediate one (SIGQUIT)
// when that takes more than 20 seconds.
func (p *process) stop() {
	// A process that has already ended needs no signal.
	_ = p.cmd.Process.Signal(fastShutdown)
	select {
	case <-p.ended:
		return
	case <-time.After(20 * time.Second):
	}
	_ = p.cmd.Process.Signal(immediateShutdown) // as above
	<-p.ended
}
