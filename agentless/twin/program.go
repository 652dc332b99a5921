package twin

import (
	"sort"
	"strings"
	"time"
)

// call is one run of a program: its words without the program's own name.
type call struct {
	s    *session
	line string // the whole command line, as it was written
	args []string
	streams
}

func (c *call) print(format string, args ...any)    { c.s.say(c.out, format, args...) }
func (c *call) complain(format string, args ...any) { c.s.tell(c.err, format, args...) }

// has reports a switch, without regard to case.
func (c *call) has(flag string) bool {
	for _, a := range c.args {
		if strings.EqualFold(a, flag) {
			return true
		}
	}
	return false
}

// after returns the word after a switch.
func (c *call) after(flag string) (string, bool) {
	for i, a := range c.args {
		if strings.EqualFold(a, flag) && i+1 < len(c.args) {
			return c.args[i+1], true
		}
	}
	return "", false
}

// programs are the executables in the path, by name without extension.
var programs map[string]func(*call) int

func init() { // the table refers to programs that look into it
	programs = map[string]func(*call) int{
		"attrib": quiet, "chcp": chcp, "cmd": runCmd, "find": find, "findstr": findstr, "hostname": hostname, "ipconfig": ipconfig,
		"more": more, "msiexec": msiexec, "net": netCommand, "ping": ping, "powershell": powershell, "reg": reg, "sc": sc, "schtasks": schtasks,
		"shutdown": shutdown, "sort": sortLines, "taskkill": taskkill, "tasklist": tasklist, "whoami": whoami, "timeout": timeout,
	}
}

func quiet(*call) int { return 0 }

