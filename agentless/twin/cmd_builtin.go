package twin

import (
	"bytes"
	"io"
	"sort"
	"strings"
)

// builtin is a command of cmd.exe itself: rest is what follows the name.
type builtin func(s *session, rest string, io streams) int

var builtins map[string]builtin

func init() { // the table refers to methods that look into it
	builtins = map[string]builtin{
		"echo": (*session).echoText, "set": (*session).set, "cd": (*session).chdir, "chdir": (*session).chdir,
		"md": (*session).mkdir, "mkdir": (*session).mkdir, "rd": (*session).rmdir, "rmdir": (*session).rmdir,
		"del": (*session).del, "erase": (*session).del, "dir": (*session).dir, "type": (*session).typeFile,
		"copy": (*session).copyFile, "move": (*session).move, "ren": (*session).rename, "rename": (*session).rename,
		"ver": (*session).ver, "exit": (*session).exit, "goto": (*session).jump, "call": (*session).call,
		"shift": (*session).shift, "setlocal": (*session).setlocal, "endlocal": (*session).endlocal,
		"rem": nothing, "cls": nothing, "title": nothing, "color": nothing, "prompt": nothing, "verify": nothing, "break": nothing,
		"pushd": (*session).pushd, "popd": nothing, "vol": (*session).vol, "date": (*session).date, "time": (*session).timeOfDay,
		"path": func(s *session, _ string, io streams) int { s.say(io.out, "PATH=%s\r\n", s.env["PATH"]); return 0 },
	}
}

func nothing(*session, string, streams) int { return 0 }

