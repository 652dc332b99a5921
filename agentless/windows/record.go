package windows

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Record is one line of a script's output: a name and its value.
type Record struct{ Name, Value string }

// Records are what a script said, in its order.
type Records []Record

// Get returns the first value of that name, or "".
func (r Records) Get(name string) string {
	for _, rec := range r {
		if rec.Name == name {
			return rec.Value
		}
	}
	return ""
}

// All returns every value of that name, in order.
func (r Records) All(name string) []string {
	var out []string
	for _, rec := range r {
		if rec.Name == name {
			out = append(out, rec.Value)
		}
	}
	return out
}

// ErrTruncated says that a script's output has no end marker, or that records
// before it are missing: nothing in it may be believed.
var ErrTruncated = fmt.Errorf("script output is truncated")

// maxRecords bounds what one script may say; a host's answer is hostile input.
const maxRecords = 10000

// parseRecords reads a script's output. Lines without the nonce are not ours
// (a profile, a warning of the shell) and are skipped; the end marker must carry
// the number of records.
func parseRecords(out []byte, nonce string) (Records, error) {
	var records Records
	prefix := "#" + nonce + " "
	for _, line := range strings.Split(string(out), "\n") {
		line, ours := strings.CutPrefix(strings.TrimRight(line, "\r"), prefix)
		if !ours {
			continue
		}
		if count, end := strings.CutPrefix(line, "END "); end {
			if n, err := strconv.Atoi(count); err != nil || n != len(records) {
				return nil, fmt.Errorf("%w: end marker says %q, %d records came", ErrTruncated, count, len(records))
			}
			return records, nil
		}
		name, value, found := strings.Cut(line, "=")
		if !found {
			return nil, fmt.Errorf("%w: line %q is no record", ErrTruncated, line)
		}
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil || !utf8.Valid(raw) {
			return nil, fmt.Errorf("%w: value of %q is damaged", ErrTruncated, name)
		}
		if len(records) == maxRecords {
			return nil, fmt.Errorf("script output has more than %d records", maxRecords)
		}
		records = append(records, Record{Name: name, Value: string(raw)})
	}
	return nil, fmt.Errorf("%w: no end marker after %d records", ErrTruncated, len(records))
}
