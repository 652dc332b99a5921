package winrm

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxDepth      = 64
	maxElements   = 100_000
	maxAttributes = 64
)

// parse reads a whole document within the limits of this package: elements,
// attributes, text, CDATA, comments and processing instructions, no DTD, no
// entities but the five of XML. It is a seventh of the work of encoding/xml,
// which read half of what a short command costs; a test compares the two.
// The tree points into one copy of data.
func parse(data []byte) (*node, error) { return new(scanner).read(data) }

func (s *scanner) read(data []byte) (*node, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%w: it is not UTF-8", errAnswer)
	}
	s.rest = string(data)
	if err := s.document(); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return s.root, nil
}

// scanner reads one document from front to back.
type scanner struct {
	rest  string
	root  *node
	stack []open
	count int
	// memory for what comes next
	slab   []node
	attrs  []xml.Attr
	scopes []scope
}

// open is an element whose end was not read yet.
type open struct {
	*node
	tag   string // name as written, with prefix
	parts []byte // text that is not one piece of the document
	many  bool   // parts is used
	scope *scope
}

type syntaxError string

func (e syntaxError) Error() string { return string(e) }

const errCut = syntaxError("it ends too early")

func (s *scanner) document() error {
	for s.rest != "" {
		i := strings.IndexByte(s.rest, '<')
		if i != 0 {
			text := s.rest
			if i > 0 {
				text = s.rest[:i]
			}
			s.rest = s.rest[len(text):]
			if err := s.text(text, true); err != nil {
				return err
			}
			continue
		}
		if err := s.markup(); err != nil {
			return err
		}
	}
	switch {
	case len(s.stack) > 0:
		return errCut
	case s.root == nil:
		return syntaxError("no XML in it")
	}
	return nil
}

// markup reads what begins with "<".
func (s *scanner) markup() error {
	switch {
	case strings.HasPrefix(s.rest, "</"):
		return s.end()
	case strings.HasPrefix(s.rest, "<!--"):
		comment, err := s.upTo(len("<!--"), "-->")
		if err == nil && (strings.Contains(comment, "--") || strings.HasSuffix(comment, "-")) {
			err = syntaxError("a comment with -- in it")
		}
		return err
	case strings.HasPrefix(s.rest, "<![CDATA["):
		text, err := s.upTo(len("<![CDATA["), "]]>")
		if err != nil {
			return err
		}
		return s.text(text, false)
	case strings.HasPrefix(s.rest, "<!"):
		return syntaxError("it holds a DTD")
	case strings.HasPrefix(s.rest, "<?"):
		text, err := s.upTo(len("<?"), "?>")
		if err != nil {
			return err
		}
		return declaration(text)
	default:
		return s.start()
	}
}

// upTo takes what lies between skip and an end.
func (s *scanner) upTo(skip int, end string) (string, error) {
	i := strings.Index(s.rest[skip:], end)
	if i < 0 {
		return "", errCut
	}
	text := s.rest[skip : skip+i]
	s.rest = s.rest[skip+i+len(end):]
	return text, nil
}

