package runbook

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// ConfigDifference is one value of a configuration file that is other than
// before: the path of its element, names and numbers from 1 ("/Configuration[1]/
// MaxCalls[1]"), with "/@name" behind it for an attribute. An element of
// appSettings is named by its key, not by its place. Old or New is empty, and
// Gone or Fresh true, where the value is on one side only.
type ConfigDifference struct {
	Path  string `json:"path"`
	Old   string `json:"old"`
	New   string `json:"new"`
	Gone  bool   `json:"gone,omitempty"`  // the new file has no such value
	Fresh bool   `json:"fresh,omitempty"` // the old file had no such value
}

// maxConfigValues bounds what one file may hold.
const maxConfigValues = 20000

// ConfigDifferences compares two XML files value by value, not by their layout.
// An error means that one of them is no XML.
func ConfigDifferences(before, after []byte) ([]ConfigDifference, error) {
	old, err := configValues(before)
	if err != nil {
		return nil, fmt.Errorf("the file of before: %w", err)
	}
	now, err := configValues(after)
	if err != nil {
		return nil, fmt.Errorf("the file of now: %w", err)
	}
	var out []ConfigDifference
	for _, path := range slices.Sorted(maps.Keys(old)) {
		value, had := now[path]
		switch {
		case !had:
			out = append(out, ConfigDifference{Path: path, Old: old[path].text, Gone: true})
		case value.text != old[path].text:
			out = append(out, ConfigDifference{Path: path, Old: old[path].text, New: value.text})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if _, had := old[path]; !had {
			out = append(out, ConfigDifference{Path: path, New: now[path].text, Fresh: true})
		}
	}
	return out, nil
}

// ErrNotReapplied says that a value cannot be re-applied: the new file has no
// place for it, or it is not what was compared any more.
var ErrNotReapplied = errors.New("the value cannot be re-applied")

// Reapply writes the old values of the chosen differences into the new file and
// changes no other byte of it. A difference whose place is gone, or whose value
// is not the one that was compared, is an ErrNotReapplied, and nothing is done.
func Reapply(after []byte, chosen []ConfigDifference) ([]byte, error) {
	values, err := configValues(after)
	if err != nil {
		return nil, err
	}
	type cut struct {
		from, to int
		text     string
	}
	var cuts []cut
	for _, d := range chosen {
		v, had := values[d.Path]
		if d.Gone || d.Fresh || !had || v.text != d.New || v.from < 0 {
			return nil, fmt.Errorf("%s: %w", d.Path, ErrNotReapplied)
		}
		var b bytes.Buffer
		if err := xml.EscapeText(&b, []byte(d.Old)); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Path, err)
		}
		cuts = append(cuts, cut{v.from, v.to, b.String()})
	}
	slices.SortFunc(cuts, func(a, b cut) int { return b.from - a.from })
	out := slices.Clone(after)
	for _, c := range cuts {
		out = slices.Concat(out[:c.from], []byte(c.text), out[c.to:])
	}
	return out, nil
}

// configValue is a value and where its bytes stand; from is -1 where they cannot
// be replaced.
type configValue struct {
	text     string
	from, to int
}

// configValues reads the values of an XML file by their paths.
func configValues(data []byte) (map[string]configValue, error) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") {
			return in, nil
		}
		return nil, fmt.Errorf("encoding %q is not read", charset)
	}
	type level struct {
		path   string
		counts map[string]int
		text   strings.Builder
		from   int
		inner  bool // it has elements of its own
	}
	stack := []*level{{counts: map[string]int{}}}
	values := map[string]configValue{}
	for {
		before := int(dec.InputOffset())
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read XML: %w", err)
		}
		top := stack[len(stack)-1]
		switch t := tok.(type) {
		case xml.StartElement:
			top.inner = true
			name := t.Name.Local
			for _, a := range t.Attr {
				if strings.EqualFold(a.Name.Local, "key") {
					name += "(" + a.Value + ")"
				}
			}
			top.counts[name]++
			here := &level{path: fmt.Sprintf("%s/%s[%d]", top.path, name, top.counts[name]), counts: map[string]int{}, from: int(dec.InputOffset())}
			head := data[before:here.from]
			for _, a := range t.Attr {
				from, to := attributeAt(head, a.Name.Local)
				if from >= 0 {
					from, to = from+before, to+before
				}
				values[here.path+"/@"+a.Name.Local] = configValue{a.Value, from, to}
			}
			if stack = append(stack, here); len(stack) > 64 || len(values) > maxConfigValues {
				return nil, errors.New("read XML: too deep or too many values")
			}
		case xml.CharData:
			top.text.Write(t)
		case xml.EndElement:
			if text := top.text.String(); !top.inner && strings.TrimSpace(text) != "" {
				values[top.path] = configValue{text, top.from, before}
			}
			stack = stack[:len(stack)-1]
		}
	}
	if len(values) == 0 {
		return nil, errors.New("read XML: no values")
	}
	return values, nil
}

// attributeAt finds an attribute's value in the bytes of a start tag; -1 where it
// is not found once.
func attributeAt(head []byte, name string) (from, to int) {
	for _, quote := range []string{`"`, `'`} {
		mark := []byte(" " + name + "=" + quote)
		i := bytes.Index(head, mark)
		if i < 0 || bytes.LastIndex(head, mark) != i {
			continue
		}
		from = i + len(mark)
		if n := bytes.IndexByte(head[from:], quote[0]); n >= 0 {
			return from, from + n
		}
	}
	return -1, -1
}
