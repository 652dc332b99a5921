package jobs

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"wavekeeper/server/store"
)

const redacted = "[redacted]"

// secrets are what must never reach the database or the log: the passwords
// that were in use when a host's answer was read.
type secrets []string

// redact replaces every occurrence of a secret, byte by byte: as it is, as it
// looks inside a quoted text (%q, JSON, XML), and a piece of it that was cut off
// where a long text ends in three dots.
func (s secrets) redact(text string) string {
	for _, form := range s.forms() {
		text = strings.ReplaceAll(text, form, redacted)
		for _, raw := range inCodePages(form) { // what nobody decoded
			text = strings.ReplaceAll(text, string(raw), redacted)
		}
		for n := len(form) - 1; n >= 4; n-- {
			text = strings.ReplaceAll(text, form[:n]+"...", redacted+"...")
		}
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD") // what Postgres keeps
}

// redactBytes replaces every occurrence of a secret in what is kept byte for
// byte, whatever its encoding: as it is, in UTF-16 of either byte order and in
// the hosts' code pages. What is kept may be cut out of something longer, or be
// of a file that is being written: a part of a secret at either end is replaced,
// too, but for a single character, which may be anything's.
func (s secrets) redactBytes(data []byte) []byte {
	var all [][]byte
	for _, form := range s.forms() {
		little, big := make([]byte, 0, 2*len(form)), make([]byte, 0, 2*len(form))
		for _, u := range utf16.Encode([]rune(form)) {
			little = append(little, byte(u), byte(u>>8))
			big = append(big, byte(u>>8), byte(u))
		}
		all = append(append(all, []byte(form), little, big), inCodePages(form)...)
	}
	for _, form := range all {
		data = bytes.ReplaceAll(data, form, []byte(redacted))
	}
	first, last := 0, 0
	for _, form := range all {
		first, last = max(first, cutBefore(data, form)), max(last, cutAfter(data, form))
	}
	if last > 0 && first+last <= len(data) {
		data = append(bytes.Clone(data[:len(data)-last]), redacted...)
	}
	if first > 0 {
		data = append([]byte(redacted), data[first:]...)
	}
	return data
}

// leastPart is how many bytes of a secret at an end of something are taken for a
// part of it.
const leastPart = 2

// cutBefore is how many bytes at the begin of data are the end of a secret.
func cutBefore(data, secret []byte) int {
	for n := min(len(secret)-1, len(data)); n >= leastPart; n-- {
		if bytes.HasPrefix(data, secret[len(secret)-n:]) {
			return n
		}
	}
	return 0
}

// cutAfter is how many bytes at the end of data are the begin of a secret.
func cutAfter(data, secret []byte) int {
	for n := min(len(secret)-1, len(data)); n >= leastPart; n-- {
		if bytes.HasSuffix(data, secret[:n]) {
			return n
		}
	}
	return 0
}

// forms are the secrets in all the ways in which they may stand in a text, the
// longest first: one secret may be a part of another.
func (s secrets) forms() []string {
	var all []string
	for _, secret := range s {
		if secret == "" {
			continue
		}
		all = append(all, secret, inner(strconv.Quote(secret)), inner(strconv.QuoteToASCII(secret)))
		if b, err := json.Marshal(secret); err == nil {
			all = append(all, inner(string(b)))
		}
		var plain bytes.Buffer
		encoder := json.NewEncoder(&plain)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(secret) == nil {
			all = append(all, inner(strings.TrimSpace(plain.String())))
		}
		var escaped bytes.Buffer
		if xml.EscapeText(&escaped, []byte(secret)) == nil {
			all = append(all, escaped.String())
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}

// inner is a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// redactFacts redacts the texts inside each value, so that what is stored is
// still JSON, however the secret was escaped in it.
func (s secrets) redactFacts(facts []store.Fact) []store.Fact {
	for i := range facts {
		facts[i].Value = s.redactJSON(facts[i].Value)
	}
	return facts
}

func (s secrets) redactJSON(raw json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return json.RawMessage(`"` + redacted + `"`) // it was encoded here, and never is anything else
	}
	out, err := json.Marshal(s.walk(value))
	if err != nil {
		return json.RawMessage(`"` + redacted + `"`)
	}
	return out
}

func (s secrets) walk(value any) any {
	switch v := value.(type) {
	case string:
		return s.redact(v)
	case json.Number:
		if text := s.redact(v.String()); text != v.String() {
			return text
		}
		return v
	case []any:
		for i := range v {
			v[i] = s.walk(v[i])
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, one := range v {
			out[s.redact(key)] = s.walk(one)
		}
		return out
	default:
		return v
	}
}

// redactMap redacts the values of a map that a step remembers.
func (s secrets) redactMap(m map[string]string) map[string]string {
	for name, value := range m {
		m[name] = s.redact(value)
	}
	return m
}

func (s secrets) redactSave(k *store.TickSave) {
	k.Message, k.Remedy, k.Phase, k.StepMessage = s.redact(k.Message), s.redact(k.Remedy), s.redact(k.Phase), s.redact(k.StepMessage)
	k.Build = s.redact(k.Build)
	for i := range k.Evidence {
		k.Evidence[i].Name = s.redact(k.Evidence[i].Name)
		k.Evidence[i].Data = s.redactBytes(k.Evidence[i].Data)
	}
	for i := range k.Log {
		k.Log[i] = s.redact(k.Log[i])
	}
	for i := range k.Findings {
		k.Findings[i].Evidence, k.Findings[i].Remedy = s.redact(k.Findings[i].Evidence), s.redact(k.Findings[i].Remedy)
	}
	s.redactFacts(k.Facts)
	for i := range k.Events {
		k.Events[i].Text = s.redact(k.Events[i].Text)
	}
	s.redactMap(k.Memory)
}
