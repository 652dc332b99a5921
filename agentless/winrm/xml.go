package winrm

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

// node is one element of an answer. Methods work on nil, so that a path into
// an answer needs no checks on the way.
type node struct {
	name  xml.Name
	attrs []xml.Attr
	text  string
	kids  []*node
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
		return strings.Clone(s) // not the whole answer
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// escape makes text safe inside an element or a quoted attribute. The text must
// have passed writable.
func escape(s string) string { return escaper.Replace(s) }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")

// writable refuses what XML 1.0 cannot carry; the host would run something else
// than was asked for.
func writable(what, s string) error {
	i := printable(s)
	if i == len(s) {
		return nil
	}
	if !utf8.ValidString(s) {
		return &Refused{Reason: what + " is not UTF-8"}
	}
	for _, r := range s[i:] {
		if !inXML(r) {
			return &Refused{Reason: fmt.Sprintf("%s holds %U, which XML cannot carry", what, r)}
		}
	}
	return nil
}

// printable is how many bytes of ASCII without control characters a text begins
// with: eight at once, because
// command lines are long.
func printable(s string) int {
	const high, blanks = 0x8080808080808080, 0x2020202020202020
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if (w|(w-blanks))&high != 0 {
			break
		}
	}
	for i < len(s) && s[i] >= 0x20 && s[i] < utf8.RuneSelf {
		i++
	}
	return i
}
