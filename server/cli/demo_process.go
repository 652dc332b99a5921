package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// child keeps one process of the demo running: when it ends it is started
// again, until the demo stops.
type child struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// command makes one run of the process.
type command func() *exec.Cmd

// keep starts the process and starts it again when it ends. The channel gets
// nil with its first line of output, or why that did not come.
func keep(ctx context.Context, g *Globals, name string, start command) (*child, <-chan error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &child{cancel: cancel, done: make(chan struct{})}
	firstUp := make(chan error, 1)
	var once sync.Once
	up := func(err error) { once.Do(func() { firstUp <- err }) }
	go func() {
		// The kernel ends a child when the thread that made it ends: this one stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		for {
			err := runOnce(ctx, g, start(), up)
			up(fmt.Errorf("%s ended at once: %w", name, err))
			if ctx.Err() != nil {
				return
			}
			fmt.Fprintf(g.Stderr, "%s ended (%v); it is started again, everything else kept running\n", name, err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
	}()
	return c, firstUp
}

// runOnce runs the process until it ends or ctx does; then it is told to end.
func runOnce(ctx context.Context, g *Globals, cmd *exec.Cmd, up func(error)) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = g.Stderr
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return err
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		first, err := bufio.NewReader(out).ReadString('\n')
		if err == nil && first != "" {
			up(nil)
		}
		// Nothing else is expected there, but a full pipe would stop the process.
		_, _ = io.Copy(io.Discard, out)
	})
	ended := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			// It may have ended by itself, which is what is wanted.
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(stopWithin + 5*time.Second):
				_ = cmd.Process.Kill() // as above
			}
		case <-ended:
		}
	}()
	reading.Wait()
	err = cmd.Wait()
	close(ended)
	if err == nil {
		err = errors.New("exit status 0")
	}
	return err
}

// stop ends the process and waits for its end.
func (c *child) stop() {
	c.cancel()
	<-c.done
}

// startHosts starts the simulated hosts and waits until they listen.
func startHosts(ctx context.Context, g *Globals, self string, c *DemoCmd) (*child, error) {
	fleet, err := os.ReadFile(c.path(fleetFile))
	if err != nil {
		return nil, fmt.Errorf("read the demo's fleet: %w", err)
	}
	_, profiles, err := demoHosts(fleet)
	if err != nil {
		return nil, err
	}
	hosts, up := keep(ctx, g, "twin", func() *exec.Cmd {
		cmd := exec.Command(self, "twin", "--fleet", c.path(fleetFile),
			"--user", demoUser, "--password-file", c.path("winrm.password"),
			"--runas", demoRunAs, "--runas-password-file", c.path("runas.password"),
			"--speed", strconv.FormatFloat(c.Speed, 'f', -1, 64),
			"--journal", c.path("journal.jsonl"), "--state", c.path("hosts"), "--tls", c.path(certificatesDir))
		for _, way := range demoAccess(profiles) {
			cmd.Args = append(cmd.Args, "--access", way)
		}
		if c.Faults != "" {
			cmd.Args = append(cmd.Args, "--faults", c.Faults)
		}
		return cmd
	})
	select {
	case err := <-up:
		if err != nil {
			hosts.stop()
			return nil, err
		}
		return hosts, nil
	case <-ctx.Done():
		hosts.stop()
		return nil, ctx.Err()
	}
}

// startConsole starts the console and the coordinator as a process of their own.
func startConsole(ctx context.Context, g *Globals, self string, c *DemoCmd, url, media string) *child {
	console, _ := keep(ctx, g, "serve", func() *exec.Cmd {
		cmd := exec.Command(self, "serve", "--demo", "--listen", c.Listen, "--key-file", c.path("wavekeeper.key"),
			"--media-listen", media, "--media-dir", c.path(mediaFolder))
		cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
		return cmd
	})
	return console
}
