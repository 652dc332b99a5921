package twin

import (
	"errors"
	"strings"
)

// The grammar is that of cmd.exe of Windows Server 2003: percent signs are
// expanded before parsing, carets and quotes while parsing, FOR variables while
// running. Source: "How does the Windows Command Interpreter parse scripts"
// (stackoverflow 4094699) and cmd /?, for /?, if /?, set /?.

// node is one parsed command.
type node interface{}

type (
	simple   struct{ text string }
	sequence struct{ items []node }
	both     struct{ left, right node } // left && right
	either   struct{ left, right node } // left || right
	pipe     struct{ left, right node }
	redirect struct {
		body  node
		where []redirection
	}
	conditional struct {
		not, fold       bool
		kind            string // exist, defined, errorlevel, ==, or EQU and its kin
		left, right     string
		then, otherwise node
	}
	loop struct {
		kind     string // "", "/l", "/f", "/d"
		options  string
		variable byte
		list     string
		body     node
	}
)

// redirection sends one handle to a file or to another handle.
type redirection struct {
	handle int
	append bool
	input  bool
	target string
	same   int // handle to copy, -1 = none
}

// errOpen means that a parenthesis is not closed yet: read on.
var errOpen = errors.New("open parenthesis")

// syntaxError is cmd's "X was unexpected at this time."
type syntaxError struct{ token string }

func (e syntaxError) Error() string { return e.token + " was unexpected at this time." }

type cmdParser struct {
	s     string
	at    int
	depth int
}

func parseCommand(s string) (node, error) {
	p := &cmdParser{s: s}
	n, err := p.list()
	if err != nil {
		return nil, err
	}
	if p.at < len(p.s) {
		return nil, syntaxError{p.s[p.at : p.at+1]}
	}
	return n, nil
}

func (p *cmdParser) peek() byte {
	if p.at >= len(p.s) {
		return 0
	}
	return p.s[p.at]
}

func (p *cmdParser) blanks() {
	for p.at < len(p.s) && strings.IndexByte(" \t,;=", p.s[p.at]) >= 0 {
		p.at++
	}
}

// list reads commands on several lines until the end or a closing parenthesis.
func (p *cmdParser) list() (node, error) {
	var items []node
	for {
		for p.blanks(); p.peek() == '\n' || p.peek() == '\r'; p.blanks() {
			p.at++
		}
		if p.at >= len(p.s) || p.peek() == ')' && p.depth > 0 {
			break
		}
		if p.peek() == ')' { // a stray ) begins a line that cmd ignores
			p.toLineEnd()
			continue
		}
		n, err := p.line()
		if err != nil {
			return nil, err
		}
		items = append(items, n)
	}
	if len(items) == 1 {
		return items[0], nil
	}
	return sequence{items}, nil
}

// line reads commands joined by & up to the end of the line.
func (p *cmdParser) line() (node, error) {
	var items []node
	for {
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if n != nil {
			items = append(items, n)
		}
		p.blanks()
		if p.peek() != '&' {
			break
		}
		p.at++
	}
	if len(items) == 1 {
		return items[0], nil
	}
	return sequence{items}, nil
}

func (p *cmdParser) or() (node, error) {
	left, err := p.and()
	for err == nil && strings.HasPrefix(p.s[p.at:], "||") {
		p.at += 2
		var right node
		if right, err = p.and(); err == nil {
			left = either{left, right}
		}
	}
	return left, err
}

func (p *cmdParser) and() (node, error) {
	left, err := p.pipes()
	for err == nil && strings.HasPrefix(p.s[p.at:], "&&") {
		p.at += 2
		var right node
		if right, err = p.pipes(); err == nil {
			left = both{left, right}
		}
	}
	return left, err
}

func (p *cmdParser) pipes() (node, error) {
	left, err := p.command()
	for err == nil && p.peek() == '|' && !strings.HasPrefix(p.s[p.at:], "||") {
		p.at++
		var right node
		if right, err = p.command(); err == nil {
			left = pipe{left, right}
		}
	}
	return left, err
}

func (p *cmdParser) toLineEnd() {
	for p.at < len(p.s) && p.s[p.at] != '\n' {
		p.at++
	}
}

// keyword takes a word when it stands here as a word of its own.
func (p *cmdParser) keyword(w string) bool {
	end := p.at + len(w)
	if end > len(p.s) || !strings.EqualFold(p.s[p.at:end], w) {
		return false
	}
	if end < len(p.s) && strings.IndexByte(" \t(,;=\r\n", p.s[end]) < 0 {
		return false
	}
	p.at = end
	return true
}

