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
	"unicode/utf16"
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
	longestLine = 32767 // CreateProcess
	// longestShellLine is cmd.exe's limit (KB830473) less what the host puts around
	// the line, cmd.exe /c "". Longer ones were seen to be cut and to end with code
	// 0 and no output (mondoohq/mql pull request 10552).
	longestShellLine = 8191 - len(`cmd.exe /c ""`)
	stdinChunk       = 100_000 // raw bytes; base64, headers and sealing stay below 150 KB
	longestID        = 256
	createGrace      = 400 * time.Millisecond // for an answer to Create after the caller gave up
	leaveTime        = 5 * time.Second        // for Signal and Delete
	// leaveTimeCancelled is leaveTime once the caller's context is over: every
	// call has to end within a second.
	leaveTimeCancelled = 450 * time.Millisecond
)

// Run runs one command in a shell, which is kept for the next command when this
// one ended well, and ended with it otherwise: in the background, also when the
// context ends. An exit code other than 0 is no error. With an *UnknownOutcome
// the result holds the output that came. Only what a fault proved not to have
// run is tried again, a little later: a quota, a shell that is gone.
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
	for try := 0; ; try++ {
		result, kept, err := c.once(ctx, page, cmd)
		if err == nil || try >= quotaTries || !c.mayTryAgain(ctx, err, kept, try) {
			return result, err
		}
	}
}

// once is one try; kept reports whether the shell had been kept from before.
func (c *Conn) once(ctx context.Context, page int, cmd Command) (result Result, kept bool, err error) {
	one, err := c.take(ctx, page)
	if err != nil {
		return Result{}, false, err
	}
	if kept = one.id != ""; !kept {
		if one.id, err = c.create(ctx, page); err != nil {
			shells.drop(one, false)
			return Result{}, false, fmt.Errorf("create shell: %w", err)
		}
	}
	var id string
	well := false
	defer func() {
		switch {
		case !well:
			c.leave(ctx, one, id)
		case !shells.keep(one, time.Now()):
			c.remove(ctx, one)
		}
	}()
	if ctx.Err() != nil {
		return Result{}, kept, fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
	result = Result{CodePage: page}
	id, err = c.start(ctx, one.id, cmd)
	if err != nil {
		return result, kept, err
	}
	if cmd.Stdin != nil {
		if err := c.feed(ctx, one.id, id, cmd.Stdin); err != nil && !tooLate(err, cmd.Stdin) {
			return result, kept, unknown(fmt.Errorf("send input: %w", err))
		}
	}
	if err := c.collect(ctx, one.id, id, &result); err != nil {
		return result, kept, unknown(fmt.Errorf("receive output: %w", err))
	}
	well = c.signal(ctx, one.id, id)
	return result, kept, nil
}

// signal tells the host that a command is through with, and reports whether it
// heard: only then may the shell run another.
func (c *Conn) signal(ctx context.Context, shell, id string) bool {
	lasting, cancel := context.WithTimeout(unguarded(ctx), leaveTime)
	defer cancel()
	return c.say(lasting, signalMessage(shell, id), heard) == nil
}

// check refuses what cannot be sent as it is.
func (cmd Command) check() error {
	size := len(cmd.Line)
	var errs []error
	if printable(cmd.Line) < size {
		size, errs = units(cmd.Line), append(errs, writable("command", cmd.Line))
	}
	for _, a := range cmd.Args {
		if printable(a) == len(a) { // looked at once: arguments are long
			size += 1 + len(a)
			continue
		}
		size += 1 + units(a)
		errs = append(errs, writable("argument", a))
	}
	switch {
	case cmd.Line == "":
		errs = append(errs, &Refused{Reason: "an empty command"})
	case size > longestLine:
		errs = append(errs, &Refused{Reason: fmt.Sprintf("a command line of %d characters; Windows takes %d", size, longestLine)})
	case !cmd.SkipShell && size > longestShellLine:
		errs = append(errs, &Refused{Reason: fmt.Sprintf("a command line of %d characters; cmd.exe takes %d, and what is longer it may cut without a word", size, longestShellLine)})
	case size > longestEnvelope/6: // written as &#34; a character is five
		escaped := len(escape(cmd.Line))
		for _, a := range cmd.Args {
			escaped += len(escape(a))
		}
		if most := longestEnvelope - 4<<10; escaped > most {
			errs = append(errs, &Refused{Reason: fmt.Sprintf("a command line of %d bytes as XML; a message to a host has room for %d", escaped, most)})
		}
	}
	return errors.Join(errs...)
}

// units is the length of a text as Windows counts it, in UTF-16 units.
func units(s string) int {
	n := printable(s)
	for _, r := range s[n:] {
		n += utf16.RuneLen(r)
	}
	return n
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
	c.bury(ctx)
	if ctx.Err() != nil {
		return "", fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
	lasting, cancel := grace(ctx, c.cfg.OperationTimeout, createGrace)
	defer cancel()
	idle := c.idle()
	var id string
	named := func(answer *node) (err error) {
		id, err = idOfShell(answer.child("Body"))
		return err
	}
	err := c.say(lasting, createMessage(page, idle), named)
	if idle > 0 && ctx.Err() == nil && blamed(err) {
		// No shell came about. Perhaps it is the element that this host does not take.
		if err = c.say(lasting, createMessage(page, 0), named); err == nil {
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
	return id, nil
}

// idOfShell is the id in the answer to Create.
func idOfShell(body *node) (string, error) {
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
	id := ""
	err := c.tell(call{transport: c.transport, ctx: ctx, sent: &sent, take: func(answer *node) (err error) {
		id, err = identifier(answer.child("Body").child("CommandResponse").child("CommandId").words())
		return err
	}}, commandMessage(shell, cmd))
	var fault *Fault
	var held *heldBack
	switch {
	case err == nil:
		return id, nil
	case errors.As(err, &fault) && fault.NothingRan():
		return "", fmt.Errorf("start command: %w", err)
	case !sent.Load(), errors.As(err, &held):
		return "", fmt.Errorf("start command: %w", err)
	default:
		return "", unknown(fmt.Errorf("start command: %w", err))
	}
}

// identifier takes a shell's or command's id as it came.
func identifier(id string) (string, error) {
	if id == "" || len(id) > longestID || writable("id", id) != nil {
		return "", fmt.Errorf("%w: no usable id in it", errAnswer)
	}
	return strings.Clone(id), nil // not the whole answer
}

// feed sends stdin in pieces and closes it.
func (c *Conn) feed(ctx context.Context, shell, id string, data []byte) error {
	for {
		piece := data[:min(len(data), stdinChunk)]
		data = data[len(piece):]
		end := len(data) == 0
		if err := c.say(ctx, sendMessage(shell, id, piece, end), heard); err != nil {
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
		var got int
		var done bool
		err := c.say(ctx, receiveMessage(shell, id), func(answer *node) (err error) {
			response := answer.child("Body").child("ReceiveResponse")
			if response == nil {
				return fmt.Errorf("%w: no ReceiveResponse", errAnswer)
			}
			got, done, err = result.take(response)
			return err
		})
		total += got
		if code, _ := FaultCode(err); code == CodeTimedOut {
			if err := wait.after(ctx, time.Since(began)); err != nil {
				return err
			}
			continue
		}
		switch {
		case err != nil:
			return err
		case done:
			return nil
		case total > maxOperation:
			return &TooMuch{"bytes of output", maxOperation}
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
