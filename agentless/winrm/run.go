package winrm

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Command is one command line for a shell of its own.
type Command struct {
	// Line is the command line, passed raw: through cmd.exe, or to
	// CreateProcess with SkipShell.
	Line string
	// Args are appended by the host, one blank between; usually none.
	Args []string
	// SkipShell starts the program without cmd.exe: 32,767 characters instead
	// of 8,191, and nothing of the line is interpreted.
	SkipShell bool
	// Stdin is sent and then closed. Nil sends nothing and leaves stdin open;
	// empty and not nil closes it at once, for programs that wait for its end.
	Stdin []byte
	// CodePage is the shell's; 0 decides by the Windows version of Identify.
	CodePage int
}

// Result is how a command ended.
type Result struct {
	Exit           int
	Stdout, Stderr []byte // as they came, in CodePage
	CodePage       int
}

const (
	longestLine = 32767   // CreateProcess
	stdinChunk  = 100_000 // raw bytes; base64 and headers stay below 150 KB
	longestID   = 256
	createGrace = 400 * time.Millisecond // for an answer to Create after the caller gave up
	leaveTime   = 5 * time.Second        // for Signal and Delete
	// leaveTimeCancelled is leaveTime once the caller's context is over: every
	// call has to end within a second.
	leaveTimeCancelled = 450 * time.Millisecond
)

// Run opens a shell, runs one command in it and closes it. The shell is closed
// whatever happens, also when the context ends. An exit code other than 0 is
// no error. With an *UnknownOutcome the result holds the output that came.
func (c *Conn) Run(ctx context.Context, cmd Command) (Result, error) {
	result, err := c.run(ctx, cmd)
	if err != nil {
		return result, fmt.Errorf("run a command on %s: %w", c.cfg.Address, err)
	}
	return result, nil
}

func (c *Conn) run(ctx context.Context, cmd Command) (Result, error) {
	if err := cmd.check(); err != nil {
		return Result{}, err
	}
	page, err := c.codePage(ctx, cmd.CodePage)
	if err != nil {
		return Result{}, err
	}
	select {
	case c.shells <- struct{}{}:
		defer func() { <-c.shells }()
	case <-ctx.Done():
		return Result{}, fmt.Errorf("%w: waiting for one of %d shells: %w", ErrTimeout, shellsPerHost, ctx.Err())
	}
	shell, err := c.create(ctx, page)
	if err != nil {
		return Result{}, fmt.Errorf("create shell: %w", err)
	}
	var id string
	defer func() { c.leave(ctx, shell, id) }()
	if ctx.Err() != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
	result := Result{CodePage: page}
	id, err = c.start(ctx, shell, cmd)
	if err != nil {
		return result, err
	}
	if cmd.Stdin != nil {
		if err := c.feed(ctx, shell, id, cmd.Stdin); err != nil && !tooLate(err, cmd.Stdin) {
			return result, unknown(fmt.Errorf("send input: %w", err))
		}
	}
	if err := c.collect(ctx, shell, id, &result); err != nil {
		return result, unknown(fmt.Errorf("receive output: %w", err))
	}
	return result, nil
}

// check refuses what cannot be sent as it is.
func (cmd Command) check() error {
	size := len(cmd.Line)
	errs := []error{writable("command", cmd.Line)}
	for _, a := range cmd.Args {
		size += 1 + len(a)
		errs = append(errs, writable("argument", a))
	}
	switch {
	case cmd.Line == "":
		errs = append(errs, &Refused{Reason: "an empty command"})
	case size > longestLine:
		errs = append(errs, &Refused{Reason: fmt.Sprintf("a command line of %d bytes; Windows takes %d characters", size, longestLine)})
	}
	return errors.Join(errs...)
}

// codePage is the one asked for or what the host's version calls for.
func (c *Conn) codePage(ctx context.Context, asked int) (int, error) {
	if asked != 0 {
		return asked, nil
	}
	id, err := c.Identity(ctx)
	if err != nil {
		return 0, err
	}
	return id.CodePage(), nil
}

