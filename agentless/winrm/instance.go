package winrm

import (
	"strconv"
	"strings"
	"time"
)

// Instance is a WMI object or the output of a method: property name to
// values, one for a scalar, several for an array, one with Nil for null. Names
// are found in any case, as in WMI.
type Instance map[string][]Value

// Value is one value as the host wrote it.
type Value struct {
	Text  string
	Nil   bool
	Inner Instance // an embedded object; nil for a plain value
}

// Values are the values of a property that are not null.
func (i Instance) Values(name string) []Value {
	all, ok := i[name]
	if !ok {
		for key, v := range i {
			if strings.EqualFold(key, name) {
				all = v
				break
			}
		}
	}
	var out []Value
	for _, v := range all {
		if !v.Nil {
			out = append(out, v)
		}
	}
	return out
}

// Has reports whether a property is there and not null.
func (i Instance) Has(name string) bool { return len(i.Values(name)) > 0 }

// Str is the first value as text; "" when null or absent.
func (i Instance) Str(name string) string {
	if v := i.Values(name); len(v) > 0 {
		return v[0].Text
	}
	return ""
}

// Strings are all values as text.
func (i Instance) Strings(name string) []string {
	values := i.Values(name)
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, v.Text)
	}
	return out
}

// Int is the first value as a number; false when null, absent or not a number
// of 64 bits.
func (i Instance) Int(name string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(i.Str(name)), 10, 64)
	return n, err == nil
}

// Uint is Int for unsigned numbers of 64 bits.
func (i Instance) Uint(name string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(i.Str(name)), 10, 64)
	return n, err == nil
}

// Bool is the first value as a truth value; false, false when it is none.
func (i Instance) Bool(name string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(i.Str(name))) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	default:
		return false, false
	}
}

// Time is the first value as a time in UTC: ISO 8601 as WinRM writes it, or
// the form of WMI itself (yyyymmddHHMMSS.ffffff+mmm, offset in minutes).
func (i Instance) Time(name string) (time.Time, bool) {
	text := strings.TrimSpace(i.Str(name))
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	if len(text) == 25 && (text[21] == '+' || text[21] == '-') {
		t, err := time.Parse("20060102150405.000000", text[:21])
		minutes, err2 := strconv.Atoi(text[21:])
		if err == nil && err2 == nil {
			return t.Add(-time.Duration(minutes) * time.Minute), true
		}
	}
	return time.Time{}, false
}

// instanceOf reads an element whose children are properties: a class element,
// a w:XmlFragment or a METHOD_OUTPUT.
func instanceOf(n *node) Instance {
	out := make(Instance, len(n.kids))
	for _, k := range n.kids {
		name := strings.Clone(k.name.Local)
		out[name] = append(out[name], valueOf(k))
	}
	return out
}

func valueOf(n *node) Value {
	if nilAttr := n.attr("nil"); nilAttr == "true" || nilAttr == "1" {
		return Value{Nil: true}
	}
	if len(n.kids) == 0 {
		return Value{Text: strings.Clone(n.text)} // not the whole answer
	}
	if len(n.kids) == 1 && len(n.kids[0].kids) == 0 {
		switch n.kids[0].name.Local {
		case "Datetime", "Date", "Time", "Interval", "CIM_DateTime":
			return Value{Text: strings.Clone(strings.TrimSpace(n.kids[0].text))}
		}
	}
	return Value{Inner: instanceOf(n)}
}