// resolve finds what a command's first word names: a program of Windows, or a
// file of the host.
func (h *host) resolve(word, cwd string) (run func(*call) int, path string) {
	low := strings.ToLower(word)
	name := strings.TrimSuffix(low, ".exe")
	inSystem := strings.TrimPrefix(name, `c:\windows\system32\`)
	inSystem = strings.TrimPrefix(inSystem, `windowspowershell\v1.0\`)
	if name == "powershell" && h.platform.oldPath {
		return nil, ""
	}
	if p, ok := programs[inSystem]; ok {
		return p, h.platform.system32() + `\` + inSystem + ".exe"
	}
	places := []string{clean(word, cwd)}
	if !strings.ContainsAny(word, `\/:`) {
		places = append(places, h.platform.system32()+`\`+word, h.platform.installPath()+`bin\`+word)
	}
	for _, p := range places {
		for _, ext := range []string{"", ".com", ".exe", ".bat", ".cmd"} {
			if f := h.fileAt(p + ext); f != nil && !f.Dir {
				return nil, f.Path
			}
		}
	}
	return nil, ""
}

// isProgram reports whether a line can be started without cmd.exe; the caller
// holds the lock.
func (h *host) isProgram(line, cwd string) bool {
	run, path := h.resolve(firstWord(line), cwd)
	return run != nil || path != ""
}

// batchFile is the path of the batch file that a word names, or "".
func (s *session) batchFile(word string) string {
	var path string
	s.h.look(func() { _, path = s.h.resolve(word, s.cwd) })
	if low := strings.ToLower(path); strings.HasSuffix(low, ".cmd") || strings.HasSuffix(low, ".bat") {
		return path
	}
	return ""
}

func (s *session) callBatch(path, line string, io streams) int {
	words := programArguments(line)
	tail := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), words[0]))
	return s.runBatch(path, words, tail, io)
}

// program runs an external command.
func (s *session) program(line string, io streams) int {
	words := programArguments(strings.TrimSpace(line))
	if len(words) == 0 {
		return 0
	}
	word := strings.ReplaceAll(words[0], `"`, "")
	if !strings.HasPrefix(words[0], `"`) { // hostname/? and echo/x: a slash ends an unquoted name
		if i := strings.IndexByte(word, '/'); i > 0 {
			words = append([]string{word[:i], word[i:]}, words[1:]...)
			word = word[:i]
		}
	}
	var run func(*call) int
	var path string
	s.h.look(func() { run, path = s.h.resolve(word, s.cwd) })
	if run == nil && path == "" {
		if strings.ContainsAny(word, `\/`) {
			found := false
			s.h.look(func() { found = s.h.folderAt(parent(clean(word, s.cwd))) })
			if !found {
				s.say(io.err, "The system cannot find the path specified.\r\n")
				return 1
			}
		}
		s.say(io.err, "'%s' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n", words[0])
		return 9009
	}
	if p := s.batchFile(word); p != "" {
		return s.chain(p, line, io)
	}
	c := &call{s: s, line: line, streams: io}
	for _, w := range words[1:] {
		c.args = append(c.args, unquoted(w))
	}
	if run != nil {
		return run(c)
	}
	if strings.EqualFold(base(path), "fscutility.exe") {
		return c.fscutility(path)
	}
	var data []byte
	s.h.look(func() {
		if f := s.h.fileAt(path); f != nil {
			data = append(data, f.Data...)
		}
	})
	pkg, language, arch, ok := mediaOf(data)
	if !ok {
		s.say(io.err, "%s is not a valid Win32 application.\r\n", path)
		return 193 & 0xff
	}
	return c.exchangeSetup(path, pkg, language, arch)
}

// unquoted takes the quotes off a word as the C runtime does: backslashes
// before a quote come in pairs, an odd one makes the quote a letter.
func unquoted(word string) string {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		n := 0
		for i < len(word) && word[i] == '\\' {
			n++
			i++
		}
		if i < len(word) && word[i] == '"' {
			b.WriteString(strings.Repeat(`\`, n/2))
			if n%2 == 1 {
				b.WriteByte('"')
			}
			continue
		}
		b.WriteString(strings.Repeat(`\`, n))
		if i < len(word) {
			b.WriteByte(word[i])
		}
	}
	return b.String()
}

// chain starts a batch file without CALL: the one that runs does not go on.
func (s *session) chain(path, line string, io streams) int {
	code := s.callBatch(path, line, io)
	if s.batch != nil && s.flow == flowOn {
		s.flow, s.exitCode = flowEOF, code
	}
	return code
}

// runCmd is cmd.exe /c or /k.
func runCmd(c *call) int {
	low := strings.ToLower(c.line)
	i := strings.Index(low, "/c")
	if i < 0 {
		return 0
	}
	inner := strings.TrimSpace(c.line[i+2:])
	if strings.HasPrefix(inner, `"`) && strings.HasSuffix(inner, `"`) && strings.Count(inner, `"`) != 2 ||
		strings.Count(inner, `"`) == 2 && strings.HasPrefix(inner, `"`) && strings.HasSuffix(inner, `"`) && c.s.batchFile(strings.Trim(inner, `"`)) == "" {
		inner = inner[1 : len(inner)-1] // cmd /? says when the outer quotes go
	}
	child := *c.s
	child.env, child.loops, child.batch, child.flow, child.level = copied(c.s.env), map[byte]string{}, nil, flowOn, 0
	return child.runLine(inner, c.streams)
}

func hostname(c *call) int { c.print("%s\r\n", strings.ToLower(c.s.h.name)); return 0 }

func whoami(c *call) int {
	c.print("%s\r\n", strings.ToLower(c.s.h.shownAccount(c.s.who.name)))
	return 0
}

func ipconfig(c *call) int {
	c.print("\r\nWindows IP Configuration\r\n\r\n")
	if c.has("/all") {
		c.print("   Host Name . . . . . . . . . . . . : %s\r\n   Primary Dns Suffix  . . . . . . . : %s\r\n\r\n",
			strings.ToLower(c.s.h.name), c.s.h.domain())
	}
	c.print("\r\nEthernet adapter Local Area Connection:\r\n\r\n   Connection-specific DNS Suffix  . : %s\r\n"+
		"   IP Address. . . . . . . . . . . . : %s\r\n   Subnet Mask . . . . . . . . . . . : 255.0.0.0\r\n"+
		"   Default Gateway . . . . . . . . . : \r\n", c.s.h.domain(), c.s.h.machine())
	return 0
}

// ping waits a second between its echoes; scripts use it to wait.
func ping(c *call) int {
	n := 4
	if v, ok := c.after("-n"); ok {
		n = atoi(v)
	}
	target := ""
	if len(c.args) > 0 {
		target = c.args[len(c.args)-1]
	}
	if target == "localhost" {
		target = "127.0.0.1"
	}
	c.print("\r\nPinging %s with 32 bytes of data:\r\n\r\n", target)
	for i := 0; i < n; i++ {
		if i > 0 && !sleep(c.s.ctx, c.s.h.lasts(time.Second)) {
			return 1
		}
		c.print("Reply from %s: bytes=32 time<1ms TTL=128\r\n", target)
	}
	return 0
}

func timeout(c *call) int {
	for _, a := range c.args {
		if n := atoi(a); n > 0 && !sleep(c.s.ctx, c.s.h.lasts(time.Duration(n)*time.Second)) {
			return 1
		}
	}
	return 0
}

// shutdown restarts the machine; the command itself returns at once.
func shutdown(c *call) int {
	if !c.has("-r") && !c.has("/r") {
		c.print("Usage: shutdown [-r] [-t xx] [-f] [-c \"comment\"]\r\n")
		return 1
	}
	delay := 30 * time.Second
	for _, flag := range []string{"-t", "/t"} {
		if v, ok := c.after(flag); ok {
			delay = time.Duration(atoi(v)) * time.Second
		}
	}
	c.s.h.restart(delay)
	return 0
}

func tasklist(c *call) int {
	c.print("\r\nImage Name                     PID Session Name        Session#    Mem Usage\r\n" +
		"========================= ======== ================ =========== ============\r\n")
	var all []*process
	c.s.h.look(func() { all = c.s.h.allProcesses() })
	sort.SliceStable(all, func(i, j int) bool { return all[i].PID < all[j].PID })
	for _, p := range all {
		c.print("%-25s %8d %-16s %11d %10s K\r\n", p.Name, p.PID, sessionName(p), p.Session, "6,144")
	}
	return 0
}

// taskkill ends processes by /pid or /im.
func taskkill(c *call) int {
	pid, _ := c.after("/pid")
	image, _ := c.after("/im")
	n := 0
	c.s.h.update(func() {
		for _, p := range c.s.h.processes {
			if p.PID == atoi(pid) || image != "" && strings.EqualFold(p.Name, image) {
				n++
				if p.stop != nil {
					p.stop()
				}
			}
		}
	})
	if n == 0 {
		c.complain("ERROR: The process \"%s%s\" not found.\r\n", pid, image)
		return 128
	}
	c.print("SUCCESS: The process with PID %s%s has been terminated.\r\n", pid, image)
	return 0
}
