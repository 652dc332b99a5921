package twin

import (
	"strings"
)

// word reads up to a blank, or to == when asked, with quotes kept.
func (p *cmdParser) word(equals bool) string {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.at++
	}
	start, quoted := p.at, false
	for p.at < len(p.s) {
		c := p.s[p.at]
		if c == '"' {
			quoted = !quoted
		}
		if !quoted && (strings.IndexByte(" \t\r\n", c) >= 0 || equals && strings.HasPrefix(p.s[p.at:], "==")) {
			break
		}
		p.at++
	}
	return p.s[start:p.at]
}

func (p *cmdParser) conditional() (node, error) {
	c := conditional{}
	for {
		p.blanks()
		if p.keyword("/i") {
			c.fold = true
		} else if p.keyword("not") {
			c.not = true
		} else {
			break
		}
	}
	switch {
	case p.keyword("exist"):
		c.kind, c.left = "exist", p.word(false)
	case p.keyword("defined"):
		c.kind, c.left = "defined", p.word(false)
	case p.keyword("errorlevel"):
		c.kind, c.left = "errorlevel", p.word(false)
	default:
		c.left = p.word(true)
		for p.peek() == ' ' {
			p.at++
		}
		if strings.HasPrefix(p.s[p.at:], "==") {
			p.at += 2
			c.kind = "=="
		} else {
			c.kind = strings.ToUpper(p.word(false))
		}
		c.right = p.word(false)
		if !strings.Contains(" == EQU NEQ LSS LEQ GTR GEQ ", " "+c.kind+" ") || c.left == "" || c.right == "" {
			return nil, syntaxError{c.left + c.kind}
		}
	}
	if c.left == "" {
		return nil, syntaxError{"if"}
	}
	var err error
	if c.then, err = p.line(); err != nil {
		return nil, err
	}
	if c.then == nil {
		return nil, syntaxError{"if"}
	}
	p.blanks()
	if p.keyword("else") {
		if c.otherwise, err = p.line(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (p *cmdParser) loop() (node, error) {
	l := loop{}
	p.blanks()
	for _, k := range []string{"/l", "/f", "/d"} {
		if p.keyword(k) {
			l.kind = k
		}
	}
	p.blanks()
	if l.kind == "/f" && p.peek() != '%' {
		l.options = strings.Trim(p.word(false), `"`)
		p.blanks()
	}
	if p.peek() != '%' || p.at+1 >= len(p.s) {
		return nil, syntaxError{p.word(false)}
	}
	l.variable = p.s[p.at+1]
	p.at += 2
	p.blanks()
	if !p.keyword("in") {
		return nil, syntaxError{p.word(false)}
	}
	p.blanks()
	if p.peek() != '(' {
		return nil, syntaxError{p.word(false)}
	}
	p.at++
	var b strings.Builder
	quoted := false
	for {
		if p.at >= len(p.s) {
			return nil, errOpen
		}
		c := p.s[p.at]
		if c == '"' {
			quoted = !quoted
		}
		if !quoted && c == ')' {
			p.at++
			break
		}
		if !quoted && strings.IndexByte("|&<>", c) >= 0 {
			return nil, syntaxError{string(c)} // these need a caret here
		}
		if !quoted && c == '^' && p.at+1 < len(p.s) {
			p.at++
			c = p.s[p.at]
		}
		b.WriteByte(c)
		p.at++
	}
	l.list = b.String()
	p.blanks()
	if !p.keyword("do") {
		return nil, syntaxError{p.word(false)}
	}
	body, err := p.line()
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, syntaxError{"do"}
	}
	l.body = body
	return l, nil
}
