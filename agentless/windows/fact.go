package windows

import "time"

// Fact is one thing a host said about itself: its name in the table of facts,
// a value that encodes to JSON, the exact source, and when the host was asked.
type Fact struct {
	Name   string    `json:"-"`
	Value  any       `json:"value"`
	Source string    `json:"source"`
	At     time.Time `json:"at"`
}
