package twin

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// runFor runs FOR in its forms: a set, /l, /f and /d.
func (s *session) runFor(l loop, io streams) int {
	outer := s.loops
	defer func() { s.loops = outer }()
	with := func(values map[byte]string) int {
		s.loops = map[byte]string{}
		for k, v := range outer {
			s.loops[k] = v
		}
		for k, v := range values {
			s.loops[k] = v
		}
		return s.run(l.body, io)
	}
	list := s.late(l.list)
	code := 0
	switch l.kind {
	case "/l":
		parts := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(" ,;\t", r) })
		if len(parts) < 3 {
			return 0
		}
		from, step, to := atoi(parts[0]), atoi(parts[1]), atoi(parts[2])
		for i := from; step > 0 && i <= to || step < 0 && i >= to; i += step {
			if code = with(map[byte]string{l.variable: strconv.Itoa(i)}); s.flow != flowOn || s.ctx.Err() != nil {
				return code
			}
		}
	case "/f":
		text, ok := s.forText(l, list, io)
		if !ok {
			return 1
		}
		for _, values := range forLines(text, l) {
			if code = with(values); s.flow != flowOn {
				return code
			}
		}
	default:
		for _, item := range arguments(list) {
			items := []string{item}
			if strings.ContainsAny(item, "*?") {
				items = nil
				path := clean(strings.Trim(item, `"`), s.cwd)
				folder := ""
				if i := strings.LastIndexAny(item, `\/`); i >= 0 {
					folder = item[:i+1]
				}
				s.h.look(func() {
					for _, f := range s.h.wild(path) {
						if f.Dir == (l.kind == "/d") {
							items = append(items, folder+base(f.Path))
						}
					}
				})
			}
			for _, v := range items {
				if code = with(map[byte]string{l.variable: v}); s.flow != flowOn {
					return code
				}
			}
		}
	}
	return code
}

// forText is what FOR /F reads: a command's output, a string or files.
func (s *session) forText(l loop, list string, io streams) (string, bool) {
	list = strings.TrimSpace(list)
	back := strings.Contains(strings.ToLower(l.options), "usebackq")
	quote := func(c string) bool { return len(list) >= 2 && strings.HasPrefix(list, c) && strings.HasSuffix(list, c) }
	switch {
	case !back && quote(`'`), back && quote("`"):
		inner := *s
		inner.env = copied(s.env)
		var out bytes.Buffer
		inner.runLine(list[1:len(list)-1], streams{in: io.in, out: &out, err: io.err})
		return decode(out.Bytes(), s.codePage), true
	case !back && quote(`"`), back && quote(`'`):
		return list[1 : len(list)-1], true
	}
	var text strings.Builder
	for _, name := range arguments(list) {
		found := false
		s.h.look(func() {
			if f := s.h.fileAt(clean(strings.Trim(name, `"`), s.cwd)); f != nil && !f.Dir {
				text.WriteString(decode(f.Data, s.codePage) + "\n")
				found = true
			}
		})
		if !found {
			s.say(io.err, "The system cannot find the file %s.\r\n", strings.Trim(name, `"`))
			return "", false
		}
	}
	return text.String(), true
}

// forLines cuts text by tokens=, delims=, skip= and eol=.
func forLines(text string, l loop) []map[byte]string {
	delims, tokens, skip, eol := " \t", "1", 0, byte(';')
	rest := l.options
	for rest != "" {
		rest = strings.TrimLeft(rest, " ")
		low := strings.ToLower(rest)
		switch {
		case strings.HasPrefix(low, "delims="):
			value := rest[7:]
			for _, next := range []string{" tokens=", " skip=", " eol=", " usebackq"} {
				if i := strings.Index(strings.ToLower(value), next); i >= 0 {
					value = value[:i]
				}
			}
			delims, rest = value, rest[7+len(value):]
			continue
		case strings.HasPrefix(low, "tokens="):
			tokens = firstWord(rest[7:])
		case strings.HasPrefix(low, "skip="):
			skip = atoi(firstWord(rest[5:]))
		case strings.HasPrefix(low, "eol="):
			if len(rest) > 4 {
				eol = rest[4]
			}
		}
		_, rest, _ = strings.Cut(rest, " ")
	}
	var all []map[byte]string
	for _, line := range strings.Split(strings.ReplaceAll(text, "\r", ""), "\n") {
		if skip > 0 {
			skip--
			continue
		}
		if line == "" || line[0] == eol {
			continue
		}
		if values := cutTokens(line, delims, tokens, l.variable); values != nil {
			all = append(all, values)
		}
	}
	return all
}

