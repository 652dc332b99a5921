package winrm

import (
	"encoding/xml"
	"strings"
)

// scope is a namespace declaration that holds within an element.
type scope struct {
	prefix, uri string
	outer       *scope
}

// builtin is the prefix that every document has.
var builtin = &scope{"xml", "http://www.w3.org/XML/1998/namespace", nil}

// resolve splits a name as written and finds its namespace; a prefix that
// nobody declared stands for itself.
func (s *scope) resolve(tag string, element bool) xml.Name {
	prefix, local, found := strings.Cut(tag, ":")
	if !found {
		prefix, local = "", tag
	}
	if prefix == "" && !element {
		return xml.Name{Local: local}
	}
	for at := s; at != nil; at = at.outer {
		if at.prefix == prefix {
			return xml.Name{Space: at.uri, Local: local}
		}
	}
	return xml.Name{Space: prefix, Local: local}
}
