package twin

import (
	"strconv"
	"strings"
)

// arithmetic is the expression of set /a: 32-bit integers, C's operators.
type arithmetic struct {
	s    *session
	text string
	at   int
}

var precedence = [][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}

// calculate runs a set /a expression.
func (s *session) calculate(expression string) (int32, error) {
	a := &arithmetic{s: s, text: strings.ReplaceAll(expression, `"`, "")}
	var last int32
	for {
		v, err := a.assign()
		if err != nil {
			return 0, err
		}
		last = v
		a.blanks()
		if a.at >= len(a.text) {
			return last, nil
		}
		if a.text[a.at] != ',' {
			return 0, message("Missing operator.")
		}
		a.at++
	}
}

func (a *arithmetic) blanks() {
	for a.at < len(a.text) && (a.text[a.at] == ' ' || a.text[a.at] == '\t') {
		a.at++
	}
}

func (a *arithmetic) name() string {
	a.blanks()
	start := a.at
	for a.at < len(a.text) && !strings.ContainsRune(" \t=+-*/%&|^~!<>(),", rune(a.text[a.at])) {
		a.at++
	}
	return a.text[start:a.at]
}

func (a *arithmetic) assign() (int32, error) {
	start := a.at
	if name := a.name(); name != "" && (name[0] < '0' || name[0] > '9') {
		a.blanks()
		for _, op := range []string{"<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "="} {
			if !strings.HasPrefix(a.text[a.at:], op) {
				continue
			}
			a.at += len(op)
			v, err := a.assign()
			if err == nil && op != "=" {
				v, err = operate(strings.TrimSuffix(op, "="), a.value(name), v)
			}
			if err == nil {
				a.s.env[strings.ToUpper(name)] = strconv.Itoa(int(v))
			}
			return v, err
		}
	}
	a.at = start
	return a.level(0)
}

func (a *arithmetic) level(n int) (int32, error) {
	if n == len(precedence) {
		return a.unary()
	}
	left, err := a.level(n + 1)
	for err == nil {
		a.blanks()
		found := ""
		for _, op := range precedence[n] {
			if strings.HasPrefix(a.text[a.at:], op) && !strings.HasPrefix(a.text[a.at:], op+"=") {
				found = op
			}
		}
		if found == "" {
			break
		}
		a.at += len(found)
		var right int32
		if right, err = a.level(n + 1); err == nil {
			left, err = operate(found, left, right)
		}
	}
	return left, err
}

func (a *arithmetic) unary() (int32, error) {
	a.blanks()
	if a.at >= len(a.text) {
		return 0, message("Missing operand.")
	}
	switch c := a.text[a.at]; c {
	case '-', '+', '~', '!':
		a.at++
		v, err := a.unary()
		switch {
		case c == '-':
			v = -v
		case c == '~':
			v = ^v
		case c == '!' && v == 0:
			v = 1
		case c == '!':
			v = 0
		}
		return v, err
	case '(':
		a.at++
		v, err := a.level(0)
		a.blanks()
		if err == nil && (a.at >= len(a.text) || a.text[a.at] != ')') {
			err = message("Unbalanced parenthesis.")
		}
		a.at++
		return v, err
	}
	name := a.name()
	if name == "" {
		return 0, message("Missing operand.")
	}
	if name[0] < '0' || name[0] > '9' {
		return a.value(name), nil
	}
	n, err := strconv.ParseInt(name, 0, 64) // 0x hexadecimal, 0 octal, as cmd
	if err != nil || n > 0x7fffffff {
		return 0, message("Invalid number.  Numbers are limited to 32-bits of precision.")
	}
	return int32(n), nil
}

// value is a variable as a number; what is none counts as 0.
func (a *arithmetic) value(name string) int32 {
	v, _ := a.s.variable(name)
	n, err := strconv.ParseInt(strings.TrimSpace(v), 0, 64)
	if err != nil {
		return 0
	}
	return int32(n)
}

func operate(op string, x, y int32) (int32, error) {
	switch op {
	case "|":
		return x | y, nil
	case "^":
		return x ^ y, nil
	case "&":
		return x & y, nil
	case "<<":
		return x << (uint32(y) & 31), nil
	case ">>":
		return x >> (uint32(y) & 31), nil
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	}
	if y == 0 {
		return 0, message("Divide by zero error.")
	}
	if op == "/" {
		return x / y, nil
	}
	return x % y, nil
}
