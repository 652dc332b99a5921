package twin

import (
	"strconv"
	"strings"
)

// variable is the value of an environment variable or of one that cmd makes up.
func (s *session) variable(name string) (string, bool) {
	if v, ok := s.env[strings.ToUpper(name)]; ok {
		return v, true
	}
	switch strings.ToUpper(name) {
	case "ERRORLEVEL":
		return strconv.Itoa(s.level), true
	case "CD":
		return s.cwd, true
	case "DATE":
		return s.h.local().Format(s.h.platform.dateForm), true
	case "TIME":
		return s.h.local().Format(s.h.platform.clockForm), true
	case "RANDOM":
		return strconv.Itoa(s.h.number(s.h.now().String(), 32768)), true
	case "CMDCMDLINE":
		return "cmd /c", true
	}
	return "", false
}

// expand replaces %NAME%, and in a batch file %0 to %9, %* and %%.
func (s *session) expand(in string) string {
	inBatch := s.batch != nil
	var b strings.Builder
	for i := 0; i < len(in); i++ {
		if in[i] != '%' {
			b.WriteByte(in[i])
			continue
		}
		rest := in[i+1:]
		if inBatch {
			if strings.HasPrefix(rest, "%") {
				b.WriteByte('%')
				i++
				continue
			}
			if strings.HasPrefix(rest, "*") {
				b.WriteString(s.batch.tail)
				i++
				continue
			}
			if value, n := s.parameter(rest); n > 0 {
				b.WriteString(value)
				i += n
				continue
			}
		}
		end := strings.IndexByte(rest, '%')
		if end <= 0 {
			if !inBatch {
				b.WriteByte('%')
			}
			continue
		}
		name, change, changed := strings.Cut(rest[:end], ":")
		value, ok := s.variable(name)
		switch {
		case ok && changed:
			value = changeText(value, change)
		case !ok && !inBatch:
			b.WriteByte('%') // on the command line an unknown name stays as it is
			continue
		}
		b.WriteString(value)
		i += end + 1
	}
	return b.String()
}

// parameter reads %1 or %~dp1 after the percent sign.
func (s *session) parameter(rest string) (string, int) {
	if rest == "" {
		return "", 0
	}
	if c := rest[0]; c >= '0' && c <= '9' {
		return s.batch.arg(int(c - '0')), 1
	}
	if rest[0] != '~' {
		return "", 0
	}
	for i := 1; i < len(rest); i++ {
		c := rest[i]
		if c >= '0' && c <= '9' {
			value := s.batch.arg(int(c - '0'))
			if c == '0' {
				value = s.batch.path
			}
			return s.modified(rest[1:i], value), i + 1
		}
		if !strings.ContainsRune("fdpnxsatz", rune(c)) {
			break
		}
	}
	return "", 0
}

// modified applies the letters of %~dpnx to a path; none only removes quotes.
func (s *session) modified(letters, value string) string {
	value = strings.Trim(value, `"`)
	if letters == "" {
		return value
	}
	full := clean(value, s.cwd)
	name := base(full)
	ext := ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name, ext = name[:i], name[i:]
	}
	if strings.ContainsRune(letters, 'f') {
		return full
	}
	out := ""
	if strings.ContainsRune(letters, 'z') {
		s.h.look(func() {
			if f := s.h.fileAt(full); f != nil && !f.Dir {
				out = strconv.Itoa(len(f.Data))
			}
		})
		return out
	}
	if strings.ContainsRune(letters, 'd') {
		out += full[:2]
	}
	if strings.ContainsRune(letters, 'p') {
		out += strings.TrimSuffix(parent(full)[2:], `\`) + `\`
	}
	if strings.ContainsRune(letters, 'n') {
		out += name
	}
	if strings.ContainsRune(letters, 'x') {
		out += ext
	}
	return out
}

// changeText applies :~from,count and :old=new.
func changeText(value, change string) string {
	if sub, ok := strings.CutPrefix(change, "~"); ok {
		a, n, hasCount := strings.Cut(sub, ",")
		from := atoi(a)
		if from < 0 {
			from += len(value)
		}
		from = min(max(from, 0), len(value))
		end := len(value)
		if hasCount {
			if count := atoi(n); count < 0 {
				end += count
			} else {
				end = from + count
			}
		}
		end = min(max(end, from), len(value))
		return value[from:end]
	}
	old, now, ok := strings.Cut(change, "=")
	if !ok || old == "" {
		return value
	}
	out, low := "", strings.ToLower(old)
	for {
		i := strings.Index(strings.ToLower(value), low)
		if i < 0 {
			return out + value
		}
		out += value[:i] + now
		value = value[i+len(old):]
	}
}

// late replaces FOR variables and, when it is on, !NAME!.
func (s *session) late(in string) string {
	if len(s.loops) > 0 && strings.ContainsRune(in, '%') {
		var b strings.Builder
		for i := 0; i < len(in); i++ {
			if in[i] == '%' && i+1 < len(in) {
				if v, ok := s.loops[in[i+1]]; ok {
					b.WriteString(v)
					i++
					continue
				}
				if value, n := s.loopModified(in[i+1:]); n > 0 {
					b.WriteString(value)
					i += n
					continue
				}
			}
			b.WriteByte(in[i])
		}
		in = b.String()
	}
	if !s.delayed || !strings.ContainsRune(in, '!') {
		return in
	}
	parts := strings.Split(in, "!")
	for i := 1; i < len(parts)-1; i += 2 {
		name, change, changed := strings.Cut(parts[i], ":")
		value, _ := s.variable(name)
		if changed {
			value = changeText(value, change)
		}
		parts[i] = value
	}
	return strings.Join(parts, "")
}

// loopModified reads ~nxa after a percent sign.
func (s *session) loopModified(rest string) (string, int) {
	if !strings.HasPrefix(rest, "~") {
		return "", 0
	}
	for i := 1; i < len(rest); i++ {
		if v, ok := s.loops[rest[i]]; ok && (i+1 >= len(rest) || !strings.ContainsRune("fdpnxsatz", rune(rest[i])) || i > 1) || ok && i == 1 {
			return s.modified(rest[1:i], v), i + 1
		}
		if !strings.ContainsRune("fdpnxsatz", rune(rest[i])) {
			break
		}
	}
	return "", 0
}
