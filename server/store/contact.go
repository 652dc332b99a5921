package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Contact is a first contact with a host, step by step, and what the host said
// about constants; these are empty where it was not come to.
type Contact struct {
	At      time.Time
	By      string
	Outcome string
	Error   string
	Steps   []ContactStep
	Windows string // the host's version in the inventory's words; "" = not known
	Checks  []ConstantCheck
}

// ContactStep is one thing that was tried, in words.
type ContactStep struct {
	Name   string `json:"step"`
	State  string `json:"state"` // ok, warning, failed, not tried
	Words  string `json:"words"`
	Remedy string `json:"remedy"`
	Millis int64  `json:"ms"`
}

// ConstantCheck is what a host said about one constant.
type ConstantCheck struct {
	Name     string
	Windows  string
	Expected string
	Found    string
	Verdict  string // holds, differs, moot, unasked
	At       time.Time
}

// RequestContacts asks for a first contact with all hosts of the servers, by
// their profiles. It returns how many hosts will be asked. A planner or an
// operator does it.
func (s *Store) RequestContacts(ctx context.Context, actor Actor, servers []int64) (int, error) {
	var hosts []int64
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "planner", "operator"); err != nil {
			return err
		}
		var err error
		if hosts, err = t.q.HostsOfServers(ctx, servers); err != nil {
			return err
		}
		for _, h := range hosts {
			if err := s.insertJobs(ctx, t.tx, FirstContact{Host: h, By: actor.Name}); err != nil {
				return err
			}
		}
		t.record(actor, Record{What: "host.contact", Subject: fmt.Sprintf("%d hosts", len(hosts))})
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("request first contacts: %w", err)
	}
	return len(hosts), nil
}

// longestWord is the most that is kept of one thing that a host said.
const longestWord = 1000

// NoteContact keeps what came of a first contact with the host where it was
// asked, in place of what was kept before; what a machine said that is not the
// host any more is dropped. Constants stay as they were where none was asked
// for. A planner or an operator does it, or the program for one.
func (s *Store) NoteContact(ctx context.Context, actor Actor, asked HostAddress, c Contact) error {
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "planner", "operator"); err != nil {
			return err
		}
		for i, step := range c.Steps {
			c.Steps[i].Words, c.Steps[i].Remedy = told(step.Words), told(step.Remedy)
		}
		steps, err := json.Marshal(c.Steps)
		if err != nil {
			return fmt.Errorf("encode steps: %w", err)
		}
		if c.Steps == nil {
			steps = json.RawMessage("[]")
		}
		by := c.By
		if by == "" {
			by = actor.Name
		}
		n, err := t.q.KeepContact(ctx, db.KeepContactParams{
			HostID: asked.ID, Address: asked.Address, Port: asked.Port, ByName: by, Outcome: c.Outcome, Error: told(c.Error), Steps: steps,
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return rollout.Conflict("The host %s is another one now, or there is none of it any more. What was found out is not kept.", asked.Name)
		}
		if err := t.keepConstants(ctx, asked.ID, c); err != nil {
			return err
		}
		counts := map[string]int{}
		for _, k := range c.Checks {
			counts[k.Verdict]++
		}
		t.record(actor, Record{What: "host.contacted", Subject: asked.Name, Detail: map[string]any{"by": by, "outcome": c.Outcome, "holds": counts["holds"], "differs": counts["differs"]}})
		return t.ring(ctx, "host", asked.ID)
	})
	if err != nil {
		return fmt.Errorf("keep the first contact with host %d: %w", asked.ID, err)
	}
	return nil
}

func (t *txn) keepConstants(ctx context.Context, host int64, c Contact) error {
	if len(c.Checks) == 0 {
		return nil
	}
	names := make([]string, 0, len(c.Checks))
	for _, k := range c.Checks {
		names = append(names, k.Name)
		err := t.q.KeepConstant(ctx, db.KeepConstantParams{
			HostID: host, Name: k.Name, Windows: c.Windows, Expected: told(k.Expected), Found: told(k.Found), Verdict: k.Verdict,
		})
		if err != nil {
			return fmt.Errorf("keep constant %s: %w", k.Name, err)
		}
	}
	return t.q.DropConstants(ctx, db.DropConstantsParams{HostID: host, Keep: names})
}