// runSimple runs one command: a builtin, a program, a batch file.
func (s *session) runSimple(text string, io streams) int {
	text = strings.TrimLeft(text, " \t,;=@")
	if text == "" {
		return 0
	}
	if len(text) >= 2 && text[1] == ':' && strings.TrimSpace(text[2:]) == "" { // a drive
		return s.chdir(" /d "+text[:2]+`\`, io)
	}
	name := strings.ToLower(text[:len(text)-len(strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))])
	if run, ok := builtins[name]; ok {
		rest := text[len(name):]
		if rest == "" || strings.IndexByte(` ./\,;=([+:`+"\t", rest[0]) >= 0 {
			code := run(s, rest, io)
			return code
		}
	}
	code := s.program(text, io)
	if s.flow == flowOn {
		s.level = code
		if code == 9009 {
			return 1
		}
	}
	return code
}

// fail says why on stderr and sets ERRORLEVEL to 1.
func (s *session) fail(io streams, format string, args ...any) int {
	s.tell(io.err, format+"\r\n", args...)
	s.level = 1
	return 1
}

func (s *session) echoText(rest string, io streams) int {
	arg := strings.TrimSpace(rest)
	if rest != "" && strings.IndexByte(`./\:([+`, rest[0]) >= 0 {
		s.say(io.out, "%s\r\n", rest[1:])
		return 0
	}
	switch {
	case arg == "":
		state := "on"
		if !s.echo || s.batch == nil {
			state = "off"
		}
		if s.batch == nil {
			state = "on"
		}
		s.say(io.out, "ECHO is %s.\r\n", state)
	case strings.EqualFold(arg, "off"):
		s.echo = false
	case strings.EqualFold(arg, "on"):
		s.echo = true
	default:
		s.say(io.out, "%s\r\n", rest[1:])
	}
	return 0
}

func (s *session) set(rest string, io streams) int {
	arg := strings.TrimLeft(rest, " \t")
	if low := strings.ToLower(arg); strings.HasPrefix(low, "/a") {
		v, err := s.calculate(strings.TrimSpace(arg[2:]))
		if err != nil {
			return s.fail(io, "%s", err)
		}
		if s.batch == nil {
			s.say(io.out, "%d", v)
		}
		return 0
	}
	if low := strings.ToLower(arg); strings.HasPrefix(low, "/p") { // set /p NAME=prompt reads one line
		name, prompt, _ := strings.Cut(strings.TrimSpace(arg[2:]), "=")
		s.say(io.out, "%s", prompt)
		line, ok := firstLine(io.in)
		if !ok {
			s.level = 1
			return 1
		}
		s.env[strings.ToUpper(name)] = decode(line, s.codePage)
		return 0
	}
	if strings.HasPrefix(arg, `"`) { // set "name=value" drops what follows the last quote
		arg = arg[1:]
		if i := strings.LastIndexByte(arg, '"'); i >= 0 {
			arg = arg[:i]
		}
	}
	name, value, given := strings.Cut(arg, "=")
	if given {
		if name == "" {
			return s.fail(io, "The syntax of the command is incorrect.")
		}
		if value == "" {
			_, had := s.env[strings.ToUpper(name)]
			delete(s.env, strings.ToUpper(name))
			if !had {
				s.level = 1
				return 1
			}
			return 0
		}
		s.env[strings.ToUpper(name)] = value
		return 0
	}
	var names []string
	prefix := strings.ToUpper(strings.TrimSpace(name))
	for k := range s.env {
		if strings.HasPrefix(k, prefix) {
			names = append(names, k)
		}
	}
	if len(names) == 0 {
		return s.fail(io, "Environment variable %s not defined", strings.TrimSpace(name))
	}
	sort.Strings(names)
	for _, k := range names {
		s.say(io.out, "%s=%s\r\n", k, s.env[k])
	}
	return 0
}

// firstLine reads up to a line break; an empty line counts as none, as cmd has it.
func firstLine(r io.Reader) ([]byte, bool) {
	var line []byte
	one := make([]byte, 1)
	for {
		n, err := r.Read(one)
		if n == 0 || err != nil || one[0] == '\n' {
			line = bytes.TrimRight(line, "\r")
			return line, len(line) > 0
		}
		line = append(line, one[0])
	}
}

// switches splits words into switches (lower case) and the rest without quotes.
func switches(rest string) (map[string]bool, []string) {
	flags, words := map[string]bool{}, []string{}
	for _, w := range arguments(rest) {
		for strings.HasPrefix(w, "/") {
			end := strings.IndexByte(w[1:], '/')
			if end < 0 {
				flags[strings.ToLower(w[1:])] = true
				w = ""
				break
			}
			flags[strings.ToLower(w[1:end+1])] = true
			w = w[end+1:]
		}
		if w != "" {
			words = append(words, strings.ReplaceAll(w, `"`, ""))
		}
	}
	return flags, words
}

func (s *session) ver(_ string, io streams) int {
	s.say(io.out, "\r\nMicrosoft Windows [Version %s]\r\n", s.h.platform.version)
	return 0
}

func (s *session) vol(_ string, io streams) int {
	s.say(io.out, " Volume in drive C has no label.\r\n Volume Serial Number is DE0A-8E57\r\n")
	return 0
}

func (s *session) date(_ string, io streams) int {
	s.say(io.out, "%s\r\n", s.h.local().Format(s.h.platform.dateForm))
	return 0
}

func (s *session) timeOfDay(_ string, io streams) int {
	s.say(io.out, "%s\r\n", s.h.local().Format(s.h.platform.timeForm))
	return 0
}

func (s *session) exit(rest string, _ streams) int {
	arg := strings.TrimSpace(rest)
	s.flow = flowExit
	if strings.HasPrefix(strings.ToLower(arg), "/b") {
		arg, s.flow = strings.TrimSpace(arg[2:]), flowEOF
	}
	if arg != "" {
		s.level = atoi(arg)
	}
	s.exitCode = s.level
	return s.exitCode
}

func (s *session) jump(rest string, io streams) int {
	if s.batch == nil {
		return 0
	}
	label := strings.TrimLeft(strings.TrimSpace(rest), ":")
	if i := strings.IndexAny(label, " \t"); i >= 0 {
		label = label[:i]
	}
	if strings.EqualFold(label, "eof") {
		s.flow, s.exitCode = flowEOF, s.level
		return s.level
	}
	s.flow, s.label = flowGoto, label
	return 0
}

func (s *session) call(rest string, io streams) int {
	rest = strings.TrimLeft(s.expand(rest), " \t") // CALL expands once more
	if label, ok := strings.CutPrefix(rest, ":"); ok && s.batch != nil {
		words := programArguments(label)
		if len(words) == 0 {
			return 1
		}
		b := &batch{path: s.batch.path, lines: s.batch.lines, args: append([]string{":" + words[0]}, words[1:]...)}
		b.tail = strings.Join(words[1:], " ")
		if strings.EqualFold(words[0], "eof") {
			return s.level
		}
		if !b.find(words[0]) {
			return s.fail(io, "The system cannot find the batch label specified - %s", words[0])
		}
		return s.runLines(b, io)
	}
	n, err := parseCommand(rest)
	if err != nil {
		return s.fail(io, "%s", err)
	}
	if c, ok := n.(simple); ok {
		if path := s.batchFile(firstWord(c.text)); path != "" {
			return s.callBatch(path, c.text, io)
		}
	}
	return s.run(n, io)
}

func (s *session) shift(string, streams) int {
	if s.batch != nil && len(s.batch.args) > 0 {
		s.batch.args = s.batch.args[1:]
	}
	return 0
}

func (s *session) setlocal(rest string, _ streams) int {
	if s.batch != nil {
		s.batch.saved = append(s.batch.saved, copied(s.env))
		if strings.Contains(strings.ToLower(rest), "enabledelayedexpansion") {
			s.delayed = true
		}
	}
	return 0
}

func (s *session) endlocal(string, streams) int {
	if s.batch != nil && len(s.batch.saved) > 0 {
		s.env = s.batch.saved[len(s.batch.saved)-1]
		s.batch.saved = s.batch.saved[:len(s.batch.saved)-1]
		s.delayed = false
	}
	return 0
}
