package twin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// journal is the ground truth of what really happened on the hosts, in the
// order of happening. Tests judge by it and not by what a coordinator believes.
type journal struct {
	mu    sync.Mutex
	w     io.Writer
	err   error
	hosts []*host
}

func newJournal(w io.Writer) *journal { return &journal{w: w} }

// know adds a host to those whose builds the order is judged by.
func (j *journal) know(h *host) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hosts = append(j.hosts, h)
}

func (j *journal) failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// line is one journal entry as it is written.
type line struct {
	Time   string         `json:"time"`
	Host   string         `json:"host"`
	What   string         `json:"what"`
	Detail map[string]any `json:"detail"`
}

// write appends one entry with one write.
func (j *journal) write(host, what string, detail map[string]any) Observation {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.writeLocked(host, what, detail)
}

func (j *journal) writeLocked(host, what string, detail map[string]any) Observation {
	now := time.Now().UTC()
	if detail == nil {
		detail = map[string]any{}
	}
	if j.w != nil {
		raw, err := json.Marshal(line{now.Format("2006-01-02T15:04:05.000000Z07:00"), host, what, detail})
		if err == nil {
			_, err = j.w.Write(append(raw, '\n'))
		}
		if err != nil {
			j.err = errors.Join(j.err, fmt.Errorf("write journal: %w", err))
		}
	}
	return Observation{Time: now, Host: host, What: what, Detail: detail}
}

// levels is what the order is judged by: a host's Exchange levels as they are
// in its registry, kept beside the host's own lock.
type levels struct {
	clientAccessRTM bool // ClientAccess is installed and still RTM
}

// setClientAccess notes whether a host's ClientAccess role is still RTM.
func (j *journal) setClientAccess(h *host, rtm bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h.levels.clientAccessRTM = rtm
}

// mailboxReached is called when the Mailbox role of a host reaches a service
// pack: an RTM client access server cannot reach a mailbox server at SP1, so
// every RTM ClientAccess of the same site is broken access, once per pair.
func (j *journal) mailboxReached(h *host, done map[string]bool) []Observation {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []Observation
	for _, row := range h.rows {
		for _, other := range j.hosts {
			if other == h || !other.levels.clientAccessRTM {
				continue
			}
			for _, cas := range other.rows {
				pair := cas.Name + "/" + row.Name
				if !strings.EqualFold(cas.Site, row.Site) || cas.Name == row.Name || done[pair] {
					continue
				}
				done[pair] = true
				all = append(all, j.writeLocked(h.journalName(), "order-broken",
					map[string]any{"client_access": cas.Name, "mailbox": row.Name}))
			}
		}
	}
	return all
}