// name takes the name that the rest begins with.
func (s *scanner) name() (string, error) {
	i := 0
	for ; i < len(s.rest); i++ {
		c := s.rest[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= utf8.RuneSelf
		if !letter && (i == 0 || c != ':' && c != '-' && c != '.' && (c < '0' || c > '9')) {
			break
		}
	}
	if i == 0 {
		return "", syntaxError(fmt.Sprintf("a name was expected at %.10q", s.rest))
	}
	name := s.rest[:i]
	s.rest = s.rest[i:]
	return name, nil
}

func (s *scanner) blanks() {
	i := 0
	for i < len(s.rest) && (s.rest[i] == ' ' || s.rest[i] == '\t' || s.rest[i] == '\n' || s.rest[i] == '\r') {
		i++
	}
	s.rest = s.rest[i:]
}

// start reads the start of an element and, when it is empty, its end.
func (s *scanner) start() error {
	s.rest = s.rest[1:]
	tag, err := s.name()
	if err != nil {
		return err
	}
	s.count++
	switch {
	case s.count > maxElements:
		return syntaxError(fmt.Sprintf("more than %d elements", maxElements))
	case len(s.stack) >= maxDepth:
		return syntaxError(fmt.Sprintf("deeper than %d elements", maxDepth))
	case s.root != nil && len(s.stack) == 0:
		return syntaxError("more than one document")
	}
	if len(s.slab) == 0 {
		s.slab = make([]node, 16)
	}
	n := &s.slab[0]
	s.slab = s.slab[1:]
	within := builtin
	if len(s.stack) == 0 {
		s.root = n
	} else {
		parent := &s.stack[len(s.stack)-1]
		parent.kids = append(parent.kids, n)
		within = parent.scope
	}
	within, empty, err := s.attributes(n, within)
	if err != nil {
		return err
	}
	n.name = within.resolve(tag, true)
	for i := range n.attrs {
		n.attrs[i].Name = within.resolve(n.attrs[i].Name.Local, false)
	}
	if !empty {
		s.stack = append(s.stack, open{node: n, tag: tag, scope: within})
	}
	return nil
}

// attributes reads up to the ">" of a start; names of attributes come as they
// are written, namespace declarations go into the scope.
func (s *scanner) attributes(n *node, within *scope) (_ *scope, empty bool, err error) {
	from := len(s.attrs)
	if cap(s.attrs)-from < 4 {
		s.attrs, from = make([]xml.Attr, 0, 16), 0
	}
	for count := 0; ; count++ {
		before := len(s.rest)
		s.blanks()
		switch {
		case strings.HasPrefix(s.rest, ">"):
			s.rest = s.rest[1:]
			return within, false, nil
		case strings.HasPrefix(s.rest, "/>"):
			s.rest = s.rest[2:]
			return within, true, nil
		case s.rest == "":
			return nil, false, errCut
		case len(s.rest) == before:
			return nil, false, syntaxError("no blank before an attribute")
		case count >= maxAttributes:
			return nil, false, syntaxError(fmt.Sprintf("more than %d attributes", maxAttributes))
		}
		name, err := s.name()
		if err != nil {
			return nil, false, err
		}
		value, err := s.value()
		if err != nil {
			return nil, false, err
		}
		if prefix, declares := strings.CutPrefix(name, "xmlns"); declares && (prefix == "" || prefix[0] == ':') {
			if len(s.scopes) == 0 {
				s.scopes = make([]scope, 8)
			}
			s.scopes[0] = scope{strings.TrimPrefix(prefix, ":"), value, within}
			within, s.scopes = &s.scopes[0], s.scopes[1:]
			continue
		}
		s.attrs = append(s.attrs, xml.Attr{Name: xml.Name{Local: name}, Value: value})
		n.attrs = s.attrs[from:len(s.attrs):len(s.attrs)]
	}
}

// value reads = and a quoted value.
func (s *scanner) value() (string, error) {
	s.blanks()
	if !strings.HasPrefix(s.rest, "=") {
		return "", syntaxError("an attribute without a value")
	}
	s.rest = s.rest[1:]
	s.blanks()
	if s.rest == "" || s.rest[0] != '"' && s.rest[0] != '\'' {
		return "", syntaxError("an attribute without quotes")
	}
	text, err := s.upTo(1, s.rest[:1])
	if err != nil {
		return "", err
	}
	if strings.IndexByte(text, '<') >= 0 {
		return "", syntaxError("a < in an attribute")
	}
	return unquote(text, true)
}

// end reads the end of the element that is open.
func (s *scanner) end() error {
	s.rest = s.rest[2:]
	tag, err := s.name()
	if err != nil {
		return err
	}
	s.blanks()
	if !strings.HasPrefix(s.rest, ">") {
		return syntaxError("an end that does not end")
	}
	s.rest = s.rest[1:]
	if len(s.stack) == 0 || s.stack[len(s.stack)-1].tag != tag {
		return syntaxError(fmt.Sprintf("the end of %.20q, which is not open", tag))
	}
	n := &s.stack[len(s.stack)-1]
	if n.many {
		n.text = string(n.parts)
	}
	s.stack = s.stack[:len(s.stack)-1]
	return nil
}
