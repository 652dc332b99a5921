package audit

import (
	"encoding/json"
	"fmt"
	"time"
)

// Row is an entry as it is kept: the chain, the exact bytes, and the columns
// that copy parts of them.
type Row struct {
	Seq       int64
	Prev      string
	Hash      string
	Bytes     string
	At        time.Time
	Who       string
	What      string
	Subject   string
	RolloutID int64 // 0 = none
}

// Broken says which entry is the first that cannot be right, and why.
type Broken struct {
	Seq int64
	Why string
}

// Error names the entry.
func (b *Broken) Error() string {
	return fmt.Sprintf("audit entry %d: %s", b.Seq, b.Why)
}

// Chain verifies rows one by one, in order. The zero Chain stands before the
// first entry.
type Chain struct {
	seq  int64
	hash string
}

// Len is the number of entries that were found good.
func (c *Chain) Len() int64 { return c.seq }

// Add checks the next row. The error is a *Broken.
func (c *Chain) Add(r Row) error {
	prev := c.hash
	if c.seq == 0 {
		prev = Start
	}
	want := c.seq + 1
	switch {
	case r.Seq > want:
		return &Broken{want, fmt.Sprintf("is missing; the next one is %d", r.Seq)}
	case r.Seq < want:
		return &Broken{r.Seq, fmt.Sprintf("is out of order; %d was expected", want)}
	case r.Prev != prev:
		return &Broken{r.Seq, "does not follow the entry before it"}
	case r.Hash != Hash(prev, []byte(r.Bytes)):
		return &Broken{r.Seq, "its hash does not fit its content"}
	}
	var in struct {
		Format  string `json:"format"`
		Seq     int64  `json:"seq"`
		At      string `json:"at"`
		Who     string `json:"who"`
		What    string `json:"what"`
		Subject string `json:"subject"`
		Rollout int64  `json:"rollout"`
	}
	if err := json.Unmarshal([]byte(r.Bytes), &in); err != nil {
		return &Broken{r.Seq, "its content is not JSON"}
	}
	if in.Format != Format {
		return &Broken{r.Seq, fmt.Sprintf("its format %q is not known", in.Format)}
	}
	for _, copied := range []struct {
		name string
		same bool
	}{
		{"seq", in.Seq == r.Seq},
		{"at", in.At == r.At.UTC().Format(timeForm)},
		{"who", in.Who == r.Who},
		{"what", in.What == r.What},
		{"subject", in.Subject == r.Subject},
		{"rollout", in.Rollout == r.RolloutID},
	} {
		if !copied.same {
			return &Broken{r.Seq, fmt.Sprintf("column %s differs from the content that was hashed", copied.name)}
		}
	}
	c.seq, c.hash = r.Seq, r.Hash
	return nil
}

// End checks that the chain ends where the record's head says, so that cutting
// off the newest entries is seen. The error is a *Broken.
func (c *Chain) End(seq int64, hash string) error {
	have := c.hash
	if c.seq == 0 {
		have = Start
	}
	switch {
	case c.seq < seq:
		return &Broken{c.seq + 1, fmt.Sprintf("is missing; the record's head is at %d", seq)}
	case c.seq > seq:
		return &Broken{seq + 1, fmt.Sprintf("is behind the record's head, which is at %d", seq)}
	case have != hash:
		return &Broken{c.seq, "the record's head names another hash"}
	}
	return nil
}

// Verify checks a whole record in memory and returns how many entries are good
// and, as a *Broken, the first that is not.
func Verify(rows []Row, headSeq int64, headHash string) (int64, error) {
	var c Chain
	for _, r := range rows {
		if err := c.Add(r); err != nil {
			return c.Len(), err
		}
	}
	return c.Len(), c.End(headSeq, headHash)
}
