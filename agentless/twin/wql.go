package twin

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// query is a WQL SELECT taken apart.
type query struct {
	properties []string // empty = *
	class      string
	where      func(instance) (bool, error)
}

// wqlTokens splits a query into words, quoted strings and operators.
func wqlTokens(s string) ([]string, error) {
	var out []string
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case unicode.IsSpace(rune(c)):
			i++
		case c == '\'' || c == '"':
			text := ""
			j := i + 1
			for ; j < len(s) && s[j] != c; j++ {
				if s[j] == '\\' && j+1 < len(s) {
					j++
				}
				text += s[j : j+1] // a byte of a letter, not a letter
			}
			if j == len(s) {
				return nil, fmt.Errorf("open string")
			}
			out = append(out, "'"+text)
			i = j + 1
		case strings.ContainsRune("<>!=", rune(c)):
			j := i + 1
			if j < len(s) && strings.ContainsRune("=>", rune(s[j])) {
				j++
			}
			out = append(out, s[i:j])
			i = j
		case strings.ContainsRune("(),*", rune(c)):
			out = append(out, string(c))
			i++
		default:
			j := i
			for j < len(s) && !unicode.IsSpace(rune(s[j])) && !strings.ContainsRune("<>!=(),*'\"", rune(s[j])) {
				j++
			}
			out = append(out, s[i:j])
			i = j
		}
	}
	return out, nil
}

// parseWQL reads SELECT list FROM class [WHERE condition].
func parseWQL(s string) (*query, error) {
	tokens, err := wqlTokens(s)
	if err != nil {
		return nil, err
	}
	p := &wqlParser{tokens: tokens}
	if !p.word("select") {
		return nil, fmt.Errorf("not a SELECT")
	}
	q := &query{}
	for !p.word("from") {
		t := p.next()
		switch t {
		case "":
			return nil, fmt.Errorf("FROM is missing")
		case "*", ",":
		default:
			q.properties = append(q.properties, t)
		}
	}
	if q.class = p.next(); q.class == "" {
		return nil, fmt.Errorf("class is missing")
	}
	if p.word("where") {
		if q.where, err = p.or(); err != nil {
			return nil, err
		}
	}
	if rest := p.next(); rest != "" {
		return nil, fmt.Errorf("unexpected %q", rest)
	}
	return q, nil
}

type wqlParser struct {
	tokens []string
	at     int
}

type condition = func(instance) (bool, error)

func (p *wqlParser) next() string {
	if p.at >= len(p.tokens) {
		return ""
	}
	p.at++
	return p.tokens[p.at-1]
}

// word takes the next token if it is that word.
func (p *wqlParser) word(w string) bool {
	if p.at < len(p.tokens) && strings.EqualFold(p.tokens[p.at], w) {
		p.at++
		return true
	}
	return false
}

func (p *wqlParser) or() (condition, error) {
	left, err := p.and()
	for err == nil && p.word("or") {
		var right condition
		l := left
		if right, err = p.and(); err == nil {
			left = func(i instance) (bool, error) {
				if ok, err := l(i); ok || err != nil {
					return ok, err
				}
				return right(i)
			}
		}
	}
	return left, err
}

func (p *wqlParser) and() (condition, error) {
	left, err := p.not()
	for err == nil && p.word("and") {
		var right condition
		l := left
		if right, err = p.not(); err == nil {
			left = func(i instance) (bool, error) {
				if ok, err := l(i); !ok || err != nil {
					return false, err
				}
				return right(i)
			}
		}
	}
	return left, err
}

func (p *wqlParser) not() (condition, error) {
	if p.word("not") {
		c, err := p.not()
		return func(i instance) (bool, error) { ok, err := c(i); return !ok, err }, err
	}
	if p.word("(") {
		c, err := p.or()
		if err == nil && !p.word(")") {
			err = fmt.Errorf(") is missing")
		}
		return c, err
	}
	return p.compare()
}

// compare reads name op value.
func (p *wqlParser) compare() (condition, error) {
	name, op := p.next(), strings.ToLower(p.next())
	if op == "is" {
		negated := p.word("not")
		if !p.word("null") {
			return nil, fmt.Errorf("NULL is missing")
		}
		return func(i instance) (bool, error) {
			v, ok := i.get(name)
			if !ok {
				return false, fmt.Errorf("no property %s", name)
			}
			return (v == nil) != negated, nil
		}, nil
	}
	want := p.next()
	if name == "" || want == "" || !strings.Contains(" = <> != < > <= >= like ", " "+op+" ") {
		return nil, fmt.Errorf("bad condition")
	}
	want = strings.TrimPrefix(want, "'")
	return func(i instance) (bool, error) {
		v, ok := i.get(name)
		if !ok {
			return false, fmt.Errorf("no property %s", name)
		}
		if v == nil {
			return false, nil
		}
		if t, ok := v.(time.Time); ok {
			at, err := time.Parse("20060102150405.000000-0700", want+"0") // minutes of an offset, which is 0 here
			if err != nil {
				return false, fmt.Errorf("%q is no date", want)
			}
			return wqlHolds(strconv.FormatInt(t.UnixMicro(), 10), op, strconv.FormatInt(at.UnixMicro(), 10)), nil
		}
		return wqlHolds(fmt.Sprint(v), op, want), nil
	}, nil
}

// wqlHolds compares without case, as WMI does, and as numbers where both are.
func wqlHolds(have, op, want string) bool {
	have, want = strings.ToLower(have), strings.ToLower(want)
	order := strings.Compare(have, want)
	a, errA := strconv.ParseInt(have, 10, 64)
	b, errB := strconv.ParseInt(want, 10, 64)
	if errA == nil && errB == nil {
		order = 0
		if a < b {
			order = -1
		} else if a > b {
			order = 1
		}
	}
	switch op {
	case "=":
		return order == 0
	case "<>", "!=":
		return order != 0
	case "<":
		return order < 0
	case ">":
		return order > 0
	case "<=":
		return order <= 0
	case ">=":
		return order >= 0
	}
	return match(strings.NewReplacer("%", "*", "_", "?").Replace(want), have)
}
