package twin

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"
)

// account is whom a program runs as.
type account struct {
	name string // DOMAIN\user or the local user's name
	sid  string
	ad   bool // can reach Active Directory
}

// systemAccount is LocalSystem: no Exchange rights in AD.
var systemAccount = account{name: `NT AUTHORITY\SYSTEM`, sid: sidSystem}

// winrmAccount is a WinRM logon: a network logon, which reaches no other
// machine (winrm.md 2.3), of a local account or of one of the domain.
func (h *host) winrmAccount(user string) account {
	switch {
	case strings.EqualFold(user, h.fleet.opt.RunAs):
		return account{name: h.fleet.opt.RunAs, sid: sidRunAs}
	case strings.Contains(user, `\`):
		return account{name: user, sid: sidDomainUser}
	}
	return account{name: h.name + `\` + user, sid: sidWinRM}
}

// session is one cmd.exe: directory, environment, and where it stands.
type session struct {
	ctx      context.Context
	h        *host
	who      account
	via      string // "shell" or "task"
	codePage int
	env      map[string]string // by upper-case name
	cwd      string
	level    int // ERRORLEVEL
	batch    *batch
	loops    map[byte]string
	delayed  bool
	echo     bool
	flow     flow
	label    string
	exitCode int
	pid      int
}

// flow says how the running batch file goes on.
type flow int

const (
	flowOn flow = iota
	flowGoto
	flowEOF  // the batch file or subroutine ends
	flowExit // cmd ends
)

// batch is a running batch file or subroutine of one.
type batch struct {
	path  string
	lines []string
	next  int
	args  []string // args[0] is the file as it was called
	tail  string
	saved []map[string]string // by setlocal
}

func (b *batch) arg(n int) string {
	if n < len(b.args) {
		return b.args[n]
	}
	return ""
}

// newSession is a fresh cmd.exe of an account.
func (h *host) newSession(ctx context.Context, who account, via, cwd string) *session {
	user := base(who.name)
	p := h.platform
	s := &session{ctx: ctx, h: h, who: who, via: via, codePage: p.oem, cwd: cwd, loops: map[byte]string{}, echo: true}
	s.env = map[string]string{
		"COMPUTERNAME": h.name, "COMSPEC": p.system32() + `\cmd.exe`, "OS": "Windows_NT", "PROCESSOR_ARCHITECTURE": "AMD64",
		"PATH": p.system32() + `;` + p.windows + `;` + p.windows + `\System32\Wbem;` + p.installPath() + `bin`, "PATHEXT": ".COM;.EXE;.BAT;.CMD;.VBS;.JS",
		"PROGRAMFILES": p.programFiles(), "PROMPT": "$P$G", "SYSTEMDRIVE": "C:", "SYSTEMROOT": p.windows, "WINDIR": p.windows,
		"TEMP": p.windows + `\TEMP`, "TMP": p.windows + `\TEMP`, "USERNAME": user, "USERDOMAIN": strings.TrimSuffix(who.name, `\`+user),
		"EXCHANGEINSTALLPATH": p.installPath(),
	}
	return s
}

// observeCommand tells the observer of a command line before it runs.
func (h *host) observeCommand(line, via string) {
	if h.fleet.opt.Observe == nil {
		return
	}
	h.observe([]Observation{{
		Time: time.Now().UTC(), Host: h.journalName(), What: "command", Detail: map[string]any{"line": line, "via": via},
	}})
}

// runShellLine runs what a WinRM client sent and returns its exit code.
func (h *host) runShellLine(ctx context.Context, sh *shell, c *command, line string, skip bool) int {
	h.observeCommand(line, "shell")
	s := h.newSession(ctx, h.winrmAccount(sh.user), "shell", sh.cwd)
	s.codePage = sh.codePage
	for k, v := range sh.env {
		s.env[strings.ToUpper(k)] = v
	}
	var p *process
	h.look(func() {
		name := "cmd.exe"
		if skip {
			name = base(firstWord(line))
		}
		p = h.startProcess(name, h.platform.system32()+`\`+name, line, s.who.name, 0, c.cancel)
		s.pid = p.PID
	})
	defer h.look(func() { h.endProcess(p) })
	io := streams{in: c.stdin.reader(ctx), out: stream{c, &c.stdout}, err: stream{c, &c.stderr}}
	if skip {
		return s.program(line, io)
	}
	return s.runLine(line, io)
}

// runLine runs one line as cmd /c does and returns cmd's exit code.
func (s *session) runLine(line string, io streams) int {
	outer := s.batch
	s.batch = nil
	defer func() { s.batch = outer }()
	n, err := parseCommand(strings.TrimRight(s.expand(line), "\r\n"))
	if err != nil {
		s.tell(io.err, "%s\r\n", err)
		return 255
	}
	code := s.run(n, io)
	if s.flow == flowExit || s.flow == flowEOF {
		code = s.exitCode
	}
	s.flow = flowOn
	return code
}

// run executes a node; its result is what && and || and cmd /c look at, which
// for an unknown command is 1 while ERRORLEVEL is 9009.
func (s *session) run(n node, io streams) int {
	if s.ctx.Err() != nil {
		s.flow, s.exitCode = flowExit, -1073741510 // STATUS_CONTROL_C_EXIT
		return s.exitCode
	}
	switch n := n.(type) {
	case nil:
		return 0
	case sequence:
		code := 0
		for _, item := range n.items {
			if code = s.run(item, io); s.flow != flowOn {
				return code
			}
		}
		return code
	case both:
		code := s.run(n.left, io)
		if code == 0 && s.flow == flowOn {
			return s.run(n.right, io)
		}
		return code
	case either:
		code := s.run(n.left, io)
		if code != 0 && s.flow == flowOn {
			return s.run(n.right, io)
		}
		return code
	case pipe:
		return s.runPipe(n, io)
	case redirect:
		inner, done, err := s.redirected(n.where, io)
		if err != nil {
			s.tell(io.err, "%s\r\n", err)
			s.level = 1
			return 1
		}
		defer done()
		return s.run(n.body, inner)
	case conditional:
		return s.runIf(n, io)
	case loop:
		return s.runFor(n, io)
	case simple:
		return s.runSimple(s.late(n.text), io)
	}
	return 0
}

// runPipe runs both sides in shells of their own, as cmd does.
func (s *session) runPipe(n pipe, io streams) int {
	var between bytes.Buffer
	left := *s
	left.env = copied(s.env)
	left.run(n.left, streams{in: io.in, out: &between, err: io.err})
	right := *s
	right.env = copied(s.env)
	right.flow = flowOn
	code := right.run(n.right, streams{in: &between, out: io.out, err: io.err})
	if right.flow != flowOn {
		code = right.exitCode
	}
	s.level = code
	return code
}

func copied(env map[string]string) map[string]string {
	c := make(map[string]string, len(env))
	for k, v := range env {
		c[k] = v
	}
	return c
}

func (s *session) runIf(c conditional, io streams) int {
	left, right := s.late(c.left), s.late(c.right)
	holds := false
	switch c.kind {
	case "exist":
		path := clean(left, s.cwd)
		s.h.look(func() {
			trimmed := strings.TrimSuffix(path, `\`)
			holds = s.h.folderAt(path) || len(s.h.wild(trimmed)) > 0
		})
	case "defined":
		_, holds = s.variable(left)
	case "errorlevel":
		holds = s.level >= atoi(left)
	default:
		holds = compare(left, c.kind, right, c.fold)
	}
	switch {
	case holds != c.not:
		return s.run(c.then, io)
	case c.otherwise != nil:
		return s.run(c.otherwise, io)
	}
	return 0
}

func compare(left, op, right string, fold bool) bool {
	if fold {
		left, right = strings.ToLower(left), strings.ToLower(right)
	}
	order := strings.Compare(left, right)
	a, errA := strconv.ParseInt(left, 0, 64)
	b, errB := strconv.ParseInt(right, 0, 64)
	if op != "==" && errA == nil && errB == nil {
		order = int(max(-1, min(1, a-b)))
	}
	switch op {
	case "==", "EQU":
		return order == 0
	case "NEQ":
		return order != 0
	case "LSS":
		return order < 0
	case "LEQ":
		return order <= 0
	case "GTR":
		return order > 0
	}
	return order >= 0
}
