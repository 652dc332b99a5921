package hook

import (
	"encoding/json"
	"fmt"
	"time"
)

// Call is what a hook is told, as JSON on its standard input or as the body of
// a webhook. A hook may be run again with the same id, when the program was
// ended in the middle of a run: hooks must be repeatable.
type Call struct {
	Format  int    `json:"format"` // 1
	ID      string `json:"id"`
	Point   string `json:"point"`
	Server  string `json:"server"`
	Host    string `json:"host"` // of a cluster the node that the step works on
	Package string `json:"package"`
	Rollout int64  `json:"rollout"`
	Upgrade int64  `json:"upgrade"`
	Attempt int    `json:"attempt"`
	Test    bool   `json:"test,omitempty"` // `wavekeeper hook test`: nothing is upgraded
}

func (c Call) body() ([]byte, error) {
	c.Format = 1
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write the call of hook %s: %w", c.ID, err)
	}
	return append(body, '\n'), nil
}

// State says how a run of a hook ended.
type State string

// The states of a run. Later is a hook that asks to be run again with the same
// id: a program with exit code 75 (EX_TEMPFAIL of sysexits.h), a webhook with
// 202 Accepted.
const (
	Done   State = "done"
	Later  State = "later"
	Failed State = "failed"
)

// Run is how one run of a hook ended.
type Run struct {
	State  State
	Words  string
	Output []byte // at most MostOutput
}

// Limits of one run. It lies within one tick of a coordinator; what takes longer
// asks to be run again.
const (
	Within     = 20 * time.Second
	MostOutput = 64 << 10
	// mostProcesses is how many more processes and threads than now the account of
	// this program may have while a hook runs; root is not bound by it.
	mostProcesses = 64
	againLater    = 75
)