// cutTokens gives the chosen tokens of a line to the variable and those after it.
func cutTokens(line, delims, tokens string, variable byte) map[byte]string {
	var words []string
	var starts []int
	for i := 0; i < len(line); {
		for i < len(line) && strings.IndexByte(delims, line[i]) >= 0 {
			i++
		}
		start := i
		for i < len(line) && strings.IndexByte(delims, line[i]) < 0 {
			i++
		}
		if i > start {
			words, starts = append(words, line[start:i]), append(starts, start)
		}
	}
	var picked []string
	last := 0
	for _, t := range strings.Split(strings.TrimSuffix(tokens, "*"), ",") {
		a, b, isRange := strings.Cut(t, "-")
		from, to := atoi(a), atoi(a)
		if isRange {
			to = atoi(b)
		}
		for n := from; n > 0 && n <= to; n++ {
			word := ""
			if n <= len(words) {
				word = words[n-1]
			}
			picked, last = append(picked, word), n
		}
	}
	if strings.HasSuffix(tokens, "*") {
		rest := ""
		if last < len(starts) {
			rest = line[starts[last]:]
		}
		picked = append(picked, rest)
	}
	if len(words) == 0 || len(picked) == 0 || picked[0] == "" {
		return nil
	}
	values := map[byte]string{}
	for i, v := range picked {
		values[variable+byte(i)] = v
	}
	return values
}

// runBatch runs a batch file; with a code page of 65001 Windows before 6.1
// silently does nothing (WinRb issues 173, 181, 232).
func (s *session) runBatch(path string, args []string, tail string, io streams) int {
	if s.codePage == 65001 && !s.h.platform.batchAt65001 {
		return 0
	}
	var data []byte
	s.h.look(func() {
		if f := s.h.fileAt(path); f != nil {
			data = append(data, f.Data...)
		}
	})
	text := strings.ReplaceAll(decode(data, s.codePage), "\r", "")
	b := &batch{path: path, lines: strings.Split(text, "\n"), args: args, tail: tail}
	return s.runLines(b, io)
}

// runLines runs a batch file or subroutine from where it stands to its end.
func (s *session) runLines(b *batch, io streams) int {
	outer := s.batch
	s.batch = b
	loops := s.loops
	s.loops = map[byte]string{}
	defer func() { s.batch, s.loops = outer, loops }()
	defer func() {
		if len(b.saved) > 0 { // the end of a file is an endlocal
			s.env = b.saved[0]
		}
	}()
	code := s.level
	for b.next < len(b.lines) {
		line := b.lines[b.next]
		b.next++
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), ":") {
			continue
		}
		text := s.expand(line)
		n, err := parseCommand(text)
		for errors.Is(err, errOpen) && b.next < len(b.lines) {
			text += "\n" + s.expand(b.lines[b.next])
			b.next++
			n, err = parseCommand(text)
		}
		if err != nil {
			s.tell(io.err, "%s\r\n", err)
			s.level, s.flow, s.exitCode = 255, flowExit, 255
			return 255
		}
		if s.echo && strings.TrimSpace(line) != "" && !strings.HasPrefix(strings.TrimLeft(line, " \t"), "@") {
			s.say(io.out, "\r\n%s>%s \r\n", s.cwd, strings.TrimSpace(text))
		}
		code = s.run(n, io)
		switch s.flow {
		case flowOn:
		case flowGoto:
			s.flow = flowOn
			if !b.find(s.label) {
				s.say(io.err, "The system cannot find the batch label specified - %s\r\n", s.label)
				s.level = 1
				return 1
			}
		case flowEOF:
			s.flow = flowOn
			return s.exitCode
		case flowExit:
			return s.exitCode
		}
	}
	return code
}

// find moves the batch file to a label, looking downwards first.
func (b *batch) find(label string) bool {
	for i := 0; i < len(b.lines); i++ {
		at := (b.next + i) % len(b.lines)
		line := strings.TrimLeft(b.lines[at], " \t")
		if !strings.HasPrefix(line, ":") {
			continue
		}
		name := strings.FieldsFunc(line[1:], func(r rune) bool { return strings.ContainsRune(" \t:+,;=&|<>", r) })
		if len(name) > 0 && strings.EqualFold(name[0], label) {
			b.next = at + 1
			return true
		}
	}
	return false
}

// arguments splits words at blanks, commas, semicolons and equal signs, quotes kept.
func arguments(s string) []string { return splitWords(s, " \t,;=\r\n") }

// programBlanks are what parts words for C programs.
const programBlanks = " \t\r\n"

// programArguments splits words at blanks only, as C programs see them.
func programArguments(s string) []string { return splitWords(s, programBlanks) }

func splitWords(s, blanks string) []string { return slices.Collect(eachWord(s, blanks)) }

// eachWord are the words of a line one by one: lines are long, and mostly the first
// is wanted.
func eachWord(s, blanks string) iter.Seq[string] {
	return func(yield func(string) bool) {
		quoted, from := false, -1 // where the word began; -1 = between words
		for i := 0; i < len(s); i++ {
			c := s[i]
			if c == '"' {
				quoted = !quoted
			}
			switch blank := !quoted && strings.IndexByte(blanks, c) >= 0; {
			case blank && from >= 0:
				if !yield(s[from:i]) {
					return
				}
				from = -1
			case !blank && from < 0:
				from = i
			}
		}
		if from >= 0 {
			yield(s[from:])
		}
	}
}

func firstWord(s string) string {
	for word := range eachWord(s, programBlanks) {
		return strings.Trim(word, `"`)
	}
	return ""
}
