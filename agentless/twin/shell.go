package twin

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"time"
)

const maxCommandLine = 8191 // of cmd.exe, KB830473

// shell is one text shell: a directory, an environment, and its commands.
type shell struct {
	id, user   string
	codePage   int
	noProfile  bool
	cwd        string
	env        map[string]string
	operations int
	commands   map[string]*command
	idle       *time.Timer
	idleFor    time.Duration // in the host's time
	waiting    int           // pending Receives count as activity
}

// command is one running program of a shell with its streams.
type command struct {
	id     string
	cancel context.CancelFunc
	stdin  *inputStream

	mu             sync.Mutex
	changed        chan struct{} // closed and replaced at every change
	stdout, stderr bytes.Buffer
	done           bool
	exit           int
}

func (h *host) createShell(r *request) (reply, *fault) {
	s := &shell{
		id: h.platform.newShellID(), user: r.user, codePage: h.platform.oem, cwd: h.platform.profileFolder() + `\` + base(r.user),
		env: map[string]string{}, commands: map[string]*command{},
	}
	if n := atoi(r.options["WINRS_CODEPAGE"]); n > 0 {
		s.codePage = n
	}
	s.noProfile = strings.EqualFold(r.options["WINRS_NOPROFILE"], "TRUE")
	body := r.body.child("Shell")
	if body == nil {
		return reply{}, faultSchema()
	}
	if d := body.child("WorkingDirectory").value(); d != "" {
		s.cwd = d
	}
	for _, v := range body.child("Environment").all("Variable") {
		s.env[v.attr("Name")] = v.text
	}
	asked, bad := h.platform.idleOf(body)
	if bad != nil {
		return reply{}, bad
	}
	s.idleFor = asked
	h.look(func() {
		if bad = h.mayOpen(r.user); bad != nil {
			return
		}
		h.shells[shellKey(s.id)] = s
		boot := h.boot
		s.idle = time.AfterFunc(h.shellIdle(s), func() { h.idleShell(boot, s) })
	})
	if bad != nil {
		return reply{}, bad
	}
	return h.created(r, s.id), nil
}

// shellIdle is how long a shell may idle, in real time.
func (h *host) shellIdle(s *shell) time.Duration {
	return h.awaits(s.idleFor)
}

// idleShell ends a shell that nobody used for the idle time.
func (h *host) idleShell(boot context.Context, s *shell) {
	if boot.Err() != nil {
		return
	}
	h.look(func() {
		if s.waiting > 0 {
			s.idle.Reset(h.shellIdle(s))
			return
		}
		h.endShell(s)
	})
}

// endShell ends a shell and, since they are in its job object, its programs;
// the caller holds the lock.
func (h *host) endShell(s *shell) {
	s.idle.Stop()
	for _, c := range s.commands {
		c.cancel()
	}
	delete(h.shells, shellKey(s.id))
}

// shellOf finds the shell that a request names.
func (h *host) shellOf(r *request) *shell {
	s := h.shells[shellKey(r.selectors["shellid"])]
	if s == nil || !strings.EqualFold(s.user, r.user) {
		return nil
	}
	s.idle.Reset(h.shellIdle(s))
	return s
}

func (h *host) deleteShell(r *request) (reply, *fault) {
	var bad *fault
	h.look(func() {
		s := h.shellOf(r)
		if s == nil {
			bad = faultNoShell()
			return
		}
		h.endShell(s)
	})
	return reply{action: transfer + "/DeleteResponse", spaces: spaceX + spaceW + spaceP}, bad
}

func (h *host) command(r *request) (reply, *fault) {
	body := r.body.child("CommandLine")
	if body.child("Command") == nil {
		return reply{}, faultSchema()
	}
	line := body.child("Command").text
	if strings.ContainsAny(line, "\r\n") { // a client that writes its XML over several lines
		line = strings.TrimSpace(line)
	}
	for _, a := range body.all("Arguments") {
		line += " " + a.text
	}
	skip := strings.EqualFold(r.options["WINRS_SKIP_CMD_SHELL"], "TRUE")
	console := strings.EqualFold(r.options["WINRS_CONSOLEMODE_STDIN"], "TRUE")
	if !skip && len(line) > maxCommandLine-len("cmd.exe /c \"\"") || len(line) > 32767 {
		return reply{}, faultLineTooLong()
	}
	var bad *fault
	var s *shell
	var c *command
	var ctx context.Context
	h.look(func() { // in one look: a shell that is deleted ends the commands that it has
		if s = h.shellOf(r); s == nil {
			bad = faultNoShell()
			return
		}
		if bad = h.mayRun(s); bad != nil {
			return
		}
		if skip && !h.isProgram(line, s.cwd) {
			bad = faultFileNotFound()
			return
		}
		s.operations++
		c = &command{id: h.platform.newShellID(), changed: make(chan struct{}), stdin: newInputStream(console)}
		ctx, c.cancel = context.WithCancel(h.boot)
		s.commands[shellKey(c.id)] = c
	})
	if bad != nil {
		return reply{}, bad
	}
	h.fleet.goRun(func() {
		defer c.cancel()
		c.finish(h.runShellLine(ctx, s, c, line, skip))
	})
	return reply{
		action: nsShell + "/CommandResponse", spaces: spaceX + spaceW + spaceRSP + spaceP,
		body: `<rsp:CommandResponse><rsp:CommandId>` + c.id + `</rsp:CommandId></rsp:CommandResponse>`,
	}, nil
}

func (c *command) finish(exit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.exit = true, exit
	close(c.changed)
	c.changed = make(chan struct{})
}

// ended reports whether the program has ended.
func (c *command) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// stream is one output of a command as a writer.
type stream struct {
	c   *command
	buf *bytes.Buffer
}

// Write appends to the stream and wakes a waiting Receive.
func (s stream) Write(p []byte) (int, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.buf.Write(p)
	close(s.c.changed)
	s.c.changed = make(chan struct{})
	return len(p), nil
}

func (h *host) send(r *request) (reply, *fault) {
	body := r.body.child("Send")
	if body.child("Stream") == nil {
		return reply{}, faultSchema()
	}
	var bad *fault
	for _, st := range body.all("Stream") {
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(st.text), ""))
		if err != nil {
			return reply{}, faultSchema()
		}
		h.look(func() {
			s := h.shellOf(r)
			if s == nil {
				bad = faultNoShell()
				return
			}
			c := s.commands[shellKey(st.attr("CommandId"))]
			if c == nil {
				bad = faultNoCommand()
				return
			}
			c.stdin.put(raw, strings.EqualFold(st.attr("End"), "true"))
		})
	}
	return reply{action: nsShell + "/SendResponse", spaces: spaceX + spaceW + spaceRSP + spaceP, body: "<rsp:SendResponse/>"}, bad
}

func (h *host) signal(r *request) (reply, *fault) {
	var bad *fault
	h.look(func() {
		s := h.shellOf(r)
		if s == nil {
			bad = faultNoShell()
			return
		}
		id := shellKey(r.body.child("Signal").attr("CommandId"))
		c := s.commands[id]
		if c == nil {
			bad = faultNoCommand()
			return
		}
		c.cancel()
		if strings.HasSuffix(r.body.child("Signal").child("Code").value(), "/terminate") {
			delete(s.commands, id) // its operation stays counted, see the quotas above
		}
	})
	return reply{action: nsShell + "/SignalResponse", spaces: spaceX + spaceW + spaceRSP + spaceP, body: "<rsp:SignalResponse/>"}, bad
}

// maxChunk keeps an answer under the envelope limit: base64 grows by 4/3.
const maxChunk = 64 * 1024

// receive answers with output as soon as there is some, with the exit code
// when the command is done, or with the time-out fault that means "ask again".
func (h *host) receive(ctx context.Context, r *request) (reply, *fault) {
	want := r.body.child("Receive").child("DesiredStream")
	id := shellKey(want.attr("CommandId"))
	if id == "" {
		return reply{}, faultParameter()
	}
	var s *shell
	var c *command
	h.look(func() {
		if s = h.shellOf(r); s != nil {
			if c = s.commands[id]; c != nil {
				s.waiting++
			}
		}
	})
	if s == nil {
		return reply{}, faultNoShell()
	}
	if c == nil {
		return reply{}, faultNoCommand()
	}
	defer h.look(func() { s.waiting--; s.idle.Reset(h.shellIdle(s)) })
	timeout := time.NewTimer(r.timeout)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		if c.stdout.Len() > 0 || c.stderr.Len() > 0 || c.done {
			body := c.output()
			c.mu.Unlock()
			return reply{action: nsShell + "/ReceiveResponse", spaces: spaceW + spaceRSP + spaceP, body: body}, nil
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-timeout.C:
			return reply{}, faultTimedOut()
		case <-ctx.Done():
			return reply{}, faultNoShell()
		}
	}
}

// output writes what is there; the caller holds the command's lock.
func (c *command) output() string {
	var b strings.Builder
	put := func(name string, buf *bytes.Buffer) {
		if p := buf.Next(maxChunk / 2); len(p) > 0 {
			fmt.Fprintf(&b, `<rsp:Stream Name="%s" CommandId="%s">%s</rsp:Stream>`, name, c.id, base64.StdEncoding.EncodeToString(p))
		}
	}
	b.WriteString("<rsp:ReceiveResponse>")
	put("stdout", &c.stdout)
	put("stderr", &c.stderr)
	if c.done && c.stdout.Len() == 0 && c.stderr.Len() == 0 {
		for _, name := range []string{"stdout", "stderr"} {
			fmt.Fprintf(&b, `<rsp:Stream Name="%s" CommandId="%s" End="true"></rsp:Stream>`, name, c.id)
		}
		fmt.Fprintf(&b, `<rsp:CommandState CommandId="%s" State="%s/CommandState/Done"><rsp:ExitCode>%d</rsp:ExitCode></rsp:CommandState>`,
			c.id, nsShell, uint32(c.exit))
	} else {
		fmt.Fprintf(&b, `<rsp:CommandState CommandId="%s" State="%s/CommandState/Running"></rsp:CommandState>`, c.id, nsShell)
	}
	b.WriteString("</rsp:ReceiveResponse>")
	return b.String()
}
