// Package canon writes JSON in the one form that is hashed: RFC 8785, for
// strings, integers, booleans, null, arrays and objects. It must not know what
// is hashed or why.
package canon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// maxInteger is the largest integer that JSON readers everywhere keep exactly.
const maxInteger = 1<<53 - 1

// JSON returns v in canonical form. v is anything that encoding/json takes;
// fractions, exponents, integers beyond 2^53-1 and text that is not UTF-8 are
// refused.
func JSON(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	if replacedText(plain) {
		return nil, errors.New("canonical JSON: text is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(plain))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	out, err := write(make([]byte, 0, len(plain)), tree)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	return out, nil
}

// Hash returns the lower-case hexadecimal SHA-256 of v's canonical form.
func Hash(v any) (string, error) {
	b, err := JSON(v)
	if err != nil {
		return "", err
	}
	return Sum(b), nil
}

// Sum returns the lower-case hexadecimal SHA-256 of bytes.
func Sum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// replacedText finds the escape that encoding/json writes for bytes that are
// not UTF-8. A genuine U+FFFD is written as itself, not as an escape.
func replacedText(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(b[i:], []byte(`\ufffd`)) {
			return true
		}
		i++ // the escaped character
	}
	return false
}

func write(out []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	case string:
		return writeString(out, v), nil
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil || n > maxInteger || n < -maxInteger {
			return nil, fmt.Errorf("number %s is no integer within 2^53", v)
		}
		return strconv.AppendInt(out, n, 10), nil
	case []any:
		return writeArray(out, v)
	case map[string]any:
		return writeObject(out, v)
	default:
		return nil, fmt.Errorf("unexpected %T", v)
	}
}

func writeArray(out []byte, list []any) ([]byte, error) {
	out = append(out, '[')
	for i, e := range list {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = write(out, e); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func writeObject(out []byte, object map[string]any) ([]byte, error) {
	keys := make([]string, 0, len(object))
	for k := range object {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareUTF16)
	out = append(out, '{')
	for i, k := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(writeString(out, k), ':')
		var err error
		if out, err = write(out, object[k]); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// compareUTF16 orders keys by their UTF-16 code units, as RFC 8785 section
// 3.2.3 wants; bytewise order differs above the basic plane.
func compareUTF16(a, b string) int {
	if isASCII(a) && isASCII(b) {
		return strings.Compare(a, b)
	}
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// writeString escapes what RFC 8785 section 3.2.2.2 names and nothing else.
func writeString(out []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c >= 0x20:
			out = append(out, c)
		case c == '\b':
			out = append(out, '\\', 'b')
		case c == '\t':
			out = append(out, '\\', 't')
		case c == '\n':
			out = append(out, '\\', 'n')
		case c == '\f':
			out = append(out, '\\', 'f')
		case c == '\r':
			out = append(out, '\\', 'r')
		default:
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(out, '"')
}