// create opens a shell. The request outlives the caller's context a little:
// a shell that was opened but whose id never came could not be deleted.
func (c *Conn) create(ctx context.Context, page int) (string, error) {
	lasting, cancel := grace(ctx, c.cfg.OperationTimeout, createGrace)
	defer cancel()
	idle := c.idle()
	answer, err := c.exchange(call{transport: c.transport, ctx: lasting}, c.createMessage(page, idle).String())
	if idle > 0 && ctx.Err() == nil && blamed(err) {
		// No shell came about. Perhaps it is the element that this host does not take.
		if answer, err = c.exchange(call{transport: c.transport, ctx: lasting}, c.createMessage(page, 0).String()); err == nil {
			c.idleRefused()
		}
	}
	err = c.shellFor(err, time.Now())
	if ctx.Err() != nil && errors.Is(err, ErrTimeout) {
		return "", fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
	if err != nil {
		return "", err
	}
	body := answer.child("Body")
	// WinRM 1.1 and 2.0 give the id only as a selector, 1.1 with "uuid:" in
	// front, which is part of it.
	for _, selector := range body.child("ResourceCreated").find("SelectorSet").all() {
		if selector.attr("Name") == "ShellId" {
			return identifier(selector.words())
		}
	}
	return identifier(body.child("Shell").child("ShellId").words())
}

// start sends Command. Once it may have left, anything but a fault that proves
// that nothing ran is an unknown outcome; it is never sent again.
func (c *Conn) start(ctx context.Context, shell string, cmd Command) (string, error) {
	var sent atomic.Bool
	answer, err := c.exchange(call{transport: c.transport, ctx: ctx, sent: &sent}, c.commandMessage(shell, cmd).String())
	var fault *Fault
	var held *heldBack
	switch {
	case err == nil:
	case errors.As(err, &fault) && fault.NothingRan():
		return "", fmt.Errorf("start command: %w", err)
	case !sent.Load(), errors.As(err, &held):
		return "", fmt.Errorf("start command: %w", err)
	default:
		return "", unknown(fmt.Errorf("start command: %w", err))
	}
	id, err := identifier(answer.child("Body").child("CommandResponse").child("CommandId").words())
	if err != nil {
		return "", unknown(err)
	}
	return id, nil
}

// identifier takes a shell's or command's id as it came.
func identifier(id string) (string, error) {
	if id == "" || len(id) > longestID || writable("id", id) != nil {
		return "", fmt.Errorf("%w: no usable id in it", errAnswer)
	}
	return id, nil
}

// feed sends stdin in pieces and closes it.
func (c *Conn) feed(ctx context.Context, shell, id string, data []byte) error {
	for {
		piece := data[:min(len(data), stdinChunk)]
		data = data[len(piece):]
		end := len(data) == 0
		_, err := c.exchange(call{transport: c.transport, ctx: ctx}, c.sendMessage(shell, id, piece, end).String())
		if err != nil {
			return err
		}
		if end {
			return nil
		}
	}
}

// tooLate reports whether the host refused nothing but the end of an empty
// input: a short program is over before that arrives, and its pipe with it. A
// fault of code 232 (ERROR_NO_DATA) says so; what became of the command, its
// output says, whatever the code. Source: issues of Ansible, "attempting to
// recover", code 232 from the Receiver; its connection plugin does the same.
func tooLate(err error, input []byte) bool {
	var fault *Fault
	return len(input) == 0 && errors.As(err, &fault) && fault.Blame != ""
}

// collect asks for output until the command is done. The host's time limit
// for one request is no end: it is asked again.
func (c *Conn) collect(ctx context.Context, shell, id string, result *Result) error {
	var total int
	for wait := (pacer{}); ; {
		began := time.Now()
		answer, err := c.exchange(call{transport: c.transport, ctx: ctx}, c.receiveMessage(shell, id).String())
		if code, _ := FaultCode(err); code == CodeTimedOut {
			if err := wait.after(ctx, time.Since(began)); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		response := answer.child("Body").child("ReceiveResponse")
		if response == nil {
			return fmt.Errorf("%w: no ReceiveResponse", errAnswer)
		}
		got, done, err := result.take(response)
		total += got
		switch {
		case err != nil:
			return err
		case done:
			return nil
		case total > maxOperation:
			return fmt.Errorf("%w: more than %d bytes of output", errAnswer, maxOperation)
		case got > 0:
			wait = pacer{}
			continue
		}
		if err := wait.after(ctx, time.Since(began)); err != nil {
			return err
		}
	}
}

// take adds one answer's output and says whether the command is done.
func (r *Result) take(response *node) (got int, done bool, err error) {
	for _, k := range response.kids {
		switch k.name.Local {
		case "Stream":
			data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(k.text), ""))
			if err != nil {
				return got, false, fmt.Errorf("%w: output: %w", errAnswer, err)
			}
			got += len(data)
			switch k.attr("Name") {
			case "stdout":
				r.Stdout = append(r.Stdout, data...)
			case "stderr":
				r.Stderr = append(r.Stderr, data...)
			}
		case "CommandState":
			if !strings.HasSuffix(k.attr("State"), "/CommandState/Done") {
				continue
			}
			exit, err := strconv.ParseInt(k.child("ExitCode").words(), 10, 64)
			if err != nil || exit < -1<<31 || exit >= 1<<32 {
				return got, false, fmt.Errorf("%w: done without an exit code", errAnswer)
			}
			r.Exit, done = int(exit), true
		}
	}
	return got, done, nil
}

// leave ends the command, if it has an id, and deletes the shell, also when the
// caller's context is over; then both are sent at once, because Delete ends the
// command too and there is little time. What fails here is undone by the
// host's own idle limit, so it is not reported.
func (c *Conn) leave(ctx context.Context, shell, id string) {
	ctx = unguarded(ctx)
	signalled := make(chan struct{})
	signal := func(late time.Duration) {
		defer close(signalled)
		lasting, cancel := grace(ctx, leaveTime, late)
		defer cancel()
		// A command that is done has nothing left to end.
		_, _ = c.exchange(call{transport: c.transport, ctx: lasting}, c.signalMessage(shell, id).String())
	}
	switch {
	case id == "":
		close(signalled)
	case ctx.Err() == nil:
		signal(leaveTimeCancelled / 3)
	default:
		go signal(leaveTimeCancelled)
	}
	lasting, cancel := grace(ctx, leaveTime, leaveTimeCancelled)
	defer cancel()
	// An idle shell is dropped by the host after some minutes.
	_, _ = c.exchange(call{transport: c.transport, ctx: lasting}, c.deleteMessage(shell).String())
	<-signalled
}

// grace is a context that outlives ctx by late and lasts at most whole.
func grace(ctx context.Context, whole, late time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), whole)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(late, cancel) })
	return out, func() {
		stop()
		cancel()
	}
}

// pacer keeps a host that answers at once with nothing from being asked in a
// hot loop.
type pacer struct{ pause time.Duration }

func (p *pacer) after(ctx context.Context, took time.Duration) error {
	if took > 200*time.Millisecond {
		p.pause = 0
		return nil
	}
	p.pause = min(max(2*p.pause, 20*time.Millisecond), time.Second)
	timer := time.NewTimer(p.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
}
