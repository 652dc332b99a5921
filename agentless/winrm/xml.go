package winrm

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	maxDepth      = 64
	maxElements   = 100_000
	maxAttributes = 64
)

// node is one element of an answer. Methods work on nil, so that a path into
// an answer needs no checks on the way.
type node struct {
	name  xml.Name
	attrs []xml.Attr
	text  string
	raw   []byte // text while it is read
	kids  []*node
}

// parse reads a whole document within the limits of this package.
func parse(data []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "utf-16") || strings.EqualFold(charset, "us-ascii") {
			return r, nil // the bytes were made UTF-8 before they came here
		}
		return nil, fmt.Errorf("charset %.20q", charset)
	}
	var (
		root  *node
		stack []*node
		count int
	)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %.200s", errAnswer, err.Error()) // its text quotes the host
		}
		switch t := token.(type) {
		case xml.StartElement:
			count++
			switch {
			case count > maxElements:
				return nil, fmt.Errorf("%w: more than %d elements", errAnswer, maxElements)
			case len(stack) >= maxDepth:
				return nil, fmt.Errorf("%w: deeper than %d elements", errAnswer, maxDepth)
			case len(t.Attr) > maxAttributes:
				return nil, fmt.Errorf("%w: more than %d attributes", errAnswer, maxAttributes)
			case root != nil && len(stack) == 0:
				return nil, fmt.Errorf("%w: more than one document", errAnswer)
			}
			n := &node{name: t.Name}
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					n.attrs = append(n.attrs, a)
				}
			}
			if len(stack) == 0 {
				root = n
			} else {
				parent := stack[len(stack)-1]
				parent.kids = append(parent.kids, n)
			}
			stack = append(stack, n)
		case xml.EndElement:
			n := stack[len(stack)-1]
			n.text, n.raw = string(n.raw), nil
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				n := stack[len(stack)-1]
				if len(n.kids) == 0 || len(bytes.TrimSpace(t)) > 0 {
					n.raw = append(n.raw, t...)
				}
			}
		case xml.Directive:
			return nil, fmt.Errorf("%w: it holds a DTD", errAnswer)
		}
	}
	if root == nil {
		return nil, fmt.Errorf("%w: no XML in it", errAnswer)
	}
	return root, nil
}

// child is the first child with that local name, or nil.
func (n *node) child(local string) *node {
	if n == nil {
		return nil
	}
	for _, k := range n.kids {
		if k.name.Local == local {
			return k
		}
	}
	return nil
}

// find is the first descendant with that local name, or nil.
func (n *node) find(local string) *node {
	if n == nil {
		return nil
	}
	for _, k := range n.kids {
		if k.name.Local == local {
			return k
		}
		if found := k.find(local); found != nil {
			return found
		}
	}
	return nil
}

// attr is the value of the attribute with that local name, or "".
func (n *node) attr(local string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.attrs {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// words is the text with white space folded, for names, codes and reasons.
func (n *node) words() string {
	if n == nil {
		return ""
	}
	return strings.Join(strings.Fields(n.text), " ")
}

// brief is words of a length that fits into an error or a table.
func (n *node) brief() string { return cut(n.words()) }

func cut(s string) string {
	const most = 500
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// escape makes text safe inside an element or a quoted attribute. The text must
// have passed writable.
func escape(s string) string {
	var b strings.Builder
	// A strings.Builder does not fail.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// writable refuses what XML 1.0 cannot carry; xml.EscapeText would send U+FFFD
// in its place, and the host would run something else than was asked for.
func writable(what, s string) error {
	if !utf8.ValidString(s) {
		return &Refused{Reason: what + " is not UTF-8"}
	}
	for _, r := range s {
		ok := r == '\t' || r == '\n' || r == '\r' || (r >= 0x20 && r <= 0xD7FF) || (r >= 0xE000 && r <= 0xFFFD) || r >= 0x10000
		if !ok {
			return &Refused{Reason: fmt.Sprintf("%s holds %U, which XML cannot carry", what, r)}
		}
	}
	return nil
}