// told is what a host said, as it can be kept.
func told(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	if len(text) > longestWord {
		text = strings.ToValidUTF8(text[:longestWord], "") + "..."
	}
	return text
}

// ContactOf returns the last first contact with a host, with what it said about
// constants; false when there was none.
func (s *Store) ContactOf(ctx context.Context, host int64) (Contact, bool, error) {
	row, err := s.q.ContactOf(ctx, host)
	if errors.Is(err, pgx.ErrNoRows) {
		return Contact{}, false, nil
	}
	if err != nil {
		return Contact{}, false, fmt.Errorf("load the first contact with host %d: %w", host, err)
	}
	c := Contact{At: row.At, By: row.ByName, Outcome: row.Outcome, Error: row.Error}
	if err := json.Unmarshal(row.Steps, &c.Steps); err != nil {
		return Contact{}, false, fmt.Errorf("read the first contact with host %d: %w", host, err)
	}
	checks, err := s.q.ConstantsOfHost(ctx, host)
	if err != nil {
		return Contact{}, false, fmt.Errorf("load constants of host %d: %w", host, err)
	}
	for _, k := range checks {
		c.Windows = k.Windows
		c.Checks = append(c.Checks, ConstantCheck{Name: k.Name, Windows: k.Windows, Expected: k.Expected, Found: k.Found, Verdict: k.Verdict, At: k.At})
	}
	return c, true, nil
}

// ConstantCount is how many hosts of one Windows said the same about a constant.
type ConstantCount struct {
	Name, Windows, Verdict string
	Hosts                  int
	LastAt                 time.Time
}

// ConstantCounts returns what hosts said about constants, by name.
func (s *Store) ConstantCounts(ctx context.Context) (map[string][]ConstantCount, error) {
	rows, err := s.q.ConstantCounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("count constants: %w", err)
	}
	counts := map[string][]ConstantCount{}
	for _, r := range rows {
		counts[r.Name] = append(counts[r.Name], ConstantCount{Name: r.Name, Windows: r.Windows, Verdict: r.Verdict, Hosts: r.Hosts, LastAt: r.LastAt})
	}
	return counts, nil
}

// Contradiction is a host that said something else than a constant.
type Contradiction struct {
	Name, Host, Found, Windows string
	Server                     string // one that the host is of
	At                         time.Time
}

// Contradictions returns what hosts said instead of constants, by name.
func (s *Store) Contradictions(ctx context.Context) (map[string][]Contradiction, error) {
	rows, err := s.q.ConstantContradicted(ctx)
	if err != nil {
		return nil, fmt.Errorf("load what contradicts constants: %w", err)
	}
	all := map[string][]Contradiction{}
	for _, r := range rows {
		all[r.Name] = append(all[r.Name], Contradiction{Name: r.Name, Host: r.Host, Found: r.Found, Windows: r.Windows, Server: r.Server, At: r.At})
	}
	return all, nil
}

// HostAt returns the host of the inventory that is reached at an address and
// port, or has that name. It is ErrNotFound where there is none or more than one.
func (s *Store) HostAt(ctx context.Context, address string, port int) (HostAddress, error) {
	rows, err := s.q.HostsAt(ctx, db.HostsAtParams{Address: address, Port: port})
	if err != nil {
		return HostAddress{}, fmt.Errorf("look for the host at %s: %w", address, err)
	}
	if len(rows) != 1 {
		return HostAddress{}, rollout.NotFound("The inventory has %d hosts at %s, port %d.", len(rows), address, port)
	}
	r := rows[0]
	return HostAddress{ID: r.ID, Name: r.Name, Address: r.Address, Port: r.Port}, nil
}
