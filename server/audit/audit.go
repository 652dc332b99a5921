// Package audit is the record of what people decided: the form of an entry,
// the chain of hashes and its verification. It is pure and owns no SQL: the
// store appends entries and reads them back.
package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/canon"
)

// Format names the form of an entry's bytes. It is part of the bytes.
const Format = "wavekeeper-audit/1"

// Start is the hash before the first entry.
var Start = strings.Repeat("0", 64)

// Entry is one decision: who did what to which thing, from where, and why.
type Entry struct {
	Seq     int64 // from 1, without a gap
	At      time.Time
	Who     string   // the person's name, or the name of a part of the program
	Person  int64    // the person's id; 0 = not a person
	Roles   []string // the person's roles at that moment
	From    string   // network address, or "command line"
	What    string   // "plan.submit"
	Subject string   // "plan 3 revision 2"
	Rollout int64    // 0 = none
	Reason  string
	Detail  map[string]any // before, after, hashes; strings, integers, bools, lists, maps; never a secret
}

// timeForm is UTC with six decimals, what Postgres keeps.
const timeForm = "2006-01-02T15:04:05.000000Z"

// Bytes returns the canonical form of the entry, the exact bytes that are
// hashed and kept.
func (e Entry) Bytes() ([]byte, error) {
	roles, detail := e.Roles, e.Detail
	if roles == nil {
		roles = []string{}
	}
	if detail == nil {
		detail = map[string]any{}
	}
	var rollout any
	if e.Rollout != 0 {
		rollout = e.Rollout
	}
	b, err := canon.JSON(map[string]any{
		"format": Format, "seq": e.Seq, "at": e.At.UTC().Format(timeForm), "who": e.Who, "person": e.Person, "roles": roles,
		"from": e.From, "what": e.What, "subject": e.Subject, "rollout": rollout, "reason": e.Reason, "detail": detail,
	})
	if err != nil {
		return nil, fmt.Errorf("write audit entry %d: %w", e.Seq, err)
	}
	return b, nil
}

// Hash returns the hash of an entry: SHA-256 over the hash before it (64
// lower-case hex digits), a line feed and the entry's bytes.
func Hash(prev string, bytes []byte) string {
	h := sha256.New()
	h.Write([]byte(prev))
	h.Write([]byte{'\n'})
	h.Write(bytes)
	return hex.EncodeToString(h.Sum(nil))
}