func (p *cmdParser) command() (node, error) {
	p.blanks()
	for p.peek() == '@' {
		p.at++
		p.blanks()
	}
	switch c := p.peek(); {
	case c == '(':
		p.at++
		p.depth++
		body, err := p.list()
		if err != nil {
			return nil, err
		}
		if p.peek() != ')' {
			return nil, errOpen
		}
		p.at++
		p.depth--
		return p.redirected(body)
	case c == ':':
		p.toLineEnd()
		return nil, nil
	case strings.IndexByte("&|", c) >= 0 && c != 0:
		return nil, syntaxError{string(c)}
	}
	switch {
	case p.keyword("rem"):
		p.toLineEnd()
		return simple{"rem"}, nil
	case p.keyword("if"):
		return p.conditional()
	case p.keyword("for"):
		return p.loop()
	}
	return p.simple()
}

// redirected reads redirections that follow a block.
func (p *cmdParser) redirected(body node) (node, error) {
	var where []redirection
	for {
		p.blanks()
		start := p.at
		handle := -1
		if c := p.peek(); c >= '0' && c <= '9' && p.at+1 < len(p.s) && strings.IndexByte("<>", p.s[p.at+1]) >= 0 {
			handle = int(c - '0')
			p.at++
		}
		if c := p.peek(); c != '<' && c != '>' {
			p.at = start
			break
		}
		r, err := p.redirection(handle)
		if err != nil {
			return nil, err
		}
		where = append(where, r)
	}
	if len(where) == 0 {
		return body, nil
	}
	return redirect{body, where}, nil
}

// redirection reads one redirection, standing on < or >.
func (p *cmdParser) redirection(handle int) (redirection, error) {
	r := redirection{handle: 1, same: -1}
	if p.peek() == '<' {
		r.handle, r.input = 0, true
	}
	p.at++
	if !r.input && p.peek() == '>' {
		r.append = true
		p.at++
	}
	if handle >= 0 {
		r.handle = handle
	}
	if p.peek() == '&' && p.at+1 < len(p.s) && p.s[p.at+1] >= '0' && p.s[p.at+1] <= '9' {
		r.same = int(p.s[p.at+1] - '0')
		p.at += 2
		return r, nil
	}
	for p.peek() == ' ' || p.peek() == '\t' {
		p.at++
	}
	quoted := false
	for p.at < len(p.s) {
		c := p.s[p.at]
		if c == '"' {
			quoted = !quoted
		} else if !quoted && (strings.IndexByte(" \t,;=&|<>\r\n", c) >= 0 || c == ')' && p.depth > 0) {
			break
		} else if !quoted && c == '^' && p.at+1 < len(p.s) {
			p.at++
			c = p.s[p.at]
		}
		r.target += string(c)
		p.at++
	}
	if r.target == "" {
		return r, syntaxError{"The syntax of the command is incorrect"}
	}
	return r, nil
}

// simple reads a command with its words and redirections. A digit directly
// before < or > names the handle, when a blank or nothing stands before it:
// `echo 0>file` redirects handle 0 and echoes nothing.
func (p *cmdParser) simple() (node, error) {
	var b strings.Builder
	var where []redirection
	quoted := false
	for p.at < len(p.s) {
		c := p.s[p.at]
		if c == '\n' || c == '\r' {
			break
		}
		if quoted {
			quoted = c != '"'
			b.WriteByte(c)
			p.at++
			continue
		}
		if c == '&' || c == '|' || c == ')' && p.depth > 0 {
			break
		}
		switch c {
		case '"':
			quoted = true
			b.WriteByte(c)
			p.at++
		case '^':
			p.at++
			if p.at < len(p.s) && p.s[p.at] == '\r' {
				p.at++
			}
			if p.at < len(p.s) && p.s[p.at] == '\n' {
				p.at++
			}
			if p.at < len(p.s) {
				b.WriteByte(p.s[p.at])
				p.at++
			}
		case '<', '>':
			handle := -1
			done := b.String()
			if n := len(done); n > 0 && done[n-1] >= '0' && done[n-1] <= '9' &&
				(n == 1 || strings.IndexByte(" \t,;=\"", done[n-2]) >= 0) {
				handle = int(done[n-1] - '0')
				b.Reset()
				b.WriteString(done[:n-1])
			}
			r, err := p.redirection(handle)
			if err != nil {
				return nil, err
			}
			where = append(where, r)
		default:
			b.WriteByte(c)
			p.at++
		}
	}
	n := simple{b.String()}
	if len(where) > 0 {
		return redirect{n, where}, nil
	}
	return n, nil
}
